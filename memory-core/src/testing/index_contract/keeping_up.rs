//! Rules of keeping up with the store: updates while reading, out of order, over a budget, and after forgetting.

use std::sync::Arc;

use super::{AMPLE_BYTES, Make, PARTITION, any_question, is_right, question};
use crate::domain::id::PartitionId;
use crate::index::{Index, IndexQuery, Update};
use crate::testing::corpus;
use crate::testing::memory_source::MemorySource;
use crate::testing::rng::Rng;

/// A source with `count` memories.
fn filled(rng: &mut Rng, count: u128) -> Arc<MemorySource> {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, (0..count).map(|number| corpus::memory(rng, number)).collect(), Vec::new());
    source
}

/// Edits one memory, erases another, adds two.
fn change(rng: &mut Rng, source: &MemorySource, partition: PartitionId, next: u128) -> Update {
    let present = source.memories(partition);
    let edited = present.first().map(|indexed| corpus::edited(rng, indexed));
    let erased = present.get(1).map(|indexed| indexed.memory.id).into_iter().collect();
    let added = [corpus::memory(rng, next), corpus::memory(rng, next + 1)];
    source.write(partition, edited.into_iter().chain(added).collect(), erased)
}

/// Begins a search, and waits until it reads the partition; reads must be held.
async fn begin_reading(
    index: &Arc<dyn Index>,
    source: &MemorySource,
    asked: &IndexQuery,
) -> tokio::task::JoinHandle<bool> {
    let before = source.reads_begun();
    let (index, asked) = (index.clone(), asked.clone());
    let search = tokio::spawn(async move { index.search(PARTITION, &asked).await.is_ok() });
    while source.reads_begun() == before {
        tokio::task::yield_now().await;
    }
    search
}

/// Updates that come while a partition is being read are neither lost nor done twice, whether the read has seen them
/// already or not.
pub async fn updates_while_reading_are_kept(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 30);
    let index = make(source.clone(), AMPLE_BYTES);
    let held = source.hold_reads().await;
    // Committed before the read begins, shown to the index while it reads: the read has it already.
    let early = change(&mut rng, &source, PARTITION, 100);
    let asked = any_question(&mut rng);
    let search = begin_reading(&index, &source, &asked).await;
    index.apply(PARTITION, early).await.unwrap();
    for round in 0..5 {
        let update = change(&mut rng, &source, PARTITION, 200 + round * 10);
        index.apply(PARTITION, update).await.unwrap();
    }
    drop(held);
    assert!(search.await.unwrap());
    is_right(&*index, &source, PARTITION, &asked, &format!("seed {seed}")).await;
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    assert_eq!(source.reads_begun(), 2, "one read for the question, one for the comparison");
}

/// An update that leaves a gap makes the partition be read anew, also one that comes while it is being read; one that
/// is in already changes nothing.
pub async fn a_gap_makes_it_read_anew(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = make(source.clone(), AMPLE_BYTES);
    let asked = question("beagle tea", 10);
    index.search(PARTITION, &asked).await.unwrap();
    let first = change(&mut rng, &source, PARTITION, 100);
    let second = change(&mut rng, &source, PARTITION, 110);
    index.apply(PARTITION, second.clone()).await.unwrap();
    index.apply(PARTITION, first.clone()).await.unwrap();
    is_right(&*index, &source, PARTITION, &asked, "out of order").await;
    index.apply(PARTITION, first).await.unwrap();
    index.apply(PARTITION, second).await.unwrap();
    is_right(&*index, &source, PARTITION, &asked, "shown twice").await;
    index.clear_cache().await;
    let held = source.hold_reads().await;
    let search = begin_reading(&index, &source, &asked).await;
    let _lost = change(&mut rng, &source, PARTITION, 120);
    let after_the_gap = change(&mut rng, &source, PARTITION, 130);
    index.apply(PARTITION, after_the_gap).await.unwrap();
    drop(held);
    assert!(search.await.unwrap());
    is_right(&*index, &source, PARTITION, &asked, "a gap while reading").await;
}

/// Whoever asks may go away while a partition is being read: the next answer is right all the same.
pub async fn an_abandoned_read_does_no_harm(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = make(source.clone(), AMPLE_BYTES);
    let asked = any_question(&mut rng);
    let held = source.hold_reads().await;
    let search = begin_reading(&index, &source, &asked).await;
    let update = change(&mut rng, &source, PARTITION, 100);
    index.apply(PARTITION, update).await.unwrap();
    search.abort();
    assert!(search.await.is_err());
    let update = change(&mut rng, &source, PARTITION, 110);
    index.apply(PARTITION, update).await.unwrap();
    drop(held);
    is_right(&*index, &source, PARTITION, &asked, &format!("seed {seed}")).await;
}

/// What is forgotten while it is being read is read anew for the next question.
pub async fn forgetting_while_reading_forgets(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng, 20);
    let index = make(source.clone(), AMPLE_BYTES);
    let asked = any_question(&mut rng);
    let held = source.hold_reads().await;
    let search = begin_reading(&index, &source, &asked).await;
    // Nobody tells the index: it is only told to forget.
    let _untold = change(&mut rng, &source, PARTITION, 100);
    index.clear_cache().await;
    drop(held);
    assert!(search.await.unwrap());
    is_right(&*index, &source, PARTITION, &asked, &format!("seed {seed}")).await;
}

/// A budget for less than one partition costs time, never an answer.
pub async fn a_tiny_budget_keeps_answers_right(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = make(source.clone(), 1);
    let partitions: Vec<PartitionId> = (1..=5).map(PartitionId).collect();
    for step in 0..40u128 {
        let partition = *rng.pick(&partitions);
        let number = u128::try_from(partition.0).unwrap() << 32 | step << 1;
        let update = change(&mut rng, &source, partition, number);
        index.apply(partition, update).await.unwrap();
        let asked = any_question(&mut rng);
        let other = *rng.pick(&partitions);
        is_right(&*index, &source, other, &asked, &format!("seed {seed}, step {step}")).await;
    }
    assert!(source.reads_begun() > 5, "nothing was ever let go");
}

/// Memories that the index holds otherwise than the store are counted; a partition not in memory has none.
pub async fn differences_are_counted(make: Make<'_>) {
    let mut rng = Rng::new(1);
    let source = filled(&mut rng, 10);
    let index = make(source.clone(), AMPLE_BYTES);
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    index.search(PARTITION, &question("tea", 5)).await.unwrap();
    let mut tampered = change(&mut rng, &source, PARTITION, 100);
    tampered.put.remove(0);
    tampered.erased.clear();
    index.apply(PARTITION, tampered).await.unwrap();
    // The edited one in either version, and the erased one that is still held.
    assert_eq!(index.differences(PARTITION).await.unwrap(), 3);
    index.clear_cache().await;
    assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
}
