//! Configuration of thinking and of the language models that it calls.

use serde::{Deserialize, Serialize};

use super::Secret;

/// Thinking.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Thinking {
    /// Name of the default profile.
    pub profile: String,
    /// Extraction by rules where no language model extracts.
    pub rules: bool,
    /// Notes under the profile `default`.
    pub notes: bool,
    /// Digests and the portrait under the profile `default`.
    pub digests: bool,
    /// Number of turns after which an open session gets a digest.
    pub working_memory_turns: u32,
    /// Number of owners thought about at the same time.
    pub workers: usize,
    /// Maximum number of turns in one call of extraction.
    pub turns_per_call: u32,
    /// Maximum length of the turns in one prompt, in tokens.
    pub prompt_tokens: u32,
    /// Maximum length of a reply, in tokens.
    pub reply_tokens: u32,
    /// Maximum size of the replies kept in memory, in bytes.
    pub reply_cache_bytes: usize,
    /// Back end of each task.
    pub tasks: Tasks,
    /// Bounds per owner and day.
    pub budget: ThinkingBudget,
}

/// Back end of each task; empty for none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// Turns to facts.
    pub extract: String,
    /// Facts of a group to supersessions and merges.
    pub organise: String,
    /// Notes to links and contexts.
    pub evolve: String,
    /// Turns of a day to a digest.
    pub digest: String,
    /// Recalled memories to an answer.
    pub answer: String,
}

impl Tasks {
    /// Back ends by the name of their task.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("extract", self.extract.as_str()),
            ("organise", self.organise.as_str()),
            ("evolve", self.evolve.as_str()),
            ("digest", self.digest.as_str()),
            ("answer", self.answer.as_str()),
        ]
        .into_iter()
    }
}

/// Bounds per owner and day (UTC); 0 for no bound.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ThinkingBudget {
    /// Calls to language models.
    pub calls_per_day: u64,
    /// Tokens of prompts and replies.
    pub tokens_per_day: u64,
    /// Money, in the currency of the prices.
    pub cost_per_day: f64,
}

/// Back end of a language model: an OpenAI-compatible service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageModel {
    /// Base URL, without `/chat/completions`.
    pub url: String,
    /// Name of the model at the service.
    pub model: String,
    /// API key, sent as a bearer token.
    #[serde(default)]
    pub api_key: Secret,
    /// Structured output: `auto`, `json_schema`, `json_object`, `none`.
    #[serde(default = "auto")]
    pub structured_output: String,
    /// Timeout of one attempt, in milliseconds.
    #[serde(default = "two_minutes")]
    pub timeout_ms: u64,
    /// Maximum number of retries.
    #[serde(default = "three")]
    pub retries: u32,
    /// Maximum number of concurrent calls.
    #[serde(default = "four")]
    pub concurrent_calls: usize,
    /// Name of the parameter that limits the reply: `max_tokens` or `max_completion_tokens`.
    #[serde(default = "max_tokens")]
    pub reply_limit: String,
    /// False for models that accept no temperature but their own.
    #[serde(default = "yes")]
    pub send_temperature: bool,
    /// Streaming of replies.
    #[serde(default)]
    pub streaming: bool,
    /// Price of a million prompt tokens.
    #[serde(default)]
    pub price_per_million_prompt_tokens: f64,
    /// Price of a million reply tokens.
    #[serde(default)]
    pub price_per_million_reply_tokens: f64,
}

fn auto() -> String {
    "auto".to_owned()
}

fn max_tokens() -> String {
    "max_tokens".to_owned()
}

fn yes() -> bool {
    true
}

fn two_minutes() -> u64 {
    120_000
}

fn three() -> u32 {
    3
}

fn four() -> usize {
    4
}
