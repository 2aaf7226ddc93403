//! Which partitions are in memory: loading, updates while loading, and who has to go when the budget is used up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::partition::Partition;
use crate::domain::id::PartitionId;
use crate::index::{IndexError, Update};

/// A partition's place in memory, taken or being filled.
#[derive(Debug, Default)]
pub(super) struct Resident {
    /// The partition, once it is read.
    pub(super) state: RwLock<Option<Partition>>,
    /// Held by the one that reads it.
    pub(super) reading: tokio::sync::Mutex<()>,
    /// What was committed while it is being read; none while nobody reads.
    waiting: Mutex<Option<Vec<Update>>>,
    /// As it was weighed last.
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

impl Resident {
    /// From here on updates wait. To be called before the store is read.
    pub(super) fn begin_reading(&self) {
        *self.waiting.lock() = Some(Vec::new());
    }

    pub(super) fn give_up_reading(&self) {
        *self.waiting.lock() = None;
    }

    /// Brings what was read up to date with what waits, and shows it.
    pub(super) fn install(&self, mut partition: Partition) -> Result<(), IndexError> {
        let mut waiting = self.waiting.lock();
        for update in waiting.take().unwrap_or_default() {
            partition.apply(&update)?;
        }
        *self.state.write() = Some(partition);
        Ok(())
    }

    /// Applies an update, or lets it wait. False if the partition can no longer be trusted.
    fn apply(&self, update: Update) -> bool {
        let mut waiting = self.waiting.lock();
        if let Some(waiting) = waiting.as_mut() {
            waiting.push(update);
            return true;
        }
        let mut state = self.state.write();
        let Some(partition) = state.as_mut() else { return true };
        let is_next = update.seq_before <= partition.seq();
        if !is_next || partition.apply(&update).is_err() || partition.is_worn() {
            return false;
        }
        true
    }
}

/// All partitions in memory.
#[derive(Debug)]
pub(super) struct Residents {
    by_id: Mutex<HashMap<PartitionId, Arc<Resident>>>,
    budget_bytes: usize,
    total_bytes: AtomicUsize,
    clock: AtomicU64,
}

impl Residents {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self {
            by_id: Mutex::default(),
            budget_bytes,
            total_bytes: AtomicUsize::new(0),
            clock: AtomicU64::new(0),
        }
    }

    /// The partition's place, made if there is none, and marked as just used.
    pub(super) fn touch(&self, id: PartitionId) -> Arc<Resident> {
        let resident = self.by_id.lock().entry(id).or_default().clone();
        resident.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        resident
    }

    pub(super) fn peek(&self, id: PartitionId) -> Option<Arc<Resident>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// Hands an update to a partition that is in memory or being read. One that cannot take it is let go: the next
    /// question reads it anew.
    pub(super) fn apply(&self, id: PartitionId, update: Update) {
        let Some(resident) = self.peek(id) else { return };
        if resident.apply(update) {
            self.weigh(id);
        } else {
            self.remove(id);
        }
    }

    pub(super) fn forget_all(&self) {
        let ids: Vec<PartitionId> = self.by_id.lock().keys().copied().collect();
        ids.into_iter().for_each(|id| self.remove(id));
    }

    fn remove(&self, id: PartitionId) {
        if let Some(gone) = self.by_id.lock().remove(&id) {
            self.total_bytes.fetch_sub(gone.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Weighs a partition, and lets the least recently used go until the budget is kept; `id` stays.
    pub(super) fn weigh(&self, id: PartitionId) {
        let Some(resident) = self.peek(id) else { return };
        let now = resident.state.read().as_ref().map_or(0, Partition::bytes);
        let before = resident.bytes.swap(now, Ordering::Relaxed);
        let total = self.total_bytes.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        if total.wrapping_add(now.wrapping_sub(before)) > self.budget_bytes {
            self.let_go(id);
        }
    }

    fn let_go(&self, keep: PartitionId) {
        let mut by_id = self.by_id.lock();
        let mut oldest_first: Vec<(u64, PartitionId)> = by_id
            .iter()
            .filter(|(id, resident)| **id != keep && resident.bytes.load(Ordering::Relaxed) > 0)
            .map(|(id, resident)| (resident.last_used.load(Ordering::Relaxed), *id))
            .collect();
        oldest_first.sort_unstable();
        // Some room at once, so that a full budget does not mean a walk over all partitions for each that comes.
        let goal = self.budget_bytes - self.budget_bytes / 16;
        for (_, id) in oldest_first {
            if self.total_bytes.load(Ordering::Relaxed) <= goal {
                break;
            }
            if let Some(gone) = by_id.remove(&id) {
                self.total_bytes.fetch_sub(gone.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    /// Bytes and number of the partitions in memory.
    pub(super) fn in_memory(&self) -> (usize, usize) {
        (self.total_bytes.load(Ordering::Relaxed), self.by_id.lock().len())
    }
}
