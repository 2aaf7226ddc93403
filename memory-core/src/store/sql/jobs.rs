//! Durable jobs.

use async_trait::async_trait;

use super::rows::Reader;
use super::{Connection, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::{Job, JobState};
use crate::domain::time::Timestamp;
use crate::store::Jobs;

/// What [`read`] reads by position; `dialect::CLAIM_JOB` returns the same.
macro_rules! select_job {
    ($condition:literal) => {
        concat!(
            "SELECT id, tenant_id, kind, unique_key, payload, state, attempts, done, total, position, error, ",
            "created_us, updated_us FROM jobs WHERE ",
            $condition
        )
    };
}

#[async_trait]
impl Jobs for SqlStore {
    async fn enqueue(&self, job: Job) -> Result<Job, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        if !insert(&mut transaction, &job).await?
            && let Some(key) = &job.unique_key
        {
            let present = sqlx::query(select_job!("unique_key = $1"))
                .bind(key.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(unavailable)?;
            if let Some(row) = present {
                return read(&row);
            }
        }
        transaction.commit().await.map_err(unavailable)?;
        Ok(job)
    }

    async fn claim(&self, now: Timestamp, lease_us: i64) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query(dialect::CLAIM_JOB)
            .bind(now.as_micros())
            .bind(now.plus_micros(lease_us).as_micros())
            .fetch_optional(&self.writer)
            .await
            .map_err(unavailable)?;
        row.map(|row| read(&row)).transpose()
    }

    async fn progress(&self, job: &Job, now: Timestamp, lease_us: i64) -> Result<bool, StoreError> {
        let result = sqlx::query(
            "UPDATE jobs SET done = $3, total = $4, position = $5, lease_until_us = $6, updated_us = $7
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

    async fn finish(&self, job: &Job, now: Timestamp, run_after: Timestamp) -> Result<(), StoreError> {
        let is_over = matches!(job.state, JobState::Done | JobState::Failed);
        sqlx::query(
            "UPDATE jobs SET state = $3, done = $4, total = $5, position = $6, error = $7, run_after_us = $8,
                 updated_us = $9, lease_until_us = NULL, unique_key = $10
             WHERE id = $1 AND attempts = $2",
        )
        .bind(job.id.0)
        .bind(i64::from(job.attempts))
        .bind(job.state.as_str())
        .bind(job.done.cast_signed())
        .bind(job.total.cast_signed())
        .bind(job.position.as_deref())
        .bind(job.error.as_deref())
        .bind(run_after.as_micros())
        .bind(now.as_micros())
        .bind(job.unique_key.as_deref().filter(|_| !is_over))
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(())
    }

    async fn job(&self, tenant: TenantId, id: JobId) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query(select_job!("tenant_id = $1 AND id = $2"))
            .bind(tenant.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(|row| read(&row)).transpose()
    }
}

/// Writes a job; false if one with its unique key waits or runs. A job that is over has given its key back.
pub(super) async fn insert(to: &mut Connection, job: &Job) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "INSERT INTO jobs (id, tenant_id, kind, unique_key, payload, state, attempts, done, total, position,
             run_after_us, created_us, updated_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (unique_key) DO NOTHING",
    )
    .bind(job.id.0)
    .bind(job.tenant.0)
    .bind(job.kind.as_str())
    .bind(job.unique_key.as_deref())
    .bind(job.payload.as_str())
    .bind(job.state.as_str())
    .bind(i64::from(job.attempts))
    .bind(job.done.cast_signed())
    .bind(job.total.cast_signed())
    .bind(job.position.as_deref())
    .bind(job.created_at.as_micros())
    .bind(job.created_at.as_micros())
    .bind(job.updated_at.as_micros())
    .execute(to)
    .await
    .map_err(unavailable)?;
    Ok(result.rows_affected() == 1)
}

fn read(row: &Row) -> Result<Job, StoreError> {
    let at = Reader { row, table: "jobs" };
    Ok(Job {
        id: JobId(at.get(0, "id")?),
        tenant: TenantId(at.get(1, "tenant_id")?),
        kind: at.get(2, "kind")?,
        unique_key: at.get(3, "unique_key")?,
        payload: at.get(4, "payload")?,
        state: at.parsed(5, "state", JobState::parse)?,
        attempts: at.number(6, "attempts")?,
        done: at.number(7, "done")?,
        total: at.number(8, "total")?,
        position: at.get(9, "position")?,
        error: at.get(10, "error")?,
        created_at: at.time(11, "created_us")?,
        updated_at: at.time(12, "updated_us")?,
    })
}
