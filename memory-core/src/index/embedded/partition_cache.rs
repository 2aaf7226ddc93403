//! The cache of partitions: entries, updates during a load, and LRU eviction under a memory budget.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::heap_size;
use super::partition::{Partition, Tier};
use crate::domain::id::PartitionId;
use crate::index::{IndexError, Update};
use crate::store::Indexed;

/// A partition in one tier, as the cache holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) partition: PartitionId,
    pub(super) tier: Tier,
}

impl Key {
    /// The resident tier.
    pub(super) const fn resident(partition: PartitionId) -> Self {
        Self { partition, tier: Tier::Resident }
    }
}

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
    /// an update is missing before this one, it brings back cold memories without their rows, or too many rows are dead. After an error the partition is empty,
    /// since the update may be half applied.
    fn apply(&self, update: Update) -> Result<bool, IndexError> {
        let mut queued = self.queued.lock();
        if let Some(queued) = queued.as_mut() {
            queued.push(update);
            return Ok(true);
        }
        let mut state = self.state.write();
        let Some(partition) = state.as_mut() else { return Ok(true) };
        if !partition.takes(&update) {
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
            if !partition.takes(&update) {
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
    by_key: HashMap<Key, Arc<CachedPartition>>,
    total_bytes: usize,
}

impl Entries {
    fn remove(&mut self, key: Key) -> Option<Arc<CachedPartition>> {
        let removed = self.by_key.remove(&key)?;
        self.total_bytes -= removed.bytes.load(Ordering::Relaxed);
        Some(removed)
    }
}

impl PartitionCache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { entries: Mutex::default(), budget_bytes, clock: AtomicU64::new(0) }
    }

    /// The partition's entry, created if it is missing, and marked as just used.
    pub(super) fn touch(&self, key: Key) -> Arc<CachedPartition> {
        let cached = self.entries.lock().by_key.entry(key).or_default().clone();
        cached.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        cached
    }

    /// The partition's entry, without marking it as used.
    pub(super) fn peek(&self, key: Key) -> Option<Arc<CachedPartition>> {
        self.entries.lock().by_key.get(&key).cloned()
    }

    /// Applies an update to the tiers of a partition that are cached or being read. A tier that cannot take it is removed,
    /// so that the next query reads it anew. The resident tier gets the memories that the update restores besides.
    pub(super) fn apply(
        &self,
        partition: PartitionId,
        mut update: Update,
        restored: Vec<Indexed>,
    ) -> Result<(), IndexError> {
        let whole = Key { partition, tier: Tier::Whole };
        let of_whole = match self.peek(whole) {
            Some(cached) => self.apply_to(whole, &cached, update.clone()),
            None => Ok(()),
        };
        let resident = Key::resident(partition);
        let Some(cached) = self.peek(resident) else { return of_whole };
        update.put.extend(restored);
        self.apply_to(resident, &cached, update).and(of_whole)
    }

    fn apply_to(&self, key: Key, cached: &CachedPartition, update: Update) -> Result<(), IndexError> {
        let applied = cached.apply(update);
        match applied {
            Ok(true) => self.measure(key),
            Ok(false) | Err(_) => self.remove_tier(key),
        }
        applied.map(drop)
    }

    /// Drops a partition from the cache, in both tiers.
    pub(super) fn remove(&self, partition: PartitionId) {
        self.remove_tier(Key::resident(partition));
        self.remove_tier(Key { partition, tier: Tier::Whole });
    }

    fn remove_tier(&self, key: Key) {
        // Dropped after the lock is released: a large partition takes its time.
        let removed = self.entries.lock().remove(key);
        drop(removed);
    }

    pub(super) fn clear(&self) {
        // Dropped after the lock is released: large partitions take their time.
        let mut entries = self.entries.lock();
        let removed = std::mem::take(&mut entries.by_key);
        let freed: usize = removed.values().map(|cached| cached.bytes.load(Ordering::Relaxed)).sum();
        entries.total_bytes -= freed;
        drop(entries);
        drop(removed);
    }

    /// Measures a partition and evicts the least recently used others while the budget is exceeded.
    pub(super) fn measure(&self, key: Key) {
        let Some(cached) = self.peek(key) else { return };
        let bytes = cached.state.read().as_ref().map_or(0, Partition::bytes);
        self.account(key, &cached, bytes);
    }

    /// Accounts for so many bytes of a partition that is loaded or being loaded, and evicts others as
    /// [`Self::measure`] does. Partitions that are being loaded stay.
    pub(super) fn account(&self, key: Key, cached: &Arc<CachedPartition>, bytes: usize) {
        let now = if bytes == 0 { 0 } else { ENTRY_BYTES + bytes };
        let mut entries = self.entries.lock();
        if !entries.by_key.get(&key).is_some_and(|still| Arc::ptr_eq(still, cached)) {
            // It was removed meanwhile: an entry outside of the cache does not count.
            return;
        }
        let before = cached.bytes.swap(now, Ordering::Relaxed);
        entries.total_bytes = entries.total_bytes - before + now;
        if entries.total_bytes > self.budget_bytes {
            self.evict(&mut entries, Some(key));
        }
    }

    /// Memory of a partition that is not one of the cache's, accounted for while the reservation lives.
    pub(super) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { cache: Arc::clone(self), bytes: AtomicUsize::new(0) }
    }

    /// Evicts whole tiers first, which few queries ask for, then the least recently used ones.
    fn evict(&self, entries: &mut Entries, keep: Option<Key>) {
        let mut first_to_go: Vec<(bool, u64, Key)> = entries
            .by_key
            .iter()
            .filter(|(key, cached)| Some(**key) != keep && cached.bytes.load(Ordering::Relaxed) > 0)
            .filter(|(_, cached)| !cached.is_loading())
            .map(|(key, cached)| (key.tier == Tier::Resident, cached.last_used.load(Ordering::Relaxed), *key))
            .collect();
        first_to_go.sort_unstable_by_key(|(is_resident, used, _)| (*is_resident, *used));
        // A sixteenth of the budget is freed at once, so that a full cache is not walked for every load.
        let goal = self.budget_bytes - self.budget_bytes / 16;
        for (_, _, key) in first_to_go {
            if entries.total_bytes <= goal {
                break;
            }
            entries.remove(key);
        }
    }

    /// Bytes and number of the cached partitions, each tier counted.
    pub(super) fn in_memory(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        (entries.total_bytes, entries.by_key.len())
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
        let cached = cache.touch(Key::resident(ID));
        *cached.state.write() = Partition::new(8, Arc::default()).ok();
        cache.measure(Key::resident(ID));
        let memory = plain(MemoryId(uuid::Uuid::from_u128(1)), Kind::Fact, "");
        let mut rows = rows("tea");
        rows[0].vector = Some([half::f16::ONE; 3].into());
        let put = vec![Indexed { memory, rows }];
        let update = Update { seq_before: 0, seq_after: 1, put, ..Update::default() };
        let outcome = cache.apply(ID, update, Vec::new());
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
                    let cached = cache.touch(Key::resident(ID));
                    *cached.state.write() = Partition::new(8, Arc::default()).ok();
                    cache.measure(Key::resident(ID));
                }
            });
            threads.spawn(|| (0..20_000).for_each(|_| cache.clear()));
        });
        cache.clear();
        assert_eq!(cache.in_memory(), (0, 0));
    }
}
