//! Which block holds which slot: blocks grow with the store, and a slot's place is arithmetic.
//!
//! It exists because most stores are small and some are large: a store of a few rows reserves one tile at most, one of
//! a million has long runs of memory. The invariants: a slot never changes its block, whatever is added later, and
//! at most a quarter more rows are reserved than used, or one tile.
//!
//! Sizes double like the steps of a floating-point number, [`BLOCKS_PER_SIZE`] blocks of each: eight of one tile
//! (four of them stand for all smaller sizes), four of two, four of four and so on up to [`BLOCK_ROWS`].

use super::TILE_ROWS;

/// Rows in the largest blocks.
pub const BLOCK_ROWS: usize = TILE_ROWS << LARGEST_SHIFT;

/// Blocks of one size before the next: more of them reserve closer to what is used, fewer make longer runs.
const BLOCKS_PER_SIZE: usize = 4;

/// The largest blocks have 2 to the power of this tiles: 65,536 rows, under 1 GiB even of the longest vectors.
const LARGEST_SHIFT: usize = 10;

/// The block of a slot and its place there.
pub(crate) fn locate(slot: usize) -> (usize, usize) {
    let tile = slot / TILE_ROWS;
    let size = (tile / BLOCKS_PER_SIZE).checked_ilog2().unwrap_or(0) as usize;
    let shift = size.min(LARGEST_SHIFT);
    let block = BLOCKS_PER_SIZE * shift + (tile >> shift);
    (block, slot - first_slot(block))
}

/// The slot of a block's first row.
pub(crate) fn first_slot(block: usize) -> usize {
    let shift = shift(block);
    ((block - BLOCKS_PER_SIZE * shift) << shift) * TILE_ROWS
}

/// The rows of a block.
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
            assert_eq!(first_slot(block), next);
            assert!(capacity(block) <= BLOCK_ROWS && capacity(block) <= TILE_ROWS.max(next / 4));
            assert!(block == 0 || capacity(block) >= capacity(block - 1));
            next += capacity(block);
        }
        assert_eq!(capacity(199), BLOCK_ROWS);
    }

    proptest! {
        #[test]
        fn a_slot_lies_in_the_block_that_begins_before_it(bits in 0u32..33, slot in any::<u32>()) {
            let slot = slot.checked_shr(bits).unwrap_or(0) as usize;
            let (block, at) = locate(slot);
            prop_assert!(at < capacity(block));
            prop_assert_eq!(first_slot(block) + at, slot);
        }
    }
}
