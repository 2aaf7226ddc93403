//! Requests of recall.

use crate::domain::filter::Filter;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::recall::signals::RequestedWeights;

/// A recall.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Whose memories.
    pub scope: Scope,
    /// The question.
    pub query: String,
    /// How many memories at most.
    pub limit: u32,
    /// Which memories may come back at all.
    pub filter: Filter,
    /// How long the context block may be; 0 for none.
    pub budget_tokens: u32,
    /// The question's vector by the store's embedder, if the caller has it.
    pub vector: Option<Vec<f32>>,
    /// What counts how much; what is none takes the engine's setting.
    pub weights: RequestedWeights,
    /// Whether a cross-encoder reads the best candidates again; none for the engine's setting.
    pub rerank: Option<bool>,
    /// How many it reads; none for the engine's setting.
    pub rerank_candidates: Option<u32>,
    /// When the answer is wanted, in milliseconds from the call.
    pub deadline_ms: Option<u32>,
    /// The moment that decides expiry and retention; none for the clock's.
    pub now: Option<Timestamp>,
}
