//! Storage: rows in blocks, groups, and what may be written to them.
//!
//! It exists to keep what a scan reads dense, aligned and in place. Invariants: a slot, once given, names the same
//! row until [`Rows::compact`]; every stored row is finite, of unit length and of valid terms, so that a search
//! over it cannot fail or meet a NaN; no row past the first few is copied when the store grows.

mod block;
mod compaction;
mod growth;
mod quantise;
mod zeroed;

use half::f16;

use crate::contract::{LANES, MAX_DIMS, VectorError};
pub(crate) use block::{Block, Entry};
pub use compaction::{Compaction, GONE};
pub use growth::BLOCK_ROWS;
pub(crate) use growth::first_slot;
use quantise::UNIT_TOLERANCE;
#[cfg(test)]
pub(crate) use quantise::quantise_row;
pub(crate) use quantise::{Quantised, QuantisedQuery};

/// Rows that share a word of a mask, and that a batch of queries visits together.
pub const TILE_ROWS: usize = 64;

/// Rows of one dimension, each in a group, searched by [`Rows::search`](crate::Rows::search).
///
/// Reading takes `&self` from any number of threads; writing takes `&mut self`.
pub struct Rows {
    dims: usize,
    stride: usize,
    blocks: Vec<Block>,
    /// Slots given out, alive or dead.
    len: usize,
    live: usize,
    group_ids: Vec<u128>,
}

/// Sizes, not the millions of numbers in them.
impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("dims", &self.dims)
            .field("slots", &self.len)
            .field("live", &self.live)
            .field("groups", &self.group_ids.len())
            .finish_non_exhaustive()
    }
}

/// A row to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Of unit length, as [`unit_fp16`](crate::unit_fp16) makes it.
    pub vector: &'a [f16],
    /// A number that [`Rows::add_group`] returned.
    pub group: u32,
    /// Which of two rows of a group stands for it when their scores are equal: the lower.
    pub ordinal: u32,
    /// What may change later.
    pub terms: Terms,
}

/// The parts of a row's score that do not depend on the query's vector.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// When forgetting began, µs since any epoch that queries share.
    pub t0_us: i64,
    /// `a ≥ 0` of [`retention`](crate::retention), per µs.
    pub rate_per_us: f32,
    /// `b ≥ 0` of [`retention`](crate::retention); 0 is the exponential family.
    pub shape: f32,
    /// Any finite number.
    pub importance: f32,
}

/// Why a write was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The vector does not fit.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// Rows of no or too many elements were asked for.
    #[error("rows have 1 to {MAX_DIMS} elements")]
    Shape,
    /// No such group.
    #[error("no group {0}")]
    NoSuchGroup(u32),
    /// No such row, or it was deleted.
    #[error("no row in slot {0}")]
    NoSuchRow(u32),
    /// Terms must be finite, and rate and shape not negative.
    #[error("terms must be finite, rate and shape at least 0: {0:?}")]
    Terms(Terms),
    /// Slots and groups are numbered with 32 bits.
    #[error("no number left for another row or group")]
    Full,
}

impl Rows {
    /// An empty store of rows of `dims` elements.
    ///
    /// # Errors
    /// [`RowsError::Shape`] unless `1 ≤ dims ≤` [`MAX_DIMS`].
    pub fn new(dims: usize) -> Result<Self, RowsError> {
        if !(1..=MAX_DIMS).contains(&dims) {
            return Err(RowsError::Shape);
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

    /// Stores a row and returns its slot. Slots are dense and begin at 0.
    ///
    /// # Errors
    /// [`RowsError::Vector`], [`RowsError::NoSuchGroup`], [`RowsError::Terms`] or [`RowsError::Full`].
    pub fn push(&mut self, row: &Row<'_>) -> Result<u32, RowsError> {
        self.check_vector(row.vector)?;
        check_terms(row.terms)?;
        if row.group as usize >= self.group_ids.len() {
            return Err(RowsError::NoSuchGroup(row.group));
        }
        // `u32::MAX` is kept free: a compaction map says GONE with it.
        let slot = u32::try_from(self.len).ok().filter(|slot| *slot != GONE).ok_or(RowsError::Full)?;
        let (block, at) = growth::locate(slot as usize);
        if block == self.blocks.len() {
            self.blocks.push(Block::new(growth::capacity(block), self.stride));
        }
        self.blocks[block].write(at, row);
        self.len += 1;
        self.live += 1;
        Ok(slot)
    }

    /// Hides a row from every search; whether it was alive. Its memory returns with [`Rows::compact`].
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] for a slot never given.
    pub fn delete(&mut self, slot: u32) -> Result<bool, RowsError> {
        if slot as usize >= self.len {
            return Err(RowsError::NoSuchRow(slot));
        }
        let (block, at) = growth::locate(slot as usize);
        let was_alive = self.blocks[block].kill(at);
        self.live -= usize::from(was_alive);
        Ok(was_alive)
    }

    /// Replaces the terms of a live row: a recall strengthened it, or its importance was judged anew.
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] or [`RowsError::Terms`].
    pub fn set_terms(&mut self, slot: u32, terms: Terms) -> Result<(), RowsError> {
        check_terms(terms)?;
        let (block, at) =
            self.find(slot).map(|_| growth::locate(slot as usize)).ok_or(RowsError::NoSuchRow(slot))?;
        self.blocks[block].entry_mut(at).set_terms(terms);
        Ok(())
    }

    /// The terms of a live row.
    #[must_use]
    pub fn terms(&self, slot: u32) -> Option<Terms> {
        self.find(slot).map(|(block, at)| block.entries()[at].terms())
    }

    /// The vector of a live row.
    #[must_use]
    pub fn vector(&self, slot: u32) -> Option<&[f16]> {
        self.find(slot).map(|(block, at)| &block.half_row(at)[..self.dims])
    }

    /// The number and the caller's id of a live row's group.
    #[must_use]
    pub fn group(&self, slot: u32) -> Option<(u32, u128)> {
        let group = self.find(slot).map(|(block, at)| block.entries()[at].group)?;
        Some((group, self.group_ids[group as usize]))
    }

    /// Elements of a vector.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Slots given out so far, alive or dead: masks and ranges count to here.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.len
    }

    /// Rows that a search can find.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live
    }

    /// Groups registered, with or without rows.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.group_ids.len()
    }

    /// Bytes reserved for rows and groups: what is resident, and the rest of the last block, which is at most a
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

    /// The block of a live row and its place there.
    pub(crate) fn find(&self, slot: u32) -> Option<(&Block, usize)> {
        let (block, at) = growth::locate(slot as usize);
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

fn check_terms(terms: Terms) -> Result<(), RowsError> {
    let is_rate = |value: f32| value.is_finite() && value >= 0.0;
    if is_rate(terms.rate_per_us) && is_rate(terms.shape) && terms.importance.is_finite() {
        Ok(())
    } else {
        Err(RowsError::Terms(terms))
    }
}
