//! Commits that the index cannot apply, seen through the engine: they are acknowledged and found all the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::id::CountingIds;
use memory_core::engine::{Engine, Parts};
use memory_core::index::IndexError;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::hooked_index::{HookedIndex, Hooks};
use memory_core::testing::{CALLER, START, fact, memories, question, user};
use memory_core::think::settings::ThinkingSettings;

/// Updates fail or panic as they are told; cleared partitions are counted.
#[derive(Debug, Default)]
struct Updates {
    refused: AtomicBool,
    /// The next one alone.
    panics: AtomicBool,
    cleared: AtomicUsize,
}

#[async_trait]
impl Hooks for Updates {
    async fn before_apply(&self) -> Result<(), IndexError> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a defect");
        if self.refused.load(Ordering::SeqCst) { Err(IndexError::Full) } else { Ok(()) }
    }

    fn before_clear_partition(&self) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
    }
}

/// Engine over a store in `directory`, and its index.
async fn engine(directory: &std::path::Path) -> (Arc<Engine>, Arc<HookedIndex<EmbeddedIndex, Updates>>) {
    let store = Arc::new(SqlStore::open(directory, StoreOptions::default()).await.unwrap());
    let inline_rows = EmbeddedIndexOptions::INLINE_ROWS;
    let options = EmbeddedIndexOptions { budget_bytes: 64 << 20, threads: 1, inline_rows };
    let inner = Arc::new(EmbeddedIndex::new(store.clone(), Arc::new(Policy::default()), options));
    let index = Arc::new(HookedIndex { inner, hooks: Updates::default() });
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
    index.hooks.refused.store(true, Ordering::SeqCst);
    let made = engine.remember_memories(&CALLER, memories(&ann, vec![fact("the beagle likes tea")])).await;
    assert_eq!(made.unwrap().memories.len(), 1, "the commit is acknowledged");
    assert_eq!(index.hooks.cleared.load(Ordering::SeqCst), 1);
    assert_eq!(index.inner.in_memory().1, held_before - 1, "only the partition of the commit is dropped");
    assert_eq!(engine.recall(&CALLER, question(&ann, "beagle")).await.unwrap().memories.len(), 2);
}

#[tokio::test]
async fn a_panic_in_the_commit_task_fails_its_group_alone_and_writes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, index) = engine(directory.path()).await;
    let ann = user("ann").unwrap();
    index.hooks.panics.store(true, Ordering::SeqCst);
    let lost = engine.remember_memories(&CALLER, memories(&ann, vec![fact("the beagle sleeps")])).await;
    assert!(matches!(lost, Err(memory_core::Error::Interrupted)), "{lost:?}");
    for text in ["the beagle is called Biscuit", "the beagle likes tea"] {
        engine.remember_memories(&CALLER, memories(&ann, vec![fact(text)])).await.unwrap();
    }
    assert_eq!(engine.commit_task(), (true, 1), "alive, started again once");
    // The first was committed before the panic: the index has it too.
    assert_eq!(engine.recall(&CALLER, question(&ann, "beagle")).await.unwrap().memories.len(), 3);
}
