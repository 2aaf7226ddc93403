//! Results of working memory, in domain types.

use super::threads::ThreadKind;
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::turn::Session;
use crate::recall::response::Context;

/// Working memory of a session.
#[derive(Clone, Debug)]
pub struct WorkingMemory {
    /// Session.
    pub session: Session,
    /// Admitted turns, in the order of the session.
    pub turns: Vec<Memory>,
    /// Number of visible turns among those read that were not admitted.
    pub turns_left_out: u32,
    /// Admitted memories that were recalled for the session, best first.
    pub recalled: Vec<RecalledEarlier>,
    /// Number of visible recalled memories that were not admitted.
    pub recalled_left_out: u32,
    /// Open threads, newest first.
    pub threads: Vec<OpenThread>,
    /// Digest of the session, if it has one that is visible and admitted. It is not in the block if all that it covers is.
    pub digest: Option<Memory>,
    /// Context block for a prompt.
    pub context: Context,
}

/// Memory that was recalled for the session.
#[derive(Clone, Debug)]
pub struct RecalledEarlier {
    /// Memory.
    pub memory: Memory,
    /// Value by which it was admitted, 0 to 3 ([`super::admission::Item::value`]).
    pub value: f64,
    /// Time of the last recall that returned it.
    pub recalled_at: Timestamp,
    /// Number of recalls of the session that returned it, among those read.
    pub recalls: u32,
}

/// Open thread of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenThread {
    /// Memory of the turn that opened it.
    pub memory: MemoryId,
    /// Kind.
    pub kind: ThreadKind,
    /// Name of the speaker, else the role.
    pub said_by: String,
    /// Time of the turn.
    pub said_at: Timestamp,
    /// Sentence that opened it.
    pub text: String,
}

/// Outcome of closing a session.
#[derive(Clone, Debug)]
pub struct ClosedSession {
    /// Session as it is now.
    pub session: Session,
    /// True if a digest was asked for.
    pub asks_digest: bool,
}
