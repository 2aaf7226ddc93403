//! The source layer: sessions and the turns in them. Written once, never changed; only erasure takes them away.

use super::id::{SessionId, TurnId};
use super::metadata::Metadata;
use super::name::Name;
use super::time::Timestamp;

/// Who speaks in a turn, seen from the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person (or the first of several).
    User,
    /// The agent or model.
    Assistant,
    /// Instructions around the conversation.
    System,
    /// What a tool returned.
    Tool,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::User, Role::Assistant, Role::System, Role::Tool];

    /// The name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::Tool => "tool",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A conversation. The application knows it by `key`; Engrain makes one when it first hears of the key.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The application's own name for it, unique within the partition.
    pub key: Name,
    /// Its place in the order in which the partition's sessions were first heard of, from 0.
    pub ordinal: u32,
    /// How many turns it ever had, erased ones included: the next turn's `seq`.
    pub turn_count: u32,
    /// When its first turn was said.
    pub started_at: Timestamp,
    /// When it was first heard of.
    pub recorded_at: Timestamp,
}

/// One utterance as it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its id.
    pub id: TurnId,
    /// Its place in the session, from 0, without gaps until something is erased.
    pub seq: u32,
    /// The application's own id for it, if it has one.
    pub key: Option<Name>,
    /// Who speaks.
    pub role: Role,
    /// Their name, where the conversation has more than a user and an assistant.
    pub author: Option<Name>,
    /// What was said, to the letter.
    pub text: String,
    /// When it was said.
    pub said_at: Timestamp,
    /// When Engrain heard of it.
    pub recorded_at: Timestamp,
    /// Who else was there.
    pub participants: Vec<Name>,
    /// Where it was said: a channel, a room, a city.
    pub place: Option<Name>,
    /// What the application keeps beside it.
    pub metadata: Metadata,
}
