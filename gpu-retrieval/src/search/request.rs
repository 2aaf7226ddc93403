//! Requests: batches of queries, and how to compute them.

use std::ops::Range;

use crate::scoring::Weights;
use crate::simd::InstructionSet;

/// The largest `k` of a query.
pub const MAX_K: usize = 1024;

/// The largest batch, in queries.
pub const MAX_QUERIES: usize = 1024;

/// Queries answered as of one instant, in one scan.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The instant at which retention is evaluated, µs since the epoch of [`Decay::t0_us`](crate::Decay).
    pub now_us: i64,
    /// At most [`MAX_QUERIES`].
    pub queries: &'a [Query<'a>],
}

/// A query: the `k` best groups among its allowed rows.
///
/// The retention column belongs to the query and not to the batch: one scan can then answer queries of several
/// forgetting curves and clocks, beside queries without a column.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Any vector with a direction; it is normalised and rounded to fp16.
    pub vector: &'a [f32],
    /// Number of groups, 1 to [`MAX_K`].
    pub k: usize,
    /// The weights of the score's terms.
    pub weights: Weights,
    /// Retention by row number, instead of the decays of the rows at [`Batch::now_us`]: for curves of other shapes and
    /// for clocks that hide later uses. The caller evaluates the curve before the scan, and a row's `R` is the number at
    /// its place. There is one for each row ever pushed, deleted rows included, and each is in [0, 1]; further ones are
    /// not read, and −0 counts as 0. `None` means the decays.
    pub retention: Option<&'a [f32]>,
    /// Slot `s` is allowed if bit `s mod 64` of word `s / 64` is set; beyond the last word nothing is. `None`
    /// allows everything.
    pub mask: Option<&'a [u64]>,
    /// Ranges of allowed rows, ascending and disjoint, as far as there are rows. `None` allows everything.
    pub ranges: Option<&'a [Range<u32>]>,
}

/// Options of the computation; none changes the hits.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions {
    /// The instruction set.
    pub instruction_set: InstructionSet,
    /// The pass.
    pub pass: PassChoice,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { instruction_set: InstructionSet::best(), pass: PassChoice::Auto }
    }
}

/// The choice of the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassChoice {
    /// The certified pass, unless the rows are few for `k`.
    Auto,
    /// This one.
    Forced(Pass),
}

/// The two passes, equal in their hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The canonical score of every allowed row: the reference.
    Exact,
    /// The canonical score only of rows that the int8 bound does not prune.
    Certified,
}
