//! Error responses: RFC 9457 problem details with a stable code.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::null_as_default;

/// Problem details (RFC 9457), sent as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// URI of the problem type: `https://engrain.dev/problems/` followed by the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// Summary of the problem type, the same for every occurrence.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// Stable code for programs to match on.
    pub code: String,
    /// Explanation of this occurrence.
    pub detail: String,
    /// Path of the invalid field in the request, such as `turns[3].said_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Ids of the memories that stand against the request, at most 100; only of `undo_has_dependents`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub memory_ids: Vec<Uuid>,
    /// Id of the request, as it appears in the server's log.
    pub request_id: String,
}
