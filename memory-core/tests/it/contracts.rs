//! Every rule of the contracts of ports: the store's over SQLite (PostgreSQL has a file of its own), the index's over the
//! embedded index, and those of approximate indexes over one that leaves candidates out.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use memory_core::domain::id::MemoryId;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions, SegmentOptions};
use memory_core::index::{Answer, Exactness, Index};
use memory_core::retention::Policy;
use memory_core::store::Store;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::fixtures::DIMENSION;
use memory_core::testing::hooked_index::{HookedIndex, Hooks};
use memory_core::testing::memory_source::MemorySource;
use memory_core::{index_contract, store_contract};

async fn sqlite() -> (tempfile::TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    (directory, Arc::new(store))
}

store_contract!(sqlite);

/// Small partitions: the caller's thread searches.
fn inline(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    let inline_rows = EmbeddedIndexOptions::INLINE_ROWS;
    Arc::new(EmbeddedIndex::new(
        source,
        Arc::new(Policy::default()),
        EmbeddedIndexOptions { budget_bytes, threads: 2, inline_rows },
    ))
}

index_contract!(exact: inline);

/// Large partitions: every search goes through the scan queue, and several workers share it.
fn queued(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::new(
        source,
        Arc::new(Policy::default()),
        EmbeddedIndexOptions { budget_bytes, threads: 3, inline_rows: 0 },
    ))
}

index_contract!(exact: queued);

/// With segment files of partitions of any size: a partition is loaded from its file, with the change log replayed.
fn from_segments(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    let segments = SegmentOptions {
        folder: tempfile::tempdir().unwrap().keep(),
        budget_bytes: 64 << 20,
        rows: "fixtures".to_owned(),
        dimension: DIMENSION,
        min_rows: 1,
    };
    let options =
        EmbeddedIndexOptions { budget_bytes, threads: 2, inline_rows: EmbeddedIndexOptions::INLINE_ROWS };
    Arc::new(EmbeddedIndex::with_segments(source, Arc::new(Policy::default()), options, &segments).unwrap())
}

index_contract!(exact: from_segments);

/// An approximate index: the embedded one without some of its candidates.
#[derive(Debug)]
struct Lossy;

/// Candidates up to here are kept, so that what is asked for by its only word is found.
const KEPT: usize = 2;

fn lossy(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    Arc::new(HookedIndex { inner: inline(source, budget_bytes), hooks: Lossy })
}

index_contract!(invariants: lossy);

impl Hooks for Lossy {
    fn answer(&self, mut found: Answer) -> Answer {
        let has_adjacent = found.candidates.iter().any(|candidate| !candidate.retrieved);
        // Without adjacent turns, so that none is left that stands beside a candidate left out.
        if !has_adjacent && found.candidates.len() > KEPT + 1 {
            found.candidates.truncate(KEPT);
            let kept: Vec<MemoryId> = found.candidates.iter().map(|candidate| candidate.memory).collect();
            found.revised.retain(|revised| kept.contains(revised));
        }
        found.exactness = Exactness::Approximate;
        found
    }
}
