//! Provenance of derived memories. A derivation lists *all* inputs that were shown to the maker of a memory, not only
//! its evidence, so that the erasure of a turn finds every memory that may contain a trace of it.

use super::id::{DerivationId, JobId, MemoryId, TurnId};
use super::time::Timestamp;

/// Maker of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Name: `caller` for a memory written by an application, else a mechanism of Engrain.
    pub name: String,
    /// Model, if one was used.
    pub model: Option<String>,
    /// Name and version of the prompt, if there was one.
    pub prompt: Option<String>,
}

impl Maker {
    /// Maker of the memories that an application writes.
    pub fn caller() -> Self {
        Self { name: "caller".to_owned(), model: None, prompt: None }
    }
}

/// Object shown to a maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A turn.
    Turn(TurnId),
    /// Another memory.
    Memory(MemoryId),
}

/// Input of a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Object shown.
    pub source: Source,
    /// True if the memory is based on it; false if it was only in the context.
    pub is_evidence: bool,
}

/// Derivation record of one version of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// Its id.
    pub id: DerivationId,
    /// Maker of the version.
    pub maker: Maker,
    /// Job that the maker worked for, by which the version can be found again and undone.
    pub job: Option<JobId>,
    /// All inputs shown to the maker.
    pub inputs: Vec<Input>,
    /// Time of the derivation.
    pub made_at: Timestamp,
}

impl Derivation {
    /// True for a version that a caller wrote: one without a derivation, or with one by the caller. No mechanism writes over it.
    pub fn is_of_caller(derivation: Option<&Self>) -> bool {
        derivation.is_none_or(|derivation| derivation.maker.name == Maker::caller().name)
    }
}
