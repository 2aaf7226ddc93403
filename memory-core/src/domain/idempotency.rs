//! Idempotency keys of requests, and the operations that accept one.

use super::id::CallerId;
use super::name::Name;

/// Idempotency key, with the request that it stands for. While the store keeps it, a key identifies one request of one
/// caller, for one owner and one operation. Tenant and owner are those of the change set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Caller that chose the key.
    pub caller: CallerId,
    /// Operation of the request.
    pub operation: Operation,
    /// Key chosen by the caller.
    pub key: Name,
    /// SHA-256 of the request. The same key with another hash is refused.
    pub request_hash: [u8; 32],
}

/// Operations that accept an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Append turns to a session.
    AddTurns,
    /// Add finished memories.
    AddMemories,
    /// Write a new version of a memory.
    EditMemory,
    /// Erase one memory.
    DeleteMemory,
    /// Erase the memories that match a filter.
    DeleteMatching,
    /// Erase an owner.
    DeleteOwner,
    /// Take back all that a job made.
    UndoJob,
    /// Take back a version of a memory.
    UndoChange,
    /// Give read access to memories.
    GiveGrant,
}

impl Operation {
    /// Name in the store and in request hashes; never empty.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::AddTurns => "add_turns",
            Operation::AddMemories => "add_memories",
            Operation::EditMemory => "edit_memory",
            Operation::DeleteMemory => "delete_memory",
            Operation::DeleteMatching => "delete_matching",
            Operation::DeleteOwner => "delete_owner",
            Operation::UndoJob => "undo_job",
            Operation::UndoChange => "undo_change",
            Operation::GiveGrant => "give_grant",
        }
    }
}
