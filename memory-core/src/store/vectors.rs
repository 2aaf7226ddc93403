//! Missing vectors in the store port: index rows that were committed with their words alone, and the vectors that are
//! written into them later. Rows are those of the embedder in use.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use half::f16;

use super::StoreError;
use crate::domain::change::KeyKind;
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::job::JobAttempt;
use crate::domain::time::Timestamp;

/// Index row without a vector. The order is that of [`Vectors::rows_to_embed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowToEmbed {
    /// Partition.
    pub partition: PartitionId,
    /// Memory.
    pub memory: MemoryId,
    /// Kind of the key.
    pub key: KeyKind,
    /// Ordinal of the chunk within the key.
    pub chunk: u32,
    /// Span of the chunk in the memory's text, as a byte range.
    pub span: (u32, u32),
}

/// Vector for a row without one.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeVector {
    /// Row.
    pub row: RowToEmbed,
    /// Version of the memory whose text was embedded.
    pub version: u32,
    /// Unit vector.
    pub vector: Arc<[f16]>,
}

/// Vectors of one partition, made by one attempt at a job.
#[derive(Clone, Debug)]
pub struct VectorsToPut {
    /// Partition of all rows.
    pub partition: PartitionId,
    /// Embedder that made the vectors.
    pub embedder: EmbedderId,
    /// Attempt: nothing is written once it has lost its lease.
    pub attempt: JobAttempt,
    /// Time of the entries in the change log.
    pub now: Timestamp,
    /// Vectors.
    pub vectors: Vec<MadeVector>,
}

/// Effect of [`Vectors::put_vectors`] on the change log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VectorsPut {
    /// Last number of the change log before.
    pub seq_before: u64,
    /// Last number of the change log after.
    pub seq_after: u64,
    /// Number of vectors written.
    pub written: u64,
    /// Memories that got a vector, in the order of ids. Each has an entry in the change log.
    pub memories: Vec<MemoryId>,
}

/// Answer to [`Vectors::put_vectors`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutVectors {
    /// Written, as far as the rows were still there and without a vector.
    Done(VectorsPut),
    /// The attempt no longer holds the lease of its job: nothing was written.
    LeaseLost,
}

/// Rows without vectors.
#[async_trait]
pub trait Vectors: Send + Sync + Debug {
    /// Rows of a tenant without a vector after `after`, in order of partition, memory, key and chunk; at most `limit`.
    async fn rows_to_embed(
        &self,
        tenant: TenantId,
        after: Option<RowToEmbed>,
        limit: u32,
    ) -> Result<Vec<RowToEmbed>, StoreError>;

    /// Number of rows without a vector over all tenants, counted up to `at_most`.
    async fn count_rows_to_embed(&self, at_most: u32) -> Result<u64, StoreError>;

    /// Tenants with a row without a vector, at most `limit`.
    async fn tenants_to_embed(&self, limit: u32) -> Result<Vec<TenantId>, StoreError>;

    /// Memories among `ids` with a row without a vector, in the order of ids.
    async fn without_vectors(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<MemoryId>, StoreError>;

    /// Writes vectors into rows that have none, in one transaction. Skips rows that are gone, that have a vector, or
    /// whose memory has another version; and everything if the partition is gone.
    async fn put_vectors(&self, made: &VectorsToPut) -> Result<PutVectors, StoreError>;
}
