//! Reads of thinking: queues, groups, evidence, versions of a time.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::readable::{FullPage, readable, readable_tuples};
use super::rows::{self, MEMORY_COLUMNS, Reader, VERSION_COLUMNS, memory_columns};
use super::stored_derivations::Undecodable;
use super::{Db, Row, SqlStore, StoreError, unavailable};
use crate::domain::derivation::Derivation;
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId, TenantId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::store::{Memories, PendingPartition, PendingTurn, Thinking};

/// Maximum number of groups per statement: a power of two. SQLite allows 500 parts of a compound statement.
const GROUPS_PER_STATEMENT: usize = 32;

#[async_trait]
impl Thinking for SqlStore {
    async fn pending_turns(
        &self,
        partition: PartitionId,
        mechanism: &str,
        limit: u32,
    ) -> Result<Vec<PendingTurn>, StoreError> {
        // Two statements, since a join with the columns of a memory could begin with all memories.
        let mut page = FullPage::new(limit);
        loop {
            let rows = sqlx::query(
                "SELECT memory_id FROM thinking_queue WHERE partition_id = $1 AND mechanism = $2
                 ORDER BY seq LIMIT $3",
            )
            .bind(partition.0)
            .bind(mechanism)
            .bind(page.asked())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
            let ids: Vec<(Uuid,)> = readable_tuples(&rows, "thinking_queue")?;
            let mut turns = self.turns_to_think_about(partition, &ids).await?;
            if page.is_full(rows.len(), turns.len()) {
                turns.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                return Ok(turns);
            }
        }
    }

    async fn are_queued(
        &self,
        partition: PartitionId,
        mechanism: &str,
        turns: &[MemoryId],
    ) -> Result<bool, StoreError> {
        for some in turns.chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new("SELECT COUNT(*) FROM thinking_queue WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND mechanism = ").push_bind(mechanism.to_owned());
            statement.push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let count: i64 =
                statement.build_query_scalar().fetch_one(&self.readers).await.map_err(unavailable)?;
            if count > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn memories_of_turns(
        &self,
        partition: PartitionId,
        turns: &[TurnId],
    ) -> Result<Vec<Memory>, StoreError> {
        let mut found = Vec::with_capacity(turns.len());
        for some in turns.chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new(concat!("SELECT ", memory_columns!("COALESCE(m.text, t.text)")));
            statement.push("WHERE m.partition_id = ").push_bind(partition.0).push(" AND m.turn_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            found.extend(readable(&rows, rows::memory)?);
        }
        Ok(found)
    }

    async fn partitions_with_pending(
        &self,
        mechanism: &str,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<PendingPartition>, StoreError> {
        let rows = sqlx::query(
            // From one partition with a queue to the next, along the index: those without are not looked at. `place` is
            // the number of those before it that have an owner.
            "WITH RECURSIVE waiting (id, place) AS (
                 SELECT MIN(q.partition_id), CAST(0 AS BIGINT) FROM thinking_queue q
                 WHERE q.mechanism = $2 AND q.partition_id > $1
                 UNION ALL
                 SELECT (SELECT MIN(q.partition_id) FROM thinking_queue q
                         WHERE q.mechanism = $2 AND q.partition_id > waiting.id),
                     waiting.place + (SELECT COUNT(*) FROM partitions d
                                      WHERE d.id = waiting.id AND d.tenant_id <> $4)
                 FROM waiting WHERE waiting.id IS NOT NULL AND waiting.place < $3
             )
             SELECT p.tenant_id, p.id, p.owner_kind, p.owner_id FROM waiting JOIN partitions p ON p.id = waiting.id
             WHERE p.tenant_id <> $4 AND waiting.place < $3",
        )
        .bind(after.map_or(0, |id| id.0))
        .bind(mechanism)
        .bind(i64::from(limit))
        .bind(TenantId::ERASED.0)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let mut waiting = readable(&rows, |row| {
            let at = Reader { row, table: "partitions" };
            Ok(PendingPartition {
                tenant: TenantId(at.get(0, "tenant_id")?),
                partition: PartitionId(at.get(1, "id")?),
                owner: owner(&at, 2)?,
            })
        })?;
        waiting.sort_unstable_by_key(|pending| pending.partition);
        Ok(waiting)
    }

    async fn count_pending(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let counts: Vec<(String, i64)> = sqlx::query_as(
            "SELECT mechanism, COUNT(*) FROM thinking_queue GROUP BY mechanism ORDER BY mechanism",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(counts.into_iter().map(|(mechanism, count)| (mechanism, count.max(0).unsigned_abs())).collect())
    }

    async fn in_groups(
        &self,
        partition: PartitionId,
        keys: &[GroupKey],
        limit_per_group: u32,
    ) -> Result<Vec<(GroupKey, MemoryId)>, StoreError> {
        let distinct = Vec::from_iter(keys.iter().map(GroupKey::as_str).collect::<BTreeSet<_>>());
        let mut found: HashMap<String, BTreeSet<Uuid>> = HashMap::new();
        for some in distinct.chunks(GROUPS_PER_STATEMENT) {
            let mut statement = of_groups(partition, some, limit_per_group);
            let rows: Vec<(String, Uuid)> =
                statement.build_query_as().fetch_all(&self.readers).await.map_err(unavailable)?;
            for (key, memory) in rows {
                found.entry(key).or_default().insert(memory);
            }
        }
        let mut members = Vec::new();
        for key in keys {
            let group = found.remove(key.as_str()).unwrap_or_default();
            members.extend(group.into_iter().rev().map(|id| (key.clone(), MemoryId(id))));
        }
        Ok(members)
    }

    async fn evidence(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, Derivation)>, StoreError> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            found.extend(self.derivations_of(partition, some).await?);
        }
        Ok(ids.iter().filter_map(|id| Some((*id, found.remove(id)?))).collect())
    }

    async fn versions_at(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        at: Timestamp,
    ) -> Result<Vec<Memory>, StoreError> {
        let present = self.memories(partition, ids).await?;
        let changed: Vec<&Memory> = present.iter().filter(|memory| memory.recorded_at > at).collect();
        let mut earlier = HashMap::new();
        for some in changed.chunks(IDS_PER_STATEMENT) {
            earlier.extend(self.earlier_at(partition, some, at).await?);
        }
        let as_recorded = |memory: Memory| {
            if memory.recorded_at > at { earlier.remove(&memory.id) } else { Some(memory) }
        };
        Ok(present.into_iter().filter_map(as_recorded).collect())
    }

    async fn linked_from(
        &self,
        partition: PartitionId,
        to: &[MemoryId],
        limit: u32,
    ) -> Result<Vec<(MemoryId, MemoryId)>, StoreError> {
        let mut found = Vec::new();
        for some in to.chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new("SELECT to_id, from_id FROM link_targets WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND to_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            statement.push(" ORDER BY to_id, from_id LIMIT ").push_bind(i64::from(limit));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            let pairs: Vec<(Uuid, Uuid)> = readable_tuples(&rows, "link_targets")?;
            found.extend(pairs.into_iter().map(|(to, from)| (MemoryId(to), MemoryId(from))));
        }
        Ok(found)
    }

    async fn owner_of(&self, partition: PartitionId) -> Result<Option<(TenantId, Owner)>, StoreError> {
        let row = sqlx::query("SELECT tenant_id, owner_kind, owner_id FROM partitions WHERE id = $1")
            .bind(partition.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let at = Reader { row: &row, table: "partitions" };
        Ok(Some((TenantId(at.get(0, "tenant_id")?), owner(&at, 1)?)))
    }
}

impl SqlStore {
    /// Queued turns with these ids, in their order; those that are gone or cannot be decoded are left out.
    async fn turns_to_think_about(
        &self,
        partition: PartitionId,
        ids: &[(Uuid,)],
    ) -> Result<Vec<PendingTurn>, StoreError> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(concat!(
                "SELECT ",
                memory_columns!("COALESCE(m.text, t.text), t.said_us, t.participants, t.utc_offset_minutes")
            ));
            statement.push("WHERE m.partition_id = ").push_bind(partition.0).push(" AND m.id IN (");
            push_ids(&mut statement, some.iter().map(|(id,)| *id));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            found.extend(readable(&rows, pending)?.into_iter().map(|turn| (turn.memory.id.0, turn)));
        }
        Ok(ids.iter().filter_map(|(id,)| found.remove(id)).collect())
    }

    /// Derivations of the present versions of at most [`IDS_PER_STATEMENT`] memories.
    async fn derivations_of(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<HashMap<MemoryId, Derivation>, StoreError> {
        type Row = (Uuid, Uuid, String, Option<String>, Option<String>, Option<Uuid>, i64);
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT m.id, d.id, d.maker, d.model, d.prompt, d.job_id, d.made_us FROM memories m
             JOIN derivations d ON d.id = m.derivation_id WHERE m.partition_id = ",
        );
        statement.push_bind(partition.0).push(" AND m.id IN (");
        push_ids(&mut statement, ids.iter().map(|id| id.0));
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows: Vec<Row> = readable_tuples(&rows, "derivations")?;
        let memories: Vec<MemoryId> = rows.iter().map(|row| MemoryId(row.0)).collect();
        let records = rows
            .into_iter()
            .map(|(_, id, name, model, prompt, job, made_us)| (id, name, model, prompt, job, made_us));
        let derivations = self.with_inputs(records.collect(), Undecodable::LeftOut).await?;
        Ok(memories.into_iter().zip(derivations).collect())
    }

    /// Newest versions before the present one that were recorded by `at`, of at most [`IDS_PER_STATEMENT`] memories.
    async fn earlier_at(
        &self,
        partition: PartitionId,
        present: &[&Memory],
        at: Timestamp,
    ) -> Result<HashMap<MemoryId, Memory>, StoreError> {
        let turns: Vec<TurnId> =
            present.iter().filter_map(|memory| Some(memory.origin.as_ref()?.turn)).collect();
        let turns = if turns.is_empty() { Vec::new() } else { self.turns_by_id(partition, &turns).await? };
        let texts: HashMap<TurnId, String> = turns.into_iter().map(|turn| (turn.id, turn.text)).collect();
        let mut statement = QueryBuilder::<Db>::new("SELECT ");
        statement.push(VERSION_COLUMNS).push(
            // CROSS JOIN: SQLite must not begin with all versions of the owner.
            ", v.id FROM (SELECT id, MAX(version) AS version FROM memory_versions WHERE partition_id = ",
        );
        statement.push_bind(partition.0).push(" AND recorded_us <= ").push_bind(at.as_micros());
        statement.push(" AND id IN (");
        push_ids(&mut statement, present.iter().map(|memory| memory.id.0));
        statement.push(
            " GROUP BY id) AS newest CROSS JOIN memory_versions v
             WHERE v.id = newest.id AND v.version = newest.version AND v.partition_id = ",
        );
        statement.push_bind(partition.0);
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let present: HashMap<MemoryId, &Memory> = present.iter().map(|memory| (memory.id, *memory)).collect();
        let mut earlier = HashMap::with_capacity(rows.len());
        let read = readable(&rows, |row| {
            let id =
                MemoryId(Reader { row, table: "memory_versions" }.get(rows::VERSION_COLUMN_COUNT, "id")?);
            let Some(memory) = present.get(&id) else { return Ok(None) };
            let text = memory.origin.as_ref().and_then(|origin| texts.get(&origin.turn));
            Ok(Some((id, rows::version(row, memory, text.map(String::as_str))?)))
        })?;
        earlier.extend(read.into_iter().flatten());
        Ok(earlier)
    }
}

fn pending(row: &Row) -> Result<PendingTurn, StoreError> {
    let at = Reader { row, table: "turns" };
    Ok(PendingTurn {
        memory: rows::memory(row)?,
        said_at: at.time(MEMORY_COLUMNS, "said_us")?,
        participants: at.names(MEMORY_COLUMNS + 1, "participants")?,
        utc_offset: at.utc_offset(MEMORY_COLUMNS + 2)?,
    })
}

fn owner(at: &Reader<'_>, first: usize) -> Result<Owner, StoreError> {
    Ok(Owner {
        kind: at.parsed(first, "owner_kind", OwnerKind::parse)?,
        id: at.required_name(first + 1, "owner_id")?,
    })
}

/// Statement that reads the newest members of each group, with a part of its own for each: the index gives them in order.
/// It is padded to a power of two with an empty key, which no group has.
fn of_groups(partition: PartitionId, keys: &[&str], limit: u32) -> QueryBuilder<Db> {
    let filler = keys.len().next_power_of_two().saturating_sub(keys.len());
    let mut statement = QueryBuilder::<Db>::new("");
    for (at, key) in keys.iter().copied().chain(std::iter::repeat_n("", filler)).enumerate() {
        statement.push(if at == 0 { "" } else { " UNION ALL " });
        statement.push(
            "SELECT group_key, memory_id FROM
                 (SELECT group_key, memory_id FROM memory_groups WHERE partition_id = ",
        );
        statement.push_bind(partition.0).push(" AND group_key = ").push_bind(key.to_owned());
        statement.push(" ORDER BY memory_id DESC LIMIT ").push_bind(i64::from(limit)).push(") AS members");
    }
    statement
}
