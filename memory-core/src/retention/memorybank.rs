//! `memorybank.paper`: R = e^(-t/S), t in days since the memory was learned or last recalled, S its strength: 1 when new, and
//! 1 more for every recall (Zhong et al. 2023, arXiv 2305.10250).
//!
//! The paper names no unit of t; days are those of the released code. The curve is no fit to the data of Ebbinghaus, who
//! found a slower fall (`tests/vectors.rs`).

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// Strength of a new memory, days.
const S0_DAYS: f64 = 1.0;
/// Increase of the strength by a recall, days.
const PER_RECALL_DAYS: f64 = 1.0;

/// R = e^(-t/S). [`Trace::initial_strength`] is a factor on the S of a new memory. A contradiction is no recall.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBankPaper;

impl Curve for MemoryBankPaper {
    fn name(&self) -> &'static str {
        "memorybank.paper"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let Reinforcements { count, last } = Reinforcements::until(trace, now);
        let strength = S0_DAYS * trace.factor() + PER_RECALL_DAYS * count;
        let fall = Fall::Exponential { from: last, per_day: strength.recip() };
        State { strength, refreshed_at: last, fall }
    }
}
