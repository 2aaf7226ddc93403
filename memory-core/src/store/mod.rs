//! PORT: where everything is kept. One store holds the truth; the index is derived from it and can be rebuilt.
//!
//! The port is cut by subject into small traits, so that a step of a path asks for no more than it uses. Contract of
//! all of them:
//!
//! - What a call acknowledges survives the death of the process. What fails has changed nothing.
//! - Nothing is read or written behind another tenant's wall: every method takes the tenant, or a partition that was
//!   found through it.
//! - Lookups answer `None` or leave out what is not there; errors are for a store that does not work.

mod jobs;
#[cfg(feature = "sqlite")]
pub mod sql;

use std::fmt::Debug;

use async_trait::async_trait;

pub use jobs::Jobs;

use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, IndexRow, Outcome, Refusal};
use crate::domain::derivation::Derivation;
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{MemoryId, PartitionId, RecallId, SessionId, TenantId, TurnId};
use crate::domain::job::JobAttempt;
use crate::domain::memory::Memory;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Session, Turn};

/// What can go wrong in a store that should work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or not in time.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read as what it should be.
    #[error("the store is damaged: {table}.{column} of {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which row, in words.
        row: String,
    },
    /// Another process owns the store.
    #[error("{path} is in use by another process")]
    InUse {
        /// The data directory.
        path: String,
    },
}

/// Everything that is kept.
pub trait Store: Commit + Memories + IndexSource + Embedders + Jobs + AccessLog + Maintenance {}
impl<T: Commit + Memories + IndexSource + Embedders + Jobs + AccessLog + Maintenance> Store for T {}

/// Writing.
#[async_trait]
pub trait Commit: Send + Sync + Debug {
    /// Commits `sets` in order, in one transaction, durably. Each set is taken whole or refused whole; a refused one
    /// does not hinder the others. The answers are in the order of the sets. An error means that none was committed.
    ///
    /// Sequence numbers of a partition are given without gaps, one for each memory written or erased, and one for each
    /// memory that lost a link because what it pointed to was erased.
    async fn commit(&self, sets: &[ChangeSet]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError>;

    /// What an earlier set with this key made for `owner`, or the refusal of another request under the same key. For
    /// requests that could not even be prepared a second time, such as the erasure of what is gone: its owner can no
    /// longer be known, so without `owner` the same request is looked for whoever owned what it was about.
    async fn earlier(
        &self,
        tenant: TenantId,
        owner: Option<&Owner>,
        idempotency: &Idempotency,
    ) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError>;
}

/// A memory with whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMemory {
    /// The partition it lies in.
    pub partition: PartitionId,
    /// Its owner.
    pub owner: Owner,
    /// The memory.
    pub memory: Memory,
}

/// An owner with what they own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerEntry {
    /// Their partition.
    pub partition: PartitionId,
    /// Who.
    pub owner: Owner,
    /// How many live memories.
    pub memory_count: u64,
    /// When they were first heard of.
    pub created_at: Timestamp,
}

/// Reading memories and what they come from.
#[async_trait]
pub trait Memories: Send + Sync + Debug {
    /// The partition of an owner, if they ever remembered anything.
    async fn partition_of(&self, tenant: TenantId, owner: &Owner) -> Result<Option<PartitionId>, StoreError>;

    /// Partitions of other owners that hold memories with this agent, app or run, the oldest first, at most `limit`.
    async fn partitions_with(
        &self,
        tenant: TenantId,
        kind: OwnerKind,
        id: &str,
        limit: u32,
    ) -> Result<Vec<PartitionId>, StoreError>;

    /// The owners of a tenant with a partition after `after`, in order of partition, at most `limit`.
    async fn owners(
        &self,
        tenant: TenantId,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<OwnerEntry>, StoreError>;

    /// Those of `ids` that are in the partition, in the order of `ids`.
    async fn memories(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError>;

    /// A memory by its id alone, in whichever partition of the tenant.
    async fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<StoredMemory>, StoreError>;

    /// The versions of a memory before the present one, oldest first.
    async fn earlier_versions(&self, partition: PartitionId, id: MemoryId)
    -> Result<Vec<Memory>, StoreError>;

    /// How a memory was made, if it was derived.
    async fn derivation(
        &self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Option<Derivation>, StoreError>;

    /// A partition's sessions from the given ordinal on, in order, at most `limit`.
    async fn sessions(
        &self,
        partition: PartitionId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError>;

    /// A session by its id, with the partition it is in.
    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
    ) -> Result<Option<(PartitionId, Session)>, StoreError>;

    /// A session's turns from the given place on, in order, at most `limit`.
    async fn turns(&self, session: SessionId, from: u32, limit: u32) -> Result<Vec<Turn>, StoreError>;

    /// Single turns of a partition, those that are there.
    async fn turns_by_id(&self, partition: PartitionId, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError>;
}

/// A memory as the index needs it: everything but the text, and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    /// The memory; `text` is empty.
    pub memory: Memory,
    /// What it is found by.
    pub rows: Vec<IndexRow>,
}

/// One entry of a partition's change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Its number: one more than the entry before.
    pub seq: u64,
    /// What was done.
    pub op: ChangeOp,
    /// To which memory.
    pub memory: MemoryId,
}

/// What was done to a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOp {
    /// It was added, got a new version, or lost a link to what was erased.
    Put,
    /// It was erased.
    Erase,
}

impl ChangeOp {
    /// The number in the store.
    pub const fn code(self) -> i16 {
        match self {
            ChangeOp::Put => 0,
            ChangeOp::Erase => 1,
        }
    }

    /// The operation of that number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(ChangeOp::Put),
            1 => Some(ChangeOp::Erase),
            _ => None,
        }
    }
}

/// What the index is built from.
#[async_trait]
pub trait IndexSource: Send + Sync + Debug {
    /// Components of the vectors of the embedder in use; 0 while none is.
    async fn dimension(&self) -> Result<usize, StoreError>;

    /// All of a partition at one moment: hands every memory, in the order of ids, to `each`, and answers the number
    /// of the change log that this state bears. Rows bear the vectors of the embedder in use.
    async fn load(
        &self,
        partition: PartitionId,
        each: &mut (dyn FnMut(Indexed) + Send),
    ) -> Result<u64, StoreError>;

    /// The change log after `after`, in order, at most `limit` entries.
    async fn changes(
        &self,
        partition: PartitionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError>;

    /// Single memories as the index needs them, those that are there.
    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError>;
}

/// A memory that another embedder has no rows of yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Unembedded {
    /// The partition.
    pub partition: PartitionId,
    /// The memory in its present version, with its text.
    pub memory: Memory,
}

/// Which embedder the index's rows are made with. Rows of several may lie side by side; one is in use.
#[async_trait]
pub trait Embedders: Send + Sync + Debug {
    /// The identity (as text) of the embedder in use; none in a new store.
    async fn embedder_in_use(&self) -> Result<Option<(EmbedderId, String)>, StoreError>;

    /// Makes the embedder of this identity known, without using it.
    async fn register_embedder(
        &self,
        identity: &str,
        dimension: u32,
        now: Timestamp,
    ) -> Result<EmbedderId, StoreError>;

    /// From here on, rows are written and read for this embedder.
    async fn use_embedder(&self, id: EmbedderId) -> Result<(), StoreError>;

    /// The same as the work of a job, in one transaction with the look at its lease. False, and nothing is changed, if the
    /// job is no longer this worker's.
    async fn use_embedder_for(&self, id: EmbedderId, attempt: JobAttempt) -> Result<bool, StoreError>;

    /// Memories after `after`, in order of partition and id, that have no row of this embedder; at most `limit`.
    async fn unembedded(
        &self,
        id: EmbedderId,
        after: Option<(PartitionId, MemoryId)>,
        limit: u32,
    ) -> Result<Vec<Unembedded>, StoreError>;

    /// Writes an embedder's rows of memories that are still in the version for which the rows were made; leaves the
    /// others out.
    async fn put_rows(
        &self,
        id: EmbedderId,
        memories: &[(PartitionId, MemoryId, u32, Vec<IndexRow>)],
    ) -> Result<(), StoreError>;

    /// Drops a run of at most `limit` rows of embedders other than the one in use; answers how many went.
    async fn drop_other_rows(&self, limit: u32) -> Result<u64, StoreError>;
}

/// What a recall brought back.
#[derive(Clone, Debug, PartialEq)]
pub struct RecallRecord {
    /// Which recall.
    pub id: RecallId,
    /// Of which partition.
    pub partition: PartitionId,
    /// When.
    pub recalled_at: Timestamp,
    /// What came back, best first, with its score.
    pub hits: Vec<(MemoryId, f32)>,
}

/// The access log.
#[async_trait]
pub trait AccessLog: Send + Sync + Debug {
    /// Writes records without the hits that have been erased meanwhile, and drops the oldest of each partition over
    /// `keep_per_partition`.
    async fn record_recalls(
        &self,
        records: &[RecallRecord],
        keep_per_partition: u32,
    ) -> Result<(), StoreError>;

    /// A partition's records, newest first, at most `limit`.
    async fn recalls(&self, partition: PartitionId, limit: u32) -> Result<Vec<RecallRecord>, StoreError>;
}

/// One kind of damage, and how often it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// A stable name of the kind.
    pub code: &'static str,
    /// In words.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// Whether it was mended.
    pub repaired: bool,
}

/// Looking after the store.
#[async_trait]
pub trait Maintenance: Send + Sync + Debug {
    /// Looks for damage; mends what can be mended without loss if `repair` is set.
    async fn check(&self, repair: bool) -> Result<Vec<Damage>, StoreError>;

    /// Writes a consistent copy of the whole store to a new file, while others go on reading and writing.
    async fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError>;

    /// Forgets idempotency keys older than `before`.
    async fn forget_requests(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// The value of a setting.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting.
    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
