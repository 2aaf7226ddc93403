//! Sends batches to a server, each under its own key: what is there already is not added again, so an import that broke
//! off is taken up by starting it anew.
//!
//! Memories of our own export name the turns and memories that they were made of by the ids of the old store. Batches
//! are sent in order, and the answers tell the new ids, so names are replaced on the way. A source that is not among
//! what came before cannot be named; it is left out and counted.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Batch, FormatError, ImportItem};
use crate::client::{Client, Error};

/// An import on its way.
#[derive(Debug)]
pub struct Import<'a> {
    client: &'a Client,
    /// New ids by old ones. Stays empty for formats that have none.
    new_ids: HashMap<Uuid, Uuid>,
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
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A batch cannot be added.
    #[error("{place}: cannot be added")]
    Add {
        /// Where the batch begins.
        place: super::Place,
        /// Why.
        #[source]
        source: Error,
    },
}

impl<'a> Import<'a> {
    /// An import into the server of `client`.
    pub fn new(client: &'a Client) -> Self {
        Self { client, new_ids: HashMap::new(), imported: Imported::default() }
    }

    /// Adds a batch, and tells how far the import has come with it.
    ///
    /// # Errors
    /// [`ImportError::Add`]; the batch can be sent again.
    pub async fn send(&mut self, item: ImportItem) -> Result<Imported, ImportError> {
        let place = item.place.clone();
        self.add(item).await.map_err(|source| ImportError::Add { place, source })?;
        Ok(self.imported)
    }

    async fn add(&mut self, item: ImportItem) -> Result<(), Error> {
        let ImportItem { key, mut batch, old_turn_ids, old_memory_ids, edits, .. } = item;
        let write = self.client.keyed(&key);
        let (memory_ids, repeated) = match &mut batch {
            Batch::Turns(batch) => {
                let added = write.add_turns(batch).await?;
                self.learn(&old_turn_ids, &added.turn_ids);
                self.imported.turns += batch.turns.len() as u64;
                (added.memory_ids, added.repeated)
            }
            Batch::Memories(batch) => {
                let lost: usize =
                    batch.memories.iter_mut().map(|memory| self.rename(&mut memory.sources)).sum();
                let added = write.add_memories(batch).await?;
                self.imported.memories += batch.memories.len() as u64;
                self.imported.sources_lost += lost as u64;
                (added.memory_ids, added.repeated)
            }
        };
        self.learn(&old_memory_ids, &memory_ids);
        self.imported.repeated_batches += u64::from(repeated);
        for edit in &edits {
            if let Some(&id) = memory_ids.get(edit.index) {
                let write = self.client.keyed(format!("{key}-edit-{}", edit.index));
                write.edit_memory(id, &edit.edit).await?;
            }
        }
        Ok(())
    }

    fn learn(&mut self, old: &[Option<Uuid>], new: &[Uuid]) {
        self.new_ids.extend(old.iter().zip(new).filter_map(|(old, &new)| Some(((*old)?, new))));
    }

    /// Replaces old ids by new ones; how many have none.
    fn rename(&self, ids: &mut Vec<Uuid>) -> usize {
        let before = ids.len();
        *ids = ids.iter().filter_map(|id| self.new_ids.get(id).copied()).collect();
        before - ids.len()
    }
}
