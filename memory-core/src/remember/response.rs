//! Responses of remember.

use crate::domain::id::{MemoryId, SessionId, TurnId};

/// Ids of the new turns and memories, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Session of the turns.
    pub session: Option<SessionId>,
    /// The turns.
    pub turns: Vec<TurnId>,
    /// The memories.
    pub memories: Vec<MemoryId>,
    /// True if an earlier request with the same idempotency key wrote them.
    pub repeated: bool,
}
