//! Rows: storage in blocks, growth, compaction and quantisation.

mod block;
mod block_sizes;
mod compaction;
mod decay_bounds;
mod image;
mod quantise;
mod row;
mod store;
mod zeroed;

pub(crate) use block::{Block, RowMeta};
pub(crate) use block_sizes::first_row;
pub use block_sizes::{MAX_BLOCK_ROWS, TILE_ROWS};
pub use compaction::Compaction;
pub use image::{ImageError, ImageRow};
#[cfg(test)]
pub(crate) use quantise::quantise_row;
pub(crate) use quantise::{Int8Params, QuantisedQuery};
pub use row::{DELETED, Decay, Row, RowsError};
pub use store::Rows;
