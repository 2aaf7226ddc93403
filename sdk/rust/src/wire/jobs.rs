//! Background jobs: work that goes on after the request that asked for it, and after a restart of the server.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A background job. It is kept durably: after a restart of the server it goes on where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// What it does: `reindex`.
    pub kind: String,
    /// Its state.
    pub state: JobState,
    /// How often it was started. An attempt may have ended with its server.
    #[serde(default)]
    pub attempts: u32,
    /// How often an attempt ended in an error.
    #[serde(default)]
    pub failures: u32,
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as known.
    pub total: u64,
    /// The code of the error that ended an attempt last, if one did: a code of problems, or `panicked`,
    /// `interrupted_too_often`, `bad_payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: String,
    /// When it last moved.
    pub updated_at: String,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting for a worker, or for its next attempt.
    Waiting,
    /// At work.
    Running,
    /// Done.
    Done,
    /// Given up, after too many attempts or an error that no repetition helps.
    Failed,
    /// Cancelled by a caller.
    Cancelled,
}

impl JobState {
    /// The state in words, as it crosses the network.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can happen to the job any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// `GET /v1/jobs`: a page of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobPage {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// Where to go on; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
