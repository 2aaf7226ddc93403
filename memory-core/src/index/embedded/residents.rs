//! Which partitions are in memory: loading, updates while loading, and who has to go when the budget is used up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::partition::Partition;
use super::weight;
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

/// What a partition takes besides what is in it: its place, with the partition's head, and the way there.
const RESIDENT_BYTES: usize = size_of::<Resident>() + 4 * weight::PIECE_BYTES + 64;

impl Resident {
    /// From here on updates wait, until the read is installed or given up. To be called before the store is read, by
    /// whoever holds `reading`.
    pub(super) fn begin_reading(&self) -> Reading<'_> {
        *self.waiting.lock() = Some(Vec::new());
        Reading(self)
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
pub(super) struct Reading<'a>(&'a Resident);

impl Reading<'_> {
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

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        *self.0.waiting.lock() = None;
    }
}

/// All partitions in memory.
#[derive(Debug)]
pub(super) struct Residents {
    held: Mutex<Held>,
    budget_bytes: usize,
    clock: AtomicU64,
}

/// What is in memory, and what it weighs together: changed as one, so that the sum is always that of the parts.
#[derive(Debug, Default)]
struct Held {
    by_id: HashMap<PartitionId, Arc<Resident>>,
    total_bytes: usize,
}

impl Held {
    fn remove(&mut self, id: PartitionId) {
        if let Some(gone) = self.by_id.remove(&id) {
            self.total_bytes -= gone.bytes.load(Ordering::Relaxed);
        }
    }
}

impl Residents {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { held: Mutex::default(), budget_bytes, clock: AtomicU64::new(0) }
    }

    /// The partition's place, made if there is none, and marked as just used.
    pub(super) fn touch(&self, id: PartitionId) -> Arc<Resident> {
        let resident = self.held.lock().by_id.entry(id).or_default().clone();
        resident.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        resident
    }

    pub(super) fn peek(&self, id: PartitionId) -> Option<Arc<Resident>> {
        self.held.lock().by_id.get(&id).cloned()
    }

    /// Hands an update to a partition that is in memory or being read. One that cannot take it is let go: the next
    /// question reads it anew.
    pub(super) fn apply(&self, id: PartitionId, update: Update) {
        let Some(resident) = self.peek(id) else { return };
        if resident.apply(update) {
            self.weigh(id);
        } else {
            self.held.lock().remove(id);
        }
    }

    pub(super) fn forget_all(&self) {
        // Dropped when the lock is open again: large partitions take their time.
        let gone = std::mem::take(&mut *self.held.lock());
        drop(gone);
    }

    /// Weighs a partition, and lets the least recently used go until the budget is kept; `id` stays.
    pub(super) fn weigh(&self, id: PartitionId) {
        let Some(resident) = self.peek(id) else { return };
        let now = resident.state.read().as_ref().map_or(0, |partition| RESIDENT_BYTES + partition.bytes());
        let mut held = self.held.lock();
        if !held.by_id.get(&id).is_some_and(|still| Arc::ptr_eq(still, &resident)) {
            // It was let go meanwhile: what is not held weighs nothing.
            return;
        }
        let before = resident.bytes.swap(now, Ordering::Relaxed);
        held.total_bytes = held.total_bytes - before + now;
        if held.total_bytes > self.budget_bytes {
            self.let_go(&mut held, id);
        }
    }

    fn let_go(&self, held: &mut Held, keep: PartitionId) {
        let mut oldest_first: Vec<(u64, PartitionId)> = held
            .by_id
            .iter()
            .filter(|(id, resident)| **id != keep && resident.bytes.load(Ordering::Relaxed) > 0)
            .map(|(id, resident)| (resident.last_used.load(Ordering::Relaxed), *id))
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
        let resident = Resident::default();
        let reading = resident.begin_reading();
        assert!(resident.apply(Update::default()));
        assert_eq!(resident.waiting.lock().as_ref().map(Vec::len), Some(1));
        drop(reading);
        assert!(resident.apply(Update::default()));
        assert!(resident.waiting.lock().is_none(), "updates pile up with nobody to take them");
    }

    #[test]
    fn what_is_let_go_while_it_is_weighed_weighs_nothing() {
        let residents = Residents::new(usize::MAX);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..20_000 {
                    let resident = residents.touch(ID);
                    *resident.state.write() = Partition::new(8).ok();
                    residents.weigh(ID);
                }
            });
            threads.spawn(|| (0..20_000).for_each(|_| residents.forget_all()));
        });
        residents.forget_all();
        assert_eq!(residents.in_memory(), (0, 0));
    }
}
