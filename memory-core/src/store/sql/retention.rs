//! Reads of retention: narrow pages by key, without texts, so that a sweep over a large partition is bounded by its page. The
//! moment of the last check by draws is a setting of the partition.

use async_trait::async_trait;
use uuid::Uuid;

use super::counters::lock_partition;
use super::jobs::holds;
use super::load::last_id;
use super::maintenance::{put_setting, read_setting};
use super::readable::readable;
use super::rows::{self, Reader, forgotten_columns};
use super::{Connection, SqlStore, StoreError, dialect, unavailable};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::job::JobAttempt;
use crate::domain::memory::Kind;
use crate::domain::time::Timestamp;
use crate::store::{
    ForgottenFilter, ForgottenPlace, RETENTION_ROWS_AT_MOST, Retention, RetentionPage, RetentionRow,
};

const PAGE: &str = concat!(
    "SELECT m.id, m.kind, m.version, m.tokens, m.importance, m.strength, m.refreshed_us, m.uses, m.pinned, \
     m.nearest_cosine, ",
    forgotten_columns!(),
    " FROM memories m
     LEFT JOIN forgotten f ON f.partition_id = m.partition_id AND f.memory_id = m.id
     WHERE m.partition_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3"
);
const FORGOTTEN_PAGE: &str = concat!(
    "SELECT f.memory_id, ",
    forgotten_columns!(),
    " FROM forgotten f WHERE f.partition_id = $1 AND (f.recorded_us, f.memory_id) < ($2, $3)
     AND ($4 IS NULL OR f.reason = $4) AND ($5 IS NULL OR f.effect = $5)
     ORDER BY f.recorded_us DESC, f.memory_id DESC LIMIT $6"
);

/// Name of the setting with the moment of the last check of a partition. It has the number of the partition, not its owner.
pub(super) fn check_of(partition: PartitionId) -> String {
    format!("forgetting.checked_at.{}", partition.0)
}

/// Moment in a setting; none in one that is damaged, so that the next check draws from the last event of each memory.
fn moment(setting: Option<String>) -> Option<Timestamp> {
    setting?.parse().ok().map(Timestamp::from_micros)
}

/// Writes the moment of the last check of a partition; false, and nothing is written, if a check at that moment or later is there.
pub(super) async fn keep_later_check(
    connection: &mut Connection,
    partition: PartitionId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let name = check_of(partition);
    let is_later = moment(read_setting(&mut *connection, &name).await?).is_none_or(|noted| noted < at);
    if is_later {
        put_setting(&mut *connection, &name, &at.as_micros().to_string()).await?;
    }
    Ok(is_later)
}

#[async_trait]
impl Retention for SqlStore {
    async fn retention_page(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<RetentionPage, StoreError> {
        let found = sqlx::query(PAGE)
            .bind(partition.0)
            .bind(after.map_or(Uuid::nil(), |id| id.0))
            .bind(i64::from(limit.min(RETENTION_ROWS_AT_MOST)))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        let last = last_id(&found).map(MemoryId);
        let rows = readable(&found, |row| {
            let at = Reader { row, table: "memories" };
            Ok(RetentionRow {
                memory: MemoryId(at.get(0, "id")?),
                kind: at.parsed(1, "kind", Kind::parse)?,
                version: at.number(2, "version")?,
                tokens: at.number(3, "tokens")?,
                strength: rows::strength(&at, 4, 7)?,
                forgotten: rows::forgotten(&at, 10)?,
            })
        })?;
        Ok(RetentionPage { rows, last })
    }

    async fn forgotten_page(
        &self,
        partition: PartitionId,
        filter: ForgottenFilter,
        after: Option<ForgottenPlace>,
        limit: u32,
    ) -> Result<Vec<(MemoryId, Forgotten)>, StoreError> {
        let (recorded_us, id) =
            after.map_or((i64::MAX, Uuid::max()), |place| (place.recorded_at.as_micros(), place.memory.0));
        let found = sqlx::query(FORGOTTEN_PAGE)
            .bind(partition.0)
            .bind(recorded_us)
            .bind(id)
            .bind(filter.reason.map(Reason::as_str))
            .bind(filter.effect.map(Effect::as_str))
            .bind(i64::from(limit.min(RETENTION_ROWS_AT_MOST)))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        let rows = readable(&found, |row| {
            let at = Reader { row, table: "forgotten" };
            let id = MemoryId(at.get(0, "memory_id")?);
            Ok(rows::forgotten(&at, 1)?.map(|record| (id, record)))
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    async fn checked_at(&self, partition: PartitionId) -> Result<Option<Timestamp>, StoreError> {
        Ok(moment(read_setting(&self.readers, &check_of(partition)).await?))
    }

    async fn note_check(
        &self,
        partition: PartitionId,
        at: Timestamp,
        attempt: JobAttempt,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        // The partition first, as in commits and erasures, so that no two transactions wait for each other.
        lock_partition(&mut transaction, partition).await?;
        // The erasure of an owner deletes its jobs: a held one says that the partition has its owner.
        let is_held = holds(&mut transaction, attempt, None).await?;
        if is_held && keep_later_check(&mut transaction, partition, at).await? {
            transaction.commit().await.map_err(unavailable)?;
        } else {
            transaction.rollback().await.map_err(unavailable)?;
        }
        Ok(is_held)
    }

    async fn forgotten_count(&self, partition: PartitionId) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM forgotten WHERE partition_id = $1")
            .bind(partition.0)
            .fetch_one(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(count.max(0).unsigned_abs())
    }
}
