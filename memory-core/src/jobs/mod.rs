//! PORT: background jobs. A [`JobHandler`] does the work of one kind of job; the [`runner`] claims jobs for it.
//!
//! Contract between the two:
//!
//! - A handler is called with one attempt at a job. It may be called again for the same job at any later time: the
//!   process may crash, the attempt may fail, the lease may be lost. Its work must be safe to repeat, and should resume
//!   from the recorded progress.
//! - While a handler works, the runner extends the lease. When the lease is lost (the job was cancelled, or claimed by
//!   another worker) the handler's future is dropped at its next await. Work that must not be interrupted there is
//!   spawned as a task of its own.
//! - Every durable effect that must not happen twice, or after a cancellation, is a write fenced by
//!   [`JobContext::attempt`]: [`JobContext::note`], `ChangeSet::finishes`, `Embedders::use_embedder_for`. The store
//!   refuses it from a worker that has lost its lease.
//! - An error ends the attempt. It is retried with exponential back-off until
//!   [`failures_at_most`](settings::JobSettings::failures_at_most), unless the handler returns
//!   [`JobFailure::Final`]. A panic counts as an error with the code `panicked`.
//! - Payload, position, result and error code hold ids, settings and codes; never text of memories.
//!
//! A job of a kind without a handler stays waiting: another version of the server may have one.

pub mod arrivals;
pub mod registry;
pub mod runner;
pub mod settings;
mod worker;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::domain::clock::Clock;
use crate::domain::job::{Job, JobAttempt};
use crate::error::Error;
use crate::store::{Jobs, StoreError};

/// The work of one kind of job.
#[async_trait]
pub trait JobHandler: Send + Sync + Debug {
    /// The kind, a stable name in `snake_case`. It is a label of metrics.
    fn kind(&self) -> &'static str;

    /// Number of jobs of the kind that run at the same time in one process; the runner starts at least one worker and at
    /// most [`runner::MAX_WORKERS_PER_KIND`].
    fn workers(&self) -> usize {
        1
    }

    /// Bounds of the retries of the kind.
    fn retries(&self) -> Retries {
        Retries::Bounded
    }

    /// Makes one attempt.
    ///
    /// Errors: see [`JobFailure`].
    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure>;
}

/// Bounds of the retries of a kind of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// Those of the settings.
    Bounded,
    /// None, for work that must not be given up because a service is away for long: no number of failures or attempts ends the
    /// job, and the pause between two attempts is at most this long. Failures that are about stored rows, and not about a
    /// service, are bounded all the same.
    Endless {
        /// Upper bound of the pause; that of the settings counts if it is shorter.
        longest_pause: Duration,
    },
}

/// Success of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The work is done; the runner ends the job.
    Done,
    /// The work is done; the runner ends the job and stores its result, see [`Job::result`].
    DoneWith(serde_json::Value),
    /// The job was ended by the change set that holds its result (`ChangeSet::finishes`).
    Committed,
}

/// Codes of failures that are about stored rows: those of [`StoreError::Corrupt`], and of memories without a text.
const OF_STORED_ROWS: [&str; 2] = [STORE_DAMAGED, "no_text"];
/// Code of [`JobFailure::Damaged`], which [`Error::code`] gives as well.
const STORE_DAMAGED: &str = "store_damaged";

/// Failure of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// Another attempt may succeed.
    #[error("the attempt failed: {code}")]
    Retry {
        /// Error code.
        code: String,
    },
    /// No repetition can help: the job has failed.
    #[error("the job cannot succeed: {code}")]
    Final {
        /// Error code.
        code: String,
    },
    /// Pages of the database are damaged: the job has failed, with the code `store_damaged`, since no repetition mends
    /// them.
    #[error("the database is damaged")]
    Damaged,
    /// This worker no longer holds the job's lease; nothing more is written for the job.
    #[error("the job is no longer this worker's")]
    LeaseLost,
}

impl From<Error> for JobFailure {
    fn from(error: Error) -> Self {
        let code = error.code().to_owned();
        match error {
            Error::LeaseLost { .. } => JobFailure::LeaseLost,
            Error::Store(StoreError::Damaged(_)) => JobFailure::Damaged,
            Error::Invalid { .. } | Error::OverLimit { .. } | Error::NotFound { .. } => {
                JobFailure::Final { code }
            }
            _ => JobFailure::Retry { code },
        }
    }
}

impl From<StoreError> for JobFailure {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

/// Progress of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Number of completed steps.
    pub done: u64,
    /// Total number of steps, as far as known.
    pub total: u64,
    /// Position at which to resume, in a format of the handler's own; never text of memories.
    pub position: Option<String>,
}

/// Context of one attempt, passed to the handler.
pub struct JobContext {
    job: Job,
    progress: Mutex<Progress>,
    store: Arc<dyn Jobs>,
    clock: Arc<dyn Clock>,
    lease_us: i64,
    is_lost: AtomicBool,
}

impl Debug for JobContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobContext").field("attempt", &self.attempt()).finish_non_exhaustive()
    }
}

impl JobContext {
    fn new(job: Job, store: Arc<dyn Jobs>, clock: Arc<dyn Clock>, lease_us: i64) -> Self {
        let Job { done, total, ref position, .. } = job;
        let progress = Mutex::new(Progress { done, total, position: position.clone() });
        Self { job, progress, store, clock, lease_us, is_lost: AtomicBool::new(false) }
    }

    /// The job as it was claimed.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The fencing token of this attempt.
    pub fn attempt(&self) -> JobAttempt {
        self.job.attempt()
    }

    /// Progress of the job, over all attempts.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Records the progress durably, and extends the lease.
    ///
    /// Errors: [`JobFailure::LeaseLost`] if this worker no longer holds the lease; [`JobFailure::Retry`] if the store
    /// is unavailable.
    pub async fn note(&self, progress: Progress) -> Result<(), JobFailure> {
        let Progress { done, total, position } = progress.clone();
        let job = Job { done, total, position, ..self.job.clone() };
        *self.progress.lock() = progress;
        let held = self.store.progress(&job, self.clock.now(), self.lease_us).await?;
        if held { Ok(()) } else { Err(self.lose()) }
    }

    /// True if the job was cancelled or claimed by another worker, as far as this process knows. For checks between
    /// steps that do not await.
    pub fn is_cancelled(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    fn lose(&self) -> JobFailure {
        self.is_lost.store(true, Ordering::Release);
        JobFailure::LeaseLost
    }

    /// Extends the lease; returns false if it is lost.
    async fn extend(&self) -> Result<bool, StoreError> {
        let held = self.store.extend(self.attempt(), self.clock.now(), self.lease_us).await?;
        if !held {
            self.lose();
        }
        Ok(held)
    }
}
