//! Draft of a digest: by the language model of the task, or extractive, of central sentences as they were said.

use std::collections::BTreeSet;

use super::contract::{SentencesContract, Supported};
use super::item::{Item, fitting, material};
use crate::domain::derivation::{Input, Maker};
use crate::domain::digest::Level;
use crate::domain::id::PartitionId;
use crate::engine::Engine;
use crate::jobs::JobFailure;
use crate::model::language_model::LanguageModelError;
use crate::model::language_model::ask::{AskError, Prompt};
use crate::think::calls::{CallError, maker};
use crate::think::extractive::{Sentence, central};
use crate::think::mechanism::Run;
use crate::think::queue::run::{REFUSALS_AT_MOST, is_about_the_turns};
use crate::think::settings::Task;

/// Maker of digests by a language model.
pub(super) const MODEL: &str = "digest";
/// Maker of digests without a language model.
const EXTRACTIVE: &str = "digest.extractive";
/// Maker of digests that stand in for those of a model while its budget is spent.
const FOR_BUDGET: &str = "digest.extractive.budget";
/// Maker of digests that stand in for those of a model whose replies were refused. It is asked once more, another day.
const FOR_REFUSAL: &str = "digest.extractive.refused";
/// Maker of digests of content that a model refused twice.
const GIVEN_UP: &str = "digest.extractive.given_up";
/// Maximum length of an extractive digest, in tokens.
const EXTRACT_TOKENS: u32 = 300;
/// Maximum length of the extractive insight of a day, in tokens.
const INSIGHT_TOKENS: u32 = 120;

/// Digest that is not written yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) text: String,
    /// All items that were in view, with those that the text rests on as evidence.
    pub(super) inputs: Vec<Input>,
    pub(super) maker: Maker,
}

/// Maker of extractive digests.
pub(super) fn extractive_maker() -> Maker {
    extractive(EXTRACTIVE)
}

fn extractive(name: &str) -> Maker {
    Maker { name: name.to_owned(), model: None, prompt: None }
}

/// True for a digest that stands in for that of a language model, which is to be asked again.
pub(super) fn is_stand_in(maker: &Maker) -> bool {
    [FOR_BUDGET, FOR_REFUSAL].contains(&maker.name.as_str())
}

impl Engine {
    /// Draft of a digest of these items; `None` if there is nothing to say. `needs_no_model`: it is extractive where the budget
    /// is spent, instead of waiting. `before` made the digest of the same items that is there.
    pub(super) async fn draft(
        &self,
        (run, partition): (&Run, PartitionId),
        level: Level,
        items: &[Item],
        needs_no_model: bool,
        before: Option<&Maker>,
    ) -> Result<Option<Draft>, JobFailure> {
        let Some(model) = self.thinking.settings.model(Task::Digest) else {
            return Ok(extract(level, items, EXTRACTIVE));
        };
        let shown = fitting(items, self.thinking.settings.prompt_tokens);
        let contract = SentencesContract { level, shown: &shown };
        let prompt = Prompt { system: contract.instructions().to_owned(), user: material(&shown) };
        let calls = self.model_calls(run.tenant, Some(partition));
        match calls.ask(Task::Digest, model, &contract, prompt).await {
            Ok(called) => {
                let evidence: BTreeSet<usize> =
                    called.reply.iter().flat_map(|one| one.evidence.iter().copied()).collect();
                let inputs = shown
                    .iter()
                    .enumerate()
                    .map(|(at, one)| Input { source: one.item.source, is_evidence: evidence.contains(&at) });
                let texts: Vec<&str> =
                    called.reply.iter().map(|Supported { text, .. }| text.as_str()).collect();
                let draft = Draft {
                    text: texts.join("\n"),
                    inputs: inputs.collect(),
                    maker: maker(MODEL, model, &contract),
                };
                Ok((!draft.text.is_empty()).then_some(draft))
            }
            Err(CallError::Budget(_)) if needs_no_model => Ok(extract(level, items, FOR_BUDGET)),
            Err(CallError::Ask(error)) if is_given_up(&error, run.context.job().failures) => {
                let is_second = before.is_some_and(|maker| maker.name == FOR_REFUSAL);
                Ok(extract(level, items, if is_second { GIVEN_UP } else { FOR_REFUSAL }))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// True if the model will not give a usable reply to this material.
pub(super) fn is_given_up(error: &AskError, failures: u32) -> bool {
    let is_too_long = matches!(error, AskError::Model { error: LanguageModelError::TooLong, .. });
    is_too_long || is_about_the_turns(error) && failures >= REFUSALS_AT_MOST
}

/// Digest of central sentences; `None` if there are none.
fn extract(level: Level, items: &[Item], maker: &str) -> Option<Draft> {
    let line = |item: &Item| match level {
        Level::PersonalityOfDay => item.in_first_person(),
        Level::EventsOfAll => Some(format!("{}: {}", item.shown_at, item.beginning().replace('\n', " "))),
        Level::EventsOfDay | Level::Portrait => Some(item.line(&item.beginning())),
    };
    let said: Vec<(usize, String)> =
        items.iter().enumerate().filter_map(|(at, item)| Some((at, line(item)?))).collect();
    let sentences: Vec<Sentence<'_>> =
        said.iter().filter_map(|(at, text)| items.get(*at).map(|item| item.sentence(text))).collect();
    let budget = if level == Level::PersonalityOfDay { INSIGHT_TOKENS } else { EXTRACT_TOKENS };
    let chosen = central(&sentences, budget);
    // A single long text without a space may exceed the budget: its beginning is bounded in bytes.
    let chosen = if chosen.is_empty() { vec![0] } else { chosen };
    let chosen: Vec<&(usize, String)> = chosen.into_iter().filter_map(|at| said.get(at)).collect();
    let evidence: BTreeSet<usize> = chosen.iter().map(|(at, _)| *at).collect();
    let text = chosen.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    let inputs = items.iter().enumerate();
    let inputs = inputs.map(|(at, item)| Input { source: item.source, is_evidence: evidence.contains(&at) });
    (!text.is_empty()).then(|| Draft { text, inputs: inputs.collect(), maker: extractive(maker) })
}
