//! What a recall weighs by, unless the request says otherwise.

use super::request::RequestedWeights;
use crate::index::ScanWeights;

/// How recall works by default.
#[derive(Clone, Debug)]
pub struct RecallSettings {
    /// What counts how much.
    pub weights: Weights,
    /// How many memories each signal puts forward, for each that is asked for.
    pub candidates_per_result: u32,
    /// How many it puts forward at least.
    pub least_candidates: u32,
    /// Whether a cross-encoder reads the best candidates again.
    pub rerank: bool,
    /// How many it reads.
    pub rerank_candidates: u32,
    /// How many turns before and after a recalled one may come into the context with it.
    pub neighbouring_turns: u32,
}

impl Default for RecallSettings {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            candidates_per_result: 4,
            least_candidates: 32,
            rerank: false,
            rerank_candidates: 20,
            neighbouring_turns: 1,
        }
    }
}

/// What counts how much. Inside the scan: `similarity * cosine + retention * R + importance * I`. The scan as a whole
/// and the words are then fused, see [`super::fuse`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the cosine, in the scan.
    pub similarity: f32,
    /// Of retention, in the scan. Zero by default: on conversations whose evidence lies at any age, forgetting costs
    /// recall; it pays where memory is short or the world changes.
    pub retention: f32,
    /// Of importance, in the scan.
    pub importance: f32,
    /// Of words in common, against the scan as 1.
    pub lexical: f32,
    /// Of words in common with the turn and those beside it, read as one text.
    pub window: f32,
    /// Of what the turns right before and after say themselves.
    pub neighbours: f32,
    /// Of what a question says itself, for the turn after it: an answer repeats little of what it answers.
    pub replies: f32,
    /// Of being said by somebody whom the question names.
    pub speaker: f32,
    /// Of having happened at a time that the question names, see [`super::time_expressions`].
    pub time: f32,
}

impl Default for Weights {
    /// Found on development data: see ADR 0017 and 0018.
    fn default() -> Self {
        Self {
            similarity: 1.0,
            retention: 0.0,
            importance: 0.0,
            lexical: 0.6,
            window: 0.6,
            neighbours: 0.2,
            replies: 0.6,
            speaker: 0.3,
            time: 0.6,
        }
    }
}

impl Weights {
    /// These, with what a request sets itself.
    pub fn with(self, requested: RequestedWeights) -> Self {
        Self {
            similarity: requested.similarity.unwrap_or(self.similarity),
            retention: requested.retention.unwrap_or(self.retention),
            importance: requested.importance.unwrap_or(self.importance),
            lexical: requested.lexical.unwrap_or(self.lexical),
            window: requested.window.unwrap_or(self.window),
            neighbours: requested.neighbours.unwrap_or(self.neighbours),
            replies: requested.replies.unwrap_or(self.replies),
            speaker: requested.speaker.unwrap_or(self.speaker),
            time: requested.time.unwrap_or(self.time),
        }
    }

    /// The part that works inside the scan.
    pub fn of_scan(self) -> ScanWeights {
        ScanWeights { similarity: self.similarity, retention: self.retention, importance: self.importance }
    }
}
