//! Forgetting of a recall: the policy of each partition's owner, as the request changes it, and what the answer says of it.
//!
//! The curve is that of the request, else of the owner's policy, else of the engine's. The weight of retention is that of the request,
//! else of the policy, else the setting of recall.

use std::sync::Arc;

use futures::future::try_join_all;

use super::request::Recall;
use super::response::{DenseTerms, Explanation, RecalledMemory, RetentionDetail};
use super::signals::SignalName;
use crate::domain::id::PartitionId;
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{Forgetting, ScanWeights, View};
use crate::retention::{Curve as _, ForgottenNow, Policy, threshold};
use crate::scope::SearchTargets;

/// Microseconds of a day.
const MICROS_PER_DAY: f64 = 86_400_000_000.0;

impl Engine {
    /// The targets of a recall, each view with the policy of the partition's owner.
    pub(super) async fn recall_targets(
        &self,
        caller: &Caller,
        request: &Recall,
        view: &View,
    ) -> Result<SearchTargets, Error> {
        let mut targets = self.search_targets(caller, &request.scope, view, request.include_granted).await?;
        let policies = targets
            .partitions
            .iter()
            .map(|(partition, view)| self.policy_of_target(caller, request, (*partition, view), &targets));
        let policies = try_join_all(policies).await?;
        for ((_, view), policy) in targets.partitions.iter_mut().zip(policies) {
            let policy = requested(policy, request);
            view.forgetting = Some(Forgetting { policy, includes_forgotten: request.include_forgotten });
        }
        Ok(targets)
    }

    /// Policy of the owner of a partition. Owners are looked up only where some have policies of their own.
    async fn policy_of_target(
        &self,
        caller: &Caller,
        request: &Recall,
        (partition, view): (PartitionId, &View),
        targets: &SearchTargets,
    ) -> Result<Arc<Policy>, Error> {
        if self.policies.is_empty() {
            return Ok(Arc::clone(&self.forgetting));
        }
        let known = match view.shared_only {
            true => targets.givers.get(&partition).cloned(),
            false => request.scope.owner(),
        };
        let owner = match known {
            Some(owner) => Some(owner),
            None => self.store.owner_of(partition).await?.map(|(_, owner)| owner),
        };
        Ok(match owner {
            Some(owner) => self.policy_of(caller.tenant, &owner),
            None => Arc::clone(&self.forgetting),
        })
    }

    /// Weights of the score inside the scan of a partition.
    pub(super) fn scan_weights(&self, request: &Recall, view: &View) -> ScanWeights {
        let own = view.forgetting.as_ref().and_then(|forgetting| forgetting.policy.weight);
        let mut weights = self.recall_settings.weights.with(request.weights).of_scan();
        if let (None, Some(weight)) = (request.weights.retention, own) {
            weights.retention = weight;
        }
        weights
    }

    /// Adds what the policies say of the memories of an answer.
    pub(super) fn explain_forgetting(
        &self,
        request: &Recall,
        targets: &SearchTargets,
        memories: &mut [RecalledMemory],
    ) {
        for one in memories {
            let Some((_, view)) =
                targets.partitions.iter().find(|(partition, _)| *partition == one.partition)
            else {
                continue;
            };
            one.forgotten = self.explain_memory(request, view, &one.memory, &mut one.explain);
        }
    }

    /// Adds the retention of a memory and the terms of its dense score to an explanation. Returns the memory as forgotten at the
    /// reference time; `None` if it is not.
    pub(super) fn explain_memory(
        &self,
        request: &Recall,
        view: &View,
        memory: &Memory,
        explain: &mut Explanation,
    ) -> Option<ForgottenNow> {
        explain.retention = self.retention_detail(request, view, memory);
        explain.dense = dense_terms(explain, self.scan_weights(request, view));
        view.forgetting.as_ref()?.policy.forgotten(memory, view.now)
    }

    /// Retention of a memory, where it has a weight or can hide something, or where the request names a curve.
    fn retention_detail(&self, request: &Recall, view: &View, memory: &Memory) -> Option<RetentionDetail> {
        let policy = &view.forgetting.as_ref()?.policy;
        let is_of_use = request.curve.is_some()
            || policy.effect.is_some()
            || self.scan_weights(request, view).retention > 0.0;
        is_of_use.then(|| {
            let trace = policy.trace(memory.kind, &memory.strength);
            let state = policy.curve.state(&trace, view.now);
            let elapsed_us = view.now.as_micros().saturating_sub(state.refreshed_at.as_micros()).max(0);
            #[expect(clippy::cast_precision_loss, reason = "for display")]
            let elapsed_days = elapsed_us as f64 / MICROS_PER_DAY;
            RetentionDetail {
                retention: policy.curve.retention(&trace, view.now),
                strength: state.strength,
                elapsed_days,
                curve: policy.curve,
                threshold: threshold(memory.id),
            }
        })
    }
}

/// Terms of the dense score in an explanation that has the retention. The importance is what the others leave of the score:
/// the scan had that of the present version, also for an earlier one.
fn dense_terms(explain: &Explanation, weights: ScanWeights) -> Option<DenseTerms> {
    if weights.retention <= 0.0 && weights.importance <= 0.0 {
        return None;
    }
    let score = explain.signals.iter().find(|signal| signal.name == SignalName::Dense)?.score;
    let similarity = weights.similarity * explain.cosine?;
    #[expect(clippy::cast_possible_truncation, reason = "for display, as exact as the score")]
    let retained = explain.retention.map_or(0.0, |detail| detail.retention as f32);
    let retention = weights.retention * retained;
    let importance = if weights.importance <= 0.0 { 0.0 } else { score - similarity - retention };
    Some(DenseTerms { similarity, retention, importance })
}

/// The policy with the curve of the request, if it names one.
fn requested(policy: Arc<Policy>, request: &Recall) -> Arc<Policy> {
    match request.curve {
        Some(curve) if curve != policy.curve => Arc::new(Policy { curve, ..(*policy).clone() }),
        _ => policy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::response::SignalScore;
    use crate::retention::CurveId;

    fn explanation(score: f32) -> Explanation {
        let name = SignalName::Dense;
        let signals = vec![SignalScore { name, score, rank: 1, weight: 1.0, contribution: 1.0 }];
        let detail = RetentionDetail {
            retention: 0.25,
            strength: 1.0,
            elapsed_days: 1.0,
            curve: CurveId::None,
            threshold: 0.5,
        };
        Explanation { signals, cosine: Some(0.5), retention: Some(detail), ..Explanation::default() }
    }

    #[test]
    fn the_terms_of_a_dense_score_are_its_weighted_cosine_retention_and_importance() {
        let weights = |retention, importance| ScanWeights { similarity: 2.0, retention, importance };
        let terms = |score, weights| dense_terms(&explanation(score), weights);
        let expected = |retention, importance| Some(DenseTerms { similarity: 1.0, retention, importance });
        assert_eq!(terms(1.0, weights(0.0, 0.0)), None, "the score is the weighted cosine");
        assert_eq!(terms(2.0, weights(4.0, 0.0)), expected(1.0, 0.0));
        assert_eq!(terms(2.5, weights(4.0, 1.0)), expected(1.0, 0.5));
        assert_eq!(terms(1.75, weights(0.0, 1.0)), expected(0.0, 0.75));
        let lexical = Explanation { signals: Vec::new(), cosine: None, ..explanation(1.0) };
        assert_eq!(dense_terms(&lexical, weights(1.0, 1.0)), None, "no vector, no dense score");
    }
}
