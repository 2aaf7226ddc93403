//! Mechanism `consolidate`: the turns of a session that was closed or has grown long → one digest, in one change set that
//! ends the job (ADR 0046).
//!
//! A session asks for its digest in its row, with the writes that give the reason. The set that writes the digest takes that
//! request away, so that a job that is repeated finds nothing to do. The digest has the key of its session as document name: it
//! is renewed as a version. All turns that were shown are inputs of its derivation, so that it goes with any of them.

mod contract;
mod draft;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use contract::{INSTRUCTIONS, SessionContract};
use draft::Draft;

use super::calls::{CallError, maker};
use super::candidate::SourceTurn;
use super::extract::prompt::{fitting, material};
use super::mechanism::{Mechanism, Run};
use super::queue::request::{self, Payload};
use super::settings::{Task, TaskModel};
use crate::domain::change::{ChangeSet, NewMemory, Revision};
use crate::domain::consolidation::{Asked, SESSION_DIGESTS};
use crate::domain::derivation::{Derivation, Maker};
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId};
use crate::domain::memory::{DocumentName, Kind, Memory, Strength};
use crate::domain::name::Name;
use crate::domain::time::Interval;
use crate::domain::turn::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::TextToIndex;
use crate::jobs::{JobFailure, JobOutcome};
use crate::model::language_model::LanguageModelError;
use crate::model::language_model::ask::{AskError, Prompt};
use crate::text::count_tokens;
use crate::think::coverage;

/// Maximum number of turns of one session that its digest covers, the newest ones.
const TURNS_AT_MOST: u32 = 256;
/// Minimum number of turns that a digest is made of.
const TURNS_AT_LEAST: usize = 2;
/// Maximum number of attempts when other writes commit first.
const CONFLICTS: usize = 4;
/// Number of failed attempts after which a session whose replies are refused gets an extractive digest.
const REFUSALS_AT_MOST: u32 = 2;
/// Importance of a digest, as that of a turn.
const IMPORTANCE: f64 = 0.5;
/// Recipe of the extractive digests: to be raised with every change of their making.
const EXTRACTIVE: &str = "session.extractive.v1";

/// Makes the digests that sessions have asked for.
pub(in crate::think) struct Consolidate;

#[async_trait]
impl Mechanism for Consolidate {
    fn kind(&self) -> &'static str {
        request::CONSOLIDATE
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.consolidate(run).await
    }
}

/// Turns that a digest covers.
struct Covered {
    session: Session,
    name: DocumentName,
    turns: Vec<Memory>,
    key: String,
}

/// Digest with the turns that its maker was shown.
struct Made {
    draft: Draft,
    shown: Vec<Memory>,
    maker: Maker,
    is_extractive: bool,
}

impl Engine {
    /// Answers the oldest request of an owner for a digest.
    async fn consolidate(&self, run: &Run) -> Result<JobOutcome, JobFailure> {
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        if !self.thinking.makes_digests(run.tenant, &run.owner) {
            return Ok(JobOutcome::Done);
        }
        for _ in 0..CONFLICTS {
            let asked = self.store.asked_digests(partition, 2).await?;
            let Some(first) = asked.first().copied() else { return Ok(JobOutcome::Done) };
            let mut set = ChangeSet::new(run.tenant, run.owner.clone(), self.now());
            set.finishes = Some(run.context.attempt());
            set.sessions.answers = Some(first);
            if asked.len() > 1 {
                let id = JobId(self.ids.next(set.now));
                let next = Payload::new(&run.owner, &[]);
                set.jobs.push(next.job(id, run.tenant, request::CONSOLIDATE, set.now, true));
            }
            self.add_digest(run, partition, first, &mut set).await?;
            match self.commits.commit(set).await {
                Ok(_) => return Ok(JobOutcome::Committed),
                Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobFailure::Retry { code: "version_conflict".to_owned() })
    }

    /// Adds the digest of a session to the set that answers its request, unless it has one of the same turns, or one that
    /// somebody has edited.
    async fn add_digest(
        &self,
        run: &Run,
        partition: PartitionId,
        asked: Asked,
        set: &mut ChangeSet,
    ) -> Result<(), JobFailure> {
        let model = self.thinking.settings.model(Task::Digest);
        let recipe = if model.is_some() { contract::VERSION } else { EXTRACTIVE };
        let Some(covered) = self.covered(run, partition, asked, recipe).await? else { return Ok(()) };
        let present = self.store.named(partition, &covered.name).await?;
        if let Some(present) = &present {
            let made = self.store.evidence(partition, &[present.id]).await?;
            let is_of_caller = Derivation::is_of_caller(made.first().map(|(_, derivation)| derivation));
            if is_of_caller || coverage::key_of(present) == Some(covered.key.as_str()) {
                return Ok(());
            }
        }
        let made = match model {
            Some(model) => self.by_model(run, partition, model, &covered).await?,
            None => self.by_extraction(partition, &covered).await?,
        };
        let Some(text) = made.draft.text() else { return Ok(()) };
        let mut indexed = self.index_texts(&[TextToIndex::plain(&text)], "digest").await?;
        set.embedder = Some(indexed.embedder);
        let derivation = Derivation {
            id: DerivationId(self.ids.next(set.now)),
            inputs: made.draft.inputs(&made.shown),
            maker: made.maker.clone(),
            job: Some(run.job_id()),
            made_at: set.now,
        };
        let memory = self.digest_memory(text, &covered, (&made, derivation.id), set);
        let rows = indexed.rows.pop().unwrap_or_default();
        let (derivation, groups) = (Some(derivation), Vec::new());
        let Some(present) = present else {
            if self.store.named(partition, &covered.name).await?.is_some() {
                // A caller took the name while a model was asked.
                return Err(JobFailure::Retry { code: "version_conflict".to_owned() });
            }
            set.memories.push(NewMemory { key: None, memory, derivation, rows, groups });
            return Ok(());
        };
        let version = present.version.saturating_add(1);
        let memory = Memory { id: present.id, version, created_at: present.created_at, ..memory };
        let (rows, groups) = (Some(rows), Some(groups));
        set.revisions.push(Revision { memory, derivation, rows, groups, keeps_links: false });
        Ok(())
    }

    /// Turns of a session that its digest covers; `None` if they are too few. Of an open session the newest ones are left
    /// out: they are read whole.
    async fn covered(
        &self,
        run: &Run,
        partition: PartitionId,
        asked: Asked,
        recipe: &str,
    ) -> Result<Option<Covered>, Error> {
        let Some((_, session)) = self.store.session(run.tenant, asked.session).await? else {
            return Ok(None);
        };
        let kept = match session.closed_at {
            Some(_) => 0,
            None => self.thinking.settings.working_memory_turns / 2,
        };
        let newest = self.store.newest_turns(session.id, TURNS_AT_MOST.saturating_add(kept)).await?;
        let older = newest.get(kept as usize..).unwrap_or_default();
        let mut turns = self.store.memories_of_turns(partition, older).await?;
        let now = self.now();
        turns.retain(|turn| draft::is_covered(turn, now));
        turns.sort_unstable_by_key(|turn| turn.origin.as_ref().map(|origin| origin.seq));
        let Ok(namespace) = Name::new(SESSION_DIGESTS) else { return Ok(None) };
        let name = DocumentName { namespace, key: session.key.clone() };
        let key = coverage::key(recipe, &turns);
        Ok((turns.len() >= TURNS_AT_LEAST).then_some(Covered { session, name, turns, key }))
    }

    /// Digest by a language model; an extractive one after repeated refusals.
    async fn by_model(
        &self,
        run: &Run,
        partition: PartitionId,
        model: &TaskModel,
        covered: &Covered,
    ) -> Result<Made, JobFailure> {
        let zone = self.zone_of_owner(run.tenant, &run.owner);
        let source = |turn: &Memory| source(turn, &zone);
        let prompt_tokens = self.thinking.settings.prompt_tokens;
        let mut shown = covered.turns.clone();
        let all: Vec<SourceTurn> = shown.iter().filter_map(source).collect();
        if fitting(&all, prompt_tokens) < all.len() {
            // Frames of the lines take room too.
            let vectors = self.vectors_of(partition, &shown).await?;
            let chosen = draft::most_central(&shown, &vectors, prompt_tokens / 2);
            shown = chosen.into_iter().filter_map(|position| covered.turns.get(position).cloned()).collect();
            let sources: Vec<SourceTurn> = shown.iter().filter_map(source).collect();
            shown.truncate(fitting(&sources, prompt_tokens));
        }
        let sources: Vec<SourceTurn> = shown.iter().filter_map(source).collect();
        if sources.is_empty() {
            return Ok(self.by_extraction(partition, covered).await?);
        }
        let contract = SessionContract { turns: sources.len() };
        let prompt = Prompt { system: INSTRUCTIONS.to_owned(), user: material(&[], &sources) };
        let calls = self.model_calls(run.tenant, Some(partition));
        match calls.ask(Task::Digest, model, &contract, prompt).await {
            Ok(called) => {
                let maker = maker(request::CONSOLIDATE, model, &contract);
                Ok(Made { draft: called.reply, shown, maker, is_extractive: false })
            }
            // It would hold up the other sessions of the owner.
            Err(CallError::Ask(AskError::Model { error: LanguageModelError::TooLong, .. })) => {
                Ok(self.by_extraction(partition, covered).await?)
            }
            Err(CallError::Ask(AskError::Refused { .. }))
                if run.context.job().failures >= REFUSALS_AT_MOST =>
            {
                Ok(self.by_extraction(partition, covered).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Digest without a model.
    async fn by_extraction(&self, partition: PartitionId, covered: &Covered) -> Result<Made, Error> {
        let vectors = self.vectors_of(partition, &covered.turns).await?;
        let draft = draft::extracted(&covered.turns, &vectors);
        let maker =
            Maker { name: request::CONSOLIDATE.to_owned(), model: None, prompt: Some(EXTRACTIVE.to_owned()) };
        Ok(Made { draft, shown: covered.turns.clone(), maker, is_extractive: true })
    }

    /// Vector of the first row of each turn, in their order.
    async fn vectors_of(
        &self,
        partition: PartitionId,
        turns: &[Memory],
    ) -> Result<Vec<Option<Arc<[f32]>>>, Error> {
        let ids: Vec<MemoryId> = turns.iter().map(|turn| turn.id).collect();
        let vectors = self.vectors(partition, &ids).await?;
        Ok(ids.iter().map(|id| vectors.get(id).cloned()).collect())
    }

    fn digest_memory(
        &self,
        text: String,
        covered: &Covered,
        (made, derivation): (&Made, DerivationId),
        set: &ChangeSet,
    ) -> Memory {
        let now = set.now;
        let shown = &made.shown;
        let happened = draft::happened(shown).unwrap_or(crate::domain::memory::Happened {
            at: covered.session.started_at,
            until: None,
            offset: None,
        });
        let tags = ["session"].into_iter().chain(made.is_extractive.then_some("extractive"));
        Memory {
            id: MemoryId(self.ids.next(now)),
            version: 1,
            kind: Kind::Digest,
            tokens: count_tokens(&text),
            text,
            agent: draft::shared_name(shown, |turn| turn.agent.as_ref()),
            app: draft::shared_name(shown, |turn| turn.app.as_ref()),
            run: draft::shared_name(shown, |turn| turn.run.as_ref()),
            visibility: draft::visibility(shown),
            subjects: Vec::new(),
            audience: draft::audience(shown),
            statement: None,
            annotation: None,
            tags: tags.filter_map(|tag| Name::new(tag).ok()).collect(),
            links: Vec::new(),
            metadata: draft::metadata(covered.key.clone()),
            document: Some(covered.name.clone()),
            origin: None,
            derivation: Some(derivation),
            happened,
            recorded_at: now,
            created_at: now,
            valid: Interval::default(),
            expires_at: shown.iter().filter_map(|turn| turn.expires_at).min(),
            strength: Strength::new(IMPORTANCE, Strength::INITIAL, happened.at),
            forgotten: None,
        }
    }
}

/// Turn as a prompt shows it.
fn source(turn: &Memory, zone: &crate::domain::zone::Zone) -> Option<SourceTurn> {
    let origin = turn.origin.as_ref()?;
    Some(SourceTurn {
        turn: origin.turn,
        memory: turn.id,
        session: origin.session,
        seq: origin.seq,
        role: origin.role,
        author: origin.author.clone(),
        participants: Vec::new(),
        text: turn.text.clone(),
        said_at: turn.happened.at,
        utc_offset: turn.happened.offset,
        zone: zone.or_own(turn.happened.offset),
        audience: turn.audience.clone(),
    })
}
