//! STEP 3 of recalling, pure: one order out of what the signals say.
//!
//! Each signal's scores are scaled over the candidates of this question: the scan's from its lowest candidate (0) to
//! its highest (1), the words' from no word in common (0) to the best match (1). A memory's score is the weighted sum,
//! the scan counting 1. Scaled scores keep the distances that rank-only fusion throws away, so that a clear winner of
//! one signal is not dragged down by the other's noise (Bruch et al. 2023, "An Analysis of Fusion Functions for Hybrid
//! Retrieval", arXiv 2210.11934).

use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{Candidate, Place};
use crate::recall::request::{Explanation, SignalName, SignalSay};
use crate::recall::settings::Weights;

/// A candidate with its place in the fused order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fused {
    pub(super) partition: PartitionId,
    pub(super) memory: MemoryId,
    pub(super) score: f32,
    pub(super) explain: Explanation,
    pub(super) place: Option<Place>,
}

/// The candidates in order, best first; equals by id.
pub(super) fn fuse(candidates: &[(PartitionId, Candidate)], weights: &Weights) -> Vec<Fused> {
    let scale = Scale::over(candidates);
    let mut fused: Vec<Fused> = candidates
        .iter()
        .map(|(partition, candidate)| fuse_one(*partition, candidate, &scale, weights))
        .collect();
    for signal in [SignalName::Dense, SignalName::Lexical] {
        rank(&mut fused, signal);
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.memory.cmp(&b.memory)));
    fused
}

/// What one memory would score among these candidates.
pub(super) fn fuse_alone(
    candidates: &[(PartitionId, Candidate)],
    (partition, candidate): (PartitionId, &Candidate),
    weights: &Weights,
) -> Fused {
    fuse_one(partition, candidate, &Scale::over(candidates), weights)
}

fn fuse_one(partition: PartitionId, candidate: &Candidate, scale: &Scale, weights: &Weights) -> Fused {
    let mut says = Vec::with_capacity(2);
    if let Some(dense) = &candidate.dense {
        let contribution = scale.dense(dense.score);
        says.push(SignalSay {
            name: SignalName::Dense,
            score: dense.score,
            rank: 0,
            weight: 1.0,
            contribution,
        });
    }
    if candidate.lexical > 0.0 {
        let contribution = weights.lexical * scale.lexical(candidate.lexical);
        let (score, weight) = (candidate.lexical, weights.lexical);
        says.push(SignalSay { name: SignalName::Lexical, score, rank: 0, weight, contribution });
    }
    let has_clock = weights.retention > 0.0;
    Fused {
        partition,
        memory: candidate.memory,
        score: says.iter().map(|say| say.contribution).sum(),
        explain: Explanation {
            signals: says,
            best_span: Some(candidate.best_span),
            retention: candidate.dense.filter(|_| has_clock).map(|dense| dense.retention),
        },
        place: candidate.place,
    }
}

/// The range of each signal's scores among the candidates.
struct Scale {
    dense_low: f32,
    dense_high: f32,
    lexical_high: f32,
}

impl Scale {
    fn over(candidates: &[(PartitionId, Candidate)]) -> Self {
        let dense =
            || candidates.iter().filter_map(|(_, candidate)| candidate.dense.map(|dense| dense.score));
        Self {
            dense_low: dense().fold(f32::INFINITY, f32::min),
            dense_high: dense().fold(f32::NEG_INFINITY, f32::max),
            lexical_high: candidates.iter().map(|(_, candidate)| candidate.lexical).fold(0.0, f32::max),
        }
    }

    fn dense(&self, score: f32) -> f32 {
        let range = self.dense_high - self.dense_low;
        if range > f32::EPSILON { ((score - self.dense_low) / range).clamp(0.0, 1.0) } else { 1.0 }
    }

    fn lexical(&self, score: f32) -> f32 {
        if self.lexical_high > 0.0 { (score / self.lexical_high).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Fills in each memory's rank by one signal; equal scores share the better rank.
fn rank(fused: &mut [Fused], signal: SignalName) {
    let mut scores: Vec<f32> = fused.iter().filter_map(|one| say(one, signal).map(|say| say.score)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    for one in fused {
        if let Some(say) = one.explain.signals.iter_mut().find(|say| say.name == signal) {
            let better = scores.partition_point(|score| *score > say.score);
            say.rank = u32::try_from(better + 1).unwrap_or(u32::MAX);
        }
    }
}

fn say(fused: &Fused, signal: SignalName) -> Option<&SignalSay> {
    fused.explain.signals.iter().find(|say| say.name == signal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::DenseScore;

    fn candidate(id: u128, dense: Option<f32>, lexical: f32) -> (PartitionId, Candidate) {
        let dense = dense.map(|score| DenseScore { score, similarity: score, retention: 1.0 });
        let memory = MemoryId(uuid::Uuid::from_u128(id));
        (PartitionId(1), Candidate { memory, dense, lexical, best_span: (0, 1), place: None })
    }

    fn order(fused: &[Fused]) -> Vec<u128> {
        fused.iter().map(|one| one.memory.0.as_u128()).collect()
    }

    #[test]
    fn adds_scaled_scores() {
        let weights = Weights { lexical: 0.5, ..Weights::default() };
        let fused = fuse(
            &[candidate(1, Some(0.9), 0.0), candidate(2, Some(0.5), 8.0), candidate(3, Some(0.7), 4.0)],
            &weights,
        );
        assert_eq!(order(&fused), [1, 3, 2]);
        let scores: Vec<f32> = fused.iter().map(|one| one.score).collect();
        assert!(
            (scores[0] - 1.0).abs() < 1e-6
                && (scores[1] - 0.75).abs() < 1e-6
                && (scores[2] - 0.5).abs() < 1e-6
        );
        assert_eq!(fused[1].explain.signals.iter().map(|say| say.rank).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn works_with_one_signal_or_none() {
        let weights = Weights::default();
        assert_eq!(order(&fuse(&[candidate(2, None, 1.0), candidate(1, None, 3.0)], &weights)), [1, 2]);
        assert_eq!(
            order(&fuse(&[candidate(2, Some(0.1), 0.0), candidate(1, Some(0.1), 0.0)], &weights)),
            [1, 2]
        );
        assert!(fuse(&[], &weights).is_empty());
    }

    proptest! {
        #[test]
        fn does_not_depend_on_the_order_of_candidates(
            scores in prop::collection::vec((prop::option::of(-1.0f32..1.0), 0.0f32..30.0), 1..40),
            seed in any::<u64>(),
        ) {
            let mut candidates: Vec<_> = scores
                .iter()
                .enumerate()
                .map(|(id, (dense, lexical))| candidate(id as u128, *dense, *lexical))
                .collect();
            let first = fuse(&candidates, &Weights::default());
            let turn = usize::try_from(seed % candidates.len() as u64).expect("small");
            candidates.rotate_left(turn);
            prop_assert_eq!(&first, &fuse(&candidates, &Weights::default()));
            prop_assert!(first.iter().all(|one| one.score.is_finite() && one.score >= 0.0));
        }

        #[test]
        fn more_of_a_signal_never_lowers_a_memory(
            scores in prop::collection::vec((-1.0f32..1.0, 0.0f32..30.0), 3..20),
            lift in 0.0f32..0.5,
        ) {
            let candidates: Vec<_> = scores
                .iter()
                .enumerate()
                .map(|(id, (dense, lexical))| candidate(id as u128, Some(*dense), *lexical))
                .collect();
            let place = |candidates: &[_]| order(&fuse(candidates, &Weights::default())).iter().position(|id| *id == 0);
            let before = place(&candidates);
            let mut lifted = candidates.clone();
            lifted[0] = candidate(0, Some(scores[0].0 + lift), scores[0].1);
            // Lifting one memory may move the scale under the others, but never it behind where it was by more than
            // what the change of scale explains: with one signal only, never at all.
            let only_dense = |all: &[(PartitionId, Candidate)]| -> Vec<_> {
                all.iter().map(|(_, one)| candidate(one.memory.0.as_u128(), one.dense.map(|dense| dense.score), 0.0)).collect()
            };
            prop_assert!(place(&only_dense(&lifted)) <= place(&only_dense(&candidates)));
            prop_assert!(before.is_some());
        }
    }
}
