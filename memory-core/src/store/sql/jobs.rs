//! Durable jobs: queue, leases and fencing.

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::readable::{FullPage, readable};
use super::rows::Reader;
use super::{Connection, Db, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::{ChangeSet, Refusal};
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::{Job, JobAttempt, JobCount, JobFilter, JobState};
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::store::Jobs;

/// Conditions after the columns that [`read_job`] reads by position; `dialect::CLAIM_JOB` returns the same columns.
macro_rules! select_job {
    ($condition:literal) => {
        concat!(
            "SELECT id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, ",
            "error, created_us, updated_us, releases_key, owner_kind, owner_id, result FROM durable_jobs WHERE ",
            $condition
        )
    };
}

/// Columns that [`read_job`] reads by position.
pub(super) const JOB_COLUMNS: &str = "id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, \
     total, position, error, created_us, updated_us, releases_key, owner_kind, owner_id, result";
/// Maximum number of jobs that cannot be decoded which one call of `claim` takes out of the queue.
const UNREADABLE_PER_CLAIM: usize = 16;
/// Error code of a job whose row cannot be decoded.
const UNREADABLE_JOB: &str = "unreadable";

#[async_trait]
impl Jobs for SqlStore {
    async fn enqueue(&self, job: Job) -> Result<Job, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        if !has_memories(&mut transaction, &job).await? {
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(Job { state: JobState::Done, unique_key: None, ..job });
        }
        if !insert(&mut transaction, &job).await?
            && let Some(key) = &job.unique_key
        {
            let present = sqlx::query(select_job!("tenant_id = $1 AND kind = $2 AND unique_key = $3"))
                .bind(job.tenant.0)
                .bind(job.kind.as_str())
                .bind(key.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(unavailable)?;
            if let Some(row) = present {
                // Explicit, since a drop ends the transaction, and on PostgreSQL releases its locks, at an unspecified
                // later time.
                transaction.rollback().await.map_err(unavailable)?;
                return read_job(&row);
            }
        }
        transaction.commit().await.map_err(unavailable)?;
        Ok(job)
    }

    async fn claim(&self, kinds: &[&str], now: Timestamp, lease_us: i64) -> Result<Option<Job>, StoreError> {
        for _ in 0..UNREADABLE_PER_CLAIM {
            let row = sqlx::query(dialect::CLAIM_JOB)
                .bind(now.as_micros())
                .bind(now.plus_micros(lease_us).as_micros())
                .bind(serde_json::json!(kinds).to_string())
                .fetch_optional(&self.writer)
                .await
                .map_err(unavailable)?;
            let Some(row) = row else { return Ok(None) };
            if let Some(job) = readable(std::slice::from_ref(&row), read_job)?.pop() {
                return Ok(Some(job));
            }
            self.fail_unreadable(&row, now).await?;
        }
        Ok(None)
    }

    async fn release_left(&self, now: Timestamp) -> Result<u64, StoreError> {
        let result = sqlx::query(dialect::RELEASE_LEFT_JOBS)
            .bind(now.as_micros())
            .execute(&self.writer)
            .await
            .map_err(unavailable)?;
        Ok(result.rows_affected())
    }

    async fn extend(&self, attempt: JobAttempt, now: Timestamp, lease_us: i64) -> Result<bool, StoreError> {
        let result = sqlx::query(
            "UPDATE durable_jobs SET lease_until_us = $3
             WHERE id = $1 AND state = 'running' AND attempts = $2",
        )
        .bind(attempt.job.0)
        .bind(i64::from(attempt.attempt))
        .bind(now.plus_micros(lease_us).as_micros())
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(result.rows_affected() == 1)
    }

    async fn progress(&self, job: &Job, now: Timestamp, lease_us: i64) -> Result<bool, StoreError> {
        let result = sqlx::query(
            "UPDATE durable_jobs
             SET done = $3, total = $4, position = $5, lease_until_us = $6, updated_us = $7
             WHERE id = $1 AND state = 'running' AND attempts = $2",
        )
        .bind(job.id.0)
        .bind(i64::from(job.attempts))
        .bind(job.done.cast_signed())
        .bind(job.total.cast_signed())
        .bind(job.position.as_deref())
        .bind(now.plus_micros(lease_us).as_micros())
        .bind(now.as_micros())
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(result.rows_affected() == 1)
    }

    async fn finish(&self, job: &Job, now: Timestamp, run_after: Timestamp) -> Result<bool, StoreError> {
        let result = sqlx::query(
            "UPDATE durable_jobs SET state = $3, error = $4, failures = $5, run_after_us = $6, updated_us = $7,
                 lease_until_us = NULL, unique_key = $8, result = $9
             WHERE id = $1 AND state = 'running' AND attempts = $2",
        )
        .bind(job.id.0)
        .bind(i64::from(job.attempts))
        .bind(job.state.as_str())
        .bind(job.error.as_deref())
        .bind(i64::from(job.failures))
        .bind(run_after.as_micros())
        .bind(now.as_micros())
        .bind(job.unique_key.as_deref().filter(|_| !job.state.is_over()))
        .bind(job.result.as_deref())
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(result.rows_affected() == 1)
    }

    async fn cancel(&self, tenant: TenantId, id: JobId, now: Timestamp) -> Result<Option<Job>, StoreError> {
        sqlx::query(
            "UPDATE durable_jobs
             SET state = 'cancelled', updated_us = $3, lease_until_us = NULL, unique_key = NULL
             WHERE tenant_id = $1 AND id = $2 AND state IN ('waiting', 'running')",
        )
        .bind(tenant.0)
        .bind(id.0)
        .bind(now.as_micros())
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        self.job(tenant, id).await
    }

    async fn job(&self, tenant: TenantId, id: JobId) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query(select_job!("tenant_id = $1 AND id = $2"))
            .bind(tenant.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(|row| read_job(&row)).transpose()
    }

    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        // Ids are ordered by time, so the greatest is the newest.
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(select_job!(
                "tenant_id = $1 AND state = COALESCE($2, state) AND kind = COALESCE($3, kind) AND id < $4
                 ORDER BY id DESC
                 LIMIT $5"
            ))
            .bind(tenant.0)
            .bind(filter.state.map(JobState::as_str))
            .bind(filter.kind.as_deref().map(dialect::encode_text))
            .bind(after.map_or(Uuid::max(), |id| id.0))
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            if let Some(jobs) = page.take(&rows, read_job)? {
                return Ok(jobs);
            }
        }
    }

    async fn drop_finished_jobs(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        // Found by a reader, since jobs that are kept may be many: the writer is not held up.
        let ids = self.jobs_without_results(before, limit).await?;
        let mut dropped = 0;
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM durable_jobs WHERE id IN (");
            push_ids(&mut statement, some.iter().copied());
            let result = statement.build().execute(&self.writer).await.map_err(unavailable)?;
            dropped += result.rows_affected();
        }
        Ok(dropped)
    }

    async fn count_jobs(&self) -> Result<Vec<JobCount>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, state, COUNT(*) FROM durable_jobs GROUP BY kind, state ORDER BY kind, state",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        readable(&rows, |row| {
            let at = Reader { row, table: "durable_jobs" };
            let count: i64 = at.get(2, "count")?;
            Ok(JobCount {
                kind: at.get(0, "kind")?,
                state: at.parsed(1, "state", JobState::parse)?,
                count: count.max(0).unsigned_abs(),
            })
        })
    }
}

impl SqlStore {
    /// Ends a claimed job whose row cannot be decoded, so that it does not come back when its lease ends.
    async fn fail_unreadable(&self, row: &Row, now: Timestamp) -> Result<(), StoreError> {
        let id: Uuid = Reader { row, table: "durable_jobs" }.get(0, "id")?;
        sqlx::query(
            "UPDATE durable_jobs SET state = 'failed', error = $2, updated_us = $3, lease_until_us = NULL,
                 unique_key = NULL
             WHERE id = $1",
        )
        .bind(id)
        .bind(UNREADABLE_JOB)
        .bind(now.as_micros())
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(())
    }

    /// Finished or cancelled jobs before a time that no derivation names, oldest first.
    async fn jobs_without_results(&self, before: Timestamp, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar(
            "SELECT j.id FROM durable_jobs j
             WHERE j.state IN ('done', 'cancelled') AND j.updated_us < $1
                 AND NOT EXISTS (SELECT 1 FROM derivations d WHERE d.job_id = j.id)
             ORDER BY j.id LIMIT $2",
        )
        .bind(before.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)
    }
}

/// True if a job is about the whole store, or its owner has a partition, which it keeps until the end of the transaction.
async fn has_memories(on: &mut Connection, job: &Job) -> Result<bool, StoreError> {
    let Some(owner) = &job.owner else { return Ok(true) };
    let held: Option<i64> = sqlx::query_scalar(dialect::HOLD_OWNER)
        .bind(job.tenant.0)
        .bind(owner.kind.as_str())
        .bind(owner.id.as_str())
        .fetch_optional(on)
        .await
        .map_err(unavailable)?;
    Ok(held.is_some())
}

/// Inserts a job; returns false if one with its unique key waits or runs. A finished job has released its key.
pub(super) async fn insert(to: &mut Connection, job: &Job) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "INSERT INTO durable_jobs (id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total,
             position, run_after_us, created_us, updated_us, releases_key, owner_kind, owner_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (tenant_id, kind, unique_key) DO NOTHING",
    )
    .bind(job.id.0)
    .bind(job.tenant.0)
    .bind(job.kind.as_str())
    .bind(job.unique_key.as_deref())
    .bind(job.payload.as_str())
    .bind(job.state.as_str())
    .bind(i64::from(job.attempts))
    .bind(i64::from(job.failures))
    .bind(job.done.cast_signed())
    .bind(job.total.cast_signed())
    .bind(job.position.as_deref())
    .bind(job.created_at.as_micros())
    .bind(job.created_at.as_micros())
    .bind(job.updated_at.as_micros())
    .bind(job.releases_key)
    .bind(job.owner.as_ref().map(|owner| owner.kind.as_str()))
    .bind(job.owner.as_ref().map(|owner| owner.id.as_str()))
    .execute(to)
    .await
    .map_err(unavailable)?;
    Ok(result.rows_affected() == 1)
}

/// Refusal of a set that finishes a job whose lease is lost.
pub(super) async fn check_attempt(
    on: &mut Connection,
    set: &ChangeSet,
) -> Result<Option<Refusal>, StoreError> {
    let Some(attempt) = set.finishes else { return Ok(None) };
    let held = holds(on, attempt, Some(set.tenant)).await?;
    Ok((!held).then_some(Refusal::LeaseLost(attempt.job)))
}

/// Finishes the job whose result is this set. The set was checked before, in the same transaction.
pub(super) async fn finish_with_set(on: &mut Connection, set: &ChangeSet) -> Result<(), StoreError> {
    let Some(attempt) = set.finishes else { return Ok(()) };
    sqlx::query(
        "UPDATE durable_jobs
         SET state = 'done', updated_us = $3, lease_until_us = NULL, unique_key = NULL, error = NULL
         WHERE id = $1 AND state = 'running' AND attempts = $2",
    )
    .bind(attempt.job.0)
    .bind(i64::from(attempt.attempt))
    .bind(set.now.as_micros())
    .execute(on)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// True if an attempt is the latest one of a running job, of this tenant if one is given.
pub(super) async fn holds(
    on: &mut Connection,
    attempt: JobAttempt,
    tenant: Option<TenantId>,
) -> Result<bool, StoreError> {
    let held: Option<i64> = sqlx::query_scalar(dialect::HOLD_ATTEMPT)
        .bind(attempt.job.0)
        .bind(i64::from(attempt.attempt))
        .bind(tenant.map(|tenant| tenant.0))
        .fetch_optional(on)
        .await
        .map_err(unavailable)?;
    Ok(held.is_some())
}

/// Decodes a job from [`JOB_COLUMNS`].
pub(super) fn read_job(row: &Row) -> Result<Job, StoreError> {
    let at = Reader { row, table: "durable_jobs" };
    let kind: Option<String> = at.get(15, "owner_kind")?;
    let owner = match kind {
        Some(_) => Some(Owner {
            kind: at.parsed(15, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(16, "owner_id")?,
        }),
        None => None,
    };
    Ok(Job {
        owner,
        id: JobId(at.get(0, "id")?),
        tenant: TenantId(at.get(1, "tenant_id")?),
        kind: at.get(2, "kind")?,
        unique_key: at.get(3, "unique_key")?,
        payload: at.get(4, "payload")?,
        state: at.parsed(5, "state", JobState::parse)?,
        attempts: at.number(6, "attempts")?,
        failures: at.number(7, "failures")?,
        done: at.number(8, "done")?,
        total: at.number(9, "total")?,
        position: at.get(10, "position")?,
        error: at.get(11, "error")?,
        created_at: at.time(12, "created_us")?,
        updated_at: at.time(13, "updated_us")?,
        releases_key: at.get(14, "releases_key")?,
        result: at.get(17, "result")?,
    })
}
