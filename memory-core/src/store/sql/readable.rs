//! Decoding of many rows: those that cannot be decoded are left out and reported.

use super::rows::Reader;
use super::{Row, StoreError};
use crate::store::leave_out;

/// The rows that `read` decodes, in order. Errors: those of `read` that are not about a value of the row.
pub(super) fn readable<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::with_capacity(rows.len());
    let (mut count, mut first) = (0, None);
    for row in rows {
        match read(row) {
            Ok(one) => found.push(one),
            Err(error @ StoreError::Corrupt { .. }) => {
                count += 1;
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(first) = &first {
        leave_out(count, first);
    }
    Ok(found)
}

/// All rows as tuples. Errors: [`StoreError::Corrupt`] if one cannot be decoded.
pub(super) fn all_tuples<T>(rows: &[Row], table: &'static str) -> Result<Vec<T>, StoreError>
where
    T: for<'r> sqlx::FromRow<'r, Row>,
{
    rows.iter().map(|row| tuple(row, table)).collect()
}

/// The rows that can be decoded as tuples.
pub(super) fn readable_tuples<T>(rows: &[Row], table: &'static str) -> Result<Vec<T>, StoreError>
where
    T: for<'r> sqlx::FromRow<'r, Row>,
{
    readable(rows, |row| tuple(row, table))
}

fn tuple<T>(row: &Row, table: &'static str) -> Result<T, StoreError>
where
    T: for<'r> sqlx::FromRow<'r, Row>,
{
    T::from_row(row).map_err(|error| Reader { row, table }.corrupt("a column", &error.to_string()))
}

/// A page of rows that is filled up: rows that cannot be decoded take no place in it, so that a page shorter than its
/// limit is the last one.
pub(super) struct FullPage {
    limit: usize,
    asked: usize,
}

impl FullPage {
    pub(super) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, asked: limit }
    }

    /// Number of rows to read.
    pub(super) fn asked(&self) -> i64 {
        i64::try_from(self.asked).unwrap_or(i64::MAX)
    }

    /// The page, if `rows` fill it or are all that there are; else more rows must be read from the same place.
    pub(super) fn take<T>(
        &mut self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<Vec<T>>, StoreError> {
        let mut found = readable(rows, read)?;
        if !self.is_full(rows.len(), found.len()) {
            return Ok(None);
        }
        found.truncate(self.limit);
        Ok(Some(found))
    }

    /// True if `read` rows with `found` readable ones fill the page or are all that there are; else more are asked for
    /// the next time.
    pub(super) fn is_full(&mut self, read: usize, found: usize) -> bool {
        let is_full = read < self.asked || found >= self.limit;
        if !is_full {
            self.asked = self.asked.saturating_mul(2).max(1);
        }
        is_full
    }
}
