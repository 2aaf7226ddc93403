//! The job runner over a real store, with a clock that stands still and handlers that follow a script.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use memory_core::domain::clock::{Clock, FrozenClock};
use memory_core::domain::id::{JobId, TenantId};
use memory_core::domain::job::{Job, JobState, MAX_JOB_RESULT};
use memory_core::domain::time::Timestamp;
use memory_core::error::Error;
use memory_core::jobs::arrivals::JobArrivals;
use memory_core::jobs::registry::JobRegistry;
use memory_core::jobs::runner::{JobRunner, KindStatus};
use memory_core::jobs::settings::JobSettings;
use memory_core::jobs::{JobContext, JobFailure, JobHandler, JobOutcome, Progress};
use memory_core::store::Jobs;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::START;
use parking_lot::Mutex;
use tokio::sync::Notify;

const SETTINGS: JobSettings = JobSettings {
    poll_every: Duration::from_millis(2),
    lease: Duration::from_secs(60),
    failures_at_most: 3,
    attempts_at_most: 5,
    first_pause: Duration::from_secs(10),
    longest_pause: Duration::from_secs(15),
};

/// One attempt of a script.
#[derive(Clone, Copy, Debug)]
enum Act {
    Succeed,
    /// Has a result of about so many bytes.
    SucceedWith {
        bytes: usize,
    },
    Retry,
    GiveUp,
    Panic,
    /// Notes that it has begun, and never ends.
    Hang,
    /// Notes progress after it was told to go on.
    NoteLater,
}

/// Acts as its script says, one line for each attempt; after the last line it succeeds.
#[derive(Debug)]
struct Scripted {
    kind: &'static str,
    workers: usize,
    script: Mutex<Vec<Act>>,
    attempts: Mutex<Vec<u32>>,
    go_on: Notify,
    lost: AtomicUsize,
}

impl Scripted {
    fn new(kind: &'static str, script: &[Act]) -> Arc<Self> {
        Self::with_workers(kind, script, 1)
    }

    fn with_workers(kind: &'static str, script: &[Act], workers: usize) -> Arc<Self> {
        let script = Mutex::new(script.iter().rev().copied().collect());
        let (attempts, lost) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { kind, workers, script, attempts, go_on: Notify::new(), lost })
    }

    /// Waits until the first act of the script is on: a job is said to run a moment before that.
    async fn has_begun(&self) {
        while self.attempts.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[async_trait]
impl JobHandler for Scripted {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn workers(&self) -> usize {
        self.workers
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let act = self.script.lock().pop().unwrap_or(Act::Succeed);
        self.attempts.lock().push(context.attempt().attempt);
        match act {
            Act::Succeed => {
                let done = context.progress().done + 1;
                context.note(Progress { done, total: 9, position: Some("here".to_owned()) }).await?;
                Ok(JobOutcome::Done)
            }
            Act::SucceedWith { bytes } => {
                Ok(JobOutcome::DoneWith(serde_json::json!({ "padding": "x".repeat(bytes) })))
            }
            Act::Retry => Err(Error::Busy.into()),
            Act::GiveUp => Err(JobFailure::Final { code: "no_use".to_owned() }),
            Act::Panic => panic!("as the script says"),
            Act::Hang => std::future::pending().await,
            Act::NoteLater => {
                self.go_on.notified().await;
                let noted = context.note(Progress { done: 99, ..Progress::default() }).await;
                self.lost.fetch_add(usize::from(noted == Err(JobFailure::LeaseLost)), Ordering::SeqCst);
                noted.map(|()| JobOutcome::Done)
            }
        }
    }
}

struct Bench {
    _directory: tempfile::TempDir,
    store: Arc<SqlStore>,
    clock: Arc<FrozenClock>,
    next: AtomicI64,
    arrivals: JobArrivals,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap());
        let clock = Arc::new(FrozenClock::at(START));
        let (next, arrivals) = (AtomicI64::new(1), JobArrivals::default());
        Self { _directory: directory, store, clock, next, arrivals }
    }

    async fn ask(&self, kind: &str) -> JobId {
        let id = JobId(uuid::Uuid::from_u128(self.next.fetch_add(1, Ordering::SeqCst).unsigned_abs().into()));
        let job = Job::new(id, TenantId::DEFAULT, kind, "{}".to_owned(), START);
        self.store.enqueue(job).await.unwrap().id
    }

    async fn runner(&self, handlers: &[&Arc<Scripted>], settings: JobSettings) -> JobRunner {
        let mut registry = JobRegistry::default();
        for handler in handlers {
            registry = registry.with(Arc::clone(*handler) as Arc<dyn JobHandler>);
        }
        let arrivals = &self.arrivals;
        JobRunner::start(self.store.clone(), self.clock.clone(), &registry, settings, arrivals).await.unwrap()
    }

    async fn job(&self, id: JobId) -> Job {
        self.store.job(TenantId::DEFAULT, id).await.unwrap().unwrap()
    }

    /// The job once it is as it should be.
    async fn once(&self, id: JobId, is_so: impl Fn(&Job) -> bool) -> Job {
        for _ in 0..5_000 {
            let job = self.job(id).await;
            if is_so(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the job stays as it is: {:?}", self.job(id).await)
    }

    async fn once_in(&self, id: JobId, state: JobState) -> Job {
        self.once(id, |job| job.state == state).await
    }

    /// Lets so much time pass that every pause is over.
    fn pass(&self, seconds: i64) {
        self.clock.advance_micros(seconds * 1_000_000);
    }
}

fn only(runner: &JobRunner) -> KindStatus {
    runner.status().kinds.remove(0)
}

#[tokio::test]
async fn the_result_of_a_job_is_stored_within_its_bound() {
    let bench = Bench::new().await;
    let script = [Act::SucceedWith { bytes: 3 }, Act::SucceedWith { bytes: MAX_JOB_RESULT }, Act::Succeed];
    let handler = Scripted::new("k", &script);
    let _runner = bench.runner(&[&handler], SETTINGS).await;
    for expected in [Some(r#"{"padding":"xxx"}"#), None, None] {
        let id = bench.ask("k").await;
        bench.pass(60);
        let job = bench.once_in(id, JobState::Done).await;
        assert_eq!((job.result.as_deref(), job.error), (expected, None));
    }
}

#[tokio::test]
async fn an_attempt_that_failed_is_repeated_after_its_pause() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::Retry, Act::Panic]);
    let id = bench.ask("k").await;
    let runner = bench.runner(&[&handler], SETTINGS).await;
    let first = bench.once(id, |job| job.failures == 1).await;
    assert_eq!((first.state, first.error.as_deref()), (JobState::Waiting, Some("busy")));
    bench.pass(9);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(bench.job(id).await.attempts, 1, "not before its pause of 10 s is over");
    bench.pass(1);
    let second = bench.once(id, |job| job.failures == 2).await;
    assert_eq!((second.state, second.error.as_deref()), (JobState::Waiting, Some("panicked")));
    bench.pass(15);
    let done = bench.once_in(id, JobState::Done).await;
    assert_eq!((done.attempts, done.failures, done.error), (3, 2, None));
    assert_eq!((done.done, done.total, done.position.as_deref()), (1, 9, Some("here")));
    assert_eq!(*handler.attempts.lock(), [1, 2, 3]);
    let status = only(&runner);
    assert_eq!((status.attempts, status.failures, status.restarts), (3, 2, 0), "a panic is contained");
    assert!(runner.status().is_alive);
}

#[tokio::test]
async fn a_job_that_fails_too_often_has_failed() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::Retry, Act::Retry, Act::Retry]);
    let id = bench.ask("k").await;
    let _runner = bench.runner(&[&handler], SETTINGS).await;
    for failures in 1..3 {
        bench.once(id, |job| job.failures == failures).await;
        bench.pass(15);
    }
    let failed = bench.once_in(id, JobState::Failed).await;
    assert_eq!((failed.failures, failed.error.as_deref()), (3, Some("busy")));
}

#[tokio::test]
async fn an_error_that_no_repetition_helps_ends_the_job_at_once() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::GiveUp]);
    let id = bench.ask("k").await;
    let _runner = bench.runner(&[&handler], SETTINGS).await;
    let failed = bench.once_in(id, JobState::Failed).await;
    assert_eq!((failed.attempts, failed.error.as_deref()), (1, Some("no_use")));
}

#[tokio::test]
async fn a_job_that_is_interrupted_again_and_again_has_failed() {
    let bench = Bench::new().await;
    let id = bench.ask("k").await;
    for _ in 0..SETTINGS.attempts_at_most {
        assert!(bench.store.claim(&["k"], START, 1).await.unwrap().is_some());
        bench.store.release_left(START).await.unwrap();
    }
    let handler = Scripted::new("k", &[]);
    let _runner = bench.runner(&[&handler], SETTINGS).await;
    let failed = bench.once_in(id, JobState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("interrupted_too_often"));
    assert!(handler.attempts.lock().is_empty());
}

#[tokio::test]
async fn a_kind_without_a_handler_is_left_alone() {
    let bench = Bench::new().await;
    let unknown = bench.ask("unknown").await;
    let known = bench.ask("k").await;
    let _runner = bench.runner(&[&Scripted::new("k", &[])], SETTINGS).await;
    bench.once_in(known, JobState::Done).await;
    let left = bench.job(unknown).await;
    assert_eq!((left.state, left.attempts), (JobState::Waiting, 0));
}

#[tokio::test]
async fn a_long_job_of_one_kind_holds_up_no_other_kind() {
    let bench = Bench::new().await;
    let (long, short) = (bench.ask("long").await, bench.ask("short").await);
    let handlers = [Scripted::new("long", &[Act::Hang]), Scripted::new("short", &[])];
    let runner = bench.runner(&[&handlers[0], &handlers[1]], SETTINGS).await;
    bench.once_in(long, JobState::Running).await;
    bench.once_in(short, JobState::Done).await;
    assert!(only(&runner).is_working);
}

#[tokio::test]
async fn a_cancelled_job_is_stopped_and_writes_nothing_more() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::Hang]);
    let (id, next) = (bench.ask("k").await, bench.ask("k").await);
    let runner = bench.runner(&[&handler], SETTINGS).await;
    handler.has_begun().await;
    bench.store.cancel(TenantId::DEFAULT, id, START).await.unwrap();
    runner.nudge();
    bench.once_in(next, JobState::Done).await;
    let cancelled = bench.job(id).await;
    assert_eq!((cancelled.state, cancelled.failures), (JobState::Cancelled, 0));
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_notes_nothing() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::NoteLater]);
    let id = bench.ask("k").await;
    let _runner = bench.runner(&[&handler], SETTINGS).await;
    handler.has_begun().await;
    bench.pass(61);
    let other = bench.store.claim(&["k"], bench.clock.now(), 60_000_000).await.unwrap().unwrap();
    assert_eq!((other.id, other.attempts), (id, 2));
    handler.go_on.notify_one();
    while handler.lost.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(bench.job(id).await, other);
    assert!(bench.store.finish(&Job { state: JobState::Done, ..other }, START, START).await.unwrap());
}

#[tokio::test]
async fn heartbeats_keep_the_lease_of_a_long_job() {
    let bench = Bench::new().await;
    let settings = JobSettings { lease: Duration::from_millis(30), ..SETTINGS };
    let id = bench.ask("k").await;
    let _runner = bench.runner(&[&Scripted::new("k", &[Act::Hang])], settings).await;
    bench.once_in(id, JobState::Running).await;
    for _ in 0..5 {
        bench.clock.advance_micros(25_000);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let lent = bench.store.claim(&["k"], bench.clock.now(), 1).await.unwrap();
        assert_eq!(lent, None, "125 ms are four leases");
    }
    assert_eq!(bench.job(id).await.attempts, 1);
}

#[tokio::test]
async fn a_runner_that_stops_gives_its_job_back() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[Act::Hang]);
    let id = bench.ask("k").await;
    let runner = bench.runner(&[&handler], SETTINGS).await;
    handler.has_begun().await;
    runner.stop().await;
    let given_back = bench.job(id).await;
    assert_eq!((given_back.state, given_back.failures), (JobState::Waiting, 0));
    assert!(!runner.status().is_alive);
    let _next = bench.runner(&[&handler], SETTINGS).await;
    assert_eq!(bench.once_in(id, JobState::Done).await.attempts, 2);
}

/// A clock that panics when it is asked for the fourth time.
struct Broken(AtomicUsize);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) != 3, "as it should");
        START
    }
}

#[tokio::test]
async fn a_worker_that_dies_is_started_again() {
    let bench = Bench::new().await;
    let registry = JobRegistry::default().with(Scripted::new("k", &[]));
    let clock = Arc::new(Broken(AtomicUsize::new(0)));
    let (store, arrivals) = (bench.store.clone(), JobArrivals::default());
    let runner = JobRunner::start(store, clock, &registry, SETTINGS, &arrivals).await.unwrap();
    while only(&runner).restarts == 0 || !runner.status().is_alive {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let id = bench.ask("k").await;
    bench.once_in(id, JobState::Done).await;
    assert_eq!(only(&runner).restarts, 1);
}

#[tokio::test]
async fn a_kind_runs_as_many_jobs_at_a_time_as_its_handler_says() {
    let bench = Bench::new().await;
    let handler = Scripted::with_workers("k", &[Act::Hang, Act::Hang, Act::Hang], 2);
    let ids = [bench.ask("k").await, bench.ask("k").await, bench.ask("k").await];
    let runner = bench.runner(&[&handler], SETTINGS).await;
    for id in &ids[..2] {
        bench.once_in(*id, JobState::Running).await;
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(bench.job(ids[2]).await.state, JobState::Waiting);
    let status = only(&runner);
    assert_eq!((status.attempts, status.is_working, status.is_alive), (2, true, true));
    assert_eq!(runner.status().kinds.len(), 1, "the status adds the workers of a kind up");
    bench.store.cancel(TenantId::DEFAULT, ids[0], START).await.unwrap();
    runner.nudge();
    bench.once_in(ids[2], JobState::Running).await;
    runner.stop().await;
    assert!(!only(&runner).is_alive);
}

#[tokio::test]
async fn an_announced_job_starts_before_the_next_poll() {
    let bench = Bench::new().await;
    let handler = Scripted::new("k", &[]);
    let settings = JobSettings { poll_every: Duration::from_secs(3_600), ..SETTINGS };
    let _runner = bench.runner(&[&handler], settings).await;
    for _ in 0..20 {
        let id = bench.ask("k").await;
        bench.arrivals.announce("k");
        bench.once_in(id, JobState::Done).await;
    }
    bench.arrivals.announce("unknown");
}
