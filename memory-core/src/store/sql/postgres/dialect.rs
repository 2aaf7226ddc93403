//! Statements of PostgreSQL that differ from those of SQLite, with the same names as in `sqlite/dialect.rs`.

use std::borrow::Cow;

/// Counters of a partition. SQLite, which stores a value of any type, has those in place of damaged ones.
macro_rules! counter {
    (last_seq) => {
        "partitions.last_seq"
    };
    (session_count) => {
        "partitions.session_count"
    };
    (memory_count) => {
        "partitions.memory_count"
    };
    (next_seq) => {
        "sessions.next_seq"
    };
}
pub(super) use counter;

/// Condition for a column that holds an integer: it always does.
macro_rules! is_integer {
    ($column:literal) => {
        "TRUE"
    };
}
pub(super) use is_integer;

/// Start of a write transaction. The isolation level is explicit, because the default of a server is configurable:
/// under `READ COMMITTED`, a read after waiting for a row lock sees what the holder of the lock has committed.
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Start of a consistent read of several statements. In SQLite every transaction reads one snapshot; in PostgreSQL only
/// those of this level do.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// True if the partition's row must be locked before writes to the partition: several transactions write at the same
/// time.
pub(super) const LOCKS_ROWS: bool = true;

/// Counters of a partition, with its row locked until the transaction ends: they are incremented in memory and written
/// at the end. SQLite has no row locks, and no such clause.
pub(super) const LOCK_PARTITION: &str =
    "SELECT last_seq, session_count, memory_count FROM partitions WHERE id = $1 FOR UPDATE";

/// Creates a partition, under the next number of its sequence. SQLite has no sequences.
pub(super) const CREATE_PARTITION: &str = "
    INSERT INTO partitions (tenant_id, owner_kind, owner_id, created_us) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id, owner_kind, owner_id) DO NOTHING
    RETURNING id";

/// Tenant of partitions that are taken from their owners, as a literal. SQLite writes it as a blob.
macro_rules! erased_tenant {
    () => {
        "CAST('ffffffff-ffff-ffff-ffff-ffffffffffff' AS UUID)"
    };
}
pub(super) use erased_tenant;

/// Claims a job of one of the kinds in a JSON list. Concurrent workers skip a row that another one has locked. The index
/// gives the first job of each kind and state; only those are locked and compared.
pub(super) const CLAIM_JOB: &str = "
    UPDATE durable_jobs
    SET state = 'running', attempts = attempts + 1, lease_until_us = $2, updated_us = $1,
        unique_key = CASE WHEN releases_key THEN NULL ELSE unique_key END
    WHERE id = (
        SELECT due.id FROM json_array_elements_text(CAST($3 AS JSON)) AS kinds (value)
        CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT w.id, w.run_after_us FROM durable_jobs w
                WHERE w.kind = kinds.value AND w.state = 'waiting' AND w.run_after_us <= $1
                ORDER BY w.run_after_us, w.id LIMIT 1
                FOR UPDATE SKIP LOCKED
            ) AS waiting
            UNION ALL
            SELECT * FROM (
                SELECT r.id, r.run_after_us FROM durable_jobs r
                WHERE r.kind = kinds.value AND r.state = 'running' AND r.lease_until_us < $1
                ORDER BY r.run_after_us, r.id LIMIT 1
                FOR UPDATE SKIP LOCKED
            ) AS left_by_the_dead
        ) AS due
        ORDER BY due.run_after_us, due.id
        LIMIT 1
    )
    RETURNING id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, error,
              created_us, updated_us, releases_key, owner_kind, owner_id, result";

/// Finds the running attempt at a job, with its row locked until the transaction ends, so that no worker claims it
/// meanwhile. SQLite has no such clause.
pub(super) const HOLD_ATTEMPT: &str = "
    SELECT CAST(1 AS BIGINT) FROM durable_jobs
    WHERE id = $1 AND state = 'running' AND attempts = $2 AND tenant_id = COALESCE($3, tenant_id)
    FOR UPDATE";

/// Reads whether an owner has a partition, and keeps it from being taken away until the end of the transaction. An erasure that
/// has begun is waited for.
pub(super) const HOLD_OWNER: &str = "
    SELECT CAST(1 AS BIGINT) FROM partitions
    WHERE tenant_id = $1 AND owner_kind = $2 AND owner_id = $3
    FOR KEY SHARE";

/// Releases no job: several processes work at the same time, and a lease ends only when it expires. A SQLite directory
/// has one process, so the process that ran a job before is dead.
pub(super) const RELEASE_LEFT_JOBS: &str = "
    UPDATE durable_jobs SET updated_us = CAST($1 AS BIGINT) WHERE FALSE";

/// Ids of the memories of a partition. SQLite names the index to read.
pub(super) const IDS_OF_INDEX: &str = "
    SELECT id FROM memories WHERE id > $2 AND partition_id = $1 ORDER BY id LIMIT $3";

/// Keeps a digest key unless there is one. SQLite has its key in a file of its own.
pub(super) const OFFER_DIGEST_KEY: &str =
    "INSERT INTO settings (name, value) VALUES ('digest_key', $1) ON CONFLICT (name) DO NOTHING";

/// Digest key that the database keeps.
pub(super) const DIGEST_KEY: &str = "SELECT decode(value, 'hex') FROM settings WHERE name = 'digest_key'";

/// Escape character of stored texts: a code point that is never assigned to a character.
const ESCAPE: char = '\u{10FFFF}';
/// Stored form of U+0000.
const ESCAPED_NUL: &str = "\u{10FFFF}0";
/// Stored form of [`ESCAPE`] itself.
const ESCAPED_ESCAPE: &str = "\u{10FFFF}1";

/// Encodes a text for a column: PostgreSQL cannot store U+0000, so it is escaped.
pub(super) fn encode_text(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + ESCAPED_NUL.len());
    for letter in text.chars() {
        match letter {
            '\0' => encoded.push_str(ESCAPED_NUL),
            ESCAPE => encoded.push_str(ESCAPED_ESCAPE),
            letter => encoded.push(letter),
        }
    }
    Cow::Owned(encoded)
}

/// Decodes a text that [`encode_text`] encoded.
pub(super) fn decode_text(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    // The escape character is decoded last: its result could be read as the start of another escape.
    let mut parts = stored.split(ESCAPED_ESCAPE).map(|part| part.replace(ESCAPED_NUL, "\0"));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |mut text, part| {
        text.push(ESCAPE);
        text.push_str(&part);
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_returns_from_what_is_stored(text in "[\\x00\\u{10FFFF}01a]{0,12}") {
            let stored = encode_text(&text).into_owned();
            prop_assert!(!stored.contains('\0'));
            prop_assert_eq!(decode_text(stored), text);
        }
    }
}
