//! Import of batches into a server, each under its own idempotency key. Batches that the server has are not added
//! again, so an interrupted import is resumed by running it again.
//!
//! Memories of an Engrain export refer to sources and link targets by the ids of the old store. Batches are sent in
//! order, and the responses have the new ids, so references are replaced on the way. A source that was not imported
//! before is left out and counted. A link to a later target is deferred: an edit sets it once all targets of the
//! memory are imported, or [`Import::finish`] sets those that are.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::batch::digest;
use super::deferred_links::{DeferredLinks, Linking};
use super::{Batch, Edit, FormatError, ImportItem};
use crate::client::{Client, Error};
use crate::wire::{EditMemory, Link};

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
}

/// Progress of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Number of turns in the store.
    pub turns: u64,
    /// Number of finished memories in the store.
    pub memories: u64,
    /// Number of batches that an earlier import had added.
    pub repeated_batches: u64,
    /// Number of source references that could not be resolved.
    pub sources_lost: u64,
    /// Number of links whose target was not imported, or that exceeded the limit of deferred links.
    pub links_lost: u64,
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
        }
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
        let write = self.client.keyed(&key);
        let mut incomplete = Vec::new();
        let (memory_ids, repeated) = match &mut batch {
            Batch::Turns(batch) => {
                let added = write.add_turns(batch).await?;
                self.learn(&old_turn_ids, &added.turn_ids);
                self.imported.turns += batch.turns.len() as u64;
                (added.memory_ids, added.repeated)
            }
            Batch::Memories(batch) => {
                let mut lost = 0;
                for (index, memory) in batch.memories.iter_mut().enumerate() {
                    lost += self.rename(&mut memory.sources);
                    let known = self.known(&memory.links);
                    let links = std::mem::replace(&mut memory.links, known);
                    if self.missing(&links).next().is_some() {
                        incomplete.push((index, links, memory.links.len()));
                    }
                }
                let added = write.add_memories(batch).await?;
                self.imported.memories += batch.memories.len() as u64;
                self.imported.sources_lost += lost as u64;
                (added.memory_ids, added.repeated)
            }
        };
        self.learn(&old_memory_ids, &memory_ids);
        self.imported.repeated_batches += u64::from(repeated);
        for Edit { index, mut edit } in edits {
            let Some(&id) = memory_ids.get(index) else { continue };
            if let Some(links) = edit.links.take() {
                let known = self.known(&links);
                if self.missing(&links).next().is_some() {
                    incomplete.push((index, links, known.len()));
                }
                edit.links = (!known.is_empty()).then_some(known);
            }
            if edit != EditMemory::default() {
                self.client.keyed(format!("{key}-edit-{index}")).edit_memory(id, &edit).await?;
            }
        }
        for (index, links, set) in incomplete {
            let Some(&memory) = memory_ids.get(index) else { continue };
            let missing: BTreeSet<Uuid> = self.missing(&links).collect();
            let lost = self.missing(&links).count();
            let linking = Linking {
                location: location.clone(),
                key: format!("{key}-links-{index}"),
                memory,
                links,
                set,
            };
            if !self.later.keep(linking, missing) {
                self.imported.links_lost += lost as u64;
            }
        }
        Ok(())
    }

    /// Sets the links of an imported memory whose targets are imported.
    async fn link(&mut self, linking: &Linking) -> Result<(), ImportError> {
        let known = self.known(&linking.links);
        let mut lost = self.missing(&linking.links).count();
        if known.len() > linking.set {
            // Another file may bring more targets, so the key covers the set of links.
            let key = format!("{}-{}", linking.key, digest("links", &known));
            let edit = EditMemory { links: Some(known), ..EditMemory::default() };
            match self.client.keyed(key).edit_memory(linking.memory, &edit).await {
                Ok(_) => {}
                // An end of one of the links was erased after its import.
                Err(Error::Problem(problem)) if problem.code == "not_found" => {
                    lost = linking.links.len() - linking.set;
                }
                Err(source) => return Err(ImportError::Add { location: linking.location.clone(), source }),
            }
        }
        self.imported.links_lost += lost as u64;
        Ok(())
    }

    fn learn(&mut self, old: &[Option<Uuid>], new: &[Uuid]) {
        for (old, &new) in old.iter().zip(new) {
            let Some(old) = *old else { continue };
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
