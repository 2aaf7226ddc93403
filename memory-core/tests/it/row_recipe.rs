//! Stores whose rows were made with another tokenizer or key recipe: they are served, and the rows are made anew online.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use memory_core::domain::change::IndexRow;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::embedder::{EmbedderId, RowRecipe};
use memory_core::domain::id::{CountingIds, JobId, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::{Job, JobFilter, JobState};
use memory_core::domain::turn::Role;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::model::{Embedder, EmbedderIdentity, ModelError};
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Embedders, IndexSource, Indexed, Jobs, Memories, StoreError};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};
use memory_core::text::Tokenizer;
use memory_core::think::settings::ThinkingSettings;
use memory_core::{Engine, Error, Parts};

/// More than a step of the job embeds.
const FACTS: usize = 70;
/// Timeout of a job.
const PATIENCE: Duration = Duration::from_secs(20);

/// The hashing embedder, counting the texts that it embeds.
#[derive(Debug, Default)]
struct CountingEmbedder {
    inner: HashingEmbedder,
    passages: AtomicUsize,
}

#[async_trait]
impl Embedder for CountingEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        self.inner.identity()
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.passages.fetch_add(texts.len(), Ordering::Relaxed);
        self.inner.embed_passages(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.inner.embed_query(text).await
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        self.inner.split(text)
    }
}

async fn remember(engine: &Engine) {
    let scope = user("ann").unwrap();
    let mut said = turn(Role::User, "I moved to Lisbon", START);
    said.author = Some(memory_core::domain::name::Name::new("Ann").unwrap());
    engine.remember_turns(&CALLER, turns(&scope, "s", vec![said]).unwrap()).await.unwrap();
    let facts =
        (0..FACTS).map(|number| fact(&format!("note{number} lies in drawer{}", number % 7))).collect();
    engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap();
}

/// Memories and scores that some questions are answered with.
async fn answers(engine: &Engine) -> Vec<Vec<(MemoryId, u32)>> {
    let scope = user("ann").unwrap();
    let mut all = Vec::new();
    for query in ["note3", "drawer5", "where does Ann live?", "note69 in drawer6"] {
        let answer = engine.recall(&CALLER, question(&scope, query)).await.unwrap();
        all.push(answer.memories.iter().map(|one| (one.memory.id, one.score.to_bits())).collect());
    }
    all
}

/// Opens what a test closed just before: its last task may still hold the directory.
pub(crate) async fn once_free<T, E>(open: impl AsyncFn() -> Result<T, E>) -> T {
    let opened = async {
        loop {
            match open().await {
                Ok(opened) => break opened,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap()
}

async fn opened_store(directory: &Path) -> SqlStore {
    once_free(async || SqlStore::open(directory, StoreOptions::default()).await).await
}

async fn close(test_engine: TestEngine) {
    test_engine.engine.stop().await;
    test_engine.store.close().await;
}

/// A store filled by this code, and what it answers.
async fn filled(directory: &Path) -> Vec<Vec<(MemoryId, u32)>> {
    let test_engine = TestEngine::open(directory).await.unwrap();
    remember(&test_engine.engine).await;
    let answers = answers(&test_engine.engine).await;
    assert_eq!(answers[0].len(), 10);
    close(test_engine).await;
    answers
}

/// Memory in a version, with its rows.
type RowsOfMemory = (PartitionId, MemoryId, u32, Vec<IndexRow>);

/// Rows in use of the first memories.
async fn some_rows(store: &SqlStore, count: usize) -> Vec<RowsOfMemory> {
    let partition = store.owners(TenantId::DEFAULT, None, 1).await.unwrap()[0].partition;
    let mut rows = Vec::new();
    let mut add = |one: Indexed| rows.push((partition, one.memory.id, one.memory.version, one.rows));
    store.load(partition, &mut add).await.unwrap();
    rows.truncate(count);
    rows
}

/// Rows as another recipe made them: without words, and if `vectors_differ` with other vectors, too.
async fn other_rows(store: &SqlStore, to: EmbedderId, vectors_differ: bool) -> Vec<RowsOfMemory> {
    let mut made = Vec::new();
    for one in store.unembedded(to, None, 1_000).await.unwrap() {
        let indexed = store.indexed(one.partition, &[one.memory.id]).await.unwrap().remove(0);
        let mut terms = Vec::new();
        Tokenizer.document("").encode(&mut terms);
        let rows = indexed.rows.into_iter().map(|row| IndexRow {
            terms: terms.clone().into(),
            vector: row
                .vector
                .map(|vector| if vectors_differ { vector.iter().rev().copied().collect() } else { vector }),
            ..row
        });
        made.push((one.partition, one.memory.id, one.memory.version, rows.collect()));
    }
    made
}

/// Makes the store look as if code of another recipe had made its rows; answers this code's recipe.
async fn age(directory: &Path, tokenizer: &str, key_recipe: u32) -> RowRecipe {
    let store = opened_store(directory).await;
    let (_, present) = store.embedder_in_use().await.unwrap().unwrap();
    let old = RowRecipe { tokenizer: tokenizer.to_owned(), key_recipe, ..present.clone() };
    let number = store.register_embedder(&old, 64, START).await.unwrap();
    let made = other_rows(&store, number, key_recipe != present.key_recipe).await;
    assert_eq!(made.len(), FACTS + 1);
    store.put_rows(number, &made).await.unwrap();
    store.use_embedder(number).await.unwrap();
    assert_eq!(store.drop_other_rows(None, 1_000).await.unwrap().rows, FACTS as u64 + 1);
    store.close().await;
    present
}

/// The only job there ever was, when it is done.
async fn only_job_done(engine: &Engine) -> Job {
    let done = async {
        loop {
            let jobs = engine.jobs(&CALLER, &JobFilter::default(), None, 10).await.unwrap();
            assert_eq!(jobs.len(), 1, "{jobs:?}");
            if jobs[0].state == JobState::Done {
                break jobs[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap()
}

/// The recipe in use is the present one, and no other rows are there.
async fn has_only_rows_of(store: &SqlStore, recipe: &RowRecipe) {
    let (number, in_use) = store.embedder_in_use().await.unwrap().unwrap();
    assert_eq!(in_use, *recipe);
    assert_eq!(store.unembedded(number, None, 1).await.unwrap(), []);
    assert_eq!(store.drop_other_rows(None, 1).await.unwrap().rows, 0);
}

/// An engine that works at no jobs.
async fn engine_without_jobs(directory: &Path) -> Result<(Arc<Engine>, Arc<SqlStore>), Error> {
    let store = Arc::new(once_free(async || SqlStore::open(directory, StoreOptions::default()).await).await);
    let options = EmbeddedIndexOptions {
        budget_bytes: 64 << 20,
        threads: 1,
        inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
    };
    let parts = Parts {
        store: store.clone(),
        index: Arc::new(EmbeddedIndex::new(store.clone(), Arc::new(Policy::default()), options)),
        embedder: Arc::new(HashingEmbedder::new(64)),
        reranker: None,
        forgetting: Policy::default(),
        clock: Arc::new(FrozenClock::at(START.plus_micros(60_000_000))),
        ids: Arc::new(CountingIds::default()),
        limits: Limits::default(),
        recall: RecallSettings::default(),
        thinking: ThinkingSettings::default(),
    };
    Ok((Engine::start(parts).await?, store))
}

#[tokio::test]
async fn a_new_store_has_the_present_recipe_and_no_job() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
        let (_, recipe) = test_engine.store.embedder_in_use().await.unwrap().unwrap();
        assert_eq!(recipe.tokenizer, Tokenizer::IDENTITY);
        assert!(recipe.key_recipe > 0);
        assert_eq!(test_engine.engine.jobs(&CALLER, &JobFilter::default(), None, 10).await.unwrap(), []);
        close(test_engine).await;
    }
}

#[tokio::test]
async fn rows_of_another_tokenizer_are_made_anew_without_embedding_again() {
    let directory = tempfile::tempdir().unwrap();
    let before = filled(directory.path()).await;
    let present = age(directory.path(), "engrain-words-0", 1).await;
    let embedder = Arc::new(CountingEmbedder::default());
    let open = async || TestEngine::open_with(directory.path(), embedder.clone(), 64 << 20).await;
    let test_engine = once_free(open).await;
    let job = only_job_done(&test_engine.engine).await;
    assert_eq!((job.kind.as_str(), job.done, job.total), ("reindex", FACTS as u64 + 1, FACTS as u64 + 1));
    has_only_rows_of(&test_engine.store, &present).await;
    assert_eq!(embedder.passages.load(Ordering::Relaxed), 0, "vectors do not depend on the tokenizer");
    assert_eq!(answers(&test_engine.engine).await, before);
    close(test_engine).await;

    let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
    only_job_done(&test_engine.engine).await;
}

#[tokio::test]
async fn rows_of_an_unknown_recipe_are_embedded_anew() {
    let directory = tempfile::tempdir().unwrap();
    let before = filled(directory.path()).await;
    let present = age(directory.path(), "", 0).await;
    let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
    only_job_done(&test_engine.engine).await;
    has_only_rows_of(&test_engine.store, &present).await;
    assert_eq!(answers(&test_engine.engine).await, before);
}

#[tokio::test]
async fn a_store_is_served_with_rows_of_another_recipe_until_a_job_is_done() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let present = age(directory.path(), "engrain-words-0", 1).await;
    let (engine, store) = engine_without_jobs(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let number = engine.embedder_id();
    let answer = engine.recall(&CALLER, question(&scope, "note3 lies in drawer3")).await.unwrap();
    assert_eq!(answer.memories[0].memory.text, "note3 lies in drawer3", "by its vector");
    let added = memories(&scope, vec![fact("a zeppelin over the harbour")]);
    engine.remember_memories(&CALLER, added).await.unwrap();
    let answer = engine.recall(&CALLER, question(&scope, "zeppelin")).await.unwrap();
    assert_eq!(answer.memories[0].memory.text, "a zeppelin over the harbour", "written while old rows serve");
    assert_eq!(store.embedder_in_use().await.unwrap().unwrap().0, number);
    assert!(engine.check(&CALLER, false).await.unwrap().is_healthy());
    engine.stop().await;
    store.close().await;
    drop((engine, store));

    let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
    only_job_done(&test_engine.engine).await;
    has_only_rows_of(&test_engine.store, &present).await;
    for query in ["zeppelin", "note3 lies in drawer3"] {
        let answer = test_engine.engine.recall(&CALLER, question(&scope, query)).await.unwrap();
        assert!(answer.memories[0].memory.text.contains(query), "{query}");
    }
    assert!(test_engine.engine.check(&CALLER, false).await.unwrap().is_healthy());
}

#[tokio::test]
async fn a_renewal_that_was_killed_goes_on_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let before = filled(directory.path()).await;
    let store = opened_store(directory.path()).await;
    let half = some_rows(&store, FACTS / 2).await;
    store.close().await;
    drop(store);
    let present = age(directory.path(), "engrain-words-0", 0).await;
    let dies = opened_store(directory.path()).await;
    let payload = r#"{"embedder":"hashing","keeps_embedder":true}"#.to_owned();
    let id = JobId(uuid::Uuid::from_u128(5));
    let job = Job::new(id, TenantId::DEFAULT, "reindex", payload, START);
    dies.enqueue(Job { unique_key: Some("reindex".to_owned()), ..job }).await.unwrap();
    assert!(dies.claim(&["reindex"], START, 600_000_000).await.unwrap().is_some());
    let number = dies.register_embedder(&present, 64, START).await.unwrap();
    dies.put_rows(number, &half).await.unwrap();
    dies.close().await;
    drop(dies);

    let embedder = Arc::new(CountingEmbedder::default());
    let open = async || TestEngine::open_with(directory.path(), embedder.clone(), 64 << 20).await;
    let test_engine = once_free(open).await;
    let job = only_job_done(&test_engine.engine).await;
    assert_eq!((job.id, job.attempts), (id, 2));
    has_only_rows_of(&test_engine.store, &present).await;
    let embedded = embedder.passages.load(Ordering::Relaxed);
    assert_eq!(embedded, FACTS + 1 - half.len(), "rows that are made stay made");
    assert_eq!(answers(&test_engine.engine).await, before);
}

#[tokio::test]
async fn a_renewal_leaves_another_change_of_embedder_its_place() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let present = age(directory.path(), "", 0).await;
    let store = opened_store(directory.path()).await;
    let job = Job::new(
        JobId(uuid::Uuid::from_u128(5)),
        TenantId::DEFAULT,
        "reindex",
        r#"{"embedder":"hashing-96"}"#.to_owned(),
        START,
    );
    store.enqueue(Job { unique_key: Some("reindex".to_owned()), ..job }).await.unwrap();
    store.close().await;
    drop(store);
    let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
    only_job_done(&test_engine.engine).await;
    let (_, in_use) = test_engine.store.embedder_in_use().await.unwrap().unwrap();
    assert_eq!((&in_use.tokenizer, in_use.key_recipe), (&present.tokenizer, present.key_recipe));
    assert_ne!(in_use.embedder, present.embedder);
    has_only_rows_of(&test_engine.store, &in_use).await;
}

/// A store of another embedder is refused whatever its tokenizer, and nothing of it is changed.
#[tokio::test]
async fn another_embedder_is_refused_before_any_job_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    age(directory.path(), "", 0).await;
    let embedder = Arc::new(HashingEmbedder::named("hashing-96", 96));
    let refused = loop {
        match TestEngine::open_with(directory.path(), embedder.clone(), 64 << 20).await {
            Err(Error::Store(StoreError::InUse { .. })) => tokio::task::yield_now().await,
            other => break other.map(|_| ()),
        }
    };
    assert!(matches!(refused, Err(Error::EmbedderMismatch { .. })), "{refused:?}");
    let store = opened_store(directory.path()).await;
    assert_eq!(store.jobs(TenantId::DEFAULT, &JobFilter::default(), None, 10).await.unwrap(), []);
}
