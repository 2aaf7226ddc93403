//! Partitions and sessions of a commit: looked up, or made if they are new; and the lines of the change log, each with
//! the next number of its partition.

use super::counters::PartitionCounters;
use super::insert_buffer::Change;
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, NewTurns};
use crate::domain::id::{MemoryId, PartitionId, SessionId, TenantId};
use crate::domain::memory::Memory;
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::store::ChangeOp;

impl WriteTransaction<'_, '_> {
    /// Takes the next number of the partition's change log for a memory.
    pub(super) fn log(&mut self, partition: PartitionId, op: ChangeOp, memory: &Memory, now: Timestamp) {
        self.log_version(partition, op, (memory.id, memory.version), now);
    }

    pub(super) fn log_version(
        &mut self,
        partition: PartitionId,
        op: ChangeOp,
        (memory, version): (MemoryId, u32),
        now: Timestamp,
    ) {
        let counters = self.counters.of(partition);
        counters.last_seq += 1;
        let seq = counters.last_seq;
        self.inserts.change(Change { partition, seq, op, memory, version, now });
    }

    pub(super) fn forget_count(&mut self, partition: PartitionId, memories: u64) {
        let counters = self.counters.of(partition);
        counters.memory_count = counters.memory_count.saturating_sub(memories);
    }

    /// The owner's partition, if there is one.
    pub(super) async fn find_partition(
        &mut self,
        tenant: TenantId,
        owner: &Owner,
    ) -> Result<Option<PartitionId>, StoreError> {
        let row: Option<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT id, last_seq, session_count, memory_count FROM partitions
             WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3",
        )
        .bind(tenant.0)
        .bind(owner.kind.as_str())
        .bind(owner.id.as_str())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(row.map(|(id, last_seq, session_count, memory_count)| {
            let stored = PartitionCounters {
                last_seq: last_seq.unsigned_abs(),
                session_count: u32::try_from(session_count).unwrap_or(u32::MAX),
                memory_count: memory_count.unsigned_abs(),
            };
            self.counters.begin(PartitionId(id), stored);
            PartitionId(id)
        }))
    }

    /// A partition for the owner of `set`.
    pub(super) async fn create_partition(&mut self, set: &ChangeSet) -> Result<PartitionId, StoreError> {
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO partitions (tenant_id, owner_kind, owner_id, created_us) VALUES ($1, $2, $3, $4)
             RETURNING id",
        )
        .bind(set.tenant.0)
        .bind(set.owner.kind.as_str())
        .bind(set.owner.id.as_str())
        .bind(set.now.as_micros())
        .fetch_one(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(PartitionId(id))
    }

    /// The session of that key, made if it is new: its id, its ordinal, and the place of its next turn.
    pub(super) async fn session(
        &mut self,
        partition: PartitionId,
        now: Timestamp,
        new: &NewTurns,
        started: Timestamp,
    ) -> Result<(SessionId, u32, u32), StoreError> {
        let row: Option<(uuid::Uuid, i64, i64)> = sqlx::query_as(
            "SELECT id, ordinal, turn_count FROM sessions WHERE partition_id = $1 AND key = $2",
        )
        .bind(partition.0)
        .bind(new.session_key.as_str())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        if let Some((id, ordinal, turn_count)) = row {
            let id = SessionId(id);
            let in_row = u32::try_from(turn_count).unwrap_or(u32::MAX);
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
