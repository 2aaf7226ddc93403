//! Questions and answers: batches of queries over [`Rows`], and what is refused.
//!
//! It exists to be the one door to the scan. Invariants: an answer depends on rows and query alone, never on the
//! instruction set, the pass, the batch it came in or the thread; and whatever the caller gives, a search returns
//! an answer or a typed error.

mod certified;
mod exact;
mod scan;
mod scratch;
mod shared;
mod top_groups;

use std::ops::Range;

use crate::contract::{MAX_WEIGHT, VectorError, Weights, unit_fp16};
use crate::rows::Rows;
use crate::simd::InstructionSet;
use scratch::widen;
pub use shared::{Findings, SharedSearch};

/// The most groups a query may ask for.
pub const MAX_K: usize = 1024;

/// The most queries in a batch.
pub const MAX_QUERIES: usize = 1024;

/// Queries that are answered as of one instant, and in one walk over the rows.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The instant at which retention is evaluated, µs since the epoch of [`Terms::t0_us`](crate::Terms).
    pub now_us: i64,
    /// At most [`MAX_QUERIES`].
    pub queries: &'a [Query<'a>],
}

/// One question: the `k` best groups among the rows that it may see.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Any vector with a direction; it is normalised and rounded to fp16.
    pub vector: &'a [f32],
    /// How many groups, 1 to [`MAX_K`].
    pub k: usize,
    /// What counts how much.
    pub weights: Weights,
    /// Slot `s` is allowed if bit `s mod 64` of word `s / 64` is set; beyond the last word nothing is. `None`
    /// allows everything.
    pub mask: Option<&'a [u64]>,
    /// Ranges of allowed slots, ascending and disjoint, as far as there are slots. `None` allows everything.
    pub ranges: Option<&'a [Range<u32>]>,
}

/// How to compute; no choice here changes an answer's hits.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions {
    /// On which instructions.
    pub instruction_set: InstructionSet,
    /// Whether to look at the int8 rows first.
    pub pass: PassChoice,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { instruction_set: InstructionSet::best(), pass: PassChoice::Auto }
    }
}

/// Who decides whether the int8 rows are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassChoice {
    /// The certified pass, unless the rows are few for `k`.
    Auto,
    /// Always as told.
    Forced(Pass),
}

/// The two ways to the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The canonical score of every allowed row: the reference.
    Exact,
    /// The canonical score only of rows whose int8 image does not prove them too low.
    Certified,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Score descending, then group id ascending; as many as `k` or as there are groups with an allowed live row.
    pub hits: Vec<Hit>,
    /// Live rows that the mask and the ranges allowed.
    pub rows_scanned: u64,
    /// Rows whose canonical score was computed.
    pub rows_rescored: u64,
    /// Which way it went.
    pub pass: Pass,
}

/// A group, by its best row: the highest score, then the lowest ordinal, then the lowest slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The best row.
    pub slot: u32,
    /// The group's number.
    pub group: u32,
    /// The id given to [`Rows::add_group`].
    pub group_id: u128,
    /// See [`fuse`](crate::fuse).
    pub score: f32,
    /// The canonical dot product, the cosine up to rounding.
    pub similarity: f32,
    /// See [`retention`](crate::retention); computed whether or not it weighs.
    pub retention: f32,
}

/// The canonical score of a chosen row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The row.
    pub slot: u32,
    /// As in [`Hit`].
    pub score: f32,
    /// As in [`Hit`].
    pub similarity: f32,
    /// As in [`Hit`].
    pub retention: f32,
}

/// Why a batch was refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The vector of a query does not fit.
    #[error("query {query}: {reason}")]
    Vector {
        /// Its place in the batch.
        query: usize,
        /// What is wrong with it.
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
    /// More than [`MAX_QUERIES`].
    #[error("a batch has at most {MAX_QUERIES} queries")]
    TooManyQueries,
    /// The machine lacks the instructions asked for.
    #[error("this machine does not have {0:?}")]
    InstructionSet(InstructionSet),
    /// A slot that was never given, or whose row was deleted.
    #[error("no row in slot {0}")]
    NoSuchRow(u32),
}

impl Rows {
    /// The best groups of every query, in the order of the batch.
    ///
    /// # Errors
    /// The batch is refused as a whole for the first query that is not valid: see [`SearchError`].
    pub fn search(&self, batch: &Batch<'_>) -> Result<Vec<Answer>, SearchError> {
        self.search_with(batch, &SearchOptions::default())
    }

    /// [`Rows::search`] by a given way, for tests and measurements.
    ///
    /// # Errors
    /// Those of [`Rows::search`], and [`SearchError::InstructionSet`].
    pub fn search_with(
        &self,
        batch: &Batch<'_>,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, SearchError> {
        let search = self.share_with(batch, options)?;
        let findings = search.take_part();
        Ok(search.answers(&[findings]))
    }

    /// The canonical scores of chosen live rows, in the order given.
    ///
    /// # Errors
    /// [`SearchError::Vector`] and [`SearchError::Weights`] (for query 0) or [`SearchError::NoSuchRow`].
    pub fn score_rows(
        &self,
        vector: &[f32],
        weights: Weights,
        now_us: i64,
        slots: &[u32],
    ) -> Result<Vec<Scored>, SearchError> {
        let set = InstructionSet::best();
        let kernels = set.kernels().ok_or(SearchError::InstructionSet(set))?;
        if !weights.is_valid() {
            return Err(SearchError::Weights { query: 0 });
        }
        let weights = weights.positive_zeros();
        let query = widen(self, vector).map_err(|reason| SearchError::Vector { query: 0, reason })?;
        let score = |slot: &u32| {
            let (block, at) = self.find(*slot).ok_or(SearchError::NoSuchRow(*slot))?;
            let entry = &block.entries()[at];
            let similarity = (kernels.dot)(block.half_row(at), &query);
            let bias = (kernels.bias)(&weights, entry, now_us);
            Ok(Scored {
                slot: *slot,
                score: (kernels.fuse)(&weights, similarity, bias),
                similarity,
                retention: (kernels.retention)(entry, now_us),
            })
        };
        slots.iter().map(score).collect()
    }
}

fn check_query(index: usize, query: &Query<'_>) -> Result<(), SearchError> {
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
