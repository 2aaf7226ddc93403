//! Durable jobs: background work that survives the end of the request and of the process.

use super::id::{JobId, TenantId};
use super::time::Timestamp;

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Waiting for a worker or for its next attempt.
    Waiting,
    /// Leased to a worker.
    Running,
    /// Completed.
    Done,
    /// Failed for the last time.
    Failed,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 4] = [JobState::Waiting, JobState::Running, JobState::Done, JobState::Failed];

    /// Name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }

    /// State with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Durable job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Tenant.
    pub tenant: TenantId,
    /// Kind of work.
    pub kind: String,
    /// Unique key: no second job with the same key is enqueued while this one waits or runs.
    pub unique_key: Option<String>,
    /// Input: ids and settings as JSON, never the text of memories.
    pub payload: String,
    /// State.
    pub state: JobState,
    /// Number of attempts started.
    pub attempts: u32,
    /// Number of steps done.
    pub done: u64,
    /// Total number of steps, as far as known.
    pub total: u64,
    /// Checkpoint from which the next attempt continues, in the format of the job's kind.
    pub position: Option<String>,
    /// Error of the last failed attempt.
    pub error: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change of state or progress.
    pub updated_at: Timestamp,
}
