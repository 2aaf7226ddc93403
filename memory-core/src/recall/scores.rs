//! Scores of a candidate by signal, and their scaling over the candidates of a query (step 4 of recall), pure.

use crate::domain::id::PartitionId;
use crate::index::Candidate;
use crate::recall::signals::{SignalName, Weights};

/// Raw score of a signal, and its contribution to the fused score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) score: f32,
    pub(super) contribution: f32,
}

impl Scored {
    /// A score that contributes `weight * scaled`; none if the score is 0, which is no evidence.
    pub(super) fn positive(score: f32, contribution: f32) -> Option<Self> {
        (score > 0.0).then_some(Self { score, contribution })
    }
}

/// Scores of a candidate by fused signal; none where a signal has no evidence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SignalScores(pub(super) [Option<Scored>; SignalName::FUSED.len()]);

impl SignalScores {
    pub(super) fn total(&self) -> f32 {
        self.0.iter().flatten().map(|scored| scored.contribution).sum()
    }

    /// Sum over the signals that depend on the candidate alone.
    pub(super) fn own_total(&self) -> f32 {
        let of = |signal: SignalName| self.0.get(signal as usize).copied().flatten();
        let own = [SignalName::Dense, SignalName::Lexical, SignalName::Window].into_iter().filter_map(of);
        own.map(|scored| scored.contribution).sum()
    }

    pub(super) fn set(&mut self, signal: SignalName, scored: Option<Scored>) {
        if let Some(place) = self.0.get_mut(signal as usize) {
            *place = scored;
        }
    }
}

/// Scores that depend on the candidate alone: dense, BM25 of the memory, BM25 of its window.
pub(super) fn own_scores(candidate: &Candidate, scale: &Scale, weights: &Weights) -> SignalScores {
    let bm25 =
        |score: f32, weight: f32, high: f32| Scored::positive(score, weight * (score / high).clamp(0.0, 1.0));
    let dense = candidate.dense.map(|dense| dense.score);
    let mut scores = SignalScores::default();
    scores.set(SignalName::Dense, dense.map(|score| Scored { score, contribution: scale.dense(score) }));
    scores.set(SignalName::Lexical, bm25(candidate.lexical, weights.lexical, scale.lexical_high));
    scores.set(SignalName::Window, bm25(candidate.window, weights.window, scale.window_high));
    scores
}

/// Weight of a signal in the sum, as explanations show it.
pub(super) fn fusion_weight(signal: SignalName, weights: &Weights) -> f32 {
    match signal {
        SignalName::Lexical => weights.lexical,
        SignalName::Window => weights.window,
        SignalName::Speaker => weights.speaker,
        SignalName::Time => weights.time,
        SignalName::Supersession => weights.supersession,
        // Scaled to 1 inside the scan, weighted by turn, and weighted by kind of edge.
        SignalName::Dense | SignalName::Neighbours | SignalName::Graph | SignalName::Rerank => 1.0,
    }
}

/// The range of each signal's scores among the candidates.
pub(super) struct Scale {
    dense_low: f32,
    dense_high: f32,
    lexical_high: f32,
    window_high: f32,
}

impl Scale {
    pub(super) fn over(candidates: &[(PartitionId, Candidate)]) -> Self {
        let all = || candidates.iter().map(|(_, candidate)| candidate);
        let dense = |candidate: &Candidate| candidate.dense.map(|dense| dense.score);
        // Adjacent turns that no retriever returned say nothing of the lowest retrieved score.
        let retrieved = all().filter(|candidate| candidate.retrieved).filter_map(dense);
        Self {
            dense_low: retrieved.fold(f32::INFINITY, f32::min),
            dense_high: all().filter_map(dense).fold(f32::NEG_INFINITY, f32::max),
            lexical_high: all().map(|candidate| candidate.lexical).fold(f32::MIN_POSITIVE, f32::max),
            window_high: all().map(|candidate| candidate.window).fold(f32::MIN_POSITIVE, f32::max),
        }
    }

    fn dense(&self, score: f32) -> f32 {
        let range = self.dense_high - self.dense_low;
        if range > f32::EPSILON { ((score - self.dense_low) / range).clamp(0.0, 1.0) } else { 1.0 }
    }
}
