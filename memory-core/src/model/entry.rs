//! Model description: the schema of `model.json` and of an entry of `catalogue.json`.
//!
//! Read by the catalogue, the cache and the hub, so that none of them has to name another for it.

use serde::{Deserialize, Serialize};

use super::Pooling;
use super::task::Task;

/// Description of one model.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct ModelEntry {
    /// The name in configuration; its folder in the cache follows from it. A `model.json` may leave it out.
    #[serde(default)]
    pub name: String,
    /// Task of the model.
    pub task: Task,
    /// Components of a vector; an embedder has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// How one vector is made from those of the tokens; an embedder has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Which of the graph's outputs is the vector, where the usual order of preference does not find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Tokens that it reads at once, special tokens included.
    pub max_tokens: usize,
    /// Put before every query.
    #[serde(default)]
    pub query_prefix: String,
    /// Put before every passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// The token that fills up a batch.
    pub pad_token: String,
    /// Weights that lie beside `model.onnx`, under the names by which the graph refers to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_data: Vec<String>,
    /// Pinned files; none for a model that the user added.
    #[serde(default)]
    pub files: Vec<PinnedFile>,
    /// Where it was fetched from; only `engrain models fetch` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Where a fetched model came from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Origin {
    /// The hub's address.
    pub hub: String,
    /// The repository there.
    pub repository: String,
    /// The commit that the files were taken from.
    pub revision: String,
    /// Which of the repository's graphs it is.
    pub file: String,
}

/// A file of a model with its sha256.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PinnedFile {
    /// Relative to the model's folder.
    pub path: String,
    /// In hex.
    pub sha256: String,
}
