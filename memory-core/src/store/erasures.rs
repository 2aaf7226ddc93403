//! Erasures of the store port: what an erasure would take, without erasing anything; and the deletion, in steps, of the
//! partitions of erased owners.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::change::Retraction;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;

/// Reads of what an erasure takes, and the second half of the erasure of an owner. The first half is the commit of a set:
/// the partition is *detached*, which takes it away from its owner and hides it from every read by tenant, and everything
/// that names the owner is deleted in the same transaction.
#[async_trait]
pub trait Erasures: Send + Sync + Debug {
    /// Closure of an erasure: the existing memories among `roots`, and all memories with a version that is derived from
    /// one of the closure or from its turn. Each is given once: the roots first, then what was derived from them, level
    /// by level. Derivations that the set of the erasure retracts (`without`) do not count.
    ///
    /// `None` if the closure has more than `limit` memories; it is not read further then.
    async fn erasure_closure(
        &self,
        partition: PartitionId,
        roots: &[MemoryId],
        without: &[Retraction],
        limit: usize,
    ) -> Result<Option<Vec<MemoryId>>, StoreError>;

    /// Extent of what an owner has; `None` if it has no partition.
    async fn owner_extent(&self, tenant: TenantId, owner: &Owner) -> Result<Option<OwnerExtent>, StoreError>;

    /// Partitions whose owner was erased and that still have rows, with the tenant that had them; at most `limit`.
    async fn detached_partitions(&self, limit: u32) -> Result<Vec<(TenantId, PartitionId)>, StoreError>;

    /// Deletes some of the rows of a partition whose owner was erased, in one bounded transaction, and the partition itself
    /// with the last of them. Nothing is deleted of a partition that has an owner. Safe to repeat.
    ///
    /// The bytes are purged as those of an erasure at `now`.
    async fn erase_detached(
        &self,
        partition: PartitionId,
        now: Timestamp,
    ) -> Result<DetachedStep, StoreError>;
}

/// Extent of what an owner has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerExtent {
    /// Partition of the owner.
    pub partition: PartitionId,
    /// Number of its memories.
    pub memories: u64,
    /// Newest of its memories. Ids are never given twice, so that number and newest tell any two states apart between
    /// which a memory came or went, edits apart.
    pub newest: Option<MemoryId>,
}

/// One step of the deletion of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetachedStep {
    /// Number of memories that were deleted.
    pub memories: u64,
    /// True if nothing is left.
    pub is_done: bool,
}
