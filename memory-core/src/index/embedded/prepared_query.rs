//! A query prepared for one partition: its terms in the partition's languages and the bitmap of visible rows.

use std::sync::Arc;

use gpu_retrieval::Query;

use super::bitmap::Bitmap;
use crate::index::{IndexQuery, ScanWeights};
use crate::retention::Policy;
use crate::text::QueryTerms;

/// A query with what a partition derives from it once.
pub(super) struct PreparedQuery<'a> {
    pub(super) query: &'a IndexQuery,
    /// The query vector, of the partition's dimension.
    pub(super) vector: Option<&'a [f32]>,
    pub(super) terms: QueryTerms,
    /// The visible rows; none if all live rows are visible.
    pub(super) mask: Option<Bitmap>,
    /// The policy whose retention is evaluated before the scan; none if the rows hold it, or if it has no weight.
    pub(super) evaluates: Option<Arc<Policy>>,
    /// The retention by row, for a scan under that policy.
    pub(super) column: Option<Arc<[f32]>>,
}

impl PreparedQuery<'_> {
    /// The dense part of the query, if it has a vector.
    pub(super) fn scan_query(&self) -> Option<Query<'_>> {
        let (k, weights) = (self.query.candidates, self.query.weights.into());
        let retention = self.column.as_deref();
        Some(Query { vector: self.vector?, k, weights, retention, mask: self.mask(), ranges: None })
    }

    pub(super) fn mask(&self) -> Option<&[u64]> {
        self.mask.as_ref().map(Bitmap::words)
    }

    /// True if a live row is visible.
    pub(super) fn sees(&self, row: u32) -> bool {
        self.mask.as_ref().is_none_or(|mask| mask.contains(row as usize))
    }
}

impl From<ScanWeights> for gpu_retrieval::Weights {
    fn from(weights: ScanWeights) -> Self {
        let ScanWeights { similarity, retention, importance } = weights;
        Self { similarity, retention, importance }
    }
}
