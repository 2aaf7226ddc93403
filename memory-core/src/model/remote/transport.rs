//! The way to the service: one try of one request, with a bounded answer and typed failures.
//!
//! `async-openai` by itself retries in secret, forgets the status of an error that is not JSON, and reads answers of
//! any size; this transport is put under it so that none of that happens. Redirects are not followed: they would take
//! texts and key to another host.

use std::error::Error;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use thiserror::Error as ThisError;

use super::{Answer, RemoteEmbedderSettings};
use crate::model::{ModelError, tls};

/// Of the connection alone; the time-out of the settings covers the whole try.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer writes a component in at most this many bytes.
const BYTES_PER_COMPONENT: usize = 32;
/// What an answer may hold besides vectors, and all that is read of an error.
const MAX_OTHER_BYTES: usize = 64 << 10;
/// Characters of an error message that are kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// A client that reaches the configured service and no other.
pub(super) fn client(settings: &RemoteEmbedderSettings) -> Result<Client<OpenAIConfig>, String> {
    // The client would panic on a key that cannot be a header.
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
    // Every field is set: the defaults come from environment variables and may belong to another service.
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
    // Made of our own client: one that the library made would look for a TLS provider of the whole process, and panic.
    let client = Client::build(http.clone(), config);
    let service = tower::service_fn(move |request: HttpRequestFactory| {
        let http = http.clone();
        async move { send(http, request, limit).await.map_err(Box::<dyn Error + Send + Sync>::from) }
    });
    Ok(client.with_http_service(service))
}

/// Why one try failed.
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
    /// As the port tells it, with the wait that the service asked for.
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
    // Looked at here, for the client above writes an answer that it cannot read into the log, whole.
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

/// The service's own sentence where it gave one in OpenAI's form, else the beginning of what it sent.
fn message(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let told = parsed.as_ref().and_then(|value| value.pointer("/error/message")?.as_str());
    let text = told.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// The innermost cause says most ("connection refused"); the address may hold a secret and is left out.
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
