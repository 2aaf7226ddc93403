//! Vectors made after their rows, by a background job: a few rows at a time, each step durable and visible at once.
//!
//! The list of rows is the store's own, so that edits, erasures and changes of the embedder need not know of it. The job
//! can be stopped at any moment. It is never given up: while the embedder fails, it is tried again with growing pauses.
//! A text that the embedder refuses does not hold up the others: it is passed over until the next attempt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::time::timeout;

use crate::domain::change::KeyKind;
use crate::domain::clock::Clock;
use crate::domain::id::{JobId, MemoryId, PartitionId};
use crate::engine::{ActiveEmbedder, Engine};
use crate::error::Error;
use crate::indexing::commit_queue::CommitQueue;
use crate::indexing::embedder_health::EmbedderHealth;
use crate::indexing::missing_vectors::{ChunkTexts, KIND, job, stored_vector};
use crate::jobs::{JobContext, JobFailure, JobHandler, JobOutcome, Progress, Retries};
use crate::model::{Embedder, ModelError};
use crate::store::{MadeVector, RowToEmbed, Store, VectorsToPut};

/// Maximum number of rows embedded in one step.
const ROWS_PER_STEP: u32 = 32;
/// Number of texts in a row that the embedder must refuse one by one before the attempt is over: by then the fault is
/// likely to be the embedder's.
const REFUSED_AT_MOST: usize = 8;
/// Number of steps in a row without a vector after which an attempt is over.
const BARREN_STEPS_AT_MOST: usize = 4;
/// Maximum pause between two attempts: a service that is back is used half a minute later at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Maximum time of one call of the embedder: a step of the longest chunks takes a local one half a minute on two cores.
const LONGEST_CALL: Duration = Duration::from_secs(5 * 60);
/// Maximum number of rows that are counted.
const COUNTED_AT_MOST: u32 = 100_000;
/// Maximum number of tenants that get a job at the start.
const TENANTS_PER_START: u32 = 1_000;

/// Handler of the jobs of [`KIND`].
pub(crate) struct EmbedHandler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) commits: CommitQueue,
    pub(crate) active: Arc<RwLock<ActiveEmbedder>>,
    pub(crate) health: EmbedderHealth,
    pub(crate) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for EmbedHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbedHandler").finish_non_exhaustive()
    }
}

#[async_trait]
impl JobHandler for EmbedHandler {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn retries(&self) -> Retries {
        Retries::Endless { longest_pause: LONGEST_PAUSE }
    }

    async fn run(&self, context: Arc<JobContext>) -> Result<JobOutcome, JobFailure> {
        let mut progress = context.progress();
        let waiting = self.store.count_rows_to_embed(COUNTED_AT_MOST).await?;
        progress.total = progress.done.saturating_add(waiting);
        let mut after = progress.position.as_deref().and_then(row_at);
        loop {
            let is_whole = after.is_none();
            let pass = self.pass(&context, &mut progress, after).await?;
            if let Some(code) = pass.refused {
                return Err(JobFailure::Retry { code: code.to_owned() });
            }
            if pass.has_rows && pass.made == 0 {
                // Rows of memories that cannot be read, or that change with every look.
                return Err(JobFailure::Retry { code: "no_text".to_owned() });
            }
            let is_over = is_whole && !pass.has_rows;
            if is_over && self.commits.end_embedding(context.job().clone(), self.clock.now()).await? {
                return Ok(JobOutcome::Committed);
            }
            after = None;
        }
    }
}

/// Result of a pass over the rows.
#[derive(Default)]
struct Pass {
    has_rows: bool,
    /// Number of vectors made.
    made: u64,
    /// Code of the failure of texts that the embedder refused.
    refused: Option<&'static str>,
}

/// Position of a row, as a job keeps it.
fn position_of(row: &RowToEmbed) -> String {
    format!("{}/{}/{}", row.partition.0, row.memory.0, row.chunk)
}

/// Row at a position; `None` for what [`position_of`] did not write.
fn row_at(position: &str) -> Option<RowToEmbed> {
    let mut parts = position.split('/');
    let partition = PartitionId(parts.next()?.parse().ok()?);
    let memory = MemoryId(parts.next()?.parse().ok()?);
    let chunk = parts.next()?.parse().ok()?;
    Some(RowToEmbed { partition, memory, key: KeyKind::Text, chunk, span: (0, 0) })
}

/// Result of a step.
#[derive(Default)]
struct Step {
    /// Number of vectors made.
    made: u64,
    /// Code of the failure of texts that the embedder refused.
    refused: Option<&'static str>,
}

impl EmbedHandler {
    /// Makes the vectors of the rows after `after`. Where the embedder refuses many texts one after the other, the pass
    /// is over, and the next attempt goes on behind them.
    async fn pass(
        &self,
        context: &JobContext,
        progress: &mut Progress,
        mut after: Option<RowToEmbed>,
    ) -> Result<Pass, JobFailure> {
        let (mut pass, mut barren_steps) = (Pass::default(), 0);
        loop {
            let rows = self.store.rows_to_embed(context.job().tenant, after, ROWS_PER_STEP).await?;
            let Some(last) = rows.last() else { break };
            after = Some(*last);
            let step = self.step(context, &rows).await?;
            (pass.has_rows, pass.refused) = (true, step.refused.or(pass.refused));
            barren_steps = if step.made == 0 && step.refused.is_some() { barren_steps + 1 } else { 0 };
            pass.made += step.made;
            progress.done += step.made;
            progress.total = progress.total.max(progress.done);
            progress.position = (barren_steps >= BARREN_STEPS_AT_MOST).then(|| position_of(last));
            context.note(progress.clone()).await?;
            if progress.position.is_some() {
                return Ok(pass);
            }
        }
        if progress.position.take().is_some() {
            context.note(progress.clone()).await?;
        }
        Ok(pass)
    }

    /// Makes the vectors of some rows, and commits them partition by partition.
    async fn step(&self, context: &JobContext, rows: &[RowToEmbed]) -> Result<Step, JobFailure> {
        let ActiveEmbedder { id, embedder } = self.active.read().clone();
        let mut step = Step::default();
        for rows in rows.chunk_by(|one, next| one.partition == next.partition) {
            let Some(partition) = rows.first().map(|row| row.partition) else { continue };
            let texts = self.texts(&*embedder, partition, rows).await?;
            if texts.is_empty() {
                continue;
            }
            let (vectors, refused) = self.vectors(&*embedder, texts).await?;
            step.refused = refused.or(step.refused);
            let (attempt, now) = (context.attempt(), self.clock.now());
            let made = VectorsToPut { partition, embedder: id, attempt, now, vectors };
            step.made += self.commits.put_vectors(made).await?;
        }
        Ok(step)
    }

    /// Rows with the version and the chunk to embed; without those that are gone.
    async fn texts(
        &self,
        embedder: &dyn Embedder,
        partition: PartitionId,
        rows: &[RowToEmbed],
    ) -> Result<Vec<(RowToEmbed, u32, String)>, JobFailure> {
        let ids: BTreeMap<MemoryId, ()> = rows.iter().map(|row| (row.memory, ())).collect();
        let ids: Vec<MemoryId> = ids.into_keys().collect();
        let memories = self.store.memories(partition, &ids).await?;
        let texts = ChunkTexts::new(embedder, &memories);
        Ok(rows.iter().filter_map(|row| texts.of(row).map(|(version, text)| (*row, version, text))).collect())
    }

    /// Vectors in one call; if a text may be at fault for its failure, one by one.
    async fn vectors(
        &self,
        embedder: &dyn Embedder,
        texts: Vec<(RowToEmbed, u32, String)>,
    ) -> Result<(Vec<MadeVector>, Option<&'static str>), JobFailure> {
        let chunks: Vec<String> = texts.iter().map(|(.., text)| text.clone()).collect();
        match within_bound(embedder.embed_passages(&chunks)).await {
            Ok(vectors) => {
                self.health.works();
                let rows = texts.iter().zip(vectors);
                let made = rows.map(|((row, version, _), vector)| made(*row, *version, &vector));
                return Ok((made.collect::<Result<_, _>>()?, None));
            }
            Err(error) if error.may_be_of_one_text() => {}
            Err(error) => return Err(JobFailure::Retry { code: self.failed(&error).to_owned() }),
        }
        let (mut vectors, mut refused, mut in_a_row) = (Vec::new(), None, 0);
        for (row, version, text) in texts {
            match within_bound(embedder.embed_passages(&[text])).await {
                Ok(one) => {
                    in_a_row = 0;
                    for vector in one {
                        vectors.push(made(row, version, &vector)?);
                    }
                }
                Err(error) => {
                    (refused, in_a_row) = (Some(error.code()), in_a_row + 1);
                    if !error.may_be_of_one_text() || in_a_row >= REFUSED_AT_MOST {
                        self.failed(&error);
                        break;
                    }
                }
            }
        }
        Ok((vectors, refused))
    }

    fn failed(&self, error: &ModelError) -> &'static str {
        if !matches!(error, ModelError::Busy { .. } | ModelError::Stopped) {
            self.health.failed(error.code(), self.clock.now());
        }
        error.code()
    }
}

/// Vectors of a call, or an error after the longest time that a call may take.
async fn within_bound<V>(call: impl Future<Output = Result<V, ModelError>>) -> Result<V, ModelError> {
    timeout(LONGEST_CALL, call).await.unwrap_or(Err(ModelError::TimedOut { after: LONGEST_CALL }))
}

fn made(row: RowToEmbed, version: u32, vector: &[f32]) -> Result<MadeVector, Error> {
    Ok(MadeVector { row, version, vector: stored_vector(vector)? })
}

impl Engine {
    /// Number of rows without a vector, over all tenants, counted up to 100,000.
    ///
    /// # Errors
    /// [`Error::Store`] if the store is unavailable.
    pub async fn count_rows_to_embed(&self) -> Result<u64, Error> {
        Ok(self.store.count_rows_to_embed(COUNTED_AT_MOST).await?)
    }

    /// Enqueues the jobs of tenants with rows without vectors: after a job that was cancelled.
    pub(crate) async fn resume_embedding(&self) -> Result<(), Error> {
        for tenant in self.store.tenants_to_embed(TENANTS_PER_START).await? {
            let now = self.now();
            self.store.enqueue(job(JobId(self.ids.next(now)), tenant, now)).await?;
            self.commits.job_arrivals().announce(KIND);
        }
        Ok(())
    }
}
