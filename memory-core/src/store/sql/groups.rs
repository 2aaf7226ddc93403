//! Groups of the present version of a memory, which a new version keeps or replaces.

use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, MAX_GROUPS_PER_MEMORY, Refusal};
use crate::domain::id::{MemoryId, PartitionId};

/// Refusal of a set with a memory in too many groups.
pub(super) fn check_groups(set: &ChangeSet) -> Option<Refusal> {
    let turns = set.turns.iter().flat_map(|new| &new.turns).map(|(_, new)| &new.groups);
    let added = turns.chain(set.memories.iter().map(|new| &new.groups));
    let mut all = added.chain(set.revisions.iter().filter_map(|revision| revision.groups.as_ref()));
    all.any(|groups| groups.len() > MAX_GROUPS_PER_MEMORY).then_some(Refusal::Full {
        what: "the list of groups of a memory",
        limit: MAX_GROUPS_PER_MEMORY as u64,
    })
}

impl WriteTransaction<'_, '_> {
    /// Deletes the groups of a memory.
    pub(super) async fn delete_groups(
        &mut self,
        partition: PartitionId,
        memory: MemoryId,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM memory_groups WHERE partition_id = $1 AND memory_id = $2")
            .bind(partition.0)
            .bind(memory.0)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}
