//! Recognition of items that were sent before (`domain/identity.rs`): they are answered with the ids that they have, and
//! not written again.
//!
//! The partition is locked before anything of it is read, so of two transactions with one item only the first writes it.

use std::collections::HashMap;

use uuid::Uuid;

use super::erased_identities::{Digest, erased_among, of_memory_key, of_owner, of_turn, traces_of_turn};
use super::stored_items::{Item, StoredMemories, StoredTurns};
use super::write_transaction::WriteTransaction;
use super::{Connection, StoreError, unavailable};
use crate::domain::change::{ChangeSet, NewMemory};
use crate::domain::id::{MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::name::Name;

/// State of the turns of a set, followed by its added memories. Without entries, all are new.
#[derive(Debug, Default)]
pub(super) struct Recognised {
    items: Vec<Item>,
    /// Session of the turns, if it exists.
    pub(super) session: Option<SessionId>,
    /// Digests of erased items that the set writes again.
    pub(super) brought_back: Vec<Digest>,
}

impl Recognised {
    pub(super) fn is_to_write(&self, index: usize) -> bool {
        self.items.get(index).is_none_or(|item| *item == Item::New)
    }

    pub(super) fn not_to_write(&self) -> impl Iterator<Item = usize> {
        (0..self.items.len()).filter(|index| !self.is_to_write(*index))
    }

    /// Memory of an item that is there.
    pub(super) fn memory(&self, index: usize) -> Option<MemoryId> {
        match self.items.get(index) {
            Some(Item::There { memory, .. }) => Some(*memory),
            _ => None,
        }
    }

    /// Turn of an item that is there.
    pub(super) fn turn(&self, index: usize) -> Option<TurnId> {
        match self.items.get(index) {
            Some(Item::There { turn, .. }) => *turn,
            _ => None,
        }
    }

    pub(super) fn turns(&self) -> impl Iterator<Item = TurnId> {
        (0..self.items.len()).filter_map(|index| self.turn(index))
    }

    /// Outcomes of all items; empty if all are written.
    pub(super) fn outcomes(&self, set: &ChangeSet) -> Vec<ItemOutcome> {
        if self.not_to_write().next().is_none() {
            return Vec::new();
        }
        let all = set.turns.as_ref().map_or(0, |new| new.turns.len()) + set.memories.len();
        let outcome = |index| match self.items.get(index) {
            None | Some(Item::New) => ItemOutcome::Created,
            Some(Item::There { conflicts: false, .. }) => ItemOutcome::Existing,
            Some(Item::There { conflicts: true, .. }) => ItemOutcome::Conflicting,
            Some(Item::Erased) => ItemOutcome::Erased,
        };
        (0..all).map(outcome).collect()
    }
}

/// Recognises the items of a set that were sent before. An owner without a partition has none, but may have erased some.
pub(super) async fn recognise(
    from: &mut Connection,
    digests: &KeyedDigest,
    partition: Option<PartitionId>,
    set: &ChangeSet,
) -> Result<Recognised, StoreError> {
    let mut recognised = Recognised::default();
    if !set.has_identities() {
        return Ok(recognised);
    }
    if let Some(new) = &set.turns {
        if let Some(partition) = partition {
            recognised.session = session_of(from, partition, &new.session_key).await?;
        }
        let stored = match recognised.session {
            Some(session) => StoredTurns::read(from, session, new).await?,
            None => StoredTurns::default(),
        };
        recognised.items.extend(new.turns.iter().map(|(turn, _)| stored.find(turn)));
    }
    let stored = match partition {
        Some(partition) => StoredMemories::read(from, partition, &set.memories).await?,
        None => StoredMemories::default(),
    };
    recognised.items.extend(set.memories.iter().map(|new| stored.find(new)));
    recognised.leave_out_erased(from, digests, set).await?;
    recognised.merge_repeated(set);
    Ok(recognised)
}

impl Recognised {
    /// Looks for the items that are not there among the erased ones.
    async fn leave_out_erased(
        &mut self,
        from: &mut Connection,
        digests: &KeyedDigest,
        set: &ChangeSet,
    ) -> Result<(), StoreError> {
        let session = set.turns.as_ref().map(|new| &new.session_key);
        let turns = set.turns.iter().flat_map(|new| &new.turns);
        let turns = turns.map(|(turn, _)| of_turn(digests, session?, turn));
        let memories =
            set.memories.iter().map(|new| Some(of_memory_key(digests, new.key.as_ref()?.as_str())));
        let wanted: Vec<Option<Digest>> = (turns.chain(memories).enumerate())
            .map(|(index, digest)| digest.filter(|_| self.is_to_write(index)))
            .collect();
        let erased = erased_among(from, &of_owner(digests, set), wanted.iter().copied().flatten()).await?;
        if erased.is_empty() {
            return Ok(());
        }
        for (index, digest) in wanted.iter().enumerate() {
            let Some(digest) = digest.filter(|digest| erased.contains(digest)) else { continue };
            if !set.again {
                if let Some(item) = self.items.get_mut(index) {
                    *item = Item::Erased;
                }
                continue;
            }
            self.brought_back.push(digest);
            if let (Some(new), Some(session)) = (&set.turns, session)
                && let Some((turn, _)) = new.turns.get(index)
            {
                self.brought_back.extend(traces_of_turn(digests, session, turn));
            }
        }
        Ok(())
    }

    /// Gives an item that the set has twice the ids of the first one.
    fn merge_repeated(&mut self, set: &ChangeSet) {
        let mut by_key: HashMap<&Name, usize> = HashMap::new();
        let mut by_position: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, (turn, _)) in set.turns.iter().flat_map(|new| &new.turns).enumerate() {
            if !self.is_to_write(index) {
                continue;
            }
            let earlier = |at: usize| set.turns.as_ref()?.turns.get(at);
            let twin = match (&turn.key, turn.position) {
                (Some(key), _) => by_key.get(key).copied(),
                (None, Some(position)) => by_position.get(&position).and_then(|there| {
                    let says_it =
                        |at: &&usize| earlier(**at).is_some_and(|(other, _)| turn.says_the_same_as(other));
                    there.iter().find(says_it).copied()
                }),
                (None, None) => continue,
            };
            if let Some((first, memory)) = twin.and_then(earlier) {
                let (turn_id, memory) = (Some(first.id), memory.memory.id);
                self.set(
                    index,
                    Item::There { turn: turn_id, memory, conflicts: !turn.says_the_same_as(first) },
                );
            } else if let Some(key) = &turn.key {
                by_key.insert(key, index);
            } else if let Some(position) = turn.position {
                by_position.entry(position).or_default().push(index);
            }
        }
        let before = set.turns.as_ref().map_or(0, |new| new.turns.len());
        let mut memories: HashMap<&Name, &NewMemory> = HashMap::new();
        for (index, new) in (before..).zip(&set.memories) {
            // Documents are one by their names.
            let Some(key) = new.key.as_ref().filter(|_| new.memory.document.is_none()) else { continue };
            if !self.is_to_write(index) {
                continue;
            }
            match memories.get(key) {
                Some(first) => {
                    let conflicts = first.memory.text != new.memory.text;
                    self.set(index, Item::There { turn: None, memory: first.memory.id, conflicts });
                }
                None => {
                    memories.insert(key, new);
                }
            }
        }
    }

    fn set(&mut self, index: usize, item: Item) {
        if let Some(place) = self.items.get_mut(index) {
            *place = item;
        }
    }
}

impl WriteTransaction<'_, '_> {
    /// Recognises the items of a set, those of the transaction's earlier sets included.
    pub(super) async fn recognise(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Recognised, StoreError> {
        if !set.has_identities() {
            return Ok(Recognised::default());
        }
        self.flush().await?;
        recognise(&mut *self.connection, self.digests, Some(partition), set).await
    }

    /// Gives a document that was replaced by name the key of the one that replaced it.
    pub(super) async fn name_document(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
        key: Option<&Name>,
    ) -> Result<(), StoreError> {
        let Some(key) = key else { return Ok(()) };
        sqlx::query("UPDATE memories SET own_key = $3 WHERE partition_id = $1 AND id = $2")
            .bind(partition.0)
            .bind(id.0)
            .bind(key.as_str())
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

async fn session_of(
    from: &mut Connection,
    partition: PartitionId,
    key: &Name,
) -> Result<Option<SessionId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar("SELECT id FROM sessions WHERE partition_id = $1 AND key = $2")
        .bind(partition.0)
        .bind(key.as_str())
        .fetch_optional(from)
        .await
        .map_err(unavailable)?;
    Ok(id.map(SessionId))
}
