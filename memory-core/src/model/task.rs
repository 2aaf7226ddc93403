//! Tasks of a model: embedding and reranking.

use serde::{Deserialize, Serialize};

/// Task of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Embedding: text to vector.
    Embed,
    /// Reranking: query and passage to score.
    Rerank,
}

impl Task {
    /// The task as a verb, for messages.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::Rerank => "rerank",
        }
    }
}
