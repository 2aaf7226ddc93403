//! Block sizes: the mapping from row number to block and offset.
//!
//! Block capacities grow geometrically with the store, so a small store reserves one tile and a large one has long
//! contiguous runs. Invariants: a row never moves to another block as the store grows; reserved rows exceed used rows by
//! at most a quarter or one tile.
//!
//! Capacities double like the steps of a floating-point number, [`BLOCKS_PER_SIZE`] blocks of each: eight of one tile
//! (four of them stand for all smaller sizes), four of two, four of four and so on up to [`MAX_BLOCK_ROWS`].

/// Rows of a tile: they share one word of a mask, and a batch scans them together.
pub const TILE_ROWS: usize = 64;

/// Rows in the largest blocks.
pub const MAX_BLOCK_ROWS: usize = TILE_ROWS << LARGEST_SHIFT;

/// Blocks of one size before the next: more of them reserve closer to what is used, fewer make longer runs.
const BLOCKS_PER_SIZE: usize = 4;

/// The largest blocks have 2 to the power of this tiles: 65,536 rows, under 1 GiB even of the longest vectors.
const LARGEST_SHIFT: usize = 10;

/// The block of a row and its offset there.
pub(crate) fn locate(row: usize) -> (usize, usize) {
    let tile = row / TILE_ROWS;
    let size = (tile / BLOCKS_PER_SIZE).checked_ilog2().unwrap_or(0) as usize;
    let shift = size.min(LARGEST_SHIFT);
    let block = BLOCKS_PER_SIZE * shift + (tile >> shift);
    (block, row - first_row(block))
}

/// The number of a block's first row.
pub(crate) fn first_row(block: usize) -> usize {
    let shift = shift(block);
    ((block - BLOCKS_PER_SIZE * shift) << shift) * TILE_ROWS
}

/// The capacity of a block, in rows.
pub(crate) fn capacity(block: usize) -> usize {
    TILE_ROWS << shift(block)
}

/// A block has 2 to the power of this tiles.
fn shift(block: usize) -> usize {
    (block / BLOCKS_PER_SIZE).saturating_sub(1).min(LARGEST_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_follow_one_another_and_grow() {
        let mut next = 0;
        for block in 0..200 {
            assert_eq!(first_row(block), next);
            assert!(capacity(block) <= MAX_BLOCK_ROWS && capacity(block) <= TILE_ROWS.max(next / 4));
            assert!(block == 0 || capacity(block) >= capacity(block - 1));
            next += capacity(block);
        }
        assert_eq!(capacity(199), MAX_BLOCK_ROWS);
    }

    proptest! {
        #[test]
        fn a_row_lies_in_the_block_that_begins_before_it(bits in 0u32..33, row in any::<u32>()) {
            let row = row.checked_shr(bits).unwrap_or(0) as usize;
            let (block, at) = locate(row);
            prop_assert!(at < capacity(block));
            prop_assert_eq!(first_row(block) + at, row);
        }
    }
}
