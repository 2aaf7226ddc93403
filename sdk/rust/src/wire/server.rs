//! The server itself: its version, its readiness, its identity.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Version {
    /// `engrain`.
    pub name: String,
    /// The server's version.
    pub version: String,
    /// The embedder in use.
    pub embedder: String,
    /// The dimension of its vectors; vectors you supply must have it.
    pub dimension: u32,
}

/// `GET /health` and `GET /ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`, or what is amiss.
    pub status: String,
    /// Whether background jobs are worked on; only `/ready` says so. If they are not, everything else works all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs_running: Option<bool>,
    /// The id of this run of the server: another one after every start, and never that of another server.
    /// Earlier versions answer none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Uuid>,
}
