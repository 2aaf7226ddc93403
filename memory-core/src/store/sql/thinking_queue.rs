//! Queues of thinking: the turns of a partition that a mechanism has yet to think about. A turn enters a queue with its
//! commit, and leaves it with the commit of what was made of it: each turn is thought about once. A turn enters a queue once
//! more if an erasure has taken what was made of it.

use std::collections::{BTreeSet, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, Refusal, ThoughtAbout};
use crate::domain::id::{MemoryId, PartitionId};
use crate::store::ChangeOp;

impl WriteTransaction<'_, '_> {
    /// Checks that all turns of the set that were thought about wait in the queue; returns the refusal otherwise.
    pub(super) async fn check_thought_about(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(ThoughtAbout { mechanism, turns }) = &set.thought_about else { return Ok(None) };
        let mut waiting = HashSet::new();
        for some in distinct(turns).chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new("SELECT memory_id FROM thinking_queue WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND mechanism = ").push_bind(*mechanism);
            statement.push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().copied());
            let found: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            waiting.extend(found);
        }
        let missing = turns.iter().find(|turn| !waiting.contains(&turn.0));
        Ok(missing.map(|turn| Refusal::NotQueued(*turn)))
    }

    /// Takes the turns that were thought about out of the queue.
    pub(super) async fn leave_queue(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<(), StoreError> {
        let Some(ThoughtAbout { mechanism, turns }) = &set.thought_about else { return Ok(()) };
        for some in distinct(turns).chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM thinking_queue WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND mechanism = ").push_bind(*mechanism);
            statement.push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().copied());
            statement.build().execute(&mut *self.connection).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Puts turns back into the queues that the set names, each under a number of its own in the change log.
    pub(super) async fn queue_again(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<(), StoreError> {
        if set.queued_again.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        let all = set.queued_again.iter();
        for (mechanism, turn) in
            all.flat_map(|again| distinct(&again.turns).into_iter().map(|turn| (again.mechanism, turn)))
        {
            let version: Option<i64> = sqlx::query_scalar(
                "SELECT m.version FROM memories m
                 WHERE m.partition_id = $1 AND m.id = $2 AND m.turn_id IS NOT NULL AND NOT EXISTS
                     (SELECT 1 FROM thinking_queue q
                      WHERE q.partition_id = $1 AND q.memory_id = $2 AND q.mechanism = $3)",
            )
            .bind(partition.0)
            .bind(turn)
            .bind(mechanism)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(unavailable)?;
            let Some(version) = version else { continue };
            let version = u32::try_from(version).unwrap_or(u32::MAX);
            let seq = self.log_version(partition, ChangeOp::Put, (MemoryId(turn), version), set.now);
            self.inserts.queued(partition, mechanism, seq, MemoryId(turn));
        }
        Ok(())
    }
}

fn distinct(turns: &[MemoryId]) -> Vec<Uuid> {
    Vec::from_iter(turns.iter().map(|turn| turn.0).collect::<BTreeSet<Uuid>>())
}
