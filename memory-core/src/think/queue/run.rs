//! Run of a mechanism that reads a queue: the oldest batch → candidates → one change set, again after a conflict with other
//! writes. The published and the default mechanism differ in the set that they make of the candidates.

use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::id::{JobId, MemoryId, PartitionId, TurnId};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::{JobFailure, JobOutcome};
use crate::model::language_model::LanguageModelError;
use crate::model::language_model::ask::AskError;
use crate::think::calls::CallError;
use crate::think::extract::step::{Extracted, by_rules, extract};
use crate::think::mechanism::Run;
use crate::think::queue::batch::{self, Batch};
use crate::think::queue::request::{self, Payload, queues_of};
use crate::think::resolve::FactToWrite;
use crate::think::settings::{Profile, Task};

/// Number of failed attempts after which a batch whose replies are refused leaves the queue without facts of the model, so
/// that later turns are thought about.
pub(in crate::think) const REFUSALS_AT_MOST: u32 = 2;

/// Answer of extraction to one batch.
enum Answer {
    /// Candidates; with the failure that the job ends in, if those of the model were given up.
    Extracted(Extracted, Option<JobFailure>),
    /// The prompt is too long for the model: fewer turns may not be.
    TooLong,
}

/// True if a failure is due to the turns of the call, so that it would hold up all later ones. A wrong key or model is
/// not, and the turns wait for the operator.
pub(in crate::think) fn is_about_the_turns(error: &AskError) -> bool {
    matches!(error, AskError::Refused { .. } | AskError::Model { error: LanguageModelError::TooLong, .. })
}

/// Queue of a mechanism.
pub(in crate::think) struct Queue {
    /// Name of the queue, and kind of its jobs.
    pub(in crate::think) queue: &'static str,
    /// Profile whose mechanism reads it.
    pub(in crate::think) profile: Profile,
    /// Maximum number of attempts at one batch when other writes commit first.
    pub(in crate::think) conflicts_at_most: usize,
}

impl Engine {
    /// Thinks about the oldest turns of an owner in a queue.
    pub(in crate::think) async fn think_about_queue(
        &self,
        run: &Run,
        of: &Queue,
    ) -> Result<JobOutcome, JobFailure> {
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        let settings = &self.thinking.settings;
        if !queues_of(settings, of.profile).contains(&of.queue) {
            return Ok(JobOutcome::Done);
        }
        let zone = self.zone_of_owner(run.tenant, &run.owner);
        let mut turns_at_most = settings.turns_per_call;
        let mut earlier: Option<(Vec<TurnId>, Answer)> = None;
        for _ in 0..of.conflicts_at_most {
            let queue = (of.queue, turns_at_most);
            let batch = batch::load(&self.store, partition, queue, (settings, &zone)).await?;
            let Some(batch) = batch else { return Ok(JobOutcome::Done) };
            // A conflict with other writes asks no model again, unless a turn that it was shown has been erased.
            let shown: Vec<TurnId> = batch.shown.iter().map(|turn| turn.turn).collect();
            let answer = match earlier.take().filter(|(of, _)| *of == shown) {
                Some((_, answer)) => answer,
                None => self.extracted((run, of.profile), partition, &batch).await?,
            };
            let Answer::Extracted(extracted, refusal) = &answer else {
                turns_at_most = u32::try_from(batch.queued.len() / 2).unwrap_or(1).max(1);
                continue;
            };
            let mut set = match of.profile {
                Profile::TimPaper => self.thoughts_of(run, &batch, extracted).await?,
                Profile::Default | Profile::Off | Profile::AmemPaper => {
                    self.facts_of(run, partition, &batch, extracted).await?
                }
            };
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

    /// Candidates of a batch. After repeated refusals those by rules, or none, with the failure that the job ends in: the
    /// published mechanism has no counterpart by rules.
    async fn extracted(
        &self,
        (run, profile): (&Run, Profile),
        partition: PartitionId,
        batch: &Batch,
    ) -> Result<Answer, JobFailure> {
        let calls = self.model_calls(run.tenant, Some(partition));
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
                if profile == Profile::TimPaper || !calls.settings.use_rules {
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

    /// Set that takes a batch from its queue, ends the job, and continues with the turns behind it.
    pub(in crate::think) fn set_of_batch(&self, run: &Run, batch: &Batch, queue: &'static str) -> ChangeSet {
        let now = self.now();
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), now);
        let turns = batch.queued.iter().map(|turn| turn.memory.id).collect();
        set.thought_about = Some(ThoughtAbout { mechanism: queue, turns });
        set.finishes = Some(run.context.attempt());
        if batch.has_more {
            let payload = Payload::new(&run.owner, &[]);
            set.jobs.push(payload.job(JobId(self.ids.next(now)), run.tenant, queue, now, true));
        }
        set
    }

    /// Adds the job that organises the groups of new facts, where a language model does.
    pub(in crate::think) fn organise_later(&self, run: &Run, facts: &[FactToWrite], set: &mut ChangeSet) {
        let new: Vec<MemoryId> = facts.iter().map(|fact| fact.id).collect();
        if !new.is_empty() && self.thinking.settings.model(Task::Organise).is_some() {
            let id = JobId(self.ids.next(set.now));
            let payload = Payload::new(&run.owner, &new);
            set.jobs.push(payload.job(id, run.tenant, request::ORGANISE, set.now, false));
        }
    }
}
