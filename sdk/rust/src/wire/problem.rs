//! What goes wrong, on the wire: RFC 9457 problem details with a stable code.

use serde::{Deserialize, Serialize};

/// A problem, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI for the kind of problem: `https://engrain.dev/problems/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same every time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What programs tell problems apart by; never changes its meaning.
    pub code: String,
    /// What happened this time.
    pub detail: String,
    /// The part of the request that is at fault, as a path such as `turns[3].said_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The request, as the server's log names it.
    pub request_id: String,
}
