//! Recall: requests, responses, explanations.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::filter::Filter;
use super::grants::GrantedBy;
use super::memory::{Memory, Scope};
use super::null_as_default;

/// Body of `POST /v1/recall`: retrieve the memories relevant to a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// Scope of the memories to search.
    pub scope: Scope,
    /// Query text, 1 byte to 32 KiB, with a visible character: a question, or the latest message of a conversation.
    pub query: String,
    /// Maximum number of memories to return, 1 to 200. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Name of the session for which the recall is made. The memories returned are then in the working memory of that session
    /// (`GET /v1/sessions/{key}/working-memory`); the ranking does not depend on it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Filter that every returned memory passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Maximum length of the context block in LLM tokens, 0 to 100,000; 0 for no block. Default: 2,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u32>,
    /// Maximum length of the text of each returned memory in bytes, 1 to 1,048,576. A longer text is cut at words to an
    /// excerpt around the part that matched best. The texts of one response have 8 MiB together: the best matches are cut last.
    /// Default: 16,384.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_text_bytes: Option<u32>,
    /// Query vector, made by the store's embedder. Default: the embedding of the query text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// Weights of the signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// Use of the cross-encoder to rerank the best candidates. Default: the server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<bool>,
    /// Number of candidates to rerank, 1 to 200. Default: the server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank_candidates: Option<u32>,
    /// Time limit of the whole recall in milliseconds, 1 to 60,000, the first load of an owner's memories included.
    /// What is not finished by then is left out and listed in `degraded`.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u32>,
    /// Reference time for expiry, retention, forgetting and relative times in the query (RFC 3339; a date is the beginning of
    /// that day in the time zone of the request), and the default of `as_of.valid_at`. Uses of a memory after it do not count: a
    /// recall as of a past moment has the retention of that moment. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Time zone in which the days of the query and of the context block are counted and dates of the request are read: a
    /// name in the IANA time-zone database (`Asia/Shanghai`), or an offset from UTC (`+08:00`). A memory whose time was given
    /// with an offset keeps its own day. Default: that of the owner (`PUT /v1/timezone`), else the offset of `now` unless it
    /// is `Z` or a date, else the server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// State of the memory to recall, by the time at which statements held and by the time at which they were known.
    /// Default: the present state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
    /// True to return also memories whose validity ended before `as_of.valid_at`, such as facts that a newer one has
    /// superseded. They show `valid_to`, and a link `superseded_by` to what replaced them. Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schema(default = false))]
    pub include_superseded: bool,
    /// True to return also memories of other owners that grants (`POST /v1/grants`) open to an id of the scope. A recall with
    /// `as_of.known_at` returns none of them. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_granted: Option<bool>,
    /// True to return also digests of days and of all days, and statements of the portrait; and to let a digest of events, or of a
    /// session, take the place of memories that it covers in a context block that has no room for at least three of them.
    /// A filter by kind or namespace finds digests in any case. Default: the server's setting `recall.digests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_digests: Option<bool>,
    /// Conversation partner for whom the memories are recalled: memories whose `audience` is not empty and does not name
    /// the partner are hidden. Default: nobody, and nothing is hidden for its audience, which is the owner's own view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// True to record the recall as a use of the memories that it returns (`docs/USES.md`), false not to; true needs the right to
    /// write, and no `now` in the future. Default: true, but false with `now` or `include_forgotten`, and for a caller without the
    /// right to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinforce: Option<bool>,
    /// Forgetting curve under which retention is evaluated, for the ranking (`weights.retention`) and for what is forgotten: `none`,
    /// `memorybank.paper`, `memorybank.intended`, `memorybank.asreleased`, `wixted`, `actr`, `fsrs6` or `hlr`. The other fields of
    /// the forgetting policy stay. Default: the curve of the owner's policy, else that of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting_curve: Option<String>,
    /// True to return also memories that are forgotten, which a policy with the effect `exclude`, `cold` or `delete` hides. They
    /// show `forgotten`, as those do that the effect `demote` does not hide. The recall is then no use of the memories, unless `reinforce` is true: looking at forgotten memories
    /// does not bring them back. Default: false.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schema(default = false))]
    pub include_forgotten: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Times of a recall as of the past, on the axes of valid time and record time. A date is the beginning of that day in the
/// time zone of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// Valid time (RFC 3339): only memories whose validity contains it are returned, and no turn said later. Default:
    /// `now` if it is given. Without both, memories whose validity has ended by the server's clock are hidden, and
    /// nothing is hidden for lying in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_at: Option<String>,
    /// Record time (RFC 3339): the recall returns what was known then, each memory in its version of that time. A
    /// memory whose text was changed since is found by its present text; what was erased since is gone. Default: all
    /// that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
}

/// Weights of the signals, each between 0 and 100. Default of each: the server's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Weight of semantic similarity (cosine of the vectors).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f32>,
    /// Weight of retention (forgetting curve), applied during the scan. Default: that of the owner's forgetting policy, else the
    /// server's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<f32>,
    /// Weight of importance, applied during the scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f32>,
    /// Weight of the lexical signal (BM25), relative to the dense signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<f32>,
    /// Weight of the window signal: BM25 over the turn with its preceding and following turn as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<f32>,
    /// Weight of the scores of the preceding and following turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<f32>,
    /// Weight of the score of a turn that asks something, added to the turn after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<f32>,
    /// Weight of a speaker that the query names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<f32>,
    /// Weight of a time that the query names ("three weeks ago").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f32>,
    /// Weight of superseding other matches, where the query asks for the present or an earlier state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersession: Option<f32>,
    /// Weight of the activation by the best matches along similarity and shared rare terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<f32>,
    /// Weight of the activation by the best matches along links, evidence and entities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<f32>,
}

/// Response of `POST /v1/recall`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecallResponse {
    /// Id of this recall in the access log.
    pub recall_id: Uuid,
    /// Memories, best first.
    pub memories: Vec<Recalled>,
    /// Context block for a prompt.
    pub context: Context,
    /// Times that the query names, as interpreted.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<NamedTime>,
    /// Exactness of the ranking.
    pub exactness: Exactness,
    /// Steps that were skipped or incomplete: `rerank_deadline`, `rerank_unavailable`, `dense_deadline` (the query vector
    /// came too late), `dense_unavailable`, `index_loading` (owners whose memories are still being loaded were left out;
    /// the load goes on), `search_deadline` (owners that were not searched in time were left out), `graph_deadline`
    /// (edges between the memories found were left out), `texts_deadline`
    /// (the memories found could not be read in time: none is returned), `context_deadline` (other sides of
    /// contradictions, or what digests cover, were left out), `partitions_left_out`, `versions_left_out` (a recall with `as_of.known_at` met the bound on
    /// memories changed since). Empty for a complete recall.
    pub degraded: Vec<String>,
    /// Extent of the search.
    pub searched: Searched,
    /// Duration of each step.
    pub timings: Timings,
}

/// Time expression of a query, resolved to days relative to the recall's reference time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NamedTime {
    /// Words of the expression.
    pub words: String,
    /// First day in UTC, such as `2023-05-20`.
    pub first_day: String,
    /// Last day in UTC, inclusive.
    pub last_day: String,
}

/// Exactness of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// Every memory in scope was scored.
    Exact,
    /// Some memories were excluded by a proven bound; the ranking equals the exact one.
    Certified,
    /// An approximate index chose the candidates.
    Approximate,
}

/// Recalled memory with its score and explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recalled {
    /// The memory in its current version, or in the version of `as_of.known_at`.
    #[serde(flatten)]
    pub memory: Memory,
    /// Place of the text in the whole one, if that is longer than `max_text_bytes`, or than the room that is left in the
    /// response. `GET /v1/memories/{id}` has all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
    /// Grant through which it was read, with its owner; absent for a memory that the scope sees without a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<GrantedBy>,
    /// Of a digest: ids of the memories that were in view when it was made, turns or digests, whatever the filter; the first 100.
    /// Those of the first 1,024 turns of a response are named. Empty for a digest that its owner wrote, that another owner shares or
    /// grants, or that was changed after `as_of.known_at`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<Uuid>,
    /// Of a digest with `covers`: number of all memories that were in view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_count: Option<u32>,
    /// Fused score; higher is better. Comparable only within one response. A memory that comes back only because it
    /// contradicts the one before it has that one's score and no signals.
    pub score: f32,
    /// Composition of the score.
    pub explain: Explain,
}

/// Excerpt of a text that is too long for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Excerpt {
    /// First byte of the excerpt in the whole text.
    pub start: u32,
    /// First byte after the excerpt.
    pub end: u32,
    /// Length of the whole text in bytes.
    pub of_bytes: u32,
}

/// Contributions of the signals to one memory's score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explain {
    /// Signals that scored the memory.
    pub signals: Vec<Signal>,
    /// Best-matching span: start and end as byte offsets in the whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_span: Option<(u32, u32)>,
    /// Retention at the recall's reference time; present if it has a weight, if the owner's policy forgets, or if the request
    /// names a curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionDetail>,
    /// Terms of the `score` of the signal `dense`; present if retention or importance has a weight. Without one, that score is
    /// the weighted cosine alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense: Option<DenseTerms>,
}

/// Terms of the score of the signal `dense`, each with its weight. Their sum is that score, up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DenseTerms {
    /// Weight of similarity times the cosine of the vectors.
    pub similarity: f32,
    /// Weight of retention times the retention R at the recall's reference time.
    pub retention: f32,
    /// Weight of importance times the importance of the present version.
    pub importance: f32,
}

/// Retention of a memory, with what it follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RetentionDetail {
    /// Retention R, 0 to 1; 1 for a pinned memory.
    pub retention: f64,
    /// Strength S as the curve defines it, in days unless the curve says otherwise. Strengths of two curves are not comparable.
    pub strength: f64,
    /// Time t since the memory was learned or last refreshed, in days.
    pub elapsed_days: f64,
    /// Forgetting curve, such as `memorybank.paper`.
    pub curve: String,
    /// Threshold u of the memory, 0 to 1: it is forgotten while R is below u, if the policy has an effect and the
    /// rule `fixed_threshold`.
    pub threshold: f64,
}

/// Contribution of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Signal {
    /// Name of the signal: `dense`, `lexical`, `window`, `neighbours`, `speaker`, `time`, `supersession`, `graph` or `rerank`.
    pub name: String,
    /// Score by this signal alone; that of `dense` has retention and importance in it (`dense` of the explanation).
    pub score: f32,
    /// Rank by this signal among the candidates, from 1.
    pub rank: u32,
    /// Weight of the signal in the fusion.
    pub weight: f32,
    /// Amount added to the memory's fused score.
    pub contribution: f32,
}

/// Context block for a prompt: dated, in chronological order, without duplicates, deterministic for the same memories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Context {
    /// Text of the block; empty if `budget_tokens` is 0.
    pub text: String,
    /// Length of the block in LLM tokens (o200k).
    pub tokens: u32,
    /// Ids of the memories in the block, neighbouring turns included, in the order of the block.
    pub memory_ids: Vec<Uuid>,
    /// Number of recalled memories that did not fit, without those of `replaced_ids`.
    pub left_out: u32,
    /// Ids of the recalled memories whose place a digest in the block took, which covers them; see `include_digests`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub replaced_ids: Vec<Uuid>,
}

/// Extent of the search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Searched {
    /// Number of owners whose memories were searched.
    pub partitions: u32,
    /// Number of owners left out because of the limit on owners per recall.
    pub partitions_left_out: u32,
    /// Number of memories searched.
    pub memories: u64,
}

/// Duration of each step of a recall, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Timings {
    /// Embedding of the query.
    pub embed_ms: f32,
    /// Search in the index.
    pub search_ms: f32,
    /// Reranking of the candidates.
    pub rerank_ms: f32,
    /// Assembly of the memories and the context block.
    pub assemble_ms: f32,
    /// Whole recall.
    pub total_ms: f32,
}
