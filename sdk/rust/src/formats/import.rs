//! Import of batches into a server. Turns and memories have identities, by which the server recognises those that it has:
//! they are not added again, whatever batch they come in, so an interrupted import is resumed by running it again, and a
//! file that has grown adds only what is new. What was erased since stays erased, unless requested ([`Import::again`]).
//!
//! Memories of an Engrain export refer to sources and link targets by the ids of the old store. Batches are sent in
//! order, and the responses have the new ids, so references are replaced on the way. A source that was not imported
//! before, or was erased since, is left out and counted. A link to a later target is deferred: an edit sets it once all
//! targets of the memory are imported, or [`Import::finish`] sets those that are.
//!
//! A memory that was there before is edited and linked only if it never was edited: then an interrupted import did not
//! get there. Otherwise it is as its owner wants it.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::deferred_links::{DeferredLinks, Linking};
use super::identity::digest;
use super::import_error::ImportError;
use super::imported::{Imported, Item, aligned, items};
use super::new_ids::{NewIds, joined, names};
use super::refusal::{Divided, conflicting, divided, is_about_data, refused};
use super::{Batch, Edit, ImportItem, Skipped};
use crate::client::{Client, Error};
use crate::wire::{AddMemories, AddTurns, EditMemory, ItemOutcome, Link};

/// Maximum number of refused items that are named between two calls of [`Import::take_skipped`].
const MAX_SKIPPED_HELD: usize = 1_000;

/// Memory of a batch some of whose link targets are not known.
struct Incomplete {
    /// Position in its batch.
    index: usize,
    links: Vec<Link>,
    /// Number of links that are set.
    set: usize,
    /// True if the memory was in the store before, perhaps with its links.
    was_there: bool,
}

/// Import in progress.
#[derive(Debug)]
pub struct Import<'a> {
    client: &'a Client,
    new_ids: NewIds,
    /// Memories with links to targets not imported yet.
    later: DeferredLinks,
    /// Key of a batch that was added but whose ready links could not be set.
    half_done: Option<String>,
    imported: Imported,
    again: bool,
    strict: bool,
    skipped: Vec<Skipped>,
    /// First conflict of a strict import.
    conflict: Option<Skipped>,
}

impl<'a> Import<'a> {
    /// Creates an import into the server of `client`.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            new_ids: NewIds::default(),
            later: DeferredLinks::default(),
            half_done: None,
            imported: Imported::default(),
            again: false,
            strict: false,
            skipped: Vec::new(),
            conflict: None,
        }
    }

    /// True to add again what was erased since an earlier import.
    #[must_use]
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// Fails at the first item that the server refuses or whose key belongs to another content, instead of leaving it out.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Takes the items that the server has refused since the last call, and those whose keys belong to another content in the
    /// store. Beyond 1,000 they are only counted.
    pub fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }

    /// Adds a batch and returns the progress of the import. Items that the server refuses as invalid are left out of it
    /// (see [`Import::take_skipped`]).
    ///
    /// # Errors
    /// [`ImportError::Add`]; the batch can be sent again. [`ImportError::Conflicting`] if the import is strict; the other
    /// items of the batch are added.
    pub async fn send(&mut self, item: ImportItem) -> Result<Imported, ImportError> {
        let (location, key) = (item.location.clone(), item.key.clone());
        // What was added is not sent again, or it would be counted twice.
        if self.half_done.as_ref() != Some(&key) {
            let (before, skipped) = (self.imported, self.skipped.len());
            if let Err(source) = self.add_accepted(item).await {
                self.imported = before;
                self.skipped.truncate(skipped);
                return Err(ImportError::Add { location, source });
            }
            self.half_done = Some(key);
        }
        if let Some(Skipped { location, reason, .. }) = self.conflict.take() {
            return Err(ImportError::Conflicting { location, reason });
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
    async fn add_accepted(&mut self, mut item: ImportItem) -> Result<(), Error> {
        match &mut item.batch {
            Batch::Turns(batch) => batch.again = self.again,
            Batch::Memories(batch) => batch.again = self.again,
        }
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
        let (items, mut incomplete) = match &item.batch {
            Batch::Turns(batch) => (self.add_turns(item, batch).await?, Vec::new()),
            Batch::Memories(batch) => self.add_memories(&item.key, batch).await?,
        };
        let conflicts = items.iter().enumerate().filter(|(_, one)| one.outcome == ItemOutcome::Conflicting);
        for conflict in conflicts.map(|(index, _)| conflicting(item, index)) {
            match self.strict {
                true => self.conflict = self.conflict.take().or(Some(conflict)),
                false => self.skip(Some(conflict)),
            }
        }
        let memory_ids: Vec<Option<Uuid>> = items.iter().map(|item| item.memory).collect();
        self.learn(&item.old_memory_ids, &memory_ids);
        for edit in &item.edits {
            let Some(&Item { outcome, memory: Some(id) }) = items.get(edit.index) else { continue };
            if self.is_to_be_edited(id, outcome).await? {
                incomplete.extend(self.edit(item, id, edit).await?);
            }
        }
        for Incomplete { index, links, set, was_there } in incomplete {
            let Some(memory) = memory_ids.get(index).copied().flatten() else { continue };
            let missing: BTreeSet<Uuid> = self.new_ids.missing(&links).collect();
            let lost = self.new_ids.missing(&links).count();
            let linking = Linking { location: item.location.clone(), memory, links, set, was_there };
            if !self.later.keep(linking, missing) {
                self.imported.links_lost += lost as u64;
            }
        }
        Ok(())
    }

    async fn add_turns(&mut self, item: &ImportItem, batch: &AddTurns) -> Result<Vec<Item>, Error> {
        let has_identity = batch.turns.iter().all(|turn| turn.key.is_some() || turn.position.is_some());
        let added = if has_identity {
            self.client.add_turns(batch).await?
        } else {
            self.client.keyed(key_of(&item.key, batch)).add_turns(batch).await?
        };
        let count = batch.turns.len();
        self.learn(&item.old_turn_ids, &aligned(count, &added.turn_ids, &added.outcomes));
        let items = items(count, &added.memory_ids, &added.outcomes, added.repeated);
        self.imported.turns += self.imported.count(&items);
        Ok(items)
    }

    /// Adds memories with the sources and links that are known. Those that were erased after an earlier import are
    /// forgotten, and count as lost.
    async fn add_memories(
        &mut self,
        key: &str,
        original: &AddMemories,
    ) -> Result<(Vec<Item>, Vec<Incomplete>), Error> {
        let has_identity = original.memories.iter().all(|memory| memory.key.is_some());
        loop {
            let mut batch = original.clone();
            let (mut lost, mut incomplete, mut sent) = (0, Vec::new(), BTreeSet::new());
            for (index, memory) in batch.memories.iter_mut().enumerate() {
                lost += self.new_ids.rename(&mut memory.sources);
                let known = self.new_ids.known(&memory.links);
                let links = std::mem::replace(&mut memory.links, known);
                if self.new_ids.missing(&links).next().is_some() {
                    let set = memory.links.len();
                    incomplete.push(Incomplete { index, links, set, was_there: false });
                }
                sent.extend(memory.sources.iter().chain(memory.links.iter().map(|link| &link.to)));
            }
            let added = if has_identity {
                self.client.add_memories(&batch).await
            } else {
                self.client.keyed(key_of(key, &batch)).add_memories(&batch).await
            };
            let added = match added {
                Err(Error::Problem(problem)) if problem.code == "not_found" && !sent.is_empty() => {
                    self.new_ids.forget(&problem, &sent);
                    continue;
                }
                added => added?,
            };
            let items = items(batch.memories.len(), &added.memory_ids, &added.outcomes, added.repeated);
            self.imported.memories += self.imported.count(&items);
            self.imported.sources_lost += lost as u64;
            let outcome = |index: usize| items.get(index).map(|item| item.outcome);
            incomplete.retain(|one| outcome(one.index) != Some(ItemOutcome::Conflicting));
            for one in &mut incomplete {
                one.was_there = outcome(one.index) == Some(ItemOutcome::Existing);
            }
            return Ok((items, incomplete));
        }
    }

    /// True for a memory that this import has added, or that was never edited.
    async fn is_to_be_edited(&mut self, id: Uuid, outcome: ItemOutcome) -> Result<bool, Error> {
        match outcome {
            ItemOutcome::Created => Ok(true),
            ItemOutcome::Existing => match self.client.memory(id).await {
                Ok(memory) => Ok(memory.version == 1),
                Err(Error::Problem(problem)) if problem.code == "not_found" => {
                    self.imported.edits_lost += 1;
                    Ok(false)
                }
                Err(error) => Err(error),
            },
            _ => Ok(false),
        }
    }

    /// Makes an edit; returns its links if some of their targets are not imported yet.
    async fn edit(
        &mut self,
        item: &ImportItem,
        id: Uuid,
        Edit { index, edit }: &Edit,
    ) -> Result<Option<Incomplete>, Error> {
        loop {
            let mut edit = edit.clone();
            let (mut incomplete, mut sent) = (None, BTreeSet::new());
            if let Some(links) = edit.links.take() {
                let known = self.new_ids.known(&links);
                sent.extend(known.iter().map(|link| link.to));
                if self.new_ids.missing(&links).next().is_some() {
                    let set = known.len();
                    incomplete = Some(Incomplete { index: *index, links, set, was_there: false });
                }
                edit.links = (!known.is_empty()).then_some(known);
            }
            if edit == EditMemory::default() {
                return Ok(incomplete);
            }
            let key = format!("import-edit-{id}-{}", digest("edit", &edit));
            match self.client.keyed(key).edit_memory(id, &edit).await {
                Ok(_) => return Ok(incomplete),
                Err(Error::Problem(problem)) if problem.code == "not_found" => {
                    if sent.is_empty() || names(&problem, id) {
                        self.imported.edits_lost += 1;
                        return Ok(None);
                    }
                    self.new_ids.forget(&problem, &sent);
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

    /// Sets the links of an imported memory whose targets are imported.
    async fn link(&mut self, linking: &Linking) -> Result<(), ImportError> {
        loop {
            let known = self.new_ids.known(&linking.links);
            let mut lost = self.new_ids.missing(&linking.links).count();
            if known.len() > linking.set || linking.was_there {
                let sent: BTreeSet<Uuid> = known.iter().map(|link| link.to).collect();
                match self.set_links(linking, known).await {
                    Ok(()) => {}
                    // An end of one of the links was erased after its import.
                    Err(Error::Problem(problem)) if problem.code == "not_found" => {
                        if sent.iter().any(|id| names(&problem, *id)) {
                            self.new_ids.forget(&problem, &sent);
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

    async fn set_links(&self, linking: &Linking, mut links: Vec<Link>) -> Result<(), Error> {
        if linking.was_there {
            let memory = self.client.memory(linking.memory).await?;
            links = joined(&memory.links, links);
            if memory.version != 1 || links.len() == memory.links.len() {
                return Ok(());
            }
        }
        // Another file may bring more targets, so the key covers the set of links.
        let key = format!("import-links-{}-{}", linking.memory, digest("links", &links));
        let edit = EditMemory { links: Some(links), ..EditMemory::default() };
        self.client.keyed(key).edit_memory(linking.memory, &edit).await.map(|_| ())
    }

    fn learn(&mut self, old: &[Option<Uuid>], new: &[Option<Uuid>]) {
        for (old, new) in old.iter().zip(new) {
            let (Some(old), Some(new)) = (*old, *new) else { continue };
            self.new_ids.insert(old, new);
            self.later.arrived(old);
        }
    }
}

/// Idempotency key of a batch with items that the server would not recognise. It covers the ids in them, which depend on
/// what was imported before.
fn key_of(key: &str, batch: &impl serde::Serialize) -> String {
    format!("import-{}", digest(key, batch))
}
