//! Kernel bodies shared by all instruction sets.
//!
//! Each set implements only its dot products. The remaining kernels are scalar loops that the compiler vectorises for the
//! target features of the calling function. Invariant: IEEE operations in the contract's order, so the vector width
//! cannot change a result.

use half::f16;

use super::kernels::{PerRow, TileBounds};
use crate::rows::{Int8Params, QuantisedQuery, RowMeta, TILE_ROWS};
use crate::scoring::{Weights, bias, elapsed_us, fuse, retention};

/// The part that is written by hand for each instruction set.
pub(super) trait DotProducts {
    /// The canonical dot product of an fp16 row with a widened query.
    fn canonical(row: &[f16], query: &[f32]) -> f32;
    /// The integer dot product of an int8 row with an int16 query.
    fn integer(row: &[i8], query: &[i16]) -> i32;
    /// [`DotProducts::integer`] of every row of a tile.
    fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>);
    /// Asks for the memory of a row.
    fn prefetch(row: &[i8]);
}

#[inline(always)]
pub(super) fn row_retention(meta: &RowMeta, now_us: i64) -> f32 {
    retention(elapsed_us(now_us, meta.t0_us), meta.rate_per_us, meta.shape)
}

#[inline(always)]
pub(super) fn row_bias(weights: &Weights, meta: &RowMeta, now_us: i64, given: Option<f32>) -> f32 {
    let left = match given {
        _ if weights.retention == 0.0 => 0.0,
        Some(retention) => retention,
        None => row_retention(meta, now_us),
    };
    bias(weights, left, meta.importance)
}

#[inline(always)]
pub(super) fn row_upper<D: DotProducts>(codes: &[i8], params: Int8Params, query: &QuantisedQuery) -> f32 {
    query.bound.upper(D::integer(codes, &query.codes), params)
}

#[inline(always)]
pub(super) fn tile_retentions(metadata: &PerRow<RowMeta>, now_us: i64, out: &mut PerRow<f32>) {
    // Taken apart first: the loop with the polynomials then reads plain arrays and becomes vector code.
    let (mut elapsed, mut rate, mut shape) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS], [0.0; TILE_ROWS]);
    for row in 0..TILE_ROWS {
        elapsed[row] = elapsed_us(now_us, metadata[row].t0_us);
        rate[row] = metadata[row].rate_per_us;
        shape[row] = metadata[row].shape;
    }
    for row in 0..TILE_ROWS {
        out[row] = retention(elapsed[row], rate[row], shape[row]);
    }
}

#[inline(always)]
pub(super) fn tile_biases(
    weights: &Weights,
    metadata: &PerRow<RowMeta>,
    retentions: &PerRow<f32>,
    out: &mut PerRow<f32>,
) {
    for row in 0..TILE_ROWS {
        out[row] = bias(weights, retentions[row], metadata[row].importance);
    }
}

#[inline(always)]
pub(super) fn tile_bias_bounds(
    weights: &Weights,
    retentions: &PerRow<f32>,
    importance: f32,
    out: &mut PerRow<f32>,
) {
    for row in 0..TILE_ROWS {
        out[row] = bias(weights, retentions[row], importance);
    }
}

#[inline(always)]
pub(super) fn tile_uppers<D: DotProducts>(tile: TileBounds<'_>, out: &mut PerRow<f32>) -> f32 {
    let mut dots = [0; TILE_ROWS];
    D::integer_tile(tile.codes, &tile.query.codes, &mut dots);
    for row in 0..TILE_ROWS {
        out[row] = tile.query.bound.upper(dots[row], tile.int8_params[row]);
    }
    // Eight maxima at a time: a single one would be a chain as long as the tile.
    let mut largest = [f32::NEG_INFINITY; 8];
    for eight in out.as_chunks::<8>().0 {
        for (largest, value) in largest.iter_mut().zip(eight) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    let largest = largest.iter().fold(f32::NEG_INFINITY, |largest, value| largest.max(*value));
    fuse(tile.weights, largest, bias(tile.weights, tile.retention, tile.importance))
}

#[inline(always)]
pub(super) fn tile_reaching(
    weights: &Weights,
    uppers: &PerRow<f32>,
    biases: &PerRow<f32>,
    threshold: f32,
) -> u64 {
    let mut scores = [0.0; TILE_ROWS];
    for row in 0..TILE_ROWS {
        scores[row] = fuse(weights, uppers[row], biases[row]);
    }
    let mut reaching = 0;
    for (row, score) in scores.iter().enumerate() {
        reaching |= u64::from(*score >= threshold) << row;
    }
    reaching
}

#[inline(always)]
pub(super) fn tile_largest_bits(numbers: &PerRow<f32>) -> u32 {
    // Sixteen maxima at a time: a single one would be a chain as long as the tile.
    let mut largest = [0u32; 16];
    for some in numbers.as_chunks::<16>().0 {
        for (largest, number) in largest.iter_mut().zip(some) {
            *largest = (*largest).max((number + 0.0).to_bits());
        }
    }
    largest.iter().fold(0, |most, largest| most.max(*largest))
}

/// A table of kernels whose bodies are compiled with the given target features.
///
/// `available` must be true only if the CPU has all of them: then no call through the table is undefined.
macro_rules! kernels_with_features {
    ($name:ident, $products:ty, $features:literal) => {
        static $name: $crate::simd::kernels::Kernels = $crate::simd::kernels::Kernels {
            dot: $crate::simd::generic::with_features!($features, (row: &[f16], query: &[f32]) -> f32,
                <$products as DotProducts>::canonical(row, query)),
            fuse: $crate::simd::generic::with_features!($features, (weights: &Weights, dot: f32, bias: f32) -> f32,
                crate::scoring::fuse(weights, dot, bias)),
            retention: $crate::simd::generic::with_features!($features, (meta: &RowMeta, now_us: i64) -> f32,
                generic::row_retention(meta, now_us)),
            bias: $crate::simd::generic::with_features!($features,
                (weights: &Weights, meta: &RowMeta, now_us: i64, given: Option<f32>) -> f32,
                generic::row_bias(weights, meta, now_us, given)),
            upper: $crate::simd::generic::with_features!($features,
                (row: &[i8], params: Int8Params, query: &QuantisedQuery) -> f32,
                generic::row_upper::<$products>(row, params, query)),
            tile_retentions: $crate::simd::generic::with_features!($features,
                (metadata: &PerRow<RowMeta>, now_us: i64, out: &mut PerRow<f32>) -> (),
                generic::tile_retentions(metadata, now_us, out)),
            tile_biases: $crate::simd::generic::with_features!($features,
                (weights: &Weights, metadata: &PerRow<RowMeta>, retentions: &PerRow<f32>, out: &mut PerRow<f32>) -> (),
                generic::tile_biases(weights, metadata, retentions, out)),
            tile_bias_bounds: $crate::simd::generic::with_features!($features,
                (weights: &Weights, retentions: &PerRow<f32>, importance: f32, out: &mut PerRow<f32>) -> (),
                generic::tile_bias_bounds(weights, retentions, importance, out)),
            tile_reaching: $crate::simd::generic::with_features!($features,
                (weights: &Weights, uppers: &PerRow<f32>, biases: &PerRow<f32>, threshold: f32) -> u64,
                generic::tile_reaching(weights, uppers, biases, threshold)),
            tile_uppers: $crate::simd::generic::with_features!($features,
                (tile: TileBounds<'_>, out: &mut PerRow<f32>) -> f32,
                generic::tile_uppers::<$products>(tile, out)),
            tile_largest_bits: $crate::simd::generic::with_features!($features, (numbers: &PerRow<f32>) -> u32,
                generic::tile_largest_bits(numbers)),
            prefetch: $crate::simd::generic::with_features!($features, (row: &[i8]) -> (),
                <$products as DotProducts>::prefetch(row)),
        };
    };
}

/// A function pointer to `body` compiled with `features`.
macro_rules! with_features {
    ($features:literal, ($($name:ident: $type:ty),*) -> $result:ty, $body:expr) => {{
        fn call($($name: $type),*) -> $result {
            #[target_feature(enable = $features)]
            fn body($($name: $type),*) -> $result {
                $body
            }
            // SAFETY: the table that holds this function is handed out only after the CPU was found to have the
            // features (`kernels()` of the module that expands this).
            unsafe { body($($name),*) }
        }
        call
    }};
}

pub(super) use {kernels_with_features, with_features};
