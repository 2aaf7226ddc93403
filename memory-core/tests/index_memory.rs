//! The index's budget is kept in bytes that are really taken: what partitions say of themselves is held against what the
//! allocator gave out.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::alloc::System;
use std::sync::Arc;

use memory_core::domain::id::PartitionId;
use memory_core::domain::time::Timestamp;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::index::{Index, View};
use memory_core::retention::Policy;
use memory_core::testing::corpus;
use memory_core::testing::memory_source::MemorySource;
use memory_core::testing::rng::Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Overhead and granularity of the allocator per allocation, in bytes.
const BYTES_PER_PIECE: usize = 16;

/// Bytes told, and taken, by so many partitions of so many memories.
async fn told_and_taken(partitions: i64, memories: u128) -> (usize, usize) {
    let source = Arc::new(MemorySource::default());
    let mut rng = Rng::new(11);
    for partition in 1..=partitions {
        let put = (0..memories).map(|number| corpus::memory(&mut rng, number)).collect();
        let _ = source.write(PartitionId(partition), put, Vec::new());
    }
    let options = EmbeddedIndexOptions {
        budget_bytes: usize::MAX,
        threads: 1,
        inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
    };
    let index = EmbeddedIndex::new(source, Arc::new(Policy::default()), options);
    let view = View::present(Timestamp::from_micros(0));
    let region = Region::new(ALLOCATOR);
    for partition in 1..=partitions {
        index.turns_at(PartitionId(partition), &[], &view).await.unwrap();
    }
    let change = region.change();
    let pieces = change.allocations - change.deallocations;
    let bytes = change.bytes_allocated - change.bytes_deallocated;
    (index.in_memory().0, bytes + pieces * BYTES_PER_PIECE)
}

/// One test: what others allocate at the same time would be counted, too.
#[tokio::test]
async fn what_is_told_is_what_is_taken() {
    for (partitions, memories) in [(400, 1), (300, 10), (30, 200), (2, 4_000)] {
        let (told, taken) = told_and_taken(partitions, memories).await;
        let share = told as f64 / taken as f64;
        println!("{partitions} partitions of {memories}: {told} told, {taken} taken, {share:.2}");
        assert!((0.9..1.25).contains(&share), "{partitions} of {memories}: {told} told, {taken} taken");
    }
}
