//! The certified pass: int8 upper bounds prune rows, the survivors get their canonical score.
//!
//! The scan is memory-bound, and int8 codes are half the bytes of fp16. Invariant: a row is pruned only if an upper bound
//! of its canonical score (proof in `rows::quantise`) is below the current k-th best group score, which never falls.
//! Survivors are rescored one tile later, when their prefetched fp16 vectors have arrived. The threshold is therefore at
//! most one tile old, and the survivor buffer holds at most two tiles. The worst case, no row pruned, costs the exact
//! pass plus the int8 bytes. `docs/adr/0011-certified-int8-pass.md` weighs the alternatives.

use super::exact;
use super::query_state::{QueryState, Survivor};
use super::tile::{BlockScan, DENSE_ROWS, Tile, set_bits};
use crate::rows::TILE_ROWS;
use crate::simd::TileBounds;

/// Bounds every allowed row of a tile, and rescores the survivors of the previous tile.
pub(super) fn visit(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut QueryState<'_>, allowed: u64) {
    let earlier = query.collector.survivors.len();
    if query.threshold().is_none() {
        exact::visit(scan, tile, query, allowed);
    } else if allowed.count_ones() < DENSE_ROWS {
        bound_sparse(scan, tile, query, allowed);
    } else {
        bound_dense(scan, tile, query, allowed);
    }
    rescore(scan, query, earlier);
}

/// Rescores the remaining survivors at the end of a run.
pub(super) fn finish(scan: &BlockScan<'_>, query: &mut QueryState<'_>) {
    rescore(scan, query, query.collector.survivors.len());
}

fn bound_sparse(scan: &BlockScan<'_>, tile: &Tile, query: &mut QueryState<'_>, allowed: u64) {
    for place in set_bits(allowed) {
        let at = tile.start() + place;
        let bias = exact::row_bias(scan, query, at);
        let (codes, params) = (scan.block.code_row(at), scan.block.int8_params()[at]);
        let upper =
            (scan.kernels.upper)(codes, params, &query.prepared.quantised, &query.prepared.weights, bias);
        keep_survivor(scan, query, Survivor { at, upper, bias });
    }
}

fn bound_dense(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut QueryState<'_>, allowed: u64) {
    let mut biases = [0.0; TILE_ROWS];
    if !query.prepared.has_no_bias() {
        tile.biases(scan, query.prepared, &mut biases);
    }
    let Some(int8_params) = scan.block.int8_params()[tile.start()..].first_chunk() else { return };
    let bounds = TileBounds {
        codes: scan.block.code_tile(tile.number),
        int8_params,
        biases: &biases,
        query: &query.prepared.quantised,
        weights: &query.prepared.weights,
    };
    let mut uppers = [0.0; TILE_ROWS];
    let largest = (scan.kernels.tile_uppers)(bounds, &mut uppers);
    if query.threshold().is_some_and(|threshold| largest < threshold) {
        return;
    }
    for place in set_bits(allowed) {
        let at = tile.start() + place;
        keep_survivor(scan, query, Survivor { at, upper: uppers[place], bias: biases[place] });
    }
}

/// Buffers a competitive row for rescoring, and prefetches its vector.
fn keep_survivor(scan: &BlockScan<'_>, query: &mut QueryState<'_>, row: Survivor) {
    if is_competitive(query, row) {
        (scan.kernels.prefetch)(bytemuck::cast_slice(scan.block.fp16_row(row.at)));
        query.collector.survivors.push(row);
    }
}

/// Rescores the first `count` survivors that are still competitive.
fn rescore(scan: &BlockScan<'_>, query: &mut QueryState<'_>, count: usize) {
    for place in 0..count {
        let row = query.collector.survivors[place];
        if is_competitive(query, row) {
            exact::score(scan, query, row.at, row.bias);
        }
    }
    query.collector.survivors.drain(..count);
}

fn is_competitive(query: &QueryState<'_>, row: Survivor) -> bool {
    query.threshold().is_none_or(|threshold| row.upper >= threshold)
}
