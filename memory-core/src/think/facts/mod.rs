//! Mechanism `facts`: a batch of turns → facts, in one change set that ends the job.
//!
//! The set takes the turns from the queue, so that no turn is thought about twice, and carries the facts, the new versions of
//! known facts, and the jobs that follow. A reply that is refused, a lost lease or a crash changes nothing.

pub mod audit;
pub(in crate::think) mod confidential;
pub(in crate::think) mod known;
pub mod preview;
pub(in crate::think) mod writing;

use async_trait::async_trait;
use std::sync::Arc;
use uuid::Uuid;

use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::id::{JobId, MemoryId, PartitionId, TurnId};
use crate::domain::memory::Kind;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::{IndexedTexts, TextToIndex};
use crate::jobs::{JobFailure, JobOutcome};
use crate::model::language_model::LanguageModelError;
use crate::model::language_model::ask::AskError;
use crate::think::calls::{CallError, ModelCalls};
use crate::think::extract::step::{Extracted, by_rules, extract};
use crate::think::facts::confidential::restricted;
use crate::think::facts::known::{Known, Reader};
use crate::think::facts::writing::{Writing, fact_set};
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::batch::{self, Batch};
use crate::think::queue::request::{self, Payload};
use crate::think::resolve::{
    ChangeInput, FactChanges, Resolution, ResolveInput, Thresholds, changes, resolve,
};
use crate::think::settings::{Profile, Task};

/// Maximum number of attempts at one batch when other writes commit first.
const CONFLICTS: usize = 8;
/// Number of failed attempts after which a batch whose replies are refused leaves the queue without facts of the model, so
/// that later turns are thought about.
const REFUSALS_AT_MOST: u32 = 2;

/// Answer of extraction to one batch.
pub(in crate::think) enum Answer {
    /// Candidates; with the failure that the job ends in, if those of the model were given up.
    Extracted(Extracted, Option<JobFailure>),
    /// The prompt is too long for the model: fewer turns may not be.
    TooLong,
}

/// True if a failure is due to the turns of the call, so that it would hold up all later ones. A wrong key or model is
/// not, and the turns wait for the operator.
fn is_about_the_turns(error: &AskError) -> bool {
    matches!(error, AskError::Refused { .. } | AskError::Model { error: LanguageModelError::TooLong, .. })
}

/// Decisions about the candidates of a batch.
pub(in crate::think) struct Resolved {
    pub(in crate::think) known: Known,
    pub(in crate::think) resolution: Resolution,
    pub(in crate::think) indexed: IndexedTexts,
}

/// Makes facts of the turns in its queue.
pub(in crate::think) struct MakeFacts;

#[async_trait]
impl Mechanism for MakeFacts {
    fn kind(&self) -> &'static str {
        request::FACTS
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.make_facts(run).await
    }
}

impl Engine {
    /// Makes facts of the oldest turns of an owner that wait.
    pub(in crate::think) async fn make_facts(&self, run: &Run) -> Result<JobOutcome, JobFailure> {
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        let settings = &self.thinking.settings;
        if !settings.can_think(Profile::Default) {
            return Ok(JobOutcome::Done);
        }
        let mut turns_at_most = settings.turns_per_call;
        let mut earlier: Option<(Vec<TurnId>, Answer)> = None;
        for _ in 0..CONFLICTS {
            let batch =
                batch::load(&self.store, partition, (request::FACTS, turns_at_most), settings).await?;
            let Some(batch) = batch else { return Ok(JobOutcome::Done) };
            // A conflict with other writes asks no model again, unless a turn that it was shown has been erased.
            let shown: Vec<TurnId> = batch.shown.iter().map(|turn| turn.turn).collect();
            let answer = match earlier.take().filter(|(of, _)| *of == shown) {
                Some((_, answer)) => answer,
                None => self.extracted(run, partition, &batch).await?,
            };
            let Answer::Extracted(extracted, refusal) = &answer else {
                turns_at_most = u32::try_from(batch.queued.len() / 2).unwrap_or(1).max(1);
                continue;
            };
            let mut set = self.facts_of(run, partition, &batch, extracted).await?;
            if refusal.is_some() {
                // The runner ends it as failed. The queue keeps the set from being committed twice.
                set.finishes = None;
            }
            match self.commits.commit(set).await {
                Ok(_) => return refusal.clone().map_or(Ok(JobOutcome::Committed), Err),
                Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {
                    earlier = Some((shown, answer));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobFailure::Retry { code: "version_conflict".to_owned() })
    }

    /// Candidates of a batch. After repeated refusals those by rules (or none), with the failure that the job ends in.
    pub(in crate::think) async fn extracted(
        &self,
        run: &Run,
        partition: PartitionId,
        batch: &Batch,
    ) -> Result<Answer, JobFailure> {
        let settings = &self.thinking.settings;
        let calls = ModelCalls {
            store: &self.store,
            settings,
            meter: &self.thinking.meter,
            tenant: run.tenant,
            partition: Some(partition),
            now: self.now(),
        };
        match extract(&calls, batch).await {
            Ok(extracted) => Ok(Answer::Extracted(extracted, None)),
            Err(CallError::Ask(AskError::Model { error: LanguageModelError::TooLong, .. }))
                if batch.queued.len() > 1 =>
            {
                Ok(Answer::TooLong)
            }
            Err(CallError::Ask(error))
                if is_about_the_turns(&error) && run.context.job().failures >= REFUSALS_AT_MOST =>
            {
                let mut extracted = by_rules(batch);
                if !settings.use_rules {
                    extracted.candidates.clear();
                }
                let failure = JobFailure::Final { code: error.code().to_owned() };
                Ok(Answer::Extracted(extracted, Some(failure)))
            }
            Err(CallError::Ask(error)) if is_about_the_turns(&error) => {
                Err(JobFailure::Retry { code: error.code().to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The change set of a batch.
    async fn facts_of(
        &self,
        run: &Run,
        partition: PartitionId,
        batch: &Batch,
        extracted: &Extracted,
    ) -> Result<ChangeSet, Error> {
        let now = self.now();
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), now);
        let turns = batch.queued.iter().map(|turn| turn.memory.id).collect();
        set.thought_about = Some(ThoughtAbout { mechanism: request::FACTS, turns });
        set.finishes = Some(run.context.attempt());
        if batch.has_more {
            let payload = Payload::new(&run.owner, &[]);
            set.jobs.push(payload.job(JobId(self.ids.next(now)), run.tenant, request::FACTS, now, true));
        }
        if extracted.candidates.is_empty() {
            return Ok(set);
        }
        let resolved = self.resolved(partition, batch, extracted, Kind::Fact).await?;
        let input = resolve_input(batch, extracted, &resolved.known);
        let ids: Vec<MemoryId> =
            (0..resolved.resolution.new_facts()).map(|_| MemoryId(self.ids.next(now))).collect();
        let change = ChangeInput { resolved: &input, kind: Kind::Fact, ids: &ids };
        let mut changes = changes(&change, &resolved.resolution).unwrap_or_default();
        changes.revisions.extend(restricted(batch, &extracted.candidates));
        self.organise_later(run, &changes, &mut set);
        let writing = Writing {
            engine: self,
            maker: &extracted.maker,
            job: run.job_id(),
            batch,
            indexed: &resolved.indexed,
        };
        fact_set(&writing, changes, &mut set).await?;
        Ok(set)
    }

    /// Compares the candidates of a batch with the known facts around them.
    pub(in crate::think) async fn resolved(
        &self,
        partition: PartitionId,
        batch: &Batch,
        extracted: &Extracted,
        kind: Kind,
    ) -> Result<Resolved, Error> {
        let texts: Vec<TextToIndex> =
            extracted.candidates.iter().map(|one| TextToIndex::plain(&one.text)).collect();
        let indexed = self.index_texts(&texts, "facts").await?;
        let vectors: Vec<Option<Arc<[f32]>>> = indexed
            .rows
            .iter()
            .map(|rows| {
                rows.first()?.vector.as_ref().map(|vector| vector.iter().map(|x| x.to_f32()).collect())
            })
            .collect();
        let reader = Reader { store: &self.store, index: &self.index, partition, kind, now: self.now() };
        let known = reader.known(&extracted.candidates, &vectors).await?;
        let near = near_each_other(&vectors);
        let input = ResolveInput { near_candidates: &near, ..resolve_input(batch, extracted, &known) };
        let resolution = resolve(&input);
        Ok(Resolved { known, resolution, indexed })
    }

    /// Adds the job that organises the groups of new facts, where a language model does.
    fn organise_later(&self, run: &Run, changes: &FactChanges, set: &mut ChangeSet) {
        let new: Vec<MemoryId> = changes.facts.iter().map(|fact| fact.id).collect();
        if !new.is_empty() && self.thinking.settings.model(Task::Organise).is_some() {
            let id = JobId(self.ids.next(set.now));
            let payload = Payload::new(&run.owner, &new);
            set.jobs.push(payload.job(id, run.tenant, request::ORGANISE, set.now, false));
        }
    }
}

/// Input of resolution, without the cosines between candidates.
pub(in crate::think) fn resolve_input<'a>(
    batch: &'a Batch,
    extracted: &'a Extracted,
    known: &'a Known,
) -> ResolveInput<'a> {
    ResolveInput {
        turns: &batch.shown,
        recalled: &batch.recalled,
        candidates: &extracted.candidates,
        known: &known.facts,
        near_known: &known.near,
        near_candidates: &[],
        marked: &[],
        user_names: &known.user_names,
        thresholds: Thresholds::default(),
    }
}

/// Cosine of each pair of unit vectors.
fn near_each_other(vectors: &[Option<Arc<[f32]>>]) -> Vec<(usize, usize, f64)> {
    let mut near = Vec::new();
    for (at, one) in vectors.iter().enumerate() {
        for (other_at, other) in vectors.iter().enumerate().skip(at + 1) {
            if let (Some(one), Some(other)) = (one, other) {
                let dot = one.iter().zip(other.iter()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                near.push((at, other_at, dot));
            }
        }
    }
    near
}
