//! Responses of remember.

use crate::domain::id::{MemoryId, SessionId, TurnId};
use crate::domain::item_outcome::ItemOutcome;

/// Ids of the turns and memories of a request, in its order. One that was left out because it was erased has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Session of the turns.
    pub session: Option<SessionId>,
    /// The turns.
    pub turns: Vec<TurnId>,
    /// The memories.
    pub memories: Vec<MemoryId>,
    /// Outcome of each item of the request. Empty if all of them were written.
    pub outcomes: Vec<ItemOutcome>,
    /// True if an earlier request with the same idempotency key wrote them.
    pub repeated: bool,
    /// Number of the memories that are found by their words alone, because vectors of theirs are yet to be made.
    pub without_vectors: usize,
}

impl Remembered {
    /// Number of items that this request wrote.
    pub fn written(&self) -> usize {
        if self.repeated {
            return 0;
        }
        if self.outcomes.is_empty() {
            return self.memories.len();
        }
        self.outcomes.iter().filter(|outcome| **outcome == ItemOutcome::Created).count()
    }
}
