//! The walk over a run of rows: tiles of 64 rows, every query of the batch on each tile.
//!
//! It exists so that a batch reads memory once and skips at the price of a word what no query may see. The
//! invariant: each allowed live row of a query is visited exactly once.

use std::ops::Range;

use super::scratch::Running;
use super::{Pass, PassChoice, Query, certified, exact};
use crate::contract::Weights;
use crate::rows::{Block, Rows, TILE_ROWS};
use crate::simd::{Kernels, PerRow};

/// Below so many live rows per wanted group a first pass sorts out too little to be worth its memory traffic. From
/// there on it was not slower in any measurement without a mask, from 16 to 384 elements.
const MIN_ROWS_PER_K: usize = 8;

/// How many tiles ahead the rows of a sparse word are asked for.
const PREFETCH_TILES: usize = 8;

/// From so many allowed rows on, a tile is computed whole.
pub(super) const DENSE_ROWS: u32 = 12;

/// What stays the same while a block is scanned.
pub(super) struct BlockScan<'a> {
    pub(super) rows: &'a Rows,
    pub(super) kernels: &'a Kernels,
    pub(super) block: &'a Block,
    pub(super) first_slot: usize,
    pub(super) now_us: i64,
}

/// A tile and what queries of a batch can share of it.
pub(super) struct Tile {
    pub(super) number: usize,
    retentions: PerRow<f32>,
    has_retentions: bool,
}

impl Tile {
    pub(super) fn first_row(&self) -> usize {
        self.number * TILE_ROWS
    }

    /// The retentions of all rows, computed when a first query asks.
    pub(super) fn retentions(&mut self, scan: &BlockScan<'_>) -> &PerRow<f32> {
        if !self.has_retentions
            && let Some(entries) = scan.block.entries()[self.first_row()..].first_chunk()
        {
            (scan.kernels.tile_retentions)(entries, scan.now_us, &mut self.retentions);
            self.has_retentions = true;
        }
        &self.retentions
    }

    /// The biases of all rows for one query.
    pub(super) fn biases(&mut self, scan: &BlockScan<'_>, weights: &Weights, out: &mut PerRow<f32>) {
        let Some(entries) = scan.block.entries()[self.first_row()..].first_chunk() else { return };
        let retentions = if weights.retention == 0.0 { &[0.0; TILE_ROWS] } else { self.retentions(scan) };
        (scan.kernels.tile_biases)(weights, entries, retentions, out);
    }
}

/// Visits the rows of these tiles, for every query.
pub(super) fn scan_tiles(scan: &BlockScan<'_>, tiles: Range<usize>, running: &mut [Running<'_>]) {
    for Running { asked, found } in &mut *running {
        found.rows_scanned += allow(scan, &tiles, asked.query, &mut found.allowed);
    }
    for (place, number) in tiles.enumerate() {
        let mut tile = Tile { number, retentions: [0.0; TILE_ROWS], has_retentions: false };
        for query in &mut *running {
            // A query without a row in this run has an empty list of words.
            let Some(allowed) = query.found.allowed.get(place).copied() else { continue };
            if let Some(ahead) = query.found.allowed.get(place + PREFETCH_TILES) {
                prefetch(scan, number + PREFETCH_TILES, *ahead, query.asked.pass);
            }
            if allowed == 0 {
                continue;
            }
            match query.asked.pass {
                Pass::Exact => exact::visit(scan, &mut tile, query, allowed),
                Pass::Certified => certified::visit(scan, &mut tile, query, allowed),
            }
        }
    }
    for query in running {
        certified::finish(scan, query);
    }
}

/// Only for few rows: what is dense the hardware foresees.
fn prefetch(scan: &BlockScan<'_>, tile: usize, allowed: u64, pass: Pass) {
    if allowed.count_ones() >= DENSE_ROWS {
        return;
    }
    for place in set_bits(allowed) {
        let at = tile * TILE_ROWS + place;
        (scan.kernels.prefetch)(match pass {
            Pass::Exact => bytemuck::cast_slice(scan.block.half_row(at)),
            Pass::Certified => scan.block.level_row(at),
        });
    }
}

/// The places of the set bits, ascending.
pub(super) fn set_bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            place
        })
    })
}

/// Writes the words of rows that `query` may see in these tiles of a block, none if there is no such row; returns the
/// number of rows.
fn allow(scan: &BlockScan<'_>, tiles: &Range<usize>, query: &Query<'_>, words: &mut Vec<u64>) -> u64 {
    words.clear();
    let Some(alive) = scan.block.alive().get(tiles.clone()) else { return 0 };
    let (first_slot, length) = (scan.first_slot + tiles.start * TILE_ROWS, alive.len() * TILE_ROWS);
    if query.ranges.is_some_and(|ranges| clip(ranges, first_slot, length).next().is_none()) {
        return 0;
    }
    match query.mask {
        None => words.extend_from_slice(alive),
        Some(mask) => {
            let mask = mask.get(first_slot / TILE_ROWS..).unwrap_or_default();
            words.extend(alive.iter().zip(mask).map(|(alive, mask)| alive & mask));
        }
    }
    if let Some(ranges) = query.ranges {
        let mut done = 0;
        for range in clip(ranges, first_slot, length) {
            clear_bits(words, done..range.start);
            done = range.end;
        }
        clear_bits(words, done..length);
    }
    let count = words.iter().map(|word| u64::from(word.count_ones())).sum();
    if count == 0 {
        words.clear();
    }
    count
}

/// The ranges as far as they are in a run of `length` rows, counted from its first row.
fn clip(ranges: &[Range<u32>], first_slot: usize, length: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let before = ranges.partition_point(|range| range.end as usize <= first_slot);
    ranges[before..]
        .iter()
        .map(move |range| {
            let place = |slot: u32| (slot as usize).saturating_sub(first_slot).min(length);
            place(range.start)..place(range.end)
        })
        .take_while(move |range| range.start < length)
        .filter(|range| !range.is_empty())
}

/// Clears the bits of `range` as far as there are words.
fn clear_bits(words: &mut [u64], range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let (first, last) = (range.start / TILE_ROWS, (range.end - 1) / TILE_ROWS);
    for (number, word) in words.iter_mut().enumerate().take(last + 1).skip(first) {
        let from = if number == first { range.start % TILE_ROWS } else { 0 };
        let to = if number == last { (range.end - 1) % TILE_ROWS } else { TILE_ROWS - 1 };
        *word &= !((u64::MAX << from) & (u64::MAX >> (TILE_ROWS - 1 - to)));
    }
}

/// Whether to look at the int8 rows first.
pub(super) fn choose(rows: &Rows, query: &Query<'_>, choice: PassChoice) -> Pass {
    match choice {
        PassChoice::Forced(pass) => pass,
        PassChoice::Auto if rows.live() < query.k * MIN_ROWS_PER_K => Pass::Exact,
        PassChoice::Auto => Pass::Certified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clearing_bits_clears_exactly_the_range(length in 0usize..5, start in 0usize..400, extent in 0usize..300) {
            let mut words = vec![u64::MAX; length];
            clear_bits(&mut words, start..start + extent);
            for bit in 0..length * TILE_ROWS {
                let is_set = words[bit / TILE_ROWS] >> (bit % TILE_ROWS) & 1 != 0;
                prop_assert_eq!(is_set, !(start..start + extent).contains(&bit), "bit {}", bit);
            }
        }

        #[test]
        fn set_bits_are_the_set_bits(word in any::<u64>()) {
            let folded = set_bits(word).fold(0u64, |folded, place| folded | 1 << place);
            prop_assert_eq!((folded, set_bits(word).count() as u32), (word, word.count_ones()));
        }
    }
}
