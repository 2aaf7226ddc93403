//! Kernels in plain Rust: the reference that every other table must equal, and the path of unknown machines.
//!
//! The invariant: no `unsafe`, no intrinsics, the contract's functions as they stand.

use half::f16;

use super::{Kernels, PerRow, generic, generic::DotProducts};
use crate::contract::{dot_padded, fuse};

pub(super) static KERNELS: Kernels = Kernels {
    dot: dot_padded,
    fuse: |weights, dot, bias| fuse(weights, dot, bias),
    retention: |entry, now_us| generic::row_retention(entry, now_us),
    bias: |weights, entry, now_us| generic::row_bias(weights, entry, now_us),
    upper: |row, quantised, query, weights, bias| {
        generic::row_upper::<Portable>(row, quantised, query, weights, bias)
    },
    tile_retentions: |entries, now_us, out| generic::tile_retentions(entries, now_us, out),
    tile_biases: |weights, entries, retentions, out| generic::tile_biases(weights, entries, retentions, out),
    tile_uppers: |tile, out| generic::tile_uppers::<Portable>(tile, out),
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
