//! Mechanisms `notes` and `amem.paper`: queued turns to notes, their links and the evolution of the notes around them, in
//! one change set that ends the job.
//!
//! By default one call analyses a batch of turns and one evolves the notes around it; known notes are shown as the analysis
//! made them, so that no description is built on an evolved one. As published, each turn has two calls of its own, and
//! known notes are shown as they are.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::analyse::{self, AnalyseContract};
use super::decide::{Decision, EDITS_PER_DAY, Face, KnownNote, fitting, line};
use super::evolve::{self, EvolveContract};
use super::fields::NoteFields;
use super::known::Reader;
use super::paper::{self, PaperContract};
use super::writing::{Made, Shown, described_note, new_note};
use crate::domain::change::{ChangeSet, NewMemory, Revision};
use crate::domain::derivation::{Input, Maker, Source};
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::TextToIndex;
use crate::jobs::{JobFailure, JobOutcome};
use crate::model::language_model::LanguageModelError;
use crate::model::language_model::ask::{AskError, Prompt};
use crate::think::calls::{CallError, maker};
use crate::think::candidate::SourceTurn;
use crate::think::extract::prompt::material;
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::batch::{self, Batch};
use crate::think::queue::request::{self, queues_of};
use crate::think::queue::run::{REFUSALS_AT_MOST, is_about_the_turns};
use crate::think::settings::{Profile, Task, TaskModel};

/// Number of nearest notes of each new one that a call is shown: k of the paper.
const NEIGHBOURS: usize = 5;
/// Maximum number of attempts at one batch when other writes commit first.
const CONFLICTS: usize = 8;

/// Manner of a mechanism.
#[derive(Clone, Copy, Debug)]
struct Manner {
    queue: &'static str,
    profile: Profile,
    /// Name in derivations.
    maker: &'static str,
    is_paper: bool,
}

const CORRECTED: Manner =
    Manner { queue: request::NOTES, profile: Profile::Default, maker: "amem.corrected", is_paper: false };
const PAPER: Manner =
    Manner { queue: request::AMEM_PAPER, profile: Profile::AmemPaper, maker: "amem.paper", is_paper: true };

/// Makes notes of the turns in its queue.
pub(in crate::think) struct MakeNotes;

/// Makes notes of the turns in its queue, as published.
pub(in crate::think) struct MakePaperNotes;

#[async_trait]
impl Mechanism for MakeNotes {
    fn kind(&self) -> &'static str {
        CORRECTED.queue
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.make_notes(run, CORRECTED).await
    }
}

#[async_trait]
impl Mechanism for MakePaperNotes {
    fn kind(&self) -> &'static str {
        PAPER.queue
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.make_notes(run, PAPER).await
    }
}

/// Accepted replies of a run by the material that they answer: a conflict with other writes asks no model again, unless
/// what it is shown has changed.
#[derive(Default)]
struct Replies {
    analysed: HashMap<String, Vec<Option<NoteFields>>>,
    /// `None` for a call whose replies were refused: the notes stay as they are.
    evolved: HashMap<String, Option<Decision>>,
}

/// End of an attempt without a set.
enum Stop {
    /// The prompt is too long for the model: fewer turns may not be.
    TooLong,
    Failed(JobFailure),
}

impl<E: Into<JobFailure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

impl Engine {
    async fn make_notes(&self, run: &Run, manner: Manner) -> Result<JobOutcome, JobFailure> {
        let settings = &self.thinking.settings;
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        let model = settings.model(Task::Evolve);
        let Some(model) = model.filter(|_| queues_of(settings, manner.profile).contains(&manner.queue))
        else {
            return Ok(JobOutcome::Done);
        };
        let zone = self.zone_of_owner(run.tenant, &run.owner);
        let mut turns_at_most = if manner.is_paper { 1 } else { settings.turns_per_call };
        let mut replies = Replies::default();
        for _ in 0..CONFLICTS {
            let queue = (manner.queue, turns_at_most);
            let Some(batch) = batch::load(&self.store, partition, queue, (settings, &zone)).await? else {
                return Ok(JobOutcome::Done);
            };
            let work = Work { engine: self, run, partition, model, manner, batch: &batch, zone: &zone };
            let (set, refusal) = match work.set(&mut replies).await {
                Ok(made) => made,
                Err(Stop::TooLong) => {
                    turns_at_most = u32::try_from(batch.queued.len() / 2).unwrap_or(1).max(1);
                    continue;
                }
                Err(Stop::Failed(failure)) => return Err(failure),
            };
            match self.commits.commit(set).await {
                Ok(_) => return refusal.map_or(Ok(JobOutcome::Committed), Err),
                Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobFailure::Retry { code: "version_conflict".to_owned() })
    }
}

/// Work on one batch.
struct Work<'a> {
    engine: &'a Engine,
    run: &'a Run,
    partition: PartitionId,
    model: &'a TaskModel,
    manner: Manner,
    batch: &'a Batch,
    zone: &'a Zone,
}

impl Work<'_> {
    /// The change set of the batch; with the failure that the job ends in, if the analysis was given up.
    async fn set(&self, replies: &mut Replies) -> Result<(ChangeSet, Option<JobFailure>), Stop> {
        let mut set = self.engine.set_of_batch(self.run, self.batch, self.manner.queue);
        let ids: Vec<MemoryId> = self.batch.turns.iter().map(|turn| turn.memory).collect();
        let notes = self.reader(&set).of_turns(&ids).await?;
        let has_content = |turn: &&SourceTurn| !turn.text.trim().is_empty();
        let is_described = |turn: &&SourceTurn| notes.get(&turn.memory).is_some_and(|note| !is_bare(note));
        let turns = self.batch.turns.iter().filter(has_content).filter(|turn| !is_described(turn));
        for turns in groups(turns) {
            match self.analysed(&turns, replies).await? {
                Ok(fields) => {
                    let new = self.new_notes((&turns, &notes), fields, &set);
                    self.add_notes(&turns, new, (&mut set, &mut *replies)).await?;
                }
                Err(failure) => {
                    // The runner ends it as failed. The queue keeps the set from being committed twice.
                    set.finishes = None;
                    return Ok((set, Some(failure)));
                }
            }
        }
        Ok((set, None))
    }

    /// Fields of the notes of some turns; after repeated refusals the failure that the job ends in.
    async fn analysed(
        &self,
        turns: &[SourceTurn],
        replies: &mut Replies,
    ) -> Result<Result<Vec<Option<NoteFields>>, JobFailure>, Stop> {
        let shown = material(&[], turns);
        if let Some(fields) = replies.analysed.get(&shown) {
            return Ok(Ok(fields.clone()));
        }
        let calls = self.engine.model_calls(self.run.tenant, Some(self.partition));
        let contract = AnalyseContract { turns: turns.len() };
        let prompt = Prompt { system: analyse::INSTRUCTIONS.to_owned(), user: shown.clone() };
        match calls.ask(Task::Evolve, self.model, &contract, prompt).await {
            Ok(called) => {
                replies.analysed.insert(shown, called.reply.clone());
                Ok(Ok(called.reply))
            }
            Err(CallError::Ask(AskError::Model { error: LanguageModelError::TooLong, .. }))
                if self.batch.queued.len() > 1 =>
            {
                Err(Stop::TooLong)
            }
            Err(CallError::Ask(error)) if is_about_the_turns(&error) => {
                let code = error.code().to_owned();
                match self.run.context.job().failures >= REFUSALS_AT_MOST {
                    true => Ok(Err(JobFailure::Final { code })),
                    false => Err(Stop::Failed(JobFailure::Retry { code })),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds the notes of some turns to a set, with what follows from the notes around them.
    async fn add_notes(
        &self,
        turns: &[SourceTurn],
        new: Vec<(Memory, Vec<Input>)>,
        (set, replies): (&mut ChangeSet, &mut Replies),
    ) -> Result<(), Stop> {
        let Some((first, _)) = new.first() else { return Ok(()) };
        let texts: Vec<TextToIndex> = new.iter().map(|(memory, _)| TextToIndex::of_memory(memory)).collect();
        let indexed = self.engine.index_texts(&texts, "notes").await?;
        if set.embedder.is_some_and(|embedder| embedder != indexed.embedder) {
            return Err(Error::Busy.into());
        }
        set.embedder = Some(indexed.embedder);
        let vectors: Vec<Arc<[f32]>> =
            indexed.rows.iter().filter_map(|rows| rows.first()?.vector_f32()).collect();
        let mut known = self.reader(set).nearest(&vectors, first, NEIGHBOURS).await?;
        known.retain(|note| !new.iter().any(|(memory, _)| memory.id == note.memory.id));
        let known = self.fitting(known, &new);
        let shown = Shown { new: &new, known: &known, is_present: self.manner.is_paper };
        let (made_by, decision) = self.evolved(&shown, replies).await?;
        let made = Made { maker: &made_by, job: self.run.job_id(), now: set.now };
        let edits_per_day = if self.manner.is_paper { usize::MAX } else { EDITS_PER_DAY };
        let mut revisions = shown.revisions(
            &decision,
            &made,
            (edits_per_day, || DerivationId(self.engine.ids.next(set.now))),
        );
        let described: Vec<&mut _> =
            revisions.iter_mut().filter(|revision| revision.rows.is_some()).collect();
        let texts: Vec<TextToIndex> =
            described.iter().map(|revision| TextToIndex::of_memory(&revision.memory)).collect();
        let again = self.engine.index_texts(&texts, "notes").await?;
        if again.embedder != indexed.embedder {
            return Err(Error::Busy.into());
        }
        for (revision, rows) in described.into_iter().zip(again.rows) {
            revision.rows = Some(rows);
        }
        let analysis = maker(self.manner.maker, self.model, &AnalyseContract { turns: turns.len() });
        let made = Made { maker: &analysis, ..made };
        for ((memory, inputs), rows) in new.iter().zip(indexed.rows) {
            let derivation = memory.derivation.map(|id| made.of(id, inputs.clone()));
            let memory = memory.clone();
            if memory.version == 1 {
                set.memories.push(NewMemory { key: None, memory, derivation, rows, groups: Vec::new() });
            } else {
                let rows = Some(rows);
                set.revisions.push(Revision { memory, derivation, rows, groups: None, keeps_links: true });
            }
        }
        set.revisions.extend(revisions);
        Ok(())
    }

    fn reader(&self, set: &ChangeSet) -> Reader<'_> {
        let Engine { store, index, .. } = self.engine;
        Reader { store, index, partition: self.partition, now: set.now }
    }

    /// Notes of the turns that have fields, new or described anew, with the inputs of their analysis: all turns of the call, their own as evidence.
    fn new_notes(
        &self,
        (turns, notes): (&[SourceTurn], &HashMap<MemoryId, Memory>),
        fields: Vec<Option<NoteFields>>,
        set: &ChangeSet,
    ) -> Vec<(Memory, Vec<Input>)> {
        let now = set.now;
        let note = |(turn, fields): (&SourceTurn, Option<NoteFields>)| {
            let pending = self.batch.queued.iter().find(|pending| pending.memory.id == turn.memory)?;
            let (id, derivation) = (MemoryId(self.engine.ids.next(now)), self.engine.ids.next(now));
            let memory = match notes.get(&turn.memory) {
                Some(bare) => described_note(bare, fields?, now),
                None => new_note(id, pending, fields?, now),
            };
            let input = |other: &SourceTurn| Input {
                source: Source::Turn(other.turn),
                is_evidence: other.turn == turn.turn,
            };
            let memory = Memory { derivation: Some(DerivationId(derivation)), ..memory };
            Some((memory, turns.iter().map(input).collect()))
        };
        turns.iter().zip(fields).filter_map(note).collect()
    }

    /// Known notes that fit into the call, the nearest first.
    fn fitting(&self, known: Vec<KnownNote>, new: &[(Memory, Vec<Input>)]) -> Vec<KnownNote> {
        let is_present = self.manner.is_paper;
        let inputs = |note: &KnownNote| note.inputs_shown(is_present).to_vec();
        let new: Vec<Input> = new.iter().flat_map(|(_, inputs)| inputs.clone()).collect();
        let line = |note: &KnownNote| line("n00", (&note.memory, face(is_present)), self.zone);
        fitting(known, inputs, &new, (self.engine.thinking.settings.prompt_tokens, line))
    }

    /// Decision about what is shown, and its maker. No call is made where nothing could be linked.
    async fn evolved(&self, shown: &Shown<'_>, replies: &mut Replies) -> Result<(Maker, Decision), Stop> {
        let all = shown.new.len().saturating_add(shown.known.len());
        let corrected = EvolveContract { new: shown.new.len(), shown: all };
        let paper = PaperContract { neighbours: shown.known.len() };
        let made_by = match self.manner.is_paper {
            true => maker(self.manner.maker, self.model, &paper),
            false => maker(self.manner.maker, self.model, &corrected),
        };
        if all < 2 {
            return Ok((made_by, Decision::default()));
        }
        let user = self.lines(shown);
        if let Some(decision) = replies.evolved.get(&user) {
            return Ok((made_by, decision.clone().unwrap_or_default()));
        }
        let calls = self.engine.model_calls(self.run.tenant, Some(self.partition));
        let prompt = |system: &str| Prompt { system: system.to_owned(), user: user.clone() };
        let asked = match self.manner.is_paper {
            true => calls
                .ask(Task::Evolve, self.model, &paper, prompt(paper::INSTRUCTIONS))
                .await
                .map(|called| Decision::as_published(called.reply, shown.known)),
            false => calls
                .ask(Task::Evolve, self.model, &corrected, prompt(evolve::INSTRUCTIONS))
                .await
                .map(|called| Decision::from(called.reply)),
        };
        let decision = match asked {
            Ok(decision) => Some(decision),
            // The notes are worth having without links.
            Err(CallError::Ask(error)) if is_about_the_turns(&error) => None,
            Err(error) => return Err(error.into()),
        };
        replies.evolved.insert(user, decision.clone());
        Ok((made_by, decision.unwrap_or_default()))
    }

    /// Lines of the notes of a call, the new ones first.
    fn lines(&self, shown: &Shown<'_>) -> String {
        let new = shown.new.iter().map(|(memory, _)| (memory, Face::New));
        let known = shown.known.iter().map(|note| (&note.memory, face(shown.is_present)));
        let first = if self.manner.is_paper { 0 } else { 1_usize };
        let lines = (first..).zip(new.chain(known)).map(|(number, note)| match number {
            0 => line("new", note, self.zone),
            _ => line(&format!("n{number}"), note, self.zone),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Part of a known note that is shown.
fn face(is_present: bool) -> Face {
    if is_present { Face::Described } else { Face::Text }
}

/// True for a note that an erasure left without a description, and nobody has described since.
fn is_bare(note: &Memory) -> bool {
    note.annotation.is_none() && note.tags.is_empty()
}

/// Turns that may be shown together: those of one audience, which a description would pass on to others.
fn groups<'t>(turns: impl Iterator<Item = &'t SourceTurn>) -> Vec<Vec<SourceTurn>> {
    let mut groups: Vec<Vec<SourceTurn>> = Vec::new();
    for turn in turns {
        let same =
            |group: &&mut Vec<SourceTurn>| group.first().is_some_and(|one| one.audience == turn.audience);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(turn.clone()),
            None => groups.push(vec![turn.clone()]),
        }
    }
    groups
}
