//! HTTP transport of OpenAI-compatible services: one attempt of one request, with a bounded answer and typed failures.
//!
//! Replaces the default of `async-openai`, which retries by itself, loses the status of an error that is not JSON, and
//! reads answers of any size. Redirects are not followed, because they would send texts and key to another host.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use thiserror::Error as ThisError;

use super::tls;

/// Timeout of the connection; the timeout of an endpoint covers the whole attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of bytes of an answer besides its payload, and of an error.
pub(super) const MAX_OTHER_BYTES: usize = 64 << 10;
/// Maximum number of characters kept of an error message.
const MAX_MESSAGE_CHARS: usize = 300;
/// Maximum length of the code of an error, in bytes.
const MAX_CODE_BYTES: usize = 64;

/// Place of a service, and the time of one attempt.
pub(super) struct Endpoint<'a> {
    pub(super) base_url: &'a str,
    pub(super) api_key: &'a str,
    pub(super) timeout: Duration,
}

/// Client that reaches the configured service and no other, through `send`.
pub(super) fn client<F, Sending>(endpoint: &Endpoint<'_>, send: F) -> Result<Client<OpenAIConfig>, String>
where
    F: Fn(reqwest::Client, HttpRequestFactory) -> Sending + Clone + Send + Sync + 'static,
    Sending: Future<Output = Result<reqwest::Response, Failure>> + Send + 'static,
{
    // The client would panic on a key that is not a valid header value.
    if http::HeaderValue::from_str(&format!("Bearer {}", endpoint.api_key)).is_err() {
        return Err("the API key holds characters that cannot be sent".into());
    }
    if !endpoint.base_url.starts_with("http://") && !endpoint.base_url.starts_with("https://") {
        return Err("base_url must begin with http:// or https://".into());
    }
    let tls = tls::client_config().map_err(|error| format!("no TLS: {error}"))?;
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(endpoint.timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    // Every field is set, because the defaults come from environment variables that may belong to another service.
    let config = OpenAIConfig::new()
        .with_api_base(endpoint.base_url.trim_end_matches('/'))
        .with_api_key(endpoint.api_key)
        .with_org_id("")
        .with_project_id("");
    // Built from our own client: the library's own would look for a process-wide TLS provider, and panic.
    let client = Client::build(http.clone(), config);
    let service = tower::service_fn(move |request: HttpRequestFactory| {
        let sending = send(http.clone(), request);
        async move { sending.await.map_err(Box::<dyn Error + Send + Sync>::from) }
    });
    Ok(client.with_http_service(service))
}

/// Failure of one attempt.
#[derive(Debug, ThisError)]
pub(super) enum Failure {
    /// `message` may quote the request; `code` may not.
    #[error("status {status}: {message}")]
    Status { status: u16, code: String, message: String, retry_after: Option<Duration> },
    #[error("no answer in time")]
    TimedOut,
    /// No byte of a stream for this long.
    #[error("no further part of the answer in time")]
    Idle(Duration),
    #[error("{0}")]
    Connection(String),
    /// The connection broke within the answer.
    #[error("{0}")]
    Broken(String),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("{0}")]
    Answer(&'static str),
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(inner) => match inner.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(other) => Self::Connection(other.to_string()),
            },
            OpenAIError::Reqwest(error) => connection(error),
            OpenAIError::JSONDeserialize(..) => Self::Answer("not the expected JSON"),
            other => Self::Connection(other.to_string()),
        }
    }
}

/// Head of a successful answer; a refusal is read and typed.
pub(super) async fn head(
    http: reqwest::Client,
    request: HttpRequestFactory,
) -> Result<reqwest::Response, Failure> {
    let request = request.build().await?;
    let mut response = http.execute(request).await.map_err(connection)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers());
    let body = body(&mut response, MAX_OTHER_BYTES).await.unwrap_or_default();
    Err(refusal(status.as_u16(), &body, retry_after))
}

/// Failure of a status with this body.
pub(super) fn refusal(status: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
    Failure::Status { status, code: code(body), message: message(body), retry_after }
}

/// Body of at most `limit` bytes.
pub(super) async fn body(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > limit {
            return Err(Failure::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Wait that a service asks for: `Retry-After-Ms`, as OpenAI sends it, or `Retry-After` in seconds. A date is ignored.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

/// Message of the service if it is in OpenAI's form, else the beginning of the answer.
fn message(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let pointers = ["/error/message", "/message", "/error"];
    let reported = parsed
        .as_ref()
        .and_then(|value| pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_str()));
    let text = reported.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// Code of an error in OpenAI's form, else its type, else `unknown`. A text with blanks is no code.
fn code(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let is_code = |text: &&str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        !text.is_empty() && text.len() <= MAX_CODE_BYTES && text.bytes().all(is_allowed)
    };
    let reported = parsed.as_ref().and_then(|value| {
        let pointers = ["/error/code", "/error/type", "/code", "/type"];
        pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_str().filter(is_code))
    });
    reported.unwrap_or("unknown").to_owned()
}

/// The innermost cause ("connection refused"); the address may contain a secret and is omitted.
fn connection(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::TimedOut } else { Failure::Connection(cause(error)) }
}

/// Failure to read an answer that has begun.
pub(super) fn broken(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::TimedOut } else { Failure::Broken(cause(error)) }
}

fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{error}: {cause}")
}
