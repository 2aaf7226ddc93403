//! State of the embedder as writes and the job of missing vectors see it: the failure that they met last.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::time::Timestamp;

/// Pause in which writes do not try an embedder that has just failed, in microseconds.
const PAUSE_US: i64 = 5_000_000;

/// Failure of the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedderFault {
    /// Code of the failure ([`crate::model::ModelError::code`]).
    pub code: &'static str,
    /// Time of the first failure since it worked last.
    pub since: Timestamp,
    /// Time of the last failure.
    pub last: Timestamp,
}

/// State of the embedder as writes and the job see it; clones share it. Queries have no part in it: they are embedded
/// apart and say themselves that they were searched by words alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmbedderHealth(Arc<Mutex<Option<EmbedderFault>>>);

impl EmbedderHealth {
    /// True if the embedder failed a moment ago, so that a write does not wait for it.
    pub(crate) fn is_paused(&self, now: Timestamp) -> bool {
        self.0.lock().is_some_and(|fault| now < fault.last.plus_micros(PAUSE_US))
    }

    pub(crate) fn failed(&self, code: &'static str, now: Timestamp) {
        let mut fault = self.0.lock();
        let since = fault.map_or(now, |fault| fault.since);
        *fault = Some(EmbedderFault { code, since, last: now });
    }

    pub(crate) fn works(&self) {
        *self.0.lock() = None;
    }

    pub(super) fn fault(&self) -> Option<EmbedderFault> {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_until_the_embedder_works_and_pauses_writes_for_a_while() {
        let health = EmbedderHealth::default();
        let start = Timestamp::from_micros(0);
        assert!(!health.is_paused(start));
        health.failed("unreachable", start);
        health.failed("timed_out", start.plus_micros(7));
        let fault = health.fault().unwrap();
        assert_eq!((fault.code, fault.since, fault.last), ("timed_out", start, start.plus_micros(7)));
        assert!(health.is_paused(start.plus_micros(PAUSE_US)));
        assert!(!health.is_paused(start.plus_micros(7 + PAUSE_US)), "the next write tries it");
        health.works();
        assert_eq!(health.fault(), None);
    }
}
