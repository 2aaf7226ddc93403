//! PORT: durable work. A job is leased to one worker at a time; when the lease runs out, another may take it.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::Job;
use crate::domain::time::Timestamp;

/// Durable work. Jobs are repeated after a crash, so what they do must be safe to repeat.
#[async_trait]
pub trait Jobs: Send + Sync + Debug {
    /// Writes a job; if one with its unique key waits or runs, answers that one instead.
    async fn enqueue(&self, job: Job) -> Result<Job, StoreError>;

    /// Leases the oldest job that waits, or whose lease has run out, until `now + lease_us`.
    async fn claim(&self, now: Timestamp, lease_us: i64) -> Result<Option<Job>, StoreError>;

    /// Notes progress and extends the lease. False if the job is no longer this worker's.
    async fn progress(&self, job: &Job, now: Timestamp, lease_us: i64) -> Result<bool, StoreError>;

    /// Ends a job as `state` says: done, failed, or waiting for a next try at `run_after`.
    async fn finish(&self, job: &Job, now: Timestamp, run_after: Timestamp) -> Result<(), StoreError>;

    /// A job of the tenant.
    async fn job(&self, tenant: TenantId, id: JobId) -> Result<Option<Job>, StoreError>;
}
