//! Online change of the row recipe, to another embedder or to the current tokenizer and key recipe, by a background
//! job. Rows of the new recipe are made beside those in use, a few memories at a time. When none is missing, the commit
//! queue switches over between two commits, if this worker still holds the job's lease. The job can be stopped at any
//! moment and resumes where it stopped: rows that were made are stored.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::domain::change::IndexRow;
use crate::domain::clock::Clock;
use crate::domain::id::{JobId, TenantId};
use crate::domain::job::Job;
use crate::domain::time::Timestamp;
use crate::engine::ActiveEmbedder;
use crate::error::Error;
use crate::indexing::commit_queue::CommitQueue;
use crate::indexing::keys::row_recipe;
use crate::indexing::{TextToIndex, index_texts_with};
use crate::jobs::{JobContext, JobFailure, JobHandler, JobOutcome, Progress};
use crate::model::source::EmbedderSource;
use crate::store::{Store, Unembedded};

/// Kind of these jobs, and their unique key: a tenant has one at a time.
pub(crate) const KIND: &str = "reindex";
/// Maximum number of memories embedded in one step.
const MEMORIES_PER_STEP: u32 = 64;
/// Maximum number of owners counted in one step.
const OWNERS_PER_STEP: u32 = 1_000;
/// Maximum number of rows deleted in one step once they are no longer in use.
const ROWS_PER_DROP: u32 = 2_000;

/// Payload of such a job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Name of the target embedder in the configuration.
    pub(crate) embedder: String,
    /// True if the embedder stays and only its rows are rebuilt. `embedder` is then the model's own name, which the
    /// configuration may not contain.
    #[serde(default)]
    pub(crate) keeps_embedder: bool,
}

impl Payload {
    /// Payload of a job of this kind, if it can be decoded.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        serde_json::from_str(&job.payload).ok()
    }

    /// A new job with this payload.
    pub(crate) fn job(&self, id: JobId, tenant: TenantId, now: Timestamp) -> Job {
        let payload = serde_json::json!(self).to_string();
        Job { unique_key: Some(KIND.to_owned()), ..Job::new(id, tenant, KIND, payload, now) }
    }
}

/// Embedder that makes the rows, and the number of the current recipe.
struct Target {
    active: ActiveEmbedder,
    /// True if the rows in use have the same vectors: the recipes differ in the tokenizer alone.
    keeps_vectors: bool,
}

/// Failure of a job whose rows do not become fewer: the pages of their table contradict each other.
fn no_progress(context: &JobContext) -> JobFailure {
    tracing::error!(
        job = %context.job().id,
        "embedding anew ends: memories are not at the place of their ids, see `engrain doctor`"
    );
    JobFailure::Damaged
}

/// Handler of the jobs of [`KIND`].
pub(crate) struct ReindexHandler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) commits: CommitQueue,
    pub(crate) active: Arc<RwLock<ActiveEmbedder>>,
    pub(crate) embedders: Arc<dyn EmbedderSource>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for ReindexHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReindexHandler").finish_non_exhaustive()
    }
}

#[async_trait]
impl JobHandler for ReindexHandler {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let failed = |error: Error| {
            if !matches!(error, Error::LeaseLost { .. }) {
                let cause = &error as &dyn std::error::Error;
                tracing::error!(error = cause, job = %context.job().id, "embedding anew failed");
            }
            JobFailure::from(error)
        };
        let payload =
            Payload::of(context.job()).ok_or_else(|| JobFailure::Final { code: "bad_payload".to_owned() })?;
        let target = self.target(&payload).await.map_err(failed)?;
        let mut progress = context.progress();
        progress.total = self.count_memories(context.job().tenant).await.map_err(failed)?;
        // A memory whose rows cannot be decoded counts as one without rows.
        self.store.drop_unreadable_rows().await?;
        let mut before = None;
        loop {
            let wanting = self.make_rows(&context, &mut progress, &target).await?;
            if self.change_over(&context, &target).await.map_err(failed)? {
                break;
            }
            // Memories that are listed and not found by their ids would be embedded for ever.
            if wanting.is_some() && wanting == before {
                return Err(no_progress(&context));
            }
            before = wanting;
        }
        progress.done = progress.total;
        context.note(progress).await?;
        let mut from = None;
        loop {
            let dropped = self.store.drop_other_rows(from, ROWS_PER_DROP).await?;
            if dropped.next.is_none() {
                return Ok(JobOutcome::Done);
            }
            if dropped.rows == 0 && dropped.next == from {
                return Err(no_progress(&context));
            }
            from = dropped.next;
        }
    }
}

impl ReindexHandler {
    async fn target(&self, payload: &Payload) -> Result<Target, Error> {
        let embedder = if payload.keeps_embedder {
            Arc::clone(&self.active.read().embedder)
        } else {
            self.embedders.open(&payload.embedder).await?
        };
        let identity = embedder.identity();
        let dimension = u32::try_from(identity.dimension).unwrap_or(u32::MAX);
        let now = self.clock.now();
        let recipe = row_recipe(identity.vector_space());
        let id = self.store.register_embedder(&recipe, dimension, now).await?;
        let keeps_vectors = self.store.embedder_in_use().await?.is_some_and(|(in_use, stored)| {
            in_use != id && (stored.embedder, stored.key_recipe) == (recipe.embedder, recipe.key_recipe)
        });
        Ok(Target { active: ActiveEmbedder { id, embedder }, keeps_vectors })
    }

    /// Makes the rows of all memories that have none of this recipe yet; returns a digest of these memories and their
    /// versions, if there were any.
    async fn make_rows(
        &self,
        context: &JobContext,
        progress: &mut Progress,
        target: &Target,
    ) -> Result<Option<u64>, JobFailure> {
        let (mut after, mut digest) = (None, DefaultHasher::new());
        loop {
            let wanting = self.store.unembedded(target.active.id, after, MEMORIES_PER_STEP).await?;
            if wanting.is_empty() {
                return Ok(after.map(|_| digest.finish()));
            }
            for one in &wanting {
                let key = (one.partition, one.memory.id);
                // A key that is out of order would take the listing back to where it was.
                if after.is_some_and(|after| key <= after) {
                    return Err(no_progress(context));
                }
                after = Some(key);
                (key, one.memory.version).hash(&mut digest);
            }
            let texts: Vec<TextToIndex> =
                wanting.iter().map(|one| TextToIndex::of_memory(&one.memory)).collect();
            let in_use = if target.keeps_vectors { self.rows_in_use(&wanting).await? } else { Vec::new() };
            let rows = index_texts_with(&*target.active.embedder, &texts, &in_use, "memories").await?;
            let made: Vec<_> = wanting
                .into_iter()
                .zip(rows)
                .map(|(one, rows)| (one.partition, one.memory.id, one.memory.version, rows))
                .collect();
            self.store.put_rows(target.active.id, &made).await?;
            progress.done = progress.total.min(progress.done + made.len() as u64);
            context.note(progress.clone()).await?;
        }
    }

    /// Rows in use of each memory; none for a memory that has changed meanwhile.
    async fn rows_in_use(&self, memories: &[Unembedded]) -> Result<Vec<Vec<IndexRow>>, Error> {
        let mut rows = Vec::with_capacity(memories.len());
        for group in memories.chunk_by(|one, next| one.partition == next.partition) {
            let Some(first) = group.first() else { continue };
            let ids: Vec<_> = group.iter().map(|one| one.memory.id).collect();
            let mut indexed = self.store.indexed(first.partition, &ids).await?;
            rows.extend(group.iter().map(|one| {
                let same = indexed
                    .iter_mut()
                    .find(|it| (it.memory.id, it.memory.version) == (one.memory.id, one.memory.version));
                same.map_or_else(Vec::new, |it| std::mem::take(&mut it.rows))
            }));
        }
        Ok(rows)
    }

    /// Switches to the new recipe; returns false if a memory lacks rows of it. It runs as a task of its own, since
    /// store and engine must agree on the recipe even if this worker is stopped in the middle.
    async fn change_over(&self, context: &JobContext, target: &Target) -> Result<bool, Error> {
        let (commits, active) = (self.commits.clone(), Arc::clone(&self.active));
        let (attempt, target) = (context.attempt(), target.active.clone());
        let changing = tokio::spawn(async move {
            let has_changed = commits.use_embedder(target.id, attempt).await?;
            if has_changed {
                *active.write() = target;
            }
            Ok(has_changed)
        });
        changing.await.map_err(|_| Error::Stopping)?
    }

    async fn count_memories(&self, tenant: TenantId) -> Result<u64, Error> {
        let (mut total, mut after) = (0, None);
        loop {
            let owners = self.store.owners(tenant, after, OWNERS_PER_STEP).await?;
            let Some(last) = owners.last() else { return Ok(total) };
            after = Some(last.partition);
            total += owners.iter().map(|owner| owner.memory_count).sum::<u64>();
        }
    }
}
