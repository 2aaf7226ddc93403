//! Store port: durable storage of turns, memories, index rows, jobs and settings. The store is the source of truth; the
//! index is derived from it and can be rebuilt.
//!
//! The port is divided by subject into small traits, so that a step depends only on what it uses. Contract of all of
//! them:
//!
//! - Acknowledged writes survive the death of the process. A failed call has changed nothing.
//! - Tenants are isolated: every method takes the tenant, or a partition that was found through it.
//! - Lookups answer `None` or omit what does not exist. Errors are for a store that does not work.

mod access_log;
mod archive;
mod change_log;
mod derivations;
mod embedders;
mod erasures;
mod error;
mod extent;
mod grants;
mod graph;
mod jobs;
mod maintenance;
pub(crate) mod purger;
mod quarantine;
mod retention;
mod sessions;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
mod thinking;
mod usage;
mod vectors;

use std::fmt::Debug;

use async_trait::async_trait;

pub use access_log::{AccessLog, RecallHit, RecallRecord};
pub use archive::{Archive, ArchivedParts};
pub use change_log::{ChangeEntry, ChangeOp};
pub use derivations::Derivations;
pub use embedders::{DroppedRows, Embedders, Unembedded};
pub use erasures::{DetachedStep, Erasures, OwnerExtent};
pub use error::{FailureKind, StoreError};
pub use extent::Extent;
pub use grants::{
    Given, GrantBounds, GrantPage, GrantParty, GrantRefusal, GrantUse, Grants, NewGrant, OpenGrant,
};
pub use graph::{GraphSource, NodePage, NodeRecord};
pub use jobs::Jobs;
pub use maintenance::{Damage, Maintenance, Purge, PurgeDebt, PurgeWait};
pub(crate) use quarantine::leave_out;
pub use quarantine::rows_left_out;
pub use retention::{
    ForgottenFilter, ForgottenPlace, RETENTION_ROWS_AT_MOST, Retained, Retention, RetentionPage, RetentionRow,
};
pub use sessions::Sessions;
pub use thinking::{PendingPartition, PendingTurn, Thinking};
pub use usage::{USAGE_ENTRIES_AT_MOST, Usage, UsageEntry, UsageLedger};
pub use vectors::{MadeVector, PutVectors, RowToEmbed, Vectors, VectorsPut, VectorsToPut};

use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, IndexRow, Outcome, Refusal};
use crate::domain::derivation::Derivation;
use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId, SessionId, TenantId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Session, Turn};

/// Store: all traits of the port together.
pub trait Store:
    Commit
    + Memories
    + Archive
    + Derivations
    + Erasures
    + FilteredIds
    + IndexSource
    + GraphSource
    + Embedders
    + Vectors
    + Jobs
    + Thinking
    + Sessions
    + Retention
    + Grants
    + UsageLedger
    + AccessLog
    + Maintenance
{
}
impl<T> Store for T where
    T: Commit
        + Memories
        + Archive
        + Derivations
        + Erasures
        + FilteredIds
        + IndexSource
        + GraphSource
        + Embedders
        + Vectors
        + Jobs
        + Thinking
        + Sessions
        + Retention
        + Grants
        + UsageLedger
        + AccessLog
        + Maintenance
{
}

/// Transactional writes.
#[async_trait]
pub trait Commit: Send + Sync + Debug {
    /// Commits `sets` in order, in one transaction, durably. Each set is committed or refused as a whole; a refused one
    /// does not affect the others. The answers are in the order of the sets. An error means that none was committed.
    ///
    /// The sequence numbers of a partition have no gaps: one for each memory written, erased, or touched
    /// ([`ChangeOp::Touch`]), and one for each memory that lost a link because its target was erased.
    async fn commit(&self, sets: &[ChangeSet]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError>;

    /// Items of a set that a commit would not write now, because they are there or were erased: positions among its turns,
    /// followed by its added memories. So that nothing is embedded in vain.
    async fn recognised(&self, set: &ChangeSet) -> Result<std::collections::BTreeSet<usize>, StoreError>;

    /// Result of an earlier set with this idempotency key for `owner`, or a refusal if the key belongs to another
    /// request. For requests that cannot be prepared a second time, such as the erasure of an erased memory: its owner
    /// is no longer known, so `None` as `owner` matches the same request for any owner.
    async fn earlier(
        &self,
        tenant: TenantId,
        owner: Option<&Owner>,
        idempotency: &Idempotency,
    ) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError>;
}

/// Memory with its partition and owner.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMemory {
    /// Partition of the memory.
    pub partition: PartitionId,
    /// Owner of the partition.
    pub owner: Owner,
    /// Memory.
    pub memory: Memory,
}

/// Owner with its partition and number of memories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerEntry {
    /// Partition of the owner.
    pub partition: PartitionId,
    /// Owner.
    pub owner: Owner,
    /// Number of live memories.
    pub memory_count: u64,
    /// Creation time of the partition.
    pub created_at: Timestamp,
}

/// Maximum number of partitions that are counted for one scope.
pub const SHARED_PARTITIONS_COUNTED: u32 = 100_000;

/// Partitions of other owners that a scope reaches into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedPartitions {
    /// Partitions, the one with the latest shared memory first.
    pub partitions: Vec<PartitionId>,
    /// Number of all of them, those beyond the limit too; at most [`SHARED_PARTITIONS_COUNTED`].
    pub total: u64,
}

/// Reads of memories, sessions and turns.
#[async_trait]
pub trait Memories: Send + Sync + Debug {
    /// Partition of an owner; `None` if the owner has no memory.
    async fn partition_of(&self, tenant: TenantId, owner: &Owner) -> Result<Option<PartitionId>, StoreError>;

    /// Partitions of other owners with shared memories of each of these ids: agents, apps or runs. The one where such a
    /// memory of the last id was recorded last comes first; at most `limit`.
    async fn partitions_with(
        &self,
        tenant: TenantId,
        ids: &[(OwnerKind, Name)],
        limit: u32,
    ) -> Result<SharedPartitions, StoreError>;

    /// Owners of a tenant with a partition after `after`, in order of partition, at most `limit`.
    async fn owners(
        &self,
        tenant: TenantId,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<OwnerEntry>, StoreError>;

    /// Owners of all tenants with a partition after `after`, in order of partition, at most `limit`. For maintenance; a request of
    /// a caller reads its own tenant.
    async fn owners_of_all_tenants(
        &self,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<(TenantId, OwnerEntry)>, StoreError>;

    /// Existing memories among `ids`, in the order of `ids`. Those that cannot be decoded are left out.
    async fn memories(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError>;

    /// Memory by its id alone, in any partition of the tenant.
    ///
    /// Errors: [`StoreError::Corrupt`] if it cannot be decoded.
    async fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<StoredMemory>, StoreError>;

    /// Owner of a memory, also if the memory itself cannot be decoded; `None` if it does not exist.
    async fn owner_of_memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Owner>, StoreError>;

    /// Versions of a memory before the present one, oldest first.
    ///
    /// Errors: [`StoreError::Corrupt`] if one of them cannot be decoded.
    async fn earlier_versions(
        &self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Vec<Memory>, StoreError> {
        self.earlier_versions_from(partition, id, 0, u32::MAX).await
    }

    /// At most `limit` versions of a memory before the present one, oldest first, from the version `from` on.
    ///
    /// Errors: [`StoreError::Corrupt`] if one of them cannot be decoded.
    async fn earlier_versions_from(
        &self,
        partition: PartitionId,
        id: MemoryId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Memory>, StoreError>;

    /// Derivation of a memory; `None` if it is not a derived one.
    async fn derivation(
        &self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Option<Derivation>, StoreError>;

    /// Sessions of a partition from this ordinal on, in order, at most `limit`.
    async fn sessions(
        &self,
        partition: PartitionId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError>;

    /// Session by its id, with its partition.
    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
    ) -> Result<Option<(PartitionId, Session)>, StoreError>;

    /// Turns of a session from this ordinal on, in order, at most `limit`.
    async fn turns(&self, session: SessionId, from: u32, limit: u32) -> Result<Vec<Turn>, StoreError>;

    /// Existing turns of a partition among `ids`.
    async fn turns_by_id(&self, partition: PartitionId, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError>;
}

/// A page of ids in the order of ids, which is the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// The cursor: the last id of the page before, whether or not its memory is still there.
    pub after: Option<MemoryId>,
    /// True for descending ids.
    pub newest_first: bool,
    /// Maximum number of ids.
    pub limit: u32,
}

impl IdPage {
    /// True if an id lies behind the cursor.
    pub fn is_past_cursor(&self, id: MemoryId) -> bool {
        self.after.is_none_or(|after| if self.newest_first { id < after } else { id > after })
    }
}

/// The ids of a page, with what is around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingIds {
    /// The ids, in the order of the page.
    pub ids: Vec<MemoryId>,
    /// The number of all memories of the partition that match, before and after the page too.
    pub total: u64,
    /// True if more match after the last id of the page.
    pub has_more: bool,
    /// Number of memories of the partition that the filter could not be evaluated on, since they cannot be decoded. 0
    /// where the database evaluates the whole filter: such memories are among the ids then.
    pub unreadable: u64,
}

/// Selection by filter, without an index.
#[async_trait]
pub trait FilteredIds: Send + Sync + Debug {
    /// A page of the memories of a partition that [`Filter::matches`] selects. Expired memories are included
    /// unless the filter excludes them. A change made meanwhile may be seen or not. Memory is bounded by the page, not by the
    /// partition.
    ///
    /// Errors: [`StoreError::Busy`] if too many reads through filters are at work.
    async fn matching_ids(
        &self,
        partition: PartitionId,
        filter: &Filter,
        page: IdPage,
    ) -> Result<MatchingIds, StoreError>;

    /// Ids of the memories of a partition after an id, in ascending order, from what the database has beside the memories
    /// themselves: for a listing that damaged pages of the memories stop. Ids of erased memories may be among them.
    async fn ids_beside_memories(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<Vec<MemoryId>, StoreError>;
}

/// Memory as the index needs it: its columns without the text, and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    /// Memory with an empty `text`.
    pub memory: Memory,
    /// Index rows.
    pub rows: Vec<IndexRow>,
}

/// Input of the index: snapshots and change logs of partitions.
#[async_trait]
pub trait IndexSource: Send + Sync + Debug {
    /// Number of components of a vector of the embedder in use; 0 while none is.
    async fn dimension(&self) -> Result<usize, StoreError>;

    /// Consistent snapshot of a partition: passes every memory, in the order of ids, to `each`, and returns the last
    /// change-log number in the snapshot. Rows have the vectors of the embedder in use.
    async fn load(
        &self,
        partition: PartitionId,
        each: &mut (dyn FnMut(Indexed) + Send),
    ) -> Result<u64, StoreError>;

    /// Last change-log number and number of memories of a partition, of one moment; zeros for one that is not there.
    async fn extent(&self, partition: PartitionId) -> Result<Extent, StoreError>;

    /// Change-log entries after `after`, in order, at most `limit`.
    async fn changes(
        &self,
        partition: PartitionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError>;

    /// Existing memories among `ids`, as the index needs them.
    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError>;

    /// Retention of the existing memories among `ids`: what the index needs after a [`ChangeOp::Touch`].
    async fn retained(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Retained>, StoreError>;
}
