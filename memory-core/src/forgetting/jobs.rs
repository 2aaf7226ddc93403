//! Jobs of sweeps, one at a time in a process, and the task that asks for them at intervals.
//!
//! The moment of a sweep is that of its request, also for later attempts, so that a repeated attempt goes on with the same
//! decisions. A sweep as of the past judges so, and its records have the time of the request. None is as of the future: what it
//! decides would hold before the time has come.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::meter::SweepTotals;
use crate::domain::forgotten::Effect;
use crate::domain::id::{JobId, PartitionId, TenantId};
use crate::domain::job::{Job, JobState};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Owner, OwnerKind, Scope};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_delete, needs_write};
use crate::error::Error;
use crate::field_checks;
use crate::jobs::registry::JobRegistry;
use crate::jobs::{JobContext, JobFailure, JobHandler, JobOutcome};
use crate::scope::owner;

/// Kind of the jobs of sweeps.
pub const FORGET: &str = "forget";

/// Setting of the store with the time at which sweeps were last asked for at their interval, in microseconds.
const SWEPT_AT: &str = "forgetting.swept_at";
/// Interval at which the time of the next sweeps is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Owners read from the store in one call.
const OWNERS_PER_READ: u32 = 1_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// Maximum time for which a request waits for its sweep.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Interval at which a waiting request looks at its job.
const LOOK_AT_JOB_EVERY: Duration = Duration::from_millis(50);

#[derive(Serialize, Deserialize)]
struct Payload {
    owner_kind: String,
    owner_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now_us: Option<i64>,
}

impl Payload {
    fn owner(&self) -> Option<Owner> {
        Some(Owner { kind: OwnerKind::parse(&self.owner_kind)?, id: Name::new(&self.owner_id).ok()? })
    }
}

/// Job that sweeps the memories of an owner. No second one as of the same time waits for the owner.
fn job(id: JobId, tenant: TenantId, owner: Owner, now: Option<Timestamp>, created_at: Timestamp) -> Job {
    let (owner_kind, owner_id) = (owner.kind.as_str().to_owned(), owner.id.to_string());
    let now_us = now.map(Timestamp::as_micros);
    let payload = serde_json::json!(Payload { owner_kind, owner_id, now_us }).to_string();
    let digest = Sha256::digest(&payload);
    let unique_key = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Job {
        unique_key: Some(unique_key),
        // Changes during a sweep may come too late for it.
        releases_key: true,
        owner: Some(owner),
        ..Job::new(id, tenant, FORGET, payload, created_at)
    }
}

/// Handler of the jobs of [`FORGET`]. It does not keep the engine alive, which owns the runner.
struct SweepHandler {
    engine: Weak<Engine>,
}

impl std::fmt::Debug for SweepHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SweepHandler").finish_non_exhaustive()
    }
}

/// Adds the handler of sweeps to a registry.
pub(crate) fn register(engine: &Arc<Engine>, registry: JobRegistry) -> JobRegistry {
    registry.with(Arc::new(SweepHandler { engine: Arc::downgrade(engine) }))
}

#[async_trait]
impl JobHandler for SweepHandler {
    fn kind(&self) -> &'static str {
        FORGET
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let engine = self.engine.upgrade().ok_or_else(|| JobFailure::from(Error::Stopping))?;
        let job = context.job();
        let payload: Option<Payload> = serde_json::from_str(&job.payload).ok();
        let decoded = payload.and_then(|payload| Some((payload.owner()?, payload.now_us)));
        let (owner, now_us) = decoded.ok_or_else(|| JobFailure::Final { code: "bad_payload".to_owned() })?;
        let now = now_us.map_or(job.created_at, Timestamp::from_micros);
        let counts = engine.sweep((job.tenant, &owner), now, &context).await?;
        tracing::info!(
            job = %job.id,
            memories = counts.memories,
            faded = counts.faded,
            evicted = counts.evicted,
            drawn = counts.drawn,
            remembered = counts.remembered,
            renewed = counts.renewed,
            erased = counts.erased,
            "memories were swept"
        );
        Ok(JobOutcome::DoneWith(counts.to_json()))
    }
}

impl Engine {
    /// Requests a sweep of the memories of the owner of a scope, as of `now` or of the present. Returns the job; if one as of
    /// the same time waits already, that one; for an owner without memories, one that is done and not stored. `waits`: returns
    /// once the job is over, or after a minute.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a `now` in the future; [`Error`] when the scope is invalid, the caller lacks the right to write, or
    /// to delete where the policy erases, or the store fails.
    pub async fn request_sweep(
        &self,
        caller: &Caller,
        scope: &Scope,
        now: Option<Timestamp>,
        waits: bool,
    ) -> Result<Job, Error> {
        needs_write(caller)?;
        let owner = owner(scope)?;
        if self.policy_of(caller.tenant, &owner).effect == Some(Effect::Delete) {
            needs_delete(caller)?;
        }
        if let Some(now) = now {
            field_checks::not_in_the_future(now, self.now(), "a preview looks ahead, a sweep does not")?;
        }
        let asked = self.enqueue_sweep(caller.tenant, owner, now).await?;
        if !waits {
            return Ok(asked);
        }
        let over = async {
            loop {
                let job = self.store.job(caller.tenant, asked.id).await?;
                match job {
                    Some(job) if !job.state.is_over() => tokio::time::sleep(LOOK_AT_JOB_EVERY).await,
                    // The erasure of its owner deletes the job, as does a sweep that erases the last memory.
                    job => return Ok::<_, Error>(job),
                }
            }
        };
        let over = tokio::time::timeout(LONGEST_WAIT, over).await;
        let found = match over {
            Ok(job) => job?,
            Err(_elapsed) => self.store.job(caller.tenant, asked.id).await?,
        };
        Ok(found.unwrap_or(Job { state: JobState::Done, ..asked }))
    }

    /// Changes by sweeps since the start of the process, over all owners.
    pub fn swept(&self) -> SweepTotals {
        self.swept.totals()
    }

    async fn enqueue_sweep(
        &self,
        tenant: TenantId,
        owner: Owner,
        now: Option<Timestamp>,
    ) -> Result<Job, Error> {
        let created_at = self.now();
        let id = JobId(self.ids.next(created_at));
        let job = self.store.enqueue(job(id, tenant, owner, now, created_at)).await?;
        self.commits.job_arrivals().announce(FORGET);
        Ok(job)
    }

    /// Requests the sweeps of all owners of all tenants whose policy forgets, if the last ones were requested `every_hours` ago
    /// or more; returns their number. Owners whose policy forgets no longer are swept while they have forgotten memories.
    ///
    /// # Errors
    /// [`Error::Store`] if the store is unavailable.
    pub async fn request_due_sweeps(&self, every_hours: u32) -> Result<u64, Error> {
        let now = self.now();
        let last = self.store.setting(SWEPT_AT).await?.and_then(|text| text.parse::<i64>().ok());
        let interval_us = i64::from(every_hours) * MICROS_PER_HOUR;
        // A time in the future is one of a clock that was wrong.
        let since_us = last.map(|last| now.as_micros().saturating_sub(last)).filter(|since| *since >= 0);
        if since_us.is_some_and(|since| since < interval_us) {
            return Ok(0);
        }
        let (mut requested, mut after) = (0, None);
        loop {
            let owners = self.store.owners_of_all_tenants(after, OWNERS_PER_READ).await?;
            let Some((_, last)) = owners.last() else { break };
            after = Some(last.partition);
            for (tenant, entry) in owners {
                requested += self.sweep_if_needed(tenant, entry.owner, entry.partition).await?;
            }
        }
        self.store.put_setting(SWEPT_AT, &now.as_micros().to_string()).await?;
        Ok(requested)
    }

    async fn sweep_if_needed(
        &self,
        tenant: TenantId,
        owner: Owner,
        partition: PartitionId,
    ) -> Result<u64, Error> {
        let forgets = self.policy_of(tenant, &owner).effect.is_some();
        if !forgets && self.store.forgotten_count(partition).await? == 0 {
            return Ok(0);
        }
        // One that was erased meanwhile gets no job.
        let job = self.enqueue_sweep(tenant, owner, None).await?;
        Ok(u64::from(!job.state.is_over()))
    }

    /// Starts the task that requests sweeps every so many hours; 0 for never. It ends with the engine.
    pub fn keep_sweeping(self: &Arc<Self>, every_hours: u32) {
        if every_hours == 0 {
            return;
        }
        let engine = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                let Some(engine) = engine.upgrade() else { return };
                match AssertUnwindSafe(engine.request_due_sweeps(every_hours)).catch_unwind().await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "sweeps were not requested: they are tried again later");
                    }
                    Err(_panic) => tracing::error!("requesting sweeps panicked: it is tried again later"),
                }
                drop(engine);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }
}
