//! Settings of a language model behind an OpenAI-compatible service.

use std::fmt;

use serde::Deserialize;

use crate::model::language_model::Price;

/// Settings of a language model behind `/v1/chat/completions`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiModelSettings {
    /// Base address, without `/chat/completions`, such as `http://localhost:11434/v1`.
    pub base_url: String,
    /// Bearer token; empty for a service without authentication. Never read from the environment here.
    #[serde(default)]
    pub api_key: String,
    /// Model name in the service.
    pub model: String,
    /// Way to demand JSON from the service.
    #[serde(default)]
    pub structured_output: StructuredOutput,
    /// True to read the reply as it is made, so that a silent service is noticed early.
    #[serde(default)]
    pub stream: bool,
    /// Name of the parameter that limits the reply.
    #[serde(default)]
    pub reply_limit: ReplyLimit,
    /// False for models that accept no temperature but their own, as reasoning models of OpenAI.
    #[serde(default = "defaults::send_temperature")]
    pub send_temperature: bool,
    /// Timeout of one attempt, in milliseconds, from the connection to the last byte of the reply.
    #[serde(default = "defaults::timeout_ms")]
    pub timeout_ms: u64,
    /// Maximum wait for the next part of a stream, in milliseconds.
    #[serde(default = "defaults::idle_timeout_ms")]
    pub idle_timeout_ms: u64,
    /// Number of retries after 408, 429, 5xx, a broken connection, a timeout or an unreadable answer.
    #[serde(default = "defaults::retries")]
    pub retries: u32,
    /// Wait before the first retry, in milliseconds; doubled for each further one, at most 20 s. A `Retry-After` of the
    /// service replaces it, at most 60 s.
    #[serde(default = "defaults::backoff_ms")]
    pub backoff_ms: u64,
    /// Maximum number of concurrent requests.
    #[serde(default = "defaults::concurrent_requests")]
    pub concurrent_requests: usize,
    /// Maximum number of calls that wait for a place; further ones are refused as busy.
    #[serde(default = "defaults::waiting_requests")]
    pub waiting_requests: usize,
    /// Price of the tokens, for budgets and reports.
    #[serde(default)]
    pub price: Price,
}

/// Way to demand JSON from a service: its `response_format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructuredOutput {
    /// `json_schema`, until the service rejects it; then `json_object`, then `none`.
    #[default]
    Auto,
    /// The service enforces the schema.
    JsonSchema,
    /// The service enforces JSON; the schema is a part of the prompt.
    JsonObject,
    /// The schema is a part of the prompt.
    None,
}

/// Name of the parameter that limits the length of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyLimit {
    /// `max_tokens`, which every server knows.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which reasoning models of OpenAI demand. It limits hidden reasoning too.
    MaxCompletionTokens,
}

impl ReplyLimit {
    /// Name on the wire.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

mod defaults {
    pub(super) fn send_temperature() -> bool {
        true
    }
    pub(super) fn timeout_ms() -> u64 {
        120_000
    }
    pub(super) fn idle_timeout_ms() -> u64 {
        60_000
    }
    pub(super) fn retries() -> u32 {
        3
    }
    pub(super) fn backoff_ms() -> u64 {
        500
    }
    pub(super) fn concurrent_requests() -> usize {
        4
    }
    pub(super) fn waiting_requests() -> usize {
        256
    }
}

impl fmt::Debug for OpenAiModelSettings {
    /// Debug output without the key, and without the address, which may contain one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenAiModelSettings")
            .field("model", &self.model)
            .field("structured_output", &self.structured_output)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
