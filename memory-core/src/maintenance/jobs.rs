//! Background jobs of the engine: start of the runner, requests for jobs, and their state.

use std::sync::Arc;

use super::embed::EmbedHandler;
use super::erase_owner::EraseOwnerHandler;
use super::reindex::{Payload, ReindexHandler};
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::{Job, JobCount, JobFilter};
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::forgetting;
use crate::indexing::keys::row_recipe;
use crate::jobs::registry::JobRegistry;
use crate::jobs::runner::{JobRunner, RunnerStatus};
use crate::jobs::settings::JobSettings;
use crate::model::source::EmbedderSource;
use crate::think;

impl Engine {
    /// Starts the job runner; jobs of an earlier process are resumed. If the rows in use were made with another
    /// tokenizer or key recipe, a job that rebuilds them is created. To be called once, before requests are accepted; a
    /// second call changes nothing.
    ///
    /// Errors: [`Error::Store`] if the store is unavailable.
    pub async fn start_jobs(
        self: &Arc<Self>,
        embedders: Arc<dyn EmbedderSource>,
        settings: JobSettings,
    ) -> Result<(), Error> {
        if self.embedders.set(Arc::clone(&embedders)).is_err() {
            return Ok(());
        }
        or_read_only(self.renew_stale_rows().await)?;
        let reindex = ReindexHandler {
            store: Arc::clone(&self.store),
            commits: self.commits.clone(),
            active: Arc::clone(&self.embedder),
            embedders,
            clock: Arc::clone(&self.clock),
        };
        let erase_owner = EraseOwnerHandler {
            store: Arc::clone(&self.store),
            index: Arc::clone(&self.index),
            graphs: Arc::clone(&self.graphs),
            clock: Arc::clone(&self.clock),
        };
        let embed = EmbedHandler {
            store: Arc::clone(&self.store),
            commits: self.commits.clone(),
            active: Arc::clone(&self.embedder),
            health: self.embedder_health.clone(),
            clock: Arc::clone(&self.clock),
        };
        let registry =
            JobRegistry::default().with(Arc::new(reindex)).with(Arc::new(erase_owner)).with(Arc::new(embed));
        let registry = forgetting::jobs::register(self, think::jobs::register(self, registry));
        or_read_only(self.resume_owner_erasures().await)?;
        or_read_only(self.resume_embedding().await)?;
        or_read_only(self.resume_thinking().await)?;
        self.keep_thinking();
        let store = Arc::clone(&self.store);
        let (clock, arrivals) = (Arc::clone(&self.clock), self.commits.job_arrivals());
        let runner = JobRunner::start(store, clock, &registry, settings, arrivals).await?;
        let _ = self.jobs.set(runner);
        Ok(())
    }

    /// Requests a change to the embedder of this name: a background job embeds all memories again. Returns the existing
    /// job if one for this embedder waits or runs. With the embedder in use, the job makes missing rows.
    ///
    /// Errors: [`Error::ReindexInProgress`] while a job changes to another embedder; [`Error::Invalid`] if there is no
    /// such embedder, or it does not work.
    pub async fn start_reindex(&self, caller: &Caller, embedder: &str) -> Result<Job, Error> {
        needs_admin(caller)?;
        let embedders = self.embedders.get().ok_or(Error::Stopping)?;
        embedders.open(embedder).await.map_err(|error| Error::invalid("embedder", error))?;
        let now = self.now();
        let asked = Payload { embedder: embedder.to_owned(), keeps_embedder: false };
        let job = self.store.enqueue(asked.job(JobId(self.ids.next(now)), caller.tenant, now)).await?;
        let present = Payload::of(&job).map(|payload| payload.embedder).unwrap_or_default();
        if present != asked.embedder {
            return Err(Error::ReindexInProgress { embedder: present, job: job.id.to_string() });
        }
        self.nudge_jobs();
        Ok(job)
    }

    /// Returns a durable job.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        needs_read(caller)?;
        self.store.job(caller.tenant, id).await?.ok_or_else(|| no_job(id))
    }

    /// Returns durable jobs, newest first: those before `after`, at most `limit`.
    pub async fn jobs(
        &self,
        caller: &Caller,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(limit, &self.limits)?;
        Ok(self.store.jobs(caller.tenant, filter, after, limit).await?)
    }

    /// Cancels a waiting or running job, and returns its state after that. A finished job is unchanged. Completed steps
    /// are not undone.
    pub async fn cancel_job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        needs_admin(caller)?;
        let job = self.store.cancel(caller.tenant, id, self.now()).await?.ok_or_else(|| no_job(id))?;
        self.nudge_jobs();
        Ok(job)
    }

    /// Status of the job runner; `None` before it is started.
    pub fn job_runner(&self) -> Option<RunnerStatus> {
        self.jobs.get().map(JobRunner::status)
    }

    /// Number of jobs by kind and state, over all tenants: for metrics.
    pub async fn count_jobs(&self) -> Result<Vec<JobCount>, Error> {
        Ok(self.store.count_jobs().await?)
    }

    /// Creates a job that rebuilds the rows in use, if they were made with another recipe than the current one. A
    /// waiting job of this kind makes rows of the current recipe, whatever its payload; it is left as it is.
    async fn renew_stale_rows(&self) -> Result<(), Error> {
        let recipe = row_recipe(self.active_embedder().embedder.identity().vector_space());
        let Some((_, stored)) = self.store.embedder_in_use().await?.filter(|(_, stored)| *stored != recipe)
        else {
            return Ok(());
        };
        let job = self.embed_anew().await?;
        tracing::info!(
            %job,
            stored_tokenizer = stored.tokenizer,
            stored_key_recipe = stored.key_recipe,
            tokenizer = recipe.tokenizer,
            key_recipe = recipe.key_recipe,
            "index rows of an earlier version are made anew while they are served"
        );
        Ok(())
    }

    /// Requests a job that makes the missing rows of the embedder in use; returns its id, or that of the job of this kind
    /// that waits or runs.
    pub(super) async fn embed_anew(&self) -> Result<JobId, Error> {
        let now = self.now();
        let payload = Payload { embedder: self.embedder_name(), keeps_embedder: true };
        let job = payload.job(JobId(self.ids.next(now)), TenantId::DEFAULT, now);
        let job = self.store.enqueue(job).await?;
        self.nudge_jobs();
        Ok(job.id)
    }

    fn nudge_jobs(&self) {
        if let Some(runner) = self.jobs.get() {
            runner.nudge();
        }
    }
}

/// Goes on without a write that a full disk or missing permission refuses: the engine then serves reads.
fn or_read_only(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::Store(error)) if error.is_about_writing() => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store can only be read");
            Ok(())
        }
        written => written,
    }
}

fn no_job(id: JobId) -> Error {
    Error::NotFound { what: "job", id: id.to_string() }
}
