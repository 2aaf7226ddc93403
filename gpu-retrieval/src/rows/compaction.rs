//! Compaction: removal of deleted rows and of groups without live rows.
//!
//! Deletion only clears a live bit; compaction reclaims the memory. Invariant: live rows keep their order, their bits and
//! the ids of their groups, so search results differ only in row and group numbers. The caller gets both maps.

use super::block::Block;
use super::block_sizes::{TILE_ROWS, capacity, first_row, locate};
use super::row::DELETED;
use super::store::Rows;

/// The maps from old to new numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// For every old row number the new one, or [`DELETED`].
    pub rows: Vec<u32>,
    /// For every old group its new number, or [`DELETED`] where no live row was left.
    pub groups: Vec<u32>,
}

impl Rows {
    /// Drops deleted rows and groups without live rows, and renumbers the rest in their old order.
    ///
    /// Worth its copying when [`Rows::live`] is well below [`Rows::len`]. At most one block more than before is
    /// held at any time.
    pub fn compact(&mut self) -> Compaction {
        let groups = self.compact_groups();
        let mut rows = vec![DELETED; self.len];
        let mut kept: Vec<Block> = Vec::new();
        let mut next = 0usize;
        for (index, block) in std::mem::take(&mut self.blocks).into_iter().enumerate() {
            for at in live_rows(&block) {
                let (to_block, to) = locate(next);
                if to_block == kept.len() {
                    kept.push(Block::new(capacity(to_block), self.stride));
                }
                let group = groups[block.metadata()[at].group as usize];
                kept[to_block].copy_row(to, &block, at, group);
                rows[first_row(index) + at] = u32::try_from(next).unwrap_or(DELETED);
                next += 1;
            }
        }
        self.blocks = kept;
        self.len = next;
        Compaction { rows, groups }
    }

    /// Removes groups without live rows; returns the map from old numbers to new ones.
    fn compact_groups(&mut self) -> Vec<u32> {
        let mut groups = vec![DELETED; self.group_ids.len()];
        for block in &self.blocks {
            for at in live_rows(block) {
                groups[block.metadata()[at].group as usize] = 0;
            }
        }
        let mut ids = Vec::new();
        for (group, id) in groups.iter_mut().zip(&self.group_ids) {
            if *group != DELETED {
                *group = u32::try_from(ids.len()).unwrap_or(DELETED);
                ids.push(*id);
            }
        }
        self.group_ids = ids;
        groups
    }
}

fn live_rows(block: &Block) -> impl Iterator<Item = usize> + '_ {
    block.alive().iter().enumerate().flat_map(|(tile, word)| {
        (0..TILE_ROWS).filter(move |bit| word >> bit & 1 != 0).map(move |bit| tile * TILE_ROWS + bit)
    })
}
