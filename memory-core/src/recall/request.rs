//! Requests of recall, in domain types. Bounds are checked by the recall path.

use crate::domain::filter::Filter;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;

/// Request to recall memories.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Scope of the memories.
    pub scope: Scope,
    /// Query text.
    pub query: String,
    /// Maximum number of memories returned.
    pub limit: u32,
    /// Filter that every returned memory passes.
    pub filter: Filter,
    /// Maximum length of the context block in LLM tokens; 0 for no block.
    pub budget_tokens: u32,
    /// Query vector by the embedder in use, if the caller has it; `None` to embed the query.
    pub vector: Option<Vec<f32>>,
    /// Weights of the signals; `None` in a field for the engine's setting.
    pub weights: RequestedWeights,
    /// Reranking by the cross-encoder; `None` for the engine's setting.
    pub rerank: Option<bool>,
    /// Number of candidates that the cross-encoder reads; `None` for the engine's setting.
    pub rerank_candidates: Option<u32>,
    /// Deadline of the answer, in milliseconds from the call; `None` for no deadline.
    pub deadline_ms: Option<u32>,
    /// Reference time for expiry, retention and time expressions; `None` for the clock's.
    pub now: Option<Timestamp>,
}

/// Signal weights of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RequestedWeights {
    /// Weight of the cosine similarity.
    pub similarity: Option<f32>,
    /// Weight of retention.
    pub retention: Option<f32>,
    /// Weight of importance.
    pub importance: Option<f32>,
    /// Weight of BM25, relative to the dense signal as a whole.
    pub lexical: Option<f32>,
    /// Weight of BM25 over the window: a turn and its adjacent turns read as one text.
    pub window: Option<f32>,
    /// Weight of the scores of the previous and the next turn.
    pub neighbours: Option<f32>,
    /// Share of the score of a turn that asks, added to the turn after it.
    pub replies: Option<f32>,
    /// Weight of a match between the turn's speaker and a name in the query.
    pub speaker: Option<f32>,
    /// Weight of a match between the memory's time and a time expression of the query.
    pub time: Option<f32>,
}
