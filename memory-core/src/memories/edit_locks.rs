//! Locks of memories that are being edited: edits of one memory take turns, so that they do not refuse each other's
//! versions. Other writers, such as thinking, may still come between; then the edit is tried again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::domain::id::MemoryId;

/// Locks by memory. There are at most as many as edits in progress, which the callers bound.
#[derive(Debug, Default)]
pub(crate) struct EditLocks {
    locks: Mutex<HashMap<MemoryId, Arc<tokio::sync::Mutex<()>>>>,
}

impl EditLocks {
    /// Waits for the edits of this memory that came before; the next one begins when the guard is dropped.
    pub(super) async fn lock(&self, id: MemoryId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock();
            // Locks that nobody holds or waits for.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(id).or_default())
        };
        lock.lock_owned().await
    }
}
