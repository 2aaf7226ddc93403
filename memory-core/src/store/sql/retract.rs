//! Retraction of earlier versions: they leave the history with their derivation record, so that an erasure no longer
//! finds the memory by the record's inputs.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::links::{EARLIER_LISTS, PRESENT_LIST};
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, Refusal, Retraction};
use crate::domain::id::{MemoryId, PartitionId};

impl WriteTransaction<'_, '_> {
    /// Checks that no retraction concerns the derivation of a memory's present version, as it is after the set's
    /// revisions; returns the refusal otherwise.
    pub(super) async fn check_retractions(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        for Retraction { memory, derivation } in &set.retractions {
            let revised = set.revisions.iter().rev().find(|revision| revision.memory.id == *memory);
            let present = match revised {
                Some(revision) => {
                    let own = revision.derivation.as_ref().map(|own| own.id);
                    own.or(revision.memory.derivation).map(|id| id.0)
                }
                None => self.present_derivation(partition, *memory).await?,
            };
            if present == Some(derivation.0) {
                return Ok(Some(Refusal::NotFound(derivation.0)));
            }
        }
        Ok(None)
    }

    async fn present_derivation(
        &mut self,
        partition: PartitionId,
        memory: MemoryId,
    ) -> Result<Option<Uuid>, StoreError> {
        let row: Option<Option<Uuid>> =
            sqlx::query_scalar("SELECT derivation_id FROM memories WHERE partition_id = $1 AND id = $2")
                .bind(partition.0)
                .bind(memory.0)
                .fetch_optional(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        Ok(row.flatten())
    }

    /// Removes earlier versions with their derivations, and the reverse index of the links that only they had.
    pub(super) async fn retract(
        &mut self,
        partition: PartitionId,
        retractions: &[Retraction],
    ) -> Result<(), StoreError> {
        if !retractions.is_empty() {
            self.flush().await?;
        }
        for Retraction { memory, derivation } in retractions {
            let before = self.link_targets_of(partition, *memory).await?;
            let deleted = sqlx::query(
                "DELETE FROM memory_versions WHERE partition_id = $1 AND id = $2 AND derivation_id = $3",
            )
            .bind(partition.0)
            .bind(memory.0)
            .bind(derivation.0)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
            if deleted.rows_affected() == 0 {
                continue;
            }
            self.delete_derivation(derivation.0).await?;
            let after = self.link_targets_of(partition, *memory).await?;
            for to in before.difference(&after) {
                sqlx::query(
                    "DELETE FROM link_targets WHERE partition_id = $1 AND to_id = $2 AND from_id = $3",
                )
                .bind(partition.0)
                .bind(to.0)
                .bind(memory.0)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
            }
        }
        Ok(())
    }

    /// Targets of the links of all versions of a memory.
    async fn link_targets_of(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<BTreeSet<MemoryId>, StoreError> {
        let mut targets = BTreeSet::new();
        for statement in [PRESENT_LIST, EARLIER_LISTS] {
            let lists = self.lists(statement, partition, id).await?;
            targets.extend(lists.into_iter().flat_map(|(_, links)| links).map(|link| link.to));
        }
        Ok(targets)
    }
}
