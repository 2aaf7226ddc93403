//! Erasures of the store port: what an erasure would take, without erasing anything.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::change::Retraction;
use crate::domain::id::{MemoryId, PartitionId};

/// Reads of what an erasure takes.
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
}
