//! Statements specific to SQLite, or different from those of PostgreSQL. The latter have a counterpart of the same name
//! in `postgres/dialect.rs`, with the reason for the difference.

use std::borrow::Cow;

/// Counters of a partition as they are stored or, where the stored value is no number, as they follow from the rows: a
/// damaged counter stops nobody, and the next commit writes it anew. PostgreSQL stores nothing but numbers.
macro_rules! counter {
    (last_seq) => {
        "CASE WHEN typeof(partitions.last_seq) = 'integer' AND partitions.last_seq >= 0 THEN partitions.last_seq
             ELSE (SELECT COALESCE(MAX(counted.seq), 0) FROM changes counted WHERE counted.partition_id = partitions.id) END"
    };
    (session_count) => {
        "CASE WHEN typeof(partitions.session_count) = 'integer' AND partitions.session_count >= 0
             THEN partitions.session_count
             ELSE (SELECT COALESCE(MAX(counted.ordinal) + 1, 0) FROM sessions counted
                   WHERE counted.partition_id = partitions.id) END"
    };
    (memory_count) => {
        "CASE WHEN typeof(partitions.memory_count) = 'integer' AND partitions.memory_count >= 0
             THEN partitions.memory_count
             ELSE (SELECT COUNT(*) FROM memories counted WHERE counted.partition_id = partitions.id) END"
    };
    (next_seq) => {
        "CASE WHEN typeof(sessions.next_seq) = 'integer' AND sessions.next_seq >= 0 THEN sessions.next_seq
             ELSE (SELECT COALESCE(MAX(counted.seq) + 1, 0) FROM turns counted WHERE counted.session_id = sessions.id) END"
    };
}
pub(super) use counter;

/// Condition for a column that holds an integer, as a literal. PostgreSQL stores nothing else.
macro_rules! is_integer {
    ($column:literal) => {
        concat!("typeof(", $column, ") = 'integer'")
    };
}
pub(super) use is_integer;

/// Start of a write transaction: SQLite takes the write lock at once, so that no transaction fails to upgrade a read
/// lock.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Start of a consistent read of several statements.
pub(super) const BEGIN_READ: &str = "BEGIN DEFERRED";

/// True if the partition's row must be locked before writes to the partition. Not needed in SQLite, which has one
/// writer.
pub(super) const LOCKS_ROWS: bool = false;

/// Counters of a partition. PostgreSQL also locks the row.
pub(super) const LOCK_PARTITION: &str = concat!(
    "SELECT ",
    counter!(last_seq),
    ", ",
    counter!(session_count),
    ", ",
    counter!(memory_count),
    " FROM partitions WHERE id = $1"
);

/// Creates a partition, under a number that none has had. PostgreSQL has a sequence for that; SQLite would give the number
/// of a deleted partition again, and an index that still holds the old one would take it for the new one.
pub(super) const CREATE_PARTITION: &str = "
    INSERT INTO partitions (id, tenant_id, owner_kind, owner_id, created_us)
    SELECT 1 + MAX((SELECT COALESCE(MAX(id), 0) FROM partitions),
                   (SELECT COALESCE(MAX(id), 0) FROM removed_partitions)), $1, $2, $3, $4
    WHERE TRUE
    ON CONFLICT (tenant_id, owner_kind, owner_id) DO NOTHING
    RETURNING id";

/// Tenant of partitions that are taken from their owners, as a literal. PostgreSQL writes it as a UUID.
macro_rules! erased_tenant {
    () => {
        "X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'"
    };
}
pub(super) use erased_tenant;

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
              created_us, updated_us, releases_key, owner_kind, owner_id, result";

/// Finds the running attempt at a job. PostgreSQL also locks the row.
pub(super) const HOLD_ATTEMPT: &str = "
    SELECT 1 FROM durable_jobs
    WHERE id = $1 AND state = 'running' AND attempts = $2 AND tenant_id = COALESCE($3, tenant_id)";

/// Reads whether an owner has a partition. There is one writer, so that nobody takes it away meanwhile.
pub(super) const HOLD_OWNER: &str = "
    SELECT 1 FROM partitions WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3";

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

/// Drops the pages that the connection has in memory and that are not in use.
pub(super) const DROP_PAGE_CACHE: &str = "PRAGMA shrink_memory";

/// Ids of the memories of a partition from an index alone, which has the columns of the primary key, so that no page of
/// the table is read. PostgreSQL names no index in a statement.
pub(super) const IDS_OF_INDEX: &str = "
    SELECT id FROM memories INDEXED BY memories_by_id WHERE id > $2 AND +partition_id = $1 ORDER BY id LIMIT $3";

/// Integrity check of the database, which also compares all indexes with their tables: takes as long as sorting them. At
/// most ten complaints.
pub(super) const INTEGRITY_CHECK: &str = "PRAGMA integrity_check(10)";

/// Writes a consistent copy into a new or empty file.
pub(super) const COPY_TO: &str = "VACUUM INTO $1";

/// Checkpoints the whole write-ahead log into the database file and truncates it to no byte. The result is one row:
/// 1 if a reader prevented it, else 0; two numbers of frames.
pub(super) const TRUNCATE_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Copies the write-ahead log into the database file as far as readers allow. The result is one row: 1 if another checkpoint
/// prevented it, else 0; the numbers of frames in the log and of those that were copied.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Wait for a lock of another process, in ms, as the connections are opened with.
pub(super) const USUAL_PATIENCE: &str = "PRAGMA busy_timeout = 5000";

/// Statistics for the planner of queries.
pub(super) const OPTIMIZE: &str = "PRAGMA optimize";

/// True if there are samples of keys among the statistics.
pub(super) const HAS_SAMPLES: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4')";

/// Deletes the samples of keys from the statistics: they are names of owners and sessions, which outlive an erasure.
pub(super) const DELETE_SAMPLES: &str = "DELETE FROM sqlite_stat4";
