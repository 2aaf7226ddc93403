//! Ids of restorations: which of them stay as they are, what the store has already, and where references lead
//! (`domain/restoration.rs`).

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::derivation::{Derivation, Input, Source};
use crate::domain::id::{DerivationId, MemoryId, PartitionId, SessionId, TenantId, TurnId};
use crate::domain::link::Link;
use crate::domain::restoration::{Restoration, renamed};
use crate::domain::scope::Owner;

/// Ids that a set of restorations mentions, as they are in the store.
pub(super) struct RestoredIds<'s> {
    tenant: TenantId,
    owner: &'s Owner,
    partition: PartitionId,
    /// Partitions of the memories and derivations that exist, of any owner.
    memories: HashMap<Uuid, i64>,
    derivations: HashMap<Uuid, i64>,
    /// Sessions that exist, of any owner.
    sessions: HashSet<Uuid>,
    /// Turns of this partition.
    turns: HashSet<Uuid>,
    /// Ids in the store of the items of this set, by those of the archive; `None` for an item that is left out.
    own_memories: HashMap<MemoryId, Option<MemoryId>>,
    own_turns: HashMap<TurnId, Option<TurnId>>,
    /// Derivations that an item of this set has taken.
    taken: HashSet<Uuid>,
}

impl<'s> RestoredIds<'s> {
    pub(super) fn empty(partition: PartitionId, set: &'s ChangeSet) -> Self {
        Self {
            tenant: set.tenant,
            owner: &set.owner,
            partition,
            memories: HashMap::new(),
            derivations: HashMap::new(),
            sessions: HashSet::new(),
            turns: HashSet::new(),
            own_memories: HashMap::new(),
            own_turns: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    pub(super) async fn read(
        from: &mut Connection,
        partition: PartitionId,
        set: &'s ChangeSet,
    ) -> Result<Self, StoreError> {
        let mut ids = Self::empty(partition, set);
        let all = &set.restorations;
        let memories: BTreeSet<Uuid> =
            all.iter().flat_map(Restoration::mentioned_memories).map(|id| id.0).collect();
        ids.memories = located(from, "memories", ids.with_renamed("memory", memories)).await?;
        let turns: BTreeSet<Uuid> =
            all.iter().flat_map(Restoration::mentioned_turns).map(|id| id.0).collect();
        ids.turns = ids.turns_among(from, ids.with_renamed("turn", turns)).await?;
        let derivations = all.iter().flat_map(|one| {
            let memory = one.present.memory.id;
            one.derivations.iter().flat_map(move |derivation| [(memory, derivation.id)])
        });
        let derivations: BTreeSet<Uuid> =
            derivations.flat_map(|(memory, id)| [id.0, ids.other_derivation(memory, id).0]).collect();
        ids.derivations = located(from, "derivations", derivations.into_iter().collect()).await?;
        let sessions: BTreeSet<Uuid> =
            all.iter().filter_map(|one| Some(one.turn.as_ref()?.session.0)).collect();
        ids.sessions = located(from, "sessions", sessions.into_iter().collect()).await?.into_keys().collect();
        Ok(ids)
    }

    /// Memory of this owner that an earlier import of the same memory has written.
    pub(super) fn memory_there(&self, old: MemoryId) -> Option<MemoryId> {
        let here = |id: &Uuid| self.memories.get(id) == Some(&self.partition.0);
        [old.0, self.renamed("memory", old.0)].into_iter().find(here).map(MemoryId)
    }

    /// Records the ids in the store of an item that is there, or left out.
    pub(super) fn set(&mut self, one: &Restoration, memory: Option<MemoryId>, turn: Option<TurnId>) {
        self.own_memories.entry(one.present.memory.id).or_insert(memory);
        if let Some(restored) = &one.turn {
            self.own_turns.entry(restored.turn.id).or_insert(turn);
        }
    }

    /// Gives a new item its ids: its own, unless they are taken.
    pub(super) fn give(&mut self, one: &Restoration) -> (MemoryId, Option<TurnId>) {
        let old = one.present.memory.id;
        let memory = match self.memories.contains_key(&old.0) {
            true => MemoryId(self.renamed("memory", old.0)),
            false => old,
        };
        let turn = one.turn.as_ref().map(|restored| match self.turns.contains(&restored.turn.id.0) {
            true => TurnId(self.renamed("turn", restored.turn.id.0)),
            false => restored.turn.id,
        });
        self.set(one, Some(memory), turn);
        (memory, turn)
    }

    /// True if an item of the set has this id already.
    pub(super) fn is_twice(&self, id: MemoryId) -> bool {
        self.own_memories.contains_key(&id)
    }

    /// Id in the store of the item of the set with this id.
    pub(super) fn own_memory(&self, id: MemoryId) -> Option<MemoryId> {
        self.own_memories.get(&id).copied().flatten()
    }

    /// Id in the store of the turn of the set with this id.
    pub(super) fn own_turn(&self, id: TurnId) -> Option<TurnId> {
        self.own_turns.get(&id).copied().flatten()
    }

    /// Id of a session that has to be created.
    pub(super) fn new_session(&self, old: SessionId) -> SessionId {
        match self.sessions.contains(&old.0) {
            true => SessionId(self.renamed("session", old.0)),
            false => old,
        }
    }

    /// Id under which a derivation of a new memory is written; `None` if both of its ids are taken.
    pub(super) fn new_derivation(&mut self, memory: MemoryId, old: DerivationId) -> Option<DerivationId> {
        let candidates = [old, self.other_derivation(memory, old)];
        let free = candidates
            .into_iter()
            .find(|id| !self.derivations.contains_key(&id.0) && !self.taken.contains(&id.0))?;
        self.taken.insert(free.0);
        Some(free)
    }

    /// True if the store may have a derivation of this memory under this id.
    pub(super) fn is_derivation(&self, memory: MemoryId, old: DerivationId, stored: DerivationId) -> bool {
        stored == old || stored == self.other_derivation(memory, old)
    }

    /// Links that lead to memories of the store, without links of `from` to itself and repetitions; and the number of the
    /// others.
    pub(super) fn links(&self, from: MemoryId, links: &[Link]) -> (Vec<Link>, u32) {
        let (mut kept, mut missing): (Vec<Link>, u32) = (Vec::with_capacity(links.len()), 0);
        for link in links {
            let Some(to) = self.memory(link.to) else {
                missing = missing.saturating_add(1);
                continue;
            };
            if to != from && !kept.iter().any(|other| other.to == to && other.relation == link.relation) {
                kept.push(Link { to, ..link.clone() });
            }
        }
        (kept, missing)
    }

    /// Inputs that are in the store, each once; and the number of the others.
    pub(super) fn inputs(&self, derivation: &Derivation) -> (Vec<Input>, u32) {
        let (mut kept, mut missing): (Vec<Input>, u32) = (Vec::with_capacity(derivation.inputs.len()), 0);
        for input in &derivation.inputs {
            let source = match input.source {
                Source::Memory(id) => self.memory(id).map(Source::Memory),
                Source::Turn(id) => self.turn(id).map(Source::Turn),
            };
            let Some(source) = source else {
                missing = missing.saturating_add(1);
                continue;
            };
            match kept.iter_mut().find(|other| other.source == source) {
                Some(other) => other.is_evidence |= input.is_evidence,
                None => kept.push(Input { source, is_evidence: input.is_evidence }),
            }
        }
        (kept, missing)
    }

    fn memory(&self, old: MemoryId) -> Option<MemoryId> {
        match self.own_memories.get(&old) {
            Some(own) => *own,
            None => self.memory_there(old),
        }
    }

    fn turn(&self, old: TurnId) -> Option<TurnId> {
        match self.own_turns.get(&old) {
            Some(own) => *own,
            None => {
                // One that was renamed came with this archive.
                let ids = [self.renamed("turn", old.0), old.0];
                ids.into_iter().find(|id| self.turns.contains(id)).map(TurnId)
            }
        }
    }

    fn renamed(&self, what: &str, old: Uuid) -> Uuid {
        renamed(self.tenant, self.owner, what, old)
    }

    /// Other id of a derivation. It depends on the memory: no two memories share a derivation.
    fn other_derivation(&self, memory: MemoryId, old: DerivationId) -> DerivationId {
        DerivationId(self.renamed(&format!("derivation of {memory}"), old.0))
    }

    fn with_renamed(&self, what: &str, ids: BTreeSet<Uuid>) -> Vec<Uuid> {
        ids.into_iter().flat_map(|id| [id, self.renamed(what, id)]).collect()
    }

    async fn turns_among(&self, from: &mut Connection, ids: Vec<Uuid>) -> Result<HashSet<Uuid>, StoreError> {
        let mut found = HashSet::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("SELECT id FROM turns WHERE partition_id = ");
            statement.push_bind(self.partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().copied());
            let ids: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&mut *from).await.map_err(unavailable)?;
            found.extend(ids);
        }
        Ok(found)
    }
}

/// Partitions of the rows of a table that have these ids.
async fn located(
    from: &mut Connection,
    table: &'static str,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, i64>, StoreError> {
    let mut found = HashMap::new();
    for some in ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT id, partition_id FROM ");
        statement.push(table).push(" WHERE id IN (");
        push_ids(&mut statement, some.iter().copied());
        let rows: Vec<(Uuid, i64)> =
            statement.build_query_as().fetch_all(&mut *from).await.map_err(unavailable)?;
        found.extend(rows);
    }
    Ok(found)
}
