//! `hlr`: half-life regression, R = 2^(-t/h) with h = 2^(theta x), t in days since the last use (Settles and Meeder 2016,
//! "A Trainable Spaced Repetition Model for Language Learning", ACL).
//!
//! Features x are the numbers of right and of wrong uses. The weights are those of the Leitner system, which the paper states as
//! the special case theta = (right: 1, wrong: -1) and its released code has as a baseline: a right use doubles the half-life, a
//! contradiction halves it, and h = 1 day at first. Weights that the paper learned belong to its language exercises. h is
//! kept within the bounds of the released code.

use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;

/// Weight of a right use, per use.
const RIGHT: f64 = 1.0;
/// Weight of a wrong use, per use.
const WRONG: f64 = -1.0;
/// Least half-life, days: 15 minutes.
const MIN_HALF_LIFE_DAYS: f64 = 15.0 / 1_440.0;
/// Greatest half-life, days: 9 months.
const MAX_HALF_LIFE_DAYS: f64 = 274.0;

/// R = 2^(-t/h). Its strength is h. [`Trace::initial_strength`] is a factor on h, within the bounds of h. All uses are right
/// ones except contradictions.
#[derive(Clone, Copy, Debug, Default)]
pub struct HalfLifeRegression;

impl Curve for HalfLifeRegression {
    fn name(&self) -> &'static str {
        "hlr"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let (mut right, mut wrong) = (f64::from(trace.uses.earlier_until(now)), 0.0);
        let mut refreshed_at = trace.learned_at;
        for one in trace.uses.until(now) {
            match one.kind {
                UseKind::Contradicted => wrong += 1.0,
                _ => right += 1.0,
            }
            refreshed_at = refreshed_at.max(one.at);
        }
        let half_life_days = (trace.factor() * (RIGHT * right + WRONG * wrong).exp2())
            .clamp(MIN_HALF_LIFE_DAYS, MAX_HALF_LIFE_DAYS);
        let fall = Fall::Exponential { from: refreshed_at, per_day: std::f64::consts::LN_2 / half_life_days };
        State { strength: half_life_days, refreshed_at, fall }
    }
}
