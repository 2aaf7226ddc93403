//! Undo: one version of a memory, or all that a job made, is taken back in one change set, with what was built on it if
//! the caller agrees.

use std::collections::BTreeSet;

use super::request::{UndoRequest, Undone};
use super::undo_plan::{Named, plan_undo};
use crate::domain::change::{ChangeSet, CreatedIds, ErasureBounds, Outcome};
use crate::domain::id::{JobId, MemoryId, PartitionId};
use crate::domain::scope::{Caller, Owner};
use crate::domain::undo::{Undo, VersionId};
use crate::engine::{Engine, needs_delete, needs_read, needs_write};
use crate::error::Error;
use crate::indexing::{TextToIndex, groups_of};

/// Maximum number of attempts when other changes of the partition commit first.
const TRIES: usize = 8;

impl Engine {
    /// Takes back all that a job made. The job must be over: done, failed or cancelled. A second undo finds nothing to
    /// take back.
    ///
    /// # Errors
    /// [`Error::JobNotOver`] while the job waits or runs; [`Error::UndoHasDependents`] if later work was built on the
    /// job's and `with_dependents` is false; [`Error::OverLimit`] if too many memories are concerned;
    /// [`Error::ScopeChanged`] if other writes came first each time; [`Error::NotFound`] if there is no such job. Nothing
    /// is written then.
    pub async fn undo_job(&self, caller: &Caller, id: JobId, request: UndoRequest) -> Result<Undone, Error> {
        may_undo(caller, &request)?;
        if let Some(undone) = self.undone_before(caller, &request).await? {
            return Ok(undone);
        }
        let job = self.store.job(caller.tenant, id).await?;
        let job = job.ok_or_else(|| Error::NotFound { what: "job", id: id.to_string() })?;
        if !job.state.is_over() {
            return Err(Error::JobNotOver { job: id.to_string(), state: job.state.as_str() });
        }
        let partitions = self.store.partitions_of_job(caller.tenant, id, 2).await?;
        match partitions.as_slice() {
            [] => Ok(Undone::default()),
            [(partition, owner)] => self.undo(caller, (*partition, owner), Named::Job(id), &request).await,
            _ => {
                let what = "the number of owners of one undo";
                Err(Error::OverLimit { field: "undo".to_owned(), what, limit: 1 })
            }
        }
    }

    /// Takes back one version of a memory, the present one if none is given. The first version is taken back by erasing
    /// the memory. The later versions are dependents of an earlier one. A version that no longer counts, because it was
    /// taken back or restores an earlier one, is nothing to take back.
    ///
    /// # Errors
    /// As [`Engine::undo_job`]; [`Error::NotFound`] if there is no such memory, [`Error::Invalid`] if it never had the
    /// version.
    pub async fn undo_change(
        &self,
        caller: &Caller,
        id: MemoryId,
        version: Option<u32>,
        request: UndoRequest,
    ) -> Result<Undone, Error> {
        may_undo(caller, &request)?;
        if let Some(undone) = self.undone_before(caller, &request).await? {
            return Ok(undone);
        }
        let stored = self.stored_memory(caller, id).await?;
        let place = (stored.partition, &stored.owner);
        // The version that was present when the request came: another may be by the time of a second attempt.
        let version = version.unwrap_or(stored.memory.version);
        self.undo(caller, place, Named::Version(id, Some(version)), &request).await
    }

    async fn undo(
        &self,
        caller: &Caller,
        place: (PartitionId, &Owner),
        named: Named,
        request: &UndoRequest,
    ) -> Result<Undone, Error> {
        let mut last = Error::ScopeChanged;
        for _ in 0..TRIES {
            match self.try_undo(caller, place, named, request).await {
                Err(Error::ConfirmationStale) => last = Error::ScopeChanged,
                Err(error @ (Error::ScopeChanged | Error::Busy)) => last = error,
                outcome => return outcome,
            }
        }
        Err(last)
    }

    async fn try_undo(
        &self,
        caller: &Caller,
        (partition, owner): (PartitionId, &Owner),
        named: Named,
        request: &UndoRequest,
    ) -> Result<Undone, Error> {
        let prepared_at = self.store.last_change(partition).await?;
        let now = self.now();
        let undo = plan_undo(&*self.store, partition, named, self.limits.memories_per_undo, now).await?;
        let mut undone = effect(&undo);
        let closure = self.add_derived(partition, &undo, &mut undone).await?;
        if request.dry_run || undo.is_empty() {
            return Ok(undone);
        }
        if !request.with_dependents && !undone.dependents.is_empty() {
            return Err(Error::UndoHasDependents { dependents: undone.dependents });
        }
        if !undo.erasures.is_empty() {
            needs_delete(caller)?;
            // A recall logged just before must not outlive the memories that it names.
            self.access_log.settle().await;
        }
        let mut set = ChangeSet::new(caller.tenant, owner.clone(), now);
        set.prepared_at = Some(prepared_at);
        set.idempotency.clone_from(&request.idempotency);
        let at_most = closure.len();
        set.erasure_bounds = Some(ErasureBounds { exactly: Some(closure), at_most });
        self.add_with_rows(undo, &mut set).await?;
        self.remake_undone_digests(&mut set).await?;
        self.thinking.ask_digests(&mut set, || JobId(self.ids.next(now)));
        let outcome = self.commits.commit(set).await?;
        self.thinking.forget_replies();
        match outcome {
            Outcome::Committed(committed) => {
                if committed.is_detached {
                    self.delete_detached().await;
                }
                Ok(Undone { is_done: true, ..undone })
            }
            Outcome::Repeated(created) => self.undone_earlier(caller, created).await,
        }
    }

    /// Adds to the effect of an undo what its erasures take with them and its plan does not name: memories derived from
    /// an erased one of which no version can be restored. They count as dependents. Returns all that is erased, in the
    /// order of ids.
    async fn add_derived(
        &self,
        partition: PartitionId,
        undo: &Undo,
        undone: &mut Undone,
    ) -> Result<Vec<MemoryId>, Error> {
        let limit = self.limits.memories_per_undo;
        let closure = self.store.erasure_closure(partition, &undo.erasures, &undo.retractions, limit).await?;
        let Some(mut closure) = closure else {
            let what = "the number of memories of one undo";
            return Err(Error::OverLimit { field: "undo".to_owned(), what, limit: limit as u64 });
        };
        closure.sort_unstable();
        let named: BTreeSet<MemoryId> = undo.erasures.iter().copied().collect();
        let derived: Vec<MemoryId> = closure.iter().copied().filter(|id| !named.contains(id)).collect();
        if !derived.is_empty() {
            let versions = self.store.memories(partition, &derived).await?;
            undone.dependents.extend(
                versions.iter().map(|memory| VersionId { memory: memory.id, version: memory.version }),
            );
            undone.dependents.sort_unstable();
            undone.dependents.dedup();
            undone.left.retain(|id| closure.binary_search(id).is_err());
            undone.restored.retain(|one| closure.binary_search(&one.memory).is_err());
            undone.erased.extend(derived);
        }
        Ok(closure)
    }

    /// Adds the writes to a set, with index rows for the restored texts.
    async fn add_with_rows(&self, undo: Undo, set: &mut ChangeSet) -> Result<(), Error> {
        let with_other_text = undo.restored.iter().filter(|restored| restored.has_other_text);
        let texts: Vec<TextToIndex> =
            with_other_text.map(|restored| TextToIndex::of_memory(&restored.memory)).collect();
        let mut rows = Vec::new();
        if !texts.is_empty() {
            let indexed = self.index_texts_for_now(&texts, "text").await?;
            set.embedder = Some(indexed.embedder);
            rows = indexed.rows;
        }
        let mut rows = rows.into_iter();
        undo.add_to(set, |_| rows.next().unwrap_or_default(), groups_of);
        self.embed_later(set);
        Ok(())
    }

    /// Answer to a repeated request, if an earlier one with its key changed something.
    async fn undone_before(&self, caller: &Caller, request: &UndoRequest) -> Result<Option<Undone>, Error> {
        if request.dry_run {
            return Ok(None);
        }
        match self.earlier(caller, None, request.idempotency.as_ref()).await? {
            Some(created) => Ok(Some(self.undone_earlier(caller, created).await?)),
            None => Ok(None),
        }
    }

    async fn undone_earlier(&self, caller: &Caller, created: CreatedIds) -> Result<Undone, Error> {
        let mut restored = Vec::with_capacity(created.memories.len());
        for id in created.memories {
            if let Some(stored) = self.store.memory(caller.tenant, id).await? {
                restored.push(VersionId { memory: id, version: stored.memory.version });
            }
        }
        Ok(Undone { is_done: true, is_repeated: true, restored, erased: created.erased, ..Undone::default() })
    }
}

/// A dry run reads; an undo writes, and needs the right to delete where it erases.
fn may_undo(caller: &Caller, request: &UndoRequest) -> Result<(), Error> {
    if request.dry_run { needs_read(caller) } else { needs_write(caller) }
}

fn effect(undo: &Undo) -> Undone {
    let restored =
        undo.restored.iter().map(|one| VersionId { memory: one.memory.id, version: one.memory.version });
    Undone {
        is_done: false,
        restored: restored.collect(),
        erased: undo.erasures.clone(),
        left: undo.left.clone(),
        dependents: undo.dependents.clone(),
        derivations: undo.derivations.clone(),
        is_repeated: false,
    }
}
