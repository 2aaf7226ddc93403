//! The embedder that index rows are made with, as the store numbers it.

/// The store's number of an embedder's identity (model, version and settings that decide its vectors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedderId(pub i64);
