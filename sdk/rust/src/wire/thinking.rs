//! Thinking: profiles of state, thoughts, and the settings of a scope.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::digest::Portrait;
use super::memory::{Memory, Role, Scope};
use super::{null_as_default, null_or_value};

/// Progress of thinking about the turns of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ThinkingProgress {
    /// No mechanism thinks about them.
    Off,
    /// They wait, or a job is thinking about them.
    Pending,
    /// Everything that is derived from them is stored.
    Done,
}

/// Profile of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ThinkingProfile {
    /// Nothing is derived from turns.
    #[serde(rename = "off")]
    Off,
    /// Facts that are deduplicated and superseded.
    #[serde(rename = "default")]
    Default,
    /// Thoughts as published by Think-in-Memory (arXiv 2311.08719).
    #[serde(rename = "tim.paper")]
    TimPaper,
    /// Notes as published by A-MEM (arXiv 2502.12110).
    #[serde(rename = "amem.paper")]
    AmemPaper,
}

/// Query of `GET /v1/profile`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileQuery {
    /// Scope.
    pub scope: Scope,
    /// Subject: `user`, `assistant`, or a name. Default: `user`.
    pub subject: Option<String>,
    /// Time at which the values hold (RFC 3339; a date is the beginning of that day in the owner's time zone). Default: now.
    pub valid_at: Option<String>,
    /// Time of knowledge (RFC 3339; a date is the beginning of that day in the owner's time zone): the answer is what was
    /// recorded by then. Default: now.
    pub known_at: Option<String>,
    /// Name of the person to whom it will be told. Default: nobody, and nothing is left out.
    pub partner: Option<String>,
}

/// Response of `GET /v1/profile`: what is true of a subject at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StateProfile {
    /// Subject: `user`, `assistant`, or a name.
    pub subject: String,
    /// Time at which the values hold (RFC 3339).
    pub valid_at: String,
    /// Slots in alphabetical order.
    pub slots: Vec<Slot>,
    /// Newest valid facts that fill no slot.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<SlotValue>,
    /// Portrait of the user, if there is one; for the subject `user` and the present only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portrait: Option<Portrait>,
}

/// State slot of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Slot {
    /// Name of the slot, such as `home`.
    pub attribute: String,
    /// Values that hold; several for a slot of many values, or if `is_contested`.
    pub values: Vec<SlotValue>,
    /// Values that no longer hold, newest first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<SlotValue>,
    /// True if the values contradict each other and none can be preferred.
    pub is_contested: bool,
}

/// Value of a slot: a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlotValue {
    /// Id of the fact's memory.
    pub memory_id: Uuid,
    /// Text of the fact.
    pub text: String,
    /// Value alone, such as `Lisbon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Start of validity, or time of the event (RFC 3339).
    pub since: String,
    /// End of validity (RFC 3339), if it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Confidence of the maker, 0 to 1.
    pub confidence: f64,
    /// Role of the speaker of the evidence.
    pub said_by: Role,
    /// Ids of the turns that are the evidence: ids of turns, not of their memories as in `turns` of a digest.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Uuid>,
}

/// Body of `POST /v1/thoughts/recall`: thoughts of the profile `tim.paper`, recalled as published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecallThoughts {
    /// Scope.
    pub scope: Scope,
    /// Query text, 1 byte to 32 KiB, with a visible character.
    pub query: String,
    /// Maximum number of thoughts, 1 to 100. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Name of the person to whom they will be told. Default: nobody, and nothing is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
}

/// Body of `POST /v1/notes/recall`: notes, recalled as A-MEM publishes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecallNotes {
    /// Scope.
    pub scope: Scope,
    /// Query text, 1 byte to 32 KiB, with a visible character.
    pub query: String,
    /// Maximum number of nearest notes, 1 to 100. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Maximum number of notes that those are linked with, 0 to 100. They take no place of a nearest one. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<u32>,
    /// Name of the person to whom they will be told. Default: nobody, and nothing is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
}

/// Response to [`RecallNotes`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecalledNotes {
    /// Nearest notes, the nearest first.
    pub notes: Vec<RecalledNote>,
    /// Notes to which the nearest ones have links, in their order.
    pub linked: Vec<Memory>,
}

/// Note with its similarity to the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecalledNote {
    /// Note.
    pub memory: Memory,
    /// Cosine.
    pub similarity: f32,
}

/// Response to [`RecallThoughts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecalledThoughts {
    /// Thoughts in the bucket of the query, nearest first.
    pub thoughts: Vec<RecalledThought>,
}

/// Thought with its similarity to the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecalledThought {
    /// Thought.
    pub memory: Memory,
    /// Cosine.
    pub similarity: f32,
}

/// Body of `PUT /v1/thinking`: settings of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetThinking {
    /// Scope.
    pub scope: Scope,
    /// Profile for turns added from now on; `null` for that of the configuration. Required.
    #[cfg_attr(feature = "schema", schema(required = true))]
    #[serde(deserialize_with = "null_or_value")]
    pub profile: Option<ThinkingProfile>,
}

/// Response of `GET /v1/thinking`: settings and state of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ThinkingState {
    /// Profile in use.
    pub profile: ThinkingProfile,
    /// True if the scope has a profile of its own.
    pub is_own: bool,
    /// True if a mechanism of the profile can think with this configuration.
    pub is_active: bool,
    /// Mechanisms that are switched on and do nothing, because the configuration has no language model for their task: one sentence
    /// each.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub missing_models: Vec<String>,
    /// Number of turns that wait, counted up to 1,000.
    pub pending_turns: u64,
    /// Usage of language models since the start of the day (UTC), by task and model.
    pub usage_today: Vec<ModelUsage>,
}

/// Usage of one language model for one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModelUsage {
    /// Task: `extract` or `organise`.
    pub task: String,
    /// Back end and model.
    pub model: String,
    /// Calls.
    pub calls: u64,
    /// Replies that were refused.
    pub refused_replies: u64,
    /// Questions without an accepted reply.
    pub failures: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of replies.
    pub reply_tokens: u64,
    /// Cost, in the currency of the configured prices.
    pub cost: f64,
}
