//! Transport of the remote embedder: the client of its settings, and its failures as errors of the port.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::HttpRequestFactory;

use super::{Answer, RemoteEmbedderSettings};
use crate::model::ModelError;
use crate::model::openai_service::{self, Endpoint, Failure, MAX_OTHER_BYTES, body, head};

/// Maximum number of bytes per vector component in an answer.
const BYTES_PER_COMPONENT: usize = 32;

/// Client that reaches the configured service and no other.
pub(super) fn client(settings: &RemoteEmbedderSettings) -> Result<Client<OpenAIConfig>, String> {
    let limit = settings
        .batch_texts
        .saturating_mul(settings.dimension)
        .saturating_mul(BYTES_PER_COMPONENT)
        .saturating_add(MAX_OTHER_BYTES);
    let endpoint = Endpoint {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
        timeout: Duration::from_millis(settings.timeout_ms.max(1)),
    };
    openai_service::client(&endpoint, move |http, request| send(http, request, limit))
}

/// Error of the port, with the wait that the service asked for.
pub(super) fn model_error(
    failure: Failure,
    settings: &RemoteEmbedderSettings,
) -> (ModelError, Option<Duration>) {
    let invalid = |reason: String| ModelError::InvalidOutput { model: settings.model.clone(), reason };
    match failure {
        Failure::Status { status, message, retry_after, .. } => {
            (ModelError::Remote { status, message }, retry_after)
        }
        Failure::TimedOut => {
            (ModelError::TimedOut { after: Duration::from_millis(settings.timeout_ms) }, None)
        }
        Failure::Idle(after) => (ModelError::TimedOut { after }, None),
        Failure::Connection(reason) | Failure::Broken(reason) => (ModelError::Unreachable { reason }, None),
        failure @ Failure::TooLong(_) => (invalid(failure.to_string()), None),
        Failure::Answer(reason) => (invalid(reason.to_owned()), None),
    }
}

async fn send(
    http: reqwest::Client,
    request: HttpRequestFactory,
    limit: usize,
) -> Result<reqwest::Response, Failure> {
    let mut response = head(http, request).await?;
    let body = body(&mut response, limit).await?;
    // Parsed here, because the library's client would log an unparsable answer in full.
    serde_json::from_slice::<Answer>(&body).map_err(|_| Failure::Answer("not the JSON of embeddings"))?;
    Ok(reqwest::Response::from(http::Response::new(body)))
}
