//! A tile of 64 rows during a scan: the unit that a mask word covers, and what queries of a batch share of it.

use super::query_state::PreparedQuery;
use crate::rows::{Block, RowMeta, Rows, TILE_ROWS};
use crate::simd::{Kernels, PerRow};

/// Allowed rows from which the kernels compute a whole tile rather than single rows.
pub(super) const DENSE_ROWS: u32 = 12;

/// The constants of the scan of one block.
pub(super) struct BlockScan<'a> {
    pub(super) rows: &'a Rows,
    pub(super) kernels: &'a Kernels,
    pub(super) block: &'a Block,
    pub(super) first_row: usize,
    pub(super) now_us: i64,
}

/// A tile and the values that queries of a batch share.
pub(super) struct Tile {
    pub(super) number: usize,
    retentions: PerRow<f32>,
    has_retentions: bool,
    most_retention: Option<f32>,
}

impl Tile {
    pub(super) fn new(number: usize) -> Self {
        Self { number, retentions: [0.0; TILE_ROWS], has_retentions: false, most_retention: None }
    }

    /// The offset of its first row in the block.
    pub(super) fn start(&self) -> usize {
        self.number * TILE_ROWS
    }

    /// Its number over all blocks.
    pub(super) fn of_store(&self, scan: &BlockScan<'_>) -> usize {
        scan.first_row / TILE_ROWS + self.number
    }

    /// The retentions of all rows by their decays, computed on first use.
    fn retentions(&mut self, scan: &BlockScan<'_>) -> &PerRow<f32> {
        if !self.has_retentions
            && let Some(metadata) = scan.block.metadata()[self.start()..].first_chunk()
        {
            (scan.kernels.tile_retentions)(metadata, scan.now_us, &mut self.retentions);
            self.has_retentions = true;
        }
        &self.retentions
    }

    /// Upper bound of the rows' retention by their decay, computed on first use.
    fn most_retention(&mut self, scan: &BlockScan<'_>) -> f32 {
        *self.most_retention.get_or_insert_with(|| {
            let computed = |decay| (scan.kernels.retention)(&RowMeta::of(decay), scan.now_us);
            scan.block.decay_bounds(self.number).retention(computed)
        })
    }

    /// Upper bounds of the biases of all rows for one query, without a look at the rows.
    pub(super) fn bias_bounds(
        &mut self,
        scan: &BlockScan<'_>,
        prepared: &PreparedQuery<'_>,
        out: &mut PerRow<f32>,
    ) {
        let (weights, mut padded) = (&prepared.weights, [0.0; TILE_ROWS]);
        let retentions = match &prepared.column {
            _ if weights.retention == 0.0 => &padded,
            Some(column) => tile_of(column.rest_at(scan.first_row + self.start()), &mut padded),
            None => {
                padded = [self.most_retention(scan); TILE_ROWS];
                &padded
            }
        };
        let importance = scan.block.decay_bounds(self.number).importance();
        (scan.kernels.tile_bias_bounds)(weights, retentions, importance, out);
    }

    /// The biases of all rows for one query.
    pub(super) fn biases(
        &mut self,
        scan: &BlockScan<'_>,
        prepared: &PreparedQuery<'_>,
        out: &mut PerRow<f32>,
    ) {
        let Some(metadata) = scan.block.metadata()[self.start()..].first_chunk() else { return };
        let (weights, mut padded) = (&prepared.weights, [0.0; TILE_ROWS]);
        let retentions = match &prepared.column {
            _ if weights.retention == 0.0 => &padded,
            Some(column) => tile_of(column.rest_at(scan.first_row + self.start()), &mut padded),
            None => self.retentions(scan),
        };
        (scan.kernels.tile_biases)(weights, metadata, retentions, out);
    }
}

/// The first numbers of what is left of a column, for one tile. Where it ends within the tile, they are copied to `padded`:
/// there are no rows beyond.
fn tile_of<'a>(column: &'a [f32], padded: &'a mut PerRow<f32>) -> &'a PerRow<f32> {
    column.first_chunk().unwrap_or_else(|| {
        for (padded, given) in padded.iter_mut().zip(column) {
            *padded = *given;
        }
        padded
    })
}

/// The positions of the set bits, ascending.
pub(super) fn set_bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            place
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn set_bits_are_the_set_bits(word in any::<u64>()) {
            let folded = set_bits(word).fold(0u64, |folded, place| folded | 1 << place);
            prop_assert_eq!((folded, set_bits(word).count() as u32), (word, word.count_ones()));
        }
    }
}
