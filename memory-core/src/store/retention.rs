//! Retention part of the store port: what sweeps read of many memories, without their texts, and the moment of the last one.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::job::JobAttempt;
use crate::domain::memory::{Kind, Strength};
use crate::domain::time::Timestamp;

/// Maximum number of rows of one page.
pub const RETENTION_ROWS_AT_MOST: u32 = 10_000;

/// Retention of a memory: what its strength follows from, and whether it is forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Retained {
    /// Memory.
    pub memory: MemoryId,
    /// Input of the forgetting curves.
    pub strength: Strength,
    /// Record of its forgetting; `None` while it is not forgotten.
    pub forgotten: Option<Forgotten>,
}

/// Memory as a sweep sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionRow {
    /// Memory.
    pub memory: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Present version.
    pub version: u32,
    /// Length of its text in LLM tokens.
    pub tokens: u32,
    /// Input of the forgetting curves.
    pub strength: Strength,
    /// Record of its forgetting; `None` while it is not forgotten.
    pub forgotten: Option<Forgotten>,
}

/// Page of the memories of a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetentionPage {
    /// Rows, in the order of ids.
    pub rows: Vec<RetentionRow>,
    /// Last memory that was looked at, after which the next page begins; `None` at the end. Those that cannot be decoded
    /// are left out of the rows.
    pub last: Option<MemoryId>,
}

/// Place in the list of forgotten memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenPlace {
    /// Time at which the sweep found it.
    pub recorded_at: Timestamp,
    /// Memory.
    pub memory: MemoryId,
}

/// Records of forgetting that a list is to have: those with all that is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForgottenFilter {
    /// Reason; `None` for any.
    pub reason: Option<Reason>,
    /// Effect, as the last sweep recorded it; `None` for any.
    pub effect: Option<Effect>,
}

/// Retention of memories, for sweeps.
#[async_trait]
pub trait Retention: Send + Sync + Debug {
    /// Memories of a partition after an id, in the order of ids, forgotten ones included. At most `limit`, and at most
    /// [`RETENTION_ROWS_AT_MOST`].
    async fn retention_page(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<RetentionPage, StoreError>;

    /// Forgotten memories of a partition that pass a filter, after a place of the list, those found last first; of one moment,
    /// the newest memory first. At most `limit`, and at most [`RETENTION_ROWS_AT_MOST`].
    async fn forgotten_page(
        &self,
        partition: PartitionId,
        filter: ForgottenFilter,
        after: Option<ForgottenPlace>,
        limit: u32,
    ) -> Result<Vec<(MemoryId, Forgotten)>, StoreError>;

    /// Moment of the last complete check of a partition by draws ([`Rule::ConditionalDraw`](crate::retention::Rule)); `None` if
    /// there was none. It goes with the owner of the partition, and comes with restored memories
    /// ([`ChangeSet::restored_check`](crate::domain::change::ChangeSet)).
    async fn checked_at(&self, partition: PartitionId) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that the check of a partition as of `at` is complete, unless one as of a later moment is. Returns false, and changes
    /// nothing, if the attempt no longer holds its job.
    async fn note_check(
        &self,
        partition: PartitionId,
        at: Timestamp,
        attempt: JobAttempt,
    ) -> Result<bool, StoreError>;

    /// Number of forgotten memories of a partition.
    async fn forgotten_count(&self, partition: PartitionId) -> Result<u64, StoreError>;
}
