//! Remote embedder: an OpenAI-compatible `/v1/embeddings` service, hosted or self-hosted.
//!
//! For models that are too large for this process. It keeps the contract of the port as far as a service allows: order,
//! dimension, finiteness and unit length are checked here; the service has to guarantee that a vector depends on its
//! text alone and that texts are not truncated. Invariant: every request ends, in a time bounded by the settings, and
//! its failures are distinguished by status.

mod transport;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use self::transport::{client, model_error};
use super::split::{TokenBounds, split};
use super::{Embedder, EmbedderIdentity, ModelError, Pooling, checked_unit, weighted_mean};

/// Maximum estimated number of tokens in one request; OpenAI allows 300,000.
const MAX_REQUEST_TOKENS: usize = 250_000;
/// Maximum number of parts of a query that exceeds the model's input length.
const MAX_QUERY_PARTS: usize = 8;
/// Maximum wait between two attempts, whatever the service asks for.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// Settings of a remote embedder.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteEmbedderSettings {
    /// Base address, without `/embeddings`, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// Bearer token; empty for a service without authentication. Never read from the environment here.
    #[serde(default)]
    pub api_key: String,
    /// Model name in the service.
    pub model: String,
    /// Revision of the weights behind the name; a change makes stored vectors be computed again.
    #[serde(default = "defaults::revision")]
    pub revision: String,
    /// Number of components of a vector.
    pub dimension: usize,
    /// True to request that dimension, for models that can shorten their vectors.
    #[serde(default)]
    pub send_dimension: bool,
    /// Prefix of every query.
    #[serde(default)]
    pub query_prefix: String,
    /// Prefix of every passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// Maximum input length in tokens.
    #[serde(default = "defaults::max_tokens")]
    pub max_tokens: usize,
    /// Maximum number of texts in one request.
    #[serde(default = "defaults::batch_texts")]
    pub batch_texts: usize,
    /// Maximum number of texts in one call of `embed_passages`.
    #[serde(default = "defaults::texts_per_call")]
    pub texts_per_call: usize,
    /// Maximum number of concurrent requests for passages; queries do not count.
    #[serde(default = "defaults::concurrent_requests")]
    pub concurrent_requests: usize,
    /// Timeout of one attempt of one request, in milliseconds.
    #[serde(default = "defaults::timeout_ms")]
    pub timeout_ms: u64,
    /// Number of retries after 408, 429, 5xx, a broken connection or a timeout.
    #[serde(default = "defaults::retries")]
    pub retries: u32,
    /// Wait before the first retry, in milliseconds; doubled for each further one. A `Retry-After` in seconds replaces
    /// it. At most 20 s.
    #[serde(default = "defaults::backoff_ms")]
    pub backoff_ms: u64,
}

mod defaults {
    pub(super) fn revision() -> String {
        "unversioned".into()
    }
    pub(super) fn max_tokens() -> usize {
        8191
    }
    pub(super) fn batch_texts() -> usize {
        64
    }
    pub(super) fn texts_per_call() -> usize {
        4096
    }
    pub(super) fn concurrent_requests() -> usize {
        4
    }
    pub(super) fn timeout_ms() -> u64 {
        30_000
    }
    pub(super) fn retries() -> u32 {
        3
    }
    pub(super) fn backoff_ms() -> u64 {
        500
    }
}

impl fmt::Debug for RemoteEmbedderSettings {
    /// Debug output without the key, and without the address, which may contain one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteEmbedderSettings")
            .field("model", &self.model)
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}

/// Embedding model behind HTTP.
pub struct RemoteEmbedder {
    identity: EmbedderIdentity,
    client: Client<OpenAIConfig>,
    requests: Semaphore,
    settings: RemoteEmbedderSettings,
}

impl RemoteEmbedder {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelError::Unusable`] for settings with which no request can be made.
    pub fn new(settings: RemoteEmbedderSettings) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Unusable { model: settings.model.clone(), reason };
        if settings.dimension == 0 || settings.batch_texts == 0 || settings.max_tokens < 32 {
            return Err(unusable("dimension and batch_texts must be above 0, max_tokens at least 32".into()));
        }
        if Estimate::tokens(&settings.query_prefix).max(Estimate::tokens(&settings.passage_prefix)) * 2
            > settings.max_tokens
        {
            return Err(unusable("the prefix takes more than half of max_tokens".into()));
        }
        let client = client(&settings).map_err(unusable)?;
        let identity = EmbedderIdentity {
            name: settings.model.clone(),
            revision: settings.revision.clone(),
            dimension: settings.dimension,
            pooling: Pooling::Remote,
            query_prefix: settings.query_prefix.clone(),
            passage_prefix: settings.passage_prefix.clone(),
            max_tokens: settings.max_tokens,
            normalised: true,
        };
        let requests = Semaphore::new(settings.concurrent_requests.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { identity, client, requests, settings })
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let limit = self.settings.texts_per_call;
        if texts.len() > limit {
            return Err(ModelError::OverLimit { what: "texts in a call", limit, found: texts.len() });
        }
        let inputs: Vec<String> = texts
            .iter()
            .map(|text| self.input(&self.settings.passage_prefix, text))
            .collect::<Result<_, _>>()?;
        let requests: Vec<_> = batches(&inputs, self.settings.batch_texts)
            .into_iter()
            .map(|range| self.passages(&inputs[range]))
            .collect();
        let answers: Vec<_> =
            stream::iter(requests).buffered(self.settings.concurrent_requests.max(1)).try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let prefix = &self.settings.query_prefix;
        if let Ok(whole) = self.input(prefix, text) {
            return Ok(self.with_retries(&[whole]).await?.swap_remove(0));
        }
        let spans = self.spans(prefix, text);
        if spans.len() > MAX_QUERY_PARTS {
            let found = spans.len();
            return Err(ModelError::OverLimit { what: "parts of a query", limit: MAX_QUERY_PARTS, found });
        }
        let parts: Vec<String> =
            spans.into_iter().map(|span| self.input(prefix, &text[span])).collect::<Result<_, _>>()?;
        let vectors = self.with_retries(&parts).await?;
        let weighted: Vec<_> = vectors.into_iter().zip(parts.iter().map(String::len)).collect();
        weighted_mean(&weighted).ok_or_else(|| self.invalid("the parts of the query cancel out"))
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        self.spans(&self.settings.passage_prefix, text)
    }
}

impl RemoteEmbedder {
    fn spans(&self, prefix: &str, text: &str) -> Vec<Range<usize>> {
        let budget = self.settings.max_tokens - Estimate::tokens(prefix);
        split(text, budget, &Estimate { budget })
    }

    /// Input for a text. Services refuse an empty input, so it is replaced by a blank.
    fn input(&self, prefix: &str, text: &str) -> Result<String, ModelError> {
        let whole = format!("{prefix}{text}");
        let found = Estimate::tokens(prefix) + Estimate::tokens(text);
        if found > self.settings.max_tokens {
            return Err(ModelError::OverLimit {
                what: "estimated tokens in a text",
                limit: self.settings.max_tokens,
                found,
            });
        }
        Ok(if whole.is_empty() { " ".to_owned() } else { whole })
    }

    async fn passages(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let _request = self.requests.acquire().await.map_err(|_| ModelError::Stopped)?;
        self.with_retries(inputs).await
    }

    /// Retries transient failures with exponential backoff.
    async fn with_retries(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut wait = Duration::from_millis(self.settings.backoff_ms);
        for _ in 0..self.settings.retries {
            match self.once(inputs).await {
                Ok(vectors) => return Ok(vectors),
                Err((error, _)) if !error.is_transient() => return Err(error),
                Err((error, asked_for)) => {
                    let pause = asked_for.unwrap_or(wait).min(MAX_BACKOFF);
                    tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "embedding request is tried again");
                    tokio::time::sleep(pause).await;
                    wait = wait.saturating_mul(2);
                }
            }
        }
        self.once(inputs).await.map_err(|(error, _)| error)
    }

    /// One attempt; a failure comes with the wait that the service asked for.
    async fn once(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, (ModelError, Option<Duration>)> {
        let request = Request {
            model: &self.settings.model,
            input: inputs,
            encoding_format: "float",
            dimensions: self.settings.send_dimension.then_some(self.settings.dimension),
        };
        let answer: Result<Answer, OpenAIError> = self.client.embeddings().create_byot(request).await;
        match answer {
            Ok(answer) => self.in_order(answer, inputs.len()).map_err(|error| (error, None)),
            Err(error) => Err(model_error(error.into(), &self.settings)),
        }
    }

    /// Vectors in order of their index, each exactly once, checked and scaled to unit length.
    fn in_order(&self, answer: Answer, count: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        if answer.data.len() != count {
            return Err(self.invalid(&format!("{} vectors for {count} texts", answer.data.len())));
        }
        let mut vectors = vec![None; count];
        for row in answer.data {
            let place = vectors.get_mut(row.index).filter(|place| place.is_none());
            let place =
                place.ok_or_else(|| self.invalid(&format!("index {} is wrong or twice there", row.index)))?;
            *place = Some(checked_unit(&self.settings.model, self.settings.dimension, row.embedding)?);
        }
        vectors.into_iter().map(|vector| vector.ok_or_else(|| self.invalid("an index is missing"))).collect()
    }

    fn invalid(&self, reason: &str) -> ModelError {
        ModelError::InvalidOutput { model: self.settings.model.clone(), reason: reason.to_owned() }
    }
}

impl fmt::Debug for RemoteEmbedder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteEmbedder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

/// Fields of an answer that are used; compatible services differ in the others.
#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    index: usize,
    embedding: Vec<f32>,
}

/// Ranges of at most `batch_texts` texts, each within the token limit of a request unless it is a single text.
fn batches(inputs: &[String], batch_texts: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (at, input) in inputs.iter().enumerate() {
        let more = Estimate::tokens(input);
        match ranges.last_mut() {
            Some(range) if range.len() < batch_texts && tokens + more <= MAX_REQUEST_TOKENS => {
                range.end = at + 1;
                tokens += more;
            }
            _ => {
                ranges.push(at..at + 1);
                tokens = more;
            }
        }
    }
    ranges
}

/// Estimate of a token count without a tokenizer: one per two ASCII characters, rounded up, and one per byte of the
/// others.
///
/// A byte-pair tokenizer needs at most one token per byte, so the second part is an upper bound. The first is one for
/// prose and code (English has 4 to 5 characters per token), and only digits and hashes may exceed it. A service whose
/// input length is shorter than configured answers 400, which is passed on.
struct Estimate {
    budget: usize,
}

impl Estimate {
    fn tokens(text: &str) -> usize {
        let ascii = text.bytes().filter(u8::is_ascii).count();
        ascii.div_ceil(2) + (text.len() - ascii)
    }
}

impl TokenBounds for Estimate {
    fn starts(&self, text: &str) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut ascii = 0usize;
        for (at, c) in text.char_indices() {
            if c.is_ascii() {
                if ascii.is_multiple_of(2) {
                    starts.push(at);
                }
                ascii += 1;
            } else {
                starts.extend(std::iter::repeat_n(at, c.len_utf8()));
            }
        }
        starts
    }

    fn fits(&self, text: &str) -> bool {
        Self::tokens(text) <= self.budget
    }
}

#[cfg(test)]
mod tests;
