//! Tiers of a partition: the resident one, without the cold memories, and the whole partition, for queries that ask for
//! them. A query is answered from one of the two, so that its answer is exact in either.

use std::sync::Arc;

use super::EmbeddedIndex;
use super::partition::{Partition, Tier};
use super::partition_cache::{CachedPartition, Key};
use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{IndexError, Update, View};
use crate::store::Indexed;

/// Restored memories that are read at once.
const RESTORED_PER_READ: usize = 512;

impl EmbeddedIndex {
    /// The tier from which a query under the view is answered.
    pub(super) async fn for_view(
        &self,
        id: PartitionId,
        view: &View,
    ) -> Result<Arc<CachedPartition>, IndexError> {
        self.tier_where(id, |partition| partition.cold.are_asked_for(view)).await
    }

    /// The tier that has all of these memories.
    pub(super) async fn with_memories(
        &self,
        id: PartitionId,
        memories: Vec<MemoryId>,
    ) -> Result<Arc<CachedPartition>, IndexError> {
        self.tier_where(id, |partition| memories.iter().any(|memory| partition.cold.has(*memory))).await
    }

    /// The tier from which a memory is inspected under a view: that of a query, or the one that has the memory.
    pub(super) async fn for_inspection(
        &self,
        id: PartitionId,
        memory: MemoryId,
        view: &View,
    ) -> Result<Arc<CachedPartition>, IndexError> {
        let is_whole =
            |partition: &Partition| partition.cold.has(memory) || partition.cold.are_asked_for(view);
        self.tier_where(id, is_whole).await
    }

    async fn tier_where(
        &self,
        id: PartitionId,
        is_whole: impl FnOnce(&Partition) -> bool,
    ) -> Result<Arc<CachedPartition>, IndexError> {
        let resident = self.loader.loaded(Key::resident(id)).await?;
        let is_whole = resident.state.read().as_ref().is_some_and(is_whole);
        match is_whole {
            true => self.loader.loaded(Key { partition: id, tier: Tier::Whole }).await,
            false => Ok(resident),
        }
    }

    /// The memories that an update brings back into the resident tier, which has no rows of them. None if they cannot be read:
    /// the tier is then read anew.
    pub(super) async fn restored_by(&self, id: PartitionId, update: &Update) -> Vec<Indexed> {
        let Some(resident) = self.cache.peek(Key::resident(id)) else { return Vec::new() };
        let restored = resident.state.read().as_ref().map(|partition| partition.restored_by(update));
        let mut read = Vec::new();
        for some in restored.unwrap_or_default().chunks(RESTORED_PER_READ) {
            match self.source.indexed(id, some).await {
                Ok(indexed) => read.extend(indexed),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, partition = %id, "restored memories were not read");
                }
            }
        }
        read
    }
}
