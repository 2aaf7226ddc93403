//! Access log of the store port: which memories a recall returned, and what then showed that they were needed.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{MemoryId, PartitionId, RecallId};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;

/// Memory that a recall returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecallHit {
    /// Memory.
    pub memory: MemoryId,
    /// Its score.
    pub score: f32,
    /// Strongest evidence that it was needed.
    pub outcome: UseKind,
}

/// Access-log record of one recall in one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct RecallRecord {
    /// Recall.
    pub id: RecallId,
    /// Partition.
    pub partition: PartitionId,
    /// Key of the session for which it was made, if it named one of the partition.
    pub session: Option<Name>,
    /// Time of the recall.
    pub recalled_at: Timestamp,
    /// Returned memories, best first.
    pub hits: Vec<RecallHit>,
}

/// Access log of recalls.
#[async_trait]
pub trait AccessLog: Send + Sync + Debug {
    /// Writes records, omitting hits erased in the meantime, and deletes the oldest records of each partition over
    /// `keep_per_partition`.
    async fn record_recalls(
        &self,
        records: &[RecallRecord],
        keep_per_partition: u32,
    ) -> Result<(), StoreError>;

    /// Records of a partition, newest first, at most `limit`.
    async fn recalls(&self, partition: PartitionId, limit: u32) -> Result<Vec<RecallRecord>, StoreError>;

    /// Records of the recalls for a session, newest first, at most `limit`.
    async fn recalls_of_session(
        &self,
        partition: PartitionId,
        session: &Name,
        limit: u32,
    ) -> Result<Vec<RecallRecord>, StoreError>;

    /// Record of one recall in a partition; `None` if there is none, or none any more.
    ///
    /// Errors: [`StoreError::Corrupt`] if it cannot be decoded.
    async fn recall_record(
        &self,
        partition: PartitionId,
        id: RecallId,
    ) -> Result<Option<RecallRecord>, StoreError>;
}
