//! Change sets: the writes of one request. A [`ChangeSet`] is committed or refused as a whole, in one transaction.
//!
//! The store assigns session ids, session ordinals and sequence numbers, and returns them in a [`Committed`]. The
//! index is updated from the two together, without another read of the store.

pub use super::new_memory::{IndexRow, KeyKind, MAX_GROUPS_PER_MEMORY, NewMemory};
pub use super::touch::{Feedback, Forgetting, Pin, Touch};

use super::consolidation::SessionWrites;
use super::derivation::Derivation;
use super::embedder::EmbedderId;
use super::group::GroupKey;
use super::id::{DerivationId, JobId, MemoryId, PartitionId, SessionId, TenantId};
pub use super::idempotency::{Idempotency, Operation};
use super::item_outcome::ItemOutcome;
use super::job::{Job, JobAttempt};
use super::memory::Memory;
use super::name::Name;
use super::restoration::{Restoration, Restored};
use super::scope::Owner;
use super::time::Timestamp;
use super::turn::Turn;

/// Writes of one request to one partition.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Tenant of the partition.
    pub tenant: TenantId,
    /// Owner of the partition, which is created if it does not exist.
    pub owner: Owner,
    /// Recording time of all records in the set.
    pub now: Timestamp,
    /// Embedder of the vectors in the set; it must be the one in use when the set is committed.
    pub embedder: Option<EmbedderId>,
    /// Idempotency key and hash of the request; `None` for a request without a key.
    pub idempotency: Option<Idempotency>,
    /// Turns to append to a session, with their memories.
    pub turns: Option<NewTurns>,
    /// Memories to add other than those of turns. A document replaces the one of the same name, as a new version, and
    /// keeps its id.
    ///
    /// The links of all that the set writes may lead to memories that were there before, and to new memories of the
    /// set, in any order and in cycles. A link to the provisional id of a document that keeps an earlier id is written
    /// as a link to the kept id; of two links that become the same, the first stays.
    pub memories: Vec<NewMemory>,
    /// Memories of an archive, to be written as they were.
    pub restorations: Vec<Restoration>,
    /// True to write turns and memories again that were erased; otherwise those that have an identity are left out
    /// (`domain/identity.rs`).
    pub again: bool,
    /// Items without index rows, because they were there when the set was prepared: positions among the turns, followed by
    /// the memories, followed by the restorations. The set is refused with [`Refusal::Outdated`] if one of them has to be written.
    pub unprepared: std::collections::BTreeSet<usize>,
    /// New versions of existing memories, or second versions of memories that the set adds without a key.
    pub revisions: Vec<Revision>,
    /// Uses of memories, without a new version, recorded in the order of their times. A memory that is not there is
    /// skipped: a recall may name one that was erased meanwhile. So it is in the three lists that follow.
    pub touches: Vec<Touch>,
    /// Evidence about hits of recalls, written to the access log; that which counts is recorded as uses with the touches.
    pub feedback: Vec<Feedback>,
    /// Memories to pin or to release, after the touches; of several pins of one memory, the last counts.
    pub pins: Vec<Pin>,
    /// Memories to forget, after the pins. One that is pinned is skipped, and so is one that is forgotten with the same
    /// effect; one that is forgotten with another effect gets the new record.
    pub forgettings: Vec<Forgetting>,
    /// Forgotten memories to restore, after the forgettings: their records are removed.
    pub rememberings: Vec<MemoryId>,
    /// Memories to erase, with everything derived from them. Links to them from the remaining memories are removed.
    pub erasures: Vec<MemoryId>,
    /// Bounds of the erasures; `None` for erasures that were not announced to anybody.
    pub erasure_bounds: Option<ErasureBounds>,
    /// Erasure of the owner itself, with everything of it. The set has no other writes then.
    pub erases_owner: Option<OwnerErasure>,
    /// Earlier versions to remove from the history, after the revisions and before the erasures of the set.
    pub retractions: Vec<Retraction>,
    /// Last number of the partition's change log at which the set was prepared; the set is refused if another change than
    /// touches was committed since, which change nothing that a version has. `None` for a set that does not depend on the whole partition.
    pub prepared_at: Option<u64>,
    /// Jobs to enqueue, of the set's tenant, in the same transaction. A job is skipped if another with the same unique
    /// key waits or runs; the job that the set finishes has released its key by then.
    pub jobs: Vec<Job>,
    /// Mechanisms that are to think about the new turns of the set: each turn is put into the queue of each.
    pub queue_for: Vec<&'static str>,
    /// Mechanisms that are to look at every turn that the set restores, whether it waited in the archive or not.
    pub queue_restored_for: Vec<&'static str>,
    /// Moment of the last check by draws in the store that the restorations are from. It becomes that of the partition, unless the
    /// partition has a later one.
    pub restored_check: Option<Timestamp>,
    /// Turns that a mechanism has thought about: they leave its queue. The set is refused with
    /// [`Refusal::NotQueued`] if one of them is not in it, so that no turn is thought about twice.
    pub thought_about: Option<ThoughtAbout>,
    /// Turns about which mechanisms are to think once more: they enter the queues as the last ones, after the erasures of the
    /// set. Those that wait already, and memories that are no turns or not there, are skipped.
    pub queued_again: Vec<ThoughtAbout>,
    /// Writes about the consolidation of sessions.
    pub sessions: SessionWrites,
    /// The attempt at a job of which this set is the whole work: the job is done if the set is committed, and not
    /// otherwise. A set of a worker that has lost its lease is refused; a repetition of an earlier set ends no job.
    pub finishes: Option<JobAttempt>,
}

impl ChangeSet {
    /// A set without writes.
    pub fn new(tenant: TenantId, owner: Owner, now: Timestamp) -> Self {
        Self {
            tenant,
            owner,
            now,
            embedder: None,
            idempotency: None,
            turns: None,
            memories: Vec::new(),
            restorations: Vec::new(),
            again: false,
            unprepared: std::collections::BTreeSet::new(),
            revisions: Vec::new(),
            touches: Vec::new(),
            feedback: Vec::new(),
            pins: Vec::new(),
            forgettings: Vec::new(),
            rememberings: Vec::new(),
            erasures: Vec::new(),
            erasure_bounds: None,
            erases_owner: None,
            retractions: Vec::new(),
            prepared_at: None,
            jobs: Vec::new(),
            queue_for: Vec::new(),
            queue_restored_for: Vec::new(),
            restored_check: None,
            thought_about: None,
            queued_again: Vec::new(),
            sessions: SessionWrites::default(),
            finishes: None,
        }
    }
}

/// Bounds of the erasures of a set. Both are of the closure: the memories named, and all that are derived from them. The
/// store looks at it in the transaction that erases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureBounds {
    /// Closure that was shown to whoever confirmed it, in the order of ids. Another one is refused with
    /// [`Refusal::OtherErasures`]; `None` accepts any.
    pub exactly: Option<Vec<MemoryId>>,
    /// Maximum number of memories of the closure. More are refused with [`Refusal::TooManyErasures`].
    pub at_most: usize,
}

/// Erasure of an owner: its partition is its own no longer once the set is committed, and a job deletes what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerErasure {
    /// Number of memories that was shown to whoever confirmed it. Another one is refused with [`Refusal::OtherErasures`].
    pub memories: u64,
    /// Newest of these memories: another one is refused in the same way.
    pub newest: Option<MemoryId>,
    /// Id of the job.
    pub job: JobId,
    /// Settings that named the owner, with their values without it.
    pub settings: Vec<(String, String)>,
}

/// Turns that leave or enter the queue of a mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThoughtAbout {
    /// Mechanism.
    pub mechanism: &'static str,
    /// Memories of the turns.
    pub turns: Vec<MemoryId>,
}

/// Turns of one session. Each is stored as one memory of kind `turn` with the same text.
#[derive(Clone, Debug)]
pub struct NewTurns {
    /// Key of the session, chosen by the application.
    pub session_key: Name,
    /// Id of the session if it is created by this set.
    pub session_id_if_new: SessionId,
    /// Turns, in order. `seq` is provisional: the store numbers those that it writes.
    pub turns: Vec<(Turn, NewMemory)>,
}

/// New version of an existing memory.
#[derive(Clone, Debug)]
pub struct Revision {
    /// New content of the memory; its `version` is the present one plus 1. The strength, the
    /// uses, the pin and the record of forgetting are not content: they stay as they are at commit time, and only a
    /// [`Touch`], a [`Pin`] or a [`Forgetting`] changes them. Its `derivation` is the id of the record
    /// below, or that of an earlier version whose content this version keeps or restores, or `None`.
    pub memory: Memory,
    /// Derivation record of this version, if a mechanism made it. Its inputs existed before the set. The earlier
    /// versions keep theirs, and the erasure of an input of any version erases the memory.
    pub derivation: Option<Derivation>,
    /// New index rows; `None` keeps the present ones.
    pub rows: Option<Vec<IndexRow>>,
    /// New groups; `None` keeps the present ones.
    pub groups: Option<Vec<GroupKey>>,
    /// True to keep the links of the present version as they are at commit time, because an erasure may have removed
    /// some since they were read. The memory's own list is then ignored.
    pub keeps_links: bool,
}

/// Removal of the earlier versions of a memory that have this derivation, together with its record. The present version
/// must have another one. It makes the erasure of an input of the derivation spare the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retraction {
    /// Memory, which stays.
    pub memory: MemoryId,
    /// Derivation of the versions to remove.
    pub derivation: DerivationId,
}

/// Outcome of a [`ChangeSet`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The set was committed durably.
    Committed(Committed),
    /// The same request was committed before; the ids are those of its objects.
    Repeated(CreatedIds),
}

/// Ids of the objects that a set wrote. Kept for repeated requests, and therefore free of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedIds {
    /// Session of the turns.
    pub session: Option<SessionId>,
    /// Memories written or found, in the order of the set: of turns, added, revised.
    pub memories: Vec<MemoryId>,
    /// The turns written or found, in order.
    pub turns: Vec<super::id::TurnId>,
    /// Memories erased, including derived ones.
    pub erased: Vec<MemoryId>,
    /// Number of the memories that the set named for erasure: `erased` without the derived ones.
    pub matched: u64,
    /// Job that deletes what is in the partition of an erased owner.
    pub job: Option<JobId>,
    /// Outcome of each of the set's turns, followed by its added memories. Empty if all of them were written. An item that
    /// was left out because it was erased has no id in the lists above.
    pub outcomes: Vec<ItemOutcome>,
}

impl CreatedIds {
    /// True if the item at this position among the set's turns and added memories was written.
    pub fn is_written(&self, index: usize) -> bool {
        self.outcomes.get(index).is_none_or(|outcome| *outcome == ItemOutcome::Created)
    }
}

/// Committed set, with the values assigned by the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// The partition.
    pub partition: PartitionId,
    /// Ids of the objects written.
    pub created: CreatedIds,
    /// Last sequence number of the change log before this set. The set has the numbers `seq_before + 1 ..= seq_after`.
    pub seq_before: u64,
    /// Last sequence number of the change log after this set.
    pub seq_after: u64,
    /// Position of the written turns, if there are any.
    pub appended: Option<Appended>,
    /// Memories whose uses, pin or record of forgetting changed, in the order of ids; without those that were skipped or
    /// that the set erased.
    pub touched: Vec<MemoryId>,
    /// Memories whose validity has no end any more, because the set erased what had superseded them
    /// ([`super::link::Link::SUPERSEDED_BY`]), in the order of ids.
    pub reopened: Vec<MemoryId>,
    /// True if the partition is its owner's no longer: the set erased the owner, or left no memory. A later set of the
    /// owner has a new partition.
    pub is_detached: bool,
    /// For each of `ChangeSet::memories`: the memory as written, if it replaced a document of the same name.
    pub replaced: Vec<Option<Memory>>,
    /// Result of each of `ChangeSet::restorations`.
    pub restored: Vec<Restored>,
}

/// Position of appended turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Session, new or existing.
    pub session: SessionId,
    /// Ordinal of the session in the partition.
    pub session_ordinal: u32,
    /// Ordinal of the first written turn in the session; the others follow without gaps.
    pub first_seq: u32,
}

/// Reasons to refuse a set. The store itself works.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key was used for a different request.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// The revision is based on a version other than the present one.
    #[error("memory {id} is at version {present}, not {expected}")]
    VersionConflict {
        /// Memory.
        id: MemoryId,
        /// Version on which the revision is based.
        expected: u32,
        /// The version in the store.
        present: u32,
    },
    /// A memory or source did not exist in this partition before the set, or a link target neither before nor in it.
    #[error("no memory or turn {0} in this scope")]
    NotFound(uuid::Uuid),
    /// The partition was changed since the set was prepared.
    #[error("the scope was changed meanwhile")]
    Outdated,
    /// The erasures would take other memories than those that were confirmed.
    #[error("other memories would be erased than those that were confirmed")]
    OtherErasures,
    /// The erasures would take more memories than they may.
    #[error("more than {limit} memories would be erased, derived ones included")]
    TooManyErasures {
        /// Maximum number of memories.
        limit: u64,
    },
    /// A memory links to itself.
    #[error("memory {0} cannot link to itself")]
    LinkToItself(MemoryId),
    /// The vectors are of an embedder that is no longer in use; they must be computed again.
    #[error("the store changed its embedder meanwhile")]
    EmbedderChanged,
    /// The job that the set would end is not running, or another attempt at it is being made.
    #[error("job {0} is no longer this worker's")]
    LeaseLost(JobId),
    /// A turn is not in the queue of the mechanism: another worker has thought about it, or it was erased.
    #[error("turn {0} does not wait to be thought about")]
    NotQueued(MemoryId),
    /// The database refuses a value or an id of the set.
    #[error("the database does not take a value of the request")]
    Unstorable,
    /// A stored value that the set depends on cannot be decoded.
    #[error("the store is damaged: {table}.{column} of {row}")]
    Unreadable {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row, in words.
        row: String,
    },
    /// A partition, session or document has reached its bound.
    #[error("{what} is full: at most {limit}")]
    Full {
        /// Kind of the object.
        what: &'static str,
        /// Bound.
        limit: u64,
    },
}
