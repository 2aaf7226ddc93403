//! Where a commit takes its numbers from. What is counted of partitions and sessions (the change log, sessions, turns,
//! memories) is counted in memory and written once, at the end of the transaction. Invariant: a partition's change log has no gap, and ends at the partition's own number.

use std::collections::{BTreeSet, HashMap};

use super::{Connection, StoreError, dialect, unavailable};
use crate::domain::id::{PartitionId, SessionId};

/// What a transaction has counted so far.
#[derive(Default)]
pub(super) struct Counters {
    partitions: HashMap<PartitionId, PartitionCounters>,
    /// The place of the next turn in each session that got turns.
    sessions: HashMap<SessionId, u32>,
}

/// A partition's counters, as they will be written.
#[derive(Clone, Copy, Default)]
pub(super) struct PartitionCounters {
    pub(super) last_seq: u64,
    pub(super) session_count: u32,
    pub(super) memory_count: u64,
}

impl Counters {
    /// The counters of a partition that was looked up in this transaction.
    pub(super) fn of(&mut self, partition: PartitionId) -> &mut PartitionCounters {
        self.partitions.entry(partition).or_default()
    }

    /// Begins with what the partition's row says, unless the transaction has counted already: the row is only written
    /// at the end.
    pub(super) fn begin(&mut self, partition: PartitionId, stored: PartitionCounters) {
        self.partitions.entry(partition).or_insert(stored);
    }

    /// The place of the next turn of a session that got turns in this transaction.
    pub(super) fn turns_of(&self, session: SessionId) -> Option<u32> {
        self.sessions.get(&session).copied()
    }

    /// Notes that a session got turns: the next one has this place.
    pub(super) fn next_turn(&mut self, session: SessionId, seq: u32) {
        self.sessions.insert(session, seq);
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
        for (session, turn_count) in &self.sessions {
            sqlx::query("UPDATE sessions SET turn_count = $2 WHERE id = $1")
                .bind(session.0)
                .bind(i64::from(*turn_count))
                .execute(&mut *to)
                .await
                .map_err(unavailable)?;
        }
        Ok(())
    }
}

/// The counters of a partition, whose row is this transaction's until it ends.
pub(super) async fn lock_partition(
    connection: &mut Connection,
    partition: PartitionId,
) -> Result<PartitionCounters, StoreError> {
    let row: Option<(i64, i64, i64)> = sqlx::query_as(dialect::LOCK_PARTITION)
        .bind(partition.0)
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    Ok(row.map_or_else(PartitionCounters::default, |(last_seq, session_count, memory_count)| {
        PartitionCounters {
            last_seq: last_seq.unsigned_abs(),
            session_count: u32::try_from(session_count).unwrap_or(u32::MAX),
            memory_count: memory_count.unsigned_abs(),
        }
    }))
}

/// Locks partitions against commits and erasures where several transactions write at the same time; in the order of
/// ids, as every transaction does, so that no two wait for each other.
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
