//! Requests for digests of sessions in a commit: which sessions ask for one, and the job that makes them. A request stands in
//! the row of its session until a set answers it, so that no lost job loses it.

use uuid::Uuid;

use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::consolidation::Consolidation;
use crate::domain::id::{PartitionId, SessionId};

impl WriteTransaction<'_, '_> {
    /// Asks for the digest of a session that got `count` turns from the ordinal `first` on, if it reaches a multiple of the
    /// bound with them. It costs no statement: the request is written with the counters of the session.
    pub(super) fn ask_for_full_session(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        (session, first, count): (SessionId, u32, u32),
    ) {
        let Some(Consolidation { turns, .. }) = &set.sessions.asks else { return };
        let turns = (*turns).max(1);
        if first / turns < first.saturating_add(count) / turns {
            let seq = self.counters.of(partition).last_seq;
            self.counters.ask_digest(session, seq);
            self.asks_digest = true;
        }
    }

    /// Asks for the digest of a session that loses turns, if it has one: it is erased with them.
    pub(super) async fn ask_for_session_without_turns(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        session: Uuid,
    ) -> Result<(), StoreError> {
        let Some(Consolidation { turns, .. }) = &set.sessions.asks else { return Ok(()) };
        let asked = sqlx::query(
            "UPDATE sessions SET asked_seq = $2 WHERE id = $1 AND (closed_us IS NOT NULL OR next_seq >= $3)",
        )
        .bind(session)
        .bind(self.counters.of(partition).last_seq.cast_signed())
        .bind(i64::from(*turns))
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        self.asks_digest |= asked.rows_affected() > 0;
        Ok(())
    }

    /// Erases a session if it has no turn, and takes its key from the access log.
    pub(super) async fn erase_session_without_turns(
        &mut self,
        partition: PartitionId,
        session: Uuid,
    ) -> Result<(), StoreError> {
        let key: Option<String> = sqlx::query_scalar(
            "DELETE FROM sessions WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM turns WHERE session_id = $1)
             RETURNING key",
        )
        .bind(session)
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        let Some(key) = key else { return Ok(()) };
        sqlx::query("UPDATE recalls SET session_key = NULL WHERE partition_id = $1 AND session_key = $2")
            .bind(partition.0)
            .bind(key)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Closes the session of a set, and takes the request away that the set answers.
    pub(super) async fn write_consolidation(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<(), StoreError> {
        if let Some(answered) = set.sessions.answers {
            sqlx::query("UPDATE sessions SET asked_seq = NULL WHERE id = $1 AND asked_seq = $2")
                .bind(answered.session.0)
                .bind(answered.seq.cast_signed())
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        let Some(session) = set.sessions.closes else { return Ok(()) };
        let asked_seq = self.counters.of(partition).last_seq.cast_signed();
        let asked_seq = set.sessions.asks.is_some().then_some(asked_seq);
        let closed = sqlx::query(
            "UPDATE sessions SET closed_us = COALESCE(closed_us, $3), asked_seq = COALESCE($4, asked_seq)
             WHERE id = $1 AND partition_id = $2",
        )
        .bind(session.0)
        .bind(partition.0)
        .bind(set.now.as_micros())
        .bind(asked_seq)
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        self.counters.close(session);
        self.asks_digest |= asked_seq.is_some() && closed.rows_affected() > 0;
        Ok(())
    }

    /// Ends the job of a set, and enqueues those that follow: of a set of turns only if one of them is new.
    pub(super) async fn write_jobs(&mut self, set: &ChangeSet, has_appended: bool) -> Result<(), StoreError> {
        // The finished job comes first: its successor may have its unique key.
        super::jobs::finish_with_set(&mut *self.connection, set).await?;
        let jobs = if set.turns.is_some() && !has_appended { &[][..] } else { &set.jobs };
        let consolidation = set.sessions.asks.as_ref().filter(|_| self.asks_digest).map(|asks| &asks.job);
        self.asks_digest = false;
        for job in jobs.iter().chain(consolidation) {
            super::jobs::insert(&mut *self.connection, job).await?;
        }
        Ok(())
    }
}
