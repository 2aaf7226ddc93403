//! Writes about the retention of memories, which make no version: uses, pins, and records of forgetting.

use super::forgotten::Forgotten;
use super::id::MemoryId;
use super::uses::Use;

/// Use of a memory, as by a recall. It changes nothing that a version has. The same touch a second time changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// Memory, existing or new in the set.
    pub memory: MemoryId,
    /// Use.
    pub one: Use,
    /// Interval after the newest use within which this is no use of its own, in microseconds
    /// ([`Uses::record`](super::uses::Uses::record)).
    pub refractory_us: u64,
}

/// Pin of a memory: a pinned one is never forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Memory.
    pub memory: MemoryId,
    /// True to pin it, false to release it.
    pub pinned: bool,
}

/// Memory that is forgotten from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgetting {
    /// Memory.
    pub memory: MemoryId,
    /// Record.
    pub record: Forgotten,
}
