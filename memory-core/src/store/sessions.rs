//! Sessions of the store port: reads of working memory and of the consolidation of sessions (ADR 0046).

use std::fmt::Debug;

use async_trait::async_trait;

use super::{PendingPartition, StoreError};
use crate::domain::consolidation::Asked;
use crate::domain::id::{PartitionId, SessionId, TurnId};
use crate::domain::memory::{DocumentName, Memory};
use crate::domain::name::Name;
use crate::domain::turn::Session;

/// Reads of single sessions. What they write comes with change sets
/// ([`SessionWrites`](crate::domain::consolidation::SessionWrites)).
#[async_trait]
pub trait Sessions: Send + Sync + Debug {
    /// Session of a partition by its key.
    async fn session_of_key(&self, partition: PartitionId, key: &Name)
    -> Result<Option<Session>, StoreError>;

    /// Newest turns of a session, newest first, at most `limit`.
    async fn newest_turns(&self, session: SessionId, limit: u32) -> Result<Vec<TurnId>, StoreError>;

    /// Memory with this document name, of any kind.
    async fn named(&self, partition: PartitionId, name: &DocumentName) -> Result<Option<Memory>, StoreError>;

    /// Sessions of a partition whose digest is asked for, the one that waits longest first, at most `limit`.
    async fn asked_digests(&self, partition: PartitionId, limit: u32) -> Result<Vec<Asked>, StoreError>;

    /// Partitions of all tenants after `after` with such sessions, in the order of partitions, at most `limit`.
    async fn partitions_with_asked_digests(
        &self,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<PendingPartition>, StoreError>;
}
