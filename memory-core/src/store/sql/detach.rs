//! Detachment of a partition from its owner, in the transaction of a set that erases the owner or leaves it no memory.
//! Everything that names the owner goes at once: the row of the partition is renamed to the tenant of erased partitions,
//! which no request can name; entries by agent, app and run, jobs and grants are deleted; of an erased owner the grants that
//! it received too. Records of requests name nobody: those
//! of additions go with what they made, those of erasures stay, so that a repetition gets the first answer.
//!
//! Identities of erased memories outlive an owner that merely has no memory left, so that the next import of its file does
//! not bring them back. The erasure of the owner deletes them.
//!
//! Invariant: a partition of a caller's tenant has a memory. What is in a detached one is deleted later, in steps
//! (`detached`); one with a short log, at once.

use uuid::Uuid;

use super::detached::{DETACHED_NAME, delete_all, newest_memory};
use super::dialect::encode_text;
use super::retention::check_of;
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, Committed, CreatedIds, OwnerErasure, Refusal};
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::job::Job;

/// Maximum number of entries in the change log of a partition without memories that is deleted in the transaction that
/// left none.
const DELETED_AT_ONCE: u64 = 2_000;
/// Partition in the answer about an owner without one.
const NO_PARTITION: PartitionId = PartitionId(0);

impl<'a> WriteTransaction<'_, 'a> {
    /// Refusal of an erasure of an owner that has other memories than those that were confirmed.
    pub(super) async fn check_owner_erasure(
        &mut self,
        known: Option<PartitionId>,
        erasure: &OwnerErasure,
    ) -> Result<Option<Refusal>, StoreError> {
        self.flush().await?;
        let found = match known {
            Some(partition) => {
                let newest = newest_memory(&mut *self.connection, partition).await?;
                (self.counters.of(partition).memory_count, newest)
            }
            None => (0, None),
        };
        Ok((found != (erasure.memories, erasure.newest)).then_some(Refusal::OtherErasures))
    }

    /// Detaches the partition of the set's owner, and enqueues the job that deletes what is in it. Names of an owner
    /// without a partition go as well.
    pub(super) async fn erase_owner(
        &mut self,
        known: Option<PartitionId>,
        set: &'a ChangeSet,
        erasure: &OwnerErasure,
    ) -> Result<Committed, StoreError> {
        let mut created = CreatedIds { matched: erasure.memories, ..CreatedIds::default() };
        if known.is_some() {
            created.job = Some(erasure.job);
        }
        let partition = known.unwrap_or(NO_PARTITION);
        if let Some(idempotency) = &set.idempotency {
            self.remember_request(partition, set, idempotency, &created).await?;
        }
        for (name, value) in &erasure.settings {
            sqlx::query("UPDATE settings SET value = $2 WHERE name = $1")
                .bind(encode_text(name))
                .bind(encode_text(value))
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        self.delete_jobs_of_owner(set).await?;
        self.delete_grants_to_owner(set).await?;
        self.forget_erased_of_owner(set).await?;
        let mut seq = 0;
        if let Some(partition) = known {
            self.detach(partition, set).await?;
            seq = self.counters.of(partition).last_seq;
            let mut job = Job::erasing_owner(erasure.job, set.tenant, partition, set.now);
            job.total = erasure.memories;
            super::jobs::insert(&mut *self.connection, &job).await?;
        }
        Ok(Committed {
            partition,
            created,
            seq_before: seq,
            seq_after: seq,
            appended: None,
            touched: Vec::new(),
            reopened: Vec::new(),
            replaced: Vec::new(),
            restored: Vec::new(),
            is_detached: known.is_some(),
        })
    }

    /// Detaches the partition of a set that has left no memory in it; true if it has.
    pub(super) async fn detach_if_empty(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
    ) -> Result<bool, StoreError> {
        let counters = *self.counters.of(partition);
        if counters.memory_count > 0 {
            return Ok(false);
        }
        self.delete_jobs_of_owner(set).await?;
        self.detach(partition, set).await?;
        if counters.last_seq <= DELETED_AT_ONCE {
            delete_all(&mut *self.connection, partition).await?;
            self.counters.forget(partition);
        }
        Ok(true)
    }

    async fn detach(&mut self, partition: PartitionId, set: &'a ChangeSet) -> Result<(), StoreError> {
        self.flush().await?;
        sqlx::query("UPDATE partitions SET tenant_id = $2, owner_kind = $3, owner_id = $4 WHERE id = $1")
            .bind(partition.0)
            .bind(TenantId::ERASED.0)
            .bind(DETACHED_NAME)
            .bind(format!("{}/{}", set.tenant.0.simple(), partition.0))
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        for statement in [
            "DELETE FROM scope_partitions WHERE partition_id = $1",
            "DELETE FROM request_records WHERE partition_id = $1",
            "DELETE FROM grants WHERE partition_id = $1",
        ] {
            sqlx::query(statement)
                .bind(partition.0)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        sqlx::query("DELETE FROM settings WHERE name = $1")
            .bind(encode_text(&check_of(partition)))
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        self.partitions.insert((set.tenant, &set.owner), None);
        Ok(())
    }

    /// Deletes the grants that name the owner of a set as their grantee, with their audit logs.
    async fn delete_grants_to_owner(&mut self, set: &ChangeSet) -> Result<(), StoreError> {
        let grants: Vec<(i64, Uuid)> = sqlx::query_as(
            "DELETE FROM grants WHERE tenant_id = $1 AND grantee_kind = $2 AND grantee_name = $3
             RETURNING partition_id, id",
        )
        .bind(set.tenant.0)
        .bind(set.owner.kind.as_str())
        .bind(set.owner.id.as_str())
        .fetch_all(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        for (partition, grant) in grants {
            for statement in [
                "DELETE FROM grant_memories WHERE partition_id = $1 AND grant_id = $2",
                "DELETE FROM grant_events WHERE partition_id = $1 AND grant_id = $2",
            ] {
                sqlx::query(statement)
                    .bind(partition)
                    .bind(grant)
                    .execute(&mut *self.connection)
                    .await
                    .map_err(unavailable)?;
            }
        }
        Ok(())
    }

    /// Deletes the jobs that name the owner of a set.
    async fn delete_jobs_of_owner(&mut self, set: &ChangeSet) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM durable_jobs WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3")
            .bind(set.tenant.0)
            .bind(set.owner.kind.as_str())
            .bind(set.owner.id.as_str())
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}
