//! The int8 pass: most rows are proved too low from half the bytes, only the others get their canonical score.
//!
//! It exists because the scan is bound by memory. The invariant makes it exact: a row is passed over only if an
//! upper bound of its canonical score (`rows::quantise` has the proof) is below the score of the k-th best group
//! found so far, which only rises. Doubtful rows are scored one tile later, when their fp16 values, asked for at
//! once, have arrived; so the threshold is never older than a tile, the buffer never holds more than two tiles,
//! and when nothing can be sorted out this is the reference pass plus the int8 bytes.
//! `docs/adr/0011-certified-int8-pass.md` weighs the alternatives.

use super::exact;
use super::scan::{BlockScan, DENSE_ROWS, Tile, set_bits};
use super::scratch::Running;
use crate::rows::TILE_ROWS;
use crate::simd::TileBounds;

/// A row that its bound did not prove too low.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubtful {
    at: usize,
    upper: f32,
    bias: f32,
}

/// Bounds every allowed row of a tile, and scores the doubtful rows of the tile before.
pub(super) fn visit(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut Running<'_>, allowed: u64) {
    let earlier = query.found.doubtful.len();
    if query.threshold().is_none() {
        exact::visit(scan, tile, query, allowed);
    } else if allowed.count_ones() < DENSE_ROWS {
        bound_sparse(scan, tile, query, allowed);
    } else {
        bound_dense(scan, tile, query, allowed);
    }
    settle(scan, query, earlier);
}

/// Scores what is left at the end of a run.
pub(super) fn finish(scan: &BlockScan<'_>, query: &mut Running<'_>) {
    settle(scan, query, query.found.doubtful.len());
}

fn bound_sparse(scan: &BlockScan<'_>, tile: &Tile, query: &mut Running<'_>, allowed: u64) {
    for place in set_bits(allowed) {
        let at = tile.first_row() + place;
        let bias = exact::row_bias(scan, query, at);
        let (levels, quantised) = (scan.block.level_row(at), scan.block.quantised()[at]);
        let upper =
            (scan.kernels.upper)(levels, quantised, &query.asked.quantised, &query.asked.weights, bias);
        doubt(scan, query, Doubtful { at, upper, bias });
    }
}

fn bound_dense(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut Running<'_>, allowed: u64) {
    let mut biases = [0.0; TILE_ROWS];
    if !query.asked.has_no_bias() {
        tile.biases(scan, &query.asked.weights, &mut biases);
    }
    let Some(quantised) = scan.block.quantised()[tile.first_row()..].first_chunk() else { return };
    let bounds = TileBounds {
        levels: scan.block.level_tile(tile.number),
        quantised,
        biases: &biases,
        query: &query.asked.quantised,
        weights: &query.asked.weights,
    };
    let mut uppers = [0.0; TILE_ROWS];
    let largest = (scan.kernels.tile_uppers)(bounds, &mut uppers);
    if query.threshold().is_some_and(|threshold| largest < threshold) {
        return;
    }
    for place in set_bits(allowed) {
        let at = tile.first_row() + place;
        doubt(scan, query, Doubtful { at, upper: uppers[place], bias: biases[place] });
    }
}

/// Keeps a row that may matter for later, and asks for its memory.
fn doubt(scan: &BlockScan<'_>, query: &mut Running<'_>, row: Doubtful) {
    if may_matter(query, row) {
        (scan.kernels.prefetch)(bytemuck::cast_slice(scan.block.half_row(row.at)));
        query.found.doubtful.push(row);
    }
}

/// Scores the first `count` doubtful rows, as far as the threshold has not passed them meanwhile.
fn settle(scan: &BlockScan<'_>, query: &mut Running<'_>, count: usize) {
    for place in 0..count {
        let row = query.found.doubtful[place];
        if may_matter(query, row) {
            exact::score(scan, query, row.at, row.bias);
        }
    }
    query.found.doubtful.drain(..count);
}

fn may_matter(query: &Running<'_>, row: Doubtful) -> bool {
    query.threshold().is_none_or(|threshold| row.upper >= threshold)
}
