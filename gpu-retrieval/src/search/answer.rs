//! Answers: the top-k groups of a query, and scores of single rows.

use super::request::Pass;

/// The result of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Score descending, then group id ascending; as many as `k` or as there are groups with an allowed live row.
    pub hits: Vec<Hit>,
    /// Live rows that the mask and the ranges allowed.
    pub rows_scanned: u64,
    /// Rows whose canonical score was computed.
    pub rows_rescored: u64,
    /// The pass used.
    pub pass: Pass,
}

/// A group, by its best row: the highest score, then the lowest ordinal, then the lowest row number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The number of the best row.
    pub row: u32,
    /// The group's number.
    pub group: u32,
    /// The id given to [`Rows::add_group`](crate::Rows::add_group).
    pub group_id: u128,
    /// See [`fuse`](crate::fuse).
    pub score: f32,
    /// The canonical dot product, the cosine up to rounding.
    pub similarity: f32,
    /// The number of the query's column, or else [`retention`](crate::retention), computed even if its weight is 0.
    pub retention: f32,
}

/// The canonical score of a chosen row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The number of the row.
    pub row: u32,
    /// As in [`Hit`].
    pub score: f32,
    /// As in [`Hit`].
    pub similarity: f32,
    /// As in [`Hit`].
    pub retention: f32,
}
