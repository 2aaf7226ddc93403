//! New memories of a change set, with their index rows and groups.

use std::sync::Arc;

use half::f16;

use super::derivation::Derivation;
use super::group::GroupKey;
use super::memory::Memory;
use super::name::Name;

/// Maximum number of groups that one memory belongs to. A set with more is refused.
pub const MAX_GROUPS_PER_MEMORY: usize = 64;

/// Memory with its index rows.
#[derive(Clone, Debug)]
pub struct NewMemory {
    /// Key chosen by the application, unique within the partition, for a memory that is recognised when it is sent again.
    /// Turns have theirs in [`super::turn::Turn`].
    pub key: Option<Name>,
    /// Memory. For a turn, `origin` has the provisional session id and the `seq` of [`super::change::NewTurns`].
    pub memory: Memory,
    /// Derivation record, for a derived memory.
    pub derivation: Option<Derivation>,
    /// Index rows.
    pub rows: Vec<IndexRow>,
    /// Groups that it belongs to, at most [`MAX_GROUPS_PER_MEMORY`].
    pub groups: Vec<GroupKey>,
}

/// Source of a retrieval key. Further kinds are planned (facts, keyphrases, summaries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Text of the memory.
    Text,
}

impl KeyKind {
    /// Number in the store.
    pub const fn code(self) -> i16 {
        match self {
            KeyKind::Text => 0,
        }
    }

    /// Kind with this number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(KeyKind::Text),
            _ => None,
        }
    }

    /// Name in explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyKind::Text => "text",
        }
    }
}

/// Index row: one chunk of one key of one memory. A memory may have many rows; top-k counts memories.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRow {
    /// Kind of the key.
    pub key: KeyKind,
    /// Ordinal of the chunk within the key, from 0.
    pub chunk: u32,
    /// Span of the chunk in the key's text, as a byte range.
    pub span: (u32, u32),
    /// Encoded term vector of the chunk (`text::TermVector`).
    pub terms: Arc<[u8]>,
    /// Unit vector of the chunk by the store's embedder; `None` for a chunk without a letter.
    pub vector: Option<Arc<[f16]>>,
}

impl IndexRow {
    /// Vector in single precision, for cosines outside the scan.
    pub fn vector_f32(&self) -> Option<Arc<[f32]>> {
        Some(self.vector.as_ref()?.iter().map(|component| component.to_f32()).collect())
    }
}
