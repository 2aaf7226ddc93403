//! Account of model calls: one row per owner, day, task and model.

use async_trait::async_trait;

use super::counters::lock_partition;
use super::dialect::{decode_text, encode_text};
use super::readable::readable;
use super::rows::Reader;
use super::{Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::id::{PartitionId, TenantId};
use crate::store::{USAGE_ENTRIES_AT_MOST, Usage, UsageEntry, UsageLedger};

/// Maximum of one number of a usage entry, so that the sums of millions of entries fit into a column.
const MAX_SUMMAND: u64 = 1 << 40;

/// Sums of usage by day, task and model, under a condition.
macro_rules! sum_usage {
    ($condition:literal) => {
        concat!(
            "SELECT u.day, u.task, u.model, CAST(SUM(u.calls) AS BIGINT), CAST(SUM(u.refused_replies) AS BIGINT),
                 CAST(SUM(u.failures) AS BIGINT), CAST(SUM(u.prompt_tokens) AS BIGINT),
                 CAST(SUM(u.reply_tokens) AS BIGINT), CAST(SUM(u.cost_micros) AS BIGINT)
             FROM model_usage u JOIN partitions p ON p.id = u.partition_id
             WHERE p.tenant_id = $1 AND ",
            $condition,
            " AND u.day >= $3 GROUP BY u.day, u.task, u.model ORDER BY u.day DESC, u.task, u.model LIMIT $4"
        )
    };
}

const USAGE_OF_PARTITION: &str = sum_usage!("p.id = $2");
/// The partition, which is null, is a parameter of both.
const USAGE_OF_TENANT: &str = sum_usage!("CAST($2 AS BIGINT) IS NULL");

#[async_trait]
impl UsageLedger for SqlStore {
    async fn add_usage(&self, partition: PartitionId, entries: &[UsageEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        if lock_partition(&mut transaction, partition).await?.is_none() {
            // Its owner was erased during the call.
            return transaction.rollback().await.map_err(unavailable);
        }
        // In one order in every transaction, so that no two wait for each other.
        let mut ordered: Vec<&UsageEntry> = entries.iter().collect();
        ordered.sort_unstable_by_key(|entry| (entry.day, &entry.task, &entry.model));
        for UsageEntry { day, task, model, usage } in ordered {
            let number = |value: u64| value.min(MAX_SUMMAND).cast_signed();
            sqlx::query(
                "INSERT INTO model_usage (partition_id, day, task, model, calls, refused_replies, failures,
                     prompt_tokens, reply_tokens, cost_micros)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (partition_id, day, task, model) DO UPDATE SET
                     calls = model_usage.calls + excluded.calls,
                     refused_replies = model_usage.refused_replies + excluded.refused_replies,
                     failures = model_usage.failures + excluded.failures,
                     prompt_tokens = model_usage.prompt_tokens + excluded.prompt_tokens,
                     reply_tokens = model_usage.reply_tokens + excluded.reply_tokens,
                     cost_micros = model_usage.cost_micros + excluded.cost_micros",
            )
            .bind(partition.0)
            .bind(*day)
            .bind(encode_text(task))
            .bind(encode_text(model))
            .bind(number(usage.calls))
            .bind(number(usage.refused_replies))
            .bind(number(usage.failures))
            .bind(number(usage.prompt_tokens))
            .bind(number(usage.reply_tokens))
            .bind(number(usage.cost_micros))
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)
    }

    async fn usage(
        &self,
        tenant: TenantId,
        partition: Option<PartitionId>,
        since_day: i64,
    ) -> Result<Vec<UsageEntry>, StoreError> {
        let statement = if partition.is_some() { USAGE_OF_PARTITION } else { USAGE_OF_TENANT };
        let rows = sqlx::query(statement)
            .bind(tenant.0)
            .bind(partition.map(|id| id.0))
            .bind(since_day)
            .bind(i64::from(USAGE_ENTRIES_AT_MOST))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        readable(&rows, usage_entry)
    }
}

fn usage_entry(row: &Row) -> Result<UsageEntry, StoreError> {
    let at = Reader { row, table: "model_usage" };
    Ok(UsageEntry {
        day: at.get(0, "day")?,
        task: decode_text(at.get(1, "task")?),
        model: decode_text(at.get(2, "model")?),
        usage: Usage {
            calls: at.number(3, "calls")?,
            refused_replies: at.number(4, "refused_replies")?,
            failures: at.number(5, "failures")?,
            prompt_tokens: at.number(6, "prompt_tokens")?,
            reply_tokens: at.number(7, "reply_tokens")?,
            cost_micros: at.number(8, "cost_micros")?,
        },
    })
}
