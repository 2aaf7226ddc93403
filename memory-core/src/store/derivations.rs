//! Derivations of the store port: the versions of memories by the job that made them, and by what was in view of their
//! makers; with the order in which versions were committed. An undo reads them.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::derivation::Source;
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::undo::{BuiltOn, MadeVersion};

/// Derivations, by what made them and by what they were made of.
#[async_trait]
pub trait Derivations: Send + Sync + Debug {
    /// Partitions of a tenant with versions whose derivation names this job, in order, at most `limit`.
    async fn partitions_of_job(
        &self,
        tenant: TenantId,
        job: JobId,
        limit: u32,
    ) -> Result<Vec<(PartitionId, Owner)>, StoreError>;

    /// Versions of existing memories whose derivation names this job, in the order of derivations after `after`, at most
    /// `limit`. A later version that keeps or restores the content of one, with its derivation, is not listed.
    async fn made_by(
        &self,
        partition: PartitionId,
        job: JobId,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<MadeVersion>, StoreError>;

    /// Derivations with one of these sources among their inputs, one entry for each pair, at most `limit` for every 512
    /// sources.
    async fn built_on(
        &self,
        partition: PartitionId,
        sources: &[Source],
        limit: u32,
    ) -> Result<Vec<BuiltOn>, StoreError>;

    /// Last number of the change log of a partition.
    async fn last_change(&self, partition: PartitionId) -> Result<u64, StoreError>;

    /// For each version of these memories, the number of its first entry in the change log: a version with a smaller
    /// number was committed before. Reads the whole log of the partition.
    async fn change_numbers(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, u32, u64)>, StoreError>;
}
