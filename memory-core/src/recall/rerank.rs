//! Reranking (step 5 of recall, optional): a cross-encoder scores query and memory together. Candidates are read in
//! rank order, so that a deadline cuts off the least relevant ones.

use super::deadline::Deadline;
use super::fuse::Fused;
use super::loaded::Loaded;
use super::request::Recall;
use super::response::{Degraded, SignalScore};
use super::signals::SignalName;
use crate::engine::Engine;

impl Engine {
    /// True if the result of this request is to be reranked.
    pub(super) fn reranks(&self, request: &Recall) -> bool {
        request.rerank.unwrap_or(self.recall_settings.rerank)
    }

    /// Number of candidates to score.
    pub(super) fn rerank_candidates(&self, request: &Recall) -> u32 {
        let most = self.limits.rerank_candidates;
        let allowed = self.reranker.as_ref().map_or(0, |reranker| reranker.max_passages());
        let requested = request.rerank_candidates.unwrap_or(self.recall_settings.rerank_candidates);
        requested.min(most).min(u32::try_from(allowed).unwrap_or(u32::MAX))
    }

    /// Orders the scored candidates by the cross-encoder, ahead of the ones without a score.
    pub(super) async fn rerank(
        &self,
        request: &Recall,
        fused: &mut Vec<Fused>,
        loaded: &Loaded,
        deadline: &Deadline,
        degraded: &mut Vec<Degraded>,
    ) {
        if !self.reranks(request) || fused.is_empty() {
            return;
        }
        let Some(reranker) = &self.reranker else {
            degraded.push(Degraded::RerankUnavailable);
            return;
        };
        let passages: Vec<String> = fused
            .iter()
            .take(self.rerank_candidates(request) as usize)
            .map(|one| passage(one, loaded))
            .collect();
        // A cross-encoder keeps the deadline itself, and then has the scores so far; one that does not loses them.
        let scoring = reranker.score(&request.query, &passages, deadline.answer());
        match deadline.step(scoring).await.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(scores) => {
                if scores.len() < passages.len() {
                    degraded.push(Degraded::RerankDeadline);
                }
                reorder(fused, &scores);
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "reranking failed");
                degraded.push(Degraded::RerankUnavailable);
            }
        }
    }
}

/// Text given to the cross-encoder: the best-matching span, after the speaker's name.
fn passage(one: &Fused, loaded: &Loaded) -> String {
    let Some(memory) = loaded.get(&one.memory) else { return String::new() };
    let part = loaded.span(one).and_then(|(from, to)| memory.text.get(from as usize..to as usize));
    let part = part.unwrap_or(&memory.text);
    memory.author().map_or_else(|| part.to_owned(), |author| author.heading() + part)
}

/// Gives the first `scores.len()` candidates these scores and sorts them; the others keep their order behind.
fn reorder(fused: &mut Vec<Fused>, scores: &[f32]) {
    let unscored = fused.split_off(scores.len().min(fused.len()));
    let mut order: Vec<f32> = scores.to_vec();
    order.sort_by(|a, b| b.total_cmp(a));
    for (one, score) in fused.iter_mut().zip(scores) {
        let better = order.partition_point(|other| other > score);
        let rank = u32::try_from(better + 1).unwrap_or(u32::MAX);
        let signal =
            SignalScore { name: SignalName::Rerank, score: *score, rank, weight: 1.0, contribution: *score };
        one.explain.signals.push(signal);
        one.score = *score;
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.memory.cmp(&b.memory)));
    let below = fused.last().map(|one| one.score);
    fused.extend(unscored.into_iter().map(|mut one| {
        // The two kinds of score are not comparable; only the order has a meaning.
        if let Some(below) = below {
            one.score = below.min(0.0) - (1.0 - one.score.clamp(0.0, 1.0));
        }
        one
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MemoryId;
    use crate::domain::id::PartitionId;
    use crate::recall::response::Explanation;

    fn fused(id: u128, score: f32) -> Fused {
        let memory = MemoryId(uuid::Uuid::from_u128(id));
        Fused { partition: PartitionId(1), memory, score, explain: Explanation::default(), position: None }
    }

    #[test]
    fn scored_candidates_precede_the_others_in_order_of_score() {
        let mut order = vec![fused(1, 0.9), fused(2, 0.8), fused(3, 0.7), fused(4, 0.6)];
        reorder(&mut order, &[-2.0, 5.0]);
        let ids: Vec<u128> = order.iter().map(|one| one.memory.0.as_u128()).collect();
        assert_eq!(ids, [2, 1, 3, 4]);
        assert!(order.is_sorted_by(|a, b| a.score >= b.score), "scores follow the order");
        assert_eq!(order[0].explain.signals[0].rank, 1);
    }

    #[test]
    fn reranking_without_scores_keeps_the_order() {
        let mut order = vec![fused(1, 0.9), fused(2, 0.8)];
        let before = order.clone();
        reorder(&mut order, &[]);
        assert_eq!(order, before);
    }
}
