//! Every rule of the index's contract, over the embedded index. `make test-long` tries more seeds.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::index::Index;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::memories::request::ListMemories;
use memory_core::testing::index_contract::{answering, keeping_up};
use memory_core::testing::memory_source::MemorySource;
use memory_core::testing::{CALLER, TestEngine, fact, memories, question, user};

fn embedded(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    let inline_rows = EmbeddedIndexOptions::INLINE_ROWS;
    Arc::new(EmbeddedIndex::new(source, EmbeddedIndexOptions { budget_bytes, threads: 2, inline_rows }))
}

/// As for large partitions: every search leaves the thread that asks, and several share its work.
fn in_lanes(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::new(source, EmbeddedIndexOptions { budget_bytes, threads: 3, inline_rows: 0 }))
}

/// Seeds to try: `few` as a rule, fifty times as many in the long form.
fn seeds(few: u64) -> std::ops::Range<u64> {
    memory_core::testing::seeds::seeds(few, few * 50)
}

#[tokio::test]
async fn search_is_naive_search() {
    for seed in seeds(8) {
        answering::search_is_naive_search(&embedded, seed).await;
    }
}

#[tokio::test]
async fn a_search_that_is_shared_is_naive_search() {
    for seed in seeds(8) {
        answering::search_is_naive_search(&in_lanes, seed).await;
    }
    answering::what_is_hidden_takes_no_place(&in_lanes).await;
    answering::a_memory_of_many_chunks_counts_once(&in_lanes).await;
    answering::words_find_what_has_no_vector(&in_lanes).await;
}

#[tokio::test]
async fn company_changes_no_answer() {
    for seed in seeds(8) {
        answering::company_changes_no_answer(&in_lanes, seed).await;
    }
}

#[tokio::test]
async fn a_view_is_what_passes() {
    for seed in seeds(40) {
        answering::a_view_is_what_passes(&embedded, seed).await;
    }
}

#[tokio::test]
async fn numbers_are_compared_exactly() {
    answering::numbers_are_compared_exactly(&embedded).await;
    answering::importance_is_found_as_it_was_given(&embedded).await;
}

#[tokio::test]
async fn what_is_hidden_takes_no_place() {
    answering::what_is_hidden_takes_no_place(&embedded).await;
}

#[tokio::test]
async fn a_memory_of_many_chunks_counts_once() {
    answering::a_memory_of_many_chunks_counts_once(&embedded).await;
}

#[tokio::test]
async fn words_find_what_has_no_vector() {
    answering::words_find_what_has_no_vector(&embedded).await;
}

#[tokio::test]
async fn turns_are_found_by_their_place() {
    for seed in seeds(10) {
        answering::turns_are_found_by_their_place(&embedded, seed).await;
    }
}

#[tokio::test]
async fn updates_while_reading_are_kept() {
    for seed in seeds(10) {
        keeping_up::updates_while_reading_are_kept(&embedded, seed).await;
    }
}

#[tokio::test]
async fn a_gap_makes_it_read_anew() {
    for seed in seeds(10) {
        keeping_up::a_gap_makes_it_read_anew(&embedded, seed).await;
    }
}

#[tokio::test]
async fn an_abandoned_read_does_no_harm() {
    for seed in seeds(10) {
        keeping_up::an_abandoned_read_does_no_harm(&embedded, seed).await;
    }
}

#[tokio::test]
async fn forgetting_while_reading_forgets() {
    for seed in seeds(10) {
        keeping_up::forgetting_while_reading_forgets(&embedded, seed).await;
    }
}

#[tokio::test]
async fn a_tiny_budget_keeps_answers_right() {
    for seed in seeds(3) {
        keeping_up::a_tiny_budget_keeps_answers_right(&embedded, seed).await;
    }
}

#[tokio::test]
async fn differences_are_counted() {
    keeping_up::differences_are_counted(&embedded).await;
}

/// Listing and previewing an erasure read the store: a partition that nobody searches is not read into memory.
#[tokio::test]
async fn lists_and_previews_leave_the_partition_unread() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let facts = (0..50).map(|number| fact(&format!("beagle {number}"))).collect();
    test_engine.engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap();
    test_engine.index.clear_cache().await;
    let tagged = Filter::Field(Field::Tags, Test::IsNull(true));
    for filter in [Filter::everything(), tagged] {
        let request = ListMemories {
            scope: scope.clone(),
            filter: filter.clone(),
            newest_first: true,
            limit: 10,
            after: None,
        };
        let page = test_engine.engine.list(&CALLER, request).await.unwrap();
        assert_eq!((page.memories.len(), page.total, page.has_more), (10, 50, true));
        assert_eq!(page.memories[0].text, "beagle 49");
        let preview = test_engine.engine.preview_erasure(&CALLER, &scope, filter).await.unwrap();
        assert_eq!(preview.matched, 50);
    }
    assert_eq!(test_engine.index.in_memory(), (0, 0));
    test_engine.engine.recall(&CALLER, question(&scope, "beagle")).await.unwrap();
    assert_eq!(test_engine.index.in_memory().1, 1);
}
