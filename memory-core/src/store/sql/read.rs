//! Reads of memories and of their sources.

use async_trait::async_trait;
use sqlx::QueryBuilder;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::readable::{FullPage, readable};
use super::rows::{
    self, MEMORY_COLUMNS, Reader, SESSION_COLUMNS, TURN_COLUMNS, VERSION_COLUMNS, memory_columns,
};
use super::{Db, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::derivation::Derivation;
use crate::domain::id::{MemoryId, PartitionId, SessionId, TenantId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::turn::{Session, Turn};
use crate::store::{
    Memories, OwnerEntry, SHARED_PARTITIONS_COUNTED, SharedPartitions, StoredMemory, Thinking as _,
};

/// Versions that are read at a time: the text of each may be a megabyte long.
const VERSIONS_PER_READ: usize = 16;

#[async_trait]
impl Memories for SqlStore {
    async fn partition_of(&self, tenant: TenantId, owner: &Owner) -> Result<Option<PartitionId>, StoreError> {
        let key = (tenant, owner.clone());
        let generation = match self.known_partitions.find(&key) {
            Ok(known) => return Ok(Some(known)),
            Err(generation) => generation,
        };
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM partitions WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3",
        )
        .bind(tenant.0)
        .bind(owner.kind.as_str())
        .bind(owner.id.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let found = id.map(PartitionId);
        if let Some(found) = found {
            self.known_partitions.insert(key, found, generation);
        }
        Ok(found)
    }

    async fn partitions_with(
        &self,
        tenant: TenantId,
        ids: &[(OwnerKind, Name)],
        limit: u32,
    ) -> Result<SharedPartitions, StoreError> {
        let Some((last, others)) = ids.split_last() else { return Ok(SharedPartitions::default()) };
        let mut statement = QueryBuilder::<Db>::new("SELECT s.partition_id FROM scope_partitions s ");
        push_reached(&mut statement, tenant, last, others);
        statement.push(" ORDER BY s.last_shared_us DESC, s.partition_id DESC LIMIT ");
        statement.push_bind(i64::from(limit) + 1);
        let mut found: Vec<i64> =
            statement.build_query_scalar().fetch_all(&self.readers).await.map_err(unavailable)?;
        let mut total = found.len() as u64;
        if found.len() > limit as usize {
            found.truncate(limit as usize);
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT COUNT(*) FROM (SELECT s.partition_id FROM scope_partitions s ",
            );
            push_reached(&mut statement, tenant, last, others);
            statement.push(" LIMIT ").push_bind(i64::from(SHARED_PARTITIONS_COUNTED)).push(") AS counted");
            let count: i64 =
                statement.build_query_scalar().fetch_one(&self.readers).await.map_err(unavailable)?;
            // Another writer may have been in between.
            total = total.max(count.unsigned_abs());
        }
        Ok(SharedPartitions { partitions: found.into_iter().map(PartitionId).collect(), total })
    }

    async fn owners(
        &self,
        tenant: TenantId,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<OwnerEntry>, StoreError> {
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(concat!(
                "SELECT id, owner_kind, owner_id, ",
                dialect::counter!(memory_count),
                ", created_us FROM partitions WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            ))
            .bind(tenant.0)
            .bind(after.map_or(0, |id| id.0))
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            if let Some(owners) = page.take(&rows, owner_entry)? {
                return Ok(owners);
            }
        }
    }

    async fn owners_of_all_tenants(
        &self,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<(TenantId, OwnerEntry)>, StoreError> {
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(concat!(
                "SELECT id, owner_kind, owner_id, ",
                dialect::counter!(memory_count),
                ", created_us, tenant_id FROM partitions WHERE id > $1 AND tenant_id <> $2 ORDER BY id LIMIT $3",
            ))
            .bind(after.map_or(0, |id| id.0))
            .bind(TenantId::ERASED.0)
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            let entry = |row: &Row| {
                let tenant = TenantId(Reader { row, table: "partitions" }.get(5, "tenant_id")?);
                Ok((tenant, owner_entry(row)?))
            };
            if let Some(owners) = page.take(&rows, entry)? {
                return Ok(owners);
            }
        }
    }

    async fn memories(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
        let mut found = std::collections::HashMap::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new(concat!("SELECT ", memory_columns!("COALESCE(m.text, t.text)")));
            statement.push("WHERE m.partition_id = ").push_bind(partition.0).push(" AND m.id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            found.extend(readable(&rows, rows::memory)?.into_iter().map(|memory| (memory.id, memory)));
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    async fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<StoredMemory>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            memory_columns!("COALESCE(m.text, t.text), p.id, p.owner_kind, p.owner_id"),
            "JOIN partitions p ON p.id = m.partition_id WHERE m.id = $1 AND p.tenant_id = $2",
        ))
        .bind(id.0)
        .bind(tenant.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let at = Reader { row: &row, table: "partitions" };
        let owner = Owner {
            kind: at.parsed(MEMORY_COLUMNS + 1, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(MEMORY_COLUMNS + 2, "owner_id")?,
        };
        let partition = PartitionId(at.get(MEMORY_COLUMNS, "id")?);
        Ok(Some(StoredMemory { partition, owner, memory: rows::memory(&row)? }))
    }

    async fn owner_of_memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Owner>, StoreError> {
        let row = sqlx::query(
            "SELECT p.owner_kind, p.owner_id FROM memories m JOIN partitions p ON p.id = m.partition_id
             WHERE m.id = $1 AND p.tenant_id = $2",
        )
        .bind(id.0)
        .bind(tenant.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let at = Reader { row: &row, table: "partitions" };
        Ok(Some(Owner {
            kind: at.parsed(0, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(1, "owner_id")?,
        }))
    }

    async fn earlier_versions_from(
        &self,
        partition: PartitionId,
        id: MemoryId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Memory>, StoreError> {
        let Some(present) = self.present(partition, id).await? else { return Ok(Vec::new()) };
        let turn_text = match &present.origin {
            Some(origin) => self.turns_by_id(partition, &[origin.turn]).await?.pop().map(|turn| turn.text),
            None => None,
        };
        let (mut versions, mut from) = (Vec::new(), i64::from(from));
        while versions.len() < limit as usize {
            let asked = VERSIONS_PER_READ.min(limit as usize - versions.len());
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {VERSION_COLUMNS} FROM memory_versions v
                 WHERE v.partition_id = $1 AND v.id = $2 AND v.version >= $3 ORDER BY v.version LIMIT $4"
            )))
            .bind(partition.0)
            .bind(id.0)
            .bind(from)
            .bind(i64::try_from(asked).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            for row in &rows {
                let version = rows::version(row, &present, turn_text.as_deref())?;
                from = i64::from(version.version) + 1;
                versions.push(version);
            }
            if rows.len() < asked {
                break;
            }
        }
        Ok(versions)
    }

    async fn derivation(
        &self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Option<Derivation>, StoreError> {
        Ok(self.evidence(partition, &[id]).await?.pop().map(|(_, derivation)| derivation))
    }

    async fn sessions(
        &self,
        partition: PartitionId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {SESSION_COLUMNS} FROM sessions WHERE partition_id = $1 AND ordinal >= $2
                 ORDER BY ordinal LIMIT $3"
            )))
            .bind(partition.0)
            .bind(i64::from(from))
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            if let Some(sessions) = page.take(&rows, rows::session)? {
                return Ok(sessions);
            }
        }
    }

    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
    ) -> Result<Option<(PartitionId, Session)>, StoreError> {
        let row = sqlx::query(
            "SELECT s.id, s.key, s.ordinal, (SELECT COUNT(*) FROM turns t WHERE t.session_id = s.id), s.started_us,
                 s.recorded_us, s.closed_us, s.partition_id FROM sessions s
             JOIN partitions p ON p.id = s.partition_id WHERE s.id = $1 AND p.tenant_id = $2",
        )
        .bind(id.0)
        .bind(tenant.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let partition = Reader { row: &row, table: "sessions" }.get(7, "partition_id")?;
        Ok(Some((PartitionId(partition), rows::session(&row)?)))
    }

    async fn turns(&self, session: SessionId, from: u32, limit: u32) -> Result<Vec<Turn>, StoreError> {
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {TURN_COLUMNS} FROM turns WHERE session_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3"
            )))
            .bind(session.0)
            .bind(i64::from(from))
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            if let Some(turns) = page.take(&rows, rows::turn)? {
                return Ok(turns);
            }
        }
    }

    async fn turns_by_id(&self, partition: PartitionId, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("SELECT ");
            statement.push(TURN_COLUMNS).push(" FROM turns WHERE partition_id = ").push_bind(partition.0);
            statement.push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            found.extend(readable(&rows, rows::turn)?);
        }
        Ok(found)
    }
}

impl SqlStore {
    /// A memory in its present version. Errors: [`StoreError::Corrupt`] if it cannot be decoded.
    async fn present(&self, partition: PartitionId, id: MemoryId) -> Result<Option<Memory>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            memory_columns!("COALESCE(m.text, t.text)"),
            "WHERE m.partition_id = $1 AND m.id = $2"
        ))
        .bind(partition.0)
        .bind(id.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(rows::memory).transpose()
    }
}

fn owner_entry(row: &Row) -> Result<OwnerEntry, StoreError> {
    let at = Reader { row, table: "partitions" };
    Ok(OwnerEntry {
        partition: PartitionId(at.get(0, "id")?),
        owner: Owner {
            kind: at.parsed(1, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(2, "owner_id")?,
        },
        memory_count: at.number(3, "memory_count")?,
        created_at: at.time(4, "created_us")?,
    })
}

/// Condition for the partitions `s` with shared memories of an id, and of each of the others.
fn push_reached(
    statement: &mut QueryBuilder<Db>,
    tenant: TenantId,
    (kind, id): &(OwnerKind, Name),
    others: &[(OwnerKind, Name)],
) {
    statement.push("WHERE s.tenant_id = ").push_bind(tenant.0);
    statement.push(" AND s.id_kind = ").push_bind(kind.as_str());
    statement.push(" AND s.id = ").push_bind(id.as_str().to_owned());
    for (kind, id) in others {
        statement.push(
            " AND EXISTS (SELECT 1 FROM scope_partitions o
                 WHERE o.tenant_id = s.tenant_id AND o.partition_id = s.partition_id AND o.id_kind = ",
        );
        statement.push_bind(kind.as_str()).push(" AND o.id = ").push_bind(id.as_str().to_owned()).push(")");
    }
}
