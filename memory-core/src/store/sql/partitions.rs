//! Partitions and sessions of a commit, looked up or created, and the entries of the change log, each with the next
//! number of its partition.

use std::collections::BTreeMap;

use super::counters::{PartitionCounters, lock_partition};
use super::insert_buffer::Change;
use super::write_transaction::WriteTransaction;
use super::{StoreError, dialect, unavailable};
use crate::domain::change::{ChangeSet, NewTurns};
use crate::domain::id::{MemoryId, PartitionId, SessionId};
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::store::ChangeOp;

impl<'a> WriteTransaction<'_, 'a> {
    /// Appends an entry for a memory to the partition's change log, with the next number, and returns that.
    pub(super) fn log(
        &mut self,
        partition: PartitionId,
        op: ChangeOp,
        memory: &Memory,
        now: Timestamp,
    ) -> u64 {
        self.log_version(partition, op, (memory.id, memory.version), now)
    }

    pub(super) fn log_version(
        &mut self,
        partition: PartitionId,
        op: ChangeOp,
        (memory, version): (MemoryId, u32),
        now: Timestamp,
    ) -> u64 {
        let counters = self.counters.of(partition);
        counters.last_seq += 1;
        let seq = counters.last_seq;
        self.inserts.change(Change { partition, seq, op, memory, version, now });
        seq
    }

    pub(super) fn forget_count(&mut self, partition: PartitionId, memories: u64) {
        let counters = self.counters.of(partition);
        counters.memory_count = counters.memory_count.saturating_sub(memories);
    }

    /// Looks up the partitions of the sets' owners and locks them, before anything else of the sets is read. The order
    /// is that of ids in every transaction, so that no two wait for each other.
    pub(super) async fn find_partitions(&mut self, sets: &'a [ChangeSet]) -> Result<(), StoreError> {
        let mut found = BTreeMap::new();
        let mut looked_up = Vec::new();
        for set in sets {
            let owner = (set.tenant, &set.owner);
            if !self.partitions.contains_key(&owner) {
                let stored = self.look_up(set).await?;
                self.partitions.insert(owner, stored.map(|(partition, _)| partition));
                found.extend(stored);
                looked_up.push(set);
            }
        }
        for (partition, mut counters) in found {
            // Without row locks there is one writer, and what was just read is what a lock would find.
            if dialect::LOCKS_ROWS {
                let Some(locked) = lock_partition(&mut *self.connection, partition).await? else { continue };
                counters = locked;
            }
            self.counters.begin(partition, counters);
        }
        // The transaction that had the lock may have taken the partition away from its owner.
        if dialect::LOCKS_ROWS {
            for set in looked_up {
                let owner = (set.tenant, &set.owner);
                let now = self.look_up(set).await?.map(|(partition, _)| partition);
                if now != self.partitions.get(&owner).copied().flatten() {
                    self.partitions.insert(owner, None);
                }
            }
        }
        Ok(())
    }

    async fn look_up(
        &mut self,
        set: &ChangeSet,
    ) -> Result<Option<(PartitionId, PartitionCounters)>, StoreError> {
        let row: Option<(i64, i64, i64, i64)> = sqlx::query_as(concat!(
            "SELECT id, ",
            dialect::counter!(last_seq),
            ", ",
            dialect::counter!(session_count),
            ", ",
            dialect::counter!(memory_count),
            " FROM partitions WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3",
        ))
        .bind(set.tenant.0)
        .bind(set.owner.kind.as_str())
        .bind(set.owner.id.as_str())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(row.map(|(id, last_seq, session_count, memory_count)| {
            (PartitionId(id), PartitionCounters::stored(last_seq, session_count, memory_count))
        }))
    }

    /// Creates a partition for the owner of `set`. Returns `None` if another transaction has created it since it was
    /// looked up: it is then known and locked, and the set has to be checked against its contents.
    pub(super) async fn create_partition(
        &mut self,
        set: &'a ChangeSet,
    ) -> Result<Option<PartitionId>, StoreError> {
        let id: Option<i64> = sqlx::query_scalar(dialect::CREATE_PARTITION)
            .bind(set.tenant.0)
            .bind(set.owner.kind.as_str())
            .bind(set.owner.id.as_str())
            .bind(set.now.as_micros())
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        let owner = (set.tenant, &set.owner);
        if id.is_none() {
            self.partitions.remove(&owner);
            self.find_partitions(std::slice::from_ref(set)).await?;
            return Ok(None);
        }
        self.partitions.insert(owner, id.map(PartitionId));
        Ok(id.map(PartitionId))
    }

    /// Finds or creates the session of that key; returns its id, its ordinal, and the ordinal of its next turn.
    pub(super) async fn session(
        &mut self,
        partition: PartitionId,
        now: Timestamp,
        new: &NewTurns,
        started: Timestamp,
    ) -> Result<(SessionId, u32, u32), StoreError> {
        let row: Option<(uuid::Uuid, i64, i64)> = sqlx::query_as(concat!(
            "SELECT id, ordinal, ",
            dialect::counter!(next_seq),
            " FROM sessions WHERE partition_id = $1 AND key = $2"
        ))
        .bind(partition.0)
        .bind(new.session_key.as_str())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        if let Some((id, ordinal, next_seq)) = row {
            let id = SessionId(id);
            let in_row = u32::try_from(next_seq).unwrap_or(u32::MAX);
            let next = self.counters.turns_of(id).unwrap_or(in_row);
            return Ok((id, u32::try_from(ordinal).unwrap_or(u32::MAX), next));
        }
        let counters = self.counters.of(partition);
        let ordinal = counters.session_count;
        counters.session_count += 1;
        let id = new.session_id_if_new;
        sqlx::query(
            "INSERT INTO sessions (id, partition_id, key, ordinal, turn_count, started_us, recorded_us)
             VALUES ($1, $2, $3, $4, 0, $5, $6)",
        )
        .bind(id.0)
        .bind(partition.0)
        .bind(new.session_key.as_str())
        .bind(i64::from(ordinal))
        .bind(started.as_micros())
        .bind(now.as_micros())
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok((id, ordinal, 0))
    }
}
