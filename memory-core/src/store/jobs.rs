//! PORT: the table of durable jobs. A job is leased to one worker at a time; when the lease runs out, another may take it.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::{Job, JobAttempt, JobCount, JobFilter};
use crate::domain::time::Timestamp;

/// Durable work. Jobs are repeated after a crash, so what they do must be safe to repeat.
///
/// Fencing: every write of a worker bears the number of its attempt, and is taken only while the job is `running` and
/// that is its latest attempt. A worker whose lease ran out and was given to another, and one whose job was cancelled,
/// can therefore change nothing; it learns so from `false`.
#[async_trait]
pub trait Jobs: Send + Sync + Debug {
    /// Writes a job; if one of its tenant and kind with its unique key waits or runs, answers that one instead.
    async fn enqueue(&self, job: Job) -> Result<Job, StoreError>;

    /// Leases, until `now + lease_us`, the job of one of `kinds` that has been due longest: one that waits, or whose lease
    /// has run out. Jobs of other kinds are left as they are.
    async fn claim(&self, kinds: &[&str], now: Timestamp, lease_us: i64) -> Result<Option<Job>, StoreError>;

    /// Gives back the jobs whose worker is proved to be dead, so that they can be claimed at once, and answers how many.
    /// To be called before this process has a worker. A store that only one process can open gives back all that are said
    /// to run; one that is shared gives back none, and their leases have to run out.
    async fn release_left(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Extends the lease. False if the job is no longer this worker's.
    async fn extend(&self, attempt: JobAttempt, now: Timestamp, lease_us: i64) -> Result<bool, StoreError>;

    /// Notes progress (`done`, `total`, `position`) and extends the lease. False if the job is no longer this worker's.
    async fn progress(&self, job: &Job, now: Timestamp, lease_us: i64) -> Result<bool, StoreError>;

    /// Ends an attempt as the job's `state` says: done, failed, or waiting for a next try at `run_after`; notes its
    /// `error` and `failures`. Progress stays as it was noted last. False if the job is no longer this worker's.
    async fn finish(&self, job: &Job, now: Timestamp, run_after: Timestamp) -> Result<bool, StoreError>;

    /// Cancels a job that waits or runs, and answers it as it is then; one that is over stays as it is. Its worker, if it
    /// has one, loses the lease with that.
    async fn cancel(&self, tenant: TenantId, id: JobId, now: Timestamp) -> Result<Option<Job>, StoreError>;

    /// A job of the tenant.
    async fn job(&self, tenant: TenantId, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Jobs of the tenant, newest first, those before the job `after` if one is given; at most `limit`.
    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError>;

    /// The number of jobs by kind and state, over all tenants.
    async fn count_jobs(&self) -> Result<Vec<JobCount>, StoreError>;
}
