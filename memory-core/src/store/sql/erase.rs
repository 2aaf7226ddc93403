//! Erasure of a memory. It deletes the memory's versions, its rows and vectors, its turn, its hits in the access log,
//! its groups, its record of forgetting, its place in grants and in the queues of thinking, every memory derived from it, and every link to it, in all versions.
//! Only numbers and ids in the change log remain.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::erased_identities::{Digest, of_owner};
use super::erasure_closure::closure;
use super::packed_hits::{pack_hits, unpack_hits};
use super::readable::readable_tuples;
use super::rows::Reader;
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, CreatedIds, ErasureBounds, Refusal};
use crate::domain::derivation::{Derivation, Source};
use crate::domain::id::{MemoryId, PartitionId};
use crate::store::ChangeOp;

/// Selects one row if the memory is in the partition. The literal is typed: PostgreSQL's `1` is narrower than the type
/// that is read.
const MEMORY_IS_THERE: &str = "SELECT CAST(1 AS BIGINT) FROM memories WHERE partition_id = $1 AND id = $2";
/// Selects one row if the turn is in the partition.
const TURN_IS_THERE: &str = "SELECT CAST(1 AS BIGINT) FROM turns WHERE partition_id = $1 AND id = $2";

/// Id of the source.
pub(super) fn source_id(source: Source) -> Uuid {
    match source {
        Source::Turn(id) => id.0,
        Source::Memory(id) => id.0,
    }
}

/// Derivations that a set writes: of new memories, then of new versions.
pub(super) fn derivations(set: &ChangeSet) -> impl Iterator<Item = &Derivation> {
    let added = set.memories.iter().filter_map(|new| new.derivation.as_ref());
    added.chain(set.revisions.iter().filter_map(|revision| revision.derivation.as_ref()))
}

impl WriteTransaction<'_, '_> {
    /// Checks that all memories to be erased are in this partition, and that the erasure keeps its bounds; returns the
    /// refusal otherwise.
    pub(super) async fn check_erasures(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        for id in &set.erasures {
            if !self.has(partition, MEMORY_IS_THERE, id.0).await? {
                return Ok(Some(Refusal::NotFound(id.0)));
            }
        }
        let Some(ErasureBounds { exactly, at_most }) = &set.erasure_bounds else { return Ok(None) };
        let found =
            closure(&mut *self.connection, partition, &set.erasures, &set.retractions, *at_most).await?;
        let Some(mut found) = found else {
            return Ok(Some(Refusal::TooManyErasures { limit: *at_most as u64 }));
        };
        found.sort_unstable();
        let is_other = exactly.as_ref().is_some_and(|exactly| *exactly != found);
        Ok(is_other.then_some(Refusal::OtherErasures))
    }

    /// Checks that all sources of new memories and new versions are in this partition; returns the refusal otherwise.
    pub(super) async fn check_sources(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        for input in derivations(set).flat_map(|derivation| &derivation.inputs) {
            let statement = match input.source {
                Source::Turn(_) => TURN_IS_THERE,
                Source::Memory(_) => MEMORY_IS_THERE,
            };
            let id = source_id(input.source);
            if !self.has(partition, statement, id).await? {
                return Ok(Some(Refusal::NotFound(id)));
            }
        }
        Ok(None)
    }

    async fn has(
        &mut self,
        partition: PartitionId,
        statement: &'static str,
        id: Uuid,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(statement)
            .bind(partition.0)
            .bind(id)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(found.is_some())
    }

    /// Erases the memories that a set names and all memories derived from them. A memory that merely links to them remains, without the link.
    /// Returns the memories that are valid again, in the order of ids.
    pub(super) async fn erase(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        created: &mut CreatedIds,
    ) -> Result<Vec<MemoryId>, StoreError> {
        self.flush().await?;
        let now = set.now;
        let of_owner = of_owner(self.digests, set);
        // Without a bound: the set was refused before if it has one that this exceeds.
        let closure = closure(&mut *self.connection, partition, &set.erasures, &[], usize::MAX).await?;
        let mut erased = HashSet::new();
        let mut erased_turns = HashMap::new();
        let mut linking = BTreeSet::new();
        for id in closure.unwrap_or_default() {
            erased.insert(id);
            self.erase_targets(partition, id, &mut linking).await?;
            let Some(version) = self.erase_one(partition, (id, &of_owner), &mut erased_turns).await? else {
                continue;
            };
            self.log_version(partition, ChangeOp::Erase, (id, version), now);
            created.erased.push(id);
        }
        let reopened = self.erase_links(partition, &linking, &erased, now).await?;
        self.forget_count(partition, created.erased.len() as u64);
        self.count_off_turns(partition, set, &erased_turns).await?;
        self.erase_from_access_log(partition, &erased).await?;
        Ok(reopened)
    }

    /// Erases one memory of an owner, given by its digest, with its turn; returns its version. `None` if it does not exist any more.
    async fn erase_one(
        &mut self,
        partition: PartitionId,
        (id, of_owner): (MemoryId, &Digest),
        erased_turns: &mut HashMap<Uuid, i64>,
    ) -> Result<Option<u32>, StoreError> {
        let row = sqlx::query(
            "SELECT m.version, m.turn_id, m.derivation_id, t.session_id FROM memories m
             LEFT JOIN turns t ON t.partition_id = m.partition_id AND t.id = m.turn_id
             WHERE m.partition_id = $1 AND m.id = $2",
        )
        .bind(partition.0)
        .bind(id.0)
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let at = Reader { row: &row, table: "memories" };
        let turn: Option<Uuid> = at.get(1, "turn_id")?; // its text goes too, so that it must be known
        let session: Option<Uuid> = at.get(3, "session_id")?;
        // A damaged version or derivation must not keep the memory from being erased.
        let version: i64 = at.get(0, "version").unwrap_or(1);
        let derivation: Option<Uuid> = at.get(2, "derivation_id").unwrap_or(None);
        self.remember_erased(partition, of_owner, id).await?;
        self.delete_rows(partition, id).await?;
        self.delete_groups(partition, id).await?;
        self.delete("DELETE FROM grant_memories WHERE partition_id = $1 AND memory_id = $2", partition, id.0)
            .await?;
        for statement in [
            "DELETE FROM forgotten WHERE partition_id = $1 AND memory_id = $2",
            "DELETE FROM derivation_inputs WHERE derivation_id IN
                 (SELECT derivation_id FROM memory_versions WHERE partition_id = $1 AND id = $2)",
            "DELETE FROM derivations WHERE id IN
                 (SELECT derivation_id FROM memory_versions WHERE partition_id = $1 AND id = $2)",
            "DELETE FROM memory_versions WHERE partition_id = $1 AND id = $2",
            "DELETE FROM memories WHERE partition_id = $1 AND id = $2",
        ] {
            self.delete(statement, partition, id.0).await?;
        }
        if let Some(turn) = turn {
            self.delete("DELETE FROM turns WHERE partition_id = $1 AND id = $2", partition, turn).await?;
            let statement = "DELETE FROM thinking_queue WHERE partition_id = $1 AND memory_id = $2";
            self.delete(statement, partition, id.0).await?;
        }
        if let Some(derivation) = derivation {
            self.delete_derivation(derivation).await?;
        }
        if let Some(session) = session {
            *erased_turns.entry(session).or_default() += 1;
        }
        Ok(Some(u32::try_from(version).unwrap_or(u32::MAX)))
    }

    async fn delete(
        &mut self,
        statement: &'static str,
        partition: PartitionId,
        id: Uuid,
    ) -> Result<(), StoreError> {
        sqlx::query(statement)
            .bind(partition.0)
            .bind(id)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    pub(super) async fn delete_derivation(&mut self, derivation: Uuid) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM derivation_inputs WHERE derivation_id = $1",
            "DELETE FROM derivations WHERE id = $1",
        ] {
            sqlx::query(statement)
                .bind(derivation)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        Ok(())
    }

    /// Counts erased turns off their sessions, and erases those without a turn.
    async fn count_off_turns(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        erased: &HashMap<Uuid, i64>,
    ) -> Result<(), StoreError> {
        for (session, turns) in erased {
            self.ask_for_session_without_turns(partition, set, *session).await?;
            sqlx::query("UPDATE sessions SET turn_count = turn_count - $2 WHERE id = $1")
                .bind(session)
                .bind(turns)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
            self.erase_session_without_turns(partition, *session).await?;
        }
        Ok(())
    }

    /// The access log is bounded per partition, so reading all of it is cheap.
    async fn erase_from_access_log(
        &mut self,
        partition: PartitionId,
        erased: &HashSet<MemoryId>,
    ) -> Result<(), StoreError> {
        let rows = sqlx::query("SELECT id, hits FROM recalls WHERE partition_id = $1")
            .bind(partition.0)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        // An entry that cannot be decoded stays: it holds ids and scores alone, and expires with the log.
        let entries: Vec<(Uuid, Vec<u8>)> = readable_tuples(&rows, "recalls")?;
        for (id, packed) in entries {
            let mut hits = unpack_hits(&packed).unwrap_or_default();
            let before = hits.len();
            hits.retain(|hit| !erased.contains(&hit.memory));
            if hits.len() < before {
                sqlx::query("UPDATE recalls SET hits = $3 WHERE partition_id = $1 AND id = $2")
                    .bind(partition.0)
                    .bind(id)
                    .bind(pack_hits(&hits))
                    .execute(&mut *self.connection)
                    .await
                    .map_err(unavailable)?;
            }
        }
        Ok(())
    }
}
