//! Erasing: one memory by its id, or all that a filter matches. The latter needs a confirmation that names exactly the
//! memories that were previewed, derived ones included, so that nothing is erased that nobody has seen.

use sha2::{Digest, Sha256};

use super::request::{Confirmed, ErasurePreview};
use super::sparing::Sparing;
use crate::domain::change::{ChangeSet, CreatedIds, ErasureBounds, Idempotency, Outcome};
use crate::domain::filter::Filter;
use crate::domain::id::{JobId, MemoryId, PartitionId};
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_delete, needs_read};
use crate::error::Error;
use crate::scope::owner;
use crate::store::IdPage;

/// Maximum number of attempts when other writes change what the erasure takes.
const TRIES: usize = 8;
/// Memories shown in a preview.
const SAMPLE: usize = 20;

impl Engine {
    /// Erases a memory with all that was made of it; answers what went. A repetition under the same key answers what
    /// went the first time.
    ///
    /// # Errors
    /// [`Error::OverLimit`] if more memories were made of it than one call erases: they are erased by a filter first.
    pub async fn erase(
        &self,
        caller: &Caller,
        id: MemoryId,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<MemoryId>, Error> {
        needs_delete(caller)?;
        // The memory itself is not read: one that cannot be decoded is erased like any other.
        match self.store.owner_of_memory(caller.tenant, id).await? {
            Some(owner) => {
                let mut last = Error::Busy;
                for attempt in 1..=TRIES {
                    let is_last = attempt == TRIES;
                    let set = self.erasure_of(caller, (&owner, id), idempotency.clone(), is_last).await?;
                    let spares = !set.revisions.is_empty();
                    match self.commit_erasure(set).await {
                        Err(error @ (Error::VersionConflict { .. } | Error::ConfirmationStale)) => {
                            last = error
                        }
                        Err(error @ (Error::NotFound { .. } | Error::Busy)) if spares => last = error,
                        outcome => return Ok(outcome?.erased),
                    }
                }
                Err(last)
            }
            None => {
                let gone = Error::NotFound { what: "memory", id: id.to_string() };
                let created = self.earlier(caller, None, idempotency.as_ref()).await?;
                created.map(|created| created.erased).ok_or(gone)
            }
        }
    }

    /// Set that erases one memory and spares notes. In the last attempt it takes whatever it finds.
    async fn erasure_of(
        &self,
        caller: &Caller,
        (owner, id): (&Owner, MemoryId),
        idempotency: Option<Idempotency>,
        is_last: bool,
    ) -> Result<ChangeSet, Error> {
        let mut set = ChangeSet::new(caller.tenant, owner.clone(), self.now());
        set.idempotency = idempotency;
        set.erasures = vec![id];
        let at_most = self.limits.erasures_per_call;
        let mut exactly = None;
        if let Some(partition) = self.store.partition_of(caller.tenant, owner).await? {
            let sparing = self.plan_sparing(partition, &set.erasures).await?;
            if !is_last {
                // Whatever is derived meanwhile changes the closure, and the plan is made again.
                let closure = self
                    .store
                    .erasure_closure(partition, &set.erasures, &sparing.retractions, at_most)
                    .await?;
                exactly = closure.map(|mut closure| {
                    closure.sort_unstable();
                    closure
                });
            }
            self.add_sparing(sparing, &mut set).await?;
        }
        set.erasure_bounds = Some(ErasureBounds { exactly, at_most });
        Ok(set)
    }

    /// Previews a deletion by filter. It covers memories that the scope owns, and all that is derived from them.
    pub async fn preview_erasure(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: Filter,
    ) -> Result<ErasurePreview, Error> {
        needs_read(caller)?;
        let found = self.all_matching(caller, scope, &filter).await?;
        let sample = match found.partition {
            Some(partition) => {
                let newest =
                    found.closure.get(found.closure.len().saturating_sub(SAMPLE)..).unwrap_or_default();
                self.store.memories(partition, newest).await?
            }
            None => Vec::new(),
        };
        Ok(ErasurePreview {
            matched: found.matched.len() as u64,
            with_derived: found.closure.len() as u64,
            sample: sample.into_iter().rev().collect(),
            confirmation: found.confirmation(),
        })
    }

    /// Erases what a preview has shown; answers how many matched and what went. If it would take other memories by now,
    /// nothing is erased. A repetition under the same key answers what went the first time.
    pub async fn erase_matching(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: Filter,
        confirmed: Confirmed<'_>,
    ) -> Result<(u64, Vec<MemoryId>), Error> {
        needs_delete(caller)?;
        let Confirmed { confirmation: confirmed, idempotency } = confirmed;
        let owner = owner(scope)?;
        if let Some(created) = self.earlier(caller, Some(&owner), idempotency.as_ref()).await? {
            return Ok((created.matched, created.erased));
        }
        for _ in 0..TRIES {
            let found = self.all_matching(caller, scope, &filter).await?;
            if found.confirmation() != confirmed {
                return Err(Error::ConfirmationStale);
            }
            match self.erase_found(caller, &owner, found, idempotency.clone()).await {
                // A note that is spared got another version.
                Err(Error::VersionConflict { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(Error::ConfirmationStale)
    }

    async fn erase_found(
        &self,
        caller: &Caller,
        owner: &Owner,
        found: Found,
        idempotency: Option<Idempotency>,
    ) -> Result<(u64, Vec<MemoryId>), Error> {
        // An erasure of nothing is written for its key alone, so that a repetition gets the same answer.
        if found.matched.is_empty() && idempotency.is_none() {
            return Ok((0, Vec::new()));
        }
        let mut set = ChangeSet::new(caller.tenant, owner.clone(), self.now());
        set.idempotency = idempotency;
        self.add_sparing(found.sparing, &mut set).await?;
        set.erasures = found.matched;
        set.erasure_bounds =
            Some(ErasureBounds { exactly: Some(found.closure), at_most: self.limits.erasures_per_call });
        match self.commit_erasure(set).await {
            // One of them went between the look and the leap.
            Err(Error::NotFound { .. }) => Err(Error::ConfirmationStale),
            outcome => outcome.map(|created| (created.matched, created.erased)),
        }
    }

    pub(super) async fn commit_erasure(&self, mut set: ChangeSet) -> Result<CreatedIds, Error> {
        self.remake_erased_digests(&mut set).await?;
        let now = set.now;
        self.thinking.ask_digests(&mut set, || JobId(self.ids.next(now)));
        // A recall logged just before must not outlive the memories that it names.
        self.access_log.settle().await;
        let outcome = self.commits.commit(set).await?;
        self.thinking.forget_replies();
        match outcome {
            Outcome::Committed(committed) => {
                if committed.is_detached {
                    self.delete_detached().await;
                }
                Ok(committed.created)
            }
            Outcome::Repeated(created) => Ok(created),
        }
    }

    /// All memories that a filter selects with all that is derived from them, if one call may erase so many.
    async fn all_matching(&self, caller: &Caller, scope: &Scope, filter: &Filter) -> Result<Found, Error> {
        let at_most = self.limits.erasures_per_call;
        let over_limit = || Error::too_many_erasures("filter", at_most as u64);
        let limit = u32::try_from(at_most).unwrap_or(u32::MAX);
        let page = IdPage { after: None, newest_first: false, limit };
        let Some((partition, matching)) = self.own_matching(caller, scope, filter, page).await? else {
            return Ok(Found::default());
        };
        if matching.has_more {
            return Err(over_limit());
        }
        let sparing = self.plan_sparing(partition, &matching.ids).await?;
        let closure =
            self.store.erasure_closure(partition, &matching.ids, &sparing.retractions, at_most).await?;
        let mut closure = closure.ok_or_else(over_limit)?;
        closure.sort_unstable();
        Ok(Found { partition: Some(partition), matched: matching.ids, closure, sparing })
    }
}

/// Memories that an erasure by filter finds.
#[derive(Debug, Default)]
struct Found {
    /// Partition of the scope; `None` if the scope has remembered nothing.
    partition: Option<PartitionId>,
    /// Memories that match, oldest first.
    matched: Vec<MemoryId>,
    /// The same with all that is derived from them and not spared, in the order of ids.
    closure: Vec<MemoryId>,
    /// Notes that go on without a trace of them.
    sparing: Sparing,
}

impl Found {
    /// A name for exactly these memories of this partition.
    fn confirmation(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.partition.map_or(0, |partition| partition.0).to_le_bytes());
        digest.update((self.matched.len() as u64).to_le_bytes());
        for id in self.matched.iter().chain(&self.closure) {
            digest.update(id.0.as_bytes());
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
