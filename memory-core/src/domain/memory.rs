//! The memory layer: typed, versioned things that are remembered.

use super::id::{DerivationId, MemoryId, SessionId, TurnId};
use super::link::Link;
use super::metadata::Metadata;
use super::name::Name;
use super::time::{Interval, Timestamp};
use super::turn::Role;

/// What a memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A turn, word for word.
    Turn,
    /// A statement that stands on its own.
    Fact,
    /// A longer piece with keywords and links.
    Note,
    /// A named document: unique by namespace and key.
    Document,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::Turn, Kind::Fact, Kind::Note, Kind::Document];

    /// The name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Turn => "turn",
            Kind::Fact => "fact",
            Kind::Note => "note",
            Kind::Document => "document",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who may recall a memory within its tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Only recalls that name its owner.
    #[default]
    Owner,
    /// Also recalls that reach it through another of its ids, such as its agent's over all users.
    Shared,
}

impl Visibility {
    /// The name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Visibility::Owner => "owner",
            Visibility::Shared => "shared",
        }
    }

    /// The visibility of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Visibility::Owner, Visibility::Shared].into_iter().find(|visibility| visibility.as_str() == text)
    }
}

/// The name of a document: at most one live memory of a partition has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentName {
    /// A path of the application's choosing, such as `profile/settings`.
    pub namespace: Name,
    /// The key in it.
    pub key: Name,
}

/// Where in the source layer a memory of kind [`Kind::Turn`] comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The turn it is the memory of.
    pub turn: TurnId,
    /// Its session.
    pub session: SessionId,
    /// The session's own key.
    pub session_key: Name,
    /// The session's place among the partition's sessions.
    pub session_ordinal: u32,
    /// The turn's place in the session.
    pub seq: u32,
    /// Who spoke.
    pub role: Role,
    /// Their name.
    pub author: Option<Name>,
    /// The application's id of the turn.
    pub turn_key: Option<Name>,
}

/// What forgetting curves work on. How fast a memory fades is a curve's business; this is what it fades from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// How much it matters, 0 to 1. A double, so that a filter finds the very number that was given.
    pub importance: f64,
    /// MemoryBank's S: 1 when new.
    pub strength: f32,
    /// When it was learned or last recalled.
    pub refreshed_at: Timestamp,
}

/// A memory in its present version.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Its id, the same over all versions.
    pub id: MemoryId,
    /// 1 for the first, then counting.
    pub version: u32,
    /// What it is.
    pub kind: Kind,
    /// What is remembered.
    pub text: String,
    /// LLM tokens in `text`, by the store's token counter.
    pub tokens: u32,
    /// The agent, app and run it belongs to besides its owner.
    pub agent: Option<Name>,
    /// See `agent`.
    pub app: Option<Name>,
    /// See `agent`.
    pub run: Option<Name>,
    /// Who may recall it.
    pub visibility: Visibility,
    /// Whom or what it is about.
    pub subjects: Vec<Name>,
    /// Labels.
    pub tags: Vec<Name>,
    /// What it points to. Like everything that a version tells, they are this version's and go back with it.
    pub links: Vec<Link>,
    /// What the application keeps beside it.
    pub metadata: Metadata,
    /// Its name, for a document.
    pub document: Option<DocumentName>,
    /// The turn it is the memory of, for a turn.
    pub origin: Option<Origin>,
    /// How it was made, if it was derived.
    pub derivation: Option<DerivationId>,
    /// When what it tells of happened.
    pub happened: Happened,
    /// When this version was recorded.
    pub recorded_at: Timestamp,
    /// When the first version was recorded.
    pub created_at: Timestamp,
    /// When it held true; open bounds where nothing is known.
    pub valid: Interval,
    /// When it stops being recalled, if it is only lent.
    pub expires_at: Option<Timestamp>,
    /// What forgetting works on.
    pub strength: Strength,
}

impl Memory {
    /// The name of who said it, if it was said and they have one.
    pub fn author(&self) -> Option<&Name> {
        self.origin.as_ref()?.author.as_ref()
    }
}

/// When something happened: a moment, or from the first to the last of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The moment, or the first.
    pub at: Timestamp,
    /// The last moment, if it took time.
    pub until: Option<Timestamp>,
}
