//! Graph of memories in the store port: what the present version of each memory is linked to, made of and about. Texts,
//! vectors and metadata are not read.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Visibility};
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};

/// Memory as a node of the graph, with the edges that start from it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// Memory.
    pub id: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Visibility.
    pub visibility: Visibility,
    /// Agent to which the memory belongs besides its owner.
    pub agent: Option<Name>,
    /// App to which the memory belongs besides its owner.
    pub app: Option<Name>,
    /// Run to which the memory belongs besides its owner.
    pub run: Option<Name>,
    /// Conversation partners to whom it may be told; empty for anybody.
    pub audience: Vec<Name>,
    /// Time of the events in the text.
    pub happened_at: Timestamp,
    /// Interval in which the text held true.
    pub valid: Interval,
    /// Time from which it is no longer recalled.
    pub expires_at: Option<Timestamp>,
    /// Links of the present version.
    pub links: Vec<Link>,
    /// Memories that are the evidence of the present version, in the order of ids. The evidence that is a turn counts as
    /// the memory of that turn.
    pub evidence: Vec<MemoryId>,
    /// Groups by entity that the memory is in, in order.
    pub entities: Vec<GroupKey>,
}

/// Page of nodes in the order of ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePage {
    /// Nodes. Those that cannot be decoded are left out.
    pub nodes: Vec<NodeRecord>,
    /// Last id of the page, whether or not its memory can be decoded; `None` after the last memory.
    pub last: Option<MemoryId>,
}

/// Reads of the graph.
#[async_trait]
pub trait GraphSource: Send + Sync + Debug {
    /// A page of the memories of a partition after `after`, at most `limit`.
    async fn node_page(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<NodePage, StoreError>;

    /// Existing memories among `ids` that can be decoded, in the order of ids.
    async fn nodes(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<NodeRecord>, StoreError>;
}
