//! `memorybank.asreleased`: R = e^(-(t/5) S) in whole days, as the released code of MemoryBank computes it
//! (zhongwanjun/MemoryBank-SiliconFriend since commit 3869efc). For reproductions only.
//!
//! Two faults are part of it. Strength is inverted: by the precedence of operators S multiplies the time, so that a memory
//! fades *faster* the more often it was recalled. Days are differences of dates, here in UTC: whatever was recalled today has
//! R = 1. Its third fault, a fresh draw at each check, is [`fresh_draw_forgets`]. One fault is not reproduced: the code gives
//! R > 1 to a date in the future.

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// Strength of a new memory, without a unit.
const S0: f64 = 1.0;
/// Increase of the strength by a recall.
const PER_RECALL: f64 = 1.0;
/// Days in which R falls to 1/e at strength 1.
const STRETCH_DAYS: f64 = 5.0;

/// R = e^(-(t/5) S), t in whole days. Its strength is a rate: high is short. [`Trace::initial_strength`] is a factor on the S
/// of a new memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBankAsReleased;

/// True if a check of the released code forgets a memory of this retention: a fresh draw, a number uniform on (0, 1), against the
/// whole R at each check, so that whoever checks more often forgets more. For reproductions; no policy uses it.
pub fn fresh_draw_forgets(retention: f64, draw: f64) -> bool {
    retention < draw
}

impl Curve for MemoryBankAsReleased {
    fn name(&self) -> &'static str {
        "memorybank.asreleased"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let Reinforcements { count, last } = Reinforcements::until(trace, now);
        let strength = S0 * trace.factor() + PER_RECALL * count;
        let fall = Fall::DailySteps { from: last, per_day: strength / STRETCH_DAYS };
        State { strength, refreshed_at: last, fall }
    }
}
