//! Commits that the index cannot apply, seen through the engine: they are acknowledged and found all the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::id::{CountingIds, MemoryId, PartitionId};
use memory_core::engine::{Engine, Parts};
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::index::{
    Answer, Association, Index, IndexError, IndexQuery, Inspection, Nearest, TurnPosition, Update, View,
};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::{CALLER, START, fact, memories, question, user};
use memory_core::think::settings::ThinkingSettings;

/// The embedded index, which refuses updates while `refuses` is set.
#[derive(Debug)]
struct RefusingIndex {
    inner: EmbeddedIndex,
    refuses: AtomicBool,
    panics: AtomicBool,
    cleared: AtomicUsize,
}

#[async_trait]
impl Index for RefusingIndex {
    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError> {
        self.inner.search(partition, query).await
    }

    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        self.inner.inspect(partition, memory, query).await
    }

    async fn nearest(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError> {
        self.inner.nearest(partition, vectors, view, k).await
    }

    async fn associations(
        &self,
        partition: PartitionId,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError> {
        self.inner.associations(partition, seeds, among).await
    }

    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError> {
        self.inner.turns_at(partition, positions, view).await
    }

    async fn contradictions(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
        view: &View,
    ) -> Result<Vec<(MemoryId, MemoryId)>, IndexError> {
        self.inner.contradictions(partition, memories, view).await
    }

    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a defect");
        if self.refuses.load(Ordering::SeqCst) {
            return Err(IndexError::Full);
        }
        self.inner.apply(partition, update).await
    }

    async fn clear_partition(&self, partition: PartitionId) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
        self.inner.clear_partition(partition).await;
    }

    async fn clear_cache(&self) {
        self.inner.clear_cache().await;
    }

    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError> {
        self.inner.differences(partition).await
    }
}

/// Engine over a store in `directory`, and its index.
async fn engine(directory: &std::path::Path) -> (Arc<Engine>, Arc<RefusingIndex>) {
    let store = Arc::new(SqlStore::open(directory, StoreOptions::default()).await.unwrap());
    let inline_rows = EmbeddedIndexOptions::INLINE_ROWS;
    let options = EmbeddedIndexOptions { budget_bytes: 64 << 20, threads: 1, inline_rows };
    let index = Arc::new(RefusingIndex {
        inner: EmbeddedIndex::new(store.clone(), Arc::new(Policy::default()), options),
        refuses: AtomicBool::new(false),
        panics: AtomicBool::new(false),
        cleared: AtomicUsize::new(0),
    });
    let engine = Engine::start(Parts {
        store,
        index: index.clone(),
        embedder: Arc::new(HashingEmbedder::new(64)),
        reranker: None,
        forgetting: Policy::default(),
        clock: Arc::new(FrozenClock::at(START)),
        ids: Arc::new(CountingIds::default()),
        limits: Limits::default(),
        recall: RecallSettings::default(),
        thinking: ThinkingSettings::default(),
    })
    .await
    .unwrap();
    (engine, index)
}

#[tokio::test]
async fn a_commit_that_the_index_cannot_apply_is_acknowledged_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, index) = engine(directory.path()).await;
    let (ann, bob) = (user("ann").unwrap(), user("bob").unwrap());
    for scope in [&ann, &bob] {
        let first = memories(scope, vec![fact("the beagle is called Biscuit")]);
        engine.remember_memories(&CALLER, first).await.unwrap();
        assert_eq!(engine.recall(&CALLER, question(scope, "beagle")).await.unwrap().memories.len(), 1);
    }
    let (_, held_before) = index.inner.in_memory();
    index.refuses.store(true, Ordering::SeqCst);
    let made = engine.remember_memories(&CALLER, memories(&ann, vec![fact("the beagle likes tea")])).await;
    assert_eq!(made.unwrap().memories.len(), 1, "the commit is acknowledged");
    assert_eq!(index.cleared.load(Ordering::SeqCst), 1);
    assert_eq!(index.inner.in_memory().1, held_before - 1, "only the partition of the commit is dropped");
    assert_eq!(engine.recall(&CALLER, question(&ann, "beagle")).await.unwrap().memories.len(), 2);
}

#[tokio::test]
async fn a_panic_in_the_commit_task_fails_its_group_alone_and_writes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, index) = engine(directory.path()).await;
    let ann = user("ann").unwrap();
    index.panics.store(true, Ordering::SeqCst);
    let lost = engine.remember_memories(&CALLER, memories(&ann, vec![fact("the beagle sleeps")])).await;
    assert!(matches!(lost, Err(memory_core::Error::Interrupted)), "{lost:?}");
    for text in ["the beagle is called Biscuit", "the beagle likes tea"] {
        engine.remember_memories(&CALLER, memories(&ann, vec![fact(text)])).await.unwrap();
    }
    assert_eq!(engine.commit_task(), (true, 1), "alive, started again once");
    // The first was committed before the panic: the index has it too.
    assert_eq!(engine.recall(&CALLER, question(&ann, "beagle")).await.unwrap().memories.len(), 3);
}
