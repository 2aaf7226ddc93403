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

    /// Applies an update, or queues it while the partition is being read. False if the partition must be read anew:
    /// an update is missing before this one, or too many of its rows are dead. After an error the partition is empty,
    /// since the update may be half applied.
    fn apply(&self, update: Update) -> Result<bool, IndexError> {
        let mut waiting = self.waiting.lock();
        if let Some(waiting) = waiting.as_mut() {
            waiting.push(update);
            return Ok(true);
        }
        let mut state = self.state.write();
        let Some(partition) = state.as_mut() else { return Ok(true) };
        if update.seq_before > partition.seq() {
            return Ok(false);
        }
        if let Err(error) = partition.apply(&update) {
            *state = None;
            return Err(error);
        }
        Ok(!partition.is_worn())
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
    fn remove(&mut self, id: PartitionId) -> Option<Arc<CachedPartition>> {
        let removed = self.by_id.remove(&id)?;
        self.total_bytes -= removed.bytes.load(Ordering::Relaxed);
        Some(removed)
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

    /// Applies an update to a partition that is cached or being read. A partition that cannot take it is removed, so
    /// that the next query reads it anew.
    pub(super) fn apply(&self, id: PartitionId, update: Update) -> Result<(), IndexError> {
        let Some(cached) = self.peek(id) else { return Ok(()) };
        let applied = cached.apply(update);
        match applied {
            Ok(true) => self.measure(id),
            Ok(false) | Err(_) => self.remove(id),
        }
        applied.map(drop)
    }

    /// Drops a partition from the cache.
    pub(super) fn remove(&self, id: PartitionId) {
        // Dropped after the lock is released: a large partition takes its time.
        let removed = self.held.lock().remove(id);
        drop(removed);
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

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::domain::id::MemoryId;
    use crate::domain::memory::Kind;
    use crate::store::Indexed;
    use crate::testing::fixtures::{plain, rows};

    const ID: PartitionId = PartitionId(1);

    #[test]
    fn nothing_waits_for_a_read_that_was_given_up() {
        let cached = CachedPartition::default();
        let reading = cached.begin_load();
        assert!(cached.apply(Update::default()).unwrap());
        assert_eq!(cached.waiting.lock().as_ref().map(Vec::len), Some(1));
        drop(reading);
        assert!(cached.apply(Update::default()).unwrap());
        assert!(cached.waiting.lock().is_none(), "updates pile up with nobody to take them");
    }

    #[test]
    fn a_partition_that_cannot_apply_an_update_is_dropped_with_an_error() {
        let cache = PartitionCache::new(usize::MAX);
        let cached = cache.touch(ID);
        *cached.state.write() = Partition::new(8).ok();
        cache.measure(ID);
        let memory = plain(MemoryId(uuid::Uuid::from_u128(1)), Kind::Fact, "");
        let mut rows = rows("tea");
        rows[0].vector = Some([half::f16::ONE; 3].into());
        let put = vec![Indexed { memory, rows }];
        let outcome = cache.apply(ID, Update { seq_before: 0, seq_after: 1, put, erased: Vec::new() });
        assert!(matches!(outcome, Err(IndexError::Dimension { expected: 8, found: 3 })));
        assert!(cached.state.read().is_none(), "a half-applied partition is still searched");
        assert_eq!(cache.in_memory(), (0, 0));
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
