//! Provenance of derived memories: who made a version, of what.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Response of `GET /v1/memories/{id}/provenance`: how the present version of a memory came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Provenance {
    /// Derivation of the present version; absent for a memory that was not derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivation: Option<DerivationRecord>,
}

/// Derivation of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DerivationRecord {
    /// Maker: `caller`, or a mechanism such as `facts`, `facts.rules`, `tim.corrected`.
    pub maker: String,
    /// Back end and model, if a language model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Name and version of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Job that made it, which `POST /v1/jobs/{id}/undo` takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Time of the derivation (RFC 3339).
    pub made_at: String,
    /// All that was shown to the maker.
    pub inputs: Vec<DerivationInput>,
}

/// Input of a derivation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DerivationInput {
    /// Id of the turn, for a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<Uuid>,
    /// Id of the memory, for another memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_id: Option<Uuid>,
    /// True if the memory is based on it; false if it was only in the context.
    pub is_evidence: bool,
}
