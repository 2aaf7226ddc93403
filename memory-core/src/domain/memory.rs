//! Memory layer: typed, versioned records derived from turns or written by applications.

use std::borrow::Cow;

use super::annotation::{self, Annotation};
use super::forgotten::{Effect, Forgotten};
use super::id::{DerivationId, MemoryId, SessionId, TurnId};
use super::link::Link;
use super::metadata::Metadata;
use super::name::Name;
use super::statement::Statement;
use super::time::{Interval, Timestamp};
use super::turn::Role;
use super::uses::Uses;
use super::zone::UtcOffset;

/// Kind of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Verbatim turn.
    Turn,
    /// Self-contained statement.
    Fact,
    /// Fact of the profile `tim.paper`, kept apart from the facts of the default profile.
    Thought,
    /// Text of a turn with keywords, tags, a context and links (A-MEM, arXiv 2502.12110).
    Note,
    /// Summary of turns or of other digests (MemoryBank, arXiv 2305.10250).
    Digest,
    /// Named document: unique by namespace and key.
    Document,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] =
        [Kind::Turn, Kind::Fact, Kind::Thought, Kind::Note, Kind::Digest, Kind::Document];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Turn => "turn",
            Kind::Fact => "fact",
            Kind::Thought => "thought",
            Kind::Note => "note",
            Kind::Digest => "digest",
            Kind::Document => "document",
        }
    }

    /// Kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Visibility of a memory within its tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Visible to recalls that name its owner.
    #[default]
    Owner,
    /// Visible also to recalls that reach it through another of its ids, such as an agent's over all users.
    Shared,
}

impl Visibility {
    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Visibility::Owner => "owner",
            Visibility::Shared => "shared",
        }
    }

    /// Visibility with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Visibility::Owner, Visibility::Shared].into_iter().find(|visibility| visibility.as_str() == text)
    }
}

/// Name of a document; unique among the live memories of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentName {
    /// Path chosen by the application, such as `profile/settings`.
    pub namespace: Name,
    /// Key within the namespace.
    pub key: Name,
}

/// Source turn of a memory of kind [`Kind::Turn`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Source turn.
    pub turn: TurnId,
    /// Session of the turn.
    pub session: SessionId,
    /// Key of the session.
    pub session_key: Name,
    /// Ordinal of the session in the partition.
    pub session_ordinal: u32,
    /// Ordinal of the turn in the session.
    pub seq: u32,
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker.
    pub author: Option<Name>,
    /// Key of the turn, chosen by the application.
    pub turn_key: Option<Name>,
}

/// Input of the forgetting curves. The rate of forgetting belongs to the curve. Apart from the importance it belongs to the
/// memory and not to a version: a revision or an undo leaves it as it is.
///
/// The nearest cosine was measured when the memory was learned, and stays (ADR 0053): any policy can evaluate surprise from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Strength {
    /// Importance, 0 to 1. A double, so that a filter matches the exact number given.
    pub importance: f64,
    /// Initial strength: a factor on the curve's own initial strength, 1 by default, the same for every curve.
    pub strength: f32,
    /// Cosine to the nearest memory that the owner had when it was learned, -1 to 1; `None` if it is not known.
    pub nearest_cosine: Option<f32>,
    /// Time at which it was learned.
    pub learned_at: Timestamp,
    /// Uses since then.
    pub uses: Uses,
    /// True if it is never to be forgotten.
    pub pinned: bool,
}

impl Strength {
    /// Initial strength of a memory, as a factor on that of the curve: the curve as published.
    pub const INITIAL: f32 = 1.0;
    /// Greatest absolute value of a stored cosine. It is above 1 by what rounding of vectors to half precision can add.
    const COSINE_AT_MOST: f32 = 1.01;

    /// Strength of a memory that was never used.
    pub fn new(importance: f64, strength: f32, learned_at: Timestamp) -> Self {
        let (uses, pinned, nearest_cosine) = (Uses::default(), false, None);
        Self { importance, strength, nearest_cosine, learned_at, uses, pinned }
    }

    /// True for a number that can be a cosine, up to rounding.
    pub fn is_cosine(number: f32) -> bool {
        number.abs() <= Self::COSINE_AT_MOST
    }

    /// True if a memory with this record of forgetting is cold: out of the resident index until a query asks for forgotten
    /// memories. The effect of the record is `cold` or `delete`, and the memory is not pinned and was not used since.
    pub fn is_cold(&self, record: Option<&Forgotten>) -> bool {
        let is_used_since = |since| self.uses.last().is_some_and(|newest| newest.at > since);
        record.is_some_and(|record| {
            matches!(record.effect, Effect::Cold | Effect::Delete)
                && !self.pinned
                && !is_used_since(record.since)
        })
    }

    /// Time of the last refresh: of the newest use, or of learning.
    pub fn refreshed_at(&self) -> Timestamp {
        self.uses.last().map_or(self.learned_at, |newest| newest.at)
    }

    /// Strength after an edit moved what happened from `from` to `to`. A memory that was learned when it happened is
    /// learned at the new time.
    #[must_use]
    pub fn moved(self, from: Timestamp, to: Timestamp) -> Self {
        let learned_at = if self.learned_at == from { to } else { self.learned_at };
        Self { learned_at, ..self }
    }
}

/// Memory in its present version.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Id, the same for all versions.
    pub id: MemoryId,
    /// Version, from 1.
    pub version: u32,
    /// Kind.
    pub kind: Kind,
    /// Text.
    pub text: String,
    /// Length of `text` in LLM tokens, by the store's token counter.
    pub tokens: u32,
    /// Agent to which the memory belongs besides its owner.
    pub agent: Option<Name>,
    /// App to which the memory belongs besides its owner.
    pub app: Option<Name>,
    /// Run to which the memory belongs besides its owner.
    pub run: Option<Name>,
    /// Visibility.
    pub visibility: Visibility,
    /// Names of the entities that it is about.
    pub subjects: Vec<Name>,
    /// Conversation partners to whom it may be told, if it was said in confidence; empty for anybody. A recall for
    /// another partner does not return it (EMMA, arXiv 2410.02503: visibility by partner).
    pub audience: Vec<Name>,
    /// Structured content, for a fact or thought that has one.
    pub statement: Option<Statement>,
    /// Keywords and context, for a note that has them.
    pub annotation: Option<Annotation>,
    /// Tags.
    pub tags: Vec<Name>,
    /// Links to other memories, of this version.
    pub links: Vec<Link>,
    /// Application metadata.
    pub metadata: Metadata,
    /// Document name, for a document.
    pub document: Option<DocumentName>,
    /// Source turn, for a turn.
    pub origin: Option<Origin>,
    /// Derivation, for a derived memory.
    pub derivation: Option<DerivationId>,
    /// Time of the events in the text.
    pub happened: Happened,
    /// Recording time of this version.
    pub recorded_at: Timestamp,
    /// Recording time of the first version.
    pub created_at: Timestamp,
    /// Interval in which the text held true; unknown bounds are open.
    pub valid: Interval,
    /// Time from which it is no longer recalled; `None` for no expiry.
    pub expires_at: Option<Timestamp>,
    /// Input of the forgetting curves.
    pub strength: Strength,
    /// Record of its forgetting; `None` while it is not forgotten. It belongs to the memory and not to a version.
    pub forgotten: Option<Forgotten>,
}

impl Memory {
    /// True if its text may be told to this conversation partner. Without a partner it is for the owner, who sees all.
    pub fn may_be_told_to(&self, partner: Option<&Name>) -> bool {
        partner.is_none_or(|partner| self.audience.is_empty() || self.audience.contains(partner))
    }

    /// Text that its index rows are made of, under the name of its author.
    pub fn key_text(&self) -> Cow<'_, str> {
        annotation::key_text(&self.text, &self.tags, self.annotation.as_ref())
    }

    /// Name of the speaker, for a turn whose speaker has one.
    pub fn author(&self) -> Option<&Name> {
        self.origin.as_ref()?.author.as_ref()
    }
}

/// Time of an event: a moment, or a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Moment, or start of the period.
    pub at: Timestamp,
    /// Last moment of the period; `None` for a single moment.
    pub until: Option<Timestamp>,
    /// Offset of the local time in which its day is counted; `None` if it is unknown, and the zone of the owner counts.
    pub offset: Option<UtcOffset>,
}
