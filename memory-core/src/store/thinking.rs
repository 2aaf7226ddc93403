//! Thinking of the store port: the turns that wait to be thought about, groups, evidence, and the past.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::derivation::Derivation;
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId, TenantId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::domain::zone::UtcOffset;

/// Turn in the queue of a mechanism.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingTurn {
    /// Memory of the turn in its present version, with its origin (turn, session, speaker) and its audience. The text is
    /// that of the turn, unless the memory was edited.
    pub memory: Memory,
    /// Time of the utterance.
    pub said_at: Timestamp,
    /// Offset of the speaker's local time at that moment, if it is known.
    pub utc_offset: Option<UtcOffset>,
    /// Names of the others present.
    pub participants: Vec<Name>,
}

/// Partition with turns in the queue of a mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPartition {
    /// Tenant.
    pub tenant: TenantId,
    /// Partition.
    pub partition: PartitionId,
    /// Owner.
    pub owner: Owner,
}

/// Reads of thinking. The queues are written with change sets.
#[async_trait]
pub trait Thinking: Send + Sync + Debug {
    /// Turns of a partition in the queue of a mechanism, oldest first, at most `limit`.
    async fn pending_turns(
        &self,
        partition: PartitionId,
        mechanism: &str,
        limit: u32,
    ) -> Result<Vec<PendingTurn>, StoreError>;

    /// True if one of these turns is in the queue of a mechanism.
    async fn are_queued(
        &self,
        partition: PartitionId,
        mechanism: &str,
        turns: &[MemoryId],
    ) -> Result<bool, StoreError>;

    /// Memories of these turns, in no particular order.
    async fn memories_of_turns(
        &self,
        partition: PartitionId,
        turns: &[TurnId],
    ) -> Result<Vec<Memory>, StoreError>;

    /// Partitions of all tenants after `after` with turns in the queue of a mechanism, in the order of partitions, at
    /// most `limit`.
    async fn partitions_with_pending(
        &self,
        mechanism: &str,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<PendingPartition>, StoreError>;

    /// Number of turns in the queue of each mechanism that has any, over all tenants, in the order of names: for metrics.
    async fn count_pending(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// Memories of a partition in these groups, in the order of `keys`; of each group the newest first, at most
    /// `limit_per_group`. A key that is given twice counts once.
    async fn in_groups(
        &self,
        partition: PartitionId,
        keys: &[GroupKey],
        limit_per_group: u32,
    ) -> Result<Vec<(GroupKey, MemoryId)>, StoreError>;

    /// Derivations of the present versions of these memories, in the order of `ids`, without those that have none.
    async fn evidence(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, Derivation)>, StoreError>;

    /// Each of these memories as it was recorded at a time: its newest version with `recorded_at <= at`, in the order of
    /// `ids`. A memory that was created later is omitted. Strength and links to erased memories are not kept by version.
    async fn versions_at(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        at: Timestamp,
    ) -> Result<Vec<Memory>, StoreError>;

    /// Pairs of one of these memories and a memory that has a version with a link to it, in order, at most `limit` for every
    /// 512 memories.
    async fn linked_from(
        &self,
        partition: PartitionId,
        to: &[MemoryId],
        limit: u32,
    ) -> Result<Vec<(MemoryId, MemoryId)>, StoreError>;

    /// Tenant and owner of a partition.
    async fn owner_of(&self, partition: PartitionId) -> Result<Option<(TenantId, Owner)>, StoreError>;
}
