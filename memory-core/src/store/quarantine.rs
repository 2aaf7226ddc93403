//! Quarantine of stored rows that cannot be decoded: a row that is read with others is left out, logged and counted, so
//! that one damaged row never takes the others along. `check` finds these rows by decoding all of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of rows left out since the start of the process, over all stores: for metrics.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Number of times that a stored row was left out because it cannot be decoded, since the start of the process. A row
/// counts each time that it is read.
pub fn rows_left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// Counts rows that are left out, and logs the first of them.
pub(crate) fn leave_out(rows: u64, first: &(dyn std::error::Error + 'static)) {
    LEFT_OUT.fetch_add(rows, Ordering::Relaxed);
    tracing::error!(error = first, rows, "rows that cannot be decoded are left out: see `engrain doctor`");
}
