//! Recall of notes as published (A-MEM, section 3.4): the k nearest by cosine, and the notes that they are linked with,
//! within a budget of their own.

use std::collections::BTreeSet;

use super::known::notes_at;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::index::View;
use crate::scope::owner;

/// Maximum number of notes that a recall returns, of those found and of those linked each.
pub const NOTES_PER_RECALL: u32 = 100;

/// Note with its cosine to the query.
#[derive(Clone, Debug)]
pub struct RecalledNote {
    /// Note.
    pub memory: Memory,
    /// Cosine.
    pub similarity: f32,
}

/// Result of a recall of notes.
#[derive(Clone, Debug, Default)]
pub struct RecalledNotes {
    /// Notes nearest to the query, the nearest first.
    pub notes: Vec<RecalledNote>,
    /// Notes to which one of them is linked, in the order of those.
    pub linked: Vec<Memory>,
}

/// Numbers of notes that a recall asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotesAsked {
    /// Maximum number of nearest notes, 1 to [`NOTES_PER_RECALL`].
    pub limit: u32,
    /// Maximum number of linked notes, 0 to [`NOTES_PER_RECALL`].
    pub linked: u32,
}

impl Engine {
    /// Recalls notes as published: the nearest ones, and those that they are linked with. A linked note takes no place of a
    /// nearest one. Forgotten notes are hidden as in every recall.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to read, or the embedder, the
    /// index or the store fails.
    pub async fn recall_notes(
        &self,
        caller: &Caller,
        scope: &Scope,
        (query, asked): (&str, NotesAsked),
        partner: Option<&Name>,
    ) -> Result<RecalledNotes, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        field_checks::query(query, &self.limits)?;
        if !(1..=NOTES_PER_RECALL).contains(&asked.limit) {
            return Err(Error::invalid("limit", format!("must be between 1 and {NOTES_PER_RECALL}")));
        }
        if asked.linked > NOTES_PER_RECALL {
            return Err(Error::invalid("linked", format!("must be at most {NOTES_PER_RECALL}")));
        }
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(RecalledNotes::default());
        };
        let vector = self.active_embedder().embedder.embed_query(query).await?;
        let forgetting = Some(self.forgetting_of(caller.tenant, &owner));
        let view = View { forgetting, ..notes_at(self.now(), partner.cloned()) };
        let found = self.index.nearest(partition, &[vector.into()], &view, asked.limit as usize).await?;
        let found = found.into_iter().next().unwrap_or_default();
        let ids: Vec<MemoryId> = found.iter().map(|one| one.memory).collect();
        let memories = self.store.memories(partition, &ids).await?;
        let note = |memory: Memory| {
            let similarity = found.iter().find(|one| one.memory == memory.id)?.similarity;
            Some(RecalledNote { memory, similarity })
        };
        let notes: Vec<RecalledNote> = memories.into_iter().filter_map(note).collect();
        let mut seen: BTreeSet<MemoryId> = ids.into_iter().collect();
        let links = notes.iter().flat_map(|one| &one.memory.links).map(|link| link.to);
        let linked: Vec<MemoryId> = links.filter(|to| seen.insert(*to)).collect();
        let mut linked = self.store.memories(partition, &linked).await?;
        linked.retain(|memory| memory.kind == Kind::Note && view.hides(memory).is_none());
        linked.truncate(asked.linked as usize);
        Ok(RecalledNotes { notes, linked })
    }
}
