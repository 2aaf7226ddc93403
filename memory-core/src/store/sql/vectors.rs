//! Missing vectors: the rows without one, and vectors written later, with their entries in the change log.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::counters::lock_partition;
use super::jobs::holds;
use super::readable::FullPage;
use super::rows::{Reader, vector_bytes};
use super::{Connection, Db, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::KeyKind;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::store::{ChangeOp, MadeVector, PutVectors, RowToEmbed, Vectors, VectorsPut, VectorsToPut};

#[async_trait]
impl Vectors for SqlStore {
    async fn rows_to_embed(
        &self,
        tenant: TenantId,
        after: Option<RowToEmbed>,
        limit: u32,
    ) -> Result<Vec<RowToEmbed>, StoreError> {
        let (partition, memory, key, chunk) = after.map_or((0, Uuid::nil(), 0, 0), |after| {
            (after.partition.0, after.memory.0, after.key.code(), i64::from(after.chunk))
        });
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(
                "SELECT r.memory_id, r.partition_id, r.key_kind, r.chunk, r.span_start, r.span_end
             FROM index_rows r
             WHERE r.embedder_id = $1 AND r.vector IS NULL
                 AND (r.partition_id, r.memory_id, r.key_kind, r.chunk) > ($2, $3, $4, $5)
                 AND EXISTS (SELECT 1 FROM partitions p WHERE p.id = r.partition_id AND p.tenant_id = $6)
             ORDER BY r.partition_id, r.memory_id, r.key_kind, r.chunk
             LIMIT $7",
            )
            .bind(self.embedder().0)
            .bind(partition)
            .bind(memory)
            .bind(key)
            .bind(chunk)
            .bind(tenant.0)
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            if let Some(found) = page.take(&rows, read)? {
                return Ok(found);
            }
        }
    }

    async fn count_rows_to_embed(&self, at_most: u32) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM (
                 SELECT chunk FROM index_rows WHERE embedder_id = $1 AND vector IS NULL LIMIT $2
             ) AS listed",
        )
        .bind(self.embedder().0)
        .bind(i64::from(at_most))
        .fetch_one(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(count.unsigned_abs())
    }

    async fn tenants_to_embed(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT DISTINCT p.tenant_id FROM partitions p
             WHERE p.tenant_id <> $2 AND p.id IN (
                 SELECT partition_id FROM index_rows WHERE embedder_id = $1 AND vector IS NULL
             )
             LIMIT $3",
        )
        .bind(self.embedder().0)
        .bind(TenantId::ERASED.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(ids.into_iter().map(TenantId).collect())
    }

    async fn without_vectors(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<MemoryId>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT DISTINCT memory_id FROM index_rows WHERE vector IS NULL AND embedder_id = ",
            );
            statement.push_bind(self.embedder().0).push(" AND partition_id = ").push_bind(partition.0);
            statement.push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&self.readers).await.map_err(unavailable)?;
            found.extend(rows.into_iter().map(MemoryId));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn put_vectors(&self, made: &VectorsToPut) -> Result<PutVectors, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        if !holds(&mut transaction, made.attempt, None).await? {
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(PutVectors::LeaseLost);
        }
        let Some(counters) = lock_partition(&mut transaction, made.partition).await? else {
            // Its owner was erased meanwhile.
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(PutVectors::Done(VectorsPut::default()));
        };
        let mut changed: BTreeMap<MemoryId, u32> = BTreeMap::new();
        let mut written = 0;
        for one in &made.vectors {
            if put(&mut transaction, made, one).await? {
                written += 1;
                changed.insert(one.row.memory, one.version);
            }
        }
        let (seq_before, mut seq) = (counters.last_seq, counters.last_seq);
        for (memory, version) in &changed {
            seq += 1;
            log(&mut transaction, made, (seq, *memory, *version)).await?;
        }
        if seq > seq_before {
            sqlx::query("UPDATE partitions SET last_seq = $2 WHERE id = $1")
                .bind(made.partition.0)
                .bind(seq.cast_signed())
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)?;
        let memories = changed.into_keys().collect();
        Ok(PutVectors::Done(VectorsPut { seq_before, seq_after: seq, written, memories }))
    }
}

/// Writes one vector; false if its row is not to be changed any more.
async fn put(to: &mut Connection, made: &VectorsToPut, one: &MadeVector) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE index_rows SET vector = $1
         WHERE partition_id = $2 AND embedder_id = $3 AND memory_id = $4 AND key_kind = $5 AND chunk = $6
             AND vector IS NULL AND EXISTS (
                 SELECT 1 FROM memories m WHERE m.partition_id = $2 AND m.id = $4 AND m.version = $7
             )",
    )
    .bind(vector_bytes(&one.vector))
    .bind(made.partition.0)
    .bind(made.embedder.0)
    .bind(one.row.memory.0)
    .bind(one.row.key.code())
    .bind(i64::from(one.row.chunk))
    .bind(i64::from(one.version))
    .execute(to)
    .await
    .map_err(unavailable)?;
    Ok(result.rows_affected() > 0)
}

async fn log(
    to: &mut Connection,
    made: &VectorsToPut,
    (seq, memory, version): (u64, MemoryId, u32),
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO changes (partition_id, seq, op, memory_id, version, recorded_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(made.partition.0)
    .bind(seq.cast_signed())
    .bind(ChangeOp::Put.code())
    .bind(memory.0)
    .bind(i64::from(version))
    .bind(made.now.as_micros())
    .execute(to)
    .await
    .map_err(unavailable)?;
    Ok(())
}

fn read(row: &Row) -> Result<RowToEmbed, StoreError> {
    let at = Reader { row, table: "index_rows" };
    let code: i16 = at.get(2, "key_kind")?;
    Ok(RowToEmbed {
        memory: MemoryId(at.get(0, "memory_id")?),
        partition: PartitionId(at.get(1, "partition_id")?),
        key: KeyKind::from_code(i64::from(code)).ok_or_else(|| at.corrupt("key_kind", "is unknown"))?,
        chunk: at.number(3, "chunk")?,
        span: (at.number(4, "span_start")?, at.number(5, "span_end")?),
    })
}
