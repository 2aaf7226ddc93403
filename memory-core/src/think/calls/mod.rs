//! Calls of language models by thinking: within the budget of the owner, with their usage recorded.

pub(in crate::think) mod budget;
pub mod meter;

use std::sync::Arc;

use crate::domain::derivation::Maker;
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::JobFailure;
use crate::model::language_model::ask::{AskError, AskLimits, Asked, Contract, Prompt, ask};
use crate::store::{Store, StoreError, Usage, UsageEntry};
use crate::think::calls::budget::{Exhausted, exhausted};
use crate::think::calls::meter::Meter;
use crate::think::queue::switch::Switch;
use crate::think::settings::{Task, TaskModel, ThinkingSettings};

/// Failure of a call.
#[derive(Debug)]
pub(in crate::think) enum CallError {
    /// The budget of the owner is exhausted for today.
    Budget(Exhausted),
    /// The model failed, or its replies were refused.
    Ask(AskError),
    /// The store failed.
    Store(StoreError),
}

impl CallError {
    /// Error of a request.
    pub(in crate::think) fn into_error(self) -> Error {
        match self {
            CallError::Budget(bound) => Error::BudgetExhausted { code: bound.code() },
            CallError::Ask(error) => Error::LanguageModel { code: error.code() },
            CallError::Store(error) => Error::from(error),
        }
    }
}

impl From<CallError> for JobFailure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Budget(bound) => JobFailure::Final { code: bound.code().to_owned() },
            CallError::Ask(AskError::Model { error, .. }) if !error.is_retryable() => {
                JobFailure::Final { code: error.code().to_owned() }
            }
            CallError::Ask(error) => JobFailure::Retry { code: error.code().to_owned() },
            CallError::Store(error) => JobFailure::from(Error::from(error)),
        }
    }
}

/// One accepted reply, with its cost.
#[derive(Debug)]
pub(in crate::think) struct Called<T> {
    pub(in crate::think) reply: T,
    pub(in crate::think) usage: UsageEntry,
}

/// Calls models for one owner.
pub(in crate::think) struct ModelCalls<'a> {
    pub(in crate::think) store: &'a Arc<dyn Store>,
    pub(in crate::think) settings: &'a ThinkingSettings,
    pub(in crate::think) meter: &'a Meter,
    pub(in crate::think) tenant: TenantId,
    /// Partition of the owner; `None` for one without memories, whose usage is not recorded.
    pub(in crate::think) partition: Option<PartitionId>,
    pub(in crate::think) now: Timestamp,
}

impl Engine {
    /// Calls for one owner, accounted to its partition.
    pub(in crate::think) fn model_calls(
        &self,
        tenant: TenantId,
        partition: Option<PartitionId>,
    ) -> ModelCalls<'_> {
        let Switch { settings, meter, .. } = &self.thinking;
        ModelCalls { store: &self.store, settings, meter, tenant, partition, now: self.now() }
    }
}

impl ModelCalls<'_> {
    /// Asks the model of a task under a contract.
    ///
    /// # Errors
    /// [`CallError`]. The usage of a failed call is recorded as well.
    pub(in crate::think) async fn ask<C: Contract>(
        &self,
        task: Task,
        with: &TaskModel,
        contract: &C,
        prompt: Prompt,
    ) -> Result<Called<C::Reply>, CallError> {
        self.check_budget().await?;
        let limits = AskLimits::tokens(self.settings.reply_tokens);
        let asked = ask(&*with.model, contract, prompt, limits).await;
        let usage = self.entry(task, with, &asked);
        self.meter.add(task, with.model.identity(), &usage.usage);
        if let Some(partition) = self.partition {
            self.store.add_usage(partition, std::slice::from_ref(&usage)).await.map_err(CallError::Store)?;
        }
        match asked {
            Ok(Asked { reply, .. }) => Ok(Called { reply, usage }),
            Err(error) => {
                tracing::warn!(
                    task = task.as_str(),
                    model = %with.model.identity(),
                    code = error.code(),
                    refused = error.refused().join(","),
                    "a language model gave no usable reply"
                );
                Err(CallError::Ask(error))
            }
        }
    }

    async fn check_budget(&self) -> Result<(), CallError> {
        let (budget, Some(partition)) = (&self.settings.budget, self.partition) else { return Ok(()) };
        if *budget == Default::default() {
            return Ok(());
        }
        let today = self.store.usage(self.tenant, Some(partition), self.now.day()).await;
        match exhausted(budget, &today.map_err(CallError::Store)?) {
            Some(bound) => Err(CallError::Budget(bound)),
            None => Ok(()),
        }
    }

    fn entry<T>(&self, task: Task, with: &TaskModel, asked: &Result<Asked<T>, AskError>) -> UsageEntry {
        let (usage, calls, refused) = match asked {
            Ok(asked) => (asked.usage, asked.calls, asked.refused.len()),
            Err(error) => (error.usage(), error.calls(), error.refused().len()),
        };
        UsageEntry {
            day: self.now.day(),
            task: task.as_str().to_owned(),
            model: with.model.identity().to_string(),
            usage: Usage {
                calls: u64::from(calls),
                refused_replies: refused as u64,
                failures: u64::from(asked.is_err()),
                prompt_tokens: usage.prompt_tokens,
                reply_tokens: usage.reply_tokens,
                cost_micros: micros(with.price.cost(&usage)),
            },
        }
    }
}

/// Maker of a derivation that a model made under a contract.
pub(in crate::think) fn maker(mechanism: &str, with: &TaskModel, contract: &impl Contract) -> Maker {
    Maker {
        name: mechanism.to_owned(),
        model: Some(with.model.identity().to_string()),
        prompt: Some(contract.prompt_version().to_owned()),
    }
}

/// Money in millionths, rounded up, so that the cost of a call is never lost.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn micros(cost: f64) -> u64 {
    if cost.is_finite() && cost > 0.0 { (cost * 1e6).ceil().min(1e18) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_up_and_never_negative() {
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(micros), [0; 4]);
        assert_eq!([1e-9, 0.25, 1e300].map(micros), [1, 250_000, 1_000_000_000_000_000_000]);
    }
}
