//! Canonical scores of rows: the reference pass, and the last word of the certified one.
//!
//! The invariant: the only place where a candidate is made, always from the contract's kernels.

use super::scan::{BlockScan, DENSE_ROWS, Tile, set_bits};
use super::scratch::Running;
use super::top_groups::Candidate;
use crate::rows::TILE_ROWS;

/// Scores every allowed row of a tile.
pub(super) fn visit(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut Running<'_>, allowed: u64) {
    let mut biases = [0.0; TILE_ROWS];
    let is_dense = allowed.count_ones() >= DENSE_ROWS;
    if is_dense && !query.asked.has_no_bias() {
        tile.biases(scan, &query.asked.weights, &mut biases);
    }
    for place in set_bits(allowed) {
        let at = tile.first_row() + place;
        let bias = if is_dense { biases[place] } else { row_bias(scan, query, at) };
        score(scan, query, at, bias);
    }
}

/// The bias of row `at` of the block, for tiles too sparse to compute whole.
pub(super) fn row_bias(scan: &BlockScan<'_>, query: &Running<'_>, at: usize) -> f32 {
    if query.asked.has_no_bias() {
        return 0.0;
    }
    (scan.kernels.bias)(&query.asked.weights, &scan.block.entries()[at], scan.now_us)
}

/// Scores row `at` of the block, whose bias is known, and offers it if it can matter.
pub(super) fn score(scan: &BlockScan<'_>, query: &mut Running<'_>, at: usize, bias: f32) {
    let similarity = (scan.kernels.dot)(scan.block.half_row(at), &query.asked.wide);
    let score = (scan.kernels.fuse)(&query.asked.weights, similarity, bias);
    query.found.rows_rescored += 1;
    if query.threshold().is_some_and(|threshold| score < threshold) {
        return;
    }
    let entry = &scan.block.entries()[at];
    query.found.top.offer(Candidate {
        score,
        similarity,
        group_id: scan.rows.group_id(entry.group),
        group: entry.group,
        ordinal: entry.ordinal,
        // Slots are 32 bits wide: `Rows::push` sees to it.
        slot: u32::try_from(scan.first_slot + at).unwrap_or(u32::MAX),
    });
}
