//! Restoring forgotten memories, and the list of them.

use std::collections::{BTreeSet, HashMap};

use super::request::{ForgottenMemory, RESTORED_PER_CALL, RestoreForgotten, RestoredMemories};
use crate::domain::change::{ChangeSet, Outcome, Touch};
use crate::domain::forgotten::Forgotten;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::field_checks;
use crate::memories::excerpt;
use crate::retention::Policy;
use crate::scope::owner;
use crate::store::{ForgottenFilter, ForgottenPlace};

/// Memories that are read at a time.
const MEMORIES_PER_READ: usize = 256;

impl Engine {
    /// Restores forgotten memories of the owner of a scope: their records go, and each is used once with the evidence
    /// `confirmed`, so that its curve begins anew, unless the request says otherwise. Memories that are not forgotten are left as
    /// they are; those that have faded since the last sweep are restored by their ids. Without ids, at most
    /// [`RESTORED_PER_CALL`] are restored, and the answer tells how many are left.
    ///
    /// # Errors
    /// [`Error::OverLimit`] for more ids than [`RESTORED_PER_CALL`]; [`Error::Invalid`] for a `now` in the future; [`Error`] when the scope is invalid, the caller lacks the
    /// right to write, or the store fails.
    pub async fn restore_forgotten(
        &self,
        caller: &Caller,
        request: RestoreForgotten,
    ) -> Result<RestoredMemories, Error> {
        needs_write(caller)?;
        let RestoreForgotten { scope, memories, now, reinforce } = request;
        let owner = owner(&scope)?;
        let at_most = RESTORED_PER_CALL as usize;
        if memories.as_ref().is_some_and(|ids| ids.len() > at_most) {
            let what = "the number of memories to restore";
            return Err(Error::OverLimit { field: "memory_ids".to_owned(), what, limit: at_most as u64 });
        }
        let now = field_checks::moment_of_use(now, self.now())?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(RestoredMemories::default());
        };
        let policy = self.policy_of(caller.tenant, &owner);
        let forgotten = self.forgotten_among(partition, memories, (&policy, now)).await?;
        let mut restored = Vec::new();
        if !forgotten.is_empty() {
            let mut set = ChangeSet::new(caller.tenant, owner, self.now());
            let one = Use { at: now, kind: UseKind::Confirmed };
            if reinforce {
                let touch = |memory: &MemoryId| Touch { memory: *memory, one, refractory_us: 0 };
                set.touches = forgotten.iter().map(touch).collect();
            }
            set.rememberings = forgotten.iter().copied().collect();
            if let Outcome::Committed(committed) = self.commits.commit(set).await? {
                restored = committed.touched;
            }
        }
        let left = self.store.forgotten_count(partition).await?;
        Ok(RestoredMemories { restored, left })
    }

    /// Forgotten memories among these, or those found last.
    async fn forgotten_among(
        &self,
        partition: PartitionId,
        memories: Option<Vec<MemoryId>>,
        (policy, now): (&Policy, Timestamp),
    ) -> Result<BTreeSet<MemoryId>, Error> {
        let Some(memories) = memories else {
            let page = self
                .store
                .forgotten_page(partition, ForgottenFilter::default(), None, RESTORED_PER_CALL)
                .await?;
            return Ok(page.into_iter().map(|(memory, _)| memory).collect());
        };
        let is_forgotten = |memory: &Memory| {
            let faded_at = policy.faded_at(memory.id, memory.kind, &memory.strength);
            memory.forgotten.is_some() || faded_at.is_some_and(|at| at <= now)
        };
        let mut forgotten = BTreeSet::new();
        for some in memories.chunks(MEMORIES_PER_READ) {
            let read = self.store.memories(partition, some).await?;
            forgotten.extend(read.iter().filter(|memory| is_forgotten(memory)).map(|memory| memory.id));
        }
        Ok(forgotten)
    }

    /// Forgotten memories of the owner of a scope that pass a filter, after a place of the list, those found last first, at most
    /// `limit`. A filter is evaluated on the records of the owner in their order, until the page is full.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, the page is too large, or the store fails.
    pub async fn forgotten(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: ForgottenFilter,
        after: Option<ForgottenPlace>,
        limit: u32,
    ) -> Result<Vec<ForgottenMemory>, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(limit, &self.limits)?;
        let owner = owner(scope)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Vec::new());
        };
        let page = self.store.forgotten_page(partition, filter, after, limit).await?;
        let ids: Vec<MemoryId> = page.iter().map(|(memory, _)| *memory).collect();
        let memories = self.store.memories(partition, &ids).await?;
        let known: HashMap<MemoryId, _> = memories.iter().map(|memory| (memory.id, memory)).collect();
        let entry = |(memory, record): (MemoryId, Forgotten)| {
            let known = known.get(&memory);
            let kind = known.map(|memory| memory.kind);
            ForgottenMemory { memory, kind, excerpt: known.map(|it| excerpt(it)).unwrap_or_default(), record }
        };
        Ok(page.into_iter().map(entry).collect())
    }
}
