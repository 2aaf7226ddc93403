//! Scores of chosen rows, without a scan.

use super::answer::Scored;
use super::query_state::canonical_query;
use super::validate::{SearchError, check_shares};
use crate::rows::Rows;
use crate::scoring::Weights;
use crate::simd::InstructionSet;

impl Rows {
    /// The canonical scores of chosen live rows, in the order given.
    ///
    /// `retentions` are parallel to `rows`, and take the place of the rows' decays: unlike the column of a
    /// [`Query`](super::Query), so that a caller who scores a few rows evaluates its curve for these alone.
    ///
    /// # Errors
    /// [`SearchError::Vector`], [`SearchError::Weights`], [`SearchError::RetentionLength`] and [`SearchError::Retention`]
    /// (for query 0) or [`SearchError::NoSuchRow`].
    pub fn score_rows(
        &self,
        vector: &[f32],
        weights: Weights,
        now_us: i64,
        rows: &[u32],
        retentions: Option<&[f32]>,
    ) -> Result<Vec<Scored>, SearchError> {
        let set = InstructionSet::best();
        let kernels = set.kernels().ok_or(SearchError::InstructionSet(set))?;
        if !weights.is_valid() {
            return Err(SearchError::Weights { query: 0 });
        }
        let weights = weights.positive_zeros();
        let query =
            canonical_query(self, vector).map_err(|reason| SearchError::Vector { query: 0, reason })?;
        let count = |given: &[f32]| (given.len() != rows.len()).then_some(given.len());
        if let Some(given) = retentions.and_then(count) {
            return Err(SearchError::RetentionLength { query: 0, expected: rows.len(), given });
        }
        check_shares(0, retentions.unwrap_or_default())?;
        let score = |(place, row): (usize, &u32)| {
            let given = retentions.and_then(|given| given.get(place)).map(|retention| retention + 0.0);
            let (block, at) = self.find(*row).ok_or(SearchError::NoSuchRow(*row))?;
            let meta = &block.metadata()[at];
            let similarity = (kernels.dot)(block.fp16_row(at), &query);
            let bias = (kernels.bias)(&weights, meta, now_us, given);
            Ok(Scored {
                row: *row,
                score: (kernels.fuse)(&weights, similarity, bias),
                similarity,
                retention: given.unwrap_or_else(|| (kernels.retention)(meta, now_us)),
            })
        };
        rows.iter().enumerate().map(score).collect()
    }
}
