//! The access log: one row per recall and partition.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::counters::lock_partition;
use super::packed_hits::{pack_hits, unpack_hits};
use super::readable::readable;
use super::rows::Reader;
use super::{Connection, Db, Row, SqlStore, StoreError, bulk, dialect, unavailable};
use crate::domain::id::{MemoryId, PartitionId, RecallId};
use crate::domain::name::Name;
use crate::store::{AccessLog, RecallRecord};

#[async_trait]
impl AccessLog for SqlStore {
    async fn record_recalls(
        &self,
        records: &[RecallRecord],
        keep_per_partition: u32,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let partitions: BTreeSet<PartitionId> = records.iter().map(|record| record.partition).collect();
        let mut there = BTreeSet::new();
        for partition in partitions {
            if lock_partition(&mut transaction, partition).await?.is_some() {
                there.insert(partition);
            }
        }
        // The owner of another one was erased meanwhile.
        let records: Vec<&RecallRecord> =
            records.iter().filter(|record| there.contains(&record.partition)).collect();
        let present = present(&mut transaction, &records).await?;
        let head = "INSERT INTO recalls (partition_id, id, recalled_us, session_key, hits) ";
        bulk::insert(&mut transaction, head, &records, &|values, record| {
            let hits = record.hits.iter().filter(|hit| present.contains(&(record.partition, hit.memory)));
            values
                .push_bind(record.partition.0)
                .push_bind(record.id.0)
                .push_bind(record.recalled_at.as_micros())
                .push_bind(record.session.as_ref().map(|session| session.as_str().to_owned()))
                .push_bind(pack_hits(&hits.copied().collect::<Vec<_>>()));
        })
        .await?;
        for partition in there {
            sqlx::query(
                "DELETE FROM recalls WHERE partition_id = $1 AND id <=
                     (SELECT id FROM recalls WHERE partition_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
            )
            .bind(partition.0)
            .bind(i64::from(keep_per_partition))
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)
    }

    async fn recalls(&self, partition: PartitionId, limit: u32) -> Result<Vec<RecallRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, recalled_us, session_key, hits FROM recalls WHERE partition_id = $1
             ORDER BY id DESC LIMIT $2",
        )
        .bind(partition.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        records(partition, &rows)
    }

    async fn recalls_of_session(
        &self,
        partition: PartitionId,
        session: &Name,
        limit: u32,
    ) -> Result<Vec<RecallRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, recalled_us, session_key, hits FROM recalls
             WHERE partition_id = $1 AND session_key = $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(partition.0)
        .bind(session.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        records(partition, &rows)
    }

    async fn recall_record(
        &self,
        partition: PartitionId,
        id: RecallId,
    ) -> Result<Option<RecallRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT id, recalled_us, session_key, hits FROM recalls WHERE partition_id = $1 AND id = $2",
        )
        .bind(partition.0)
        .bind(id.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.map(|row| record(partition, &row)).transpose()
    }
}

fn records(partition: PartitionId, rows: &[Row]) -> Result<Vec<RecallRecord>, StoreError> {
    readable(rows, |row| record(partition, row))
}

fn record(partition: PartitionId, row: &Row) -> Result<RecallRecord, StoreError> {
    let at = Reader { row, table: "recalls" };
    let packed: Vec<u8> = at.get(3, "hits")?;
    Ok(RecallRecord {
        id: RecallId(at.get(0, "id")?),
        partition,
        recalled_at: at.time(1, "recalled_us")?,
        session: at.name(2, "session_key")?,
        hits: unpack_hits(&packed).ok_or_else(|| at.corrupt("hits", "has a part of a hit"))?,
    })
}

/// Memories of the records that exist in the store. A record is written shortly after its recall, and a memory erased
/// in between must not reappear in the log.
async fn present(
    connection: &mut Connection,
    records: &[&RecallRecord],
) -> Result<HashSet<(PartitionId, MemoryId)>, StoreError> {
    let mut named: BTreeMap<PartitionId, BTreeSet<MemoryId>> = BTreeMap::new();
    for record in records {
        named.entry(record.partition).or_default().extend(record.hits.iter().map(|hit| hit.memory));
    }
    let mut present = HashSet::new();
    for (partition, ids) in named {
        let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("SELECT id FROM memories WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().copied());
            let rows: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&mut *connection).await.map_err(unavailable)?;
            present.extend(rows.into_iter().map(|id| (partition, MemoryId(id))));
        }
    }
    Ok(present)
}
