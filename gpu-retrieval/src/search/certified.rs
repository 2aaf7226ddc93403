//! The certified pass: int8 upper bounds prune rows, the survivors get their canonical score.
//!
//! The scan is memory-bound, and int8 codes are half the bytes of fp16. Invariant: a row is pruned only if an upper bound
//! of its canonical score (proofs in `rows::quantise` and `rows::decay_bounds`) is below the current k-th best group
//! score, which never falls. Survivors are rescored one tile later, when their prefetched fp16 vectors have arrived. The
//! threshold is therefore at most one tile old, and the survivor buffer holds at most two tiles. The worst case, no row
//! pruned, costs the exact pass plus the int8 bytes. `docs/adr/0011-certified-int8-pass.md` weighs the alternatives.

use super::exact;
use super::query_state::{PreparedQuery, QueryState, Survivor};
use super::tile::{BlockScan, DENSE_ROWS, Tile, set_bits};
use crate::rows::{Decay, RowMeta, TILE_ROWS};
use crate::simd::{PerRow, TileBounds};

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

/// Row by row. The bias is computed only for rows that the largest retention could make competitive.
fn bound_sparse(scan: &BlockScan<'_>, tile: &Tile, query: &mut QueryState<'_>, allowed: u64) {
    let prepared = query.prepared;
    let most = most_bias(scan, tile, prepared);
    for place in set_bits(allowed) {
        let at = tile.start() + place;
        let (codes, params) = (scan.block.code_row(at), scan.block.int8_params()[at]);
        let dot = (scan.kernels.upper)(codes, params, &prepared.quantised);
        let upper = (scan.kernels.fuse)(&prepared.weights, dot, most);
        if is_competitive(query, upper) {
            keep_survivor(scan, query, at, dot);
        }
    }
}

/// In steps, each for the tiles and rows that the one before left: the codes alone, with the largest retention and
/// importance; the retentions that tile or column allow; the biases. Most tiles end after the first, which reads no metadata.
fn bound_dense(scan: &BlockScan<'_>, tile: &mut Tile, query: &mut QueryState<'_>, allowed: u64) {
    let prepared = query.prepared;
    let Some(int8_params) = scan.block.int8_params()[tile.start()..].first_chunk() else { return };
    let bounds = TileBounds {
        codes: scan.block.code_tile(tile.number),
        int8_params,
        query: &prepared.quantised,
        weights: &prepared.weights,
        retention: prepared.most_retention(tile.of_store(scan)),
        importance: scan.block.decay_bounds(tile.number).importance(),
    };
    let mut dots = [0.0; TILE_ROWS];
    let largest = (scan.kernels.tile_uppers)(bounds, &mut dots);
    let Some(threshold) = query.threshold().filter(|threshold| largest >= *threshold) else { return };
    let reaching =
        |biases: &PerRow<f32>| (scan.kernels.tile_reaching)(&prepared.weights, &dots, biases, threshold);
    let mut biases = [0.0; TILE_ROWS];
    if !prepared.has_no_bias() {
        tile.bias_bounds(scan, prepared, &mut biases);
    }
    let mut left = allowed & reaching(&biases);
    if !prepared.has_no_bias() && left.count_ones() >= DENSE_ROWS {
        tile.biases(scan, prepared, &mut biases);
        left &= reaching(&biases);
    }
    for place in set_bits(left) {
        keep_survivor(scan, query, tile.start() + place, dots[place]);
    }
}

/// An upper bound of the bias of every row of a tile.
fn most_bias(scan: &BlockScan<'_>, tile: &Tile, prepared: &PreparedQuery<'_>) -> f32 {
    if prepared.has_no_bias() {
        return 0.0;
    }
    let importance = scan.block.decay_bounds(tile.number).importance();
    let decay = Decay { importance, ..Decay::default() };
    (scan.kernels.bias)(
        &prepared.weights,
        &RowMeta::of(decay),
        0,
        Some(prepared.most_retention(tile.of_store(scan))),
    )
}

/// Buffers a row for rescoring, if it is competitive with its own bias, and prefetches its vector.
fn keep_survivor(scan: &BlockScan<'_>, query: &mut QueryState<'_>, at: usize, dot: f32) {
    let bias = exact::row_bias(scan, query, at);
    let upper = (scan.kernels.fuse)(&query.prepared.weights, dot, bias);
    if is_competitive(query, upper) {
        (scan.kernels.prefetch)(bytemuck::cast_slice(scan.block.fp16_row(at)));
        query.collector.survivors.push(Survivor { at, upper, bias });
    }
}

/// Rescores the first `count` survivors that are still competitive.
fn rescore(scan: &BlockScan<'_>, query: &mut QueryState<'_>, count: usize) {
    for place in 0..count {
        let row = query.collector.survivors[place];
        if is_competitive(query, row.upper) {
            exact::score(scan, query, row.at, row.bias);
        }
    }
    query.collector.survivors.drain(..count);
}

fn is_competitive(query: &QueryState<'_>, upper: f32) -> bool {
    query.threshold().is_none_or(|threshold| upper >= threshold)
}
