//! Reinforcements of a memory: its uses apart from contradictions, for curves that count them and do not ask for their kind.

use super::Trace;
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;

/// Number and last time of the reinforcements until a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reinforcements {
    /// Their number. Uses whose kind is not kept any more count as reinforcements.
    pub(super) count: f64,
    /// Time of the last one, or of learning.
    pub(super) last: Timestamp,
}

impl Reinforcements {
    /// Of a trace, until `now`.
    pub(super) fn until(trace: &Trace<'_>, now: Timestamp) -> Self {
        let mut count = trace.uses.earlier_until(now);
        let mut last = trace.learned_at;
        for one in trace.uses.until(now).iter().filter(|one| one.kind != UseKind::Contradicted) {
            count = count.saturating_add(1);
            last = last.max(one.at);
        }
        Self { count: f64::from(count), last }
    }
}
