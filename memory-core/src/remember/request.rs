//! Requests of remember, in domain types. Lengths and counts are checked by the path.

use crate::domain::change::Idempotency;
use crate::domain::link::Link;
use crate::domain::memory::{DocumentName, Happened, Kind, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;

/// Turns to append to a session.
#[derive(Clone, Debug)]
pub struct RememberTurns {
    /// Whose.
    pub scope: Scope,
    /// The application's name of the session.
    pub session: Name,
    /// The turns, in order.
    pub turns: Vec<TurnToRemember>,
    /// Who may recall them.
    pub visibility: Visibility,
    /// What makes a repetition harmless.
    pub idempotency: Option<Idempotency>,
}

/// One turn to remember.
#[derive(Clone, Debug)]
pub struct TurnToRemember {
    /// Who speaks.
    pub role: Role,
    /// What was said.
    pub text: String,
    /// The application's id for it.
    pub key: Option<Name>,
    /// The speaker's name.
    pub author: Option<Name>,
    /// When it was said; now, if not known.
    pub said_at: Option<Timestamp>,
    /// Who else was there.
    pub participants: Vec<Name>,
    /// Where.
    pub place: Option<Name>,
    /// Labels of the memory of it.
    pub tags: Vec<Name>,
    /// What the application keeps beside it.
    pub metadata: Metadata,
    /// How much it matters, 0 to 1.
    pub importance: Option<f64>,
    /// When it stops being recalled.
    pub expires_at: Option<Timestamp>,
    /// Its vector by the store's embedder, if the caller has it; the text must then fit in one chunk.
    pub vector: Option<Vec<f32>>,
}

/// Finished memories to add.
#[derive(Clone, Debug)]
pub struct RememberMemories {
    /// Whose.
    pub scope: Scope,
    /// The memories, in order.
    pub memories: Vec<MemoryToRemember>,
    /// What makes a repetition harmless.
    pub idempotency: Option<Idempotency>,
}

/// One finished memory.
#[derive(Clone, Debug)]
pub struct MemoryToRemember {
    /// What is to be remembered.
    pub text: String,
    /// What it is; not [`Kind::Turn`].
    pub kind: Kind,
    /// Its name, for a document.
    pub document: Option<DocumentName>,
    /// Whom or what it is about.
    pub subjects: Vec<Name>,
    /// Labels.
    pub tags: Vec<Name>,
    /// What the application keeps beside it.
    pub metadata: Metadata,
    /// The turns and memories it was made of, by id; which each is, the store finds out.
    pub sources: Vec<uuid::Uuid>,
    /// What it points to: memories that are there already.
    pub links: Vec<Link>,
    /// When what it tells of happened; now, if not known.
    pub happened: Option<Happened>,
    /// How long it held.
    pub valid: Interval,
    /// When it stops being recalled.
    pub expires_at: Option<Timestamp>,
    /// How much it matters, 0 to 1.
    pub importance: Option<f64>,
    /// Who may recall it.
    pub visibility: Visibility,
    /// See [`TurnToRemember::vector`].
    pub vector: Option<Vec<f32>>,
}
