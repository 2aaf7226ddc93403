//! Identity of items that a caller sends: by it, an item that is sent again is recognised.
//!
//! A turn with a key of its own is one of its session. A turn without a key, but with a position in its conversation, is
//! one of that session, position and content. A finished memory with a key of its own is one of its owner. Every other
//! item is new each time it is sent, so that two equal answers in one conversation stay two.

use super::change::{ChangeSet, NewTurns};
use super::turn::Turn;

impl Turn {
    /// True if the turn is recognised when it is sent again.
    pub fn has_identity(&self) -> bool {
        self.key.is_some() || self.position.is_some()
    }

    /// True if this turn, as sent, says what the stored one says: speaker, text, and time. A turn that was sent without a
    /// time has that of its recording, which is not compared.
    pub fn says_the_same_as(&self, stored: &Turn) -> bool {
        self.role == stored.role
            && self.author == stored.author
            && self.text == stored.text
            && (!self.has_own_time() || self.said_at == stored.said_at)
    }

    /// True if the turn was sent with the time at which it was said.
    pub fn has_own_time(&self) -> bool {
        self.said_at != self.recorded_at
    }
}

impl ChangeSet {
    /// True if one of the new turns and memories is recognised when it is sent again.
    pub fn has_identities(&self) -> bool {
        self.turns.as_ref().is_some_and(NewTurns::has_identities)
            || self.memories.iter().any(|new| new.key.is_some())
    }
}

impl NewTurns {
    /// True if one of the turns is recognised when it is sent again.
    pub fn has_identities(&self) -> bool {
        self.turns.iter().any(|(turn, _)| turn.has_identity())
    }
}
