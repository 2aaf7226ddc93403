//! Embedders in the store port: the row recipe in use, and the rows of another one while they are made.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::change::IndexRow;
use crate::domain::embedder::{EmbedderId, RowRecipe};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::job::JobAttempt;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;

/// Memory without rows of another recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Unembedded {
    /// The partition.
    pub partition: PartitionId,
    /// Memory in its present version, with its text.
    pub memory: Memory,
}

/// Embedders of the index rows, each numbered with the rest of its [`RowRecipe`]: one embedder has a number for each
/// tokenizer and key recipe. Rows of several numbers may exist side by side; one is in use.
#[async_trait]
pub trait Embedders: Send + Sync + Debug {
    /// Recipe in use with its number; `None` in a new store.
    async fn embedder_in_use(&self) -> Result<Option<(EmbedderId, RowRecipe)>, StoreError>;

    /// Registers a recipe whose embedder makes vectors of `dimension` components, without using it. Returns the number
    /// that it has already if it is registered.
    async fn register_embedder(
        &self,
        recipe: &RowRecipe,
        dimension: u32,
        now: Timestamp,
    ) -> Result<EmbedderId, StoreError>;

    /// Switches to this number: from here on, rows are written and read under it.
    async fn use_embedder(&self, id: EmbedderId) -> Result<(), StoreError>;

    /// The same as the work of a job, in one transaction with the look at its lease. False, and nothing is changed, if the
    /// job is no longer this worker's.
    async fn use_embedder_for(&self, id: EmbedderId, attempt: JobAttempt) -> Result<bool, StoreError>;

    /// Memories after `after`, in order of partition and id, without a row under this number; at most `limit`.
    async fn unembedded(
        &self,
        id: EmbedderId,
        after: Option<(PartitionId, MemoryId)>,
        limit: u32,
    ) -> Result<Vec<Unembedded>, StoreError>;

    /// Writes rows under this number, of memories that are still at the version for which the rows were made; skips the
    /// others.
    async fn put_rows(
        &self,
        id: EmbedderId,
        memories: &[(PartitionId, MemoryId, u32, Vec<IndexRow>)],
    ) -> Result<(), StoreError>;

    /// Deletes the rows of memories that have a row which cannot be decoded, so that [`Embedders::unembedded`] names
    /// these memories; returns the number of rows that could not be decoded. Reads and decodes all rows.
    async fn drop_unreadable_rows(&self) -> Result<u64, StoreError>;

    /// Deletes at most `limit` rows under numbers other than the one in use, in the partitions after or at `from`.
    async fn drop_other_rows(&self, from: Option<PartitionId>, limit: u32)
    -> Result<DroppedRows, StoreError>;
}

/// Rows that one call of [`Embedders::drop_other_rows`] deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DroppedRows {
    /// Number of rows.
    pub rows: u64,
    /// Beginning of the next call; `None` if there was nothing left to delete.
    pub next: Option<PartitionId>,
}
