//! The cache of partitions: entries, updates during a load, and LRU eviction under a memory budget.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::heap_size;
use super::partition::Partition;
use crate::domain::id::PartitionId;
use crate::index::{IndexError, Update};

/// Outcome of a load; `None` while it is under way.
pub(super) type LoadOutcome = Option<Result<(), IndexError>>;

/// A load under way or done, as its callers see it. The channel is closed without an outcome if the load panicked.
pub(super) type SharedLoad = watch::Receiver<LoadOutcome>;

/// An entry of the cache: a partition that is loaded or being loaded.
#[derive(Debug, Default)]
pub(super) struct CachedPartition {
    /// The partition, once it is loaded.
    pub(super) state: RwLock<Option<Partition>>,
    /// The last load of the partition: under way, or done.
    pub(super) load: Mutex<Option<SharedLoad>>,
    /// Updates queued during a load; none while no load is under way.
    queued: Mutex<Option<QueuedUpdates>>,
    /// Size at the last measurement.
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

/// Updates during a load.
#[derive(Debug, Default)]
struct QueuedUpdates {
    updates: Vec<Update>,
    memories: usize,
    /// True if more came than are kept: the load must read again.
    is_overrun: bool,
}

/// Memories of the updates queued during one load at most. A load that takes so long that more are written reads again.
const MAX_QUEUED_MEMORIES: usize = 65_536;

impl QueuedUpdates {
    fn push(&mut self, update: Update) {
        self.memories = self.memories.saturating_add(update.put.len() + update.erased.len());
        if self.memories > MAX_QUEUED_MEMORIES {
            self.is_overrun = true;
            self.updates = Vec::new();
        } else {
            self.updates.push(update);
        }
    }
}

/// Memory of an entry besides the partition's heap: the entry itself, with the partition's fields, and its place in the
/// table.
const ENTRY_BYTES: usize = size_of::<CachedPartition>() + 4 * heap_size::PIECE_BYTES + 64;

impl CachedPartition {
    /// Queues updates from now on, until the load is installed or dropped. The caller is the entry's only load, and reads
    /// the store afterwards.
    pub(super) fn begin_load(entry: &Arc<Self>) -> Load {
        *entry.queued.lock() = Some(QueuedUpdates::default());
        Load(Arc::clone(entry))
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.state.read().is_some()
    }

    fn is_loading(&self) -> bool {
        self.queued.lock().is_some()
    }

    /// Applies an update, or queues it while the partition is being read. False if the partition must be read anew:
    /// an update is missing before this one, or too many of its rows are dead. After an error the partition is empty,
    /// since the update may be half applied.
    fn apply(&self, update: Update) -> Result<bool, IndexError> {
        let mut queued = self.queued.lock();
        if let Some(queued) = queued.as_mut() {
            queued.push(update);
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

/// A load under way. Dropping it ends the queueing, since a load may fail half-way.
pub(super) struct Load(Arc<CachedPartition>);

impl Load {
    /// Applies the queued updates to the loaded partition and makes it searchable. False if an update before the queued
    /// ones is missing, or one of them: the store must be read again.
    pub(super) fn install(self, mut partition: Partition) -> Result<bool, IndexError> {
        let mut queued = self.0.queued.lock();
        let QueuedUpdates { updates, is_overrun, .. } = queued.take().unwrap_or_default();
        if is_overrun {
            return Ok(false);
        }
        for update in updates {
            if update.seq_before > partition.seq() {
                return Ok(false);
            }
            partition.apply(&update)?;
        }
        *self.0.state.write() = Some(partition);
        Ok(true)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        *self.0.queued.lock() = None;
    }
}

/// All cached partitions.
#[derive(Debug)]
pub(super) struct PartitionCache {
    entries: Mutex<Entries>,
    budget_bytes: usize,
    clock: AtomicU64,
}

/// The entries and their total size, behind one lock so that the total is always the sum.
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
        Self { entries: Mutex::default(), budget_bytes, clock: AtomicU64::new(0) }
    }

    /// The partition's entry, created if it is missing, and marked as just used.
    pub(super) fn touch(&self, id: PartitionId) -> Arc<CachedPartition> {
        let cached = self.entries.lock().by_id.entry(id).or_default().clone();
        cached.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        cached
    }

    /// The partition's entry, without marking it as used.
    pub(super) fn peek(&self, id: PartitionId) -> Option<Arc<CachedPartition>> {
        self.entries.lock().by_id.get(&id).cloned()
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
        let removed = self.entries.lock().remove(id);
        drop(removed);
    }

    pub(super) fn clear(&self) {
        // Dropped after the lock is released: large partitions take their time.
        let mut entries = self.entries.lock();
        let removed = std::mem::take(&mut entries.by_id);
        let freed: usize = removed.values().map(|cached| cached.bytes.load(Ordering::Relaxed)).sum();
        entries.total_bytes -= freed;
        drop(entries);
        drop(removed);
    }

    /// Measures a partition and evicts the least recently used others while the budget is exceeded.
    pub(super) fn measure(&self, id: PartitionId) {
        let Some(cached) = self.peek(id) else { return };
        let bytes = cached.state.read().as_ref().map_or(0, Partition::bytes);
        self.account(id, &cached, bytes);
    }

    /// Accounts for so many bytes of a partition that is loaded or being loaded, and evicts others as
    /// [`Self::measure`] does. Partitions that are being loaded stay.
    pub(super) fn account(&self, id: PartitionId, cached: &Arc<CachedPartition>, bytes: usize) {
        let now = if bytes == 0 { 0 } else { ENTRY_BYTES + bytes };
        let mut entries = self.entries.lock();
        if !entries.by_id.get(&id).is_some_and(|still| Arc::ptr_eq(still, cached)) {
            // It was removed meanwhile: an entry outside of the cache does not count.
            return;
        }
        let before = cached.bytes.swap(now, Ordering::Relaxed);
        entries.total_bytes = entries.total_bytes - before + now;
        if entries.total_bytes > self.budget_bytes {
            self.evict(&mut entries, Some(id));
        }
    }

    /// Memory of a partition that is not one of the cache's, accounted for while the reservation lives.
    pub(super) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { cache: Arc::clone(self), bytes: AtomicUsize::new(0) }
    }

    fn evict(&self, entries: &mut Entries, keep: Option<PartitionId>) {
        let mut oldest_first: Vec<(u64, PartitionId)> = entries
            .by_id
            .iter()
            .filter(|(id, cached)| Some(**id) != keep && cached.bytes.load(Ordering::Relaxed) > 0)
            .filter(|(_, cached)| !cached.is_loading())
            .map(|(id, cached)| (cached.last_used.load(Ordering::Relaxed), *id))
            .collect();
        oldest_first.sort_unstable();
        // A sixteenth of the budget is freed at once, so that a full cache is not walked for every load.
        let goal = self.budget_bytes - self.budget_bytes / 16;
        for (_, id) in oldest_first {
            if entries.total_bytes <= goal {
                break;
            }
            entries.remove(id);
        }
    }

    /// Bytes and number of the cached partitions.
    pub(super) fn in_memory(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        (entries.total_bytes, entries.by_id.len())
    }
}

/// Memory outside of the cache that counts against its budget.
#[derive(Debug)]
pub(super) struct Reservation {
    cache: Arc<PartitionCache>,
    bytes: AtomicUsize,
}

impl Reservation {
    /// Changes its size, and evicts partitions while the budget is exceeded.
    pub(super) fn set(&self, bytes: usize) {
        let mut entries = self.cache.entries.lock();
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        entries.total_bytes = entries.total_bytes - before + bytes;
        if entries.total_bytes > self.cache.budget_bytes {
            self.cache.evict(&mut entries, None);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.cache.entries.lock().total_bytes -= self.bytes.load(Ordering::Relaxed);
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
    fn updates_are_not_queued_after_a_load_was_dropped() {
        let cached = Arc::<CachedPartition>::default();
        let load = CachedPartition::begin_load(&cached);
        assert!(cached.apply(Update::default()).unwrap());
        assert_eq!(cached.queued.lock().as_ref().map(|queued| queued.updates.len()), Some(1));
        drop(load);
        assert!(cached.apply(Update::default()).unwrap());
        assert!(cached.queued.lock().is_none(), "updates pile up without a load");
    }

    #[test]
    fn a_partition_that_cannot_apply_an_update_is_dropped_with_an_error() {
        let cache = PartitionCache::new(usize::MAX);
        let cached = cache.touch(ID);
        *cached.state.write() = Partition::new(8, Arc::default()).ok();
        cache.measure(ID);
        let memory = plain(MemoryId(uuid::Uuid::from_u128(1)), Kind::Fact, "");
        let mut rows = rows("tea");
        rows[0].vector = Some([half::f16::ONE; 3].into());
        let put = vec![Indexed { memory, rows }];
        let outcome = cache.apply(ID, Update { seq_before: 0, seq_after: 1, put, ..Update::default() });
        assert!(matches!(outcome, Err(IndexError::Dimension { expected: 8, found: 3 })));
        assert!(cached.state.read().is_none(), "a half-applied partition is still searched");
        assert_eq!(cache.in_memory(), (0, 0));
    }

    #[test]
    fn a_partition_that_is_removed_during_its_measurement_does_not_count() {
        let cache = PartitionCache::new(usize::MAX);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..20_000 {
                    let cached = cache.touch(ID);
                    *cached.state.write() = Partition::new(8, Arc::default()).ok();
                    cache.measure(ID);
                }
            });
            threads.spawn(|| (0..20_000).for_each(|_| cache.clear()));
        });
        cache.clear();
        assert_eq!(cache.in_memory(), (0, 0));
    }
}
