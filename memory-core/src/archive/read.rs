//! Reads of an export, one page of ids and one memory at a time: memory is bounded by the history of one memory.

use std::collections::BTreeSet;

use super::request::{ArchivePage, Archived, ArchivedMemories};
use crate::domain::derivation::Derivation;
use crate::domain::filter::Filter;
use crate::domain::id::{DerivationId, MemoryId, PartitionId, SessionId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Caller, Scope};
use crate::domain::turn::Session;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::{narrowed, owner};
use crate::store::{IdPage, StoreError, leave_out};

impl Engine {
    /// Ids of the memories that a scope owns, after an id, in ascending order, which is that of their creation.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn archive_page(
        &self,
        caller: &Caller,
        scope: &Scope,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<ArchivePage, Error> {
        needs_read(caller)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner(scope)?).await? else {
            return Ok(ArchivePage::default());
        };
        let filter = narrowed(&Filter::everything(), scope, scope.owner().map(|owner| owner.kind));
        let page = IdPage { after, newest_first: false, limit };
        let found = self.store.matching_ids(partition, &filter, page).await?;
        Ok(ArchivePage { ids: found.ids, has_more: found.has_more, unreadable: found.unreadable })
    }

    /// Memories of a scope with all that belongs to them, those of `ids` that are there and can be decoded.
    /// `sessions` are those of the call before: turns of one session follow each other.
    ///
    /// # Errors
    /// As [`Engine::archive_page`].
    pub async fn archived(
        &self,
        caller: &Caller,
        scope: &Scope,
        ids: &[MemoryId],
        sessions: &mut Vec<Session>,
    ) -> Result<ArchivedMemories, Error> {
        needs_read(caller)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner(scope)?).await? else {
            return Ok(ArchivedMemories::default());
        };
        let memories = self.store.memories(partition, ids).await?;
        let turn_ids: Vec<_> =
            memories.iter().filter_map(|memory| Some(memory.origin.as_ref()?.turn)).collect();
        let mut turns = if turn_ids.is_empty() {
            Vec::new()
        } else {
            self.store.turns_by_id(partition, &turn_ids).await?
        };
        self.find_sessions(
            caller,
            memories.iter().filter_map(|memory| Some(memory.origin.as_ref()?.session)),
            sessions,
        )
        .await?;
        let mut parts = self.store.parts(partition, ids).await?;
        let mut archived = Vec::with_capacity(memories.len());
        for memory in memories {
            let Some((earlier, derivations)) = self.history_of(partition, &memory).await? else { continue };
            let turn = match &memory.origin {
                None => None,
                Some(origin) => {
                    let found = turns.iter().position(|turn| turn.id == origin.turn);
                    let session = sessions.iter().find(|session| session.id == origin.session);
                    match (found.map(|at| turns.swap_remove(at)), session) {
                        (Some(turn), Some(session)) => Some((turn, session.clone())),
                        // It was erased since the memory was read, or cannot be decoded.
                        _ => continue,
                    }
                }
            };
            archived.push(Archived {
                key: parts.keys.remove(&memory.id),
                is_pending: parts.pending.contains(&memory.id),
                memory,
                turn,
                earlier,
                derivations,
            });
        }
        let read: Vec<MemoryId> = archived.iter().map(|one| one.memory.id).collect();
        let unreadable = self.unreadable_among(caller, ids, &read).await?;
        Ok(ArchivedMemories { memories: archived, unreadable })
    }

    /// Earlier versions of a memory and the derivations of all of its versions; `None` if one of them cannot be decoded: a
    /// copy without it would not be erased with its sources.
    async fn history_of(
        &self,
        partition: PartitionId,
        memory: &Memory,
    ) -> Result<Option<(Vec<Memory>, Vec<Derivation>)>, Error> {
        let earlier = match memory.version {
            0 | 1 => Vec::new(),
            _ => match decoded(self.store.earlier_versions(partition, memory.id).await)? {
                Some(earlier) => earlier,
                None => return Ok(None),
            },
        };
        let made: BTreeSet<DerivationId> =
            earlier.iter().chain([memory]).filter_map(|version| version.derivation).collect();
        let made = Vec::from_iter(made);
        if made.is_empty() {
            return Ok(Some((earlier, Vec::new())));
        }
        let derivations = decoded(self.store.derivations_by_id(partition, &made).await)?;
        Ok(derivations.map(|mut derivations| {
            derivations.sort_by_key(|derivation| derivation.id);
            (earlier, derivations)
        }))
    }

    /// Reads the sessions that are not known yet, and forgets those that are not among them.
    async fn find_sessions(
        &self,
        caller: &Caller,
        wanted: impl Iterator<Item = SessionId>,
        known: &mut Vec<Session>,
    ) -> Result<(), Error> {
        let wanted: BTreeSet<SessionId> = wanted.collect();
        known.retain(|session| wanted.contains(&session.id));
        for id in wanted {
            if known.iter().any(|session| session.id == id) {
                continue;
            }
            let found = decoded(self.store.session(caller.tenant, id).await)?.flatten();
            known.extend(found.map(|(_, session)| session));
        }
        Ok(())
    }
}

/// What was read; `None` if it cannot be decoded, which is counted and logged.
fn decoded<T>(read: Result<T, StoreError>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ StoreError::Corrupt { .. }) => {
            leave_out(1, &error);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
