//! Erasure of memories whose time has come by a policy of forgetting, through the same closure, sparing and purge as any other.
//!
//! It takes nothing that is not due itself: a memory from which something was derived that is not due waits until that is
//! due as well, and so does a memory that a pin or a use has saved meanwhile.

use super::sparing::Sparing;
use crate::domain::change::{ChangeSet, ErasureBounds};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::domain::scope::Owner;
use crate::engine::Engine;
use crate::error::Error;

/// Memories that one set names for erasure at most.
const ROOTS_PER_SET: usize = 64;
/// Attempts at one set when other writes come between its check and its commit. What is left is tried by the next sweep.
const TRIES: usize = 8;

/// Memories that can be erased together.
struct Together {
    /// Those that are named, in the order of ids.
    roots: Vec<MemoryId>,
    /// With all that is derived from them and not spared, in the order of ids.
    closure: Vec<MemoryId>,
    sparing: Sparing,
}

/// Groups that are still to be looked at, the first on top.
fn groups(due: &[MemoryId]) -> Vec<Vec<MemoryId>> {
    due.chunks(ROOTS_PER_SET).rev().map(<[_]>::to_vec).collect()
}

/// Puts the halves of a group back, of which something cannot be erased; nothing of a single memory.
fn put_halves(left: &mut Vec<Vec<MemoryId>>, group: &[MemoryId]) {
    if group.len() > 1 {
        let (first, second) = group.split_at(group.len() / 2);
        left.extend([second.to_vec(), first.to_vec()]);
    }
}

impl Engine {
    /// Those among `due` that an erasure takes, in the order of ids. `due` are in the order of ids.
    pub(crate) async fn erasable(
        &self,
        partition: PartitionId,
        due: &[MemoryId],
    ) -> Result<Vec<MemoryId>, Error> {
        let (mut left, mut erasable) = (groups(due), Vec::new());
        while let Some(group) = left.pop() {
            match self.together(partition, &group, due).await? {
                Some(together) => erasable.extend(together.closure),
                None => put_halves(&mut left, &group),
            }
        }
        erasable.sort_unstable();
        erasable.dedup();
        Ok(erasable)
    }

    /// Erases those among `due` that can be, in bounded sets; answers the number of erased memories. `is_due` is asked once more
    /// about each memory as it is when its set is prepared, and the set is refused if anything was written since. `step` is awaited
    /// before each set; its error ends the work.
    pub(crate) async fn erase_due<E: From<Error>, S: Future<Output = Result<(), E>>>(
        &self,
        (tenant, owner): (TenantId, &Owner),
        (partition, due): (PartitionId, &[MemoryId]),
        is_due: impl Fn(&Memory) -> bool,
        step: impl Fn() -> S,
    ) -> Result<u64, E> {
        let (mut left, mut erased) = (groups(due), 0);
        while let Some(group) = left.pop() {
            step().await?;
            match self.erase_together((tenant, owner), partition, (&group, due), &is_due).await? {
                Some(count) => erased += count,
                None => put_halves(&mut left, &group),
            }
        }
        Ok(erased)
    }

    /// Erases a group as a whole; `None` if something of it cannot be erased.
    async fn erase_together(
        &self,
        (tenant, owner): (TenantId, &Owner),
        partition: PartitionId,
        (group, due): (&[MemoryId], &[MemoryId]),
        is_due: &impl Fn(&Memory) -> bool,
    ) -> Result<Option<u64>, Error> {
        for _ in 0..TRIES {
            let prepared_at = self.store.extent(partition).await?.last_seq;
            let Some(Together { roots, closure, sparing }) = self.together(partition, group, due).await?
            else {
                return Ok(None);
            };
            if closure.is_empty() {
                return Ok(Some(0));
            }
            let memories = self.store.memories(partition, &closure).await?;
            if memories.len() < closure.len() || !memories.iter().all(is_due) {
                return Ok(None);
            }
            let mut set = ChangeSet::new(tenant, owner.clone(), self.now());
            set.prepared_at = Some(prepared_at);
            self.add_sparing(sparing, &mut set).await?;
            set.erasures = roots;
            let at_most = self.limits.erasures_per_call;
            set.erasure_bounds = Some(ErasureBounds { exactly: Some(closure), at_most });
            match self.commit_erasure(set).await {
                Ok(created) => return Ok(Some(created.erased.len() as u64)),
                Err(
                    Error::ScopeChanged
                    | Error::ConfirmationStale
                    | Error::VersionConflict { .. }
                    | Error::NotFound { .. }
                    | Error::Busy,
                ) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Memories that the erasure of a group takes; `None` if that is more than `due`, or more than one erasure may take.
    async fn together(
        &self,
        partition: PartitionId,
        group: &[MemoryId],
        due: &[MemoryId],
    ) -> Result<Option<Together>, Error> {
        let sparing = match self.plan_sparing(partition, group).await {
            Err(Error::OverLimit { .. }) => return Ok(None),
            sparing => sparing?,
        };
        let at_most = self.limits.erasures_per_call;
        let closure = self.store.erasure_closure(partition, group, &sparing.retractions, at_most).await?;
        let Some(mut closure) = closure else { return Ok(None) };
        if !closure.iter().all(|id| due.binary_search(id).is_ok()) {
            return Ok(None);
        }
        closure.sort_unstable();
        // Those that an earlier group has taken with it are not there any more.
        let roots = group.iter().copied().filter(|id| closure.binary_search(id).is_ok()).collect();
        Ok(Some(Together { roots, closure, sparing }))
    }
}
