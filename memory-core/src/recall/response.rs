//! Responses of recall: the memories with their explanations, the context block, timings, and why-not.

use crate::domain::id::{MemoryId, PartitionId, RecallId};
use crate::domain::memory::Memory;
use crate::index::Exactness;
use crate::recall::signals::SignalName;
use crate::recall::time_expressions::Days;

/// What came back.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// This recall's id.
    pub id: RecallId,
    /// The memories, best first.
    pub memories: Vec<RecalledMemory>,
    /// The block for a prompt.
    pub context: Context,
    /// The times that the question names, as they were read.
    pub times: Vec<NamedTime>,
    /// How far the order can be trusted.
    pub exactness: Exactness,
    /// What was left out, if anything.
    pub degraded: Vec<Degraded>,
    /// Partitions searched.
    pub partitions: u32,
    /// Partitions left out, over the limit.
    pub partitions_left_out: u32,
    /// Memories in those searched.
    pub searched_memories: u64,
    /// Where the time went.
    pub timings: Timings,
}

/// Words of a question that name days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTime {
    /// The words.
    pub words: String,
    /// The days.
    pub days: Days,
}

/// A memory that came back.
#[derive(Clone, Debug, PartialEq)]
pub struct RecalledMemory {
    /// Where it lies.
    pub partition: PartitionId,
    /// The memory.
    pub memory: Memory,
    /// What it is ranked by.
    pub score: f32,
    /// How that came about.
    pub explain: Explanation,
}

/// Every signal's say on one memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The signals that had something to say.
    pub signals: Vec<SignalScore>,
    /// The bytes of the text that matched best.
    pub best_span: Option<(u32, u32)>,
    /// Retention at the recall's moment, where it had a weight.
    pub retention: Option<f32>,
}

/// Score of one signal for one memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalScore {
    /// Which.
    pub name: SignalName,
    /// Its own score.
    pub score: f32,
    /// Its rank among the candidates, from 1.
    pub rank: u32,
    /// Its weight in the fusion.
    pub weight: f32,
    /// What it added.
    pub contribution: f32,
}

/// A block of text for a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The block.
    pub text: String,
    /// Its length in LLM tokens.
    pub tokens: u32,
    /// The memories in it, in order.
    pub memories: Vec<MemoryId>,
    /// Recalled memories that did not fit.
    pub left_out: u32,
}

/// Something that a recall went without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degraded {
    /// The deadline came before the cross-encoder was done.
    RerankDeadline,
    /// The cross-encoder was asked for but is not there.
    RerankUnavailable,
    /// The question could not be turned into a vector: only words were compared.
    DenseUnavailable,
    /// The deadline came before the question was turned into a vector: only words were compared.
    DenseDeadline,
    /// There were more partitions than a recall may search.
    PartitionsLeftOut,
}

impl Degraded {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Degraded::RerankDeadline => "rerank_deadline",
            Degraded::RerankUnavailable => "rerank_unavailable",
            Degraded::DenseUnavailable => "dense_unavailable",
            Degraded::DenseDeadline => "dense_deadline",
            Degraded::PartitionsLeftOut => "partitions_left_out",
        }
    }
}

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Turning the question into a vector.
    pub embed: std::time::Duration,
    /// Searching.
    pub search: std::time::Duration,
    /// Reading candidates again.
    pub rerank: std::time::Duration,
    /// Loading memories and laying out the context.
    pub assemble: std::time::Duration,
    /// All of it.
    pub total: std::time::Duration,
}

/// Why a memory did or did not come back.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNot {
    /// The reason.
    pub verdict: Verdict,
    /// Its place in the ranking, from 1, if it is among those that were ranked.
    pub rank: Option<u32>,
    /// What it is ranked by.
    pub score: Option<f32>,
    /// The score of the last one that did come back.
    pub score_of_last: Option<f32>,
    /// Every signal's say on it.
    pub explain: Explanation,
}

/// The reason why a memory did or did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Returned,
    /// There is no such memory in the scope.
    NotInScope,
    /// It had expired.
    Expired,
    /// It is not shared, and the request did not name its owner.
    NotVisible,
    /// The filter does not let it pass.
    Filtered,
    /// Others were better.
    Outranked,
    /// It came back, but did not fit into the context.
    CutByBudget,
}
