//! Language model behind an OpenAI-compatible service: hosted, vLLM, Ollama or llama.cpp.
//!
//! One adapter for all, since they share `/v1/chat/completions`; what they lack is configured or found out. Invariant:
//! every call ends, in a time bounded by the settings, and a dropped call closes its connection.

mod settings;
mod stream;
mod structured;
mod transport;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_trait::async_trait;

use self::structured::Structured;
use self::transport::{asked_for, client, error, may_be_billed};
use self::wire::Completion;
use super::slots::Slots;
use super::{LanguageModel, LanguageModelError, ModelIdentity, ModelReply, ModelRequest, Price, Usage};
use crate::model::ModelError;
use crate::model::openai_service::Failure;

pub use self::settings::{OpenAiModelSettings, ReplyLimit, StructuredOutput};

/// Maximum wait between two attempts that the service does not ask for.
const BACKOFF_AT_MOST: Duration = Duration::from_secs(20);
/// Maximum wait between two attempts, whatever the service asks for.
const RETRY_AFTER_AT_MOST: Duration = Duration::from_secs(60);

/// Source of fractions from 0 to 1, by which waits are spread.
type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Language model behind HTTP.
pub struct OpenAiModel {
    identity: ModelIdentity,
    client: Client<OpenAIConfig>,
    settings: OpenAiModelSettings,
    slots: Slots,
    structured: Structured,
    jitter: Option<Jitter>,
}

impl OpenAiModel {
    /// Prepares the client of a back end of this name; nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelError::Unusable`] for settings with which no request can be made.
    pub fn new(backend: impl Into<String>, settings: OpenAiModelSettings) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Unusable { model: settings.model.clone(), reason };
        if settings.model.is_empty() {
            return Err(unusable("the name of the model is missing".into()));
        }
        if !settings.price.is_valid() {
            return Err(unusable("a price must be a finite number that is not negative".into()));
        }
        let client = client(&settings).map_err(unusable)?;
        let identity = ModelIdentity { backend: backend.into(), model: settings.model.clone() };
        let slots = Slots::new(settings.concurrent_requests, settings.waiting_requests);
        let structured = Structured::new(settings.structured_output);
        Ok(Self { identity, client, settings, slots, structured, jitter: None })
    }

    /// Spreads the waits between attempts: each is multiplied by a number from 0.5 to 1, of a fraction from 0 to 1.
    #[must_use]
    pub fn with_jitter(mut self, fraction: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.jitter = Some(Arc::new(fraction));
        self
    }

    /// Price of the tokens.
    pub fn price(&self) -> Price {
        self.settings.price
    }
}

#[async_trait]
impl LanguageModel for OpenAiModel {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, LanguageModelError> {
        // Kept during waits: what the service cannot take now would not be helped by further requests.
        let _slot = self.slots.acquire().await?;
        let timeout = Duration::from_millis(self.settings.timeout_ms);
        let mut lost = Usage::default();
        for retry in 0.. {
            let failure = match self.attempt(request).await {
                Ok(completion) => {
                    let (usage, finish) = (completion.usage(request).plus(lost), completion.finish());
                    return Ok(ModelReply { text: completion.text, usage, finish, from_cache: false });
                }
                Err(failure) => failure,
            };
            if may_be_billed(&failure) {
                lost = lost.plus(Usage::estimate(request, ""));
            }
            let asked_for = asked_for(&failure);
            let error = error(failure, timeout);
            if !error.is_retryable() || retry >= self.settings.retries {
                return Err(error);
            }
            let pause = self.pause(retry, asked_for);
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(model = %self.identity, code = error.code(), pause_ms, "the call is tried again");
            tokio::time::sleep(pause).await;
        }
        Err(LanguageModelError::Stopped)
    }
}

impl OpenAiModel {
    /// One attempt, repeated only if the service rejects the format of the reply and another one is left.
    async fn attempt(&self, request: &ModelRequest) -> Result<Completion, Failure> {
        loop {
            let format = self.structured.format();
            let body = wire::request(request, &self.settings, format);
            let answer: Result<Completion, _> = self.client.chat().create_byot(body).await;
            match answer.map_err(Failure::from) {
                Err(failure) if request.schema.is_some() && self.structured.steps_down(format, &failure) => {}
                answer => return answer,
            }
        }
    }

    /// Wait before the next attempt.
    fn pause(&self, retry: u32, asked_for: Option<Duration>) -> Duration {
        if let Some(asked_for) = asked_for {
            return asked_for.min(RETRY_AFTER_AT_MOST);
        }
        let doubled = 2_u64.saturating_pow(retry).saturating_mul(self.settings.backoff_ms);
        let pause = Duration::from_millis(doubled).min(BACKOFF_AT_MOST);
        match &self.jitter {
            None => pause,
            Some(fraction) => {
                let fraction = Some(fraction()).filter(|fraction| fraction.is_finite()).unwrap_or(1.0);
                pause.mul_f64(0.5 + 0.5 * fraction.clamp(0.0, 1.0))
            }
        }
    }
}

impl fmt::Debug for OpenAiModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenAiModel")
            .field("identity", &self.identity)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
