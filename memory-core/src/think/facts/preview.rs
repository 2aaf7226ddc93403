//! Preview of extraction: the candidate facts of turns that are not stored, with what would become of each.

use crate::domain::id::{MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::memory::Kind;
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::domain::zone::{UtcOffset, Zone};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::scope::owner;
use crate::store::Usage;
use crate::think::calls::CallError;
use crate::think::candidate::{CandidateFact, SourceTurn};
use crate::think::extract::step::{Extracted, extract};
use crate::think::facts::Resolved;
use crate::think::queue::batch::Batch;
use crate::think::resolve::{Decision, FactRef};
use crate::think::settings::Budget;

/// Maximum number of turns in one preview.
pub const TURNS_PER_PREVIEW: usize = 64;

/// Turn of a preview.
#[derive(Clone, Debug)]
pub struct TurnToPreview {
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker.
    pub author: Option<Name>,
    /// Names of the others present.
    pub participants: Vec<Name>,
    /// Text.
    pub text: String,
    /// Time of the utterance; `None` for now.
    pub said_at: Option<Timestamp>,
    /// Offset of the speaker's local time at that moment, if it is known.
    pub utc_offset: Option<UtcOffset>,
}

/// Candidate facts with their outcomes.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Maker: a mechanism, with its model.
    pub made_by: String,
    /// Candidates in order.
    pub facts: Vec<PreviewedFact>,
    /// Number of facts of the model that their evidence does not support.
    pub unsupported: u32,
    /// Usage of the model.
    pub usage: Usage,
}

/// Candidate fact with its outcome.
#[derive(Clone, Debug)]
pub struct PreviewedFact {
    /// Candidate.
    pub candidate: CandidateFact,
    /// Outcome.
    pub outcome: Outcome,
    /// Known facts that the outcome concerns.
    pub concerns: Vec<MemoryId>,
    /// Code of the reason of a rejection.
    pub reason: Option<&'static str>,
}

/// Outcome of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new fact.
    New,
    /// Says what a known fact says.
    Duplicate,
    /// Ends the validity of known facts.
    Supersedes,
    /// Contradicts known facts, and nothing decides.
    Contradicts,
    /// Not stored.
    Rejected,
}

impl Engine {
    /// Candidate facts of turns, compared with the facts of a scope. Nothing is stored, apart from the usage of the model.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to read, a port fails, or the
    /// language model gives no usable reply ([`Error::LanguageModel`]).
    pub async fn preview_facts(
        &self,
        caller: &Caller,
        scope: &Scope,
        turns: &[TurnToPreview],
    ) -> Result<Preview, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        field_checks::count("turns", turns.len(), "the number of turns of a preview", TURNS_PER_PREVIEW)?;
        for (index, turn) in turns.iter().enumerate() {
            field_checks::text(format!("turns[{index}].text"), &turn.text, &self.limits)?;
        }
        let partition = self.store.partition_of(caller.tenant, &owner).await?;
        let zone = self.zone_of_owner(caller.tenant, &owner);
        let batch = self.batch_of(turns, &zone);
        if partition.is_none() && self.thinking.settings.budget != Budget::default() {
            let detail = "has no memories yet, to which the use of a language model within a budget could be accounted";
            return Err(Error::invalid("scope", detail));
        }
        let calls = self.model_calls(caller.tenant, partition);
        let extracted = extract(&calls, &batch).await.map_err(CallError::into_error)?;
        // A partition that is not there has no facts.
        let partition = partition.unwrap_or(PartitionId(-1));
        let resolved = self.resolved(partition, &batch, &extracted, Kind::Fact).await?;
        Ok(preview(extracted, &resolved))
    }

    fn batch_of(&self, turns: &[TurnToPreview], zone: &Zone) -> Batch {
        let now = self.now();
        let session = SessionId(self.ids.next(now));
        let turns: Vec<SourceTurn> = (0..)
            .zip(turns)
            .map(|(seq, turn)| SourceTurn {
                turn: TurnId(self.ids.next(now)),
                memory: MemoryId(self.ids.next(now)),
                session,
                seq,
                role: turn.role,
                author: turn.author.clone(),
                participants: turn.participants.clone(),
                text: turn.text.clone(),
                said_at: turn.said_at.unwrap_or(now),
                utc_offset: turn.utc_offset,
                zone: zone.or_own(turn.utc_offset),
                audience: Vec::new(),
            })
            .collect();
        Batch {
            context: Vec::new(),
            shown: turns.clone(),
            turns,
            queued: Vec::new(),
            has_more: false,
            recalled: Vec::new(),
        }
    }
}

fn preview(extracted: Extracted, resolved: &Resolved) -> Preview {
    let Extracted { candidates, maker, unsupported, usage } = extracted;
    let made_by =
        maker.model.map_or_else(|| maker.name.clone(), |model| format!("{} by {model}", maker.name));
    let facts = candidates.into_iter().zip(&resolved.resolution.decisions).map(|(candidate, decision)| {
        let (outcome, concerns, reason) = outcome(decision);
        PreviewedFact { candidate, outcome, concerns, reason }
    });
    Preview { made_by, facts: facts.collect(), unsupported, usage: usage.unwrap_or_default() }
}

fn outcome(decision: &Decision) -> (Outcome, Vec<MemoryId>, Option<&'static str>) {
    let known = |facts: &[FactRef]| {
        let known = facts.iter().filter_map(|fact| match fact {
            FactRef::Known(id) => Some(*id),
            FactRef::New(_) => None,
        });
        known.collect::<Vec<_>>()
    };
    match decision {
        Decision::Duplicate { of, .. } => (Outcome::Duplicate, known(std::slice::from_ref(of)), None),
        Decision::New { .. } => (Outcome::New, Vec::new(), None),
        Decision::Supersedes { olds, .. } | Decision::Ends { olds, .. } => {
            (Outcome::Supersedes, known(olds), None)
        }
        Decision::Contradicts { with, .. } => (Outcome::Contradicts, known(with), None),
        Decision::Rejected { reason } => (Outcome::Rejected, Vec::new(), Some(reason.as_str())),
    }
}
