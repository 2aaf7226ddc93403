//! Jobs of thinking: one kind per mechanism. Each run thinks about one batch of one owner and ends in one change set.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::amem::notes::{MakeNotes, MakePaperNotes};
use super::consolidate::Consolidate;
use super::digest::MakeDigests;
use super::facts::MakeFacts;
use super::mechanism::{Mechanism, Run};
use super::organise::OrganiseFacts;
use super::queue::request::{self, Payload};
use super::settings::Profile;
use super::tim::thoughts::MakeThoughts;
use crate::domain::id::{JobId, TenantId};
use crate::domain::scope::Owner;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::registry::JobRegistry;
use crate::jobs::{JobContext, JobFailure, JobHandler, JobOutcome};
use crate::store::PendingPartition;

/// Owners with waiting turns that are read from the store in one call.
const OWNERS_PER_READ: u32 = 1_000;
/// Interval at which owners whose turns wait without a job get one: after failed jobs, and on a new day of a budget.
const RESUME_EVERY: Duration = Duration::from_secs(3_600);
/// Age of finished jobs that made nothing, at which they are deleted, in days.
const JOBS_KEPT_DAYS: i64 = 7;
/// Finished jobs that are deleted in one statement.
const JOBS_PER_DROP: u32 = 1_000;

/// Handler of the jobs of one mechanism. It does not keep the engine alive, which owns the runner.
struct ThinkingHandler {
    mechanism: Arc<dyn Mechanism>,
    engine: Weak<Engine>,
    workers: usize,
    owners: Arc<OwnerLocks>,
}

impl std::fmt::Debug for ThinkingHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThinkingHandler").field("mechanism", &self.mechanism.kind()).finish_non_exhaustive()
    }
}

/// Adds the handlers of thinking to a registry.
pub(crate) fn register(engine: &Arc<Engine>, registry: JobRegistry) -> JobRegistry {
    let owners = Arc::new(OwnerLocks::default());
    let workers = engine.thinking.settings.workers;
    let mechanisms: [Arc<dyn Mechanism>; 7] = [
        Arc::new(MakeFacts),
        Arc::new(OrganiseFacts),
        Arc::new(MakeThoughts),
        Arc::new(MakeNotes),
        Arc::new(MakePaperNotes),
        Arc::new(Consolidate),
        Arc::new(MakeDigests),
    ];
    mechanisms.into_iter().fold(registry, |registry, mechanism| {
        let (engine, owners) = (Arc::downgrade(engine), Arc::clone(&owners));
        registry.with(Arc::new(ThinkingHandler { mechanism, engine, workers, owners }))
    })
}

#[async_trait]
impl JobHandler for ThinkingHandler {
    fn kind(&self) -> &'static str {
        self.mechanism.kind()
    }

    fn workers(&self) -> usize {
        self.workers
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let stopping = || JobFailure::from(Error::Stopping);
        let engine = self.engine.upgrade().ok_or_else(stopping)?;
        let decoded = Payload::of(context.job());
        let (payload, owner) = decoded.ok_or_else(|| JobFailure::Final { code: "bad_payload".to_owned() })?;
        let tenant = context.job().tenant;
        // Two batches of one owner at a time would be compared with the same known facts.
        let _alone = self.owners.lock(tenant, &owner).await;
        let run = Run { tenant, owner, context };
        let outcome = self.mechanism.think(&engine, &run, &payload.memories).await;
        engine.thinking.signal_end();
        outcome
    }
}

type OwnerLock = Arc<tokio::sync::Mutex<()>>;

/// One lock per owner with a running job.
#[derive(Debug, Default)]
struct OwnerLocks {
    locks: Mutex<HashMap<(TenantId, Owner), OwnerLock>>,
}

impl OwnerLocks {
    async fn lock(&self, tenant: TenantId, owner: &Owner) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock();
            // Locks that nobody holds or waits for; the map is then as large as the number of workers.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry((tenant, owner.clone())).or_default())
        };
        lock.lock_owned().await
    }
}

impl Engine {
    /// Starts the task that resumes thinking and deletes old jobs from time to time. It ends with the engine.
    pub(crate) fn keep_thinking(self: &Arc<Self>) {
        let engine = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RESUME_EVERY).await;
                let Some(engine) = engine.upgrade() else { return };
                let before = engine.now().plus_days(-JOBS_KEPT_DAYS);
                let kept = async {
                    while engine.store.drop_finished_jobs(before, JOBS_PER_DROP).await?
                        >= u64::from(JOBS_PER_DROP)
                    {}
                    engine.resume_owner_erasures().await?;
                    engine.resume_thinking().await
                };
                match AssertUnwindSafe(kept).catch_unwind().await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "thinking was not resumed");
                    }
                    Err(_panic) => tracing::error!("resuming thinking panicked: it is tried again later"),
                }
            }
        });
    }

    /// Creates a job for each owner whose turns wait in a queue. Turns and jobs are written together, so that only failed
    /// jobs and changed settings leave turns without one.
    pub(crate) async fn resume_thinking(&self) -> Result<(), Error> {
        let settings = &self.thinking.settings;
        let queues = Profile::ALL.into_iter().flat_map(|profile| request::queues_of(settings, profile));
        let queues = queues.map(|queue| (queue, queue));
        let of_days = [request::DIGESTS_LATER, request::PORTRAIT].map(|queue| (queue, request::DIGESTS));
        let of_days = of_days.into_iter().filter(|_| settings.makes_digests);
        for (queue, kind) in queues.chain(of_days) {
            let mut after = None;
            loop {
                let owners = self.store.partitions_with_pending(queue, after, OWNERS_PER_READ).await?;
                let Some(last) = owners.last() else { break };
                after = Some(last.partition);
                for PendingPartition { tenant, owner, .. } in owners {
                    let now = self.now();
                    let id = JobId(self.ids.next(now));
                    self.store.enqueue(Payload::new(&owner, &[]).job(id, tenant, kind, now, true)).await?;
                }
            }
        }
        self.resume_consolidation().await
    }

    /// Creates a job for each owner with sessions whose digest is asked for.
    async fn resume_consolidation(&self) -> Result<(), Error> {
        if !self.thinking.settings.makes_digests {
            return Ok(());
        }
        let mut after = None;
        loop {
            let owners = self.store.partitions_with_asked_digests(after, OWNERS_PER_READ).await?;
            let Some(last) = owners.last() else { return Ok(()) };
            after = Some(last.partition);
            for PendingPartition { tenant, owner, .. } in owners {
                let now = self.now();
                let id = JobId(self.ids.next(now));
                let payload = Payload::new(&owner, &[]);
                self.store.enqueue(payload.job(id, tenant, request::CONSOLIDATE, now, true)).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Name;
    use crate::domain::scope::OwnerKind;

    #[tokio::test]
    async fn runs_of_one_owner_wait_for_each_other() {
        let locks = OwnerLocks::default();
        let owner = |id| Owner { kind: OwnerKind::User, id: Name::new(id).expect("a name") };
        let first = locks.lock(TenantId::DEFAULT, &owner("ann")).await;
        let _other = locks.lock(TenantId::DEFAULT, &owner("bob")).await;
        let ann = owner("ann");
        let second = locks.lock(TenantId::DEFAULT, &ann);
        let second = tokio::time::timeout(std::time::Duration::from_millis(20), second);
        assert!(second.await.is_err(), "ann is locked");
        drop(first);
        let _again = locks.lock(TenantId::DEFAULT, &owner("ann")).await;
        assert!(locks.locks.lock().len() <= 2);
    }
}
