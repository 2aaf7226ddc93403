//! Group commit of change sets: many requests, one transaction.
//!
//! Each set is first checked against the stored state, and refused as a whole if it conflicts; only then is any of it
//! written. New rows of all sets are buffered and inserted together in a few multi-row statements. Revisions and
//! erasures read the stored state, so the buffer is flushed before them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::Acquire as _;

use super::erase::derivations;
use super::groups::check_groups;
use super::idempotency::{earlier_request, same_request};
use super::identities::{Recognised, recognise};
use super::links::written;
use super::versions::NextVersion;
use super::write_transaction::WriteTransaction;
use super::{
    Connection, Db, NO_EMBEDDER, SqlStore, StoreError, count_commit, dialect, is_refused_data, note_commit,
    unavailable,
};
use crate::domain::change::{ChangeSet, Committed, CreatedIds, Idempotency, Outcome, Refusal};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::memory::Memory;
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::store::{ChangeOp, Commit, Memories as _};

/// Maximum number of memories of one owner: it fits the index's 32-bit row numbers with room to spare.
const MAX_MEMORIES_PER_PARTITION: u64 = 50_000_000;

#[async_trait]
impl Commit for SqlStore {
    async fn commit(&self, sets: &[ChangeSet]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let outcomes = match self.commit_together(sets).await {
            Err(error) if is_refused_data(&error) || is_unreadable(&error) => {
                self.commit_one_by_one(sets).await?
            }
            outcomes => outcomes?,
        };
        for (set, outcome) in sets.iter().zip(&outcomes) {
            if let Ok(Outcome::Committed(Committed { is_detached: true, .. })) = outcome {
                self.known_partitions.forget(&(set.tenant, set.owner.clone()));
            }
        }
        let erasing = sets.iter().zip(&outcomes).filter(|(set, outcome)| {
            let erases =
                !set.erasures.is_empty() || !set.retractions.is_empty() || set.erases_owner.is_some();
            erases && matches!(outcome, Ok(Outcome::Committed(_)))
        });
        let times: Vec<Timestamp> = erasing.map(|(set, _)| set.now).collect();
        self.purging.after_commit(&self.writer, &times).await;
        Ok(outcomes)
    }

    async fn recognised(&self, set: &ChangeSet) -> Result<BTreeSet<usize>, StoreError> {
        let partition = self.partition_of(set.tenant, &set.owner).await?;
        let mut connection = self.readers.acquire().await.map_err(unavailable)?;
        let recognised = recognise(&mut connection, &self.digests, partition, set).await?;
        Ok(recognised.not_to_write().collect())
    }

    async fn earlier(
        &self,
        tenant: TenantId,
        owner: Option<&Owner>,
        idempotency: &Idempotency,
    ) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(unavailable)?;
        match owner {
            Some(owner) => earlier_request(&mut reader, &self.digests, tenant, owner, idempotency).await,
            None => Ok(same_request(&mut reader, &self.digests, tenant, idempotency).await?.map(Ok)),
        }
    }
}

impl SqlStore {
    /// Commits the sets in one transaction, with their rows in shared statements. The whole transaction fails if the
    /// database refuses a row of any set.
    async fn commit_together(&self, sets: &[ChangeSet]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let outcomes = write_all(&mut transaction, sets, self.embedder().0, &self.digests).await?;
        self.end(transaction, outcomes).await
    }

    /// Ends a transaction, which is counted if it has written a set.
    async fn end(
        &self,
        mut transaction: sqlx::Transaction<'_, Db>,
        outcomes: Vec<Result<Outcome, Refusal>>,
    ) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let has_written = outcomes.iter().any(|outcome| matches!(outcome, Ok(Outcome::Committed(_))));
        if has_written {
            count_commit(&self.ownership, &mut transaction).await?;
        }
        transaction.commit().await.map_err(unavailable)?;
        if has_written {
            note_commit(&self.ownership);
        }
        Ok(outcomes)
    }

    /// Commits the sets in one transaction, each behind a savepoint, so that only the sets whose rows the database
    /// refuses are refused. Savepoints serve no other purpose: all other conflicts are detected before writing. They
    /// rule out statements shared by many sets, so this is done only after [`Self::commit_together`] has failed.
    async fn commit_one_by_one(
        &self,
        sets: &[ChangeSet],
    ) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let mut outcomes = Vec::with_capacity(sets.len());
        for set in sets {
            let mut savepoint = transaction.begin().await.map_err(unavailable)?;
            let one = std::slice::from_ref(set);
            let written = write_all(&mut savepoint, one, self.embedder().0, &self.digests).await;
            match written {
                Ok(outcome) => {
                    savepoint.commit().await.map_err(unavailable)?;
                    outcomes.extend(outcome);
                }
                Err(error) if is_refused_data(&error) => {
                    savepoint.rollback().await.map_err(unavailable)?;
                    tracing::warn!(error = &error as &dyn std::error::Error, "a change set was refused");
                    outcomes.push(Err(Refusal::Unstorable));
                }
                Err(StoreError::Corrupt { table, column, row }) => {
                    savepoint.rollback().await.map_err(unavailable)?;
                    outcomes.push(Err(Refusal::Unreadable { table, column, row }));
                }
                Err(error) => return Err(error),
            }
        }
        self.end(transaction, outcomes).await
    }
}

/// True if a set depends on a stored value that cannot be decoded.
fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt { .. })
}

/// Writes the sets in order, then the counters.
async fn write_all(
    connection: &mut Connection,
    sets: &[ChangeSet],
    embedder: i64,
    digests: &KeyedDigest,
) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
    let mut write = WriteTransaction::new(connection, embedder, digests);
    write.find_partitions(sets).await?;
    let mut outcomes = Vec::with_capacity(sets.len());
    for set in sets {
        outcomes.push(write.take(set).await?);
    }
    write.finish().await?;
    Ok(outcomes)
}

impl<'a> WriteTransaction<'_, 'a> {
    /// Writes one set as a whole, or refuses it without a change.
    async fn take(&mut self, set: &'a ChangeSet) -> Result<Result<Outcome, Refusal>, StoreError> {
        loop {
            if let Some(idempotency) = &set.idempotency {
                let connection = &mut *self.connection;
                match earlier_request(connection, self.digests, set.tenant, &set.owner, idempotency).await? {
                    Some(Ok(created)) => return Ok(Ok(Outcome::Repeated(created))),
                    Some(Err(refusal)) => return Ok(Err(refusal)),
                    None => {}
                }
            }
            if set.embedder.is_some_and(|embedder| embedder.0 != self.embedder || embedder.0 == NO_EMBEDDER) {
                return Ok(Err(Refusal::EmbedderChanged));
            }
            if let Some(refusal) = super::jobs::check_attempt(&mut *self.connection, set).await? {
                return Ok(Err(refusal));
            }
            let known = self.partitions.get(&(set.tenant, &set.owner)).copied().flatten();
            if let Some(refusal) = self.check(known, set).await? {
                return Ok(Err(refusal));
            }
            if let Some(erasure) = &set.erases_owner {
                return Ok(Ok(Outcome::Committed(self.erase_owner(known, set, erasure).await?)));
            }
            let partition = match known {
                Some(partition) => partition,
                None => match self.create_partition(set).await? {
                    Some(partition) => partition,
                    // Another transaction has created it since.
                    None => continue,
                },
            };
            let recognised = match set.turns.is_some() || !set.memories.is_empty() {
                true => self.recognise(partition, set).await?,
                false => Recognised::default(),
            };
            let restoring = self.recognise_restorations(partition, set).await?;
            if recognised.lacks_rows(set) || restoring.lacks_rows(set) {
                return Ok(Err(Refusal::Outdated));
            }
            let mut committed = self.write(partition, set, &recognised).await?;
            self.restore(partition, set, restoring, &mut committed).await?;
            if let Some(idempotency) = &set.idempotency {
                self.remember_request(partition, set, idempotency, &committed.created).await?;
            }
            committed.is_detached = self.detach_if_empty(partition, set).await?;
            return Ok(Ok(Outcome::Committed(committed)));
        }
    }

    /// Runs all checks of a set before any of it is written; returns the refusal, if any.
    async fn check(
        &mut self,
        known: Option<PartitionId>,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        if !self.is_up_to_date(known, set).await? {
            return Ok(Some(Refusal::Outdated));
        }
        if let Some(erasure) = &set.erases_owner {
            return self.check_owner_erasure(known, erasure).await;
        }
        let needs_look = !set.revisions.is_empty()
            || !set.erasures.is_empty()
            || !set.retractions.is_empty()
            || set.thought_about.is_some()
            || derivations(set).next().is_some()
            || written(set).any(|memory| !memory.links.is_empty());
        if needs_look {
            self.flush().await?;
        }
        let added = set.memories.len()
            + set.restorations.len()
            + set.turns.as_ref().map_or(0, |turns| turns.turns.len());
        let present = known.map_or(0, |partition| self.counters.of(partition).memory_count);
        if present.saturating_add(added as u64) > MAX_MEMORIES_PER_PARTITION {
            return Ok(Some(Refusal::Full { what: "the scope", limit: MAX_MEMORIES_PER_PARTITION }));
        }
        if let Some(refusal) = check_groups(set) {
            return Ok(Some(refusal));
        }
        let Some(partition) = known else {
            return match first_reference(set) {
                Some(refusal) => Ok(Some(refusal)),
                None => self.check_links(None, set).await,
            };
        };
        if let Some(refusal) = self.check_thought_about(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_revisions(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_derivations(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_erasures(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_sources(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_retractions(partition, set).await? {
            return Ok(Some(refusal));
        }
        self.check_links(Some(partition), set).await
    }

    async fn write(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        recognised: &Recognised,
    ) -> Result<Committed, StoreError> {
        let seq_before = self.counters.of(partition).last_seq;
        let mut created = CreatedIds {
            session: recognised.session,
            outcomes: recognised.outcomes(set),
            matched: set.erasures.len() as u64,
            ..CreatedIds::default()
        };
        self.forget_erased(set, &recognised.brought_back).await?;
        let mut appended = None;
        self.leave_queue(partition, set).await?;
        if let Some(new) = &set.turns {
            appended = self.append(partition, set, new, recognised, &mut created).await?;
        }
        let mut replaced = Vec::with_capacity(set.memories.len());
        let before = set.turns.as_ref().map_or(0, |new| new.turns.len());
        for (index, new) in (before..).zip(&set.memories) {
            if recognised.is_to_write(index) {
                replaced.push(self.add(partition, set, new, &mut created).await?);
            } else {
                created.memories.extend(recognised.memory(index));
                replaced.push(None);
            }
        }
        for revision in &set.revisions {
            if let Some(derivation) = &revision.derivation {
                self.inserts.derivation(partition, derivation);
            }
            let memory = self.redirected(&revision.memory);
            self.revise(partition, NextVersion::of_revision(&memory, revision)).await?;
            self.log(partition, ChangeOp::Put, &revision.memory, set.now);
            created.memories.push(revision.memory.id);
        }
        let mut touched = self.touch(partition, set).await?;
        self.retract(partition, &set.retractions).await?;
        let mut reopened = Vec::new();
        if !set.erasures.is_empty() {
            reopened = self.erase(partition, set, &mut created).await?;
            self.forget_requests_of(partition, &created.erased).await?;
            touched.retain(|id| !created.erased.contains(id));
            follow_erasure(&mut replaced, &created.erased, &reopened);
        }
        self.queue_again(partition, set).await?;
        self.write_consolidation(partition, set).await?;
        self.write_jobs(set, appended.is_some()).await?;
        let seq_after = self.counters.of(partition).last_seq;
        let is_detached = false;
        Ok(Committed {
            partition,
            created,
            seq_before,
            seq_after,
            appended,
            touched,
            reopened,
            replaced,
            restored: Vec::new(),
            is_detached,
        })
    }

    /// Adds a memory. A document replaces the one of its name; it is returned as it was written.
    async fn add(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        new: &'a crate::domain::change::NewMemory,
        created: &mut CreatedIds,
    ) -> Result<Option<Memory>, StoreError> {
        if let Some(derivation) = &new.derivation {
            self.inserts.derivation(partition, derivation);
        }
        let present = match &new.memory.document {
            Some(name) => self.document(partition, name).await?,
            None => None,
        };
        let given = self.redirected(&new.memory);
        let written = match present {
            Some(there) => {
                let mut memory = given.into_owned();
                (memory.id, memory.version) = (there.id, there.version.saturating_add(1));
                (memory.created_at, memory.strength.pinned) = (there.created_at, there.pinned);
                memory.strength.nearest_cosine = there.nearest_cosine;
                memory.forgotten = None;
                self.remember(partition, &[memory.id]).await?;
                self.revise(partition, NextVersion::of_document(&memory, new)).await?;
                self.name_document(partition, memory.id, new.key.as_ref()).await?;
                Some(memory)
            }
            None => {
                self.inserts.memory(partition, given, new);
                self.counters.of(partition).memory_count += 1;
                None
            }
        };
        let memory = written.as_ref().unwrap_or(&new.memory);
        created.memories.push(memory.id);
        self.log(partition, ChangeOp::Put, memory, set.now);
        Ok(written)
    }
}

/// Brings documents that a set has replaced up to date with what it has erased.
fn follow_erasure(replaced: &mut [Option<Memory>], erased: &[MemoryId], reopened: &[MemoryId]) {
    for memory in replaced.iter_mut().flatten() {
        memory.links.retain(|link| !erased.contains(&link.to));
        if reopened.contains(&memory.id) {
            memory.valid.end = None;
        }
    }
}

/// Refusal of the first existing item that a set refers to, if any: a new partition cannot contain it.
fn first_reference(set: &ChangeSet) -> Option<Refusal> {
    let thought_about = set.thought_about.iter().flat_map(|thought| &thought.turns).next();
    if let Some(turn) = thought_about {
        return Some(Refusal::NotQueued(*turn));
    }
    let revised = set.revisions.first().map(|revision| revision.memory.id.0);
    let erased = set.erasures.first().map(|id| id.0);
    let source = derivations(set).flat_map(|derivation| &derivation.inputs).next();
    let source = source.map(|input| super::erase::source_id(input.source));
    revised.or(erased).or(source).map(Refusal::NotFound)
}
