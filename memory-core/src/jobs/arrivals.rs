//! Announcement of new jobs within a process, so that an idle worker claims a job right after its commit and not at the
//! next poll.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Signals of the kinds of jobs, shared by those that commit jobs and the runner. Clones share the same signals.
#[derive(Clone, Debug, Default)]
pub struct JobArrivals {
    kinds: Arc<Mutex<HashMap<&'static str, Arc<Notify>>>>,
}

impl JobArrivals {
    /// Announces that a job of this kind was committed: one idle worker of the kind looks for it. If none is idle, the
    /// next to become idle looks once more. Without workers of the kind, nothing happens.
    pub fn announce(&self, kind: &str) {
        if let Some(signal) = self.kinds.lock().get(kind) {
            signal.notify_one();
        }
    }

    /// Signal that the workers of a kind wait for.
    pub(super) fn of(&self, kind: &'static str) -> Arc<Notify> {
        Arc::clone(self.kinds.lock().entry(kind).or_default())
    }
}
