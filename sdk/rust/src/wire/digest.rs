//! Digests: summaries of days and of all days, and the portrait.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::Scope;

/// Level of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DigestLevel {
    /// Events of one day.
    EventsDay,
    /// Events of all days.
    EventsAll,
    /// Traits and mood that one day shows.
    PersonalityDay,
    /// One statement of the portrait.
    Portrait,
}

impl DigestLevel {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsDay => "events_day",
            Self::EventsAll => "events_all",
            Self::PersonalityDay => "personality_day",
            Self::Portrait => "portrait",
        }
    }
}

/// Query of `GET /v1/digests`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestQuery {
    /// Scope.
    pub scope: Scope,
    /// First day (`2023-05-08`, in the time zone of the owner). Default: no bound.
    pub from: Option<String>,
    /// Last day. Default: no bound.
    pub to: Option<String>,
    /// Level. Default: all but the portrait.
    pub level: Option<DigestLevel>,
    /// Name of the person to whom they will be told. Default: nobody, and nothing is left out.
    pub partner: Option<String>,
}

/// Response of `GET /v1/digests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Digests {
    /// Digests, the latest days first, at most 366.
    pub digests: Vec<Digest>,
}

/// Digest of turns or of other digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Digest {
    /// Id of its memory.
    pub id: Uuid,
    /// Version of its memory.
    pub version: u32,
    /// Level.
    pub level: DigestLevel,
    /// Local day, for a digest of one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Text.
    pub text: String,
    /// Ids of the memories that were in view when it was made: memories of turns, digests, or facts; at most 100. Of a digest with
    /// `is_edited`, those of its last version by a mechanism; empty if it has none.
    pub covers: Vec<Uuid>,
    /// Number of all memories that were in view.
    pub covers_count: u32,
    /// Those of them that the text rests on; at most 100.
    pub evidence: Vec<Uuid>,
    /// Ids of the memories of the turns that it rests on, directly or through another digest or a fact; at most 100. They are ids of
    /// memories (`GET /v1/memories/{id}`), not ids of turns as in `evidence` of the values of slots.
    pub turns: Vec<Uuid>,
    /// Time that it is about (RFC 3339): the beginning of its day or of its days. Of a statement of the portrait, the latest day
    /// of its evidence.
    pub happened_at: String,
    /// True if the owner wrote or edited it. Such a digest is never changed by thinking.
    pub is_edited: bool,
    /// True if this version was made without a language model, of sentences as they were said; false for one with `is_edited`.
    pub is_extractive: bool,
    /// Time of this version (RFC 3339).
    pub made_at: String,
}

/// Portrait of the user: one statement per trait, preference or circumstance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Portrait {
    /// Statements, the oldest first, with their evidence.
    pub statements: Vec<Digest>,
    /// Summary of the events of all days, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Digest>,
}
