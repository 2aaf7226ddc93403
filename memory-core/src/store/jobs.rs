//! PORT: the table of durable jobs. A job is leased to one worker at a time; when the lease has expired, another worker
//! may claim the job.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::{Job, JobAttempt, JobCount, JobFilter};
use crate::domain::time::Timestamp;

/// Storage of durable jobs. Jobs are repeated after a crash, so their work must be safe to repeat.
///
/// Fencing: every write of a worker carries the number of its attempt, and is accepted only while the job is `running`
/// and this is its latest attempt. A worker whose expired lease was claimed by another worker, or whose job was
/// cancelled, can therefore change nothing; the write returns `false`.
#[async_trait]
pub trait Jobs: Send + Sync + Debug {
    /// Inserts a job. If a job of its tenant and kind with its unique key waits or runs, returns that one instead. A job
    /// of an owner without memories, such as one that was just erased, has nothing to work on: it is returned as done, and not
    /// stored, so that no job names an erased owner.
    async fn enqueue(&self, job: Job) -> Result<Job, StoreError>;

    /// Claims, until `now + lease_us`, the job of one of `kinds` that has been due longest: one that waits, or whose
    /// lease has expired. Jobs of other kinds are left as they are. A job with `releases_key` is returned without its
    /// unique key, which is free from then on.
    async fn claim(&self, kinds: &[&str], now: Timestamp, lease_us: i64) -> Result<Option<Job>, StoreError>;

    /// Releases the jobs whose worker is known to be dead, so that they can be claimed at once, and returns their
    /// number. To be called before this process has a worker. A store that only one process can open releases all jobs
    /// that are marked as running. A shared store releases none, and their leases have to expire.
    async fn release_left(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Extends the lease. Returns false if this worker no longer holds it.
    async fn extend(&self, attempt: JobAttempt, now: Timestamp, lease_us: i64) -> Result<bool, StoreError>;

    /// Records progress (`done`, `total`, `position`) and extends the lease. Returns false if this worker no longer
    /// holds it.
    async fn progress(&self, job: &Job, now: Timestamp, lease_us: i64) -> Result<bool, StoreError>;

    /// Ends an attempt with the job's `state`: done, failed, or waiting for the next attempt at `run_after`. Records
    /// its `error`, `failures` and `result`; progress stays as it was last recorded. Returns false if this worker no longer holds
    /// the lease.
    async fn finish(&self, job: &Job, now: Timestamp, run_after: Timestamp) -> Result<bool, StoreError>;

    /// Cancels a job that waits or runs, and returns its state after that. A finished job is unchanged. The job's
    /// worker, if any, loses its lease.
    async fn cancel(&self, tenant: TenantId, id: JobId, now: Timestamp) -> Result<Option<Job>, StoreError>;

    /// Returns a job of the tenant.
    async fn job(&self, tenant: TenantId, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Returns jobs of the tenant, newest first: those before the job `after` if one is given, at most `limit`.
    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError>;

    /// Deletes at most `limit` jobs that were done or cancelled before a time and made nothing: no derivation names them.
    /// Returns their number. Failed jobs stay.
    async fn drop_finished_jobs(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Returns the number of jobs by kind and state, over all tenants.
    async fn count_jobs(&self) -> Result<Vec<JobCount>, StoreError>;
}
