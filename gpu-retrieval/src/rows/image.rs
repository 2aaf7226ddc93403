//! Image of rows: the columns of chosen rows as bytes, written and read in bulk.
//!
//! An image has the blocks of a store that was filled with these rows alone. Of each block: live bits (a word per tile),
//! metadata, int8 parameters, fp16 vectors, int8 codes; vectors and codes with their padding, numbers in the byte order of
//! the machine. Codes are stored, not computed anew: quantisation takes ten times as long as the copy. Invariant: no
//! image, damaged or not, makes a later search panic or meet a NaN; that it is the image that was written is for a
//! checksum of the caller's to say.

use std::io::{self, Read, Write};

use half::f16;

use super::block::{Block, RowMeta};
use super::block_sizes::{TILE_ROWS, capacity, first_row, locate};
use super::quantise::Int8Params;
use super::row::{DELETED, RowsError};
use super::store::{Rows, check_decay};

/// A row of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRow {
    /// Its number in the store, live or deleted. In the image its number is its place.
    pub row: u32,
    /// The number of its group in the image.
    pub group: u32,
}

/// An image was not read. The store is as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The bytes could not be read, or end too early.
    #[error("the image of rows could not be read")]
    Read(#[from] io::Error),
    /// A value that no write would have accepted.
    #[error("the image of rows is damaged")]
    Damaged,
    /// The store has rows or groups already.
    #[error("an image is read into an empty store only")]
    NotEmpty,
    /// The image has more rows or groups than can be numbered.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// Bytes that are read and checked at once: they stay in the second-level cache.
const PIECE_BYTES: usize = 128 << 10;

/// Above every scale and every residual of a unit vector.
const MAX_PARAM: f32 = 2.0;

impl Rows {
    /// Writes the image of these rows, in their order. Deleted ones keep their place and stay deleted.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::InvalidInput`] for a row that was never pushed.
    pub fn export(&self, rows: &[ImageRow], out: &mut dyn Write) -> io::Result<()> {
        if rows.iter().any(|row| row.row as usize >= self.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let source = |row: &ImageRow| {
            let (block, at) = locate(row.row as usize);
            (&self.blocks[block], at)
        };
        let mut rest = rows;
        for block in 0.. {
            if rest.is_empty() {
                break;
            }
            let part;
            (part, rest) = rest.split_at(rest.len().min(capacity(block)));
            for tile in part.chunks(TILE_ROWS) {
                let bit = |(bit, row): (usize, &ImageRow)| {
                    let (block, at) = source(row);
                    u64::from(block.is_alive(at)) << bit
                };
                let alive = tile.iter().enumerate().map(bit).sum::<u64>();
                out.write_all(bytemuck::bytes_of(&alive))?;
            }
            for row in part {
                let (block, at) = source(row);
                let meta = RowMeta { group: row.group, ..block.metadata()[at] };
                out.write_all(bytemuck::bytes_of(&meta))?;
            }
            for (block, at) in part.iter().map(source) {
                out.write_all(bytemuck::bytes_of(&block.int8_params()[at]))?;
            }
            for (block, at) in part.iter().map(source) {
                out.write_all(bytemuck::cast_slice(block.fp16_row(at)))?;
            }
            for (block, at) in part.iter().map(source) {
                out.write_all(bytemuck::cast_slice(block.code_row(at)))?;
            }
        }
        Ok(())
    }

    /// Fills an empty store with the image of so many rows, whose groups have these ids. Every score is then the same bits
    /// as in the store of which it is the image.
    ///
    /// Checked are numbers of groups, decays, and that all values are finite. The length of the vectors is not: the caller
    /// makes sure that the bytes are those of an [`export`](Self::export) from a store of as many dimensions.
    ///
    /// # Errors
    /// [`ImageError`]; the store is then unchanged.
    pub fn import(&mut self, groups: Vec<u128>, rows: u32, input: &mut dyn Read) -> Result<(), ImageError> {
        if !self.is_empty() || self.groups() > 0 {
            return Err(ImageError::NotEmpty);
        }
        if rows == DELETED || u32::try_from(groups.len()).is_err() {
            return Err(RowsError::Full.into());
        }
        let rows = rows as usize;
        let (mut blocks, mut live) = (Vec::new(), 0);
        while first_row(blocks.len()) < rows {
            let index = blocks.len();
            let used = capacity(index).min(rows - first_row(index));
            let mut block = Block::with_room(capacity(index), used, self.stride);
            live += read_block(&mut block, used, groups.len(), input)?;
            blocks.push(block);
        }
        (self.blocks, self.len, self.live, self.group_ids) = (blocks, rows, live, groups);
        Ok(())
    }
}

/// Reads the first `used` rows of a block; returns the number of live ones.
fn read_block(
    block: &mut Block,
    used: usize,
    groups: usize,
    input: &mut dyn Read,
) -> Result<usize, ImageError> {
    let stride = block.stride();
    let (columns, alive) = block.parts_mut();
    let alive = &mut alive[..used.div_ceil(TILE_ROWS)];
    input.read_exact(bytemuck::cast_slice_mut(alive))?;
    let beyond_last = used % TILE_ROWS;
    if beyond_last > 0 && alive.last().is_some_and(|word| word >> beyond_last != 0) {
        return Err(ImageError::Damaged);
    }
    read_checked(&mut columns.metadata[..used], input, |meta: &RowMeta| {
        (meta.group as usize) < groups && check_decay(meta.decay()).is_ok()
    })?;
    read_checked(&mut columns.int8_params[..used], input, |params: &Int8Params| {
        let is_bound = |value: f32| (0.0..=MAX_PARAM).contains(&value);
        is_bound(params.scale) && is_bound(params.residual)
    })?;
    read_checked(&mut columns.fp16[..used * stride], input, |value: &f16| value.is_finite())?;
    // Beyond the symmetric range the sum of a long row would overflow.
    read_checked(&mut columns.codes[..used * stride], input, |code: &i8| *code != i8::MIN)?;
    let live = alive.iter().map(|word| word.count_ones() as usize).sum();
    block.bound_decays(used);
    Ok(live)
}

/// Reads a column. No short-circuit within a piece, so that the comparison compiles to vector instructions.
fn read_checked<T: bytemuck::Pod>(
    column: &mut [T],
    input: &mut dyn Read,
    is_valid: impl Fn(&T) -> bool,
) -> Result<(), ImageError> {
    for piece in column.chunks_mut(PIECE_BYTES / size_of::<T>()) {
        input.read_exact(bytemuck::cast_slice_mut(piece))?;
        if !piece.iter().fold(true, |valid, value| valid & is_valid(value)) {
            return Err(ImageError::Damaged);
        }
    }
    Ok(())
}
