//! Deletion of a detached partition, newest memories first, in bounded transactions. Invariant: between two of them, what is
//! left keeps all rules of the tables, so that a check of the store finds nothing.

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::counters::lock_partition;
use super::{Connection, Db, SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::Retraction;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::store::{DetachedStep, Erasures, Memories as _, OwnerExtent};

/// Kind of owner of detached partitions.
pub(super) const DETACHED_NAME: &str = "user";
/// Maximum number of rows that one step deletes of a table without regard to memories.
const ROWS_PER_STEP: i64 = 2_000;
/// Tables whose rows no rule of the others needs, with the columns of their keys. Changes come by themselves.
const FREE_TABLES: [(&str, &str); 10] = [
    ("forgotten", "memory_id"),
    ("request_items", "memory_id, record_id"),
    ("grant_memories", "grant_id, memory_id"),
    ("grant_events", "grant_id, id"),
    ("recalls", "id"),
    ("model_usage", "day, task, model"),
    ("thinking_queue", "mechanism, seq"),
    ("memory_groups", "group_key, memory_id"),
    ("link_targets", "to_id, from_id"),
    ("derivation_inputs", "source_id, derivation_id"),
];

#[async_trait]
impl Erasures for SqlStore {
    async fn erasure_closure(
        &self,
        partition: PartitionId,
        roots: &[MemoryId],
        without: &[Retraction],
        limit: usize,
    ) -> Result<Option<Vec<MemoryId>>, StoreError> {
        let mut snapshot = self.readers.begin_with(dialect::BEGIN_READ).await.map_err(unavailable)?;
        let closure =
            super::erasure_closure::closure(&mut snapshot, partition, roots, without, limit).await?;
        snapshot.commit().await.map_err(unavailable)?;
        Ok(closure)
    }

    async fn owner_extent(&self, tenant: TenantId, owner: &Owner) -> Result<Option<OwnerExtent>, StoreError> {
        let Some(partition) = self.partition_of(tenant, owner).await? else { return Ok(None) };
        let mut snapshot = self.readers.begin_with(dialect::BEGIN_READ).await.map_err(unavailable)?;
        let count: Option<i64> = sqlx::query_scalar(concat!(
            "SELECT ",
            dialect::counter!(memory_count),
            " FROM partitions WHERE id = $1 AND tenant_id = $2"
        ))
        .bind(partition.0)
        .bind(tenant.0)
        .fetch_optional(&mut *snapshot)
        .await
        .map_err(unavailable)?;
        let newest = newest_memory(&mut snapshot, partition).await?;
        snapshot.commit().await.map_err(unavailable)?;
        Ok(count.map(|count| OwnerExtent { partition, memories: count.max(0).unsigned_abs(), newest }))
    }

    async fn detached_partitions(&self, limit: u32) -> Result<Vec<(TenantId, PartitionId)>, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, owner_id FROM partitions WHERE tenant_id = $1 LIMIT $2")
                .bind(TenantId::ERASED.0)
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await
                .map_err(unavailable)?;
        let tenant = |name: &str| {
            let tenant = name.split('/').next().and_then(|tenant| Uuid::parse_str(tenant).ok());
            tenant.map_or(TenantId::DEFAULT, TenantId)
        };
        Ok(rows.into_iter().map(|(id, name)| (tenant(&name), PartitionId(id))).collect())
    }

    async fn erase_detached(
        &self,
        partition: PartitionId,
        now: Timestamp,
    ) -> Result<DetachedStep, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        lock_partition(&mut transaction, partition).await?;
        let is_detached: Option<i64> =
            sqlx::query_scalar("SELECT id FROM partitions WHERE id = $1 AND tenant_id = $2")
                .bind(partition.0)
                .bind(TenantId::ERASED.0)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(unavailable)?;
        if is_detached.is_none() {
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(DetachedStep { memories: 0, is_done: true });
        }
        let step = delete_some(&mut transaction, partition).await?;
        transaction.commit().await.map_err(unavailable)?;
        self.purging.after_commit(&self.writer, &[now]).await;
        Ok(step)
    }
}

/// Deletes all that is left of a detached partition without memories and with a short log.
pub(super) async fn delete_all(
    connection: &mut Connection,
    partition: PartitionId,
) -> Result<(), StoreError> {
    while !delete_some(connection, partition).await?.is_done {}
    Ok(())
}

/// Newest memory of a partition.
pub(super) async fn newest_memory(
    connection: &mut Connection,
    partition: PartitionId,
) -> Result<Option<MemoryId>, StoreError> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM memories WHERE partition_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(partition.0)
            .fetch_optional(connection)
            .await
            .map_err(unavailable)?;
    Ok(id.map(MemoryId))
}

/// One step: of the first table that has rows. The last step deletes the partition.
async fn delete_some(
    connection: &mut Connection,
    partition: PartitionId,
) -> Result<DetachedStep, StoreError> {
    for (table, key) in FREE_TABLES {
        let statement = format!(
            "DELETE FROM {table} WHERE partition_id = $1 AND ({key}) IN
                 (SELECT {key} FROM {table} WHERE partition_id = $1 LIMIT $2)"
        );
        if rows_of(connection, statement, partition).await? > 0 {
            return Ok(DetachedStep::default());
        }
    }
    let memories = delete_newest(connection, partition).await?;
    if memories > 0 {
        return Ok(DetachedStep { memories, is_done: false });
    }
    // From the end, so that the log has no gap and ends at the partition's number.
    let entries = "DELETE FROM changes WHERE partition_id = $1 AND seq IN
                       (SELECT seq FROM changes WHERE partition_id = $1 ORDER BY seq DESC LIMIT $2)";
    let entries = rows_of(connection, entries.to_owned(), partition).await?;
    if entries > 0 {
        count_down(connection, partition, (0, entries)).await?;
        return Ok(DetachedStep::default());
    }
    for statement in [
        // Only a damaged store has any of these left.
        "DELETE FROM turns WHERE partition_id = $1",
        "DELETE FROM sessions WHERE partition_id = $1",
        "DELETE FROM derivations WHERE partition_id = $1",
        "DELETE FROM memory_versions WHERE partition_id = $1",
        "DELETE FROM index_rows WHERE partition_id = $1",
        "DELETE FROM partitions WHERE id = $1",
        "INSERT INTO removed_partitions (id)
             SELECT CAST($1 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM removed_partitions WHERE id >= $1)",
        "DELETE FROM removed_partitions WHERE id < $1",
    ] {
        sqlx::query(statement).bind(partition.0).execute(&mut *connection).await.map_err(unavailable)?;
    }
    Ok(DetachedStep { memories: 0, is_done: true })
}

async fn rows_of(
    connection: &mut Connection,
    statement: String,
    partition: PartitionId,
) -> Result<u64, StoreError> {
    let deleted = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(partition.0)
        .bind(ROWS_PER_STEP)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(deleted.rows_affected())
}

/// Deletes the newest memories with their rows, versions, derivations, turns, and the sessions that are empty then; returns
/// their number.
async fn delete_newest(connection: &mut Connection, partition: PartitionId) -> Result<u64, StoreError> {
    type Row = (Uuid, Option<Uuid>, Option<Uuid>);
    let limit = i64::try_from(IDS_PER_STATEMENT).unwrap_or(i64::MAX);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, turn_id, derivation_id FROM memories WHERE partition_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(partition.0)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await
    .map_err(unavailable)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let memories: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
    let turns: Vec<Uuid> = rows.iter().filter_map(|row| row.1).collect();
    let mut derivations: Vec<Uuid> = rows.iter().filter_map(|row| row.2).collect();
    let earlier = "SELECT derivation_id FROM memory_versions WHERE derivation_id IS NOT NULL AND";
    derivations.extend(select(connection, earlier, (partition, "id"), &memories).await?);
    let sessions =
        select(connection, "SELECT DISTINCT session_id FROM turns WHERE", (partition, "id"), &turns);
    let sessions = sessions.await?;
    // The recipe's number comes second in the key of the index rows: without it, each step would read the whole partition.
    for (table, condition, ids) in [
        ("index_rows", "embedder_id IN (SELECT id FROM row_recipes) AND memory_id", &memories),
        ("memory_versions", "id", &memories),
        ("memories", "id", &memories),
        ("derivations", "id", &derivations),
        ("turns", "id", &turns),
    ] {
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM ");
            statement.push(table).push(" WHERE partition_id = ").push_bind(partition.0);
            statement.push(" AND ").push(condition).push(" IN (");
            push_ids(&mut statement, some.iter().copied());
            let deleted = statement.build().execute(&mut *connection).await.map_err(unavailable)?;
            if table == "memories" && deleted.rows_affected() == 0 {
                // They are listed, and cannot be found by their ids: without an end here, they would be listed for ever.
                return Err(StoreError::Damaged("memories are not at the place of their ids".into()));
            }
        }
    }
    for session in sessions {
        sqlx::query(
            "DELETE FROM sessions WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM turns WHERE session_id = $1)",
        )
        .bind(session)
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    }
    let count = rows.len() as u64;
    count_down(connection, partition, (count, 0)).await?;
    Ok(count)
}

/// Ids that a statement selects for these ids of the partition.
async fn select(
    connection: &mut Connection,
    head: &'static str,
    (partition, column): (PartitionId, &'static str),
    ids: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = QueryBuilder::<Db>::new(head);
    statement.push(" partition_id = ").push_bind(partition.0).push(" AND ").push(column).push(" IN (");
    push_ids(&mut statement, ids.iter().copied());
    statement.build_query_scalar().fetch_all(connection).await.map_err(unavailable)
}

async fn count_down(
    connection: &mut Connection,
    partition: PartitionId,
    (memories, entries): (u64, u64),
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE partitions SET memory_count = memory_count - $2, last_seq = last_seq - $3 WHERE id = $1",
    )
    .bind(partition.0)
    .bind(memories.cast_signed())
    .bind(entries.cast_signed())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
