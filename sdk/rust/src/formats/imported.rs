//! Progress of an import, by what became of its items.

use uuid::Uuid;

use crate::wire::ItemOutcome;

/// Progress of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Number of turns of the file that are in the store, added or there before.
    pub turns: u64,
    /// Number of finished memories of the file that are in the store, added or there before.
    pub memories: u64,
    /// Number of turns and memories that this import added.
    pub added: u64,
    /// Number of turns and memories that were there before.
    pub existing: u64,
    /// Number of turns and memories left out because they were erased earlier; [`super::Import::again`] adds them.
    pub erased: u64,
    /// Number of turns and memories left out because their keys belong to others with another content, which stay as they
    /// are. They are among [`super::Import::take_skipped`] too.
    pub conflicting: u64,
    /// Number of batches of which nothing was added.
    pub repeated_batches: u64,
    /// Number of source references that could not be resolved.
    pub sources_lost: u64,
    /// Number of links whose target was not imported, or that exceeded the limit of deferred links.
    pub links_lost: u64,
    /// Number of edits left out because their memory was erased after an earlier import, or the server refuses them.
    pub edits_lost: u64,
}

impl Imported {
    /// Sum of the progress of two imports.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns + other.turns,
            memories: self.memories + other.memories,
            added: self.added + other.added,
            existing: self.existing + other.existing,
            erased: self.erased + other.erased,
            conflicting: self.conflicting + other.conflicting,
            repeated_batches: self.repeated_batches + other.repeated_batches,
            sources_lost: self.sources_lost + other.sources_lost,
            links_lost: self.links_lost + other.links_lost,
            edits_lost: self.edits_lost + other.edits_lost,
        }
    }

    /// Counts the items of a batch; returns the number of those that are in the store.
    pub(super) fn count(&mut self, items: &[Item]) -> u64 {
        let of = |outcome| items.iter().filter(|item| item.outcome == outcome).count() as u64;
        let (added, existing) = (of(ItemOutcome::Created), of(ItemOutcome::Existing));
        self.added += added;
        self.existing += existing;
        self.erased += of(ItemOutcome::Erased);
        self.conflicting += of(ItemOutcome::Conflicting);
        self.repeated_batches += u64::from(added == 0);
        added + existing
    }
}

/// Item of a batch as the server answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) outcome: ItemOutcome,
    /// Id of its memory; `None` if it was left out.
    pub(super) memory: Option<Uuid>,
}

/// Items of a batch of `count`, from the lists of the answer. `repeated`: an earlier call added them.
pub(super) fn items(count: usize, memories: &[Uuid], outcomes: &[ItemOutcome], repeated: bool) -> Vec<Item> {
    let ids = aligned(count, memories, outcomes);
    ids.into_iter()
        .enumerate()
        .map(|(index, memory)| {
            let outcome = outcomes.get(index).copied().unwrap_or(ItemOutcome::Created);
            let was_created = outcome == ItemOutcome::Created;
            Item { outcome: if repeated && was_created { ItemOutcome::Existing } else { outcome }, memory }
        })
        .collect()
}

/// Ids in the order of the request: an item that was left out has none.
pub(super) fn aligned(count: usize, ids: &[Uuid], outcomes: &[ItemOutcome]) -> Vec<Option<Uuid>> {
    let mut ids = ids.iter().copied();
    (0..count)
        .map(|index| match outcomes.get(index) {
            Some(ItemOutcome::Erased) => None,
            _ => ids.next(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_was_left_out_takes_no_id_of_another() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let outcomes = [ItemOutcome::Existing, ItemOutcome::Erased, ItemOutcome::Created];
        let items = items(3, &ids, &outcomes, false);
        let memories: Vec<_> = items.iter().map(|item| item.memory).collect();
        assert_eq!(memories, [Some(ids[0]), None, Some(ids[1])]);
        let mut imported = Imported::default();
        assert_eq!(imported.count(&items), 2);
        assert_eq!(
            (imported.added, imported.existing, imported.erased, imported.repeated_batches),
            (1, 1, 1, 0)
        );
    }
}
