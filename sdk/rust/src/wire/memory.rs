//! Memories, and whose they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Whose memories. The first of user, agent, app and run that is named owns them; the others are remembered beside
/// them. A recall that names no user but, say, an agent finds that agent's memories over all its users, as far as
/// these are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl Scope {
    /// The memories of a user.
    pub fn user(id: impl Into<String>) -> Self {
        Self { user_id: Some(id.into()), ..Self::default() }
    }
}

/// What a memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A turn, word for word.
    Turn,
    /// A statement that stands on its own.
    Fact,
    /// A longer piece.
    Note,
    /// A named document, unique by namespace and key.
    Document,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person.
    User,
    /// The agent or model.
    Assistant,
    /// Instructions around the conversation.
    System,
    /// What a tool returned.
    Tool,
}

/// Who may recall a memory within its tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Only requests that name its owner.
    #[default]
    Owner,
    /// Also requests that reach it through another of its ids, such as its agent's over all users.
    Shared,
}

/// The name of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DocumentName {
    /// A path of your choosing, such as `profile/settings`.
    pub namespace: String,
    /// The key in it.
    pub key: String,
}

/// What a memory points to. A memory points to another at most once by one relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The other memory, of the same owner.
    pub to: Uuid,
    /// How this memory stands to it, in your word: `supports`, `contradicts`, `follows`.
    pub relation: String,
    /// How close the two are, 0 to 1. Default: 1.
    #[serde(default = "Link::default_weight")]
    #[cfg_attr(feature = "schema", schema(default = 1.0))]
    pub weight: f32,
}

impl Link {
    fn default_weight() -> f32 {
        1.0
    }
}

/// Where in a conversation a memory comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Origin {
    /// The turn's id.
    pub turn_id: Uuid,
    /// The id you gave the turn, if you gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_key: Option<String>,
    /// The session's id.
    pub session_id: Uuid,
    /// The name you gave the session.
    pub session: String,
    /// The turn's place in the session, from 0.
    pub seq: u32,
    /// Who spoke.
    pub role: Role,
    /// Their name, if you gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// A memory in one of its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Memory {
    /// Its id, the same over all versions.
    pub id: Uuid,
    /// 1 for the first, then counting.
    pub version: u32,
    /// What it is.
    pub kind: Kind,
    /// What is remembered.
    pub text: String,
    /// The text's length in LLM tokens (o200k).
    pub tokens: u32,
    /// The agent it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The app it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The run it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Who may recall it.
    pub visibility: Visibility,
    /// Whom or what it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it points to. Links to a memory that is erased vanish from all versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What you keep beside it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Its name, for a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentName>,
    /// The turn it is the memory of, for a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When what it tells of happened (for a turn: when it was said).
    pub happened_at: String,
    /// The last moment of it, if it took time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_until: Option<String>,
    /// When this version was recorded.
    pub recorded_at: String,
    /// When the first version was recorded.
    pub created_at: String,
    /// Since when it held, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until when it held, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// When it stops being recalled, if it is only lent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How much it matters, 0 to 1.
    pub importance: f64,
}
