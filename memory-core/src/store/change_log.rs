//! Change log of a partition: its entries, and their operations.

use crate::domain::id::MemoryId;

/// Entry of a partition's change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Sequence number: one more than the entry before.
    pub seq: u64,
    /// Operation.
    pub op: ChangeOp,
    /// Memory that was changed.
    pub memory: MemoryId,
}

/// Operation of a change-log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOp {
    /// The memory was added, got a new version, or lost a link to an erased memory.
    Put,
    /// The memory was erased.
    Erase,
    /// The memory was used, pinned, forgotten, or restored: what its retention follows from has changed, and nothing that
    /// a version has.
    Touch,
}

impl ChangeOp {
    /// Number in the store.
    pub const fn code(self) -> i16 {
        match self {
            ChangeOp::Put => 0,
            ChangeOp::Erase => 1,
            ChangeOp::Touch => 2,
        }
    }

    /// Operation with this number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(ChangeOp::Put),
            1 => Some(ChangeOp::Erase),
            2 => Some(ChangeOp::Touch),
            _ => None,
        }
    }
}
