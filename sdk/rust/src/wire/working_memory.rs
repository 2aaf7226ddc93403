//! Working memory of a session, and its closing.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::{Memory, Scope};
use super::operations::Session;
use super::recall::Context;

/// Query of `GET /v1/sessions/{key}/working-memory`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkingMemoryQuery {
    /// Scope of the session.
    pub scope: Scope,
    /// Name of the session.
    pub session: String,
    /// Maximum length of the context block, and of what is admitted to it, in LLM tokens, 0 to 100,000. Default: 2,000.
    pub budget_tokens: Option<u32>,
    /// Conversation partner for whom it is read: memories whose `audience` is not empty and does not name the partner are
    /// hidden. Default: nobody, and nothing is hidden for its audience.
    pub partner: Option<String>,
    /// Reference time for expiry and validity (RFC 3339; a date is the beginning of that day in the owner's time zone).
    /// Default: now.
    pub now: Option<String>,
}

/// Response of `GET /v1/sessions/{key}/working-memory`: what a prompt needs of a session. Turns, recalled memories and the digest
/// compete for the budget by relevance, recency and importance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkingMemory {
    /// Session.
    pub session: Session,
    /// Newest turns of the session that were admitted, in its order.
    pub turns: Vec<Memory>,
    /// Number of turns among the newest 128 that were not admitted.
    pub turns_left_out: u32,
    /// Memories that were recalled for the session and admitted, best first.
    pub recalled: Vec<RecalledEarlier>,
    /// Number of recalled memories that were not admitted.
    pub recalled_left_out: u32,
    /// Questions without an answer, promises and requests that are open, newest first, at most 16.
    pub threads: Vec<OpenThread>,
    /// Digest of the session, or of its older part while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Memory>,
    /// Context block for a prompt.
    pub context: Context,
}

/// Memory that was recalled for a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecalledEarlier {
    /// Memory.
    pub memory: Memory,
    /// Value by which it was admitted, 0 to 3: the sum of relevance, recency and importance.
    pub value: f64,
    /// Time of the last recall that returned it (RFC 3339).
    pub recalled_at: String,
    /// Number of recalls that returned it, among the newest 32 of the session.
    pub recalls: u32,
}

/// Open thread of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenThread {
    /// Memory of the turn that opened it.
    pub memory_id: Uuid,
    /// Kind.
    pub kind: ThreadKind,
    /// Name of the speaker, else the role.
    pub said_by: String,
    /// Time of the turn (RFC 3339).
    pub said_at: String,
    /// Sentence that opened it, cut to 240 bytes.
    pub text: String,
}

/// Kind of an open thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ThreadKind {
    /// Question without an answer.
    Question,
    /// Something that its speaker will do.
    Promise,
    /// Something that the other side is asked to do.
    Request,
}

/// Body of `POST /v1/sessions/{key}/close`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseSession {
    /// Scope of the session.
    pub scope: Scope,
}

/// Response of `POST /v1/sessions/{key}/close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClosedSession {
    /// Session.
    pub session: Session,
    /// True if a digest of the session is made in the background.
    pub asks_digest: bool,
}
