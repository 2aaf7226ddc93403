//! Input of a row store: a row, its decay, and the errors of a refused write.

use half::f16;

use crate::scoring::{MAX_DIMS, VectorError};

/// In a map of a [`Compaction`](crate::Compaction): the row or group was removed. No row has this number.
pub const DELETED: u32 = u32::MAX;

/// A row to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Of unit length, as [`unit_fp16`](crate::unit_fp16) makes it.
    pub vector: &'a [f16],
    /// A number returned by [`Rows::add_group`](crate::Rows::add_group).
    pub group: u32,
    /// The tie-break among rows of a group with equal scores: the lower wins.
    pub ordinal: u32,
    /// Replaced later by [`Rows::set_decay`](crate::Rows::set_decay).
    pub decay: Decay,
}

/// The inputs of a row's score besides its vector: the decay curve and the importance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Decay {
    /// Start of the decay, µs since any epoch that queries share.
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
    /// The dimension is out of range.
    #[error("rows have 1 to {MAX_DIMS} elements")]
    Dims,
    /// No such group.
    #[error("no group {0}")]
    NoSuchGroup(u32),
    /// No such row, or it was deleted.
    #[error("no row {0}")]
    NoSuchRow(u32),
    /// Decay parameters must be finite, and rate and shape not negative.
    #[error("decay must be finite, rate and shape at least 0: {0:?}")]
    Decay(Decay),
    /// Rows and groups are numbered with 32 bits.
    #[error("no number left for another row or group")]
    Full,
}
