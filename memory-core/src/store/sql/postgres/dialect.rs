//! The statements that PostgreSQL needs in another form than SQLite, by the names that `sqlite/dialect.rs` gives them.

/// How a write transaction begins. Its level is named, because a server may be configured to another one: under
/// `READ COMMITTED`, what is read after a row lock was waited for is what the holder of the lock has committed.
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// How a consistent read of several statements begins. SQLite reads one state in every transaction; here only those of
/// this level do.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Whether a partition's row must be locked before what belongs to the partition is written: several transactions write
/// at the same time.
pub(super) const LOCKS_ROWS: bool = true;

/// The counters of a partition, with its row locked until the transaction ends: numbers are taken from them in memory
/// and written at the end. SQLite has no row locks, and no such clause.
pub(super) const LOCK_PARTITION: &str =
    "SELECT last_seq, session_count, memory_count FROM partitions WHERE id = $1 FOR UPDATE";

/// Leases a job. Workers that claim at the same time skip the row that another one is about to take.
pub(super) const CLAIM_JOB: &str = "
    UPDATE jobs
    SET state = 'running', attempts = attempts + 1, lease_until_us = $2, updated_us = $1
    WHERE id = (
        SELECT id FROM jobs
        WHERE (state = 'waiting' AND run_after_us <= $1) OR (state = 'running' AND lease_until_us < $1)
        ORDER BY run_after_us, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, tenant_id, kind, unique_key, payload, state, attempts, done, total, position, error,
              created_us, updated_us";
