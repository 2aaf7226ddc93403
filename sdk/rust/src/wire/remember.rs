//! Remembering: turns of a conversation as they were said, and finished memories.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::memory::{DocumentName, Kind, Link, Role, Scope, Visibility};

/// `POST /v1/turns`: append turns to a session. Searchable when the call returns. With an `Idempotency-Key` header, a
/// repetition answers what the first call made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddTurns {
    /// Whose conversation.
    pub scope: Scope,
    /// Your name for the session; it is made when first named. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The turns, in the order in which they were said; 1 to 1,000.
    pub turns: Vec<NewTurn>,
    /// Who may recall them. Default: `owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// A turn to remember.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTurn {
    /// Who speaks.
    pub role: Role,
    /// What was said: 1 byte to 1 MiB, not only white space.
    pub text: String,
    /// Your id for the turn, shown with what is recalled of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The speaker's name, where there are more than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was said. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<String>,
    /// Who else was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<String>,
    /// Where: a channel, a room, a city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Labels for the memory of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What you keep beside it, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// How much it matters, 0 to 1. Default: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// When it stops being recalled. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Its vector, if you have it from the store's own embedder; any length, it is normalised. Only for texts that
    /// fit the embedder in one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

impl NewTurn {
    /// A turn of which nothing but speaker and words are known.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
            key: None,
            author: None,
            said_at: None,
            participants: Vec::new(),
            place: None,
            tags: Vec::new(),
            metadata: Map::new(),
            importance: None,
            expires_at: None,
            vector: None,
        }
    }
}

/// What [`AddTurns`] made, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddedTurns {
    /// The session's id.
    pub session_id: Uuid,
    /// The turns' ids.
    pub turn_ids: Vec<Uuid>,
    /// The ids of the memories of them.
    pub memory_ids: Vec<Uuid>,
    /// True if an earlier call with this idempotency key had made them.
    pub repeated: bool,
}

/// `POST /v1/memories`: add finished memories. A document replaces the one of its name, as a new version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddMemories {
    /// Whose.
    pub scope: Scope,
    /// The memories; 1 to 1,000.
    pub memories: Vec<NewMemory>,
}

/// A finished memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMemory {
    /// What is to be remembered: 1 byte to 1 MiB, not only white space.
    pub text: String,
    /// What it is; not `turn`. Default: `document` if it is named, else `fact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its name, for a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentName>,
    /// Whom or what it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What you keep beside it, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The turns and memories it was made of. When one of them is erased, this memory goes too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Uuid>,
    /// What it points to, at most 64: memories that are there already. When one of them is erased, only the link goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// When what it tells of happened. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<String>,
    /// The last moment of it, if it took time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_until: Option<String>,
    /// Since when it holds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until when it held, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// When it stops being recalled. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How much it matters, 0 to 1. Default: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Who may recall it. Default: `owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// See [`NewTurn::vector`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

/// What [`AddMemories`] made, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddedMemories {
    /// The memories' ids; a replaced document keeps its id.
    pub memory_ids: Vec<Uuid>,
    /// True if an earlier call with this idempotency key had made them.
    pub repeated: bool,
}
