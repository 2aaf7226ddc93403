//! Loads of partitions: shared by all that wait, never begun anew by a caller that gives up, and no reason for a recall to
//! miss its deadline.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::id::{CountingIds, MemoryId, PartitionId};
use memory_core::engine::{Engine, Parts};
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::index::{Index, IndexError};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::request::Recall;
use memory_core::recall::response::Degraded;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{ChangeEntry, Extent, IndexSource, Indexed, Retained, StoreError};
use memory_core::testing::{CALLER, START, fact, memories, question, user};
use memory_core::think::settings::ThinkingSettings;
use parking_lot::Mutex;

/// Longest time that an answer may take that is due in a few milliseconds: generous, since tests share the machine.
const SOON: Duration = Duration::from_millis(700);

/// Behaviour of one load.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Slow(Duration),
    Fail,
    Panic,
}

/// A source whose next loads go as planned; later ones are those of the store.
#[derive(Debug)]
struct PlannedSource {
    store: Arc<SqlStore>,
    plans: Mutex<Vec<Plan>>,
    loads: AtomicUsize,
}

#[async_trait]
impl IndexSource for PlannedSource {
    async fn dimension(&self) -> Result<usize, StoreError> {
        self.store.dimension().await
    }

    async fn load(
        &self,
        partition: PartitionId,
        each: &mut (dyn FnMut(Indexed) + Send),
    ) -> Result<u64, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let plan = self.plans.lock().pop();
        match plan {
            Some(Plan::Slow(time)) => tokio::time::sleep(time).await,
            Some(Plan::Fail) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err(StoreError::Unavailable("as planned".into()));
            }
            Some(Plan::Panic) => panic!("as planned"),
            None => {}
        }
        self.store.load(partition, each).await
    }

    async fn extent(&self, partition: PartitionId) -> Result<Extent, StoreError> {
        self.store.extent(partition).await
    }

    async fn changes(
        &self,
        partition: PartitionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.store.changes(partition, after, limit).await
    }

    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError> {
        self.store.indexed(partition, ids).await
    }

    async fn retained(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Retained>, StoreError> {
        self.store.retained(partition, ids).await
    }
}

struct Set {
    engine: Arc<Engine>,
    index: Arc<EmbeddedIndex>,
    source: Arc<PlannedSource>,
    _directory: tempfile::TempDir,
}

impl Set {
    /// An engine whose partition of ann has one memory and is not loaded.
    async fn new(plans: Vec<Plan>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap());
        let plans = Mutex::new(plans);
        let source = Arc::new(PlannedSource { store: store.clone(), plans, loads: AtomicUsize::new(0) });
        let options = EmbeddedIndexOptions {
            budget_bytes: 64 << 20,
            threads: 1,
            inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
        };
        let index = Arc::new(EmbeddedIndex::new(source.clone(), Arc::new(Policy::default()), options));
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
        let made = memories(&user("ann").unwrap(), vec![fact("the beagle is called Biscuit")]);
        engine.remember_memories(&CALLER, made).await.unwrap();
        Self { engine, index, source, _directory: directory }
    }

    fn loads(&self) -> usize {
        self.source.loads.load(Ordering::SeqCst)
    }

    fn question(&self, deadline_ms: Option<u32>) -> Recall {
        Recall { deadline_ms, ..question(&user("ann").unwrap(), "beagle") }
    }
}

const PARTITION: PartitionId = PartitionId(1);

#[tokio::test]
async fn a_recall_with_a_deadline_answers_while_the_index_loads_and_the_next_finds_it_loaded() {
    let set = Set::new(vec![Plan::Slow(Duration::from_secs(1))]).await;
    let began = Instant::now();
    let hurried = set.engine.recall(&CALLER, set.question(Some(5))).await.unwrap();
    assert!(began.elapsed() < SOON, "5 ms were asked for: {:?}", began.elapsed());
    assert!(hurried.degraded.contains(&Degraded::IndexLoading), "{:?}", hurried.degraded);
    assert_eq!((hurried.memories.len(), hurried.partitions, hurried.searched_memories), (0, 0, 0));
    let patient = set.engine.recall(&CALLER, set.question(None)).await.unwrap();
    assert_eq!((patient.memories.len(), patient.degraded.as_slice()), (1, [].as_slice()));
    let hurried = set.engine.recall(&CALLER, set.question(Some(2_000))).await.unwrap();
    assert_eq!((hurried.memories.len(), hurried.degraded.as_slice()), (1, [].as_slice()));
    assert_eq!(set.loads(), 1, "the load was begun anew");
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_load_running() {
    let set = Set::new(vec![Plan::Slow(Duration::from_millis(300))]).await;
    for _ in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_millis(20), set.index.ready(PARTITION)).await;
        assert!(given_up.is_err(), "the load was not slow");
    }
    set.index.ready(PARTITION).await.unwrap();
    assert_eq!((set.loads(), set.index.in_memory().1), (1, 1));
}

#[tokio::test]
async fn callers_share_one_load_and_its_error_and_the_next_starts_a_new_one() {
    let set = Set::new(vec![Plan::Fail]).await;
    let waiting = (0..8).map(|_| set.index.ready(PARTITION));
    for outcome in futures::future::join_all(waiting).await {
        let Err(IndexError::Store(error)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(*error, StoreError::Unavailable(_)));
    }
    assert_eq!(set.loads(), 1);
    set.index.ready(PARTITION).await.unwrap();
    assert_eq!(set.loads(), 2);
}

#[tokio::test]
async fn a_load_that_panics_is_an_error_and_the_next_recall_succeeds() {
    let set = Set::new(vec![Plan::Panic]).await;
    let outcome = tokio::time::timeout(Duration::from_secs(20), set.index.ready(PARTITION)).await.unwrap();
    assert!(matches!(outcome, Err(IndexError::Abandoned)), "{outcome:?}");
    assert_eq!(set.engine.recall(&CALLER, set.question(None)).await.unwrap().memories.len(), 1);
}

#[tokio::test]
async fn a_load_does_not_hold_the_async_threads() {
    // One async thread: a load that ran on it would keep the timer from firing.
    let set = Set::new(Vec::new()).await;
    let facts: Vec<_> = (0..400).map(|n| fact(&format!("fact {n} of the beagle"))).collect();
    for some in facts.chunks(100) {
        set.engine.remember_memories(&CALLER, memories(&user("ann").unwrap(), some.to_vec())).await.unwrap();
    }
    let loading = set.index.ready(PARTITION);
    let ticking = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (loaded, ()) = futures::future::join(loading, ticking).await;
    loaded.unwrap();
    assert_eq!(set.engine.recall(&CALLER, set.question(None)).await.unwrap().searched_memories, 401);
}

#[tokio::test]
async fn an_index_that_is_dropped_ends_its_loads() {
    let Set { engine, index, source, _directory } =
        Set::new(vec![Plan::Slow(Duration::from_secs(3_600))]).await;
    let _ = tokio::time::timeout(Duration::from_millis(50), index.ready(PARTITION)).await;
    let held_before = Arc::strong_count(&source);
    drop(engine);
    drop(index);
    // The commit queue drops its index when it ends.
    for _ in 0..500 {
        if Arc::strong_count(&source) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the load still holds its source: {held_before}, {}", Arc::strong_count(&source));
}
