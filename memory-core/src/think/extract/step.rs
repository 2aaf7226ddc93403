//! Step of extraction: turns → candidate facts, by the language model of the task or by rules.

use crate::domain::derivation::Maker;
use crate::model::language_model::ask::Prompt;
use crate::store::Usage;
use crate::think::calls::{CallError, Called, ModelCalls, maker};
use crate::think::candidate::CandidateFact;
use crate::think::extract::contract::FactContract;
use crate::think::extract::{prompt, rules};
use crate::think::queue::batch::Batch;
use crate::think::settings::Task;

/// Maker of candidates by rules.
pub(in crate::think) const RULES: &str = "facts.rules";
/// Maker of candidates by a language model.
const MODEL: &str = "facts";

/// Candidates of a batch.
#[derive(Clone, Debug)]
pub(in crate::think) struct Extracted {
    pub(in crate::think) candidates: Vec<CandidateFact>,
    pub(in crate::think) maker: Maker,
    /// Number of facts of the model that their evidence does not support.
    pub(in crate::think) unsupported: u32,
    /// Usage of the model; `None` by rules.
    pub(in crate::think) usage: Option<Usage>,
}

/// Candidates of a batch, by the model of the task, else by rules.
///
/// # Errors
/// [`CallError`] of the model.
pub(in crate::think) async fn extract(calls: &ModelCalls<'_>, batch: &Batch) -> Result<Extracted, CallError> {
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
pub(in crate::think) fn by_rules(batch: &Batch) -> Extracted {
    let maker = Maker { name: RULES.to_owned(), model: None, prompt: None };
    Extracted { candidates: rules::candidates(&batch.turns), maker, unsupported: 0, usage: None }
}
