//! `memorybank.intended`: R = e^(-t/(5S)), the evident aim of the factor 5 that the released code of MemoryBank has
//! (zhongwanjun/MemoryBank-SiliconFriend, commit 3869efc). t in days, S as in `memorybank.paper`.

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// Strength of a new memory, days.
const S0_DAYS: f64 = 1.0;
/// Increase of the strength by a recall, days.
const PER_RECALL_DAYS: f64 = 1.0;
/// Factor on the strength.
const STRETCH: f64 = 5.0;

/// R = e^(-t/(5S)). [`Trace::initial_strength`] is a factor on the S of a new memory. A contradiction is no recall.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBankIntended;

impl Curve for MemoryBankIntended {
    fn name(&self) -> &'static str {
        "memorybank.intended"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let Reinforcements { count, last } = Reinforcements::until(trace, now);
        let strength = S0_DAYS * trace.factor() + PER_RECALL_DAYS * count;
        let fall = Fall::Exponential { from: last, per_day: (STRETCH * strength).recip() };
        State { strength, refreshed_at: last, fall }
    }
}
