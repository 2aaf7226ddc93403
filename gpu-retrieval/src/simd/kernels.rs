//! The kernel table: the functions that the scan calls, one table per instruction set.

use half::f16;

use crate::rows::{Int8Params, QuantisedQuery, RowMeta, TILE_ROWS};
use crate::scoring::Weights;

/// One number per row of a tile.
pub(crate) type PerRow<T> = [T; TILE_ROWS];

/// The kernels of one instruction set. Calls are per tile or per row, so the cost of the indirect call is small.
///
/// Rows and queries are padded to the same multiple of 64 elements.
pub(crate) struct Kernels {
    /// The canonical dot product of a row with a widened query.
    pub(crate) dot: fn(&[f16], &[f32]) -> f32,
    /// `fuse`.
    pub(crate) fuse: fn(&Weights, f32, f32) -> f32,
    /// The retention of a row at `now_us`.
    pub(crate) retention: fn(&RowMeta, i64) -> f32,
    /// The bias of a row at `now_us` or with a given retention, computed only if its weight is not 0.
    pub(crate) bias: fn(&Weights, &RowMeta, i64, Option<f32>) -> f32,
    /// An upper bound of a row's dot product from its int8 codes.
    pub(crate) upper: fn(&[i8], Int8Params, &QuantisedQuery) -> f32,
    /// `retention` of a tile.
    pub(crate) tile_retentions: fn(&PerRow<RowMeta>, i64, &mut PerRow<f32>),
    /// `bias` of a tile whose retentions are known.
    pub(crate) tile_biases: fn(&Weights, &PerRow<RowMeta>, &PerRow<f32>, &mut PerRow<f32>),
    /// `bias` of a tile from retentions, and an importance that is the same for all.
    pub(crate) tile_bias_bounds: fn(&Weights, &PerRow<f32>, f32, &mut PerRow<f32>),
    /// `upper` of a tile; returns an upper bound of the score of every row.
    pub(crate) tile_uppers: fn(TileBounds<'_>, &mut PerRow<f32>) -> f32,
    /// The rows of a tile whose bound of the score, from those of dot products and biases, reaches a threshold.
    pub(crate) tile_reaching: fn(&Weights, &PerRow<f32>, &PerRow<f32>, f32) -> u64,
    /// The largest bits of a tile of numbers, with a +0 for a −0: those of its largest number if all are from +0 to +∞, and
    /// those of a NaN or of a negative number if there is one.
    pub(crate) tile_largest_bits: fn(&PerRow<f32>) -> u32,
    /// Prefetches a row.
    pub(crate) prefetch: fn(&[i8]),
}

/// Input of [`Kernels::tile_uppers`].
#[derive(Clone, Copy)]
pub(crate) struct TileBounds<'a> {
    /// The int8 codes of the tile, row after row.
    pub(crate) codes: &'a [i8],
    pub(crate) int8_params: &'a PerRow<Int8Params>,
    pub(crate) query: &'a QuantisedQuery,
    pub(crate) weights: &'a Weights,
    /// Upper bound of the rows' retention.
    pub(crate) retention: f32,
    /// Upper bound of the rows' importance.
    pub(crate) importance: f32,
}
