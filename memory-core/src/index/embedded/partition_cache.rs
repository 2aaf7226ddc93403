//! Which partitions are in memory: loading, updates while loading, and who has to go when the budget is used up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::heap_size;
use super::partition::Partition;
use crate::domain::id::PartitionId;
use crate::index::{IndexError, Update};

/// A partition's place in memory, taken or being filled.
#[derive(Debug, Default)]
pub(super) struct CachedPartition {
    /// The partition, once it is read.
    pub(super) state: RwLock<Option<Partition>>,
    /// Entries by the one that reads it.
    pub(super) reading: tokio::sync::Mutex<()>,
    /// What was committed while it is being read; none while nobody reads.
    waiting: Mutex<Option<Vec<Update>>>,
    /// As it was weighed last.
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

/// What a partition takes besides what is in it: its place, with the partition's head, and the way there.
const ENTRY_BYTES: usize = size_of::<CachedPartition>() + 4 * heap_size::PIECE_BYTES + 64;

impl CachedPartition {
    /// From here on updates wait, until the read is installed or given up. To be called before the store is read, by
    /// whoever holds `reading`.
    pub(super) fn begin_load(&self) -> Load<'_> {
        *self.waiting.lock() = Some(Vec::new());
        Load(self)
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

/// A read under way. When it is dropped, nothing waits any longer: whoever read may have gone away half-way.
pub(super) struct Load<'a>(&'a CachedPartition);

impl Load<'_> {
    /// Brings what was read up to date with what waits, and shows it. False if an update before those that wait is
    /// missing: the store is to be read again.
    pub(super) fn install(self, mut partition: Partition) -> Result<bool, IndexError> {
        let mut waiting = self.0.waiting.lock();
        for update in waiting.take().unwrap_or_default() {
            if update.seq_before > partition.seq() {
                return Ok(false);
            }
            partition.apply(&update)?;
        }
        *self.0.state.write() = Some(partition);
        Ok(true)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        *self.0.waiting.lock() = None;
    }
}

/// All partitions in memory.
#[derive(Debug)]
pub(super) struct PartitionCache {
    held: Mutex<Entries>,
    budget_bytes: usize,
    clock: AtomicU64,
}

/// What is in memory, and what it weighs together: changed as one, so that the sum is always that of the parts.
#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<PartitionId, Arc<CachedPartition>>,
    total_bytes: usize,
}

impl Entries {
    fn remove(&mut self, id: PartitionId) {
        if let Some(gone) = self.by_id.remove(&id) {
            self.total_bytes -= gone.bytes.load(Ordering::Relaxed);
        }
    }
}

impl PartitionCache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { held: Mutex::default(), budget_bytes, clock: AtomicU64::new(0) }
    }

    /// The partition's place, made if there is none, and marked as just used.
    pub(super) fn touch(&self, id: PartitionId) -> Arc<CachedPartition> {
        let cached = self.held.lock().by_id.entry(id).or_default().clone();
        cached.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        cached
    }

    pub(super) fn peek(&self, id: PartitionId) -> Option<Arc<CachedPartition>> {
        self.held.lock().by_id.get(&id).cloned()
    }

    /// Hands an update to a partition that is in memory or being read. One that cannot take it is let go: the next
    /// question reads it anew.
    pub(super) fn apply(&self, id: PartitionId, update: Update) {
        let Some(cached) = self.peek(id) else { return };
        if cached.apply(update) {
            self.measure(id);
        } else {
            self.held.lock().remove(id);
        }
    }

    pub(super) fn clear(&self) {
        // Dropped when the lock is open again: large partitions take their time.
        let gone = std::mem::take(&mut *self.held.lock());
        drop(gone);
    }

    /// Weighs a partition, and lets the least recently used go until the budget is kept; `id` stays.
    pub(super) fn measure(&self, id: PartitionId) {
        let Some(cached) = self.peek(id) else { return };
        let now = cached.state.read().as_ref().map_or(0, |partition| ENTRY_BYTES + partition.bytes());
        let mut held = self.held.lock();
        if !held.by_id.get(&id).is_some_and(|still| Arc::ptr_eq(still, &cached)) {
            // It was let go meanwhile: what is not held weighs nothing.
            return;
        }
        let before = cached.bytes.swap(now, Ordering::Relaxed);
        held.total_bytes = held.total_bytes - before + now;
        if held.total_bytes > self.budget_bytes {
            self.evict(&mut held, id);
        }
    }

    fn evict(&self, held: &mut Entries, keep: PartitionId) {
        let mut oldest_first: Vec<(u64, PartitionId)> = held
            .by_id
            .iter()
            .filter(|(id, cached)| **id != keep && cached.bytes.load(Ordering::Relaxed) > 0)
            .map(|(id, cached)| (cached.last_used.load(Ordering::Relaxed), *id))
            .collect();
        oldest_first.sort_unstable();
        // Some room at once, so that a full budget does not mean a walk over all partitions for each that comes.
        let goal = self.budget_bytes - self.budget_bytes / 16;
        for (_, id) in oldest_first {
            if held.total_bytes <= goal {
                break;
            }
            held.remove(id);
        }
    }

    /// Bytes and number of the partitions in memory.
    pub(super) fn in_memory(&self) -> (usize, usize) {
        let held = self.held.lock();
        (held.total_bytes, held.by_id.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: PartitionId = PartitionId(1);

    #[test]
    fn nothing_waits_for_a_read_that_was_given_up() {
        let cached = CachedPartition::default();
        let reading = cached.begin_load();
        assert!(cached.apply(Update::default()));
        assert_eq!(cached.waiting.lock().as_ref().map(Vec::len), Some(1));
        drop(reading);
        assert!(cached.apply(Update::default()));
        assert!(cached.waiting.lock().is_none(), "updates pile up with nobody to take them");
    }

    #[test]
    fn what_is_let_go_while_it_is_weighed_weighs_nothing() {
        let cache = PartitionCache::new(usize::MAX);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..20_000 {
                    let cached = cache.touch(ID);
                    *cached.state.write() = Partition::new(8).ok();
                    cache.measure(ID);
                }
            });
            threads.spawn(|| (0..20_000).for_each(|_| cache.clear()));
        });
        cache.clear();
        assert_eq!(cache.in_memory(), (0, 0));
    }
}
