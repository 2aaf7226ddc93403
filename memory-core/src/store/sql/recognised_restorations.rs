//! Recognition of restorations: what the store has already, by its id or by its identity (`domain/identity.rs`), and what
//! was erased from it.

use std::collections::BTreeMap;

use super::StoreError;
use super::erased_identities::{Digest, erased_among, of_id, of_owner};
use super::identities::{Recognised, recognise};
use super::restored_ids::RestoredIds;
use super::versions::PresentDocument;
use super::write_transaction::WriteTransaction;
use crate::domain::change::{ChangeSet, NewMemory, NewTurns};
use crate::domain::id::{MemoryId, PartitionId, TurnId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::restoration::{Restoration, RestoredTurn, renamed};

/// Recognition of one restoration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    New,
    /// An earlier import has written it: what was missing then may be added.
    Restored(MemoryId),
    /// The store has it from elsewhere, or the set has it twice.
    There(MemoryId, Option<TurnId>, ItemOutcome),
    Erased,
}

/// Recognition of the restorations of a set, with their ids.
pub(super) struct Recognition<'s> {
    pub(super) known: Vec<Known>,
    pub(super) ids: RestoredIds<'s>,
    /// Digests of erased items that the set writes again.
    brought_back: Vec<Digest>,
}

impl<'a> WriteTransaction<'_, 'a> {
    /// Recognises the restorations of a set.
    pub(super) async fn recognise_restorations(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
    ) -> Result<Recognition<'a>, StoreError> {
        if set.restorations.is_empty() {
            return Ok(Recognition {
                known: Vec::new(),
                ids: RestoredIds::empty(partition, set),
                brought_back: Vec::new(),
            });
        }
        self.flush().await?;
        let ids = RestoredIds::read(&mut *self.connection, partition, set).await?;
        let known = vec![Known::New; set.restorations.len()];
        let mut found = Recognition { known, ids, brought_back: Vec::new() };
        for (known, one) in found.known.iter_mut().zip(&set.restorations) {
            if let Some(memory) = found.ids.memory_there(one.present.memory.id) {
                *known = Known::Restored(memory);
            }
        }
        self.recognise_turns(partition, set, &mut found).await?;
        self.recognise_memories(partition, set, &mut found).await?;
        self.recognise_erased(set, &mut found).await?;
        Ok(found)
    }

    /// Turns that have an identity, by session.
    async fn recognise_turns(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        found: &mut Recognition<'_>,
    ) -> Result<(), StoreError> {
        let mut sessions: BTreeMap<&str, Vec<(usize, &Restoration, &RestoredTurn)>> = BTreeMap::new();
        for (index, one) in set.restorations.iter().enumerate() {
            let Some(restored) = &one.turn else { continue };
            if found.is_new(index) && restored.turn.has_identity() {
                let key = restored.session_key.as_str();
                sessions.entry(key).or_default().push((index, one, restored));
            }
        }
        for items in sessions.into_values() {
            let Some((_, _, first)) = items.first() else { continue };
            let turns = items.iter().map(|(_, one, restored)| (restored.turn.clone(), probe(one)));
            let mut probing = ChangeSet::new(set.tenant, set.owner.clone(), set.now);
            probing.again = set.again;
            probing.turns = Some(NewTurns {
                session_key: first.session_key.clone(),
                session_id_if_new: first.session,
                turns: turns.collect(),
            });
            let recognised =
                recognise(&mut *self.connection, self.digests, Some(partition), &probing).await?;
            let places = items.iter().map(|(index, one, _)| (*index, *one)).collect();
            found.take(&recognised, &probing, places);
        }
        Ok(())
    }

    /// Memories by their own keys, and documents by their names. A memory that the import of format 1 has added has its
    /// old id as its key.
    async fn recognise_memories(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        found: &mut Recognition<'_>,
    ) -> Result<(), StoreError> {
        let new = |(index, one): &(usize, &Restoration)| one.turn.is_none() && found.is_new(*index);
        let items: Vec<(usize, &Restoration)> = set.restorations.iter().enumerate().filter(new).collect();
        if items.is_empty() {
            return Ok(());
        }
        let mut probing = ChangeSet::new(set.tenant, set.owner.clone(), set.now);
        probing.again = set.again;
        probing.memories = items.iter().map(|(_, one)| probe(one)).collect();
        let recognised = recognise(&mut *self.connection, self.digests, Some(partition), &probing).await?;
        found.take(&recognised, &probing, items.clone());
        for (index, one) in items {
            let Some(name) = one.present.memory.document.as_ref().filter(|_| found.is_new(index)) else {
                continue;
            };
            if let Some(PresentDocument { id, .. }) = self.document(partition, name).await? {
                found.place(index, one, Known::There(id, None, ItemOutcome::Conflicting));
            }
        }
        Ok(())
    }

    /// Items that were erased under an identity that is not asked for above: memories, and turns without an identity, by
    /// their ids.
    async fn recognise_erased(
        &mut self,
        set: &ChangeSet,
        found: &mut Recognition<'_>,
    ) -> Result<(), StoreError> {
        let mut wanted: Vec<(usize, Digest)> = Vec::new();
        for (index, one) in set.restorations.iter().enumerate().filter(|(index, _)| found.is_new(*index)) {
            let (what, id) = match &one.turn {
                Some(restored) if restored.turn.has_identity() => continue,
                Some(restored) => ("turn", restored.turn.id.0),
                None => ("memory", one.present.memory.id.0),
            };
            // An earlier import may have given it another id.
            let ids = [id, renamed(set.tenant, &set.owner, what, id)];
            wanted.extend(ids.map(|id| (index, of_id(self.digests, id))));
        }
        let digests = wanted.iter().map(|(_, digest)| *digest);
        let erased = erased_among(&mut *self.connection, &of_owner(self.digests, set), digests).await?;
        for (index, digest) in wanted.into_iter().filter(|(_, digest)| erased.contains(digest)) {
            match set.restorations.get(index) {
                Some(one) if !set.again => found.place(index, one, Known::Erased),
                _ => found.brought_back.push(digest),
            }
        }
        Ok(())
    }

    /// Forgets that the items of a set that are written again were erased.
    pub(super) async fn forget_erased_restorations(
        &mut self,
        set: &ChangeSet,
        found: &Recognition<'_>,
    ) -> Result<(), StoreError> {
        self.forget_erased(set, &found.brought_back).await
    }
}

impl Recognition<'_> {
    pub(super) fn is_new(&self, index: usize) -> bool {
        self.known.get(index) == Some(&Known::New)
    }

    /// True if an item has to be written for which no index rows were made.
    pub(super) fn lacks_rows(&self, set: &ChangeSet) -> bool {
        let before = set.turns.as_ref().map_or(0, |new| new.turns.len()) + set.memories.len();
        set.unprepared.iter().any(|index| index.checked_sub(before).is_some_and(|at| self.is_new(at)))
    }

    /// Takes over what was recognised of some items, which are those of `probing` in their order.
    fn take(&mut self, recognised: &Recognised, probing: &ChangeSet, items: Vec<(usize, &Restoration)>) {
        let outcomes = recognised.outcomes(probing);
        for (at, (index, one)) in items.into_iter().enumerate() {
            match outcomes.get(at).copied().unwrap_or(ItemOutcome::Created) {
                ItemOutcome::Created => {}
                ItemOutcome::Erased => self.place(index, one, Known::Erased),
                outcome => {
                    if let Some(memory) = recognised.memory(at) {
                        self.place(index, one, Known::There(memory, recognised.turn(at), outcome));
                    }
                }
            }
        }
        self.brought_back.extend(&recognised.brought_back);
    }

    fn place(&mut self, index: usize, one: &Restoration, known: Known) {
        if let Some(place) = self.known.get_mut(index) {
            *place = known;
        }
        let (memory, turn) = match known {
            Known::There(memory, turn, _) => (Some(memory), turn),
            _ => (None, None),
        };
        self.ids.set(one, memory, turn);
    }
}

/// The memory as it is looked up: without its index rows.
fn probe(one: &Restoration) -> NewMemory {
    let memory = one.present.memory.clone();
    let id = crate::domain::name::Name::new(&memory.id.to_string()).ok();
    let key = if one.turn.is_some() { None } else { one.present.key.clone().or(id) };
    NewMemory { key, memory, derivation: None, rows: Vec::new(), groups: Vec::new() }
}
