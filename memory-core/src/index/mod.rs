//! PORT: the index, where a scope's memories are found again. It is derived from the store and can be rebuilt at any
//! time; it never holds what the store does not.
//!
//! An index row is not a memory: a memory may have several rows (chunks, and later keys of other kinds). Every count
//! and every rank here is of memories.

pub mod embedded;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::time::Timestamp;
use crate::store::{Indexed, StoreError};

/// Why an index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The store, from which it is built, did not answer.
    #[error("the index could not be read from the store")]
    Store(#[from] StoreError),
    /// The vectors are not of the dimension that the partition's are.
    #[error("a vector has {found} components, the scope's have {expected}")]
    Dimension {
        /// What the partition's vectors have.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A vector without a direction, or weights that cannot be.
    #[error("the query cannot be scored: {0}")]
    Unscorable(String),
    /// More rows than it can number.
    #[error("the scope has more rows than the index can hold")]
    Full,
    /// It gave up: a bug, contained.
    #[error("the search was abandoned")]
    Abandoned,
}

/// Which memories a question may see.
#[derive(Clone, Debug)]
pub struct View {
    /// The condition.
    pub filter: Filter,
    /// Memories that have expired at this moment are out of sight.
    pub now: Timestamp,
    /// True if the question does not name the owner: only shared memories are in sight then.
    pub shared_only: bool,
}

/// What is asked of one partition.
#[derive(Clone, Debug)]
pub struct IndexQuery {
    /// The question's vector; none if only words count.
    pub vector: Option<Arc<[f32]>>,
    /// The question's text: its words.
    pub text: Arc<str>,
    /// Which memories it may see.
    pub view: View,
    /// Weights of the fused score inside the scan.
    pub weights: ScanWeights,
    /// How many memories each signal may put forward, 1 to 1,024.
    pub candidates: usize,
}

/// Weights of the score inside the scan: `similarity * cosine + retention * R + importance * I`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanWeights {
    /// Weight of the cosine, from 0 to 65,536 like the other two.
    pub similarity: f32,
    /// Weight of retention at the query's time.
    pub retention: f32,
    /// Weight of importance.
    pub importance: f32,
}

impl ScanWeights {
    /// The cosine alone.
    pub const SIMILARITY: Self = Self { similarity: 1.0, retention: 0.0, importance: 0.0 };
}

/// A memory that some signal put forward, or a turn beside one, with what every signal says of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The memory.
    pub memory: MemoryId,
    /// Whether a signal put it forward; otherwise it stands beside one that was.
    pub retrieved: bool,
    /// The dense signal's say, where the memory has a vector and the question too.
    pub dense: Option<DenseScore>,
    /// BM25 of its best row; 0 without a word in common.
    pub lexical: f32,
    /// BM25 of the window that it stands in: itself and the turns right before and after it, as far as they are in
    /// view, read as one text.
    pub window: f32,
    /// The bytes of the memory's text that matched best.
    pub best_span: (u32, u32),
    /// Where it stands in a conversation, if it is a turn.
    pub position: Option<TurnPosition>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// Whether it ends with a question.
    pub ends_with_question: bool,
    /// Whether the question names who said it.
    pub speaker_named: bool,
}

/// What the scan says of a memory: of its best row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseScore {
    /// The fused score.
    pub score: f32,
    /// The cosine.
    pub similarity: f32,
    /// Retention at the question's moment.
    pub retention: f32,
}

/// What a partition answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Every memory that a signal put forward, and the turns beside those, in no particular order.
    pub candidates: Vec<Candidate>,
    /// Memories in the partition.
    pub memories: u64,
    /// How far the signals' orders can be trusted.
    pub exactness: Exactness,
}

/// How far an order can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// Every memory was scored.
    Exact,
    /// Some were ruled out by a proven bound.
    Certified,
    /// An index guessed.
    Approximate,
}

/// What the index knows of one memory, seen through a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inspection {
    /// Whether it had expired.
    pub expired: bool,
    /// Whether the question may see it, apart from filter and expiry.
    pub visible: bool,
    /// Whether the filter lets it pass.
    pub passes_filter: bool,
    /// What the signals say of it.
    pub candidate: Candidate,
}

/// What a commit changed in a partition.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The change log's number before, and after.
    pub seq_before: u64,
    /// See `seq_before`.
    pub seq_after: u64,
    /// Memories that are new or have a new version.
    pub put: Vec<Indexed>,
    /// Memories that are gone.
    pub erased: Vec<MemoryId>,
}

/// A turn's place: neighbours in a conversation are found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnPosition {
    /// The session's ordinal in the partition.
    pub session: u32,
    /// The turn's place in the session.
    pub seq: u32,
}

/// Finding memories.
///
/// Contract: an answer reflects every update that was applied before the call; ranks do not depend on how often or
/// in what order the partition was loaded; what a [`View`] hides is never in an answer, and neither moves scores nor
/// takes the place of what is seen (word statistics are the partition's own, over all of it).
#[async_trait]
pub trait Index: Send + Sync + Debug {
    /// Searches a partition.
    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError>;

    /// One memory, seen through a question; none if it is not in the partition.
    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError>;

    /// The memories of the turns at these places that are in view; places where there are none are left out.
    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError>;

    /// Brings a partition up to date with a commit. Updates of one partition come in the order of their numbers; one
    /// that the index has already is ignored, and a gap before one makes the index read the partition anew.
    ///
    /// An error means that the index may lack the update. The commit stands, since the store is the truth: the caller
    /// logs the error and calls [`Index::clear_partition`]. Until that call a query sees the partition with the whole
    /// update or without it, never with a part of it.
    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError>;

    /// Drops what is held of a partition. The next query reads it from the store anew. It cannot fail: an index that is
    /// not in this process marks the partition as stale.
    async fn clear_partition(&self, partition: PartitionId);

    /// Drops what is held of all partitions, as [`Index::clear_partition`] does of one.
    async fn clear_cache(&self);

    /// How many of the store's memories differ in the index, in a partition that is in memory; 0 if it is not.
    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError>;
}
