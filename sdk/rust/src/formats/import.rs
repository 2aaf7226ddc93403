//! Import of batches into a server. Turns and memories have identities, by which the server recognises those that it has:
//! they are not added again, whatever batch they come in, so an interrupted import is resumed by running it again, and a
//! file that has grown adds only what is new. What was erased since stays erased, unless requested ([`Import::again`]).
//!
//! Memories of an Engrain export refer to sources and link targets by the ids of the old store. Batches are sent in
//! order, and the responses have the new ids, so references are replaced on the way. A source that was not imported
//! before is left out and counted. A link to a later target is deferred: an edit sets it once all targets of the
//! memory are imported, or [`Import::finish`] sets those that are.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::deferred_links::{DeferredLinks, Linking};
use super::identity::digest;
use super::imported::{Imported, Item, aligned, items};
use super::{Batch, Edit, FormatError, ImportItem};
use crate::client::{Client, Error};
use crate::wire::{EditMemory, ItemOutcome, Link};

/// Import in progress.
#[derive(Debug)]
pub struct Import<'a> {
    client: &'a Client,
    /// New ids by old ids. Empty for formats without ids.
    new_ids: HashMap<Uuid, Uuid>,
    /// Memories with links to targets not imported yet.
    later: DeferredLinks,
    /// Key of a batch that was added but whose ready links could not be set.
    half_done: Option<String>,
    imported: Imported,
    again: bool,
}

/// Cause of an incomplete import.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A batch could not be added.
    #[error("{location}: cannot be added")]
    Add {
        /// Beginning of the batch in the file.
        location: super::SourceLocation,
        /// Why.
        #[source]
        source: Error,
    },
}

impl<'a> Import<'a> {
    /// Creates an import into the server of `client`.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            new_ids: HashMap::new(),
            later: DeferredLinks::default(),
            half_done: None,
            imported: Imported::default(),
            again: false,
        }
    }

    /// True to add again what was erased since an earlier import.
    #[must_use]
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// Adds a batch and returns the progress of the import.
    ///
    /// # Errors
    /// [`ImportError::Add`]; the batch can be sent again.
    pub async fn send(&mut self, item: ImportItem) -> Result<Imported, ImportError> {
        let (location, key) = (item.location.clone(), item.key.clone());
        // A repetition would resolve ids that came with this batch, which would make it a different request under the
        // same key.
        if self.half_done.as_ref() != Some(&key) {
            self.add(item).await.map_err(|source| ImportError::Add { location, source })?;
            self.half_done = Some(key);
        }
        while let Some(linking) = self.later.next_ready().cloned() {
            self.link(&linking).await?;
            self.later.ready_is_done();
        }
        self.half_done = None;
        Ok(self.imported)
    }

    /// Ends an import after its last batch: sets the deferred links whose targets were imported, and counts the
    /// others.
    ///
    /// # Errors
    /// [`ImportError::Add`]; the import can be done again.
    pub async fn finish(mut self) -> Result<Imported, ImportError> {
        for linking in std::mem::take(&mut self.later).into_rest() {
            self.link(&linking).await?;
        }
        Ok(self.imported)
    }

    async fn add(&mut self, item: ImportItem) -> Result<(), Error> {
        let ImportItem { key, location, mut batch, old_turn_ids, old_memory_ids, edits } = item;
        let mut incomplete = Vec::new();
        let items = match &mut batch {
            Batch::Turns(batch) => {
                batch.again = self.again;
                let has_identity =
                    batch.turns.iter().all(|turn| turn.key.is_some() || turn.position.is_some());
                let added = match has_identity {
                    true => self.client.add_turns(batch).await?,
                    false => self.client.keyed(&key).add_turns(batch).await?,
                };
                let count = batch.turns.len();
                self.learn(&old_turn_ids, &aligned(count, &added.turn_ids, &added.outcomes));
                let items = items(count, &added.memory_ids, &added.outcomes, added.repeated);
                self.imported.turns += self.imported.count(&items);
                items
            }
            Batch::Memories(batch) => {
                batch.again = self.again;
                let mut lost = 0;
                for (index, memory) in batch.memories.iter_mut().enumerate() {
                    lost += self.rename(&mut memory.sources);
                    let known = self.known(&memory.links);
                    let links = std::mem::replace(&mut memory.links, known);
                    if self.missing(&links).next().is_some() {
                        incomplete.push((index, links, memory.links.len()));
                    }
                }
                let has_identity = batch.memories.iter().all(|memory| memory.key.is_some());
                let added = match has_identity {
                    true => self.client.add_memories(batch).await?,
                    false => self.client.keyed(&key).add_memories(batch).await?,
                };
                let items = items(batch.memories.len(), &added.memory_ids, &added.outcomes, added.repeated);
                self.imported.memories += self.imported.count(&items);
                self.imported.sources_lost += lost as u64;
                items
            }
        };
        self.learn(&old_memory_ids, &items.iter().map(|item| item.memory).collect::<Vec<_>>());
        self.edit(&items, edits, &mut incomplete).await?;
        for (index, links, set) in incomplete {
            let Some(Item { outcome, memory: Some(memory) }) = items.get(index).copied() else { continue };
            if outcome == ItemOutcome::Conflicting {
                continue;
            }
            let missing: BTreeSet<Uuid> = self.missing(&links).collect();
            let lost = self.missing(&links).count();
            let was_there = outcome == ItemOutcome::Existing;
            let linking = Linking { location: location.clone(), memory, links, set, was_there };
            if !self.later.keep(linking, missing) {
                self.imported.links_lost += lost as u64;
            }
        }
        Ok(())
    }

    /// Makes the edits of a batch. A memory that was there before is edited only if it never was: an import that was
    /// interrupted after adding it did not get there.
    async fn edit(
        &mut self,
        items: &[Item],
        edits: Vec<Edit>,
        incomplete: &mut Vec<(usize, Vec<Link>, usize)>,
    ) -> Result<(), Error> {
        for Edit { index, mut edit } in edits {
            let Some(Item { outcome, memory: Some(id) }) = items.get(index).copied() else { continue };
            match outcome {
                ItemOutcome::Created => {}
                ItemOutcome::Existing if self.client.memory(id).await?.version == 1 => {}
                _ => continue,
            }
            if let Some(links) = edit.links.take() {
                let known = self.known(&links);
                if self.missing(&links).next().is_some() {
                    incomplete.push((index, links, known.len()));
                }
                edit.links = (!known.is_empty()).then_some(known);
            }
            if edit != EditMemory::default() {
                let key = format!("import-edit-{id}-{}", digest("edit", &edit));
                self.client.keyed(key).edit_memory(id, &edit).await?;
            }
        }
        Ok(())
    }

    /// Sets the links of an imported memory whose targets are imported.
    async fn link(&mut self, linking: &Linking) -> Result<(), ImportError> {
        let failed = |source| ImportError::Add { location: linking.location.clone(), source };
        let known = self.known(&linking.links);
        let mut lost = self.missing(&linking.links).count();
        if known.len() > linking.set {
            match self.set_links(linking, known).await {
                Ok(()) => {}
                // An end of one of the links was erased after its import.
                Err(Error::Problem(problem)) if problem.code == "not_found" => {
                    lost = linking.links.len() - linking.set;
                }
                Err(source) => return Err(failed(source)),
            }
        }
        self.imported.links_lost += lost as u64;
        Ok(())
    }

    async fn set_links(&self, linking: &Linking, known: Vec<Link>) -> Result<(), Error> {
        if linking.was_there {
            let present = self.client.memory(linking.memory).await?.links;
            let is_set = |link: &Link| {
                present.iter().any(|there| there.to == link.to && there.relation == link.relation)
            };
            if known.iter().all(is_set) {
                return Ok(());
            }
        }
        // Another file may bring more targets, so the key covers the set of links.
        let key = format!("import-links-{}-{}", linking.memory, digest("links", &known));
        let edit = EditMemory { links: Some(known), ..EditMemory::default() };
        self.client.keyed(key).edit_memory(linking.memory, &edit).await.map(|_| ())
    }

    fn learn(&mut self, old: &[Option<Uuid>], new: &[Option<Uuid>]) {
        for (old, new) in old.iter().zip(new) {
            let (Some(old), Some(new)) = (*old, *new) else { continue };
            self.new_ids.insert(old, new);
            self.later.arrived(old);
        }
    }

    /// Replaces old ids by new ones; returns the number of unresolved ones.
    fn rename(&self, ids: &mut Vec<Uuid>) -> usize {
        let before = ids.len();
        *ids = ids.iter().filter_map(|id| self.new_ids.get(id).copied()).collect();
        before - ids.len()
    }

    /// Links whose targets are imported, with new ids. Documents of two stores may have become one, which is linked
    /// once.
    fn known(&self, links: &[Link]) -> Vec<Link> {
        let mut known: Vec<Link> = Vec::with_capacity(links.len());
        for link in links {
            let Some(&to) = self.new_ids.get(&link.to) else { continue };
            if !known.iter().any(|other| other.to == to && other.relation == link.relation) {
                known.push(Link { to, ..link.clone() });
            }
        }
        known
    }

    /// Targets not imported yet, once per link.
    fn missing<'l>(&self, links: &'l [Link]) -> impl Iterator<Item = Uuid> + use<'_, 'l, 'a> {
        links.iter().map(|link| link.to).filter(|to| !self.new_ids.contains_key(to))
    }
}
