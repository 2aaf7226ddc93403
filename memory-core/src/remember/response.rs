//! Responses of remember.

use crate::domain::id::{MemoryId, SessionId, TurnId};

/// What was remembered, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The session that took the turns.
    pub session: Option<SessionId>,
    /// The turns.
    pub turns: Vec<TurnId>,
    /// The memories.
    pub memories: Vec<MemoryId>,
    /// True if an earlier request with the same key had done it.
    pub repeated: bool,
}
