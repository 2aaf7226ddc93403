//! Background jobs: work that continues after the request that started it, and after a restart of the server.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::null_as_default;

/// Background job. Jobs are durable: after a restart of the server they resume where they stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Job {
    /// Id of the job.
    pub id: Uuid,
    /// Kind of the job, such as `reindex`.
    pub kind: String,
    /// State of the job.
    pub state: JobState,
    /// Number of attempts started. An attempt may have ended with its server.
    #[serde(default, deserialize_with = "null_as_default")]
    pub attempts: u32,
    /// Number of attempts that ended in an error.
    #[serde(default, deserialize_with = "null_as_default")]
    pub failures: u32,
    /// Number of completed steps.
    pub done: u64,
    /// Total number of steps, as far as known.
    pub total: u64,
    /// Error code of the last failed attempt, if any: a code of problems, or `panicked`, `interrupted_too_often`,
    /// `bad_payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Result of a job that is done. The kind `forget` has the numbers of the sweep (`SweepCounts`); other kinds have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Map<String, Value>>,
    /// Time of creation.
    pub created_at: String,
    /// Time of the last change of state or progress.
    pub updated_at: String,
}

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting for a worker, or for its next attempt.
    Waiting,
    /// Claimed by a worker.
    Running,
    /// Completed.
    Done,
    /// Failed, after too many attempts or an error that no repetition can resolve.
    Failed,
    /// Cancelled by a caller.
    Cancelled,
}

impl JobState {
    /// Name of the state in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True if the state is final.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// Response of `GET /v1/jobs`: a page of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobPage {
    /// Jobs, newest first.
    pub jobs: Vec<Job>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
