//! PORT: the index, hybrid search over the memories of one partition. It is derived from the store, can be rebuilt at any
//! time, and never holds what the store does not.
//!
//! An index row is not a memory: a memory may have several rows (chunks, and later keys of other kinds). Every count
//! and every rank here is of memories. `docs/adding/index.md` says how another implementation is added.

pub mod embedded;
mod forgetting;
mod view;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::time::Timestamp;
use crate::domain::zone::UtcOffset;
use crate::store::{Indexed, Retained, StoreError};

pub use forgetting::Forgetting;
pub use view::{Hidden, Opened, ValidTime, View};

/// An index did not answer. All callers that wait for one load get its error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IndexError {
    /// The store, from which the index is built, did not answer.
    #[error("the index could not be read from the store")]
    Store(#[source] Arc<StoreError>),
    /// A vector has another dimension than the partition's vectors.
    #[error("a vector has {found} components, the scope's have {expected}")]
    Dimension {
        /// Components of the partition's vectors.
        expected: usize,
        /// Components of the vector that was given.
        found: usize,
    },
    /// The vector has no direction, or a weight is out of range.
    #[error("the query cannot be scored: {0}")]
    Unscorable(String),
    /// The partition has more rows than the index can number.
    #[error("the scope has more rows than the index can hold")]
    Full,
    /// The files of the index cannot be changed: what is to be erased may be in them.
    #[error("the files of the index cannot be changed")]
    Files(#[source] Arc<std::io::Error>),
    /// The search ended without an answer: a bug, contained.
    #[error("the search was abandoned")]
    Abandoned,
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// A query to one partition.
#[derive(Clone, Debug)]
pub struct IndexQuery {
    /// The query vector; none for BM25 alone.
    pub vector: Option<Arc<[f32]>>,
    /// The query text, which BM25 searches for.
    pub text: Arc<str>,
    /// The memories that are visible to it.
    pub view: View,
    /// Weights of the score inside the scan.
    pub weights: ScanWeights,
    /// The k of each retriever's top-k, 1 to 1,024.
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

/// A memory that dense or BM25 retrieved, or an adjacent turn of one, with every score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The memory.
    pub memory: MemoryId,
    /// True if dense or BM25 retrieved it; false for an adjacent turn of a retrieved one.
    pub retrieved: bool,
    /// The dense score, if both the memory and the query have a vector.
    pub dense: Option<DenseScore>,
    /// BM25 of its best row; 0 without a common term.
    pub lexical: f32,
    /// BM25 of its sentence window: the memory and the visible turns right before and after it, as one text.
    pub window: f32,
    /// The byte range of its best row in the memory's text.
    pub best_span: (u32, u32),
    /// Its position in a conversation, for a turn.
    pub position: Option<TurnPosition>,
    /// Time of the event that it tells of.
    pub happened_at: Timestamp,
    /// Offset of the local time there, if it is known.
    pub utc_offset: Option<UtcOffset>,
    /// True if its text ends with a question.
    pub ends_with_question: bool,
    /// True if the query names the turn's author.
    pub speaker_named: bool,
}

/// The scan's scores of a memory: those of its best row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseScore {
    /// The weighted sum, by [`ScanWeights`].
    pub score: f32,
    /// The cosine.
    pub similarity: f32,
    /// Retention at the query's time, 0 to 1. Where it has no weight it is that of the row, whatever the policy of the view.
    pub retention: f32,
}

/// The answer of one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Every retrieved memory and the adjacent turns of those, in no particular order.
    pub candidates: Vec<Candidate>,
    /// The candidates that are revised under the view ([`View::known_at`]): each stands for an earlier version, which the
    /// caller judges.
    pub revised: Vec<MemoryId>,
    /// Number of memories in the partition, hidden ones included.
    pub memories: u64,
    /// Exactness of the retrieval.
    pub exactness: Exactness,
}

/// Exactness of a retrieval, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// Every memory was scored.
    Exact,
    /// Some memories were ruled out by a proven bound; the result is exact.
    Certified,
    /// An approximate index may have missed some.
    Approximate,
}

/// Vectors of one [`Index::nearest`] at most. It bounds how long one scan keeps the partition from taking a commit.
pub const MAX_NEAREST_VECTORS: usize = 64;
/// The largest k of [`Index::nearest`].
pub const MAX_NEAREST: usize = 1_024;

/// A memory near a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// The memory.
    pub memory: MemoryId,
    /// The cosine of its nearest row, -1 to 1 up to rounding.
    pub similarity: f32,
}

/// Maximum number of seeds of [`Index::associations`].
pub const MAX_ASSOCIATION_SEEDS: usize = 32;
/// Maximum number of memories among which [`Index::associations`] finds edges.
pub const MAX_ASSOCIATED: usize = 1_024;

/// Edge from a memory to another one by what they have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    /// The seed.
    pub from: MemoryId,
    /// The other memory.
    pub to: MemoryId,
    /// The greatest cosine of a row of the one and a row of the other, of the first four rows of each; `None` if one has
    /// no vector.
    pub similarity: Option<f32>,
    /// Share of rare terms, 0 to 1: the sum of `idf / df` over the rare terms of the seed that a row of the other one has,
    /// by the sum of `idf` over all rare terms of the seed. A term is rare if two rows have it, or more, but at
    /// most 5 % of all rows. It is the share of a random walk from the seed over its terms, of one step in proportion to idf and
    /// one to any row with the term.
    pub shared_terms: f32,
}

/// One memory under a query: its visibility and its scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inspection {
    /// True if it has expired by the query's time.
    pub expired: bool,
    /// True if the view hides it because it is forgotten.
    pub forgotten: bool,
    /// True if its owner shares it or the query names the owner.
    pub visible: bool,
    /// True if it passes the filter.
    pub passes_filter: bool,
    /// True if it is valid at the view's valid time.
    pub valid: bool,
    /// True if it may be told to the view's partner, or the view has none.
    pub told: bool,
    /// True if it was created by the view's record time, or the view has none.
    pub recorded: bool,
    /// True if its present version is later than the view's record time. The other fields are of the present version.
    pub revised: bool,
    /// Its scores, computed whether or not it is visible.
    pub candidate: Candidate,
}

impl Inspection {
    /// The first rule of the view that hides the memory; `None` if it is visible.
    pub fn hidden(&self) -> Option<Hidden> {
        let rules = [
            (Hidden::NotShared, !self.visible),
            (Hidden::NotForPartner, !self.told),
            (Hidden::NotRecorded, !self.recorded),
            (Hidden::Expired, self.expired),
            (Hidden::Forgotten, self.forgotten),
            (Hidden::NotValid, !self.valid),
            (Hidden::Filtered, !self.passes_filter),
        ];
        rules.into_iter().find_map(|(rule, applies)| applies.then_some(rule))
    }
}

/// The change of a partition by a commit.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The number of the partition's change log before the commit.
    pub seq_before: u64,
    /// The number after the commit.
    pub seq_after: u64,
    /// New memories and new versions.
    pub put: Vec<Indexed>,
    /// Memories whose retention alone has changed, after `put`. Those that are not in the partition are ignored.
    pub touched: Vec<Retained>,
    /// Erased memories.
    pub erased: Vec<MemoryId>,
}

/// The position of a turn, by which adjacent turns are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnPosition {
    /// The session's ordinal in the partition.
    pub session: u32,
    /// The turn's number in the session.
    pub seq: u32,
}

/// An erasure under way: see [`Index::begin_erasure`].
#[derive(Default)]
pub struct ErasureGuard(Option<Box<dyn Send + Sync>>);

impl ErasureGuard {
    /// A guard that drops `held` when it is dropped.
    pub fn of(held: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(held)))
    }
}

impl Debug for ErasureGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ErasureGuard").field(&self.0.is_some()).finish()
    }
}

/// Hybrid search over partitions.
///
/// Contract: an answer reflects every update that was applied before the call. Ranks do not depend on how often or in
/// what order the partition was loaded. A memory that the [`View`] hides is never a candidate, takes no candidate's place
/// and moves no score: term statistics are those of the whole partition, whatever the view. Revised memories
/// ([`View::known_at`]) are the exception: they pass, and [`Answer::revised`] names them.
///
/// Cold memories ([`Strength::is_cold`](crate::domain::memory::Strength::is_cold)) are searched, and count in term statistics,
/// by a query whose view has a policy and sees one of them, and by no other. Inspections and associations that name one know it.
#[async_trait]
pub trait Index: Send + Sync + Debug {
    /// Completes when the partition can be searched without a wait for its load. Dropping the future leaves the load
    /// running, so that a later call finds it done. An index without loads completes at once.
    async fn ready(&self, _partition: PartitionId) -> Result<(), IndexError> {
        Ok(())
    }

    /// Searches a partition: dense and BM25 each retrieve the top `candidates` visible memories.
    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError>;

    /// One memory under a query; none if it is not in the partition.
    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError>;

    /// The `k` nearest visible memories of each of several vectors, in one pass over the partition: what thinking compares
    /// new items with. Answers are in the order of the vectors; memories by descending cosine, then by ascending id.
    ///
    /// A memory has the cosine of its nearest row, and takes one place however many rows it has; one without a vector is
    /// never listed. Retention and importance play no part. Fewer than k are listed only if fewer are visible, by an
    /// approximate index also if it missed some. No vectors give no answers. `k` is 1 to [`MAX_NEAREST`], and there
    /// are at most [`MAX_NEAREST_VECTORS`] vectors: others, and vectors without a direction, are
    /// [`IndexError::Unscorable`]. One wrong vector refuses all.
    async fn nearest(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError>;

    /// Edges from each of the seeds to each of `among`, itself left out, in the order of seeds and of `among`. Memories that
    /// are not in the partition have none. The caller may see all of them; visibility plays no part. Term statistics are
    /// those of the whole partition.
    ///
    /// At most [`MAX_ASSOCIATION_SEEDS`] seeds and [`MAX_ASSOCIATED`] others: more are [`IndexError::Unscorable`].
    async fn associations(
        &self,
        partition: PartitionId,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError>;

    /// The visible turns at these positions; positions without one are left out.
    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError>;

    /// Contradictions of these memories: each with every visible memory that it is linked to, or that is linked to it, by
    /// [`Link::CONTRADICTS`](crate::domain::link::Link::CONTRADICTS). In the order of `memories`, then of the ids of the
    /// others; of one pair, once for each of `memories` in it.
    async fn contradictions(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
        view: &View,
    ) -> Result<Vec<(MemoryId, MemoryId)>, IndexError>;

    /// Called before memories or versions of a partition are erased from the store. When it returns, no file of the index
    /// has bytes of the partition; until the guard is dropped, none is written. The guard is dropped once the erasure is
    /// in the store and was applied, or was given up. A kill in between leaves nothing of what was erased.
    ///
    /// An error means that files may be left: the caller does not erase. An index without files has nothing to do.
    async fn begin_erasure(&self, _partition: PartitionId) -> Result<ErasureGuard, IndexError> {
        Ok(ErasureGuard::default())
    }

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

    /// Drops what is held of all partitions, as [`Index::clear_partition`] does of one, in files too.
    async fn clear_cache(&self);

    /// Number of differences between a partition that is held and the store: each version that only one of them has
    /// counts. 0 for a partition that is not held.
    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError>;

    /// Called before the end of the process, when no more commits come: writes what makes the next start fast. It takes a
    /// few seconds at most, and nothing is lost without it.
    async fn settle(&self) {}
}
