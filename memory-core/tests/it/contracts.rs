//! Every rule of the contracts of ports: the store's over SQLite (PostgreSQL has a file of its own), the index's over the
//! embedded index, and those of approximate indexes over one that leaves candidates out.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use memory_core::domain::id::{MemoryId, PartitionId};
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions, SegmentOptions};
use memory_core::index::{
    Answer, Association, Exactness, Index, IndexError, IndexQuery, Inspection, Nearest, TurnPosition, Update,
    View,
};
use memory_core::retention::Policy;
use memory_core::store::Store;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::fixtures::DIMENSION;
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
struct LossyIndex(Arc<dyn Index>);

/// Candidates up to here are kept, so that what is asked for by its only word is found.
const KEPT: usize = 2;

fn lossy(source: Arc<MemorySource>, budget_bytes: usize) -> Arc<dyn Index> {
    Arc::new(LossyIndex(inline(source, budget_bytes)))
}

index_contract!(invariants: lossy);

#[async_trait]
impl Index for LossyIndex {
    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError> {
        let mut answer = self.0.search(partition, query).await?;
        let has_adjacent = answer.candidates.iter().any(|candidate| !candidate.retrieved);
        // Without adjacent turns, so that none is left that stands beside a candidate left out.
        if !has_adjacent && answer.candidates.len() > KEPT + 1 {
            answer.candidates.truncate(KEPT);
            let kept: Vec<MemoryId> = answer.candidates.iter().map(|candidate| candidate.memory).collect();
            answer.revised.retain(|revised| kept.contains(revised));
        }
        answer.exactness = Exactness::Approximate;
        Ok(answer)
    }

    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        self.0.inspect(partition, memory, query).await
    }

    async fn nearest(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError> {
        self.0.nearest(partition, vectors, view, k).await
    }

    async fn associations(
        &self,
        partition: PartitionId,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError> {
        self.0.associations(partition, seeds, among).await
    }

    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError> {
        self.0.turns_at(partition, positions, view).await
    }

    async fn contradictions(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
        view: &View,
    ) -> Result<Vec<(MemoryId, MemoryId)>, IndexError> {
        self.0.contradictions(partition, memories, view).await
    }

    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError> {
        self.0.apply(partition, update).await
    }

    async fn clear_partition(&self, partition: PartitionId) {
        self.0.clear_partition(partition).await;
    }

    async fn clear_cache(&self) {
        self.0.clear_cache().await;
    }

    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError> {
        self.0.differences(partition).await
    }
}
