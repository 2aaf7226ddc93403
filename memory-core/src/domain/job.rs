//! Durable jobs: work that outlives the request that asked for it, and the process that began it.

use super::id::{JobId, TenantId};
use super::time::Timestamp;

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Waiting for a worker, or for its next try.
    Waiting,
    /// Leased to a worker.
    Running,
    /// Done.
    Done,
    /// Given up.
    Failed,
    /// Called off by a caller.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 5] =
        [JobState::Waiting, JobState::Running, JobState::Done, JobState::Failed, JobState::Cancelled];

    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing can happen to a job in this state any more.
    pub const fn is_over(self) -> bool {
        matches!(self, JobState::Done | JobState::Failed | JobState::Cancelled)
    }
}

/// One attempt at a job: the fencing token of the worker that makes it. The store takes a write under it only while the
/// job is running and this is its latest attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobAttempt {
    /// The job.
    pub job: JobId,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// Which jobs a list shows; nothing named shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this kind.
    pub kind: Option<String>,
}

/// The number of jobs of one kind in one state, over all tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// How many.
    pub count: u64,
}

/// A durable piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantId,
    /// What it does.
    pub kind: String,
    /// While a job of this tenant and kind with this key waits or runs, no second one is made.
    pub unique_key: Option<String>,
    /// What to work on: ids and settings as JSON, never text of memories.
    pub payload: String,
    /// How it stands.
    pub state: JobState,
    /// How often it was started. An attempt may have ended with its process.
    pub attempts: u32,
    /// How often an attempt ended in an error.
    pub failures: u32,
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as known.
    pub total: u64,
    /// How far it has come, in its own words: where to go on.
    pub position: Option<String>,
    /// The code of the error that ended an attempt last.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

impl Job {
    /// A job that nobody has begun, due at once.
    pub fn new(id: JobId, tenant: TenantId, kind: &str, payload: String, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            kind: kind.to_owned(),
            unique_key: None,
            payload,
            state: JobState::Waiting,
            attempts: 0,
            failures: 0,
            done: 0,
            total: 0,
            position: None,
            error: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The attempt that is being made.
    pub fn attempt(&self) -> JobAttempt {
        JobAttempt { job: self.id, attempt: self.attempts }
    }
}
