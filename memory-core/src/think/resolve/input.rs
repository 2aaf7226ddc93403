//! Inputs of resolution: what extraction found, and what is known.

use crate::domain::derivation::Input;
use crate::domain::id::{MemoryId, TurnId};
use crate::domain::link::Link;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::think::candidate::{CandidateFact, SourceTurn};

/// Inputs of [`super::resolve()`]. The result does not depend on the order of `known`.
#[derive(Clone, Copy, Debug)]
pub struct ResolveInput<'a> {
    /// Turns that extraction was shown, as evidence and as context.
    pub turns: &'a [SourceTurn],
    /// Texts that were recalled into a prompt shortly before each turn; may be shorter than `turns`.
    pub recalled: &'a [Vec<String>],
    /// Candidates. The position of a candidate in this list identifies it.
    pub candidates: &'a [CandidateFact],
    /// Known facts that may concern the candidates: those in the groups of their subjects and slots, and the nearest
    /// ones. A fact may occur twice.
    pub known: &'a [KnownFact],
    /// For each candidate its nearest known facts, with cosines; may be shorter than `candidates`.
    pub near_known: &'a [Vec<(MemoryId, f64)>],
    /// Cosines between candidates, as positions.
    pub near_candidates: &'a [(usize, usize, f64)],
    /// For each candidate the known facts that the language model says it contradicts; may be shorter than
    /// `candidates`.
    pub marked: &'a [Vec<MemoryId>],
    /// Names of the user: facts about them are facts about [`crate::domain::statement::Statement::USER`].
    pub user_names: &'a [Name],
    /// Thresholds.
    pub thresholds: Thresholds,
}

/// Known fact, with its provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFact {
    /// Fact, in its present version.
    pub memory: Memory,
    /// Inputs of its present derivation.
    pub inputs: Vec<Input>,
    /// Turns that support it: the evidence of its derivation, and the targets of its links [`Link::SUPPORTED_BY`].
    pub evidence: Vec<Evidence>,
}

/// Turn that supports a known fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Memory of the turn.
    pub memory: MemoryId,
    /// Turn.
    pub turn: TurnId,
    /// Time of the utterance.
    pub said_at: Timestamp,
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker.
    pub author: Option<Name>,
}

/// Thresholds of resolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Cosine from which two facts may be near duplicates, 0 to 1. It depends on the embedder.
    pub near_cosine: f64,
    /// Confidence below which a candidate is rejected, 0 to 1.
    pub min_confidence: f64,
    /// Confidence that repetition does not exceed, 0 to 1.
    pub max_confidence: f64,
    /// Length of a fact, in bytes.
    pub max_text_bytes: usize,
    /// Difference of two times below which their order decides nothing, in microseconds.
    pub same_time_us: i64,
    /// Links to supporting turns that a fact keeps; the newest stay.
    pub max_support: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            near_cosine: 0.92,
            min_confidence: 0.3,
            max_confidence: 0.99,
            max_text_bytes: 1024,
            same_time_us: 60_000_000,
            max_support: 16,
        }
    }
}

/// Weights and tags that resolution writes and reads again. The relations are those of [`Link`].
#[derive(Clone, Copy, Debug)]
pub struct Relation;

impl Relation {
    /// Weight of a link to a turn that states the fact for the time of its utterance.
    pub const CONFIRMS: f32 = 1.0;
    /// Weight of a link to a turn that repeats the fact without saying that it holds when the turn was said: of another
    /// speaker, or about an earlier time.
    pub const MENTIONS: f32 = 0.5;
    /// Tag of a fact that says that something no longer holds; followed by `:` and the attribute, if there is one.
    pub const ENDED_TAG: &str = Statement::ENDED_TAG;
    /// Tag of a fact that somebody other than its subject said.
    pub const REPORTED_TAG: &str = "reported";

    /// Tag of a fact that ends a value of this attribute.
    pub(super) fn ended_tag(attribute: Option<&Attribute>) -> Option<Name> {
        let tag = match attribute {
            Some(attribute) => format!("{}:{attribute}", Self::ENDED_TAG),
            None => Self::ENDED_TAG.to_owned(),
        };
        Name::new(&tag).ok()
    }

    /// Link of this relation.
    pub(super) fn link(to: MemoryId, relation: &str, weight: f32) -> Option<Link> {
        Some(Link { to, relation: Name::new(relation).ok()?, weight, reason: None })
    }
}

impl KnownFact {
    /// True for a fact that says that something no longer holds.
    pub fn is_ended(&self) -> bool {
        self.ended_tag().is_some()
    }

    /// Attribute whose value the fact ends, if it ends one.
    pub(super) fn ended_attribute(&self) -> Option<Attribute> {
        self.memory.tags.iter().find_map(Statement::ended_attribute)
    }

    /// Weight of the link to a supporting turn; `None` for the evidence from which the fact was made.
    pub(super) fn support_of(&self, turn: MemoryId) -> Option<f32> {
        let mut support =
            self.memory.links.iter().filter(|link| link.relation.as_str() == Link::SUPPORTED_BY);
        support.find(|link| link.to == turn).map(|link| link.weight)
    }

    /// True if a turn says, as a repetition, that the fact holds at the time of its utterance.
    pub(super) fn is_confirmed_by(&self, turn: MemoryId) -> bool {
        self.support_of(turn).is_some_and(|weight| weight >= Relation::CONFIRMS)
    }

    fn ended_tag(&self) -> Option<&str> {
        let rest = self.memory.tags.iter().filter_map(|tag| tag.as_str().strip_prefix(Relation::ENDED_TAG));
        rest.into_iter().find(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}
