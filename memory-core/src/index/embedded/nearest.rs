//! Nearest memories of several vectors: one batch of the scan under one mask, without BM25, retention or adjacent turns.

use std::sync::Arc;

use gpu_retrieval::{Batch, Hit, Query, Weights};

use super::bitmap::Bitmap;
use super::partition::Partition;
use crate::domain::id::MemoryId;
use crate::index::{IndexError, MAX_NEAREST, MAX_NEAREST_VECTORS, Nearest, View};

/// Refuses what is out of bounds, before a partition is loaded for it.
pub(super) fn check(vectors: &[Arc<[f32]>], k: usize) -> Result<(), IndexError> {
    if vectors.len() > MAX_NEAREST_VECTORS {
        let found = vectors.len();
        return Err(IndexError::Unscorable(format!("{found} vectors, at most {MAX_NEAREST_VECTORS}")));
    }
    if !(1..=MAX_NEAREST).contains(&k) {
        return Err(IndexError::Unscorable(format!("k is {k}, 1 to {MAX_NEAREST}")));
    }
    Ok(())
}

impl Partition {
    /// The `k` nearest visible memories of each vector.
    pub(super) fn nearest(
        &self,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError> {
        let expected = self.dense.dims();
        if let Some(found) = vectors.iter().map(|vector| vector.len()).find(|found| *found != expected) {
            return Err(IndexError::Dimension { expected, found });
        }
        let mask = self.row_mask(view);
        let mask = mask.as_ref().map(Bitmap::words);
        let query =
            |vector| Query { vector, k, weights: Weights::SIMILARITY, retention: None, mask, ranges: None };
        let queries: Vec<Query<'_>> = vectors.iter().map(|vector| query(vector)).collect();
        let batch = Batch { now_us: view.now.as_micros(), queries: &queries };
        let answers = self.dense.search(&batch).map_err(|error| IndexError::Unscorable(error.to_string()))?;
        // A group's id is its memory's, and the scan ranks as the contract asks.
        let nearest = |hit: &Hit| Nearest {
            memory: MemoryId(uuid::Uuid::from_u128(hit.group_id)),
            similarity: hit.similarity,
        };
        Ok(answers.iter().map(|answer| answer.hits.iter().map(nearest).collect()).collect())
    }
}
