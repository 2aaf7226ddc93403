//! Memories and their scopes.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{is_default, null_as_default};

/// Owner of memories, with the other ids they belong to. Ids have 1 to 256 bytes, something visible, and no line breaks or
/// other control characters. The first given id of user, agent, app and run names the
/// owner; the others are stored with the memory. At least one is required. A recall whose scope names an agent, app or
/// run but no user also searches the shared memories of all users that carry that id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// User id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Agent id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Application id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Run id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl Scope {
    /// Scope of a user.
    pub fn user(id: impl Into<String>) -> Self {
        Self { user_id: Some(id.into()), ..Self::default() }
    }
}

/// Kind of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Turn of a conversation, verbatim.
    Turn,
    /// Self-contained statement.
    Fact,
    /// Statement of the thinking profile `tim.paper`. Only thinking makes them.
    Thought,
    /// Longer text; of thinking, the text of a turn with keywords, tags, a context and links.
    Note,
    /// Summary of turns or of other digests. Only thinking makes them.
    Digest,
    /// Named document, unique by namespace and key.
    Document,
}

/// Role of a turn's speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Human participant.
    User,
    /// Agent or model.
    Assistant,
    /// Instructions to the model.
    System,
    /// Output of a tool.
    Tool,
}

/// Visibility of a memory within its tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Recalled only by requests whose scope names its owner.
    #[default]
    Owner,
    /// Recalled also by requests whose scope names another of its ids, such as its agent.
    Shared,
}

/// Name of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DocumentName {
    /// Namespace, such as `profile/settings`.
    pub namespace: String,
    /// Key within the namespace.
    pub key: String,
}

/// Link from a memory to another one. Two memories have at most one link per relation and direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Id of the target memory. It belongs to the same owner.
    pub to: Uuid,
    /// Relation of this memory to the target, as a name of your choice: `supports`, `contradicts`, `follows`.
    pub relation: String,
    /// Strength of the link, 0 to 1. Default: 1.
    #[serde(default = "Link::default_weight", deserialize_with = "Link::read_weight")]
    #[cfg_attr(feature = "schema", schema(default = 1.0))]
    pub weight: f32,
    /// Reason of the relation in words, at most 512 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Link {
    fn default_weight() -> f32 {
        1.0
    }

    fn read_weight<'de, D: Deserializer<'de>>(reader: D) -> Result<f32, D::Error> {
        Ok(Option::deserialize(reader)?.unwrap_or_else(Self::default_weight))
    }
}

/// Structured content of a fact: subject, relation and object, and the state slot that it fills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Subject: `user`, `assistant`, or the name of another person or thing.
    pub subject: String,
    /// Relation of the subject to the object, in words: `works at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// Object, and the value of the slot: `Acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// State slot that the fact fills, in `snake_case`: `home`, `favorite_color`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Confidence of the maker, 0 to 1. Default: 1.
    #[serde(default = "Statement::default_confidence", deserialize_with = "Statement::read_confidence")]
    #[cfg_attr(feature = "schema", schema(default = 1.0))]
    pub confidence: f64,
    /// Role of the speaker whose words are the evidence. Default: `user`.
    #[serde(default = "Statement::default_said_by", deserialize_with = "Statement::read_said_by")]
    #[cfg_attr(feature = "schema", schema(default = "user"))]
    pub said_by: Role,
}

impl Statement {
    fn default_confidence() -> f64 {
        1.0
    }

    fn read_confidence<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(reader)?.unwrap_or_else(Self::default_confidence))
    }

    fn default_said_by() -> Role {
        Role::User
    }

    fn read_said_by<'de, D: Deserializer<'de>>(reader: D) -> Result<Role, D::Error> {
        Ok(Option::deserialize(reader)?.unwrap_or_else(Self::default_said_by))
    }
}

/// Turn of a conversation that a memory was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Origin {
    /// Id of the turn.
    pub turn_id: Uuid,
    /// Key of the turn, if the request gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_key: Option<String>,
    /// Id of the session.
    pub session_id: Uuid,
    /// Name of the session.
    pub session: String,
    /// Position of the turn in its session, from 0.
    pub seq: u32,
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker, if the request gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// One version of a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Memory {
    /// Id of the memory, the same for all versions.
    pub id: Uuid,
    /// Version number, from 1.
    pub version: u32,
    /// Kind of the memory.
    pub kind: Kind,
    /// Text of the memory.
    pub text: String,
    /// Length of the text in LLM tokens (o200k).
    pub tokens: u32,
    /// Agent that the memory belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Application that the memory belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Run that the memory belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Visibility of the memory.
    pub visibility: Visibility,
    /// Subjects: the people or things that the memory is about.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Conversation partners to whom the memory may be told; empty for anybody.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// Structured content, for a fact that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// Keywords of a note, the most important first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Sentence on what a note is about, made with the notes around it in view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Tags.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Links to other memories. The erasure of a memory removes the links to it from all versions.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Application data stored with the memory. Thinking adds `covers_key` to a digest: a hash of the ids and versions of what it
    /// covers, by which it is not made again of the same content.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Name of the document; only for the kinds `document` and `digest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentName>,
    /// Turn that the memory was made from; only for the kind `turn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Time of the event (RFC 3339). For a turn: the time at which it was said.
    pub happened_at: String,
    /// End of the event (RFC 3339), if it had a duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_until: Option<String>,
    /// Offset from UTC, in minutes, of the local time of the event, if it is known: `happened_at` plus the offset is the
    /// time on the clock there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_minutes: Option<i16>,
    /// Time at which this version was recorded (RFC 3339).
    pub recorded_at: String,
    /// Time at which the first version was recorded (RFC 3339).
    pub created_at: String,
    /// Start of the period in which the statement holds (RFC 3339), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// End of the period in which the statement holds (RFC 3339), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// Time from which the memory is not recalled (RFC 3339), if it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// True for a pinned memory, which is never forgotten.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schema(default = false))]
    pub pinned: bool,
    /// Set for a memory that is forgotten by the policy of its owner: in a recall at its reference time, elsewhere at the time of
    /// the response. Pin and forgetting belong to the memory and not to a version: the versions of a history and working memory do
    /// not show them, and exports have them in `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<ForgottenState>,
}

/// State of a memory that is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForgottenState {
    /// Moment at which its retention fell below its threshold, of its eviction, or of the sweep that drew it (RFC 3339).
    pub since: String,
    /// Reason: `faded`, `evicted` beyond the quota of its owner, or `drawn` by a sweep.
    pub reason: String,
    /// Effect of the policy: `demote`, `exclude`, `cold` or `delete`.
    pub effect: String,
}
