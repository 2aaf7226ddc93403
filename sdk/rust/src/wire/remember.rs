//! Requests and responses that add turns or finished memories.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::memory::{DocumentName, Kind, Link, Role, Scope, Statement, Visibility};
use super::null_as_default;
use super::thinking::ThinkingProgress;

/// Body of `POST /v1/turns`: append turns to a session. They are durable and found by their words when the call returns, and by their
/// meaning unless `indexing` says `lexical`. With an
/// `Idempotency-Key` header, a repetition returns the response of the first call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddTurns {
    /// Scope that the session belongs to.
    pub scope: Scope,
    /// Name of the session, which its first turns create. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Turns to append, 1 to 1,000, in the order of the conversation.
    pub turns: Vec<NewTurn>,
    /// Visibility of the turns' memories. Default: `owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// True to add turns again that were erased. Otherwise those with a `key` or a `position` are left out, so that a
    /// repeated import does not bring back what was erased. Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// True to answer after the vectors of the turns are made and they were thought about, or when half of the server's
    /// request timeout is over. Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// Turn to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTurn {
    /// Role of the speaker.
    pub role: Role,
    /// Text of the turn, 1 byte to 1 MiB, with a visible character and without U+0000.
    pub text: String,
    /// Key of the turn, an id of your choice, unique in its session; returned with its memory. A turn whose key is there
    /// already is not added again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Position of the turn in its conversation, from 0, for imports. A turn without a key that is there already, with the
    /// same position, role, author, text, and time if given, is not added again. Default: none; then an equal turn is
    /// another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Name of the speaker, for conversations of more than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Time at which the turn was said (RFC 3339; a date is the beginning of that day in the owner's time zone). An offset
    /// other than `Z`, or that of a date's zone, tells the local day of the speaker and is kept. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<String>,
    /// Names of the other people present, at most 64.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<String>,
    /// Place: a channel, a room, a city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Conversation partners to whom the turn's memory may be told, at most 64. Default: anybody.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// Tags of the turn's memory, at most 64.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Application data to store with the memory, at most 16 KiB and 8 levels deep, without U+0000 in keys and texts.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Importance, 0 to 1. Default: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Time from which the memory is not recalled (RFC 3339; a date is the beginning of that day in the owner's time zone).
    /// Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Vector of the text, made by the store's embedder. It need not be normalised. Only for texts that the embedder
    /// reads in one piece. Default: the embedding of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

impl NewTurn {
    /// Turn with a role and a text, every other field at its default.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
            key: None,
            position: None,
            author: None,
            said_at: None,
            participants: Vec::new(),
            place: None,
            audience: Vec::new(),
            tags: Vec::new(),
            metadata: Map::new(),
            importance: None,
            expires_at: None,
            vector: None,
        }
    }
}

/// Outcome of a turn or memory of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ItemOutcome {
    /// It was added.
    Created,
    /// It was there already.
    Existing,
    /// Its key belongs to another one that is there and stays as it is.
    Conflicting,
    /// It was erased earlier and left out; `again` adds it.
    Erased,
}

/// Signals by which memories are found. An answer without it is from a server that makes all vectors before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Indexing {
    /// By their words and by their meaning.
    #[default]
    Complete,
    /// Some of them by their words alone: a background job makes their vectors, because the texts are large or the embedder
    /// is not available.
    Lexical,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Response to [`AddTurns`], in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddedTurns {
    /// Id of the session; the nil id if all turns were left out and it has none.
    pub session_id: Uuid,
    /// Ids of the turns that were added or there already. A turn that was left out has none.
    pub turn_ids: Vec<Uuid>,
    /// Ids of the turns' memories.
    pub memory_ids: Vec<Uuid>,
    /// Outcome of each turn of the request. Missing if all of them were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<ItemOutcome>,
    /// True if an earlier call with this idempotency key added them.
    pub repeated: bool,
    /// Signals by which the memories are found so far.
    #[serde(default)]
    pub indexing: Indexing,
    /// Number of the memories that are found by their words alone, because vectors of theirs are made later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memories_without_vectors: u64,
    /// Progress of thinking about the turns, for a request with `wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingProgress>,
}

/// Body of `POST /v1/memories`: add finished memories. A document becomes a new version of the stored document of the
/// same name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddMemories {
    /// Scope that the memories belong to.
    pub scope: Scope,
    /// Memories to add, 1 to 1,000.
    pub memories: Vec<NewMemory>,
    /// True to add memories again that were erased. Otherwise those with a `key` are left out. Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// True to answer after the vectors of the memories are made, or when half of the server's request timeout is over.
    /// Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// Finished memory to add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMemory {
    /// Text of the memory, 1 byte to 1 MiB, with a visible character and without U+0000.
    pub text: String,
    /// Kind of the memory: `fact`, `note` or `document`, or `digest` with a document name in the namespace `digests/portrait`, which
    /// makes it a statement of the portrait. Default: `document` with a document name, otherwise `fact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Key of the memory, an id of your choice, unique among the memories of its owner. A memory whose key is there already
    /// is not added again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Name of the document; required for the kinds `document` and `digest`, and allowed only there. A document with the name of a
    /// digest takes its place, and thinking does not write over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentName>,
    /// Subjects: the people or things that the memory is about, at most 64.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Conversation partners to whom the memory may be told, at most 64. Default: anybody.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// Structured content of a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// Tags, at most 64.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Application data to store with the memory, at most 16 KiB and 8 levels deep, without U+0000 in keys and texts.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Ids of the turns and memories that this one was derived from, at most 256. The erasure of a source erases this
    /// memory too.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Uuid>,
    /// Links to stored memories, at most 64. The erasure of a target removes only the link.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Time of the event (RFC 3339; a date is the beginning of that day in the owner's time zone). An offset other than
    /// `Z`, or that of a date's zone, tells the local day and is kept. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<String>,
    /// End of the event (RFC 3339; a date is the beginning of that day in the owner's time zone), if it had a duration.
    /// Requires `happened_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_until: Option<String>,
    /// Start of the period in which the statement holds (RFC 3339; a date is the beginning of that day in the owner's time
    /// zone), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// End of the period in which the statement holds, exclusive (RFC 3339; a date is the beginning of that day in the
    /// owner's time zone), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// Time from which the memory is not recalled (RFC 3339; a date is the beginning of that day in the owner's time zone).
    /// Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Importance, 0 to 1. Default: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Visibility of the memory. Default: `owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Vector of the text, as [`NewTurn::vector`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

/// Response to [`AddMemories`], in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddedMemories {
    /// Ids of the memories that were added or there already; a replaced document keeps its id. A memory that was left out
    /// has none.
    pub memory_ids: Vec<Uuid>,
    /// Outcome of each memory of the request. Missing if all of them were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<ItemOutcome>,
    /// True if an earlier call with this idempotency key added them.
    pub repeated: bool,
    /// Signals by which the memories are found so far.
    #[serde(default)]
    pub indexing: Indexing,
    /// Number of the memories that are found by their words alone, because vectors of theirs are made later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memories_without_vectors: u64,
}
