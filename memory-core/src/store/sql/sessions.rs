//! Reads of single sessions, and of those whose digest is asked for.

use async_trait::async_trait;
use uuid::Uuid;

use super::readable::{readable, readable_tuples};
use super::rows::{self, Reader, SESSION_COLUMNS, memory_columns};
use super::{Row, SqlStore, StoreError, unavailable};
use crate::domain::consolidation::Asked;
use crate::domain::id::{PartitionId, SessionId, TenantId, TurnId};
use crate::domain::memory::{DocumentName, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::turn::Session;
use crate::store::{PendingPartition, Sessions};

#[async_trait]
impl Sessions for SqlStore {
    async fn session_of_key(
        &self,
        partition: PartitionId,
        key: &Name,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {SESSION_COLUMNS} FROM sessions WHERE partition_id = $1 AND key = $2"
        )))
        .bind(partition.0)
        .bind(key.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(rows::session).transpose()
    }

    async fn newest_turns(&self, session: SessionId, limit: u32) -> Result<Vec<TurnId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM turns WHERE session_id = $1 ORDER BY seq DESC LIMIT $2")
            .bind(session.0)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        let ids: Vec<(Uuid,)> = readable_tuples(&rows, "turns")?;
        Ok(ids.into_iter().map(|(id,)| TurnId(id)).collect())
    }

    async fn named(&self, partition: PartitionId, name: &DocumentName) -> Result<Option<Memory>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            memory_columns!("COALESCE(m.text, t.text)"),
            "WHERE m.partition_id = $1 AND m.namespace = $2 AND m.key = $3"
        ))
        .bind(partition.0)
        .bind(name.namespace.as_str())
        .bind(name.key.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(rows::memory).transpose()
    }

    async fn asked_digests(&self, partition: PartitionId, limit: u32) -> Result<Vec<Asked>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, asked_seq FROM sessions WHERE partition_id = $1 AND asked_seq IS NOT NULL
             ORDER BY asked_seq LIMIT $2",
        )
        .bind(partition.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let asked: Vec<(Uuid, i64)> = readable_tuples(&rows, "sessions")?;
        let asked = asked.into_iter();
        Ok(asked.map(|(id, seq)| Asked { session: SessionId(id), seq: seq.cast_unsigned() }).collect())
    }

    async fn partitions_with_asked_digests(
        &self,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<PendingPartition>, StoreError> {
        let rows = sqlx::query(
            "SELECT p.tenant_id, p.id, p.owner_kind, p.owner_id FROM partitions p
             WHERE p.id > $1 AND p.tenant_id <> $3 AND p.id IN
                 (SELECT s.partition_id FROM sessions s WHERE s.asked_seq IS NOT NULL AND s.partition_id > $1)
             ORDER BY p.id LIMIT $2",
        )
        .bind(after.map_or(0, |id| id.0))
        .bind(i64::from(limit))
        .bind(TenantId::ERASED.0)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        readable(&rows, pending_partition)
    }
}

fn pending_partition(row: &Row) -> Result<PendingPartition, StoreError> {
    let at = Reader { row, table: "partitions" };
    Ok(PendingPartition {
        tenant: TenantId(at.get(0, "tenant_id")?),
        partition: PartitionId(at.get(1, "id")?),
        owner: Owner {
            kind: at.parsed(2, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(3, "owner_id")?,
        },
    })
}
