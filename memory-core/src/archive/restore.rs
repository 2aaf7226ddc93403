//! Import of an archive: memories are written as they were, with their ids, times, versions, derivations and links, one
//! change set for each call. What is there already is answered, and gets the references that were missing before.

use std::collections::BTreeSet;

use super::check;
use super::request::{MemoryToRestore, RestoreMemories};
use crate::domain::change::{ChangeSet, NewMemory, Outcome};
use crate::domain::id::JobId;
use crate::domain::memory::{Memory, Strength};
use crate::domain::restoration::{Restoration, Restored};
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin, needs_write};
use crate::error::Error;
use crate::indexing::{TextToIndex, groups_of};
use crate::text::count_tokens;

/// Maximum number of attempts when an embedder is changed or a memory is erased meanwhile.
const TRIES: usize = 3;

impl Engine {
    /// Writes memories of an archive. The answer has one entry per memory, in order.
    ///
    /// A memory keeps its id unless another owner has it. Links and inputs of derivations lead only to what the owner has;
    /// the others are left out and counted, and added when the memory is sent again after their targets.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to administer and to write, or the
    /// store fails. Nothing is written then. A failure of the embedder is none: the vectors are made later.
    pub async fn restore_memories(
        &self,
        caller: &Caller,
        request: RestoreMemories,
    ) -> Result<Vec<Restored>, Error> {
        needs_admin(caller)?;
        needs_write(caller)?;
        let owner = check::memories(&request, &self.limits)?;
        let now = self.now();
        check::checked_at(request.checked_at, now)?;
        let mut set = ChangeSet::new(caller.tenant, owner, now);
        (set.again, set.restored_check) = (request.again, request.checked_at);
        set.restorations = request.memories.into_iter().map(|one| self.restoration(one)).collect();
        let is_pending = |one: &Restoration| one.turn.as_ref().is_some_and(|turn| turn.is_pending);
        if set.restorations.iter().any(is_pending) {
            self.thinking.request(&mut set, || JobId(self.ids.next(now)));
        }
        // No job follows: the digests of these days may be among the memories of a later call.
        set.queue_restored_for = self.thinking.queues_of_days(&set);
        for _ in 0..TRIES {
            let embedder = self.add_rows(&mut set).await?;
            let mut attempt = set.clone();
            self.embed_later(&mut attempt);
            match self.commits.commit(attempt).await {
                Err(Error::Busy) if self.active_embedder().id != embedder => {}
                Err(Error::ScopeChanged) if !set.unprepared.is_empty() => {}
                Ok(Outcome::Committed(committed)) => return Ok(committed.restored),
                Ok(Outcome::Repeated(_)) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Busy)
    }

    /// Makes the index rows of the memories that have to be written; returns the embedder.
    async fn add_rows(&self, set: &mut ChangeSet) -> Result<crate::domain::embedder::EmbedderId, Error> {
        let there: BTreeSet<usize> = self.store.restored(set).await?;
        let texts = set.restorations.iter().enumerate().map(|(index, one)| match there.contains(&index) {
            true => TextToIndex::plain(""),
            false => TextToIndex::of_memory(&one.present.memory),
        });
        let indexed = self.index_texts_for_now(&texts.collect::<Vec<_>>(), "records").await?;
        for (one, rows) in set.restorations.iter_mut().zip(indexed.rows) {
            one.present.rows = rows;
        }
        set.unprepared = there;
        set.embedder = Some(indexed.embedder);
        Ok(indexed.embedder)
    }

    fn restoration(&self, one: MemoryToRestore) -> Restoration {
        let counted = |memory: Memory| Memory { tokens: count_tokens(&memory.text), ..memory };
        let MemoryToRestore { memory, strength, key, turn, earlier, derivations } = one;
        let mut memory = counted(memory);
        memory.strength.strength = strength.unwrap_or(Strength::INITIAL);
        let groups = groups_of(&memory);
        Restoration {
            present: NewMemory { key, memory, derivation: None, rows: Vec::new(), groups },
            turn,
            earlier: earlier.into_iter().map(counted).collect(),
            derivations,
        }
    }
}
