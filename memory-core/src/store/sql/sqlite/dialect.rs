//! Statements specific to SQLite, or different from those of PostgreSQL. The latter have a counterpart of the same name
//! in `postgres/dialect.rs`, with the reason for the difference.

use std::borrow::Cow;

/// Start of a write transaction: SQLite takes the write lock at once, so that no transaction fails to upgrade a read
/// lock.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Start of a consistent read of several statements.
pub(super) const BEGIN_READ: &str = "BEGIN DEFERRED";

/// True if the partition's row must be locked before writes to the partition. Not needed in SQLite, which has one
/// writer.
pub(super) const LOCKS_ROWS: bool = false;

/// Counters of a partition. PostgreSQL also locks the row.
pub(super) const LOCK_PARTITION: &str =
    "SELECT last_seq, session_count, memory_count FROM partitions WHERE id = $1";

/// Claims a job of one of the kinds in a JSON list. SQLite has one writer, so no other claim can come between the read
/// and the write. The index gives the first job of each kind and state; only those are compared. PostgreSQL skips locked
/// rows, and reads the JSON list with another function.
pub(super) const CLAIM_JOB: &str = "
    UPDATE durable_jobs
    SET state = 'running', attempts = attempts + 1, lease_until_us = $2, updated_us = $1,
        unique_key = CASE WHEN releases_key THEN NULL ELSE unique_key END
    WHERE id = (
        SELECT j.id FROM (
            SELECT (SELECT w.id FROM durable_jobs w
                    WHERE w.kind = kinds.value AND w.state = 'waiting' AND w.run_after_us <= $1
                    ORDER BY w.run_after_us, w.id LIMIT 1) AS id
            FROM json_each($3) AS kinds
            UNION ALL
            SELECT (SELECT r.id FROM durable_jobs r
                    WHERE r.kind = kinds.value AND r.state = 'running' AND r.lease_until_us < $1
                    ORDER BY r.run_after_us, r.id LIMIT 1)
            FROM json_each($3) AS kinds
        ) AS due JOIN durable_jobs j ON j.id = due.id
        ORDER BY j.run_after_us, j.id
        LIMIT 1
    )
    RETURNING id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, error,
              created_us, updated_us, releases_key";

/// Finds the running attempt at a job. PostgreSQL also locks the row.
pub(super) const HOLD_ATTEMPT: &str = "
    SELECT 1 FROM durable_jobs
    WHERE id = $1 AND state = 'running' AND attempts = $2 AND tenant_id = COALESCE($3, tenant_id)";

/// Releases the jobs that are marked as running. One process at a time has the directory, so the process that ran them
/// is dead. PostgreSQL serves many processes, and its counterpart changes nothing.
pub(super) const RELEASE_LEFT_JOBS: &str = "
    UPDATE durable_jobs SET state = 'waiting', lease_until_us = NULL, updated_us = $1 WHERE state = 'running'";

/// Encodes a text for a column: unchanged. PostgreSQL cannot store U+0000.
pub(super) fn encode_text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Decodes a text that [`encode_text`] encoded.
pub(super) fn decode_text(stored: String) -> String {
    stored
}
/// Integrity check of the database.
pub(super) const INTEGRITY_CHECK: &str = "PRAGMA quick_check(10)";

/// Integrity check that also compares all indexes with their tables: takes as long as sorting them.
pub(super) const FULL_INTEGRITY_CHECK: &str = "PRAGMA integrity_check(10)";

/// Writes a consistent copy into a new file.
pub(super) const COPY_TO: &str = "VACUUM INTO $1";

/// Checkpoints and truncates the write-ahead log without waiting for readers, so that no erased text remains in it.
pub(super) const CHECKPOINT_WAL: [&str; 3] =
    ["PRAGMA busy_timeout = 0", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA busy_timeout = 5000"];

/// Checkpoint at shutdown, when no write can be delayed: it waits for readers that are still closing.
pub(super) const FOLD_LOG_AT_THE_END: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
