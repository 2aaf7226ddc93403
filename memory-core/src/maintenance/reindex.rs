//! Changing the embedder while serving. Rows of the new embedder are made beside those in use, a few memories at a
//! time; when none is wanting, the commit queue changes over between two commits. The job can be stopped at any
//! moment and goes on where it was: rows that are made stay made.

use std::sync::Arc;

use crate::domain::embedder::EmbedderId;
use crate::domain::id::JobId;
use crate::domain::job::{Job, JobState};
use crate::domain::scope::Caller;
use crate::engine::{ActiveEmbedder, Engine, needs_admin};
use crate::error::Error;
use crate::indexing::{TextToIndex, index_texts_with};
use crate::model::Embedder;

/// The kind of these jobs.
const KIND: &str = "reindex";
/// Memories embedded in one step.
const MEMORIES_PER_STEP: u32 = 64;
/// How long a step may take before another server may take the job over.
const LEASE_US: i64 = 10 * 60 * 1_000_000;
/// Rows dropped in one step once they are no longer in use.
const ROWS_PER_DROP: u32 = 2_000;

impl Engine {
    /// Starts to embed everything anew, or answers the job that does so already. With the embedder in use, rows that
    /// are wanting are made.
    pub async fn start_reindex(
        self: &Arc<Self>,
        caller: &Caller,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Job, Error> {
        needs_admin(caller)?;
        let now = self.now();
        let identity = embedder.identity().vector_space();
        let asked = Job {
            id: JobId(self.ids.next(now)),
            tenant: caller.tenant,
            kind: KIND.to_owned(),
            unique_key: Some(KIND.to_owned()),
            payload: serde_json::json!({ "embedder": embedder.identity().name }).to_string(),
            state: JobState::Waiting,
            attempts: 0,
            done: 0,
            total: 0,
            position: None,
            error: None,
            created_at: now,
            updated_at: now,
        };
        let job = self.store.enqueue(asked).await?;
        // Also for a job that is said to be running: its worker may have died with its process. If it lives, its lease
        // has not run out, and there is nothing to claim.
        let dimension = u32::try_from(embedder.identity().dimension).unwrap_or(u32::MAX);
        let rows_of = self.store.register_embedder(&identity, dimension, now).await?;
        let engine = self.clone();
        tokio::spawn(async move { engine.run_reindex(ActiveEmbedder { id: rows_of, embedder }).await });
        Ok(job)
    }

    async fn run_reindex(&self, target: ActiveEmbedder) {
        let claimed = match self.store.claim(self.now(), LEASE_US).await {
            Ok(Some(job)) if job.kind == KIND => job,
            Ok(_) => return,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the job could not be taken");
                return;
            }
        };
        let mut job = claimed;
        let outcome = self.reindex(&mut job, &target).await;
        job.state = if outcome.is_ok() { JobState::Done } else { JobState::Failed };
        job.error = outcome.err().map(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, job = %job.id, "embedding anew failed");
            error.code().to_owned()
        });
        let now = self.now();
        if let Err(error) = self.store.finish(&job, now, now).await {
            tracing::error!(error = &error as &dyn std::error::Error, job = %job.id, "the job could not be ended");
        }
    }

    async fn reindex(&self, job: &mut Job, target: &ActiveEmbedder) -> Result<(), Error> {
        job.total = self.count_memories(job).await?;
        loop {
            self.make_rows(job, target).await?;
            if self.commits.use_embedder(target.id).await? {
                break;
            }
        }
        *self.embedder.write() = target.clone();
        while self.store.drop_other_rows(ROWS_PER_DROP).await? > 0 {}
        Ok(())
    }

    /// Makes the rows of all memories that have none of this embedder yet.
    async fn make_rows(&self, job: &mut Job, target: &ActiveEmbedder) -> Result<(), Error> {
        let mut after = None;
        loop {
            let wanting = self.store.unembedded(target.id, after, MEMORIES_PER_STEP).await?;
            let Some(last) = wanting.last() else { return Ok(()) };
            after = Some((last.partition, last.memory.id));
            let texts: Vec<TextToIndex> =
                wanting.iter().map(|one| TextToIndex::of_memory(&one.memory)).collect();
            let rows = index_texts_with(&*target.embedder, &texts, "memories").await?;
            let made: Vec<_> = wanting
                .into_iter()
                .zip(rows)
                .map(|(one, rows)| (one.partition, one.memory.id, one.memory.version, rows))
                .collect();
            self.store.put_rows(target.id, &made).await?;
            job.done = job.total.min(job.done + made.len() as u64);
            if !self.store.progress(job, self.now(), LEASE_US).await? {
                return Err(Error::Busy);
            }
        }
    }

    async fn count_memories(&self, job: &Job) -> Result<u64, Error> {
        let (mut total, mut after) = (0, None);
        loop {
            let owners = self.store.owners(job.tenant, after, 1_000).await?;
            let Some(last) = owners.last() else { return Ok(total) };
            after = Some(last.partition);
            total += owners.iter().map(|owner| owner.memory_count).sum::<u64>();
        }
    }

    /// The store's number of the embedder in use: for tests of the change-over.
    pub fn embedder_id(&self) -> EmbedderId {
        self.active_embedder().id
    }
}
