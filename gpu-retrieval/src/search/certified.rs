//! The int8 pass: most rows are proved too low from half the bytes, the others get their canonical score at once.
//!
//! It exists because the scan is bound by memory. The invariant makes it exact: a row is passed over only if an
//! upper bound of its canonical score (`rows::quantise` has the proof) is below the score of the k-th best group
//! found so far, which only rises. Rescoring at once, instead of collecting survivors, keeps that threshold exact,
//! needs no buffer, and degrades to the reference pass plus the int8 bytes when nothing can be sorted out.
//! `docs/adr/0011-certified-int8-pass.md` weighs the two.

use super::exact;
use super::scan::{BlockScan, DENSE_ROWS, Tile, set_bits};
use super::scratch::Running;
use crate::rows::TILE_ROWS;
use crate::simd::TileBounds;

/// Bounds every allowed row of a tile, and scores those whose bound reaches the threshold.
pub(super) fn visit(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut Running, allowed: u64) {
    if query.top.threshold().is_none() {
        exact::visit(scan, tile, query, allowed);
    } else if allowed.count_ones() < DENSE_ROWS {
        visit_sparse(scan, tile, query, allowed);
    } else {
        visit_dense(scan, tile, query, allowed);
    }
}

fn visit_sparse(scan: &BlockScan<'_>, tile: &Tile, query: &mut Running, allowed: u64) {
    for place in set_bits(allowed) {
        let at = tile.first_row() + place;
        let bias = exact::row_bias(scan, query, at);
        let (levels, quantised) = (scan.block.level_row(at), scan.block.quantised()[at]);
        let upper = (scan.kernels.upper)(levels, quantised, &query.quantised, &query.weights, bias);
        if query.top.threshold().is_none_or(|threshold| upper >= threshold) {
            exact::score(scan, query, at, bias);
        }
    }
}

fn visit_dense(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut Running, allowed: u64) {
    let mut biases = [0.0; TILE_ROWS];
    if !query.has_no_bias() {
        tile.biases(scan, &query.weights, &mut biases);
    }
    let Some(quantised) = scan.block.quantised()[tile.first_row()..].first_chunk() else { return };
    let bounds = TileBounds {
        levels: scan.block.level_tile(tile.number),
        quantised,
        biases: &biases,
        query: &query.quantised,
        weights: &query.weights,
    };
    let mut uppers = [0.0; TILE_ROWS];
    let largest = (scan.kernels.tile_uppers)(bounds, &mut uppers);
    if query.top.threshold().is_some_and(|threshold| largest < threshold) {
        return;
    }
    for place in set_bits(allowed) {
        if query.top.threshold().is_none_or(|threshold| uppers[place] >= threshold) {
            exact::score(scan, query, tile.first_row() + place, biases[place]);
        }
    }
}
