//! Requests and responses of exports and imports.

use crate::domain::derivation::Derivation;
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::restoration::RestoredTurn;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::domain::turn::{Session, Turn};

/// Memory with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Archived {
    /// Present version.
    pub memory: Memory,
    /// Key that it was added with.
    pub key: Option<Name>,
    /// Turn with its session, for a memory of a turn.
    pub turn: Option<(Turn, Session)>,
    /// True for a turn that waits to be thought about.
    pub is_pending: bool,
    /// Versions before the present one, oldest first.
    pub earlier: Vec<Memory>,
    /// Derivations of all versions.
    pub derivations: Vec<Derivation>,
}

/// Page of the memories of an owner, for an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchivePage {
    /// Ids of the memories, in ascending order.
    pub ids: Vec<MemoryId>,
    /// Last memory that was looked at, after which the next page begins; none at the end.
    pub last: Option<MemoryId>,
    /// True if more follow.
    pub has_more: bool,
    /// Number of memories that cannot be decoded and were left out.
    pub unreadable: u64,
    /// True if damaged pages were met.
    pub met_damage: bool,
}

/// Memories of an export, read together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchivedMemories {
    /// The memories.
    pub memories: Vec<Archived>,
    /// Number of memories that cannot be decoded, or a version, a derivation, the turn or the session of which cannot. They
    /// are left out, like those on damaged pages.
    pub unreadable: u64,
    /// True if damaged pages were met.
    pub met_damage: bool,
}

/// Memories of an archive to write.
#[derive(Clone, Debug)]
pub struct RestoreMemories {
    /// Scope that names the owner.
    pub scope: Scope,
    /// Memories.
    pub memories: Vec<MemoryToRestore>,
    /// Write memories again that were erased.
    pub again: bool,
    /// Moment of the last check of the owner by draws ([`Rule::ConditionalDraw`](crate::retention::Rule)) in the store that the
    /// archive is of. It becomes that of the owner, unless the owner has a later one; `None` changes nothing.
    pub checked_at: Option<Timestamp>,
}

/// Memory of an archive, as it was.
#[derive(Clone, Debug)]
pub struct MemoryToRestore {
    /// Present version. The lengths in tokens of all versions are counted anew. Its strength may be without a time of
    /// refresh: see `strength`.
    pub memory: Memory,
    /// Strength of the forgetting curve; that of a new memory if the archive has none.
    pub strength: Option<f32>,
    /// Key that it was added with.
    pub key: Option<Name>,
    /// Turn, for a memory of kind `turn`.
    pub turn: Option<RestoredTurn>,
    /// Versions before the present one, oldest first.
    pub earlier: Vec<Memory>,
    /// Derivations of all versions.
    pub derivations: Vec<Derivation>,
}
