//! Forgetting of a recall: the policy of each partition's owner, as the request changes it, and what the answer says of it.
//!
//! The curve is that of the request, else of the owner's policy, else of the engine's. The weight of retention is that of the request,
//! else of the policy, else the setting of recall.

use std::sync::Arc;

use futures::future::try_join_all;

use super::request::Recall;
use super::response::{RecalledMemory, RetentionDetail};
use crate::domain::id::PartitionId;
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{Forgetting, ScanWeights, View};
use crate::retention::{Curve as _, Policy, threshold};
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
            one.explain.retention = self.retention_detail(request, view, &one.memory);
            let policy = view.forgetting.as_ref().map(|forgetting| &forgetting.policy);
            one.forgotten = policy.and_then(|policy| policy.forgotten(&one.memory, view.now));
        }
    }

    /// Retention of a memory, where it has a weight or can hide something, or where the request names a curve.
    pub(super) fn retention_detail(
        &self,
        request: &Recall,
        view: &View,
        memory: &Memory,
    ) -> Option<RetentionDetail> {
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

/// The policy with the curve of the request, if it names one.
fn requested(policy: Arc<Policy>, request: &Recall) -> Arc<Policy> {
    match request.curve {
        Some(curve) if curve != policy.curve => Arc::new(Policy { curve, ..(*policy).clone() }),
        _ => policy,
    }
}
