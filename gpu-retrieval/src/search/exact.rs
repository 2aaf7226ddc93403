//! Canonical scoring of rows: the exact pass, and the rescoring step of the certified pass.
//!
//! Invariant: every candidate offered to the collector is scored here, by the kernels of the scoring contract.

use super::query_state::QueryState;
use super::tile::{BlockScan, DENSE_ROWS, Tile, set_bits};
use super::top_groups::Candidate;
use crate::rows::TILE_ROWS;

/// Scores every allowed row of a tile.
pub(super) fn visit(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut QueryState<'_>, allowed: u64) {
    let mut biases = [0.0; TILE_ROWS];
    let is_dense = allowed.count_ones() >= DENSE_ROWS;
    if is_dense && !query.prepared.has_no_bias() {
        tile.biases(scan, query.prepared, &mut biases);
    }
    for place in set_bits(allowed) {
        let at = tile.start() + place;
        let bias = if is_dense { biases[place] } else { row_bias(scan, query, at) };
        score(scan, query, at, bias);
    }
}

/// The bias of row `at` of the block, for tiles too sparse to vectorise.
pub(super) fn row_bias(scan: &BlockScan<'_>, query: &QueryState<'_>, at: usize) -> f32 {
    if query.prepared.has_no_bias() {
        return 0.0;
    }
    let given = query.prepared.given_retention(scan.first_row + at);
    (scan.kernels.bias)(&query.prepared.weights, &scan.block.metadata()[at], scan.now_us, given)
}

/// Scores row `at` of the block, whose bias is known, and offers it if it is competitive.
pub(super) fn score(scan: &BlockScan<'_>, query: &mut QueryState<'_>, at: usize, bias: f32) {
    let similarity = (scan.kernels.dot)(scan.block.fp16_row(at), &query.prepared.wide);
    let score = (scan.kernels.fuse)(&query.prepared.weights, similarity, bias);
    query.collector.rows_rescored += 1;
    if query.threshold().is_some_and(|threshold| score < threshold) {
        return;
    }
    let meta = &scan.block.metadata()[at];
    query.collector.top.offer(Candidate {
        score,
        similarity,
        group_id: scan.rows.group_id(meta.group),
        group: meta.group,
        ordinal: meta.ordinal,
        // Row numbers are 32 bits wide: `Rows::push` sees to it.
        row: u32::try_from(scan.first_row + at).unwrap_or(u32::MAX),
    });
}
