//! HTTP transport of the remote embedder: one attempt of one request, with a bounded answer and typed failures.
//!
//! Replaces the default of `async-openai`, which retries by itself, loses the status of an error that is not JSON, and
//! reads answers of any size. Redirects are not followed, because they would send texts and key to another host.

use std::error::Error;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use thiserror::Error as ThisError;

use super::{Answer, RemoteEmbedderSettings};
use crate::model::{ModelError, tls};

/// Timeout of the connection; the timeout of the settings covers the whole attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of bytes per vector component in an answer.
const BYTES_PER_COMPONENT: usize = 32;
/// Maximum number of bytes of an answer besides its vectors, and of an error.
const MAX_OTHER_BYTES: usize = 64 << 10;
/// Maximum number of characters kept of an error message.
const MAX_MESSAGE_CHARS: usize = 300;

/// Client that reaches the configured service and no other.
pub(super) fn client(settings: &RemoteEmbedderSettings) -> Result<Client<OpenAIConfig>, String> {
    // The client would panic on a key that is not a valid header value.
    if http::HeaderValue::from_str(&format!("Bearer {}", settings.api_key)).is_err() {
        return Err("the API key holds characters that cannot be sent".into());
    }
    if !settings.base_url.starts_with("http://") && !settings.base_url.starts_with("https://") {
        return Err("base_url must begin with http:// or https://".into());
    }
    let tls = tls::client_config().map_err(|error| format!("no TLS: {error}"))?;
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(Duration::from_millis(settings.timeout_ms.max(1)))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    // Every field is set, because the defaults come from environment variables that may belong to another service.
    let config = OpenAIConfig::new()
        .with_api_base(settings.base_url.trim_end_matches('/'))
        .with_api_key(settings.api_key.as_str())
        .with_org_id("")
        .with_project_id("");
    let limit = settings
        .batch_texts
        .saturating_mul(settings.dimension)
        .saturating_mul(BYTES_PER_COMPONENT)
        .saturating_add(MAX_OTHER_BYTES);
    // Built from our own client: the library's own would look for a process-wide TLS provider, and panic.
    let client = Client::build(http.clone(), config);
    let service = tower::service_fn(move |request: HttpRequestFactory| {
        let http = http.clone();
        async move { send(http, request, limit).await.map_err(Box::<dyn Error + Send + Sync>::from) }
    });
    Ok(client.with_http_service(service))
}

/// Failure of one attempt.
#[derive(Debug, ThisError)]
pub(super) enum Failure {
    #[error("status {status}: {message}")]
    Status { status: u16, message: String, retry_after: Option<Duration> },
    #[error("no answer in time")]
    TimedOut,
    #[error("{0}")]
    Connection(String),
    #[error("{0}")]
    Answer(String),
}

impl Failure {
    /// Error of the port, with the wait that the service asked for.
    pub(super) fn into_model_error(
        self,
        settings: &RemoteEmbedderSettings,
    ) -> (ModelError, Option<Duration>) {
        match self {
            Self::Status { status, message, retry_after } => {
                (ModelError::Remote { status, message }, retry_after)
            }
            Self::TimedOut => {
                (ModelError::TimedOut { after: Duration::from_millis(settings.timeout_ms) }, None)
            }
            Self::Connection(reason) => (ModelError::Unreachable { reason }, None),
            Self::Answer(reason) => {
                (ModelError::InvalidOutput { model: settings.model.clone(), reason }, None)
            }
        }
    }
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(inner) => match inner.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(other) => Self::Connection(other.to_string()),
            },
            OpenAIError::Reqwest(error) => connection(error),
            OpenAIError::JSONDeserialize(error, _) => {
                Self::Answer(format!("not the JSON of embeddings: {error}"))
            }
            other => Self::Connection(other.to_string()),
        }
    }
}

async fn send(
    http: reqwest::Client,
    request: HttpRequestFactory,
    limit: usize,
) -> Result<reqwest::Response, Failure> {
    let request = request.build().await?;
    let mut response = http.execute(request).await.map_err(connection)?;
    let status = response.status();
    if !status.is_success() {
        let retry_after = retry_after(response.headers());
        let body = body(&mut response, MAX_OTHER_BYTES).await.unwrap_or_default();
        return Err(Failure::Status { status: status.as_u16(), message: message(&body), retry_after });
    }
    let body = body(&mut response, limit).await?;
    // Parsed here, because the library's client would log an unparsable answer in full.
    serde_json::from_slice::<Answer>(&body)
        .map_err(|error| Failure::Answer(format!("not the JSON of embeddings: {error}")))?;
    Ok(reqwest::Response::from(http::Response::new(body)))
}

async fn body(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(connection)? {
        if body.len() + chunk.len() > limit {
            return Err(Failure::Answer(format!("it is longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Message of the service if it is in OpenAI's form, else the beginning of the answer.
fn message(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let reported = parsed.as_ref().and_then(|value| value.pointer("/error/message")?.as_str());
    let text = reported.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// The innermost cause ("connection refused"); the address may contain a secret and is omitted.
fn connection(error: reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::TimedOut;
    }
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Failure::Connection(format!("{error}: {cause}"))
}
