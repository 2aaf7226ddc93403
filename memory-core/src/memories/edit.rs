//! Edit of a memory: the edited memory becomes a new version. The source turn of a memory stays unchanged.

use super::request::Edit;
use crate::domain::change::{ChangeSet, Idempotency, Outcome, Revision};
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_write};
use crate::error::Error;
use crate::field_checks;
use crate::indexing::{TextToIndex, groups_of};
use crate::limits::Limits;
use crate::store::StoredMemory;
use crate::text::count_tokens;

/// Maximum number of attempts of an edit without `if_version` when other writers commit first: edits of one memory take turns.
const TRIES: usize = 8;

impl Engine {
    /// Writes a new version of a memory and returns it with its owner. A repeated request with the same idempotency key returns the
    /// present version.
    ///
    /// # Errors
    /// [`Error`] when the edit is invalid, the memory does not exist in the scope, it is at another version than
    /// `if_version`, or the embedder or the store fails. Nothing is written then.
    pub async fn edit(
        &self,
        caller: &Caller,
        id: MemoryId,
        edit: Edit,
        idempotency: Option<Idempotency>,
    ) -> Result<StoredMemory, Error> {
        needs_write(caller)?;
        check(id, &edit, &self.limits)?;
        let owner = self.stored_memory(caller, id).await?.owner;
        if self.earlier(caller, Some(&owner), idempotency.as_ref()).await?.is_some() {
            return self.stored_memory(caller, id).await;
        }
        let _turn = self.edits.lock(id).await;
        let mut last = Error::Busy;
        for _ in 0..TRIES {
            let stored = self.stored_memory(caller, id).await?;
            match self.edit_version(caller, &stored, &edit, idempotency.clone()).await {
                Err(Error::VersionConflict { .. } | Error::Busy) if edit.if_version.is_none() => {
                    last = Error::Busy
                }
                outcome => return outcome,
            }
        }
        Err(last)
    }

    async fn edit_version(
        &self,
        caller: &Caller,
        stored: &StoredMemory,
        edit: &Edit,
        idempotency: Option<Idempotency>,
    ) -> Result<StoredMemory, Error> {
        let present = stored.memory.version;
        if let Some(expected) = edit.if_version.filter(|expected| *expected != present) {
            return Err(Error::VersionConflict { id: stored.memory.id.to_string(), expected, present });
        }
        let now = self.now();
        let mut memory = edited(&stored.memory, edit)?;
        memory.version = present + 1;
        memory.recorded_at = now;
        let mut set = ChangeSet::new(caller.tenant, stored.owner.clone(), now);
        set.idempotency = idempotency;
        if memory.text != stored.memory.text {
            // The text is the caller's now; the version before keeps the record of its maker.
            memory.derivation = None;
            memory.tokens = count_tokens(&memory.text);
        }
        let rows = if memory.key_text() == stored.memory.key_text() {
            None
        } else {
            let mut indexed = self.index_texts_for_now(&[TextToIndex::of_memory(&memory)], "text").await?;
            set.embedder = Some(indexed.embedder);
            indexed.rows.pop()
        };
        let keeps_links = edit.links.is_none();
        let has_other_statement = memory.statement != stored.memory.statement;
        set.revisions.push(Revision {
            memory: memory.clone(),
            derivation: None,
            rows,
            groups: has_other_statement.then(|| groups_of(&memory)),
            keeps_links,
        });
        self.embed_later(&mut set);
        self.remake_digests_of(&mut set, [&stored.memory, &memory]);
        match self.commits.commit(set).await? {
            Outcome::Committed(_) => Ok(StoredMemory { memory, ..stored.clone() }),
            Outcome::Repeated(_) => self.stored_memory(caller, stored.memory.id).await,
        }
    }
}

fn check(id: MemoryId, edit: &Edit, limits: &Limits) -> Result<(), Error> {
    if let Some(text) = &edit.text {
        field_checks::text("text".to_owned(), text, limits)?;
    }
    field_checks::names("tags".to_owned(), edit.tags.as_ref().map_or(0, Vec::len), limits)?;
    field_checks::names("subjects".to_owned(), edit.subjects.as_ref().map_or(0, Vec::len), limits)?;
    field_checks::names("audience".to_owned(), edit.audience.as_ref().map_or(0, Vec::len), limits)?;
    let statement = edit.statement.as_ref().and_then(Option::as_ref);
    field_checks::confidence("statement.confidence".to_owned(), statement)?;
    field_checks::links("links", Some(id), edit.links.as_deref().unwrap_or_default(), limits)?;
    field_checks::importance("importance".to_owned(), edit.importance)
}

/// The present memory with the edit applied.
fn edited(present: &Memory, edit: &Edit) -> Result<Memory, Error> {
    let edit = edit.clone();
    let mut memory = present.clone();
    memory.text = edit.text.unwrap_or(memory.text);
    let kept = present.statement.clone().filter(|_| memory.text == present.text);
    memory.statement = edit.statement.unwrap_or(kept);
    // It describes the text that it was made with.
    memory.annotation = memory.annotation.filter(|_| memory.text == present.text);
    memory.audience = edit.audience.unwrap_or(memory.audience);
    memory.tags = edit.tags.unwrap_or(memory.tags);
    memory.subjects = edit.subjects.unwrap_or(memory.subjects);
    memory.links = edit.links.unwrap_or(memory.links);
    memory.metadata = edit.metadata.unwrap_or(memory.metadata);
    memory.happened.at = edit.happened_at.unwrap_or(memory.happened.at);
    memory.happened.offset = edit.utc_offset.or(memory.happened.offset);
    memory.strength = memory.strength.moved(present.happened.at, memory.happened.at);
    memory.valid.start = edit.valid_from.unwrap_or(memory.valid.start);
    memory.valid.end = edit.valid_to.unwrap_or(memory.valid.end);
    memory.expires_at = edit.expires_at.unwrap_or(memory.expires_at);
    memory.strength.importance = edit.importance.unwrap_or(memory.strength.importance);
    memory.visibility = edit.visibility.unwrap_or(memory.visibility);
    if !memory.valid.is_ordered() {
        return Err(Error::invalid("valid_to", "must not lie before valid_from"));
    }
    if memory.happened.until.is_some_and(|until| until < memory.happened.at) {
        return Err(Error::invalid("happened_at", "must not lie after the end of what happened"));
    }
    Ok(memory)
}
