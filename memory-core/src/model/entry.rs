//! Model description: the schema of `model.json` and of an entry of `catalogue.json`.
//!
//! Read by the catalogue, the cache and the hub, so that none of them has to name another for it.

use serde::{Deserialize, Serialize};

use super::Pooling;
use super::task::Task;

/// Description of one model.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct ModelEntry {
    /// Name in the configuration; the folder in the cache follows from it. Optional in a `model.json`.
    #[serde(default)]
    pub name: String,
    /// Task of the model.
    pub task: Task,
    /// Number of vector components, for an embedder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// Pooling, for an embedder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Output of the graph that is the vector, where the default order of preference does not find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Maximum input length in tokens, special tokens included.
    pub max_tokens: usize,
    /// Prefix of every query.
    #[serde(default)]
    pub query_prefix: String,
    /// Prefix of every passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// Padding token.
    pub pad_token: String,
    /// Files with weights outside `model.onnx`, named as the graph refers to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_data: Vec<String>,
    /// Pinned files; empty for a model that the user added.
    #[serde(default)]
    pub files: Vec<PinnedFile>,
    /// Source of a fetched model; written by `engrain models fetch` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Source of a fetched model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Origin {
    /// Address of the hub.
    pub hub: String,
    /// Repository on the hub.
    pub repository: String,
    /// Commit of the files.
    pub revision: String,
    /// Graph file in the repository.
    pub file: String,
}

/// Model file with its sha256.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PinnedFile {
    /// Path relative to the model's folder.
    pub path: String,
    /// Digest in hexadecimal.
    pub sha256: String,
}
