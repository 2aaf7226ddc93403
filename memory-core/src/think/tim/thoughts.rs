//! Mechanism `tim.paper`: a batch of turns → thoughts, and their recall, as published (arXiv 2311.08719).
//!
//! Every thought is inserted into its bucket, without a comparison with the others; the job that follows forgets and merges
//! within the bucket. Recall reads the one bucket of the query. Both are kept for comparison: `docs/BENCHMARKS.md` has what
//! one table and one probe cost in recall, and the default profile does neither.

use async_trait::async_trait;
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::derivation::{Input, Source};
use crate::domain::id::{JobId, MemoryId, PartitionId};
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
use crate::think::facts::Answer;
use crate::think::facts::confidential::restricted;
use crate::think::facts::writing::{Writing, fact_set};
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::batch::{self, Batch};
use crate::think::queue::request::{self, Payload};
use crate::think::resolve::{FactChanges, FactToWrite, audience};
use crate::think::settings::Task;

/// Maximum number of attempts when other writes commit first.
const CONFLICTS: usize = 4;
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
        engine.make_thoughts(run).await
    }
}

impl Engine {
    /// Makes thoughts of the oldest turns of an owner that wait.
    pub(in crate::think) async fn make_thoughts(&self, run: &Run) -> Result<JobOutcome, JobFailure> {
        let settings = &self.thinking.settings;
        let partition = self.store.partition_of(run.tenant, &run.owner).await?;
        let (Some(partition), Some(_)) = (partition, settings.model(Task::Extract)) else {
            return Ok(JobOutcome::Done);
        };
        let mut turns_at_most = settings.turns_per_call;
        for _ in 0..CONFLICTS {
            let batch =
                batch::load(&self.store, partition, (request::TIM_PAPER, turns_at_most), settings).await?;
            let Some(batch) = batch else { return Ok(JobOutcome::Done) };
            let Answer::Extracted(mut extracted, refusal) = self.extracted(run, partition, &batch).await?
            else {
                turns_at_most = u32::try_from(batch.queued.len() / 2).unwrap_or(1).max(1);
                continue;
            };
            if refusal.is_some() {
                // The published mechanism has no counterpart by rules.
                extracted.candidates.clear();
            }
            let mut set = self.thoughts_of(run, &batch, &extracted).await?;
            if refusal.is_some() {
                // The runner ends it as failed.
                set.finishes = None;
            }
            match self.commits.commit(set).await {
                Ok(_) => return refusal.map_or(Ok(JobOutcome::Committed), Err),
                Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobFailure::Retry { code: "version_conflict".to_owned() })
    }

    async fn thoughts_of(&self, run: &Run, batch: &Batch, extracted: &Extracted) -> Result<ChangeSet, Error> {
        let now = self.now();
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), now);
        let turns = batch.queued.iter().map(|turn| turn.memory.id).collect();
        set.thought_about = Some(ThoughtAbout { mechanism: request::TIM_PAPER, turns });
        set.finishes = Some(run.context.attempt());
        if batch.has_more {
            let payload = Payload::new(&run.owner, &[]);
            set.jobs.push(payload.job(JobId(self.ids.next(now)), run.tenant, request::TIM_PAPER, now, true));
        }
        let facts: Vec<FactToWrite> =
            (0..extracted.candidates.len()).filter_map(|at| self.thought(batch, extracted, at)).collect();
        if facts.is_empty() {
            return Ok(set);
        }
        let new: Vec<MemoryId> = facts.iter().map(|fact| fact.id).collect();
        if self.thinking.settings.model(Task::Organise).is_some() {
            let id = JobId(self.ids.next(now));
            set.jobs.push(Payload::new(&run.owner, &new).job(id, run.tenant, request::ORGANISE, now, false));
        }
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
        field_checks::text("query".to_owned(), query, &self.limits)?;
        if !(1..=THOUGHTS_PER_RECALL).contains(&k) {
            return Err(Error::invalid("limit", format!("must be between 1 and {THOUGHTS_PER_RECALL}")));
        }
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Vec::new());
        };
        let vector = self.active_embedder().embedder.embed_query(query).await?;
        let mut found = self.thoughts_in_bucket(partition, &vector).await?;
        let may_know = |memory: &Memory| {
            partner.is_none_or(|partner| memory.audience.is_empty() || memory.audience.contains(partner))
        };
        found.retain(|thought| may_know(&thought.memory));
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
