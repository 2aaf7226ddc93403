//! Compaction: live rows move together, and the memory of dead ones returns.
//!
//! It exists because deletion only clears a bit. The invariant: rows keep their order, their bits and their
//! groups' ids, so a search answers as before but for the renumbering, which the caller gets as two maps.

use super::{Block, Rows, TILE_ROWS, growth};

/// In a map of a [`Compaction`]: nothing lives there any more.
pub const GONE: u32 = u32::MAX;

/// Where everything went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// For every old slot its new one, or [`GONE`].
    pub slots: Vec<u32>,
    /// For every old group its new number, or [`GONE`] where no live row was left.
    pub groups: Vec<u32>,
}

impl Rows {
    /// Drops dead rows and groups without live rows, and renumbers the rest in their old order.
    ///
    /// Worth its copying when [`Rows::live`] is well below [`Rows::slots`]. At most one block more than before is
    /// held at any time.
    pub fn compact(&mut self) -> Compaction {
        let groups = self.compact_groups();
        let mut slots = vec![GONE; self.len];
        let mut kept: Vec<Block> = Vec::new();
        let mut next = 0usize;
        for (index, block) in std::mem::take(&mut self.blocks).into_iter().enumerate() {
            for at in live_rows(&block) {
                let (to_block, to) = growth::locate(next);
                if to_block == kept.len() {
                    kept.push(Block::new(growth::capacity(to_block), self.stride));
                }
                let group = groups[block.entries()[at].group as usize];
                kept[to_block].copy_row(to, &block, at, group);
                slots[growth::first_slot(index) + at] = u32::try_from(next).unwrap_or(GONE);
                next += 1;
            }
        }
        self.blocks = kept;
        self.len = next;
        Compaction { slots, groups }
    }

    /// Forgets the ids of empty groups; the map from old numbers to new ones.
    fn compact_groups(&mut self) -> Vec<u32> {
        let mut groups = vec![GONE; self.group_ids.len()];
        for block in &self.blocks {
            for at in live_rows(block) {
                groups[block.entries()[at].group as usize] = 0;
            }
        }
        let mut ids = Vec::new();
        for (group, id) in groups.iter_mut().zip(&self.group_ids) {
            if *group != GONE {
                *group = u32::try_from(ids.len()).unwrap_or(GONE);
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
