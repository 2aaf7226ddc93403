//! Durable jobs: background work that survives the end of the request and of the process.

use super::id::{JobId, PartitionId, TenantId};
use super::scope::Owner;
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
    /// Cancelled by a caller.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 5] =
        [JobState::Waiting, JobState::Running, JobState::Done, JobState::Failed, JobState::Cancelled];

    /// Name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }

    /// State with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True if the state is final.
    pub const fn is_over(self) -> bool {
        matches!(self, JobState::Done | JobState::Failed | JobState::Cancelled)
    }
}

/// Attempt at a job: the fencing token of the worker that makes it. The store accepts a write with it only while the
/// job is running and this is its latest attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobAttempt {
    /// The job.
    pub job: JobId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

/// Filter of a list of jobs. An empty filter selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this kind.
    pub kind: Option<String>,
}

/// Number of jobs of one kind in one state, over all tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// Number of jobs.
    pub count: u64,
}

/// Maximum length of the result of a job, in bytes.
pub const MAX_JOB_RESULT: usize = 64 * 1024;

/// Durable job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Tenant.
    pub tenant: TenantId,
    /// Kind of work.
    pub kind: String,
    /// Unique key: no second job of the tenant and kind with this key is enqueued while this one waits or runs.
    pub unique_key: Option<String>,
    /// True to release the unique key when the job is first claimed, for good: a second job with this key can then be
    /// enqueued while this one runs, for work that arrives too late for it.
    pub releases_key: bool,
    /// Owner whose memories the job is about; the erasure of the owner deletes the job. `None` for jobs of the whole store.
    pub owner: Option<Owner>,
    /// Input: ids and settings as JSON, never the text of memories.
    pub payload: String,
    /// State.
    pub state: JobState,
    /// Number of attempts started. An attempt may have ended with its process.
    pub attempts: u32,
    /// Number of attempts that ended in an error.
    pub failures: u32,
    /// Number of steps done.
    pub done: u64,
    /// Total number of steps, as far as known.
    pub total: u64,
    /// Checkpoint from which the next attempt continues, in the format of the job's kind.
    pub position: Option<String>,
    /// Code of the error that ended the last failed attempt.
    pub error: Option<String>,
    /// Result of a job that is done, as a JSON object in the format of the job's kind: numbers, ids and codes, never the text of
    /// memories. At most [`MAX_JOB_RESULT`] bytes. `None` for kinds without one.
    pub result: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change of state or progress.
    pub updated_at: Timestamp,
}

impl Job {
    /// Creates a waiting job without attempts, due at once.
    pub fn new(id: JobId, tenant: TenantId, kind: &str, payload: String, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            kind: kind.to_owned(),
            unique_key: None,
            releases_key: false,
            owner: None,
            payload,
            state: JobState::Waiting,
            attempts: 0,
            failures: 0,
            done: 0,
            total: 0,
            position: None,
            error: None,
            result: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Creates the job that deletes what is in the partition of an erased owner, one for each partition. It names the
    /// partition alone.
    pub fn erasing_owner(id: JobId, tenant: TenantId, partition: PartitionId, now: Timestamp) -> Self {
        let key = partition.0.to_string();
        Self { unique_key: Some(key.clone()), ..Self::new(id, tenant, Self::ERASE_OWNER, key, now) }
    }

    /// Partition of a job of the kind [`Job::ERASE_OWNER`]; `None` if its payload cannot be decoded.
    pub fn erased_partition(&self) -> Option<PartitionId> {
        self.payload.parse().ok().map(PartitionId)
    }

    /// Kind of the jobs of [`Job::erasing_owner`].
    pub const ERASE_OWNER: &'static str = "erase_owner";

    /// Token of the latest attempt.
    pub fn attempt(&self) -> JobAttempt {
        JobAttempt { job: self.id, attempt: self.attempts }
    }
}
