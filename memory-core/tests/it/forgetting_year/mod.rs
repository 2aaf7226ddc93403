//! Months of simulated use: recalls, sweeps, pins, restores, changes of policy and kills, against a straightforward model of
//! forgetting; and the same history under sweeps at different intervals.
#![expect(clippy::unwrap_used, reason = "tests")]

mod checks;
mod erasures;
mod interrupted;
mod model;
mod records;
mod replays;
mod year;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use memory_core::Engine;
use memory_core::domain::clock::{Clock as _, FrozenClock};
use memory_core::domain::id::{IdSource, JobId, TenantId};
use memory_core::domain::job::{Job, JobState};
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::engine::Parts;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::jobs::settings::JobSettings;
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Jobs as _, Memories as _, RETENTION_ROWS_AT_MOST, Retention as _, RetentionRow};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, HashingEmbedders, START, TestEngine, user};
use memory_core::think::settings::ThinkingSettings;
use tokio::runtime::{Builder, Runtime};

const MINUTE_US: i64 = 60_000_000;
/// Time between a kill and the next start.
const DOWN_US: i64 = 5_000_000;
/// Real time within which a folder can be opened again, and a sweep is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ids that depend on the time and on the number of ids before at that millisecond: what happens at other times, such as a sweep,
/// changes no id, and so no threshold of forgetting.
#[derive(Debug, Default)]
struct IdsByTime(Mutex<(u64, u64)>);

impl IdSource for IdsByTime {
    fn next(&self, now: Timestamp) -> uuid::Uuid {
        let millis = now.as_micros().unsigned_abs() / 1_000;
        let mut last = self.0.lock().unwrap();
        *last = if last.0 == millis { (millis, last.1 + 1) } else { (millis, 0) };
        let mut tail = [0u8; 10];
        tail[2..].copy_from_slice(&last.1.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

/// Engine on a directory, which can be killed and started again.
struct Life {
    running: Option<(Runtime, TestEngine)>,
    directory: tempfile::TempDir,
}

impl Life {
    fn new() -> Self {
        let mut life = Self { running: None, directory: tempfile::tempdir().unwrap() };
        life.start(START);
        life
    }

    fn start(&mut self, now: Timestamp) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let test = runtime.block_on(open(self.directory.path(), now));
        self.running = Some((runtime, test));
    }

    /// Ends the process as far as the engine can tell: its tasks end wherever they are. Then it is started again on the same
    /// directory.
    fn kill(&mut self) {
        let now = self.now();
        let (runtime, test) = self.running.take().unwrap();
        runtime.block_on(async { drop(test) });
        drop(runtime);
        self.start(now.plus_micros(DOWN_US));
    }

    fn run<T>(&self, work: impl AsyncFnOnce(&TestEngine) -> T) -> T {
        let (runtime, test) = self.running.as_ref().unwrap();
        runtime.block_on(work(test))
    }

    fn now(&self) -> Timestamp {
        self.running.as_ref().unwrap().1.clock.now()
    }

    fn pass_us(&self, by_us: i64) {
        self.running.as_ref().unwrap().1.clock.advance_micros(by_us);
    }

    fn use_policy(&self, policy: &Policy) {
        self.run(async |test| {
            test.engine.set_forgetting_policy(&CALLER, &ann(), Some(policy.clone())).await.unwrap();
        });
    }

    /// Requests a sweep as of now, without waiting for it.
    fn request_sweep(&self) -> Job {
        self.run(async |test| test.engine.request_sweep(&CALLER, &ann(), None, false).await.unwrap())
    }

    /// Sweeps as of now. Before the first memory there is no job to wait for.
    fn sweep(&self) {
        let job = self.request_sweep();
        if !job.state.is_over() {
            self.await_sweep(job.id);
        }
    }

    /// Waits until a sweep is done; returns the number of its attempts.
    fn await_sweep(&self, id: JobId) -> u32 {
        self.run(async |test| {
            let over = async {
                loop {
                    let job = test.store.job(TenantId::DEFAULT, id).await.unwrap().unwrap();
                    if job.state.is_over() {
                        break job;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let job = tokio::time::timeout(PATIENCE, over).await.unwrap();
            assert_eq!((job.state, job.error), (JobState::Done, None));
            job.attempts
        })
    }

    /// Everything that the store has of Ann's memories as far as forgetting is concerned, in the order of ids.
    fn rows(&self) -> Vec<RetentionRow> {
        self.run(async |test| {
            let partition = test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
            let Some(partition) = partition else { return Vec::new() };
            let page = test.store.retention_page(partition, None, RETENTION_ROWS_AT_MOST).await.unwrap();
            assert!(page.rows.len() < RETENTION_ROWS_AT_MOST as usize, "all memories are in one page");
            page.rows
        })
    }
}

fn ann() -> Scope {
    user("ann").unwrap()
}

async fn open(directory: &Path, now: Timestamp) -> TestEngine {
    // The threads of the database let go of the folder a little later than the killed engine does.
    let opened = async {
        loop {
            match SqlStore::open(directory, StoreOptions::default()).await {
                Ok(store) => break Arc::new(store),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let store = tokio::time::timeout(PATIENCE, opened).await.unwrap();
    let options = EmbeddedIndexOptions {
        budget_bytes: 64 << 20,
        threads: 1,
        inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
    };
    let index = Arc::new(EmbeddedIndex::new(store.clone(), Arc::default(), options));
    let clock = Arc::new(FrozenClock::at(now));
    let engine = Engine::start(Parts {
        store: store.clone(),
        index: index.clone(),
        embedder: Arc::new(HashingEmbedder::new(64)),
        reranker: None,
        forgetting: Policy::default(),
        clock: clock.clone(),
        ids: Arc::new(IdsByTime::default()),
        limits: Limits::default(),
        recall: RecallSettings::default(),
        thinking: ThinkingSettings::default(),
    })
    .await
    .unwrap();
    engine.start_jobs(Arc::new(HashingEmbedders), JobSettings::default()).await.unwrap();
    TestEngine { engine, store, index, clock }
}
