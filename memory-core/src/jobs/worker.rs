//! A worker of one kind of job: it claims a job, runs the handler while it extends the lease, and records the
//! outcome.
//!
//! Invariant: a worker has at most one job. A panic of a handler does not end its worker; only a defect in this file
//! does, and then the runner starts another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::settings::{JobSettings, micros};
use super::{JobContext, JobFailure, JobHandler, JobOutcome, OF_STORED_ROWS, Retries, STORE_DAMAGED};
use crate::domain::clock::Clock;
use crate::domain::job::{Job, JobState, MAX_JOB_RESULT};
use crate::store::Jobs;

/// Error code of an attempt that panicked.
const PANICKED: &str = "panicked";
/// Error code of a job that was started too often without an end.
const INTERRUPTED: &str = "interrupted_too_often";

/// Counters of one worker since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) is_alive: AtomicBool,
    pub(super) is_working: AtomicBool,
    /// True once an attempt has met damaged pages.
    pub(super) met_damage: AtomicBool,
    pub(super) attempts: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) restarts: AtomicU64,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) handler: Arc<dyn JobHandler>,
    pub(super) store: Arc<dyn Jobs>,
    pub(super) clock: SharedClock,
    pub(super) settings: JobSettings,
    pub(super) counters: Arc<Counters>,
    /// Signals that there may be work at once; closed when the runner stops.
    pub(super) nudges: watch::Receiver<()>,
    /// Signals a new job of the kind. Unlike a nudge, it does not concern a worker that has a job.
    pub(super) arrivals: Arc<Notify>,
}

/// Clock with a `Debug` implementation.
#[derive(Clone)]
pub(super) struct SharedClock(pub(super) Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Outcome of an attempt, as seen by the worker.
enum Ended {
    Answered(Result<JobOutcome, JobFailure>),
    /// The runner stops: another worker continues the job.
    Stopped,
}

/// Guard that sets a flag for its lifetime.
struct Raised<'a>(&'a AtomicBool);

impl<'a> Raised<'a> {
    fn new(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Worker {
    /// Runs until the runner stops.
    pub(super) async fn run(mut self) {
        let counters = Arc::clone(&self.counters);
        let _alive = Raised::new(&counters.is_alive);
        let lease_us = self.settings.lease_us();
        loop {
            self.nudges.mark_unchanged();
            let is_over = match self.store.claim(&[self.handler.kind()], self.clock.0.now(), lease_us).await {
                Ok(Some(job)) => {
                    let _working = Raised::new(&counters.is_working);
                    self.attempt(job).await
                }
                Ok(None) => self.is_over_after_pause().await,
                Err(error) => {
                    let kind = self.handler.kind();
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        kind,
                        "no job could be claimed"
                    );
                    self.is_over_after_pause().await
                }
            };
            if is_over {
                return;
            }
        }
    }

    /// Waits until there may be work; returns true if the runner has stopped.
    async fn is_over_after_pause(&mut self) -> bool {
        tokio::select! {
            () = sleep(self.settings.poll_every) => false,
            () = self.arrivals.notified() => false,
            changed = self.nudges.changed() => changed.is_err(),
        }
    }

    /// Makes one attempt; returns true if the runner has stopped.
    async fn attempt(&mut self, job: Job) -> bool {
        if job.attempts > self.settings.attempts_at_most && self.handler.retries() == Retries::Bounded {
            let failure = JobFailure::Final { code: INTERRUPTED.to_owned() };
            self.end(job, Ended::Answered(Err(failure))).await;
            return false;
        }
        self.counters.attempts.fetch_add(1, Ordering::Relaxed);
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock.0));
        let context = Arc::new(JobContext::new(job.clone(), store, clock, self.settings.lease_us()));
        let ended = self.guard(&context).await;
        let is_over = matches!(ended, Ended::Stopped);
        self.end(job, ended).await;
        is_over
    }

    /// Runs the handler as a task of its own, and extends the lease for it.
    async fn guard(&mut self, context: &Arc<JobContext>) -> Ended {
        let (handler, own) = (Arc::clone(&self.handler), Arc::clone(context));
        let mut work = JoinSet::new();
        work.spawn(async move { handler.run(own).await });
        let every = self.settings.heartbeat();
        let mut beats = interval_at(Instant::now() + every, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = work.join_next() => return answered(ended),
                _ = beats.tick() => {}
                changed = self.nudges.changed() => if changed.is_err() {
                    work.shutdown().await;
                    return Ended::Stopped;
                },
            }
            match context.extend().await {
                Ok(true) => {}
                Ok(false) => {
                    work.abort_all();
                    return answered(work.join_next().await);
                }
                Err(error) => {
                    // The handler continues: if the lease expires meanwhile, the store refuses its writes.
                    let job = context.job().id;
                    tracing::warn!(error = &error as &dyn std::error::Error, %job, "the lease was not extended");
                }
            }
        }
    }

    fn may_repeat(&self, failures: u32, code: &str) -> bool {
        let is_endless = self.handler.retries() != Retries::Bounded && !OF_STORED_ROWS.contains(&code);
        is_endless || failures < self.settings.failures_at_most
    }

    fn pause_after(&self, failures: u32) -> Duration {
        let pause = self.settings.pause_after(failures);
        match self.handler.retries() {
            Retries::Bounded => pause,
            Retries::Endless { longest_pause } => pause.min(longest_pause),
        }
    }

    /// Records the outcome of an attempt.
    async fn end(&self, mut job: Job, ended: Ended) {
        let now = self.clock.0.now();
        let mut run_after = now;
        match ended {
            Ended::Stopped => job.state = JobState::Waiting,
            Ended::Answered(Ok(JobOutcome::Committed)) => return,
            Ended::Answered(Ok(JobOutcome::Done)) => (job.state, job.error) = (JobState::Done, None),
            Ended::Answered(Ok(JobOutcome::DoneWith(result))) => {
                (job.state, job.error) = (JobState::Done, None);
                job.result = bounded(&job, &result);
            }
            Ended::Answered(Err(JobFailure::LeaseLost)) => {
                tracing::info!(job = %job.id, kind = job.kind, "the job was cancelled or given to another worker");
                return;
            }
            Ended::Answered(Err(failure)) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                job.failures = job.failures.saturating_add(1);
                let (code, may_repeat) = match failure {
                    JobFailure::Retry { code } => {
                        let may_repeat = self.may_repeat(job.failures, &code);
                        (code, may_repeat)
                    }
                    JobFailure::Damaged => {
                        self.counters.met_damage.store(true, Ordering::Relaxed);
                        (STORE_DAMAGED.to_owned(), false)
                    }
                    JobFailure::Final { code } => (code, false),
                    JobFailure::LeaseLost => return,
                };
                tracing::error!(job = %job.id, kind = job.kind, code, may_repeat, "an attempt at a job failed");
                job.error = Some(code);
                job.state = if may_repeat { JobState::Waiting } else { JobState::Failed };
                run_after = now.plus_micros(micros(self.pause_after(job.failures)));
            }
        }
        match self.store.finish(&job, now, run_after).await {
            Ok(true) => {}
            Ok(false) => tracing::info!(job = %job.id, "the job was no longer this worker's at its end"),
            Err(error) => {
                // It is claimed again when its lease has expired.
                let id = job.id;
                tracing::error!(error = &error as &dyn std::error::Error, job = %id, "an attempt could not be ended");
            }
        }
    }
}

/// Result of a job as it is stored; `None` for one beyond its bound, since its work is done all the same.
fn bounded(job: &Job, result: &serde_json::Value) -> Option<String> {
    let text = result.to_string();
    if text.len() > MAX_JOB_RESULT {
        tracing::error!(job = %job.id, kind = job.kind, bytes = text.len(), "the result of a job is too long to be stored");
        return None;
    }
    Some(text)
}

fn answered(ended: Option<Result<Result<JobOutcome, JobFailure>, tokio::task::JoinError>>) -> Ended {
    Ended::Answered(match ended {
        Some(Ok(answer)) => answer,
        Some(Err(error)) if error.is_panic() => Err(JobFailure::Retry { code: PANICKED.to_owned() }),
        Some(Err(_)) | None => Err(JobFailure::LeaseLost), // it was stopped because of that
    })
}
