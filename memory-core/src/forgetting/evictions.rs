//! Choice of the memories beyond a quota, pure: those that come first in the order of eviction.
//!
//! Bounded memory: 32 bytes for each memory beyond the quota, 32 MB at a million of them, and none of those within it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::domain::id::MemoryId;

/// Place of a memory in the order of eviction; the least is evicted first.
#[derive(Clone, Copy, Debug)]
struct Place {
    rank: (f64, f64),
    memory: MemoryId,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_first = self.rank.0.total_cmp(&other.rank.0);
        by_first.then(self.rank.1.total_cmp(&other.rank.1)).then(self.memory.cmp(&other.memory))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

/// Memories that are not forgotten, as far as the quota concerns them.
#[derive(Debug)]
pub(crate) struct Evictions {
    quota: u64,
    at_most: u64,
    live: u64,
    /// The first ones in the order, at most `at_most`; the last of them on top.
    first: BinaryHeap<Place>,
}

impl Evictions {
    /// Of a partition with so many memories, forgotten ones included.
    pub(crate) fn new(quota: u64, memories: u64) -> Self {
        Self { quota, at_most: memories.saturating_sub(quota), live: 0, first: BinaryHeap::new() }
    }

    /// Counts a memory that is not forgotten. `rank`: its rank, or `None` for one that is never evicted.
    pub(crate) fn count(&mut self, memory: MemoryId, rank: Option<(f64, f64)>) {
        self.live = self.live.saturating_add(1);
        let Some(rank) = rank else { return };
        self.first.push(Place { rank, memory });
        if self.first.len() as u64 > self.at_most {
            self.first.pop();
        }
    }

    /// Memories to evict, in the order of ids: as many as are beyond the quota, or all that may be evicted.
    pub(crate) fn evicted(self) -> Vec<MemoryId> {
        let excess = usize::try_from(self.live.saturating_sub(self.quota)).unwrap_or(usize::MAX);
        let first = self.first.into_sorted_vec();
        let mut evicted: Vec<MemoryId> = first.into_iter().take(excess).map(|place| place.memory).collect();
        evicted.sort_unstable();
        evicted
    }
}
