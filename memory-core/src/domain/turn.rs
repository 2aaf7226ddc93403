//! Source layer: sessions and their turns. Turns are immutable; only erasure removes them.

use super::id::{SessionId, TurnId};
use super::metadata::Metadata;
use super::name::Name;
use super::time::Timestamp;
use super::zone::UtcOffset;

/// Role of a turn's speaker in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// User, or the first of several.
    User,
    /// Agent or model.
    Assistant,
    /// System: instructions around the conversation.
    System,
    /// Tool: a result that a tool returned.
    Tool,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::User, Role::Assistant, Role::System, Role::Tool];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::Tool => "tool",
        }
    }

    /// Role with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Session: one conversation, created with its first turn and identified by `key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Key chosen by the application, unique within the partition.
    pub key: Name,
    /// Ordinal among the partition's sessions in order of creation, from 0.
    pub ordinal: u32,
    /// Number of turns that are there. It is no ordinal: those of erased turns are not given again.
    pub turn_count: u32,
    /// Time of the first turn.
    pub started_at: Timestamp,
    /// Time of creation.
    pub recorded_at: Timestamp,
    /// Time at which it was closed; `None` while it is open. A new turn opens it again.
    pub closed_at: Option<Timestamp>,
}

/// Turn: one utterance, verbatim.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its id.
    pub id: TurnId,
    /// Ordinal in the session, from 0; without gaps until an erasure.
    pub seq: u32,
    /// Key chosen by the application, if it has one.
    pub key: Option<Name>,
    /// Position in the conversation as the application counts it, from 0, if it gives one (see `domain/identity.rs`).
    pub position: Option<u32>,
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker, for conversations of more than a user and an assistant.
    pub author: Option<Name>,
    /// Text, verbatim.
    pub text: String,
    /// Time of the utterance.
    pub said_at: Timestamp,
    /// Offset of the speaker's local time at that moment, if it is known.
    pub utc_offset: Option<UtcOffset>,
    /// Time of recording.
    pub recorded_at: Timestamp,
    /// Names of the others present.
    pub participants: Vec<Name>,
    /// Place of the utterance: a channel, a room, a city.
    pub place: Option<Name>,
    /// Application metadata.
    pub metadata: Metadata,
}
