//! Writes whose vectors are made later: large texts, and an embedder that fails for a while.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use memory_core::domain::id::MemoryId;
use memory_core::domain::job::{Job, JobFilter, JobState};
use memory_core::domain::turn::Role;
use memory_core::error::Error;
use memory_core::limits::Limits;
use memory_core::memories::request::Edit;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::model::{Embedder, EmbedderIdentity, ModelError};
use memory_core::recall::signals::SignalName;
use memory_core::store::{IndexSource, Memories};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};
use parking_lot::Mutex;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(20);
/// Word that the poisoned embedder refuses.
const POISON: &str = "arsenic";

/// Behaviour of the embedder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    Works,
    Down,
    BadKey,
    Hangs,
    RefusesPoison,
    /// Answers one call, and hangs from then on.
    OneCall,
}

/// The hashing embedder, behind a service that fails as told.
#[derive(Debug, Default)]
struct Flaky {
    inner: HashingEmbedder,
    mode: Mutex<Mode>,
    calls: AtomicUsize,
}

impl Flaky {
    fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self { mode: Mutex::new(mode), ..Self::default() })
    }

    fn becomes(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }
}

#[async_trait]
impl Embedder for Flaky {
    fn identity(&self) -> &EmbedderIdentity {
        self.inner.identity()
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mode = *self.mode.lock();
        match mode {
            Mode::Works => {}
            Mode::Down => return Err(ModelError::Unreachable { reason: "down".into() }),
            Mode::BadKey => return Err(ModelError::Remote { status: 401, message: "key".into() }),
            Mode::Hangs => std::future::pending().await,
            Mode::RefusesPoison => {
                if texts.iter().any(|text| text.contains(POISON)) {
                    return Err(ModelError::Remote { status: 400, message: "refused".into() });
                }
            }
            Mode::OneCall => self.becomes(Mode::Hangs),
        }
        self.inner.embed_passages(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.inner.embed_query(text).await
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        self.inner.split(text)
    }
}

fn limits() -> Limits {
    Limits { chunks_embedded_at_once: 4, embedding_wait_ms: 100, ..Limits::default() }
}

async fn open(directory: &Path, embedder: &Arc<Flaky>) -> TestEngine {
    let opened = async {
        loop {
            match TestEngine::embedding_with(directory, embedder.clone(), limits()).await {
                Ok(opened) => break opened,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap()
}

/// A text of that many chunks: the hashing embedder reads 512 words.
fn long_text(chunks: usize) -> String {
    (0..chunks * 500).map(|number| format!("word{number} ")).collect()
}

/// Waits until no row lacks a vector, while the clock goes on.
async fn all_have_vectors(at: &TestEngine) {
    let done = async {
        while at.engine.count_rows_to_embed().await.unwrap() > 0 {
            at.clock.advance_micros(1_000_000);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
}

/// The jobs that make vectors, newest first, once the newest is in a state.
async fn embed_jobs(at: &TestEngine, state: JobState) -> Vec<Job> {
    let kind = JobFilter { kind: Some("embed".to_owned()), ..JobFilter::default() };
    let found = async {
        loop {
            let jobs = at.engine.jobs(&CALLER, &kind, None, 10).await.unwrap();
            if jobs
                .first()
                .is_some_and(|job| job.state == state && (state != JobState::Waiting || job.failures > 0))
            {
                return jobs;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// True if the memory is found by its vector.
async fn is_found_by_meaning(at: &TestEngine, query: &str, id: MemoryId) -> bool {
    let answer = at.engine.recall(&CALLER, question(&user("ann").unwrap(), query)).await.unwrap();
    let hit = answer.memories.iter().find(|hit| hit.memory.id == id);
    hit.is_some_and(|hit| {
        let mut signals = hit.explain.signals.iter();
        signals.any(|signal| signal.name == SignalName::Dense && signal.contribution > 0.0)
    })
}

/// The index takes vectors right after their commit: the memory is found by its vector at last.
async fn becomes_found_by_meaning(at: &TestEngine, query: &str, id: MemoryId) -> bool {
    for _ in 0..1_000 {
        if is_found_by_meaning(at, query, id).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

async fn is_found(at: &TestEngine, query: &str, id: MemoryId) -> bool {
    let answer = at.engine.recall(&CALLER, question(&user("ann").unwrap(), query)).await.unwrap();
    answer.memories.iter().any(|hit| hit.memory.id == id)
}

async fn say(at: &TestEngine, text: &str) -> Result<(MemoryId, usize), Error> {
    let said = vec![turn(Role::User, text, START)];
    let answer = at.engine.remember_turns(&CALLER, turns(&user("ann").unwrap(), "s", said).unwrap()).await?;
    Ok((answer.memories[0], answer.without_vectors))
}

#[tokio::test]
async fn a_large_text_is_found_by_its_words_at_once_and_by_its_vectors_later() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::Hangs);
    let at = open(directory.path(), &embedder).await;
    let (id, lacking) = say(&at, &long_text(40)).await.unwrap();
    assert_eq!(lacking, 1);
    assert!(at.engine.count_rows_to_embed().await.unwrap() >= 40);
    assert!(is_found(&at, "word19999", id).await, "by a word of its last chunk");
    assert!(!is_found_by_meaning(&at, "word19999", id).await);
    let scope = user("ann").unwrap();
    let until = Instant::now() + Duration::from_millis(5);
    let lacking = at.engine.wait_for_vectors(&CALLER, &scope, &[id], until).await.unwrap();
    assert_eq!(lacking, 1, "the wait is bounded");
    at.engine.stop().await;
    at.store.close().await;
    drop(at);

    embedder.becomes(Mode::Works);
    let at = open(directory.path(), &embedder).await;
    let until = Instant::now() + PATIENCE;
    let lacking = at.engine.wait_for_vectors(&CALLER, &scope, &[id], until).await.unwrap();
    assert_eq!(lacking, 0, "the job goes on after a start");
    assert!(becomes_found_by_meaning(&at, "word19999", id).await);
    let job = embed_jobs(&at, JobState::Done).await.remove(0);
    assert_eq!((job.done, job.error), (job.total, None));
    assert!(
        at.engine.check(&CALLER, false).await.unwrap().is_healthy(),
        "the index holds what the store does"
    );
}

#[tokio::test]
async fn vectors_made_before_a_stop_stay_made() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::OneCall);
    let at = open(directory.path(), &embedder).await;
    say(&at, &long_text(80)).await.unwrap();
    let before = at.engine.count_rows_to_embed().await.unwrap();
    let step = async {
        while at.engine.count_rows_to_embed().await.unwrap() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, step).await.unwrap();
    let left = at.engine.count_rows_to_embed().await.unwrap();
    at.engine.stop().await; // the second call of the embedder is cut off
    at.store.close().await;
    drop(at);
    embedder.becomes(Mode::Works);
    embedder.calls.store(0, Ordering::SeqCst);
    let at = open(directory.path(), &embedder).await;
    all_have_vectors(&at).await;
    let calls = embedder.calls.load(Ordering::SeqCst) as u64;
    assert!(left < before && calls <= left.div_ceil(32) + 1, "{calls} calls for {left} of {before} rows");
}

#[tokio::test]
async fn writes_are_taken_while_the_embedder_is_down_and_get_their_vectors_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [Mode::Down, Mode::BadKey, Mode::Hangs] {
        let embedder = Flaky::new(mode);
        let at = open(&directory.path().join(format!("{mode:?}")), &embedder).await;
        let (turn, lacking) = say(&at, "the heron stands in the reeds").await.unwrap();
        assert_eq!(lacking, 1, "{mode:?}");
        let calls = embedder.calls.load(Ordering::SeqCst);
        let scope = user("ann").unwrap();
        let added =
            at.engine.remember_memories(&CALLER, memories(&scope, vec![fact("a kettle of copper")])).await;
        let added = added.unwrap();
        assert_eq!(added.without_vectors, 1);
        assert!(
            embedder.calls.load(Ordering::SeqCst) <= calls + 1,
            "a write does not try a failing embedder again"
        );
        assert!(is_found(&at, "heron", turn).await);
        let fault = at.engine.embedder_fault().unwrap();
        let code = match mode {
            Mode::BadKey => "not_authorised",
            Mode::Hangs => "timed_out",
            _ => "unreachable",
        };
        assert_eq!(fault.code, code);
        if mode != Mode::Hangs {
            assert_eq!(embed_jobs(&at, JobState::Waiting).await[0].error.as_deref(), Some(code));
        }
        embedder.becomes(Mode::Works);
        if mode == Mode::Hangs {
            // The attempt that hangs ends with its worker.
            let job = embed_jobs(&at, JobState::Running).await.remove(0);
            at.engine.cancel_job(&CALLER, job.id).await.unwrap();
            say(&at, "another word").await.unwrap();
            at.engine.remember_memories(&CALLER, memories(&scope, vec![fact("one more")])).await.unwrap();
        }
        all_have_vectors(&at).await;
        assert!(becomes_found_by_meaning(&at, "heron in the reeds", turn).await, "{mode:?}");
        assert_eq!(at.engine.embedder_fault(), None);
        assert_eq!(say(&at, "it flew away").await.unwrap().1, 0, "embedded at once again");
    }
}

#[tokio::test]
async fn no_number_of_failures_ends_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::Down);
    let at = open(directory.path(), &embedder).await;
    let (id, _) = say(&at, "patience").await.unwrap();
    let failed = async {
        while embed_jobs(&at, JobState::Waiting).await[0].failures < 12 {
            at.clock.advance_micros(30_000_000); // the longest pause
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Idle workers look for due jobs once a second.
    tokio::time::timeout(PATIENCE * 2, failed).await.unwrap();
    embedder.becomes(Mode::Works);
    all_have_vectors(&at).await;
    assert!(becomes_found_by_meaning(&at, "patience", id).await);
}

#[tokio::test]
async fn a_text_that_the_embedder_refuses_does_not_hold_up_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::RefusesPoison);
    let at = open(directory.path(), &embedder).await;
    let scope = user("ann").unwrap();
    let facts = (0..20).map(|number| match number % 5 {
        0 => fact(&format!("{POISON} in bottle{number}")),
        _ => fact(&format!("honey in jar{number}")),
    });
    let added = at.engine.remember_memories(&CALLER, memories(&scope, facts.collect())).await.unwrap();
    assert_eq!(added.without_vectors, 20);
    let job = embed_jobs(&at, JobState::Waiting).await.remove(0);
    assert_eq!((job.error.as_deref(), job.done), (Some("refused_by_service"), 16));
    assert_eq!(at.engine.count_rows_to_embed().await.unwrap(), 4);
    assert_eq!(at.engine.embedder_fault(), None, "the embedder works for the others");
}

#[tokio::test]
async fn edits_and_erasures_go_on_while_vectors_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::Down);
    let at = open(directory.path(), &embedder).await;
    let (edited, _) = say(&at, "the old barn").await.unwrap();
    let (erased, _) = say(&at, "the older mill").await.unwrap();
    let edit = Edit { text: Some("the new lighthouse".to_owned()), ..Edit::default() };
    assert_eq!(at.engine.edit(&CALLER, edited, edit, None).await.unwrap().memory.version, 2);
    at.engine.erase(&CALLER, erased, None).await.unwrap();
    assert!(is_found(&at, "lighthouse", edited).await && !is_found(&at, "barn", edited).await);
    assert_eq!(at.engine.count_rows_to_embed().await.unwrap(), 1);
    embedder.becomes(Mode::Works);
    all_have_vectors(&at).await;
    assert!(becomes_found_by_meaning(&at, "the new lighthouse", edited).await);
    assert!(!is_found(&at, "mill", erased).await);
    let partition = at.store.owners(CALLER.tenant, None, 1).await.unwrap()[0].partition;
    let rows = at.store.indexed(partition, &[edited, erased]).await.unwrap();
    assert_eq!((rows.len(), rows[0].rows.len()), (1, 1));
    assert!(at.engine.check(&CALLER, false).await.unwrap().is_healthy());
}

#[tokio::test]
async fn a_change_of_embedder_makes_the_missing_vectors_too() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::Down);
    let at = open(directory.path(), &embedder).await;
    let (id, _) = say(&at, "a bell rings").await.unwrap();
    at.engine.start_reindex(&CALLER, "hashing-96").await.unwrap();
    let changed = async {
        while at.engine.dimension() != 96 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
    assert_eq!(at.engine.count_rows_to_embed().await.unwrap(), 0);
    assert!(becomes_found_by_meaning(&at, "a bell rings", id).await);
    all_jobs_end(&at).await;
}

/// Waits until the job that makes vectors has found that there is nothing left.
async fn all_jobs_end(at: &TestEngine) {
    let ended = async {
        loop {
            at.clock.advance_micros(1_000_000);
            let jobs = at.engine.jobs(&CALLER, &JobFilter::default(), None, 10).await.unwrap();
            if jobs.iter().all(|job| job.state == JobState::Done) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
}

#[tokio::test]
async fn texts_within_the_bounds_have_their_vectors_when_the_answer_comes() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Flaky::new(Mode::Works);
    let at = open(directory.path(), &embedder).await;
    let scope = user("ann").unwrap();
    let four = (0..4).map(|number| fact(&format!("number {number}"))).collect();
    let added = at.engine.remember_memories(&CALLER, memories(&scope, four)).await.unwrap();
    assert_eq!((added.without_vectors, at.engine.count_rows_to_embed().await.unwrap()), (0, 0));
    assert_eq!(
        at.engine.jobs(&CALLER, &JobFilter::default(), None, 9).await.unwrap(),
        [],
        "no job is asked for"
    );
}
