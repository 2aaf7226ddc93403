//! Settings of recall, unless the request says otherwise.

use super::signals::Weights;
use crate::domain::zone::Zone;
use crate::index::ScanWeights;

/// Defaults of recall.
#[derive(Clone, Debug)]
pub struct RecallSettings {
    /// Weights of the signals.
    pub weights: Weights,
    /// Memories that each retriever returns per memory asked for.
    pub candidates_per_result: u32,
    /// Least number of memories that each retriever returns.
    pub least_candidates: u32,
    /// True if a cross-encoder re-ranks the best candidates.
    pub rerank: bool,
    /// Candidates that the cross-encoder reads.
    pub rerank_candidates: u32,
    /// Maximum length of the text of a returned memory in bytes.
    pub max_text_bytes: u32,
    /// Turns before and after a recalled one that may enter the context with it.
    pub neighbouring_turns: u32,
    /// True to recall digests too where neither the request nor its filter, by kind or namespace, says so.
    pub digests: bool,
    /// Zone of owners and requests that name none.
    pub zone: Zone,
}

impl Default for RecallSettings {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            candidates_per_result: 4,
            least_candidates: 32,
            rerank: false,
            rerank_candidates: 20,
            max_text_bytes: 16 * 1024,
            neighbouring_turns: 1,
            digests: false,
            zone: Zone::UTC,
        }
    }
}

impl Weights {
    /// The weights that apply inside the scan.
    pub fn of_scan(self) -> ScanWeights {
        ScanWeights { similarity: self.similarity, retention: self.retention, importance: self.importance }
    }
}
