//! The seam for scan back ends: one trait, implemented by the CPU ([`Rows`](crate::Rows)) and by any device after it.

use std::io::{self, Read, Write};

use half::f16;

use crate::rows::{Decay, ImageError, ImageRow, Row, RowsError};
use crate::scoring::Weights;
use crate::search::{Answer, Batch, Scored, SearchError};

/// A store of rows, and exact batched top-k over it.
///
/// # Contract
/// - **Rows.** Row and group numbers are dense, begin at 0 and are never reused. A write is visible to every search that
///   begins after it. A refused write changes nothing. Input is refused as by [`Rows`](crate::Rows).
/// - **Answers.** The hits of a query, in order and with the bits of every score, similarity and retention, are those of
///   the [scoring contract](crate#the-contract). They do not depend on the other queries of the batch, on threads or on
///   the back end. `rows_scanned` is exact too. `rows_rescored` and `pass` describe the back end's own way.
/// - **Retention column.** A query may bring the retention of every row ([`Query::retention`](crate::Query)): host memory of
///   4 bytes a row, in the order of row numbers, which stays borrowed for the whole scan. A device copies it from there
///   in [`begin`](Self::begin), or in pieces during the scan, once for all queries of the batch that point to the same
///   memory. [`begin`](Self::begin) refuses a column that is too short or has a number outside [0, 1] before
///   anything is scanned. A column that holds what the decays give changes no bit of an answer.
/// - **Scheduling.** [`begin`](Self::begin) validates a batch and may start it. Threads that the caller has free may
///   [`join`](BatchScan::join) the running scan; a back end with processors of its own returns from it at once.
/// - **Concurrency.** Any number of scans may run at the same time; each borrows the store, so no write overlaps them.
///
/// The tests in `tests/backend_contract` state this contract for every implementation.
pub trait ScanBackend: std::fmt::Debug + Send + Sync {
    /// Registers a group under the caller's id and returns its number.
    ///
    /// # Errors
    /// [`RowsError::Full`].
    fn add_group(&mut self, id: u128) -> Result<u32, RowsError>;

    /// Stores a row and returns its number.
    ///
    /// # Errors
    /// [`RowsError::Vector`], [`RowsError::NoSuchGroup`], [`RowsError::Decay`] or [`RowsError::Full`].
    fn push(&mut self, row: &Row<'_>) -> Result<u32, RowsError>;

    /// Deletes a row; returns whether it was live.
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] for a number never given.
    fn delete(&mut self, row: u32) -> Result<bool, RowsError>;

    /// Replaces the decay parameters of a live row.
    ///
    /// # Errors
    /// [`RowsError::NoSuchRow`] or [`RowsError::Decay`].
    fn set_decay(&mut self, row: u32, decay: Decay) -> Result<(), RowsError>;

    /// The decay parameters of a live row.
    fn decay(&self, row: u32) -> Option<Decay>;

    /// The vector of a live row, as it was pushed.
    fn vector(&self, row: u32) -> Option<Vec<f16>>;

    /// Elements of a vector.
    fn dims(&self) -> usize;

    /// Host memory reserved for rows and groups, in bytes.
    fn bytes(&self) -> usize;

    /// Writes the image of these rows, live or deleted, in their order: bytes that [`import`](Self::import) of a back end of
    /// the same kind reads in bulk, on a machine of the same byte order.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::InvalidInput`] for a row never pushed.
    fn export(&self, rows: &[ImageRow], out: &mut dyn Write) -> io::Result<()>;

    /// Fills an empty store with the image of so many rows, whose groups have these ids in the order of their numbers. Every
    /// answer is then that of the store of which it is the image, up to numbers of rows and groups.
    ///
    /// No bytes make it or a later search panic. That the bytes are those of an export from a store of as many dimensions is
    /// for the caller to make sure, by a checksum.
    ///
    /// # Errors
    /// [`ImageError`]; the store is then unchanged.
    fn import(&mut self, groups: Vec<u128>, rows: u32, input: &mut dyn Read) -> Result<(), ImageError>;

    /// Validates a batch and begins its scan.
    ///
    /// # Errors
    /// The batch is refused as a whole for the first query that is not valid: see [`SearchError`].
    fn begin<'a>(&'a self, batch: &Batch<'a>) -> Result<Box<dyn BatchScan + 'a>, SearchError>;

    /// The canonical scores of chosen live rows, in the order given. `retentions`, if any, are parallel to `rows` and take the
    /// place of the rows' decays.
    ///
    /// # Errors
    /// [`SearchError::Vector`], [`SearchError::Weights`], [`SearchError::RetentionLength`] and [`SearchError::Retention`]
    /// (for query 0) or [`SearchError::NoSuchRow`].
    fn score_rows(
        &self,
        vector: &[f32],
        weights: Weights,
        now_us: i64,
        rows: &[u32],
        retentions: Option<&[f32]>,
    ) -> Result<Vec<Scored>, SearchError>;

    /// The answers to a batch, in its order, computed without further threads of the caller.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin) and [`BatchScan::finish`].
    fn search(&self, batch: &Batch<'_>) -> Result<Vec<Answer>, SearchError> {
        self.begin(batch)?.finish()
    }
}

/// The running scan of a batch. Dropping it abandons the scan; no work on the rows goes on after the drop.
pub trait BatchScan: Send + Sync {
    /// Lends the calling thread to the scan until no work is left to take. Never needed for the answers.
    fn join(&self);

    /// Completes the scan and returns the answers, in the order of the batch.
    ///
    /// # Errors
    /// Failures of a device, in variants of [`SearchError`] of its back end. The CPU has none.
    fn finish(self: Box<Self>) -> Result<Vec<Answer>, SearchError>;
}
