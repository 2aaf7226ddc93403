//! Derivations of the store port: the versions of memories by the job that made them.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{DerivationId, JobId, PartitionId};
use crate::domain::undo::MadeVersion;

/// Derivations, by what made them.
#[async_trait]
pub trait Derivations: Send + Sync + Debug {
    /// Versions of existing memories whose derivation names this job, in the order of derivations after `after`, at most
    /// `limit`. A later version that keeps or restores the content of one, with its derivation, is not listed.
    async fn made_by(
        &self,
        partition: PartitionId,
        job: JobId,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<MadeVersion>, StoreError>;
}
