//! The runner: supervised workers for each kind of job that has a handler.
//!
//! Each kind has its own workers, so that a long job of one kind delays no other kind. Their number is the handler's
//! ([`JobHandler::workers`](super::JobHandler::workers)): with one, two jobs of the kind never run at the same time in
//! one process. Invariant: while the runner lives, each of its workers is alive or is restarted
//! after a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::arrivals::JobArrivals;
use super::registry::JobRegistry;
use super::settings::JobSettings;
use super::worker::{Counters, SharedClock, Worker};
use crate::domain::clock::Clock;
use crate::store::{Jobs, StoreError};

/// Maximum number of workers of one kind of job.
pub const MAX_WORKERS_PER_KIND: usize = 64;

/// The workers of a process. Dropping it aborts them; [`stop`](Self::stop) waits until they have ended.
#[derive(Debug)]
pub struct JobRunner {
    kinds: Vec<Kind>,
    /// Dropped to signal the workers to stop.
    nudge: Mutex<Option<watch::Sender<()>>>,
    supervisors: Mutex<Vec<JoinHandle<()>>>,
}

/// The workers of one kind.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    workers: Vec<Arc<Counters>>,
}

impl Kind {
    fn status(&self) -> KindStatus {
        let count = |counter: fn(&Counters) -> &AtomicU64| {
            self.workers.iter().map(|counters| counter(counters).load(Ordering::Relaxed)).sum()
        };
        KindStatus {
            kind: self.name,
            is_alive: self.workers.iter().all(|counters| counters.is_alive.load(Ordering::Acquire)),
            is_working: self.workers.iter().any(|counters| counters.is_working.load(Ordering::Acquire)),
            attempts: count(|counters| &counters.attempts),
            failures: count(|counters| &counters.failures),
            restarts: count(|counters| &counters.restarts),
        }
    }
}

/// Status of the runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerStatus {
    /// True if every worker is alive.
    pub is_alive: bool,
    /// True once a job has met damaged pages of the database.
    pub met_damage: bool,
    /// The workers by kind, in the order of kinds.
    pub kinds: Vec<KindStatus>,
}

/// Status of the workers of one kind. Numbers count from the start of the process, over all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindStatus {
    /// Kind of jobs.
    pub kind: &'static str,
    /// True if every worker is alive.
    pub is_alive: bool,
    /// True if a worker is running a job.
    pub is_working: bool,
    /// Number of attempts started.
    pub attempts: u64,
    /// Number of attempts that ended in an error.
    pub failures: u64,
    /// Number of restarts of the workers themselves.
    pub restarts: u64,
}

impl JobRunner {
    /// Releases the jobs of dead workers, and starts the workers of each kind in `registry`, which wait for `arrivals`
    /// and look for other jobs at intervals. To be called once for a store in a process, before anything else claims
    /// jobs.
    ///
    /// Errors: [`StoreError`] if the store is unavailable.
    pub async fn start(
        store: Arc<dyn Jobs>,
        clock: Arc<dyn Clock>,
        registry: &JobRegistry,
        settings: JobSettings,
        arrivals: &JobArrivals,
    ) -> Result<Self, StoreError> {
        let left = match store.release_left(clock.now()).await {
            // Their leases run out, so that they go on once the store can be written to.
            Err(error) if error.is_about_writing() => {
                tracing::error!(error = &error as &dyn std::error::Error, "jobs of a dead process wait");
                0
            }
            left => left?,
        };
        if left > 0 {
            tracing::info!(jobs = left, "jobs that a dead process left go on");
        }
        let (nudge, nudges) = watch::channel(());
        let (mut kinds, mut supervisors) = (Vec::new(), Vec::new());
        for handler in registry.handlers() {
            let mut workers = Vec::new();
            for _ in 0..handler.workers().clamp(1, MAX_WORKERS_PER_KIND) {
                let counters = Arc::<Counters>::default();
                // Reported as alive from the start: the task has only to be scheduled.
                counters.is_alive.store(true, Ordering::Release);
                workers.push(Arc::clone(&counters));
                let worker = Worker {
                    handler: Arc::clone(handler),
                    store: Arc::clone(&store),
                    clock: SharedClock(Arc::clone(&clock)),
                    settings,
                    counters,
                    nudges: nudges.clone(),
                    arrivals: arrivals.of(handler.kind()),
                };
                supervisors.push(tokio::spawn(supervise(worker)));
            }
            kinds.push(Kind { name: handler.kind(), workers });
        }
        Ok(Self { kinds, nudge: Mutex::new(Some(nudge)), supervisors: Mutex::new(supervisors) })
    }

    /// Wakes the workers at once, to look for a new job and to check their leases.
    pub fn nudge(&self) {
        if let Some(nudge) = &*self.nudge.lock() {
            nudge.send_replace(());
        }
    }

    /// Status of the workers.
    pub fn status(&self) -> RunnerStatus {
        let kinds: Vec<KindStatus> = self.kinds.iter().map(Kind::status).collect();
        let mut workers = self.kinds.iter().flat_map(|kind| &kind.workers);
        let met_damage = workers.any(|worker| worker.met_damage.load(Ordering::Relaxed));
        RunnerStatus { is_alive: kinds.iter().all(|kind| kind.is_alive), met_damage, kinds }
    }

    /// Stops the workers, and returns when they have stopped. Running jobs are released.
    pub async fn stop(&self) {
        drop(self.nudge.lock().take());
        let supervisors = std::mem::take(&mut *self.supervisors.lock());
        for supervisor in supervisors {
            let _ = supervisor.await;
        }
    }
}

impl Drop for JobRunner {
    fn drop(&mut self) {
        for supervisor in self.supervisors.get_mut() {
            supervisor.abort();
        }
    }
}

/// Runs a worker, and restarts it after a panic. A worker ends by itself only when the runner stops.
async fn supervise(worker: Worker) {
    loop {
        let mut running = JoinSet::new();
        running.spawn(worker.clone().run());
        match running.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                worker.counters.restarts.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    kind = worker.handler.kind(),
                    "the worker of a kind of jobs died; it is started again"
                );
                sleep(worker.settings.poll_every).await;
            }
            _ => return,
        }
    }
}
