//! Responses of recall: ranked memories with their explanations, context block, timings, and why-not.

use crate::domain::id::{GrantId, MemoryId, PartitionId, RecallId};
use crate::domain::memory::Memory;
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::index::Exactness;
pub use crate::recall::excerpt::Excerpt;
use crate::recall::signals::SignalName;
use crate::retention::{CurveId, ForgottenNow};
use crate::store::RecallHit;
use crate::text::time_expressions::Days;

/// Result of a recall.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// Id of the recall.
    pub id: RecallId,
    /// The memories, best first.
    pub memories: Vec<RecalledMemory>,
    /// Partition of the owner of the scope; `None` if it has no memory, or was not looked up by the deadline.
    pub own: Option<PartitionId>,
    /// Reads through grants, as the audit logs note them.
    pub reads: Vec<GrantRead>,
    /// Context block for a prompt.
    pub context: Context,
    /// Time expressions of the query, as they were parsed.
    pub times: Vec<NamedTime>,
    /// Exactness of the ranking.
    pub exactness: Exactness,
    /// Parts of the recall that were left out; empty when complete.
    pub degraded: Vec<Degraded>,
    /// Number of partitions searched.
    pub partitions: u32,
    /// Number of partitions left out because of the fan-out limit.
    pub partitions_left_out: u32,
    /// Number of memories in the partitions searched.
    pub searched_memories: u64,
    /// Durations of the steps.
    pub timings: Timings,
}

/// Entry of a recall in the access log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRecall {
    /// Id of the recall.
    pub id: RecallId,
    /// Reference time of the recall.
    pub recalled_at: Timestamp,
    /// Memories that it returned and that are still there, best first, with the strongest evidence that they were needed.
    pub hits: Vec<RecallHit>,
}

/// Time expression of a query, with the days that it denotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTime {
    /// Text of the expression.
    pub words: String,
    /// Days that it denotes.
    pub days: Days,
}

/// Recalled memory with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct RecalledMemory {
    /// Partition of the memory.
    pub partition: PartitionId,
    /// The memory, in its version at the record time. A text over [`super::request::Recall::max_text_bytes`] is cut to an
    /// excerpt, and later texts are cut to the room that [`crate::limits::Limits::page_text_bytes`] has left for them.
    pub memory: Memory,
    /// Place of the excerpt in the whole text; `None` if the text is whole.
    pub excerpt: Option<Excerpt>,
    /// Grant through which the memory was read; `None` for one that the scope sees without a grant.
    pub granted: Option<GrantedBy>,
    /// Memories that a digest covers; `None` for one that is no digest, was written by its owner, is read as of another record
    /// time, or belongs to an owner that the scope does not name.
    pub covers: Option<Covers>,
    /// Set for a memory that is forgotten at the reference time, under a policy that hides no such memories or in a recall that
    /// includes them.
    pub forgotten: Option<ForgottenNow>,
    /// Score that decides the rank. A memory that comes back only with one that it contradicts has that one's score.
    pub score: f32,
    /// Breakdown of the score.
    pub explain: Explanation,
}

/// Memories that were in view when a digest was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covers {
    /// The first of them: memories of turns, or digests; at most [`Covers::AT_MOST`].
    pub memories: Vec<MemoryId>,
    /// Number of all of them.
    pub count: u32,
}

impl Covers {
    /// Maximum number of ids of one digest.
    pub const AT_MOST: usize = 100;
}

/// Grant through which a memory was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedBy {
    /// Grant.
    pub grant: GrantId,
    /// Owner of the memory.
    pub owner: Owner,
}

/// Memories that a recall read through one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRead {
    /// Partition of the giver.
    pub partition: PartitionId,
    /// Grant.
    pub grant: GrantId,
    /// Number of memories in the result and in the context block.
    pub memories: u32,
}

/// Breakdown of a memory's score by signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// Signals with a score for the memory.
    pub signals: Vec<SignalScore>,
    /// Best-matching span of the text, as a byte range.
    pub best_span: Option<(u32, u32)>,
    /// Retention at the reference time; `None` where it has no weight, nothing can be forgotten and the request names no curve.
    pub retention: Option<RetentionDetail>,
    /// Cosine of the best row, if the memory and the query have a vector.
    pub cosine: Option<f32>,
    /// Terms of the raw score of the signal `dense`; `None` without that score, or where neither retention nor importance has a
    /// weight: the score is then the weighted cosine.
    pub dense: Option<DenseTerms>,
}

/// Terms of the raw score of the signal `dense`, each with its weight: `similarity * cosine + retention * R + importance * I`.
/// Their sum is the score up to rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseTerms {
    /// Weight of similarity times the cosine.
    pub similarity: f32,
    /// Weight of retention times R at the reference time.
    pub retention: f32,
    /// Weight of importance times the importance of the present version.
    pub importance: f32,
}

/// Retention of a memory under the curve of a recall, with all that it follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetentionDetail {
    /// Retention R at the reference time, 0 to 1; 1 for a pinned memory. The scan computes it in single precision.
    pub retention: f64,
    /// Strength S as the curve defines it ([`State::strength`](crate::retention::State)), in days unless the curve says otherwise.
    pub strength: f64,
    /// Time t since the last refresh, in days.
    pub elapsed_days: f64,
    /// Forgetting curve.
    pub curve: CurveId,
    /// Threshold u of the memory, 0 to 1: it is forgotten while R is below it, where the policy has an effect.
    pub threshold: f64,
}

/// Score of one signal for one memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalScore {
    /// Signal.
    pub name: SignalName,
    /// Raw score, on the signal's own scale.
    pub score: f32,
    /// Rank among the candidates by this signal, from 1.
    pub rank: u32,
    /// Weight in the fusion.
    pub weight: f32,
    /// Contribution to the fused score.
    pub contribution: f32,
}

/// Context block: recalled memories as text for a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Text of the block.
    pub text: String,
    /// Length in LLM tokens.
    pub tokens: u32,
    /// Memories in the block, in its order.
    pub memories: Vec<MemoryId>,
    /// Number of recalled memories that did not fit, and whose place no digest took.
    pub left_out: u32,
    /// Recalled memories whose place a digest in the block took, best first: it covers them.
    pub replaced: Vec<MemoryId>,
}

/// Part of a recall that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degraded {
    /// The deadline passed before the cross-encoder was done.
    RerankDeadline,
    /// Reranking was requested, but no cross-encoder is available.
    RerankUnavailable,
    /// The query could not be embedded; the recall is lexical only.
    DenseUnavailable,
    /// The deadline passed before the query was embedded; the recall is lexical only.
    DenseDeadline,
    /// The deadline passed before all partitions were in memory; the others were searched. Their loads go on.
    IndexLoading,
    /// The deadline passed before all partitions were found and searched; the others were.
    SearchDeadline,
    /// The deadline passed before the edges between the candidates were read: the signal `graph` is missing.
    GraphDeadline,
    /// The deadline passed before the memories were read: none is returned.
    TextsDeadline,
    /// The deadline passed before the other sides of contradictions, or what digests cover, were read.
    ContextDeadline,
    /// The scope has more partitions than one recall searches.
    PartitionsLeftOut,
    /// More memories were revised after the record time than one recall judges, or too many of the candidates were.
    VersionsLeftOut,
}

impl Degraded {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Degraded::RerankDeadline => "rerank_deadline",
            Degraded::RerankUnavailable => "rerank_unavailable",
            Degraded::DenseUnavailable => "dense_unavailable",
            Degraded::DenseDeadline => "dense_deadline",
            Degraded::IndexLoading => "index_loading",
            Degraded::SearchDeadline => "search_deadline",
            Degraded::GraphDeadline => "graph_deadline",
            Degraded::TextsDeadline => "texts_deadline",
            Degraded::ContextDeadline => "context_deadline",
            Degraded::PartitionsLeftOut => "partitions_left_out",
            Degraded::VersionsLeftOut => "versions_left_out",
        }
    }
}

/// Durations of the steps of a recall.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Embedding of the query.
    pub embed: std::time::Duration,
    /// Search and fusion.
    pub search: std::time::Duration,
    /// Reranking.
    pub rerank: std::time::Duration,
    /// Loading of the memories and assembly of the context block.
    pub assemble: std::time::Duration,
    /// Total.
    pub total: std::time::Duration,
}

/// Explanation of a memory's presence in, or absence from, a recall.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNot {
    /// Reason.
    pub verdict: Verdict,
    /// Rank from 1; `None` if the memory was not ranked.
    pub rank: Option<u32>,
    /// Score that decides the rank.
    pub score: Option<f32>,
    /// Score of the last memory returned.
    pub score_of_last: Option<f32>,
    /// Set for a memory that is forgotten at the reference time, whatever the verdict; `None` for one that is not the caller's to
    /// see.
    pub forgotten: Option<ForgottenNow>,
    /// Breakdown of the memory's score.
    pub explain: Explanation,
}

/// Reason for a memory's presence in, or absence from, a recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The memory was returned.
    Returned,
    /// The scope contains no such memory.
    NotInScope,
    /// The memory had expired.
    Expired,
    /// The memory was forgotten at the reference time.
    Forgotten,
    /// The memory is not shared, and the request did not name its owner.
    NotVisible,
    /// The memory was not valid at the valid time.
    NotValid,
    /// The memory may not be told to the partner.
    NotForPartner,
    /// The memory was recorded after the record time.
    NotRecorded,
    /// The filter excludes the memory.
    Filtered,
    /// Other memories scored higher.
    Outranked,
    /// The memory was returned, but did not fit into the context block.
    CutByBudget,
}
