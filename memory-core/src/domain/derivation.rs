//! How a memory came to be. A derivation lists *all* inputs that were shown to whatever made the memory, not only
//! those that count as its evidence, so that erasing a turn finds everything that may carry a trace of it.

use super::id::{DerivationId, MemoryId, TurnId};
use super::time::Timestamp;

/// What made a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// The maker's name: `caller` for a memory that an application wrote itself, else a mechanism of Engrain.
    pub name: String,
    /// The model that was asked, if one was.
    pub model: Option<String>,
    /// The prompt's name and version, if there was one.
    pub prompt: Option<String>,
}

impl Maker {
    /// The application itself.
    pub fn caller() -> Self {
        Self { name: "caller".to_owned(), model: None, prompt: None }
    }
}

/// One thing that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A turn.
    Turn(TurnId),
    /// Another memory.
    Memory(MemoryId),
}

/// An input, and whether it is what the memory rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// What was shown.
    pub source: Source,
    /// True if the memory rests on it; false if it was merely in view.
    pub is_evidence: bool,
}

/// The record of one making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// Its id.
    pub id: DerivationId,
    /// What made it.
    pub maker: Maker,
    /// Everything that was shown.
    pub inputs: Vec<Input>,
    /// When.
    pub made_at: Timestamp,
}
