//! Sends batches to a server, each under its own key: what is there already is not added again, so an import that broke
//! off is taken up by starting it anew.
//!
//! Memories of our own export name the turns and memories that they were made of by the ids of the old store. Batches
//! are sent in order, and the answers tell the new ids, so names are replaced on the way. A source that is not among
//! what came before cannot be named; it is left out and counted. A link whose target comes later is kept back, and set by
//! an edit as soon as all that the memory links to has come, or by [`Import::finish`] as far as it has.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::batch::digest;
use super::deferred_links::{DeferredLinks, Linking};
use super::{Batch, Edit, FormatError, ImportItem};
use crate::client::{Client, Error};
use crate::wire::{EditMemory, Link};

/// An import on its way.
#[derive(Debug)]
pub struct Import<'a> {
    client: &'a Client,
    /// New ids by old ones. Stays empty for formats that have none.
    new_ids: HashMap<Uuid, Uuid>,
    /// Memories with links whose targets have not come yet.
    later: DeferredLinks,
    /// The key of a batch that was added, but the links that it made ready could not be set.
    half_done: Option<String>,
    imported: Imported,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Turns that are in the store.
    pub turns: u64,
    /// Finished memories that are in the store.
    pub memories: u64,
    /// Batches that an earlier import had brought already.
    pub repeated_batches: u64,
    /// Sources of memories that could not be named.
    pub sources_lost: u64,
    /// Links whose target never came, or could not be kept until it did.
    pub links_lost: u64,
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A batch cannot be added.
    #[error("{location}: cannot be added")]
    Add {
        /// Where the batch begins.
        location: super::SourceLocation,
        /// Why.
        #[source]
        source: Error,
    },
}

impl<'a> Import<'a> {
    /// An import into the server of `client`.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            new_ids: HashMap::new(),
            later: DeferredLinks::default(),
            half_done: None,
            imported: Imported::default(),
        }
    }

    /// Adds a batch, and tells how far the import has come with it.
    ///
    /// # Errors
    /// [`ImportError::Add`]; the batch can be sent again.
    pub async fn send(&mut self, item: ImportItem) -> Result<Imported, ImportError> {
        let (location, key) = (item.location.clone(), item.key.clone());
        // Sent again, it would name what has come with it already, which would make it another request.
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

    /// Ends an import whose last batch was sent: sets the links that wait, as far as what they go to has come, and
    /// counts the others.
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

    /// Sets the links of a memory that is there already, as far as what they go to has come.
    async fn link(&mut self, linking: &Linking) -> Result<(), ImportError> {
        let known = self.known(&linking.links);
        let mut lost = self.missing(&linking.links).count();
        if known.len() > linking.set {
            // Another file may bring more of its links: the key names which of them are set.
            let key = format!("{}-{}", linking.key, digest("links", &known));
            let edit = EditMemory { links: Some(known), ..EditMemory::default() };
            match self.client.keyed(key).edit_memory(linking.memory, &edit).await {
                Ok(_) => {}
                // An end of one of them was erased since it was imported.
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

    /// Replaces old ids by new ones; how many have none.
    fn rename(&self, ids: &mut Vec<Uuid>) -> usize {
        let before = ids.len();
        *ids = ids.iter().filter_map(|id| self.new_ids.get(id).copied()).collect();
        before - ids.len()
    }

    /// The links whose targets have come, to their new ids. Documents of two stores may have become one: it is linked
    /// to once.
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

    /// The targets that have not come, each as often as there are links to it.
    fn missing<'l>(&self, links: &'l [Link]) -> impl Iterator<Item = Uuid> + use<'_, 'l, 'a> {
        links.iter().map(|link| link.to).filter(|to| !self.new_ids.contains_key(to))
    }
}
