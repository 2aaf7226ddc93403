//! Writes about the retention of memories, which make no version: uses, pins, and records of forgetting.

use super::forgotten::Forgotten;
use super::id::{MemoryId, RecallId};
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

/// Evidence about a hit of a recall, given after it. The access log keeps the strongest evidence of each hit; only evidence that
/// [outweighs](super::uses::UseKind::outweighs) it is written, and is a use of the memory too if it counts. So the same
/// feedback a second time changes nothing, however much later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feedback {
    /// Recall, in the access log of the partition.
    pub recall: RecallId,
    /// Hit of the recall. One that is not there is skipped.
    pub memory: MemoryId,
    /// Use that the evidence is of, at the time of the feedback.
    pub one: Use,
    /// True if it is recorded as a use of the memory.
    pub counts: bool,
    /// Refractory interval of the use, as of a [`Touch`].
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
