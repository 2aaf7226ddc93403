//! Erasure of an owner, of any size. The request detaches the partition of the owner in one short transaction, which takes
//! every place that names the owner with it: from the answer on, nothing of the owner is found, and new writes start anew.
//! A durable job then deletes what is in the partition, in bounded transactions; it names the partition alone. A job that
//! was cancelled or has failed is enqueued again at the next start.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, Outcome, OwnerErasure};
use crate::domain::clock::Clock;
use crate::domain::id::{JobId, MemoryId};
use crate::domain::job::Job;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_delete, needs_read};
use crate::error::Error;
use crate::graph::Graphs;
use crate::index::Index;
use crate::jobs::{JobContext, JobFailure, JobHandler, JobOutcome};
use crate::scope::owner;
use crate::store::Store;

/// Maximum number of detached partitions that get their jobs again in one pass.
const PARTITIONS_PER_PASS: u32 = 1_000;

/// Preview of the erasure of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerErasurePreview {
    /// Number of the owner's memories.
    pub memories: u64,
    /// Token that confirms the erasure of an owner with exactly these memories.
    pub confirmation: String,
}

/// Effect of the erasure of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerErased {
    /// Number of the owner's memories.
    pub memories: u64,
    /// Job that deletes them; `None` if the owner had none.
    pub job: Option<JobId>,
}

impl From<CreatedIds> for OwnerErased {
    fn from(created: CreatedIds) -> Self {
        Self { memories: created.matched, job: created.job }
    }
}

impl Engine {
    /// Previews the erasure of an owner. The scope names the owner alone.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the scope names more or less than one id.
    pub async fn preview_owner_erasure(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<OwnerErasurePreview, Error> {
        needs_read(caller)?;
        let (memories, newest) = self.extent(caller, &sole_owner(scope)?).await?;
        Ok(OwnerErasurePreview { memories, confirmation: confirmation(memories, newest) })
    }

    /// Erases an owner with everything of it, as a preview has shown it. When it returns, no request finds anything of the
    /// owner, and a job deletes it. What the owner writes from then on is a new beginning. A repetition under the same key
    /// gets the first answer.
    ///
    /// # Errors
    /// [`Error::ConfirmationStale`] if a memory came or went since the preview; [`Error::Invalid`] if the scope names
    /// more or less than one id. Nothing is erased then.
    pub async fn erase_owner(
        &self,
        caller: &Caller,
        scope: &Scope,
        confirmed: &str,
        idempotency: Option<Idempotency>,
    ) -> Result<OwnerErased, Error> {
        needs_delete(caller)?;
        let owner = sole_owner(scope)?;
        if let Some(created) = self.earlier(caller, Some(&owner), idempotency.as_ref()).await? {
            return Ok(created.into());
        }
        let (memories, newest) = self.extent(caller, &owner).await?;
        if confirmation(memories, newest) != confirmed {
            return Err(Error::ConfirmationStale);
        }
        // A recall logged just before must not outlive the memories that it names.
        self.access_log.settle().await;
        let now = self.now();
        let profiles = self.thinking.profiles.without(caller.tenant, &owner).await;
        let zones = self.zones.without(caller.tenant, &owner).await;
        let policies = self.policies.without(caller.tenant, &owner).await;
        let settings =
            profiles.setting().into_iter().chain(zones.setting()).chain(policies.setting()).collect();
        let mut set = ChangeSet::new(caller.tenant, owner, now);
        set.idempotency = idempotency;
        let job = JobId(self.ids.next(now));
        set.erases_owner = Some(OwnerErasure { memories, newest, job, settings });
        let outcome = self.commits.commit(set).await?;
        self.thinking.forget_replies();
        match outcome {
            Outcome::Committed(committed) => {
                profiles.use_now();
                zones.use_now();
                policies.use_now();
                Ok(committed.created.into())
            }
            Outcome::Repeated(created) => Ok(created.into()),
        }
    }

    /// Enqueues the jobs of detached partitions that have none: after a job that was cancelled or has failed, and after an
    /// erasure that left an owner without memories.
    pub(crate) async fn resume_owner_erasures(&self) -> Result<(), Error> {
        for (tenant, partition) in self.store.detached_partitions(PARTITIONS_PER_PASS).await? {
            let now = self.now();
            let job = Job::erasing_owner(JobId(self.ids.next(now)), tenant, partition, now);
            self.store.enqueue(job).await?;
            self.commits.job_arrivals().announce(Job::ERASE_OWNER);
        }
        Ok(())
    }

    /// The same after a set that has left an owner without memories. The set is committed, so that a failure here is only
    /// logged: the jobs are enqueued at the next opportunity.
    pub(crate) async fn delete_detached(&self) {
        if let Err(error) = self.resume_owner_erasures().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "erased partitions are deleted later");
        }
    }

    async fn extent(&self, caller: &Caller, owner: &Owner) -> Result<(u64, Option<MemoryId>), Error> {
        let extent = self.store.owner_extent(caller.tenant, owner).await?;
        Ok(extent.map_or((0, None), |extent| (extent.memories, extent.newest)))
    }
}

/// Owner of a scope that names nothing else: a further id reads as a narrower request than it would be.
fn sole_owner(scope: &Scope) -> Result<Owner, Error> {
    let ids = [&scope.user, &scope.agent, &scope.app, &scope.run];
    if ids.into_iter().flatten().count() > 1 {
        return Err(Error::invalid("scope", "name the owner alone, by one id"));
    }
    owner(scope)
}

/// A name for exactly this extent.
fn confirmation(memories: u64, newest: Option<MemoryId>) -> String {
    let mut digest = Sha256::new();
    digest.update(memories.to_le_bytes());
    digest.update(newest.map_or([0; 16], |id| *id.0.as_bytes()));
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Handler of the jobs of the kind [`Job::ERASE_OWNER`].
pub(crate) struct EraseOwnerHandler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) graphs: Arc<Graphs>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for EraseOwnerHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EraseOwnerHandler").finish_non_exhaustive()
    }
}

#[async_trait]
impl JobHandler for EraseOwnerHandler {
    fn kind(&self) -> &'static str {
        Job::ERASE_OWNER
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let partition = context.job().erased_partition();
        let partition = partition.ok_or_else(|| JobFailure::Final { code: "bad_payload".to_owned() })?;
        // No file of the index holds anything of the partition from here on.
        let _erasure = self.index.begin_erasure(partition).await.map_err(Error::from)?;
        let mut progress = context.progress();
        loop {
            let step = self.store.erase_detached(partition, self.clock.now()).await?;
            if step.is_done {
                break;
            }
            if step.memories > 0 {
                progress.done += step.memories;
                progress.total = progress.total.max(progress.done);
                context.note(progress.clone()).await?;
            }
            // The writer is given to others between two steps.
            tokio::task::yield_now().await;
        }
        // A recall that began before the erasure may have read the partition again.
        self.index.clear_partition(partition).await;
        self.graphs.forget(partition);
        Ok(JobOutcome::Done)
    }
}
