//! Kernels in plain Rust: the reference for every other table, and the fallback for unknown machines.
//!
//! Invariant: no `unsafe`, no intrinsics, the functions of the scoring contract unchanged.

use half::f16;

use super::generic::{self, DotProducts};
use super::kernels::{Kernels, PerRow};
use crate::scoring::{dot_padded, fuse};

pub(super) static KERNELS: Kernels = Kernels {
    dot: dot_padded,
    fuse: |weights, dot, bias| fuse(weights, dot, bias),
    retention: |meta, now_us| generic::row_retention(meta, now_us),
    bias: |weights, meta, now_us, given| generic::row_bias(weights, meta, now_us, given),
    upper: |row, params, query| generic::row_upper::<Portable>(row, params, query),
    tile_retentions: |metadata, now_us, out| generic::tile_retentions(metadata, now_us, out),
    tile_biases: |weights, metadata, retentions, out| {
        generic::tile_biases(weights, metadata, retentions, out)
    },
    tile_bias_bounds: |weights, retentions, importance, out| {
        generic::tile_bias_bounds(weights, retentions, importance, out)
    },
    tile_reaching: |weights, uppers, biases, threshold| {
        generic::tile_reaching(weights, uppers, biases, threshold)
    },
    tile_uppers: |tile, out| generic::tile_uppers::<Portable>(tile, out),
    tile_largest_bits: |numbers| generic::tile_largest_bits(numbers),
    prefetch: Portable::prefetch,
};

struct Portable;

impl DotProducts for Portable {
    fn canonical(row: &[f16], query: &[f32]) -> f32 {
        dot_padded(row, query)
    }

    fn integer(row: &[i8], query: &[i16]) -> i32 {
        row.iter().zip(query).map(|(x, q)| i32::from(*x) * i32::from(*q)).sum()
    }

    fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>) {
        for (row, dot) in tile.chunks_exact(query.len()).zip(dots) {
            *dot = Self::integer(row, query);
        }
    }

    fn prefetch(_row: &[i8]) {}
}
