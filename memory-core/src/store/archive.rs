//! Archive of the store port: what an export has besides present versions, and what an import finds already.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::change::ChangeSet;
use crate::domain::derivation::Derivation;
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::domain::name::Name;

/// Parts of memories that no version has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchivedParts {
    /// Keys of memories that were added with one.
    pub keys: HashMap<MemoryId, Name>,
    /// Memories of turns that a mechanism has yet to think about.
    pub pending: BTreeSet<MemoryId>,
}

/// Reads of exports and imports.
#[async_trait]
pub trait Archive: Send + Sync + Debug {
    /// Parts of these memories.
    async fn parts(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<ArchivedParts, StoreError>;

    /// Derivations of a partition with these ids, those that are there, in no particular order. Errors:
    /// [`StoreError::Corrupt`] if one of them cannot be decoded.
    async fn derivations_by_id(
        &self,
        partition: PartitionId,
        ids: &[DerivationId],
    ) -> Result<Vec<Derivation>, StoreError>;

    /// Restorations of a set that an earlier import of the same memory has written, by their positions: so that nothing is
    /// embedded in vain.
    async fn restored(&self, set: &ChangeSet) -> Result<BTreeSet<usize>, StoreError>;
}
