//! Validation of queries: which are refused, and with which error.

use super::request::{MAX_K, MAX_QUERIES, Query};
use crate::scoring::{MAX_WEIGHT, VectorError};
use crate::simd::InstructionSet;

/// Why a batch was refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The vector of a query does not fit.
    #[error("query {query}: {reason}")]
    Vector {
        /// Its place in the batch.
        query: usize,
        /// Defect of the vector.
        reason: VectorError,
    },
    /// `k` is 0 or above [`MAX_K`].
    #[error("query {query}: k is 1 to {MAX_K}")]
    K {
        /// Its place in the batch.
        query: usize,
    },
    /// A weight is not a number from 0 to [`MAX_WEIGHT`].
    #[error("query {query}: weights are finite, 0 to {MAX_WEIGHT}")]
    Weights {
        /// Its place in the batch.
        query: usize,
    },
    /// Ranges overlap, run backwards or are out of order.
    #[error("query {query}: ranges must be ascending and disjoint")]
    Ranges {
        /// Its place in the batch.
        query: usize,
    },
    /// The retention column of a query does not have a number for every row.
    #[error("query {query}: {given} retentions for {expected} rows")]
    RetentionLength {
        /// Its place in the batch.
        query: usize,
        /// The rows of the store, or the rows asked for.
        expected: usize,
        /// The numbers given.
        given: usize,
    },
    /// A retention is not a number from 0 to 1.
    #[error("query {query}: the retention at {index} is not from 0 to 1")]
    Retention {
        /// Its place in the batch.
        query: usize,
        /// The first such place in the column.
        index: usize,
    },
    /// More than [`MAX_QUERIES`].
    #[error("a batch has at most {MAX_QUERIES} queries")]
    TooManyQueries,
    /// The machine lacks the requested instruction set.
    #[error("this machine does not have {0:?}")]
    InstructionSet(InstructionSet),
    /// A row that was never given, or whose row was deleted.
    #[error("no row in row {0}")]
    NoSuchRow(u32),
}

/// Checks all of a query but its vector.
pub(super) fn check_query(index: usize, query: &Query<'_>) -> Result<(), SearchError> {
    if !(1..=MAX_K).contains(&query.k) {
        return Err(SearchError::K { query: index });
    }
    if !query.weights.is_valid() {
        return Err(SearchError::Weights { query: index });
    }
    let mut end = 0;
    for range in query.ranges.unwrap_or_default() {
        if range.start < end || range.end < range.start {
            return Err(SearchError::Ranges { query: index });
        }
        end = range.end;
    }
    Ok(())
}

/// Refuses numbers outside [0, 1].
pub(super) fn check_shares(query: usize, values: &[f32]) -> Result<(), SearchError> {
    let refused = values.iter().position(|value| !is_share(*value));
    refused.map_or(Ok(()), |index| Err(SearchError::Retention { query, index }))
}

/// True from 0 to 1.
fn is_share(value: f32) -> bool {
    are_bits_of_share((value + 0.0).to_bits())
}

/// True for the bits of a number from +0 to 1: those of NaNs and of all negative numbers are above those of 1.
pub(super) const fn are_bits_of_share(bits: u32) -> bool {
    bits <= 1.0f32.to_bits()
}
