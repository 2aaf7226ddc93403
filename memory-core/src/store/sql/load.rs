//! Source of the index: a snapshot of a partition, its change log, or single memories of it.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::readable::readable;
use super::rows::{self, Reader, forgotten_columns, memory_columns};
use super::{Connection, Db, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::{IndexRow, KeyKind};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::store::{ChangeEntry, ChangeOp, Extent, IndexSource, Indexed, Retained};

/// Maximum number of memories read at a time: it bounds the memory in use beside the index that is being built.
const MEMORIES_PER_STEP: i64 = 2_048;

/// Last number of the change log of a partition.
pub(super) const SELECT_LAST_SEQ: &str =
    concat!("SELECT ", dialect::counter!(last_seq), " FROM partitions WHERE id = $1");
const SELECT_EXTENT: &str = concat!(
    "SELECT ",
    dialect::counter!(last_seq),
    ", ",
    dialect::counter!(memory_count),
    " FROM partitions WHERE id = $1"
);

pub(super) const ROW_COLUMNS: &str = "memory_id, key_kind, chunk, span_start, span_end, terms, vector";

#[async_trait]
impl IndexSource for SqlStore {
    async fn dimension(&self) -> Result<usize, StoreError> {
        dimension_of(&self.readers, self.embedder().0).await
    }

    async fn load(
        &self,
        partition: PartitionId,
        each: &mut (dyn FnMut(Indexed) + Send),
    ) -> Result<u64, StoreError> {
        let embedder = self.embedder().0;
        let mut snapshot = self.readers.begin_with(dialect::BEGIN_READ).await.map_err(unavailable)?;
        let seq: Option<i64> = sqlx::query_scalar(SELECT_LAST_SEQ)
            .bind(partition.0)
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(unavailable)?;
        let mut after = Uuid::nil();
        loop {
            let (memories, last) = next_memories(&mut snapshot, partition, after).await?;
            let Some(last) = last else { break };
            let found = rows_between(&mut snapshot, partition, embedder, (after, last)).await?;
            join(memories, found, each);
            after = last;
        }
        snapshot.commit().await.map_err(unavailable)?;
        Ok(seq.unwrap_or(0).unsigned_abs())
    }

    async fn extent(&self, partition: PartitionId) -> Result<Extent, StoreError> {
        let found: Option<(i64, i64)> = sqlx::query_as(SELECT_EXTENT)
            .bind(partition.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        let (last_seq, memories) = found.unwrap_or_default();
        Ok(Extent { last_seq: last_seq.unsigned_abs(), memories: memories.unsigned_abs() })
    }

    async fn changes(
        &self,
        partition: PartitionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, op, memory_id FROM changes WHERE partition_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(partition.0)
        .bind(after.cast_signed())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        readable(&rows, |row| {
            let at = Reader { row, table: "changes" };
            let (seq, op): (i64, i16) = (at.get(0, "seq")?, at.get(1, "op")?);
            let unknown =
                || StoreError::Corrupt { table: "changes", column: "op", row: format!("{partition}/{seq}") };
            let op = ChangeOp::from_code(i64::from(op)).ok_or_else(unknown)?;
            Ok(ChangeEntry { seq: seq.unsigned_abs(), op, memory: MemoryId(at.get(2, "memory_id")?) })
        })
    }

    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError> {
        let mut memories = self.memories_without_text(partition, ids).await?;
        memories.sort_unstable_by_key(|memory| memory.id);
        let mut statement = QueryBuilder::<Db>::new("SELECT ");
        statement.push(ROW_COLUMNS).push(" FROM index_rows WHERE partition_id = ").push_bind(partition.0);
        statement.push(" AND embedder_id = ").push_bind(self.embedder().0).push(" AND memory_id IN (");
        push_ids(&mut statement, ids.iter().map(|id| id.0));
        statement.push(" ORDER BY memory_id, key_kind, chunk");
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows = readable(&rows, index_row)?;
        let mut indexed = Vec::with_capacity(memories.len());
        join(memories, rows, &mut |one| indexed.push(one));
        Ok(indexed)
    }

    async fn retained(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Retained>, StoreError> {
        let mut retained = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(concat!(
                "SELECT m.id, m.importance, m.strength, m.refreshed_us, m.uses, m.pinned, m.nearest_cosine, ",
                forgotten_columns!(),
                " FROM memories m
                 LEFT JOIN forgotten f ON f.partition_id = m.partition_id AND f.memory_id = m.id
                 WHERE m.partition_id = ",
            ));
            statement.push_bind(partition.0).push(" AND m.id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            retained.extend(readable(&rows, |row| {
                let at = Reader { row, table: "memories" };
                let strength = rows::strength(&at, 1, 4)?;
                let forgotten = rows::forgotten(&at, 7)?;
                Ok(Retained { memory: MemoryId(at.get(0, "id")?), strength, forgotten })
            })?);
        }
        Ok(retained)
    }
}

impl SqlStore {
    async fn memories_without_text(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<Memory>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(concat!("SELECT ", memory_columns!("NULL")));
        statement.push("WHERE m.partition_id = ").push_bind(partition.0).push(" AND m.id IN (");
        push_ids(&mut statement, ids.iter().map(|id| id.0));
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        readable(&rows, rows::memory)
    }
}

/// Number of components of the vectors under an embedder's number; 0 if there is no such number.
async fn dimension_of<'e>(
    from: impl sqlx::Executor<'e, Database = Db>,
    embedder: i64,
) -> Result<usize, StoreError> {
    let dimension: Option<i64> = sqlx::query_scalar("SELECT dimension FROM row_recipes WHERE id = $1")
        .bind(embedder)
        .fetch_optional(from)
        .await
        .map_err(unavailable)?;
    Ok(dimension.and_then(|dimension| usize::try_from(dimension).ok()).unwrap_or(0))
}

/// The next memories that can be decoded, and the last id that was read; `None` after the last memory.
async fn next_memories(
    snapshot: &mut Connection,
    partition: PartitionId,
    after: Uuid,
) -> Result<(Vec<Memory>, Option<Uuid>), StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        memory_columns!("NULL"),
        "WHERE m.partition_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3"
    ))
    .bind(partition.0)
    .bind(after)
    .bind(MEMORIES_PER_STEP)
    .fetch_all(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    Ok((readable(&rows, rows::memory)?, last_id(&rows)))
}

async fn rows_between(
    snapshot: &mut Connection,
    partition: PartitionId,
    embedder: i64,
    (after, last): (Uuid, Uuid),
) -> Result<Vec<(MemoryId, IndexRow)>, StoreError> {
    let rows = sqlx::query(
        "SELECT memory_id, key_kind, chunk, span_start, span_end, terms, vector FROM index_rows
         WHERE partition_id = $1 AND embedder_id = $2 AND memory_id > $3 AND memory_id <= $4
         ORDER BY memory_id, key_kind, chunk",
    )
    .bind(partition.0)
    .bind(embedder)
    .bind(after)
    .bind(last)
    .fetch_all(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    readable(&rows, index_row)
}

/// Assigns the rows to their memories; both are in the order of ids.
fn join(memories: Vec<Memory>, rows: Vec<(MemoryId, IndexRow)>, each: &mut (dyn FnMut(Indexed) + Send)) {
    let mut rows = rows.into_iter().peekable();
    for memory in memories {
        let mut own = Vec::new();
        while let Some((_, row)) = rows.next_if(|(id, _)| *id <= memory.id) {
            own.push(row);
        }
        each(Indexed { memory, rows: own });
    }
}

/// The last id among rows that begin with one, undecodable ones apart.
pub(super) fn last_id(rows: &[Row]) -> Option<Uuid> {
    rows.iter().rev().find_map(|row| Reader { row, table: "memories" }.get(0, "id").ok())
}

/// Decodes an index row from [`ROW_COLUMNS`]. The terms stay encoded; the length of the vector is for the reader to
/// compare.
pub(super) fn index_row(row: &Row) -> Result<(MemoryId, IndexRow), StoreError> {
    let at = Reader { row, table: "index_rows" };
    let code: i16 = at.get(1, "key_kind")?;
    let vector: Option<&[u8]> = at.get(6, "vector")?;
    if vector.is_some_and(|bytes| !bytes.len().is_multiple_of(size_of::<half::f16>())) {
        return Err(at.corrupt("vector", "has half a number"));
    }
    Ok((
        MemoryId(at.get(0, "memory_id")?),
        IndexRow {
            key: KeyKind::from_code(i64::from(code)).ok_or_else(|| at.corrupt("key_kind", "is unknown"))?,
            chunk: at.number(2, "chunk")?,
            span: (at.number(3, "span_start")?, at.number(4, "span_end")?),
            terms: Arc::from(at.get::<&[u8]>(5, "terms")?),
            vector: vector.map(|bytes| Arc::from(rows::vector(bytes))),
        },
    ))
}
