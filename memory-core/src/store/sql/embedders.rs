//! Row recipe in use, and the rows of another recipe while they are made beside those in use.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use uuid::Uuid;

use super::counters::lock_partitions;
use super::insert_buffer::write_index;
use super::jobs::holds;
use super::maintenance::put_setting;
use super::readable::FullPage;
use super::rows::{self, MEMORY_COLUMNS, Reader, memory_columns};
use super::{SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::IndexRow;
use crate::domain::embedder::{EmbedderId, RowRecipe};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::job::JobAttempt;
use crate::domain::time::Timestamp;
use crate::store::{DroppedRows, Embedders, Maintenance, Unembedded};

const IN_USE: &str = "embedder_in_use";

#[async_trait]
impl Embedders for SqlStore {
    async fn embedder_in_use(&self) -> Result<Option<(EmbedderId, RowRecipe)>, StoreError> {
        let Some(value) = self.setting(IN_USE).await? else { return Ok(None) };
        let damaged = || StoreError::Corrupt { table: "settings", column: "value", row: IN_USE.to_owned() };
        // Never `None` for a damaged value: the store would be taken for a new one, and all its rows for those of others.
        let id = value.parse::<i64>().map_err(|_| damaged())?;
        let recipe = sqlx::query("SELECT embedder, tokenizer, key_recipe FROM row_recipes WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?
            .ok_or_else(damaged)?;
        let at = Reader { row: &recipe, table: "row_recipes" };
        let (embedder, tokenizer) = (at.get(0, "embedder")?, at.get(1, "tokenizer")?);
        let key_recipe = at.number(2, "key_recipe")?;
        Ok(Some((EmbedderId(id), RowRecipe { embedder, tokenizer, key_recipe })))
    }

    async fn register_embedder(
        &self,
        recipe: &RowRecipe,
        dimension: u32,
        now: Timestamp,
    ) -> Result<EmbedderId, StoreError> {
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO row_recipes (embedder, tokenizer, key_recipe, dimension, created_us)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (embedder, tokenizer, key_recipe) DO UPDATE SET dimension = excluded.dimension
             RETURNING id",
        )
        .bind(recipe.embedder.as_str())
        .bind(recipe.tokenizer.as_str())
        .bind(i64::from(recipe.key_recipe))
        .bind(i64::from(dimension))
        .bind(now.as_micros())
        .fetch_one(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(EmbedderId(id))
    }

    async fn use_embedder(&self, id: EmbedderId) -> Result<(), StoreError> {
        self.put_setting(IN_USE, &id.0.to_string()).await?;
        self.embedder.store(id.0, Ordering::Release);
        Ok(())
    }

    async fn use_embedder_for(&self, id: EmbedderId, attempt: JobAttempt) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        if !holds(&mut transaction, attempt, None).await? {
            // Explicit, since a drop ends the transaction, and on PostgreSQL releases its locks, at an unspecified
            // later time.
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(false);
        }
        put_setting(&mut *transaction, IN_USE, &id.0.to_string()).await?;
        transaction.commit().await.map_err(unavailable)?;
        self.embedder.store(id.0, Ordering::Release);
        Ok(true)
    }

    async fn unembedded(
        &self,
        id: EmbedderId,
        after: Option<(PartitionId, MemoryId)>,
        limit: u32,
    ) -> Result<Vec<Unembedded>, StoreError> {
        let (partition, memory) =
            after.map_or((0, Uuid::nil()), |(partition, memory)| (partition.0, memory.0));
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(concat!(
                "SELECT ",
                memory_columns!("COALESCE(m.text, t.text), m.partition_id"),
                "WHERE (m.partition_id, m.id) > ($2, $3) AND NOT EXISTS (
                 SELECT 1 FROM index_rows r
                 WHERE r.partition_id = m.partition_id AND r.embedder_id = $1 AND r.memory_id = m.id
             )
             ORDER BY m.partition_id, m.id
             LIMIT $4",
            ))
            .bind(id.0)
            .bind(partition)
            .bind(memory)
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            let wanting = page.take(&rows, |row| {
                let partition = Reader { row, table: "memories" }.get(MEMORY_COLUMNS, "partition_id")?;
                Ok(Unembedded { partition: PartitionId(partition), memory: rows::memory(row)? })
            })?;
            if let Some(wanting) = wanting {
                return Ok(wanting);
            }
        }
    }

    async fn put_rows(
        &self,
        id: EmbedderId,
        memories: &[(PartitionId, MemoryId, u32, Vec<IndexRow>)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let partitions = memories.iter().map(|(partition, ..)| *partition).collect();
        lock_partitions(&mut transaction, &partitions).await?;
        let mut fresh = Vec::new();
        for (partition, memory, version, rows) in memories {
            let wanting: Option<i64> = sqlx::query_scalar(
                "SELECT CAST(1 AS BIGINT) FROM memories m
                 WHERE m.partition_id = $1 AND m.id = $2 AND m.version = $3 AND NOT EXISTS (
                     SELECT 1 FROM index_rows r
                     WHERE r.partition_id = m.partition_id AND r.embedder_id = $4 AND r.memory_id = m.id
                 )",
            )
            .bind(partition.0)
            .bind(memory.0)
            .bind(i64::from(*version))
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unavailable)?;
            if wanting.is_some() {
                fresh.extend(rows.iter().map(|row| (*partition, *memory, row)));
            }
        }
        write_index(&mut transaction, &fresh, id.0).await?;
        transaction.commit().await.map_err(unavailable)
    }

    async fn drop_unreadable_rows(&self) -> Result<u64, StoreError> {
        self.drop_unreadable().await
    }

    async fn drop_other_rows(
        &self,
        from: Option<PartitionId>,
        limit: u32,
    ) -> Result<DroppedRows, StoreError> {
        let in_use = self.embedder().0;
        let others: Vec<i64> = sqlx::query_scalar("SELECT id FROM row_recipes WHERE id <> $1")
            .bind(in_use)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        let mut dropped = DroppedRows::default();
        let mut next = from.map_or(0, |id| id.0);
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        while let Some(partition) = self.next_with_other_rows(in_use, next).await? {
            dropped.next = Some(PartitionId(partition));
            for other in &others {
                let rest = u64::from(limit).saturating_sub(dropped.rows);
                let result = sqlx::query(
                    "DELETE FROM index_rows WHERE (partition_id, embedder_id, memory_id, key_kind, chunk) IN (
                         SELECT partition_id, embedder_id, memory_id, key_kind, chunk FROM index_rows
                         WHERE partition_id = $1 AND embedder_id = $2
                         LIMIT $3
                     )",
                )
                .bind(partition)
                .bind(other)
                .bind(rest.cast_signed())
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
                dropped.rows += result.rows_affected();
            }
            if dropped.rows >= u64::from(limit) {
                break;
            }
            next = partition.saturating_add(1);
        }
        transaction.commit().await.map_err(unavailable)?;
        Ok(dropped)
    }
}

impl SqlStore {
    /// Next partition from `from` on with rows under another number than the one in use. A reader looks for it, since
    /// partitions without such rows may be many.
    async fn next_with_other_rows(&self, in_use: i64, from: i64) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar(
            "SELECT p.id FROM partitions p WHERE p.id >= $2 AND EXISTS
                 (SELECT 1 FROM row_recipes e WHERE e.id <> $1 AND EXISTS
                     (SELECT 1 FROM index_rows r WHERE r.partition_id = p.id AND r.embedder_id = e.id))
             ORDER BY p.id LIMIT 1",
        )
        .bind(in_use)
        .bind(from)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)
    }
}
