//! The scan loop: tiles of 64 rows in sequence, all queries of the batch on each tile.
//!
//! A batch reads each tile from memory once, and one mask word per query skips rows the query must not see. Invariant:
//! each allowed live row is visited exactly once per query.

use std::ops::Range;

use super::query_state::QueryState;
use super::request::{Pass, PassChoice, Query};
use super::tile::{BlockScan, DENSE_ROWS, Tile, set_bits};
use super::{certified, exact};
use crate::rows::{Rows, TILE_ROWS};

/// Live rows per requested group below which the int8 pass prunes too little to be worth its memory traffic. From
/// there on it was not slower in any measurement without a mask, from 16 to 384 elements.
const MIN_ROWS_PER_K: usize = 8;

/// Tiles between the prefetch of a sparse tile and its scan.
const PREFETCH_TILES: usize = 8;

/// Scans these tiles for every query.
pub(super) fn scan_tiles(scan: &BlockScan<'_>, tiles: Range<usize>, queries: &mut [QueryState<'_>]) {
    for QueryState { prepared, collector } in &mut *queries {
        collector.rows_scanned += write_allowed(scan, &tiles, prepared.query, &mut collector.allowed);
    }
    for (place, number) in tiles.enumerate() {
        let mut tile = Tile::new(number);
        for query in &mut *queries {
            // A query without a row in this run has an empty list of words.
            let Some(allowed) = query.collector.allowed.get(place).copied() else { continue };
            if let Some(ahead) = query.collector.allowed.get(place + PREFETCH_TILES) {
                prefetch(scan, number + PREFETCH_TILES, *ahead, query.prepared.pass);
            }
            if allowed == 0 {
                continue;
            }
            match query.prepared.pass {
                Pass::Exact => exact::visit(scan, &mut tile, query, allowed),
                Pass::Certified => certified::visit(scan, &mut tile, query, allowed),
            }
        }
    }
    for query in queries {
        certified::finish(scan, query);
    }
}

/// Prefetches the rows of a sparse tile. Dense tiles are left to the hardware prefetcher.
fn prefetch(scan: &BlockScan<'_>, tile: usize, allowed: u64, pass: Pass) {
    if allowed.count_ones() >= DENSE_ROWS {
        return;
    }
    for place in set_bits(allowed) {
        let at = tile * TILE_ROWS + place;
        (scan.kernels.prefetch)(match pass {
            Pass::Exact => bytemuck::cast_slice(scan.block.fp16_row(at)),
            Pass::Certified => scan.block.code_row(at),
        });
    }
}

/// Writes the words of allowed live rows of these tiles, none if there is no such row; returns the number of rows.
fn write_allowed(scan: &BlockScan<'_>, tiles: &Range<usize>, query: &Query<'_>, words: &mut Vec<u64>) -> u64 {
    words.clear();
    let Some(alive) = scan.block.alive().get(tiles.clone()) else { return 0 };
    let (first_row, length) = (scan.first_row + tiles.start * TILE_ROWS, alive.len() * TILE_ROWS);
    if query.ranges.is_some_and(|ranges| clip(ranges, first_row, length).next().is_none()) {
        return 0;
    }
    match query.mask {
        None => words.extend_from_slice(alive),
        Some(mask) => {
            let mask = mask.get(first_row / TILE_ROWS..).unwrap_or_default();
            words.extend(alive.iter().zip(mask).map(|(alive, mask)| alive & mask));
        }
    }
    if let Some(ranges) = query.ranges {
        let mut done = 0;
        for range in clip(ranges, first_row, length) {
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

/// The intersection of the ranges with a run of `length` rows, counted from its first row.
fn clip(ranges: &[Range<u32>], first_row: usize, length: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let before = ranges.partition_point(|range| range.end as usize <= first_row);
    ranges[before..]
        .iter()
        .map(move |range| {
            let place = |row: u32| (row as usize).saturating_sub(first_row).min(length);
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

/// The pass for a query.
pub(super) fn choose_pass(rows: &Rows, query: &Query<'_>, choice: PassChoice) -> Pass {
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
    }
}
