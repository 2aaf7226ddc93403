//! Number of an embedder in the store.

/// Number that the store assigns to an embedder's identity: model, version, and the settings that change its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedderId(pub i64);
