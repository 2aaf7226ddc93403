//! Settings of thinking from the configuration, with the language model of each task.

use std::collections::BTreeMap;
use std::sync::Arc;

use memory_core::model::language_model::cached::CachedModel;
use memory_core::model::language_model::{LanguageModel, Price};
use memory_core::think::settings::{Budget, Profile, Task, TaskModel, ThinkingSettings};

use super::StartError;
use crate::config::{self, Config};

/// Settings of thinking.
pub(super) fn thinking_settings(config: &Config) -> Result<ThinkingSettings, StartError> {
    let thinking = &config.thinking;
    Ok(ThinkingSettings {
        profile: Profile::parse(&thinking.profile).unwrap_or_default(),
        use_rules: thinking.rules,
        makes_notes: thinking.notes,
        makes_digests: thinking.digests,
        working_memory_turns: thinking.working_memory_turns,
        models: task_models(config)?,
        budget: budget(&thinking.budget),
        workers: thinking.workers,
        turns_per_call: thinking.turns_per_call,
        prompt_tokens: thinking.prompt_tokens,
        reply_tokens: thinking.reply_tokens,
        ..ThinkingSettings::default()
    })
}

fn budget(budget: &config::ThinkingBudget) -> Budget {
    let bound = |bound: u64| (bound > 0).then_some(bound);
    Budget {
        calls_per_day: bound(budget.calls_per_day),
        tokens_per_day: bound(budget.tokens_per_day),
        cost_micros_per_day: bound(money_micros(budget.cost_per_day)),
    }
}

/// Money in millionths. [`Config::check`] bounds it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
fn money_micros(money: f64) -> u64 {
    (money * 1e6).clamp(0.0, 1e18) as u64
}

/// One model per back end, shared by its tasks, so that its limit of concurrent calls is one limit.
fn task_models(config: &Config) -> Result<BTreeMap<Task, TaskModel>, StartError> {
    let mut opened: BTreeMap<&str, TaskModel> = BTreeMap::new();
    let mut by_task = BTreeMap::new();
    for (name, back_end) in config.thinking.tasks.iter().filter(|(_, back_end)| !back_end.is_empty()) {
        let Some(task) = Task::ALL.into_iter().find(|task| task.as_str() == name) else { continue };
        // `Config::check` refuses a back end that is not there.
        let Some(settings) = config.language_models.get(back_end) else { continue };
        let model = match opened.get(back_end) {
            Some(model) => model.clone(),
            None => {
                let price = Price {
                    per_million_prompt_tokens: settings.price_per_million_prompt_tokens,
                    per_million_reply_tokens: settings.price_per_million_reply_tokens,
                };
                let model = language_model(back_end, settings, price)?;
                let model = match config.thinking.reply_cache_bytes {
                    0 => model,
                    bytes => Arc::new(CachedModel::new(model, bytes)),
                };
                TaskModel { model, price }
            }
        };
        opened.insert(back_end, model.clone());
        by_task.insert(task, model);
    }
    Ok(by_task)
}

#[cfg(feature = "remote-models")]
fn language_model(
    name: &str,
    settings: &config::LanguageModel,
    price: Price,
) -> Result<Arc<dyn LanguageModel>, StartError> {
    use memory_core::model::ModelError;
    use memory_core::model::language_model::openai::{OpenAiModel, OpenAiModelSettings};

    // Decoded like a configuration, so that omitted fields have the settings' own defaults.
    let settings = serde_json::from_value::<OpenAiModelSettings>(serde_json::json!({
        "base_url": settings.url,
        "api_key": settings.api_key.reveal(),
        "model": settings.model,
        "structured_output": settings.structured_output,
        "stream": settings.streaming,
        "reply_limit": settings.reply_limit,
        "send_temperature": settings.send_temperature,
        "timeout_ms": settings.timeout_ms,
        "retries": settings.retries,
        "concurrent_requests": settings.concurrent_calls,
        "price": price,
    }));
    let unusable = |reason: String| ModelError::Unusable { model: name.to_owned(), reason };
    let settings = settings.map_err(|error| unusable(error.to_string()))?;
    let model = OpenAiModel::new(name, settings).map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(model))
}

#[cfg(not(feature = "remote-models"))]
fn language_model(
    _name: &str,
    _settings: &config::LanguageModel,
    _price: Price,
) -> Result<Arc<dyn LanguageModel>, StartError> {
    Err(StartError::NotInThisBuild { what: "a language model".to_owned(), feature: "remote-models" })
}
