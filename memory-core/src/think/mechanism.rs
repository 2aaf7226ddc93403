//! Mechanisms of thinking: each is the work of one kind of job, from what waits for it to one change set.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::id::{JobId, TenantId};
use crate::domain::scope::Owner;
use crate::engine::Engine;
use crate::jobs::{JobContext, JobFailure, JobOutcome};

/// Mechanism of thinking.
///
/// Contract: a run reads what it needs, decides by pure functions, and commits at most one change set, which ends the job. A
/// run that fails has changed nothing, apart from the account of its model calls, and can be repeated. Runs of one owner
/// never overlap in a process; the queue and the versions of memories refuse the later of two in several processes.
#[async_trait]
pub(super) trait Mechanism: Send + Sync {
    /// Kind of its jobs, and the name of its queue if it has one.
    fn kind(&self) -> &'static str;

    /// Makes one run. `memories` are those that the job names.
    async fn think(&self, engine: &Engine, run: &Run, memories: &[Uuid]) -> Result<JobOutcome, JobFailure>;
}

/// Run of a thinking job.
pub(super) struct Run {
    pub(super) tenant: TenantId,
    pub(super) owner: Owner,
    pub(super) context: Arc<JobContext>,
}

impl Run {
    /// The job.
    pub(super) fn job_id(&self) -> JobId {
        self.context.job().id
    }
}
