//! WriteTransaction change sets: many requests, one transaction.
//!
//! Each set is first held against what is there and refused whole if it does not fit; only then is anything of it
//! written. Plain additions of all sets are inserts and written together in a few multi-row statements; revisions
//! and erasures look at what is there, so what was inserts is written before them.

use async_trait::async_trait;

use super::counters::Counters;
use super::idempotency::{earlier_request, same_request};
use super::insert_buffer::InsertBuffer;
use super::links::written;
use super::{Connection, NO_EMBEDDER, SqlStore, StoreError, dialect, unavailable};
use crate::domain::change::{
    Appended, ChangeSet, Committed, CreatedIds, Idempotency, NewTurns, Outcome, Refusal,
};
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Owner, OwnerKind};
use crate::store::{ChangeOp, Commit};

/// The most memories of one owner: what fits the index's 32-bit row numbers with room to spare.
const MAX_MEMORIES_PER_PARTITION: u64 = 50_000_000;

#[async_trait]
impl Commit for SqlStore {
    async fn commit(&self, sets: &[ChangeSet]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let mut write = WriteTransaction::new(&mut transaction, self.embedder().0);
        let mut outcomes = Vec::with_capacity(sets.len());
        for set in sets {
            outcomes.push(write.take(set).await?);
        }
        write.finish().await?;
        transaction.commit().await.map_err(unavailable)?;
        if sets.iter().any(|set| !set.erasures.is_empty()) {
            self.checkpoint_wal().await;
        }
        Ok(outcomes)
    }

    async fn earlier(
        &self,
        tenant: TenantId,
        owner: Option<&Owner>,
        idempotency: &Idempotency,
    ) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError> {
        match owner {
            Some(owner) => earlier_request(&self.readers, tenant, owner, idempotency).await,
            None => Ok(same_request(&self.readers, tenant, idempotency).await?.map(Ok)),
        }
    }
}

impl SqlStore {
    /// Folds the log away if nobody reads at this moment. Not part of what was promised: with a reader in the way it
    /// is left to the next erasure or checkpoint, since waiting would hold up every write.
    async fn checkpoint_wal(&self) {
        for statement in dialect::CHECKPOINT_WAL {
            if let Err(error) = sqlx::query(statement).execute(&self.writer).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be folded");
            }
        }
    }
}

/// A transaction at work: the counters it has taken numbers from, and what is inserts but not yet written.
pub(super) struct WriteTransaction<'c, 'a> {
    pub(super) connection: &'c mut Connection,
    pub(super) inserts: InsertBuffer<'a>,
    pub(super) counters: Counters,
    embedder: i64,
}

impl<'c, 'a> WriteTransaction<'c, 'a> {
    fn new(connection: &'c mut Connection, embedder: i64) -> Self {
        Self { connection, inserts: InsertBuffer::default(), counters: Counters::default(), embedder }
    }

    /// Takes one set whole, or refuses it having changed nothing.
    async fn take(&mut self, set: &'a ChangeSet) -> Result<Result<Outcome, Refusal>, StoreError> {
        if let Some(idempotency) = &set.idempotency {
            match earlier_request(&mut *self.connection, set.tenant, &set.owner, idempotency).await? {
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
        let known = self.find_partition(set.tenant, &set.owner).await?;
        if let Some(refusal) = self.check(known, set).await? {
            return Ok(Err(refusal));
        }
        let partition = match known {
            Some(partition) => partition,
            None => self.create_partition(set).await?,
        };
        let committed = self.write(partition, set).await?;
        if let Some(idempotency) = &set.idempotency {
            self.remember_request(set, idempotency, &committed.created).await?;
        }
        Ok(Ok(Outcome::Committed(committed)))
    }

    /// Everything that can speak against a set, before anything of it is written.
    async fn check(
        &mut self,
        known: Option<PartitionId>,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        let needs_look = !set.revisions.is_empty()
            || !set.erasures.is_empty()
            || set.memories.iter().any(|new| new.derivation.is_some())
            || written(set).any(|memory| !memory.links.is_empty());
        if needs_look {
            self.flush().await?;
        }
        let added = set.memories.len() + set.turns.as_ref().map_or(0, |turns| turns.turns.len());
        let present = known.map_or(0, |partition| self.counters.of(partition).memory_count);
        if present.saturating_add(added as u64) > MAX_MEMORIES_PER_PARTITION {
            return Ok(Some(Refusal::Full { what: "the scope", limit: MAX_MEMORIES_PER_PARTITION }));
        }
        let Some(partition) = known else {
            return Ok(first_reference(set).map(Refusal::NotFound));
        };
        if let Some(refusal) = self.check_revisions(partition, set).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_erasures(partition, &set.erasures).await? {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_sources(partition, &set.memories).await? {
            return Ok(Some(refusal));
        }
        self.check_links(partition, set).await
    }

    async fn write(&mut self, partition: PartitionId, set: &'a ChangeSet) -> Result<Committed, StoreError> {
        let seq_before = self.counters.of(partition).last_seq;
        let mut created = CreatedIds::default();
        let mut appended = None;
        if let Some(new) = &set.turns {
            appended = Some(self.append(partition, set, new, &mut created).await?);
        }
        let mut replaced = Vec::with_capacity(set.memories.len());
        for new in &set.memories {
            replaced.push(self.add(partition, set, new, &mut created).await?);
        }
        for revision in &set.revisions {
            self.revise(partition, (&revision.memory, revision.keeps_links), revision.rows.as_deref(), None)
                .await?;
            self.log(partition, ChangeOp::Put, &revision.memory, set.now);
            created.memories.push(revision.memory.id);
        }
        if !set.erasures.is_empty() {
            self.erase(partition, &set.erasures, set.now, &mut created).await?;
            for memory in replaced.iter_mut().flatten() {
                memory.links.retain(|link| !created.erased.contains(&link.to));
            }
        }
        for job in &set.jobs {
            super::jobs::insert(&mut *self.connection, job).await?;
        }
        super::jobs::finish_with_set(&mut *self.connection, set).await?;
        let seq_after = self.counters.of(partition).last_seq;
        Ok(Committed { partition, created, seq_before, seq_after, appended, replaced })
    }

    async fn append(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        new: &'a NewTurns,
        created: &mut CreatedIds,
    ) -> Result<Appended, StoreError> {
        let started = new.turns.first().map_or(set.now, |(turn, _)| turn.said_at);
        let (session, session_ordinal, first_seq) = self.session(partition, set.now, new, started).await?;
        for (turn, memory) in &new.turns {
            self.inserts.turn(partition, session, first_seq + turn.seq, turn);
            self.inserts.memory(partition, memory);
            self.log(partition, ChangeOp::Put, &memory.memory, set.now);
            created.turns.push(turn.id);
            created.memories.push(memory.memory.id);
        }
        let count = u32::try_from(new.turns.len()).unwrap_or(u32::MAX);
        self.counters.next_turn(session, first_seq.saturating_add(count));
        self.counters.of(partition).memory_count += u64::from(count);
        if let Some((_, memory)) = new.turns.first() {
            self.reachable_by(partition, set, &memory.memory).await?;
        }
        created.session = Some(session);
        Ok(Appended { session, session_ordinal, first_seq })
    }

    /// Adds a memory; a document takes the place of the one of its name, which is answered as it was written.
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
        let written = match present {
            Some((id, version, created_at)) => {
                let mut memory = new.memory.clone();
                (memory.id, memory.version, memory.created_at) = (id, version + 1, created_at);
                let derivation = memory.derivation;
                self.revise(partition, (&memory, false), Some(&new.rows), Some(derivation)).await?;
                Some(memory)
            }
            None => {
                self.inserts.memory(partition, new);
                self.counters.of(partition).memory_count += 1;
                None
            }
        };
        let memory = written.as_ref().unwrap_or(&new.memory);
        self.reachable_by(partition, set, memory).await?;
        created.memories.push(memory.id);
        self.log(partition, ChangeOp::Put, memory, set.now);
        Ok(written)
    }

    /// Notes that the memories of an agent, app or run lie in this partition too.
    async fn reachable_by(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        memory: &Memory,
    ) -> Result<(), StoreError> {
        let ids =
            [(OwnerKind::Agent, &memory.agent), (OwnerKind::App, &memory.app), (OwnerKind::Run, &memory.run)];
        for (kind, id) in ids {
            let Some(id) = id else { continue };
            if kind == set.owner.kind {
                continue;
            }
            sqlx::query(
                "INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
            )
            .bind(set.tenant.0)
            .bind(kind.as_str())
            .bind(id.as_str())
            .bind(partition.0)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        }
        Ok(())
    }

    /// Writes what is inserts.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        self.inserts.write(&mut *self.connection, self.embedder).await
    }

    /// Writes what is inserts, and the counters.
    async fn finish(mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.counters.write(&mut *self.connection).await
    }
}

/// What a set refers to that a new partition cannot have.
fn first_reference(set: &ChangeSet) -> Option<uuid::Uuid> {
    let revised = set.revisions.first().map(|revision| revision.memory.id.0);
    let erased = set.erasures.first().map(|id| id.0);
    let source = set
        .memories
        .iter()
        .filter_map(|new| new.derivation.as_ref())
        .flat_map(|created| &created.inputs)
        .next();
    let linked = written(set).flat_map(|memory| &memory.links).next();
    let source = source.map(|input| super::erase::source_id(input.source));
    revised.or(erased).or(source).or(linked.map(|link| link.to.0))
}
