//! Forgetting curves: retention R of a memory, a number from 0 to 1, as a function of its trace and of the time. Pure: a curve
//! knows no clock and no store.
//!
//! A curve is evaluated from the [`Trace`], that is from what happened to the memory, never from a strength that an earlier
//! curve left behind. So any curve can be asked about any memory and any moment (ADR 0048). `docs/adding/curve.md` tells how
//! to add one.

mod activation;
mod actr;
mod asreleased;
mod by_name;
mod elapsed;
mod fall;
mod forgetting;
mod fsrs6;
mod hlr;
mod initial_strength;
mod intended;
mod judgement;
mod memorybank;
mod never;
mod policy;
mod registry;
mod reinforcement;
mod rule;
mod shape;
#[cfg(test)]
mod tests;
mod wixted;

use std::fmt::Debug;

use gpu_retrieval::Decay;

pub use activation::Activation;
pub use actr::ActR;
pub use asreleased::{MemoryBankAsReleased, fresh_draw_forgets};
pub use fall::Fall;
pub use forgetting::{draw, forgotten_at, threshold};
pub use fsrs6::Fsrs6;
pub use hlr::HalfLifeRegression;
pub use initial_strength::InitialStrengths;
pub use intended::MemoryBankIntended;
pub use judgement::ForgottenNow;
pub use memorybank::MemoryBankPaper;
pub use never::NoForgetting;
pub use policy::{Eviction, Policy};
pub use registry::CurveId;
pub use rule::{DrawnCheck, Rule};
pub use shape::{Point, as_of, points};
pub use wixted::Wixted;

use crate::domain::memory::Strength;
use crate::domain::time::Timestamp;
use crate::domain::uses::Uses;

/// Bounds of [`Trace::initial_strength`] in a curve; what is outside counts as the bound, and NaN as 1.
pub const INITIAL_STRENGTH_BOUNDS: (f64, f64) = (1e-6, 1e6);

/// All that a curve knows of a memory.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// Time at which it was learned. Uses before it count as uses at this time.
    pub learned_at: Timestamp,
    /// Factor on the strength that the curve gives to a new memory; 1 is the curve as published. See
    /// [`INITIAL_STRENGTH_BOUNDS`].
    pub initial_strength: f64,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// Uses since then.
    pub uses: &'a Uses,
    /// True for a memory that is never forgotten.
    pub pinned: bool,
}

impl<'a> Trace<'a> {
    /// Trace of a memory.
    pub fn of(strength: &'a Strength) -> Self {
        Self {
            learned_at: strength.learned_at,
            initial_strength: f64::from(strength.strength),
            importance: strength.importance,
            uses: &strength.uses,
            pinned: strength.pinned,
        }
    }

    /// The factor on the initial strength within its bounds.
    pub fn factor(&self) -> f64 {
        let (least, most) = INITIAL_STRENGTH_BOUNDS;
        if self.initial_strength.is_nan() { 1.0 } else { self.initial_strength.clamp(least, most) }
    }

    /// Time of the last event: of the newest use, or of learning.
    pub fn last_event(&self) -> Timestamp {
        self.uses.last().map_or(self.learned_at, |newest| newest.at.max(self.learned_at))
    }
}

/// State of a memory under a curve at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Strength as the curve defines it, in days unless the curve says otherwise: the time until R is 1/e
    /// (`memorybank.paper`), 1/2 (`hlr`), .9 (`fsrs6`). Finite, at least 0. Strengths of two curves are not comparable.
    pub strength: f64,
    /// Time of the last refresh: of learning, or of the last use that refreshes under this curve.
    pub refreshed_at: Timestamp,
    /// R from now on until the next use.
    pub fall: Fall,
}

/// Forgetting curve.
///
/// Contract, for every trace and every `now` (a test runs it over all curves):
///
/// - R is within 0 and 1, and 1 up to `learned_at`, so that a clock that was wrong forgets nothing.
/// - R never rises with time between uses.
/// - A new use lowers R at no later moment. Exceptions: a use of kind `contradicted`, and `memorybank.asreleased`, whose
///   source says otherwise.
/// - Uses after `now` do not exist. Where uses were dropped ([`Uses::earlier`]), moments before the oldest kept use are
///   evaluated as if there had been none.
/// - A pinned memory has R = 1.
/// - No NaN and no panic for any number in a trace.
pub trait Curve: Send + Sync + Debug {
    /// Name in configuration and explanations, such as `memorybank.paper`.
    fn name(&self) -> &'static str;

    /// State of the memory at `now`, pinned or not. Its `fall` holds until the next use.
    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State;

    /// Retention at `now`.
    fn retention(&self, trace: &Trace<'_>, now: Timestamp) -> f64 {
        if trace.pinned { 1.0 } else { self.state(trace, now).fall.at(now) }
    }

    /// Parameters for the scan, which evaluates R in f32 for any `now` not before the newest use; `None` if R belongs to
    /// neither of its two families ([`gpu_retrieval::retention`]).
    fn decay(&self, trace: &Trace<'_>) -> Option<Decay> {
        let fall = if trace.pinned { Fall::Never } else { self.state(trace, trace.last_event()).fall };
        fall.decay(trace.importance)
    }
}
