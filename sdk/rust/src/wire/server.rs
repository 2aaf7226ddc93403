//! Server status: version, readiness, instance id.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Response of `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Version {
    /// Name of the program: `engrain`.
    pub name: String,
    /// Version of the server.
    pub version: String,
    /// Name of the embedder in use.
    pub embedder: String,
    /// Dimension of the embedder's vectors, required of every vector in a request.
    pub dimension: u32,
}

/// Response of `GET /health` and `GET /ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`, or a description of the fault.
    pub status: String,
    /// True if background jobs are worked on; only `/ready` says so. If not, everything else works all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs_running: Option<bool>,
    /// Fault of the embedder, by its code; only `/ready` says so. Memories are taken all the same and found by their words,
    /// and their vectors are made later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder_fault: Option<String>,
    /// Number of index rows whose vectors are yet to be made, counted up to 100,000; only `/ready` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_without_vectors: Option<u64>,
    /// Code of the reason why writes are refused while reads work, such as `storage_full`; only `/ready` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// Id of this run of the server: unique, and new after every start. Absent from earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Uuid>,
}
