//! The statements that PostgreSQL needs in another form than SQLite, by the names that `sqlite/dialect.rs` gives them.

use std::borrow::Cow;

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

/// Leases a job of one of the kinds in a JSON list. Workers that claim at the same time skip the row that another one is
/// about to take.
pub(super) const CLAIM_JOB: &str = "
    UPDATE durable_jobs
    SET state = 'running', attempts = attempts + 1, lease_until_us = $2, updated_us = $1
    WHERE id = (
        SELECT id FROM durable_jobs
        WHERE kind IN (SELECT json_array_elements_text(CAST($3 AS JSON)))
            AND ((state = 'waiting' AND run_after_us <= $1) OR (state = 'running' AND lease_until_us < $1))
        ORDER BY run_after_us, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, error,
              created_us, updated_us";

/// Finds the running attempt at a job, with its row locked until the transaction ends, so that no worker claims it
/// meanwhile. SQLite has no such clause.
pub(super) const HOLD_ATTEMPT: &str = "
    SELECT CAST(1 AS BIGINT) FROM durable_jobs
    WHERE id = $1 AND state = 'running' AND attempts = $2 AND tenant_id = COALESCE($3, tenant_id)
    FOR UPDATE";

/// Releases no job: several processes work at the same time, and a lease ends by its time alone. In SQLite's directory
/// there is one process, so whoever ran a job before is dead.
pub(super) const RELEASE_LEFT_JOBS: &str = "
    UPDATE durable_jobs SET updated_us = CAST($1 AS BIGINT) WHERE FALSE";

/// Begins an escape in a stored text: a code point that is never assigned to a character.
const ESCAPE: char = '\u{10FFFF}';
/// U+0000 as a stored text has it.
const ESCAPED_NUL: &str = "\u{10FFFF}0";
/// [`ESCAPE`] itself as a stored text has it.
const ESCAPED_ESCAPE: &str = "\u{10FFFF}1";

/// A text as a column holds it: PostgreSQL has no text with U+0000, so it is escaped.
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

/// The text of what [`encode_text`] made.
pub(super) fn decode_text(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    // The escape comes last: what it turns into could be read as the beginning of another one.
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
