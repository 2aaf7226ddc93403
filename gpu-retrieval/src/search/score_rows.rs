//! Scores of chosen rows, without a scan.

use super::answer::Scored;
use super::query_state::canonical_query;
use super::validate::SearchError;
use crate::rows::Rows;
use crate::scoring::Weights;
use crate::simd::InstructionSet;

impl Rows {
    /// The canonical scores of chosen live rows, in the order given.
    ///
    /// # Errors
    /// [`SearchError::Vector`] and [`SearchError::Weights`] (for query 0) or [`SearchError::NoSuchRow`].
    pub fn score_rows(
        &self,
        vector: &[f32],
        weights: Weights,
        now_us: i64,
        rows: &[u32],
    ) -> Result<Vec<Scored>, SearchError> {
        let set = InstructionSet::best();
        let kernels = set.kernels().ok_or(SearchError::InstructionSet(set))?;
        if !weights.is_valid() {
            return Err(SearchError::Weights { query: 0 });
        }
        let weights = weights.positive_zeros();
        let query =
            canonical_query(self, vector).map_err(|reason| SearchError::Vector { query: 0, reason })?;
        let score = |row: &u32| {
            let (block, at) = self.find(*row).ok_or(SearchError::NoSuchRow(*row))?;
            let meta = &block.metadata()[at];
            let similarity = (kernels.dot)(block.fp16_row(at), &query);
            let bias = (kernels.bias)(&weights, meta, now_us);
            Ok(Scored {
                row: *row,
                score: (kernels.fuse)(&weights, similarity, bias),
                similarity,
                retention: (kernels.retention)(meta, now_us),
            })
        };
        rows.iter().map(score).collect()
    }
}
