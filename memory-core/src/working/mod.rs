//! Working memory of a session: its newest turns, what was recalled for it, its open threads and its digest, within a budget
//! (ADR 0046).
//!
//! It is computed from the store and the access log with every read, so that no copy of a text outlives an erasure. This file
//! holds the asynchronous steps; [`mod@contents`], [`admission`] and [`threads`] are pure.

pub mod admission;
mod contents;
pub mod request;
pub mod response;
pub mod threads;

pub use contents::THREADS_AT_MOST;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::change::ChangeSet;
use crate::domain::consolidation::SESSION_DIGESTS;
use crate::domain::derivation::Derivation;
use crate::domain::filter::Filter;
use crate::domain::id::{JobId, MemoryId, PartitionId};
use crate::domain::memory::{DocumentName, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::turn::Session;
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::recall::told::{Coverage, sums_up};
use crate::recall::validity_note::Reader;
use crate::scope::{narrowed, owner};
use crate::store::RecallRecord;
use contents::{Read, contents};
use request::ReadWorkingMemory;
use response::{ClosedSession, WorkingMemory};

/// Maximum number of turns that one read looks at, the newest ones.
pub const TURNS_READ: u32 = 128;
/// Maximum number of recalls of a session that one read looks at, the newest ones.
pub const RECALLS_READ: u32 = 32;
/// Maximum number of recalled memories that one read looks at, those of the newest recalls.
pub const RECALLED_READ: usize = 128;

impl Engine {
    /// Working memory of a session.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a session without turns in the scope; [`Error`] when the scope is invalid, the budget is over the
    /// limit, the caller lacks the right to read, or the store fails.
    pub async fn working_memory(
        &self,
        caller: &Caller,
        request: ReadWorkingMemory,
    ) -> Result<WorkingMemory, Error> {
        needs_read(caller)?;
        let limit = self.limits.budget_tokens;
        if request.budget_tokens > limit {
            let what = "the length of the context block in tokens";
            return Err(Error::OverLimit { field: "budget_tokens".to_owned(), what, limit: limit.into() });
        }
        let (partition, session) = self.session_of(caller, &request.scope, &request.session).await?;
        let now = request.now.unwrap_or_else(|| self.now());
        let filter =
            narrowed(&Filter::everything(), &request.scope, owner(&request.scope).ok().map(|own| own.kind));
        let is_visible = |memory: &Memory| {
            memory.expires_at.is_none_or(|expires| expires > now)
                && memory.may_be_told_to(request.partner.as_ref())
                && filter.matches(memory)
        };
        // A recall made just before is to be seen.
        self.access_log.settle().await;
        let newest = self.store.newest_turns(session.id, TURNS_READ).await?;
        let mut turns = self.store.memories_of_turns(partition, &newest).await?;
        turns.retain(|turn| is_visible(turn));
        turns.sort_unstable_by_key(|turn| turn.origin.as_ref().map(|origin| origin.seq));
        let digest = self.session_digest(partition, &session.key).await?.filter(|digest| is_visible(digest));
        let recalls = self.store.recalls_of_session(partition, &session.key, RECALLS_READ).await?;
        let known: BTreeSet<MemoryId> = turns.iter().chain(&digest).map(|memory| memory.id).collect();
        let ids = recalled_ids(&recalls, &known);
        let mut recalled = self.store.memories(partition, &ids).await?;
        let has_ended = |memory: &Memory| memory.valid.end.is_some_and(|end| end <= now);
        recalled.retain(|memory| is_visible(memory) && !has_ended(memory));
        let reader = Reader { valid_at: now, zone: request.zone, granted: BTreeMap::new() };
        let coverage = self.coverage_of(partition, recalled.iter().chain(&digest)).await?;
        let read = Read { session, turns, recalls, recalled, digest, coverage };
        Ok(contents(read, &reader, request.budget_tokens))
    }

    /// Closes a session, and asks for its digest where the profile of the owner makes digests. A session that is closed
    /// already stays closed since the same time. A new turn opens it again.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a session without turns in the scope; [`Error`] when the scope is invalid, the caller lacks the
    /// right to write, or the store fails.
    pub async fn close_session(
        &self,
        caller: &Caller,
        scope: &Scope,
        key: &Name,
    ) -> Result<ClosedSession, Error> {
        needs_write(caller)?;
        let (_, session) = self.session_of(caller, scope, key).await?;
        let now = self.now();
        let mut set = ChangeSet::new(caller.tenant, owner(scope)?, now);
        set.sessions.closes = Some(session.id);
        self.thinking.ask_digests(&mut set, || JobId(self.ids.next(now)));
        let asks_digest = set.sessions.asks.is_some();
        self.commits.commit(set).await?;
        let (_, session) = self.session_of(caller, scope, key).await?;
        Ok(ClosedSession { session, asks_digest })
    }

    /// Session of a scope by its key, with its partition.
    async fn session_of(
        &self,
        caller: &Caller,
        scope: &Scope,
        key: &Name,
    ) -> Result<(PartitionId, Session), Error> {
        let not_found = || Error::NotFound { what: "session", id: key.to_string() };
        let partition = self.store.partition_of(caller.tenant, &owner(scope)?).await?;
        let partition = partition.ok_or_else(not_found)?;
        let session = self.store.session_of_key(partition, key).await?.ok_or_else(not_found)?;
        Ok((partition, session))
    }

    /// Coverage of the digests among these memories. A text that a caller edited covers nothing.
    async fn coverage_of(
        &self,
        partition: PartitionId,
        memories: impl Iterator<Item = &Memory>,
    ) -> Result<Coverage, Error> {
        let ids: Vec<MemoryId> = memories.filter(|one| sums_up(one)).map(|one| one.id).collect();
        let derivations = self.store.evidence(partition, &ids).await?.into_iter();
        let made = derivations.filter(|(_, one)| !Derivation::is_of_caller(Some(one)));
        Ok(made.map(|(id, one)| (id, one.inputs.iter().map(|input| input.source).collect())).collect())
    }

    async fn session_digest(&self, partition: PartitionId, key: &Name) -> Result<Option<Memory>, Error> {
        let Ok(namespace) = Name::new(SESSION_DIGESTS) else { return Ok(None) };
        let name = DocumentName { namespace, key: key.clone() };
        Ok(self.store.named(partition, &name).await?)
    }
}

/// Memories that the recalls returned, each once, besides those known: those of the newest recalls, best first.
fn recalled_ids(recalls: &[RecallRecord], known: &BTreeSet<MemoryId>) -> Vec<MemoryId> {
    let mut seen = known.clone();
    let hits = recalls.iter().flat_map(|recall| &recall.hits).map(|hit| hit.memory);
    hits.filter(|memory| seen.insert(*memory)).take(RECALLED_READ).collect()
}
