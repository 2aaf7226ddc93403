//! Looking: lists, single memories with their history and making, sessions and turns, owners.

use std::collections::HashSet;

use super::request::{ListMemories, MemoryPage};
use crate::domain::derivation::Derivation;
use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Caller, Scope};
use crate::domain::turn::{Session, Turn};
use crate::domain::zone::Zone;
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::field_checks;
use crate::scope::{narrowed, owner};
use crate::store::{IdPage, MatchingIds, OwnerEntry, StoredMemory};

/// Texts that are read at a time: a text may be a megabyte long.
const TEXTS_PER_READ: usize = 64;

impl Engine {
    /// A page of a scope's own memories, in the order in which they were first recorded. It ends early when its texts reach
    /// [`crate::limits::Limits::page_text_bytes`].
    pub async fn list(&self, caller: &Caller, request: ListMemories) -> Result<MemoryPage, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(request.limit, &self.limits)?;
        let page = IdPage { after: request.after, newest_first: request.newest_first, limit };
        let own = self.own_matching(caller, &request.scope, &request.filter, page).await?;
        let Some((partition, MatchingIds { ids, total, has_more, mut unreadable })) = own else {
            let none = Vec::new();
            return Ok(MemoryPage { memories: none, total: 0, has_more: false, last: None, unreadable: 0 });
        };
        let (mut memories, mut text_bytes) = (Vec::new(), 0);
        for some in ids.chunks(TEXTS_PER_READ) {
            let found = self.store.memories(partition, some).await?;
            let read: Vec<MemoryId> = found.iter().map(|memory| memory.id).collect();
            unreadable += self.unreadable_among(caller, some, &read).await?;
            for memory in found {
                if text_bytes >= self.limits.page_text_bytes {
                    let last = memories.last().map(|last: &Memory| last.id);
                    return Ok(MemoryPage { memories, total, last, has_more: true, unreadable });
                }
                text_bytes += memory.text.len();
                memories.push(memory);
            }
        }
        Ok(MemoryPage { memories, total, last: ids.last().copied(), has_more, unreadable })
    }

    /// Number of memories among `ids` that exist and cannot be decoded, `read` being those that can.
    pub(crate) async fn unreadable_among(
        &self,
        caller: &Caller,
        ids: &[MemoryId],
        read: &[MemoryId],
    ) -> Result<u64, Error> {
        if read.len() == ids.len() {
            return Ok(0);
        }
        let read: HashSet<MemoryId> = read.iter().copied().collect();
        let mut unreadable = 0;
        for id in ids.iter().filter(|id| !read.contains(id)) {
            // An erased one has no owner any more.
            let owner = self.store.owner_of_memory(caller.tenant, *id).await?;
            unreadable += u64::from(owner.is_some());
        }
        Ok(unreadable)
    }

    /// A memory, with whose it is.
    pub async fn memory(&self, caller: &Caller, id: MemoryId) -> Result<StoredMemory, Error> {
        needs_read(caller)?;
        self.stored_memory(caller, id).await
    }

    /// All versions of a memory, the oldest first.
    pub async fn history(&self, caller: &Caller, id: MemoryId) -> Result<Vec<Memory>, Error> {
        needs_read(caller)?;
        let stored = self.stored_memory(caller, id).await?;
        let mut versions = self.store.earlier_versions(stored.partition, id).await?;
        // An edit may have come between the two looks: what was the present one is then among the earlier ones.
        versions.retain(|version| version.version < stored.memory.version);
        versions.push(stored.memory);
        Ok(versions)
    }

    /// Versions of a memory from a number on, oldest first, and true if more follow. A page ends early when its texts reach
    /// [`crate::limits::Limits::page_text_bytes`].
    ///
    /// # Errors
    /// [`Error::NotFound`], and [`Error::OverLimit`] or [`Error::Invalid`] for a `limit` outside its range.
    pub async fn history_page(
        &self,
        caller: &Caller,
        id: MemoryId,
        from_version: u32,
        limit: u32,
    ) -> Result<(Vec<Memory>, bool), Error> {
        let limit = field_checks::page(limit, &self.limits)? as usize;
        let (mut page, mut text_bytes) = (Vec::new(), 0);
        let versions = self.history(caller, id).await?;
        for version in versions.into_iter().filter(|version| version.version >= from_version) {
            if page.len() == limit || text_bytes >= self.limits.page_text_bytes {
                return Ok((page, true));
            }
            text_bytes += version.text.len();
            page.push(version);
        }
        Ok((page, false))
    }

    /// The derivation of a memory, if it was derived.
    pub async fn derivation(&self, caller: &Caller, id: MemoryId) -> Result<Option<Derivation>, Error> {
        needs_read(caller)?;
        let stored = self.stored_memory(caller, id).await?;
        Ok(self.store.derivation(stored.partition, id).await?)
    }

    /// A scope's sessions from an ordinal on.
    pub async fn sessions(
        &self,
        caller: &Caller,
        scope: &Scope,
        from_ordinal: u32,
        limit: u32,
    ) -> Result<Vec<Session>, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(limit, &self.limits)?;
        match self.own_partition(caller, scope).await? {
            Some(partition) => Ok(self.store.sessions(partition, from_ordinal, limit).await?),
            None => Ok(Vec::new()),
        }
    }

    /// A session's turns from a place on, and true if more follow. A page ends early when its texts reach
    /// [`crate::limits::Limits::page_text_bytes`].
    pub async fn session_turns(
        &self,
        caller: &Caller,
        id: SessionId,
        from_seq: u32,
        limit: u32,
    ) -> Result<(Session, Vec<Turn>, bool), Error> {
        needs_read(caller)?;
        let limit = field_checks::page(limit, &self.limits)? as usize;
        let found = self.store.session(caller.tenant, id).await?;
        let (_, session) = found.ok_or_else(|| Error::NotFound { what: "session", id: id.to_string() })?;
        let (mut turns, mut text_bytes, mut from) = (Vec::new(), 0, from_seq);
        loop {
            // One more than the page has room for shows that more follow.
            let wanted = (limit + 1 - turns.len()).min(TEXTS_PER_READ);
            let some = self.store.turns(id, from, u32::try_from(wanted).unwrap_or(u32::MAX)).await?;
            let is_end = some.len() < wanted;
            for turn in some {
                if turns.len() == limit || text_bytes >= self.limits.page_text_bytes {
                    return Ok((session, turns, true));
                }
                text_bytes += turn.text.len();
                from = turn.seq.saturating_add(1);
                turns.push(turn);
            }
            if is_end {
                return Ok((session, turns, false));
            }
        }
    }

    /// Single turns of a scope, those that are there.
    pub async fn turns(&self, caller: &Caller, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, Error> {
        needs_read(caller)?;
        match self.own_partition(caller, scope).await? {
            Some(partition) => Ok(self.store.turns_by_id(partition, ids).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Everyone who owns memories.
    pub async fn owners(
        &self,
        caller: &Caller,
        after: Option<PartitionId>,
        limit: u32,
    ) -> Result<Vec<OwnerEntry>, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(limit, &self.limits)?;
        Ok(self.store.owners(caller.tenant, after, limit).await?)
    }

    /// Zone in which the bare dates of a change of a memory are read: that of its owner, else that of the settings.
    ///
    /// # Errors
    /// [`Error`] when the caller lacks the right to write, the memory does not exist for the caller, or the store fails.
    pub async fn zone_of_memory(&self, caller: &Caller, id: MemoryId) -> Result<Zone, Error> {
        needs_write(caller)?;
        let owner = self.stored_memory(caller, id).await?.owner;
        Ok(self.zone_of_owner(caller.tenant, &owner))
    }

    pub(super) async fn stored_memory(&self, caller: &Caller, id: MemoryId) -> Result<StoredMemory, Error> {
        let stored = self.store.memory(caller.tenant, id).await?;
        stored.ok_or_else(|| Error::NotFound { what: "memory", id: id.to_string() })
    }

    /// The partition that a scope owns.
    pub(super) async fn own_partition(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Option<PartitionId>, Error> {
        let owner = owner(scope)?;
        Ok(self.store.partition_of(caller.tenant, &owner).await?)
    }

    /// A page of the memories that a scope owns and a filter selects, expired ones included; none without a partition.
    pub(super) async fn own_matching(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: &Filter,
        page: IdPage,
    ) -> Result<Option<(PartitionId, MatchingIds)>, Error> {
        filter.check().map_err(|error| Error::invalid("filter", error))?;
        let Some(partition) = self.own_partition(caller, scope).await? else { return Ok(None) };
        let filter = narrowed(filter, scope, scope.owner().map(|owner| owner.kind));
        Ok(Some((partition, self.store.matching_ids(partition, &filter, page).await?)))
    }
}
