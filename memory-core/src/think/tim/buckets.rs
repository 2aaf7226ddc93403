//! Buckets of the hash of thoughts, for one embedder: their group keys.
//!
//! The matrices are a function of the parameters and the dimension ([`crate::think::tim::lsh`]), so that a key is the same on every
//! machine. A key names the embedder, since the vectors of two embedders have nothing in common.

use crate::domain::embedder::EmbedderId;
use crate::domain::group::GroupKey;
use crate::think::settings::ThinkingSettings;
use crate::think::tim::lsh::{Lsh, LshError, LshParameters};

/// Table that groups: the paper has one.
const TABLE: u32 = 0;

/// Hash of the vectors of one embedder.
#[derive(Debug)]
pub(in crate::think) struct Buckets {
    lsh: Lsh,
    name: String,
}

impl Buckets {
    /// Hash by the settings of the engine, for vectors of this embedder.
    pub(in crate::think) fn new(
        settings: &ThinkingSettings,
        embedder: EmbedderId,
        dimension: usize,
    ) -> Result<Self, LshError> {
        let parameters =
            LshParameters { buckets: settings.buckets, seed: settings.hash_seed, ..LshParameters::default() };
        let lsh = Lsh::new(parameters, dimension)?;
        let name = format!("e{}-b{}-s{}-t{TABLE}", embedder.0, settings.buckets, settings.hash_seed);
        Ok(Self { lsh, name })
    }

    /// Bucket of a vector; `None` for one without a direction.
    pub(in crate::think) fn bucket(&self, vector: &[f32]) -> Option<u32> {
        self.lsh.bucket(TABLE, vector).ok()
    }

    /// Group key of the bucket of a vector.
    pub(in crate::think) fn key(&self, vector: &[f32]) -> Option<GroupKey> {
        GroupKey::bucket(&self.name, self.bucket(vector)?)
    }
}
