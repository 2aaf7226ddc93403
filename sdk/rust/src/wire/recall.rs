//! Recalling, and why something was or was not recalled.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::filter::Filter;
use super::memory::{Memory, Scope};

/// `POST /v1/recall`: what is remembered that bears on a question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// Whose memories.
    pub scope: Scope,
    /// The question, or whatever is being talked about: 1 byte to 32 KiB.
    pub query: String,
    /// How many memories at most, 1 to 200. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Which memories may come back at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// How long the context block may be, in LLM tokens, 0 to 100,000; 0 for none. Default: 2,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u32>,
    /// The question's vector, if you have it from the store's own embedder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// What counts how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// Whether a cross-encoder reads the best candidates again. Default: the server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<bool>,
    /// How many candidates it reads, 1 to 200. Default: the server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank_candidates: Option<u32>,
    /// When the answer is wanted, in milliseconds from now, 1 to 60,000: what is not done by then is left out, and
    /// the answer says so. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u32>,
    /// The moment the recall pretends to happen at: it decides expiry and retention. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// What counts how much. All default to the server's setting; each is between 0 and 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Likeness of meaning (the cosine).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f32>,
    /// Retention by the forgetting curve, inside the same scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<f32>,
    /// Importance, inside the same scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f32>,
    /// Words in common (BM25), against the dense signal as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<f32>,
    /// Words in common (BM25) with the turn and those right before and after it, read as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<f32>,
    /// What the turns right before and after say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<f32>,
    /// What a turn that asks says, for the turn after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<f32>,
    /// That the question names who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<f32>,
    /// That it happened at a time that the question names ("three weeks ago").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f32>,
}

/// The answer to a recall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecallResponse {
    /// This recall, as the access log names it.
    pub recall_id: Uuid,
    /// The memories, best first.
    pub memories: Vec<Recalled>,
    /// The block to put into a prompt.
    pub context: Context,
    /// The times that the question names, as they were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<NamedTime>,
    /// How far the order can be trusted.
    pub exactness: Exactness,
    /// What was left out, if anything: `rerank_deadline`, `rerank_unavailable`, `dense_deadline`,
    /// `dense_unavailable`, `partitions_left_out`.
    pub degraded: Vec<String>,
    /// What was searched.
    pub searched: Searched,
    /// Where the time went.
    pub timings: Timings,
}

/// Words of a question that name days, counted from the recall's moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NamedTime {
    /// The words.
    pub words: String,
    /// The first day, as `2023-05-20`, in UTC.
    pub first_day: String,
    /// The last day.
    pub last_day: String,
}

/// How far an order can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// Every memory was scored.
    Exact,
    /// Some were ruled out by a proven bound; the answer is the same.
    Certified,
    /// An index guessed.
    Approximate,
}

/// A memory that came back, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recalled {
    /// The memory.
    #[serde(flatten)]
    pub memory: Memory,
    /// What it is ranked by, higher is better; comparable within one answer only.
    pub score: f32,
    /// How that came about.
    pub explain: Explain,
}

/// Every signal's say on one memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explain {
    /// Every signal that had something to say.
    pub signals: Vec<Signal>,
    /// The part of the text that matched best, in bytes from its start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_span: Option<(u32, u32)>,
    /// Retention at the recall's moment, 0 to 1, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<f32>,
}

/// One signal's say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Signal {
    /// `dense`, `lexical`, `window`, `neighbours`, `speaker`, `time`, `rerank`.
    pub name: String,
    /// The signal's own score.
    pub score: f32,
    /// Its rank by that signal among the candidates, from 1.
    pub rank: u32,
    /// What the signal counts for in the fusion.
    pub weight: f32,
    /// What it added to the memory's score.
    pub contribution: f32,
}

/// A block of text for a prompt: dated, in the order of time, nothing twice, the same for the same memories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Context {
    /// The block; empty if none was asked for.
    pub text: String,
    /// Its length in LLM tokens (o200k).
    pub tokens: u32,
    /// The memories in it, neighbouring turns included, in the block's order.
    pub memory_ids: Vec<Uuid>,
    /// How many of the recalled memories did not fit.
    pub left_out: u32,
}

/// What was searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Searched {
    /// Owners whose memories were searched.
    pub partitions: u32,
    /// Owners left out because there were too many.
    pub partitions_left_out: u32,
    /// Memories in them.
    pub memories: u64,
}

/// Where the time of a recall went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Timings {
    /// Turning the question into a vector.
    pub embed_ms: f32,
    /// Searching the index.
    pub search_ms: f32,
    /// Reading candidates again.
    pub rerank_ms: f32,
    /// Loading the memories and laying out the context.
    pub assemble_ms: f32,
    /// All of it.
    pub total_ms: f32,
}

/// `POST /v1/recall/why-not`: why a memory does not come back for a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WhyNotRequest {
    /// The memory.
    pub memory_id: Uuid,
    /// The recall that did not bring it.
    pub recall: RecallRequest,
}

/// Why a memory did or did not come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WhyNotResponse {
    /// The reason.
    pub verdict: WhyNot,
    /// The reason in words.
    pub reason: String,
    /// Its place in the whole ranking, from 1, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// What it is ranked by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The score of the last memory that did come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_of_last: Option<f32>,
    /// Every signal's say on it.
    pub explain: Explain,
}

/// Why a memory did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    /// It did come back.
    Returned,
    /// There is no such memory in the scope.
    NotInScope,
    /// It had expired at the recall's moment.
    Expired,
    /// It is not shared, and the request did not name its owner.
    NotVisible,
    /// The filter does not let it pass.
    Filtered,
    /// Others were better.
    Outranked,
    /// It came back, but its text did not fit into the context.
    CutByBudget,
}
