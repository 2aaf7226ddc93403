//! What one request writes, whole: a [`ChangeSet`] is committed in one transaction or not at all.
//!
//! The store fills in what only it can know (the session's id and order, the sequence numbers) and answers with a
//! [`Committed`]; the index is brought up to date from the two together, without reading the store again.

use std::sync::Arc;

use half::f16;

use super::derivation::Derivation;
use super::embedder::EmbedderId;
use super::id::{CallerId, JobId, MemoryId, PartitionId, SessionId, TenantId};
use super::job::{Job, JobAttempt};
use super::memory::Memory;
use super::name::Name;
use super::scope::Owner;
use super::time::Timestamp;
use super::turn::Turn;

/// Everything that one request writes to one partition.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Behind which wall.
    pub tenant: TenantId,
    /// Whose partition; made if it is new.
    pub owner: Owner,
    /// The moment that all records of this set bear.
    pub now: Timestamp,
    /// Which embedder made the vectors in this set; it must be the one in use when the set is committed.
    pub embedder: Option<EmbedderId>,
    /// What makes a repetition of the request harmless.
    pub idempotency: Option<Idempotency>,
    /// Turns to append to a session, with the memories of them.
    pub turns: Option<NewTurns>,
    /// Memories to add that are not turns. A named document replaces the one of the same name as a new version.
    pub memories: Vec<NewMemory>,
    /// New versions of memories that are there.
    pub revisions: Vec<Revision>,
    /// Memories to erase with everything derived from them. Links to them vanish from the memories that stay.
    pub erasures: Vec<MemoryId>,
    /// Work that is to follow, of the set's own tenant. It is there if the set is, and not otherwise; if one with the
    /// same unique key waits or runs, none is added.
    pub jobs: Vec<Job>,
    /// The attempt at a job of which this set is the whole work: the job is done if the set is committed, and not
    /// otherwise. A set of a worker that has lost its lease is refused; a repetition of an earlier set ends no job.
    pub finishes: Option<JobAttempt>,
}

impl ChangeSet {
    /// A set that writes nothing yet.
    pub fn new(tenant: TenantId, owner: Owner, now: Timestamp) -> Self {
        Self {
            tenant,
            owner,
            now,
            embedder: None,
            idempotency: None,
            turns: None,
            memories: Vec::new(),
            revisions: Vec::new(),
            erasures: Vec::new(),
            jobs: Vec::new(),
            finishes: None,
        }
    }
}

/// The key of a request, and what it asked. While it is remembered, the key stands for one request of one caller, for
/// one owner and one operation; the tenant and the owner are those of the [`ChangeSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is.
    pub caller: CallerId,
    /// What was to be done.
    pub operation: Operation,
    /// The key that the caller chose.
    pub key: Name,
    /// SHA-256 of the request: the same key with another request is refused.
    pub request_hash: [u8; 32],
}

/// The operations that can have an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Appends turns to a session.
    AddTurns,
    /// Adds finished memories.
    AddMemories,
    /// Makes a new version of a memory.
    EditMemory,
    /// Erases one memory.
    DeleteMemory,
    /// Erases what a filter matches.
    DeleteMatching,
}

impl Operation {
    /// The name in the store, never empty, and in the hash of a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::AddTurns => "add_turns",
            Operation::AddMemories => "add_memories",
            Operation::EditMemory => "edit_memory",
            Operation::DeleteMemory => "delete_memory",
            Operation::DeleteMatching => "delete_matching",
        }
    }
}

/// Turns for one session. Each is remembered word for word as one memory of kind `turn`.
#[derive(Clone, Debug)]
pub struct NewTurns {
    /// The application's name of the session.
    pub session_key: Name,
    /// The id the session gets if it is new.
    pub session_id_if_new: SessionId,
    /// The turns, in order. `seq` counts from 0 here; the store adds what the session has already.
    pub turns: Vec<(Turn, NewMemory)>,
}

/// A memory with its rows in the index.
#[derive(Clone, Debug)]
pub struct NewMemory {
    /// The memory. For a turn, `origin` bears the provisional session id and the `seq` of [`NewTurns`].
    pub memory: Memory,
    /// How it was made, if it was derived.
    pub derivation: Option<Derivation>,
    /// What it is found by.
    pub rows: Vec<IndexRow>,
}

/// A new version of a memory.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The memory as it is to be; its `version` is the one before plus one.
    pub memory: Memory,
    /// What it is found by, if that changed; `None` keeps the rows.
    pub rows: Option<Vec<IndexRow>>,
    /// Whether the links stay those of the version before, as it has them when the set is committed: an erasure may
    /// have taken some since they were read. The memory's own list is then not looked at.
    pub keeps_links: bool,
}

/// What a key of a memory is made of. More kinds will come (facts, keyphrases, summaries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The memory's own text.
    Text,
}

impl KeyKind {
    /// The number in the store.
    pub const fn code(self) -> i16 {
        match self {
            KeyKind::Text => 0,
        }
    }

    /// The kind of that number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(KeyKind::Text),
            _ => None,
        }
    }

    /// The name in explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyKind::Text => "text",
        }
    }
}

/// One row of the index: a chunk of one key of one memory. A memory may have many; top-k counts memories.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRow {
    /// What the key is made of.
    pub key: KeyKind,
    /// Which chunk of the key, from 0.
    pub chunk: u32,
    /// The bytes of the key's text that the chunk covers.
    pub span: (u32, u32),
    /// The encoded term vector of the chunk (`text::TermVector`).
    pub terms: Arc<[u8]>,
    /// The unit vector of the chunk by the store's embedder; none where it has no meaning (no letter in it).
    pub vector: Option<Arc<[f16]>>,
}

/// What became of a [`ChangeSet`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is in the store, durably.
    Committed(Committed),
    /// The same request had been committed before; this is what it made.
    Repeated(CreatedIds),
}

/// What a committed set made, by id only: it is kept for repeated requests, and must hold no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedIds {
    /// The session that took the turns.
    pub session: Option<SessionId>,
    /// The memories written, in the order of the set: of turns, then others, then revised ones.
    pub memories: Vec<MemoryId>,
    /// The turns, in order.
    pub turns: Vec<super::id::TurnId>,
    /// The memories erased, those that came along included.
    pub erased: Vec<MemoryId>,
}

/// The store's part of what was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// The partition.
    pub partition: PartitionId,
    /// The ids.
    pub created: CreatedIds,
    /// The change log's last number before this set and after it: the set wrote `before + 1 ..= after`.
    pub seq_before: u64,
    /// See `seq_before`.
    pub seq_after: u64,
    /// Where the turns went, if there were any.
    pub appended: Option<Appended>,
    /// For each of `ChangeSet::memories`: the memory as it was written, if it replaced a document of its name.
    pub replaced: Vec<Option<Memory>>,
}

/// Where turns went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The session, old or new.
    pub session: SessionId,
    /// Its place among the partition's sessions.
    pub session_ordinal: u32,
    /// The first turn's place in it.
    pub first_seq: u32,
}

/// Why a set was not committed though the store works.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key was used for another request.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// A revision of a version that is no longer the present one.
    #[error("memory {id} is at version {present}, not {expected}")]
    VersionConflict {
        /// Which memory.
        id: MemoryId,
        /// The version that the revision builds on.
        expected: u32,
        /// The version in the store.
        present: u32,
    },
    /// A memory, a source or the target of a link that is not in this partition before the set.
    #[error("no memory or turn {0} in this scope")]
    NotFound(uuid::Uuid),
    /// A memory that would link to itself.
    #[error("memory {0} cannot link to itself")]
    LinkToItself(MemoryId),
    /// The vectors are of an embedder that is no longer in use: make them again.
    #[error("the store changed its embedder meanwhile")]
    EmbedderChanged,
    /// The job that the set would end is not running, or another attempt at it is being made.
    #[error("job {0} is no longer this worker's")]
    LeaseLost(JobId),
    /// A partition, a session or a document over its bound.
    #[error("{what} is full: at most {limit}")]
    Full {
        /// What is full.
        what: &'static str,
        /// Its bound.
        limit: u64,
    },
}
