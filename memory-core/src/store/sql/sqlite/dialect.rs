//! The statements that only SQLite understands, or that PostgreSQL needs in another form: those have a twin of the same
//! name there, with the reason why one text does not do.

use std::borrow::Cow;

/// How a write transaction begins: SQLite takes the write lock at once, so that it never has to give up half-way.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// How a consistent read of several statements begins.
pub(super) const BEGIN_READ: &str = "BEGIN DEFERRED";

/// Whether a partition's row must be locked before what belongs to the partition is written. Not here: one transaction
/// writes at a time.
pub(super) const LOCKS_ROWS: bool = false;

/// The counters of a partition. PostgreSQL locks the row with it.
pub(super) const LOCK_PARTITION: &str =
    "SELECT last_seq, session_count, memory_count FROM partitions WHERE id = $1";

/// Leases a job of one of the kinds in a JSON list. SQLite has one writer, so nothing can slip between look and leap;
/// PostgreSQL skips locked rows, and takes the kinds as an array.
pub(super) const CLAIM_JOB: &str = "
    UPDATE durable_jobs
    SET state = 'running', attempts = attempts + 1, lease_until_us = $2, updated_us = $1
    WHERE id = (
        SELECT id FROM durable_jobs
        WHERE kind IN (SELECT value FROM json_each($3))
            AND ((state = 'waiting' AND run_after_us <= $1) OR (state = 'running' AND lease_until_us < $1))
        ORDER BY run_after_us, id
        LIMIT 1
    )
    RETURNING id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, error,
              created_us, updated_us";

/// Finds the running attempt at a job. PostgreSQL locks the row with it.
pub(super) const HOLD_ATTEMPT: &str = "
    SELECT 1 FROM durable_jobs
    WHERE id = $1 AND state = 'running' AND attempts = $2 AND tenant_id = COALESCE($3, tenant_id)";

/// Releases the jobs that are marked as running. The directory has one process at a time, so whoever ran them is dead;
/// PostgreSQL has many, and its twin changes nothing.
pub(super) const RELEASE_LEFT_JOBS: &str = "
    UPDATE durable_jobs SET state = 'waiting', lease_until_us = NULL, updated_us = $1 WHERE state = 'running'";

/// A text as a column holds it: as it is. PostgreSQL has none with U+0000.
pub(super) fn encode_text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// The text of what [`encode_text`] made.
pub(super) fn decode_text(stored: String) -> String {
    stored
}
/// The database's own integrity check.
pub(super) const INTEGRITY_CHECK: &str = "PRAGMA quick_check(10)";

/// The same with all indexes held against their tables: takes as long as sorting them.
pub(super) const FULL_INTEGRITY_CHECK: &str = "PRAGMA integrity_check(10)";

/// A consistent copy into a new file.
pub(super) const COPY_TO: &str = "VACUUM INTO $1";

/// Folds the write-ahead log away without waiting for anybody, so that erased text does not linger in it.
pub(super) const CHECKPOINT_WAL: [&str; 3] =
    ["PRAGMA busy_timeout = 0", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA busy_timeout = 5000"];

/// The same at the end, when nobody has to be kept waiting: readers that are still closing are waited for.
pub(super) const FOLD_LOG_AT_THE_END: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
