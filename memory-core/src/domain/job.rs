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
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 4] = [JobState::Waiting, JobState::Running, JobState::Done, JobState::Failed];

    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
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
    /// While a job with this key waits or runs, no second one is made.
    pub unique_key: Option<String>,
    /// What to work on: ids and settings as JSON, never text of memories.
    pub payload: String,
    /// How it stands.
    pub state: JobState,
    /// How often it was started.
    pub attempts: u32,
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as known.
    pub total: u64,
    /// How far it has come, in its own words: where to go on.
    pub position: Option<String>,
    /// Why it failed last.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}
