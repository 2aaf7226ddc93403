//! Requests of remember, in domain types. Lengths and counts are checked by the remember path.

use crate::domain::change::Idempotency;
use crate::domain::link::Link;
use crate::domain::memory::{DocumentName, Happened, Kind, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::statement::Statement;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::domain::zone::UtcOffset;

/// Request to append turns to a session.
#[derive(Clone, Debug)]
pub struct RememberTurns {
    /// Scope of the memories.
    pub scope: Scope,
    /// Key of the session, chosen by the application.
    pub session: Name,
    /// Turns, in order.
    pub turns: Vec<TurnToRemember>,
    /// Visibility of their memories.
    pub visibility: Visibility,
    /// True to write turns again that were erased; otherwise those with an identity are left out.
    pub again: bool,
    /// Idempotency key and hash of the request.
    pub idempotency: Option<Idempotency>,
}

/// Turn to remember.
#[derive(Clone, Debug)]
pub struct TurnToRemember {
    /// Role of the speaker.
    pub role: Role,
    /// Text of the turn, verbatim.
    pub text: String,
    /// Key of the turn, chosen by the application. A turn is recognised by it when it is sent again.
    pub key: Option<Name>,
    /// Position in the conversation, from 0. By it and by its content a turn without a key is recognised when it is sent
    /// again.
    pub position: Option<u32>,
    /// Name of the speaker.
    pub author: Option<Name>,
    /// Time of the utterance; `None` for now.
    pub said_at: Option<Timestamp>,
    /// Offset of the speaker's local time at that moment, if it is known.
    pub utc_offset: Option<UtcOffset>,
    /// Names of the others present.
    pub participants: Vec<Name>,
    /// Place of the utterance.
    pub place: Option<Name>,
    /// Conversation partners to whom its memory may be told; empty for anybody.
    pub audience: Vec<Name>,
    /// Tags of its memory.
    pub tags: Vec<Name>,
    /// Application metadata of its memory.
    pub metadata: Metadata,
    /// Importance, 0 to 1; `None` for the default.
    pub importance: Option<f64>,
    /// Time from which it is no longer recalled.
    pub expires_at: Option<Timestamp>,
    /// Vector by the embedder in use, if the caller has it; the text must then fit in one chunk.
    pub vector: Option<Vec<f32>>,
}

/// Request to add finished memories.
#[derive(Clone, Debug)]
pub struct RememberMemories {
    /// Scope of the memories.
    pub scope: Scope,
    /// Memories, in order.
    pub memories: Vec<MemoryToRemember>,
    /// True to write memories again that were erased; otherwise those with a key are left out.
    pub again: bool,
    /// Idempotency key and hash of the request.
    pub idempotency: Option<Idempotency>,
}

/// Finished memory to add.
#[derive(Clone, Debug)]
pub struct MemoryToRemember {
    /// Key of the memory, chosen by the application. A memory is recognised by it when it is sent again.
    pub key: Option<Name>,
    /// Text of the memory.
    pub text: String,
    /// Kind; not [`Kind::Turn`].
    pub kind: Kind,
    /// Document name, for a document.
    pub document: Option<DocumentName>,
    /// Names of the entities that it is about.
    pub subjects: Vec<Name>,
    /// Conversation partners to whom it may be told; empty for anybody.
    pub audience: Vec<Name>,
    /// Structured content, for a fact that has one.
    pub statement: Option<Statement>,
    /// Tags.
    pub tags: Vec<Name>,
    /// Application metadata.
    pub metadata: Metadata,
    /// Ids of the turns and memories from which it was derived; the store resolves their type.
    pub sources: Vec<uuid::Uuid>,
    /// Links to existing memories.
    pub links: Vec<Link>,
    /// Time of the events in the text; `None` for now.
    pub happened: Option<Happened>,
    /// Interval in which the text held true.
    pub valid: Interval,
    /// Time from which it is no longer recalled.
    pub expires_at: Option<Timestamp>,
    /// Importance, 0 to 1; `None` for the default.
    pub importance: Option<f64>,
    /// Visibility.
    pub visibility: Visibility,
    /// Vector: see [`TurnToRemember::vector`].
    pub vector: Option<Vec<f32>>,
}
