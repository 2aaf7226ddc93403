//! Owners: the list of them, and the erasure of one with everything of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::Scope;

/// Owner of memories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnerSummary {
    /// Kind of the owner: `user`, `agent`, `app` or `run`.
    pub kind: String,
    /// Id of the owner.
    pub id: String,
    /// Number of the owner's memories.
    pub memories: u64,
    /// Time at which the owner's first memory was recorded (RFC 3339).
    pub created_at: String,
}

/// Response of `GET /v1/owners`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnerPage {
    /// Owners, oldest first.
    pub owners: Vec<OwnerSummary>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Body of `POST /v1/owners/delete`: erase an owner with everything of it, in two calls like [`super::DeleteMatching`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteOwner {
    /// Scope that names the owner, by exactly one id.
    pub scope: Scope,
    /// Confirmation from the preview. If a memory came or went since, nothing is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

/// Response to [`DeleteOwner`]: a preview or the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeletedOwner {
    /// True if the owner was erased, false for a preview. From then on no request finds anything of the owner, and new
    /// memories of the same name are a new beginning.
    pub done: bool,
    /// Number of the owner's memories.
    pub memories: u64,
    /// Confirmation for the erasure; only in a preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Job that deletes the data of the owner from the store; its end is the end of the erasure. An import of the
    /// same memories before its end gives them new ids. Absent in a preview, and for an owner without memories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
}
