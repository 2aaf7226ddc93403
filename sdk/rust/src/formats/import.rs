//! Import of batches into a server, each under its own idempotency key. Batches that the server has are not added
//! again, so an interrupted import is resumed by running it again.
//!
//! Memories of an Engrain export refer to sources and link targets by the ids of the old store. Batches are sent in
//! order, and the responses have the new ids, so references are replaced on the way. A source that was not imported
//! before, or was erased since, is left out and counted. A link to a later target is deferred: an edit sets it once all targets of the
//! memory are imported, or [`Import::finish`] sets those that are.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::batch::digest;
use super::deferred_links::{DeferredLinks, Linking};
use super::refusal::{Divided, divided, is_about_data, refused};
use super::{Batch, Edit, FormatError, ImportItem, Skipped};
use crate::client::{Client, Error};
use crate::wire::{AddMemories, EditMemory, Link, Problem};

/// Maximum number of refused items that are named between two calls of [`Import::take_skipped`].
const MAX_SKIPPED_HELD: usize = 1_000;

/// Position in its batch, all links, and number of set links of a memory some of whose link targets are not known.
type Incomplete = (usize, Vec<Link>, usize);

/// Ids of added memories, whether they were there before, and those with unknown link targets.
type Added = (Vec<Uuid>, bool, Vec<Incomplete>);

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
    strict: bool,
    skipped: Vec<Skipped>,
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
    /// Number of edits left out because their memory was erased after an earlier import, or the server refuses them.
    pub edits_lost: u64,
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
            strict: false,
            skipped: Vec::new(),
        }
    }

    /// Fails at the first item that the server refuses, instead of leaving it out.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Takes the items that the server has refused since the last call. Beyond 1,000 they are only counted.
    pub fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }

    /// Adds a batch and returns the progress of the import. Items that the server refuses as invalid are left out of it
    /// (see [`Import::take_skipped`]).
    ///
    /// # Errors
    /// [`ImportError::Add`]; the batch can be sent again.
    pub async fn send(&mut self, item: ImportItem) -> Result<Imported, ImportError> {
        let (location, key) = (item.location.clone(), item.key.clone());
        // A repetition would resolve ids that came with this batch, which would make it a different request under the
        // same key.
        if self.half_done.as_ref() != Some(&key) {
            self.add_accepted(item).await.map_err(|source| ImportError::Add { location, source })?;
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

    /// Adds what the server accepts of a batch.
    async fn add_accepted(&mut self, item: ImportItem) -> Result<(), Error> {
        let mut waiting = vec![item];
        while let Some(item) = waiting.pop() {
            match self.add(&item).await {
                Ok(()) => {}
                Err(Error::Problem(problem)) if !self.strict && is_about_data(&problem) => {
                    let Divided { rest, skipped } = divided(item, &problem);
                    waiting.extend(rest.into_iter().rev());
                    self.skip(skipped);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn skip(&mut self, skipped: Option<Skipped>) {
        let Some(skipped) = skipped else { return };
        let is_full = self.skipped.len() >= MAX_SKIPPED_HELD;
        match self.skipped.last_mut() {
            Some(last) if is_full => last.count += skipped.count,
            _ => self.skipped.push(skipped),
        }
    }

    async fn add(&mut self, item: &ImportItem) -> Result<(), Error> {
        let (memory_ids, repeated, mut incomplete) = match &item.batch {
            Batch::Turns(batch) => {
                let added = self.client.keyed(&item.key).add_turns(batch).await?;
                self.learn(&item.old_turn_ids, &added.turn_ids);
                self.imported.turns += batch.turns.len() as u64;
                (added.memory_ids, added.repeated, Vec::new())
            }
            Batch::Memories(batch) => self.add_memories(&item.key, batch).await?,
        };
        self.learn(&item.old_memory_ids, &memory_ids);
        self.imported.repeated_batches += u64::from(repeated);
        for edit in &item.edits {
            let Some(&id) = memory_ids.get(edit.index) else { continue };
            incomplete.extend(self.edit(item, id, edit).await?);
        }
        for (index, links, set) in incomplete {
            let Some(&memory) = memory_ids.get(index) else { continue };
            let missing: BTreeSet<Uuid> = self.missing(&links).collect();
            let lost = self.missing(&links).count();
            let linking = Linking {
                location: item.location.clone(),
                key: format!("{}-links-{index}", item.key),
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

    /// Adds memories with the sources and links that are known. Those that were erased after an earlier import are
    /// forgotten, and count as lost.
    async fn add_memories(&mut self, key: &str, original: &AddMemories) -> Result<Added, Error> {
        let (mut key, mut renamed) = (key.to_owned(), false);
        loop {
            let mut batch = original.clone();
            let (mut lost, mut incomplete, mut sent) = (0, Vec::new(), BTreeSet::new());
            for (index, memory) in batch.memories.iter_mut().enumerate() {
                lost += self.rename(&mut memory.sources);
                let known = self.known(&memory.links);
                let links = std::mem::replace(&mut memory.links, known);
                if self.missing(&links).next().is_some() {
                    incomplete.push((index, links, memory.links.len()));
                }
                sent.extend(memory.sources.iter().chain(memory.links.iter().map(|link| &link.to)));
            }
            match self.client.keyed(&key).add_memories(&batch).await {
                Ok(added) => {
                    self.imported.memories += batch.memories.len() as u64;
                    self.imported.sources_lost += lost as u64;
                    return Ok((added.memory_ids, added.repeated, incomplete));
                }
                Err(Error::Problem(problem)) if problem.code == "not_found" && !sent.is_empty() => {
                    self.forget(&problem, &sent);
                }
                // An earlier import knew other sources or links, and so made another request under this key.
                Err(Error::Problem(problem)) if problem.code == "idempotency_key_reused" && !renamed => {
                    renamed = true;
                    key = format!("import-{}", digest(&key, &batch));
                    continue;
                }
                Err(error) => return Err(error),
            }
            key = format!("import-{}", digest(&key, original));
        }
    }

    /// Makes an edit; returns its links if some of their targets are not imported yet.
    async fn edit(
        &mut self,
        item: &ImportItem,
        id: Uuid,
        Edit { index, edit }: &Edit,
    ) -> Result<Option<Incomplete>, Error> {
        let mut key = format!("{}-edit-{index}", item.key);
        loop {
            let mut edit = edit.clone();
            let (mut incomplete, mut sent) = (None, BTreeSet::new());
            if let Some(links) = edit.links.take() {
                let known = self.known(&links);
                sent.extend(known.iter().map(|link| link.to));
                if self.missing(&links).next().is_some() {
                    incomplete = Some((*index, links, known.len()));
                }
                edit.links = (!known.is_empty()).then_some(known);
            }
            if edit == EditMemory::default() {
                return Ok(incomplete);
            }
            match self.client.keyed(&key).edit_memory(id, &edit).await {
                Ok(_) => return Ok(incomplete),
                Err(Error::Problem(problem)) if problem.code == "not_found" => {
                    if sent.is_empty() || problem.detail.contains(&id.to_string()) {
                        self.imported.edits_lost += 1;
                        return Ok(None);
                    }
                    self.forget(&problem, &sent);
                    key = format!("{}-edit-{index}-{}", item.key, digest("edit", &edit));
                }
                Err(Error::Problem(problem)) if !self.strict && is_about_data(&problem) => {
                    self.imported.edits_lost += 1;
                    self.skip(Some(refused(item, &problem, 1)));
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Forgets the ids of `sent` that the server says do not exist; all of them if it names none.
    fn forget(&mut self, problem: &Problem, sent: &BTreeSet<Uuid>) {
        let named: BTreeSet<Uuid> =
            sent.iter().copied().filter(|id| problem.detail.contains(&id.to_string())).collect();
        let gone = if named.is_empty() { sent } else { &named };
        self.new_ids.retain(|_, new| !gone.contains(new));
    }

    /// Sets the links of an imported memory whose targets are imported.
    async fn link(&mut self, linking: &Linking) -> Result<(), ImportError> {
        loop {
            let known = self.known(&linking.links);
            let mut lost = self.missing(&linking.links).count();
            if known.len() > linking.set {
                // Another file may bring more targets, so the key covers the set of links.
                let key = format!("{}-{}", linking.key, digest("links", &known));
                let sent: BTreeSet<Uuid> = known.iter().map(|link| link.to).collect();
                let edit = EditMemory { links: Some(known), ..EditMemory::default() };
                match self.client.keyed(key).edit_memory(linking.memory, &edit).await {
                    Ok(_) => {}
                    // An end of one of the links was erased after its import.
                    Err(Error::Problem(problem)) if problem.code == "not_found" => {
                        if sent.iter().any(|id| problem.detail.contains(&id.to_string())) {
                            self.forget(&problem, &sent);
                            continue;
                        }
                        lost = linking.links.len().saturating_sub(linking.set);
                    }
                    Err(source) => {
                        return Err(ImportError::Add { location: linking.location.clone(), source });
                    }
                }
            }
            self.imported.links_lost += lost as u64;
            return Ok(());
        }
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
