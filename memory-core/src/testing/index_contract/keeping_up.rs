//! Rules of freshness: updates during a load, out of order, over the budget, failed, and after a clear.

use std::sync::Arc;

use super::{PARTITION, Subject, any_query, fact, query};
use crate::domain::forgotten::Effect;
use crate::domain::id::PartitionId;
use crate::domain::uses::{Use, UseKind};
use crate::index::{Index, IndexQuery, Update};
use crate::store::{Indexed, Retained};
use crate::testing::corpus;
use crate::testing::memory_source::MemorySource;
use crate::testing::rng::Rng;

/// The memory as one that is not cold: these rules count the loads of one tier. `cold` has those of both.
fn resident(mut one: Indexed) -> Indexed {
    if let Some(record) = one.memory.forgotten.as_mut() {
        record.effect = Effect::Exclude;
    }
    one
}

/// A source with `count` memories.
fn filled(rng: &mut Rng, count: u128) -> Arc<MemorySource> {
    let source = Arc::new(MemorySource::default());
    let all = (0..count).map(|number| resident(corpus::memory(rng, number)));
    source.write(PARTITION, all.collect(), Vec::new());
    source
}

/// Edits one memory, erases another, adds two.
fn change(rng: &mut Rng, source: &MemorySource, partition: PartitionId, next: u128) -> Update {
    let present = source.memories(partition);
    let edited = present.first().map(|indexed| corpus::edited(rng, indexed));
    let erased = present.get(1).map(|indexed| indexed.memory.id).into_iter().collect();
    let added = [corpus::memory(rng, next), corpus::memory(rng, next + 1)];
    source.write(partition, edited.into_iter().chain(added).map(resident).collect(), erased)
}

/// Begins a search and waits until it loads the partition; reads must be held.
async fn begin_load(
    index: &Arc<dyn Index>,
    source: &MemorySource,
    query: &IndexQuery,
) -> tokio::task::JoinHandle<bool> {
    let before = source.reads_begun();
    let (index, query) = (index.clone(), query.clone());
    let search = tokio::spawn(async move { index.search(PARTITION, &query).await.is_ok() });
    while source.reads_begun() == before {
        tokio::task::yield_now().await;
    }
    search
}

/// Updates during a load are neither lost nor applied twice, whether or not the load has read them already.
pub async fn updates_during_a_load_are_kept(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 30);
    let index = subject.over(&source);
    let held = source.hold_reads().await;
    // Committed before the load begins, applied during it: the load has read it already.
    let early = change(&mut rng, &source, PARTITION, 100);
    let query = any_query(&mut rng);
    let search = begin_load(&index, &source, &query).await;
    index.apply(PARTITION, early).await.unwrap();
    for round in 0..5 {
        let update = change(&mut rng, &source, PARTITION, 200 + round * 10);
        index.apply(PARTITION, update).await.unwrap();
    }
    drop(held);
    assert!(search.await.unwrap());
    subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}")).await;
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    assert_eq!(source.reads_begun(), 2, "one load for the query, one for the comparison");
}

/// An update after a gap makes the index read the partition anew, during a load too; an update that the index has
/// already changes nothing.
pub async fn a_gap_makes_the_index_read_anew(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = subject.over(&source);
    let query = query("beagle tea", 10);
    index.search(PARTITION, &query).await.unwrap();
    let first = change(&mut rng, &source, PARTITION, 100);
    let second = change(&mut rng, &source, PARTITION, 110);
    index.apply(PARTITION, second.clone()).await.unwrap();
    index.apply(PARTITION, first.clone()).await.unwrap();
    subject.check(&*index, &source, PARTITION, &query, "out of order").await;
    index.apply(PARTITION, first).await.unwrap();
    index.apply(PARTITION, second).await.unwrap();
    subject.check(&*index, &source, PARTITION, &query, "shown twice").await;
    index.clear_cache().await;
    let held = source.hold_reads().await;
    let search = begin_load(&index, &source, &query).await;
    let _lost = change(&mut rng, &source, PARTITION, 120);
    let after_the_gap = change(&mut rng, &source, PARTITION, 130);
    index.apply(PARTITION, after_the_gap).await.unwrap();
    drop(held);
    assert!(search.await.unwrap());
    subject.check(&*index, &source, PARTITION, &query, "a gap while reading").await;
}

/// A caller may go away during a load: the next answer is right all the same.
pub async fn an_abandoned_load_does_no_harm(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = subject.over(&source);
    let query = any_query(&mut rng);
    let held = source.hold_reads().await;
    let search = begin_load(&index, &source, &query).await;
    let update = change(&mut rng, &source, PARTITION, 100);
    index.apply(PARTITION, update).await.unwrap();
    search.abort();
    assert!(search.await.is_err());
    let update = change(&mut rng, &source, PARTITION, 110);
    index.apply(PARTITION, update).await.unwrap();
    drop(held);
    subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}")).await;
}

/// A partition that is cleared during its load is read anew for the next query.
pub async fn a_clear_during_a_load_takes_effect(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = subject.over(&source);
    let query = any_query(&mut rng);
    let held = source.hold_reads().await;
    let search = begin_load(&index, &source, &query).await;
    // The index is not told of this update, only cleared.
    let _untold = change(&mut rng, &source, PARTITION, 100);
    index.clear_cache().await;
    drop(held);
    assert!(search.await.unwrap());
    subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}")).await;
}

/// A budget for less than one partition costs time, not correctness.
pub async fn a_tiny_budget_keeps_answers_right(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = (subject.make)(source.clone(), 1);
    let partitions: Vec<PartitionId> = (1..=5).map(PartitionId).collect();
    for step in 0..40u128 {
        let partition = *rng.pick(&partitions);
        let number = u128::try_from(partition.0).unwrap() << 32 | step << 1;
        let update = change(&mut rng, &source, partition, number);
        index.apply(partition, update).await.unwrap();
        let query = any_query(&mut rng);
        let other = *rng.pick(&partitions);
        subject.check(&*index, &source, other, &query, &format!("seed {seed}, step {step}")).await;
    }
    assert!(source.reads_begun() > 5, "nothing was evicted");
}

/// Memories whose version differs between index and store are counted; a partition that is not held has none.
pub async fn differences_are_counted(subject: &Subject<'_>, _: u64) {
    let mut rng = Rng::new(1);
    let source = filled(&mut rng, 10);
    let index = subject.over(&source);
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    index.search(PARTITION, &query("tea", 5)).await.unwrap();
    let mut tampered = change(&mut rng, &source, PARTITION, 100);
    tampered.put.remove(0);
    tampered.erased.clear();
    index.apply(PARTITION, tampered).await.unwrap();
    // The edited memory in both versions, and the erased one that is still held.
    assert_eq!(index.differences(PARTITION).await.unwrap(), 3);
    index.clear_cache().await;
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
}

/// A cleared partition is read anew for the next query; other partitions stay as they are.
pub async fn a_cleared_partition_is_read_anew(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let other = PartitionId(PARTITION.0 + 1);
    change(&mut rng, &source, other, 0);
    let index = subject.over(&source);
    let query = any_query(&mut rng);
    subject.check(&*index, &source, PARTITION, &query, "before the clear").await;
    subject.check(&*index, &source, other, &query, "before the clear").await;
    // The index is not told of this update, only cleared.
    let _untold = change(&mut rng, &source, PARTITION, 100);
    let reads = source.reads_begun();
    index.clear_partition(PARTITION).await;
    subject.check(&*index, &source, other, &query, "another partition").await;
    assert_eq!(source.reads_begun(), reads, "another partition is read anew");
    subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}")).await;
}

/// An update that fails half-way is never half visible: before the clear a query sees all of it or nothing, or fails;
/// after the clear it sees the store.
pub async fn a_failed_update_is_never_half_visible(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, vec![fact(1, "beagle")], Vec::new());
    let index = subject.over(&source);
    let query = query("beagle", 8);
    subject.check(&*index, &source, PARTITION, &query, "before the update").await;
    let mut update = source.write(PARTITION, vec![fact(2, "beagle"), fact(3, "beagle")], Vec::new());
    // The second row has a vector that no index of this dimension can take.
    update.put[1].rows[0].vector = Some([half::f16::ONE; 3].into());
    let failed = index.apply(PARTITION, update).await.is_err();
    if let Ok(answer) = index.search(PARTITION, &query).await {
        assert_ne!(answer.memories, 2, "half of an update is visible");
    }
    if failed {
        index.clear_partition(PARTITION).await;
        subject.check(&*index, &source, PARTITION, &query, "after the clear").await;
    }
}

/// A touch changes the retention of its memory, those without a vector and those that are not there included, before and
/// after the partition is read anew.
pub async fn a_touch_changes_retention_and_nothing_else(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 30);
    let index = subject.over(&source);
    let mut query = any_query(&mut rng);
    query.weights.retention = 1.0;
    index.search(PARTITION, &query).await.unwrap();
    for round in 0..4 {
        let mut touched = Vec::new();
        for Indexed { memory, .. } in source.memories(PARTITION) {
            if rng.chance(30) {
                let mut strength = memory.strength;
                let at = strength.refreshed_at().plus_days(1 + i64::try_from(rng.below(9)).unwrap());
                strength.uses.record(Use { at, kind: UseKind::Returned }, 0);
                touched.push(Retained { memory: memory.id, strength, forgotten: None });
            }
        }
        let update = source.touch(PARTITION, touched.clone());
        index.apply(PARTITION, update).await.unwrap();
        let update = change(&mut rng, &source, PARTITION, 200 + round * 10);
        index.apply(PARTITION, update).await.unwrap();
        subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}, round {round}")).await;
    }
    assert_eq!(source.reads_begun(), 1, "a touch makes nothing to be read anew");
    index.clear_cache().await;
    subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}, read anew")).await;
}
