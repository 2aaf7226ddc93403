//! Mechanism `tim.paper`: a batch of turns → thoughts, and their recall, as published (arXiv 2311.08719).
//!
//! Every thought is inserted into its bucket, without a comparison with the others; the job that follows forgets and merges
//! within the bucket. Recall reads the one bucket of the query. Both are kept for comparison: `docs/BENCHMARKS.md` has what
//! one table and one probe cost in recall, and the default profile does neither.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::change::ChangeSet;
use crate::domain::derivation::{Input, Source};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::indexing::TextToIndex;
use crate::jobs::{JobFailure, JobOutcome};
use crate::scope::owner;
use crate::think::extract::step::Extracted;
use crate::think::facts::confidential::restricted;
use crate::think::facts::writing::{Writing, fact_set};
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::batch::Batch;
use crate::think::queue::request;
use crate::think::queue::run::Queue;
use crate::think::resolve::{FactChanges, FactToWrite, audience};
use crate::think::settings::Profile;

/// Queue of turns of the profile `tim.paper`.
const THOUGHTS: Queue = Queue { queue: request::TIM_PAPER, profile: Profile::TimPaper, conflicts_at_most: 4 };
/// Maximum number of thoughts of one bucket that recall scores, the newest first.
const PER_BUCKET: u32 = 4_096;
/// Maximum number of thoughts that recall returns.
pub const THOUGHTS_PER_RECALL: u32 = 100;

/// Thought with its cosine to the query.
#[derive(Clone, Debug)]
pub struct RecalledThought {
    /// Thought.
    pub memory: Memory,
    /// Cosine.
    pub similarity: f32,
}

/// Makes thoughts of the turns in its queue.
pub(in crate::think) struct MakeThoughts;

#[async_trait]
impl Mechanism for MakeThoughts {
    fn kind(&self) -> &'static str {
        request::TIM_PAPER
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.think_about_queue(run, &THOUGHTS).await
    }
}

impl Engine {
    /// The change set of a batch.
    pub(in crate::think) async fn thoughts_of(
        &self,
        run: &Run,
        batch: &Batch,
        extracted: &Extracted,
    ) -> Result<ChangeSet, Error> {
        let mut set = self.set_of_batch(run, batch, THOUGHTS.queue);
        let facts: Vec<FactToWrite> =
            (0..extracted.candidates.len()).filter_map(|at| self.thought(batch, extracted, at)).collect();
        if facts.is_empty() {
            return Ok(set);
        }
        self.organise_later(run, &facts, &mut set);
        let texts: Vec<TextToIndex> =
            extracted.candidates.iter().map(|candidate| TextToIndex::plain(&candidate.text)).collect();
        let indexed = self.index_texts(&texts, "thoughts").await?;
        let writing =
            Writing { engine: self, maker: &extracted.maker, job: run.job_id(), batch, indexed: &indexed };
        fact_set(
            &writing,
            FactChanges { facts, revisions: restricted(batch, &extracted.candidates) },
            &mut set,
        )
        .await?;
        Ok(set)
    }

    fn thought(&self, batch: &Batch, extracted: &Extracted, at: usize) -> Option<FactToWrite> {
        let candidate = extracted.candidates.get(at)?;
        let inputs = batch.shown.iter().enumerate().map(|(place, turn)| Input {
            source: Source::Turn(turn.turn),
            is_evidence: candidate.evidence.contains(&place),
        });
        let evidence: Vec<_> =
            candidate.evidence.iter().filter_map(|place| batch.shown.get(*place)).collect();
        Some(FactToWrite {
            id: MemoryId(self.ids.next(self.now())),
            candidate: Some(at),
            kind: Kind::Thought,
            text: candidate.text.clone(),
            statement: candidate.statement.clone(),
            subjects: vec![candidate.statement.subject.clone()],
            audience: audience(candidate, &evidence),
            tags: Vec::new(),
            links: Vec::new(),
            groups: Vec::new(),
            happened: candidate.happened,
            valid: candidate.valid,
            inputs: inputs.collect(),
        })
    }

    /// Recalls thoughts as published: those of the bucket of the query, by cosine, at most `k`.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to read, or the embedder or the
    /// store fails.
    pub async fn recall_thoughts(
        &self,
        caller: &Caller,
        scope: &Scope,
        (query, k): (&str, u32),
        partner: Option<&Name>,
    ) -> Result<Vec<RecalledThought>, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        field_checks::query(query, &self.limits)?;
        if !(1..=THOUGHTS_PER_RECALL).contains(&k) {
            return Err(Error::invalid("limit", format!("must be between 1 and {THOUGHTS_PER_RECALL}")));
        }
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Vec::new());
        };
        let vector = self.active_embedder().embedder.embed_query(query).await?;
        let mut found = self.thoughts_in_bucket(partition, &vector).await?;
        let (forgetting, now) = (self.forgetting_of(caller.tenant, &owner), self.now());
        found.retain(|thought| {
            thought.memory.may_be_told_to(partner) && !forgetting.hides(&thought.memory, now)
        });
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.memory.id.cmp(&b.memory.id)));
        found.truncate(k as usize);
        Ok(found)
    }

    async fn thoughts_in_bucket(
        &self,
        partition: PartitionId,
        query: &[f32],
    ) -> Result<Vec<RecalledThought>, Error> {
        let Some(key) = self.buckets()?.key(query) else { return Ok(Vec::new()) };
        let ids: Vec<MemoryId> = self
            .store
            .in_groups(partition, &[key], PER_BUCKET)
            .await?
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        let vectors = self.vectors(partition, &ids).await?;
        let norm = query.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let cosines: BTreeMap<MemoryId, f32> = vectors
            .iter()
            .map(|(id, vector)| (*id, vector.iter().zip(query).map(|(x, y)| x * y).sum::<f32>() / norm))
            .collect();
        let now = self.now();
        let in_force = |memory: &Memory| {
            memory.kind == Kind::Thought && memory.expires_at.is_none_or(|expires| expires > now)
        };
        let memories = self.store.memories(partition, &ids).await?.into_iter().filter(in_force);
        Ok(memories
            .filter_map(|memory| Some(RecalledThought { similarity: *cosines.get(&memory.id)?, memory }))
            .collect())
    }
}
