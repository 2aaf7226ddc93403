//! Transport of the language model: the client of its settings, and its failures as errors of the port.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::HttpRequestFactory;

use super::settings::OpenAiModelSettings;
use super::stream;
use super::wire::{Answer, Completion};
use crate::model::language_model::{LanguageModelError, REPLY_BYTES_AT_MOST};
use crate::model::openai_service::{self, Endpoint, Failure, MAX_OTHER_BYTES, body, head};

/// Maximum length of an answer, in bytes: the longest reply with every character escaped in six.
const ANSWER_BYTES_AT_MOST: usize = REPLY_BYTES_AT_MOST * 6 + MAX_OTHER_BYTES;
/// Words of the message by which services reject a prompt that exceeds the context length.
const CONTEXT_LENGTH: [&str; 5] =
    ["context length", "context_length", "context size", "context window", "maximum model length"];
/// Codes of status 429 that no wait resolves.
const NO_CREDIT: [&str; 2] = ["insufficient_quota", "billing_hard_limit_reached"];

/// Client that reaches the configured service and no other.
pub(super) fn client(settings: &OpenAiModelSettings) -> Result<Client<OpenAIConfig>, String> {
    let endpoint = Endpoint {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
        timeout: Duration::from_millis(settings.timeout_ms.max(1)),
    };
    let idle = Duration::from_millis(settings.idle_timeout_ms.max(1));
    openai_service::client(&endpoint, move |http, request| send(http, request, idle))
}

/// Reads an answer of either form, and passes it on as the JSON of a [`Completion`].
///
/// Streams are folded here, because the library's reader is not bounded, reads in a task that outlives the call, and
/// logs an unparsable event in full.
async fn send(
    http: reqwest::Client,
    request: HttpRequestFactory,
    idle: Duration,
) -> Result<reqwest::Response, Failure> {
    let mut response = head(http, request).await?;
    let content_type = response.headers().get(http::header::CONTENT_TYPE);
    let is_stream = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().contains("text/event-stream"));
    let completion = if is_stream {
        stream::read(&mut response, idle, ANSWER_BYTES_AT_MOST).await?
    } else {
        completion(&body(&mut response, ANSWER_BYTES_AT_MOST).await?)?
    };
    let json = serde_json::to_vec(&completion).map_err(|_| Failure::Answer("it cannot be passed on"))?;
    Ok(reqwest::Response::from(http::Response::new(json)))
}

fn completion(body: &[u8]) -> Result<Completion, Failure> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| Failure::Answer("not the JSON of a completion"))?;
    if !answer.has_choice() {
        return Err(Failure::Answer("it has no completion"));
    }
    let mut whole = Completion::default();
    answer.add_to(&mut whole);
    if whole.text.len() > REPLY_BYTES_AT_MOST {
        return Err(Failure::TooLong(REPLY_BYTES_AT_MOST));
    }
    Ok(whole)
}

/// True if the service may have billed the attempt, because it had begun to reply.
pub(super) fn may_be_billed(failure: &Failure) -> bool {
    !matches!(failure, Failure::Status { .. } | Failure::Connection(_))
}

/// Wait that the service asks for.
pub(super) fn asked_for(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Status { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// Error of the port, without the message of the service.
pub(super) fn error(failure: Failure, timeout: Duration) -> LanguageModelError {
    match failure {
        Failure::Status { status, code, message, retry_after } => {
            refused(status, code, &message, retry_after)
        }
        Failure::TimedOut => LanguageModelError::Timeout { after: timeout },
        Failure::Idle(after) => LanguageModelError::Timeout { after },
        Failure::Connection(reason) => LanguageModelError::Unavailable { reason },
        Failure::Broken(_) => LanguageModelError::Unreadable { reason: "the connection broke within it" },
        Failure::TooLong(_) => LanguageModelError::TooLarge { bytes_at_most: REPLY_BYTES_AT_MOST },
        Failure::Answer(reason) => LanguageModelError::Unreadable { reason },
    }
}

fn refused(status: u16, code: String, message: &str, retry_after: Option<Duration>) -> LanguageModelError {
    let message = message.to_lowercase();
    let names_context = code.contains("context") || CONTEXT_LENGTH.iter().any(|word| message.contains(word));
    match status {
        413 => LanguageModelError::TooLong,
        400 | 422 | 500 if names_context => LanguageModelError::TooLong,
        429 if !NO_CREDIT.contains(&code.as_str()) => LanguageModelError::RateLimited { retry_after },
        408 | 409 | 425 => LanguageModelError::Unavailable { reason: format!("status {status}") },
        500 | 502.. => LanguageModelError::Unavailable { reason: format!("status {status}") },
        _ => LanguageModelError::Rejected { status, code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_typed_by_remedy() {
        let kind = |status, code: &str, message: &str| refused(status, code.to_owned(), message, None).code();
        // OpenAI, vLLM, llama.cpp.
        assert_eq!(kind(400, "context_length_exceeded", ""), "prompt_too_long");
        assert_eq!(
            kind(400, "BadRequestError", "This model's maximum context length is 4096"),
            "prompt_too_long"
        );
        assert_eq!(kind(400, "exceed_context_size_error", ""), "prompt_too_long");
        assert_eq!(kind(413, "unknown", "<html>"), "prompt_too_long");
        assert_eq!(kind(429, "rate_limit_exceeded", ""), "rate_limited");
        assert_eq!(kind(429, "insufficient_quota", ""), "rejected");
        assert_eq!((kind(503, "", ""), kind(408, "", "")), ("unavailable", "unavailable"));
        for status in [301, 400, 401, 403, 404, 501] {
            assert_eq!(kind(status, "x", "a secret"), "rejected");
        }
    }
}
