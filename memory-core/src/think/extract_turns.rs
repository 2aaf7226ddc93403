//! Step of extraction: turns → candidate facts, by the language model of the task or by rules.

use super::batch::Batch;
use super::candidate::CandidateFact;
use super::extract::contract::FactContract;
use super::extract::{prompt, rules};
use super::model_call::{CallError, Called, ModelCalls, maker};
use super::settings::Task;
use crate::domain::derivation::Maker;
use crate::model::language_model::ask::Prompt;
use crate::store::Usage;

/// Maker of candidates by rules.
pub(super) const RULES: &str = "facts.rules";
/// Maker of candidates by a language model.
const MODEL: &str = "facts";

/// Candidates of a batch.
#[derive(Clone, Debug)]
pub(super) struct Extracted {
    pub(super) candidates: Vec<CandidateFact>,
    pub(super) maker: Maker,
    /// Number of facts of the model that their evidence does not support.
    pub(super) unsupported: u32,
    /// Usage of the model; `None` by rules.
    pub(super) usage: Option<Usage>,
}

/// Candidates of a batch, by the model of the task, else by rules.
///
/// # Errors
/// [`CallError`] of the model.
pub(super) async fn extract(calls: &ModelCalls<'_>, batch: &Batch) -> Result<Extracted, CallError> {
    match calls.settings.model(Task::Extract) {
        Some(_) if batch.turns.is_empty() => Ok(by_rules(batch)),
        Some(model) => {
            let contract = FactContract::new(&batch.turns);
            let prompt = Prompt {
                system: prompt::instructions(),
                user: prompt::material(&batch.context, &batch.turns),
            };
            let Called { reply, usage } = calls.ask(Task::Extract, model, &contract, prompt).await?;
            Ok(Extracted {
                candidates: reply.candidates,
                maker: maker(MODEL, model, &contract),
                unsupported: reply.unsupported,
                usage: Some(usage.usage),
            })
        }
        None => Ok(by_rules(batch)),
    }
}

/// Candidates by rules.
pub(super) fn by_rules(batch: &Batch) -> Extracted {
    let maker = Maker { name: RULES.to_owned(), model: None, prompt: None };
    Extracted { candidates: rules::candidates(&batch.turns), maker, unsupported: 0, usage: None }
}
