//! Row storage: blocks of rows, groups, and validated writes.
//!
//! Invariants: a row number names the same row until [`Rows::compact`]; every stored vector is finite and of unit length
//! and every decay is valid, so a search cannot fail on a row or meet a NaN; growth copies no row beyond the first 64.

use half::f16;

use super::block::Block;
use super::block_sizes::{capacity, locate};
use super::quantise::UNIT_TOLERANCE;
use super::row::{DELETED, Decay, Row, RowsError};
use crate::scoring::{LANES, MAX_DIMS, VectorError};

/// Rows of one dimension, each in a group, searched by [`Rows::search`](crate::Rows::search).
///
/// Reading takes `&self` from any number of threads; writing takes `&mut self`.
pub struct Rows {
    dims: usize,
    pub(super) stride: usize,
    pub(super) blocks: Vec<Block>,
    /// Rows pushed, live or deleted.
    pub(super) len: usize,
    pub(super) live: usize,
    pub(super) group_ids: Vec<u128>,
}

/// Sizes, not the millions of numbers in them.
impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("dims", &self.dims)
            .field("rows", &self.len)
            .field("live", &self.live)
            .field("groups", &self.group_ids.len())
            .finish_non_exhaustive()
    }
}

impl Rows {
    /// An empty store of rows of `dims` elements.
    ///
    /// # Errors
    /// [`RowsError::Dims`] unless `1 ≤ dims ≤` [`MAX_DIMS`].
    pub fn new(dims: usize) -> Result<Self, RowsError> {
        if !(1..=MAX_DIMS).contains(&dims) {
            return Err(RowsError::Dims);
        }
        Ok(Self {
            dims,
            // Rows of both planes begin at a cache line, and no kernel has a remainder to treat.
            stride: dims.next_multiple_of(2 * LANES),
            blocks: Vec::new(),
            len: 0,
            live: 0,
            group_ids: Vec::new(),
        })
    }

    /// Registers a group under the caller's id and returns its number. Numbers are dense and begin at 0.
    ///
    /// Ids break ties between groups, so two groups ought not to share one; if they do, the lower number wins.
    ///
    /// # Errors
    /// [`RowsError::Full`].
    pub fn add_group(&mut self, id: u128) -> Result<u32, RowsError> {
        let group = u32::try_from(self.group_ids.len()).map_err(|_| RowsError::Full)?;
        self.group_ids.push(id);
        Ok(group)
    }

    /// Stores a row and returns its number. Row numbers are dense and begin at 0.
    ///
    /// # Errors
    /// [`RowsError::Vector`], [`RowsError::NoSuchGroup`], [`RowsError::Decay`] or [`RowsError::Full`].
    pub fn push(&mut self, row: &Row<'_>) -> Result<u32, RowsError> {
        self.check_vector(row.vector)?;
        check_decay(row.decay)?;
        if row.group as usize >= self.group_ids.len() {
            return Err(RowsError::NoSuchGroup(row.group));
        }
        // `u32::MAX` is kept free: compaction maps use it for DELETED.
        let number =
            u32::try_from(self.len).ok().filter(|number| *number != DELETED).ok_or(RowsError::Full)?;
        let (block, at) = locate(number as usize);
        if block == self.blocks.len() {
            self.blocks.push(Block::new(capacity(block), self.stride));
        }
        self.blocks[block].write(at, row);
        self.len += 1;
        self.live += 1;
        Ok(number)
    }

    /// Deletes a row; returns whether it was live. [`Rows::compact`] reclaims its memory.
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] for a number never given.
    pub fn delete(&mut self, row: u32) -> Result<bool, RowsError> {
        if row as usize >= self.len {
            return Err(RowsError::NoSuchRow(row));
        }
        let (block, at) = locate(row as usize);
        let was_alive = self.blocks[block].delete(at);
        self.live -= usize::from(was_alive);
        Ok(was_alive)
    }

    /// Replaces the decay parameters of a live row.
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] or [`RowsError::Decay`].
    pub fn set_decay(&mut self, row: u32, decay: Decay) -> Result<(), RowsError> {
        check_decay(decay)?;
        let (block, at) = self.find(row).map(|_| locate(row as usize)).ok_or(RowsError::NoSuchRow(row))?;
        self.blocks[block].set_decay(at, decay);
        Ok(())
    }

    /// The decay parameters of a live row.
    #[must_use]
    pub fn decay(&self, row: u32) -> Option<Decay> {
        self.find(row).map(|(block, at)| block.metadata()[at].decay())
    }

    /// The vector of a live row.
    #[must_use]
    pub fn vector(&self, row: u32) -> Option<&[f16]> {
        self.find(row).map(|(block, at)| &block.fp16_row(at)[..self.dims])
    }

    /// The number and the caller's id of a live row's group.
    #[must_use]
    pub fn group(&self, row: u32) -> Option<(u32, u128)> {
        let group = self.find(row).map(|(block, at)| block.metadata()[at].group)?;
        Some((group, self.group_ids[group as usize]))
    }

    /// Elements of a vector.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Rows pushed so far, live or deleted: masks and ranges count to here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no row was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Rows that are not deleted.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live
    }

    /// Groups registered, with or without rows.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.group_ids.len()
    }

    /// Memory reserved for rows and groups, in bytes. The unused part of the last block is included; it is at most a
    /// quarter of the rows before it, or one tile.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum::<usize>() + self.group_ids.capacity() * size_of::<u128>()
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn group_id(&self, group: u32) -> u128 {
        self.group_ids[group as usize]
    }

    /// The block of a live row and its offset there.
    pub(crate) fn find(&self, row: u32) -> Option<(&Block, usize)> {
        let (block, at) = locate(row as usize);
        self.blocks.get(block).filter(|block| block.is_alive(at)).map(|block| (block, at))
    }

    fn check_vector(&self, vector: &[f16]) -> Result<(), VectorError> {
        if vector.len() != self.dims {
            return Err(VectorError::Dims { expected: self.dims, given: vector.len() });
        }
        if let Some(index) = vector.iter().position(|value| !value.is_finite()) {
            return Err(VectorError::NotFinite { index });
        }
        let squared_norm: f64 = vector.iter().map(|value| value.to_f64() * value.to_f64()).sum();
        if (squared_norm - 1.0).abs() > UNIT_TOLERANCE {
            return Err(VectorError::NotUnit { squared_norm });
        }
        Ok(())
    }
}

pub(super) fn check_decay(decay: Decay) -> Result<(), RowsError> {
    let is_rate = |value: f32| value.is_finite() && value >= 0.0;
    if is_rate(decay.rate_per_us) && is_rate(decay.shape) && decay.importance.is_finite() {
        Ok(())
    } else {
        Err(RowsError::Decay(decay))
    }
}
