//! Reads of an export, one page of ids and one memory at a time: memory is bounded by the history of one memory.

use std::collections::BTreeSet;

use super::request::{ArchivePage, Archived, ArchivedMemories};
use crate::domain::derivation::Derivation;
use crate::domain::filter::Filter;
use crate::domain::id::{DerivationId, MemoryId, PartitionId, SessionId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::domain::turn::Session;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::{narrowed, owner};
use crate::store::{IdPage, MatchingIds, StoreError, leave_out};

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
        match self.store.matching_ids(partition, &filter, page).await {
            Ok(MatchingIds { ids, has_more, unreadable, .. }) => {
                let last = ids.last().copied();
                Ok(ArchivePage { ids, last, has_more, unreadable, met_damage: false })
            }
            Err(StoreError::Damaged(cause)) => {
                tracing::error!(
                    error = &*cause,
                    "damaged pages: the memories are listed by what is beside them"
                );
                self.page_beside_damage(partition, &filter, after, limit).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Page of an owner whose memories are partly on damaged pages. Memories that cannot be read are among the ids.
    async fn page_beside_damage(
        &self,
        partition: PartitionId,
        filter: &Filter,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<ArchivePage, Error> {
        let mut page = ArchivePage { met_damage: true, ..ArchivePage::default() };
        let listed = self.store.ids_beside_memories(partition, after, limit).await?;
        page.has_more = listed.len() as u64 >= u64::from(limit);
        // The last one is kept, since the next page begins after it.
        let last = listed.last().copied();
        for id in listed {
            let is_other = match self.store.memories(partition, &[id]).await {
                Ok(found) => found.iter().any(|memory| !filter.matches(memory)),
                Err(StoreError::Damaged(_)) => false,
                Err(error) => return Err(error.into()),
            };
            if !is_other {
                page.ids.push(id);
            }
        }
        page.last = last;
        Ok(page)
    }

    /// Moment of the last check of the owner of a scope by draws ([`Rule::ConditionalDraw`](crate::retention::Rule)), from which its
    /// next sweep draws; `None` if there was none.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn archived_check(&self, caller: &Caller, scope: &Scope) -> Result<Option<Timestamp>, Error> {
        needs_read(caller)?;
        match self.store.partition_of(caller.tenant, &owner(scope)?).await? {
            Some(partition) => Ok(self.store.checked_at(partition).await?),
            None => Ok(None),
        }
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
        let together = self.archived_together(caller, partition, ids, sessions).await;
        if !is_of_pages(&together) {
            return together;
        }
        let mut read = ArchivedMemories { met_damage: true, ..ArchivedMemories::default() };
        for id in ids {
            match self.archived_together(caller, partition, &[*id], sessions).await {
                Ok(one) => {
                    read.memories.extend(one.memories);
                    read.unreadable += one.unreadable;
                }
                Err(Error::Store(error @ StoreError::Damaged(_))) => {
                    leave_out(1, &error);
                    read.unreadable += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Memories that are read together: one damaged page fails them all.
    async fn archived_together(
        &self,
        caller: &Caller,
        partition: PartitionId,
        ids: &[MemoryId],
        sessions: &mut Vec<Session>,
    ) -> Result<ArchivedMemories, Error> {
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
        Ok(ArchivedMemories { memories: archived, unreadable, met_damage: false })
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

/// True for a failure that is about pages of the database, of which others may be whole.
fn is_of_pages<T>(read: &Result<T, Error>) -> bool {
    matches!(read, Err(Error::Store(StoreError::Damaged(_))))
}

/// Value that was read; `None` if it cannot be decoded, which is counted and logged.
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
