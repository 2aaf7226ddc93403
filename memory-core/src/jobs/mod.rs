//! PORT: background jobs. A [`JobHandler`] does the work of one kind of job; the [`runner`] claims jobs for it.
//!
//! Contract between the two:
//!
//! - A handler is called with one attempt at a job. It may be called again for the same job at any time after: the
//!   process may die, the attempt may fail, the lease may be lost. Its work must be safe to repeat, and should go on from
//!   the progress that was noted.
//! - While a handler works, the runner extends the lease. When the lease is lost (the job was cancelled, or given to
//!   another worker) the handler's future is dropped at its next await; work that must not be cut in two at an await is
//!   spawned as a task of its own.
//! - Every durable effect that must not happen twice, or after a cancellation, goes through a write that is fenced by
//!   [`JobContext::attempt`]: [`JobContext::note`], `ChangeSet::finishes`, `Embedders::use_embedder_for`. The store refuses
//!   it from a worker that has lost its lease.
//! - An error ends the attempt. It is retried with exponential back-off until
//!   [`failures_at_most`](settings::JobSettings::failures_at_most), unless the handler says that no repetition
//!   can help. A panic counts as an error with the code `panicked`.
//! - Payload, position and error code hold ids, settings and codes; never text of memories.
//!
//! A kind without a handler is left waiting: another version of the server may know it.

pub mod registry;
pub mod runner;
pub mod settings;
mod worker;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

    /// Makes one attempt.
    ///
    /// Errors: see [`JobFailure`].
    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure>;
}

/// How an attempt succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The work is done; the runner ends the job.
    Done,
    /// The job was ended by the change set that is its work (`ChangeSet::finishes`).
    Committed,
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// Another attempt may succeed.
    #[error("the attempt failed: {code}")]
    Retry {
        /// The code of the error.
        code: String,
    },
    /// No repetition can help: the job has failed.
    #[error("the job cannot succeed: {code}")]
    Final {
        /// The code of the error.
        code: String,
    },
    /// The job is no longer this worker's: nothing more is written of it.
    #[error("the job is no longer this worker's")]
    LeaseLost,
}

impl From<Error> for JobFailure {
    fn from(error: Error) -> Self {
        let code = error.code().to_owned();
        match error {
            Error::LeaseLost { .. } => JobFailure::LeaseLost,
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

/// How far a job has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as known.
    pub total: u64,
    /// Where to go on, in the handler's own words; never text of memories.
    pub position: Option<String>,
}

/// One attempt, as its handler sees it.
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

    /// How far the job has come, over all attempts.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Notes how far the job has come, durably, and extends the lease.
    ///
    /// Errors: [`JobFailure::LeaseLost`] if the job is no longer this worker's; [`JobFailure::Retry`] if the store does not
    /// answer.
    pub async fn note(&self, progress: Progress) -> Result<(), JobFailure> {
        let Progress { done, total, position } = progress.clone();
        let job = Job { done, total, position, ..self.job.clone() };
        *self.progress.lock() = progress;
        let held = self.store.progress(&job, self.clock.now(), self.lease_us).await?;
        if held { Ok(()) } else { Err(self.lose()) }
    }

    /// Whether the job was cancelled or given to another worker, as far as this process has heard. To be asked between
    /// steps that do not await.
    pub fn is_cancelled(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    fn lose(&self) -> JobFailure {
        self.is_lost.store(true, Ordering::Release);
        JobFailure::LeaseLost
    }

    /// Extends the lease; false if it is lost.
    async fn extend(&self) -> Result<bool, StoreError> {
        let held = self.store.extend(self.attempt(), self.clock.now(), self.lease_us).await?;
        if !held {
            self.lose();
        }
        Ok(held)
    }
}
