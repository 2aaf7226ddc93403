//! Counters of a commit: numbers of the change log, sessions, turns and memories. They are counted in memory, per
//! partition and session, and written once, at the end of the transaction. Invariant: a partition's change log has no
//! gap, and its last number is the one in the partition's row.

use std::collections::{BTreeSet, HashMap};

use super::{Connection, StoreError, dialect, unavailable};
use crate::domain::id::{PartitionId, SessionId};

/// Counters of a transaction in progress.
#[derive(Default)]
pub(super) struct Counters {
    partitions: HashMap<PartitionId, PartitionCounters>,
    /// Sessions that got turns.
    sessions: HashMap<SessionId, SessionCounters>,
}

/// New values in the row of a session that got turns.
#[derive(Clone, Copy, Default)]
struct SessionCounters {
    /// Ordinal of the next turn.
    next: u32,
    /// Number of new turns.
    added: u32,
    /// True if it was closed after its last new turn.
    is_closed: bool,
    /// Number of the change log at which its digest was asked for, if it was.
    asked_seq: Option<u64>,
}

/// Counters of a partition, as they will be written.
#[derive(Clone, Copy, Default)]
pub(super) struct PartitionCounters {
    pub(super) last_seq: u64,
    pub(super) session_count: u32,
    pub(super) memory_count: u64,
}

impl PartitionCounters {
    /// Counters as the columns of a partition hold them.
    pub(super) fn stored(last_seq: i64, session_count: i64, memory_count: i64) -> Self {
        Self {
            last_seq: last_seq.unsigned_abs(),
            session_count: u32::try_from(session_count).unwrap_or(u32::MAX),
            memory_count: memory_count.unsigned_abs(),
        }
    }
}

impl Counters {
    /// Counters of a partition that was looked up in this transaction.
    pub(super) fn of(&mut self, partition: PartitionId) -> &mut PartitionCounters {
        self.partitions.entry(partition).or_default()
    }

    /// Sets the counters to those of the partition's row, unless the transaction has counted already: the row is
    /// written only at the end.
    pub(super) fn begin(&mut self, partition: PartitionId, stored: PartitionCounters) {
        self.partitions.entry(partition).or_insert(stored);
    }

    /// Drops the counters of a partition that the transaction has deleted.
    pub(super) fn forget(&mut self, partition: PartitionId) {
        self.partitions.remove(&partition);
    }

    /// Ordinal of the next turn of a session that got turns in this transaction.
    pub(super) fn turns_of(&self, session: SessionId) -> Option<u32> {
        self.sessions.get(&session).map(|counters| counters.next)
    }

    /// Records that a session got `added` turns, from the ordinal `first` on.
    pub(super) fn add_turns(&mut self, session: SessionId, first: u32, added: u32) {
        let counters = self.sessions.entry(session).or_default();
        counters.next = first.saturating_add(added);
        counters.added = counters.added.saturating_add(added);
        counters.is_closed = false;
    }

    /// Records that the digest of a session that got turns was asked for.
    pub(super) fn ask_digest(&mut self, session: SessionId, seq: u64) {
        self.sessions.entry(session).or_default().asked_seq = Some(seq);
    }

    /// Records that a session was closed, whose row says so.
    pub(super) fn close(&mut self, session: SessionId) {
        if let Some(counters) = self.sessions.get_mut(&session) {
            counters.is_closed = true;
        }
    }

    /// Writes all counters.
    pub(super) async fn write(&self, to: &mut Connection) -> Result<(), StoreError> {
        for (partition, counters) in &self.partitions {
            sqlx::query(
                "UPDATE partitions SET last_seq = $2, session_count = $3, memory_count = $4 WHERE id = $1",
            )
            .bind(partition.0)
            .bind(counters.last_seq.cast_signed())
            .bind(i64::from(counters.session_count))
            .bind(counters.memory_count.cast_signed())
            .execute(&mut *to)
            .await
            .map_err(unavailable)?;
        }
        for (session, SessionCounters { next, added, is_closed, asked_seq }) in &self.sessions {
            // An erasure in the same transaction has counted its turns off the row.
            sqlx::query(
                "UPDATE sessions SET next_seq = $2, turn_count = turn_count + $3,
                     closed_us = CASE WHEN $4 THEN closed_us END, asked_seq = COALESCE($5, asked_seq)
                 WHERE id = $1",
            )
            .bind(session.0)
            .bind(i64::from(*next))
            .bind(i64::from(*added))
            .bind(*is_closed)
            .bind(asked_seq.map(u64::cast_signed))
            .execute(&mut *to)
            .await
            .map_err(unavailable)?;
        }
        Ok(())
    }
}

/// Reads the counters of a partition, and locks its row until the transaction ends. `None` if it is not there: its owner
/// was erased meanwhile.
pub(super) async fn lock_partition(
    connection: &mut Connection,
    partition: PartitionId,
) -> Result<Option<PartitionCounters>, StoreError> {
    let row: Option<(i64, i64, i64)> = sqlx::query_as(dialect::LOCK_PARTITION)
        .bind(partition.0)
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    Ok(row.map(|(last_seq, session_count, memory_count)| {
        PartitionCounters::stored(last_seq, session_count, memory_count)
    }))
}

/// Locks partitions against commits and erasures where several transactions write at the same time. The order is that
/// of ids in every transaction, so that no two wait for each other.
pub(super) async fn lock_partitions(
    connection: &mut Connection,
    partitions: &BTreeSet<PartitionId>,
) -> Result<(), StoreError> {
    if dialect::LOCKS_ROWS {
        for partition in partitions {
            lock_partition(&mut *connection, *partition).await?;
        }
    }
    Ok(())
}
