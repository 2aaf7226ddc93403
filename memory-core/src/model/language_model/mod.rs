//! Language-model port: [`LanguageModel`] completes one prompt, within bounds of tokens, bytes and time.
//!
//! Everything that thinks names this port and no back end. [`ask`] adds what a model cannot be trusted with: a
//! [`Contract`](ask::Contract) that parses the reply, refuses it whole and retries with the violation named.
//! Invariant: no text of a prompt or a reply is in an error, a `Debug` form or a log line.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub mod ask;
mod bad_reply;
pub mod cached;
mod error;
pub mod json;
#[cfg(feature = "openai")]
pub mod openai;
mod price;
#[cfg(any(test, feature = "testing"))]
pub mod scripted;
#[cfg(feature = "openai")]
mod slots;
mod usage;

pub use error::LanguageModelError;
pub use price::Price;
pub use usage::Usage;

/// Maximum length of the text of a reply, in bytes.
pub const REPLY_BYTES_AT_MOST: usize = 256 << 10;

/// Completes prompts.
///
/// Contract of every implementation, checked by `testing::language_model_contract`:
/// - Dropping the future cancels the call: the connection is closed, the place in the queue is free.
/// - A call ends, in a time bounded by the settings of the implementation.
/// - A reply has at most [`REPLY_BYTES_AT_MOST`] bytes; no more of a longer one is read than shows that it is longer.
/// - Errors have no text of prompts or replies.
/// - [`ModelReply::usage`] is what was billed for the call over all attempts. It is an estimate where the back end
///   reports none, or an implausible one.
#[async_trait]
pub trait LanguageModel: Send + Sync + fmt::Debug {
    /// Identity of the back end and of its model, which derivations record.
    fn identity(&self) -> &ModelIdentity;

    /// Completes a prompt. Implementations retry transient failures themselves, within their settings.
    ///
    /// # Errors
    /// [`LanguageModelError`], by remedy. [`LanguageModelError::is_retryable`] tells if a later call may succeed.
    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, LanguageModelError>;

    /// Notes that the reply to this request was refused, so that a cache does not return it again.
    fn forget(&self, _request: &ModelRequest) {}

    /// Notes that memories were erased, so that a cache keeps no reply about them.
    fn forget_all(&self) {}
}

/// Identity of a model: the back end as configured, and the model at it. Its `Display` form is `backend/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelIdentity {
    /// Name of the back end in the configuration, such as `local`.
    pub backend: String,
    /// Name of the model at the back end, such as `qwen2.5:7b`.
    pub model: String,
}

impl fmt::Display for ModelIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.backend, self.model)
    }
}

/// Prompt with its limits.
#[derive(Clone, PartialEq)]
pub struct ModelRequest {
    /// Instructions: the system message.
    pub system: String,
    /// Material: the first user message.
    pub user: String,
    /// Messages after the first: a refused reply and the violation.
    pub further: Vec<Message>,
    /// Schema of the reply; `None` for prose.
    pub schema: Option<ReplySchema>,
    /// Maximum length of the reply, in tokens of the model.
    pub reply_tokens_at_most: u32,
    /// Sampling temperature; 0 for the most probable reply.
    pub temperature: f32,
}

impl ModelRequest {
    /// Request of a system and a user message, for prose of at most this many tokens, at temperature 0.
    pub fn new(system: impl Into<String>, user: impl Into<String>, reply_tokens_at_most: u32) -> Self {
        Self {
            system: system.into(),
            user: user.into(),
            further: Vec::new(),
            schema: None,
            reply_tokens_at_most,
            temperature: 0.0,
        }
    }

    /// Texts of all messages, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let first = [self.system.as_str(), self.user.as_str()].into_iter();
        first.chain(self.further.iter().map(|message| message.text.as_str()))
    }

    /// SHA-256 of a model's identity and everything in the request: equal requests to one model have equal digests.
    pub fn digest(&self, identity: &ModelIdentity) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        part(identity.backend.as_bytes());
        part(identity.model.as_bytes());
        part(&self.reply_tokens_at_most.to_le_bytes());
        part(&self.temperature.to_bits().to_le_bytes());
        if let Some(schema) = &self.schema {
            part(schema.name.as_bytes());
            part(schema.schema.to_string().as_bytes());
        }
        part(&[u8::from(self.schema.is_some())]);
        part(self.system.as_bytes());
        part(self.user.as_bytes());
        for message in &self.further {
            part(&[message.role as u8]);
            part(message.text.as_bytes());
        }
        digest.finalize().into()
    }
}

impl fmt::Debug for ModelRequest {
    /// Debug output without the texts.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ModelRequest")
            .field("bytes", &self.texts().map(str::len).sum::<usize>())
            .field("schema", &self.schema.as_ref().map(|schema| &schema.name))
            .field("reply_tokens_at_most", &self.reply_tokens_at_most)
            .finish_non_exhaustive()
    }
}

/// Message after the first user message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Role.
    pub role: MessageRole,
    /// Text.
    pub text: String,
}

impl fmt::Debug for Message {
    /// Debug output without the text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Message").field("role", &self.role).finish_non_exhaustive()
    }
}

/// Role of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageRole {
    /// This program.
    User = 0,
    /// The model, in an earlier reply.
    Assistant = 1,
}

impl MessageRole {
    /// Name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// JSON schema of a reply.
///
/// Hosted OpenAI accepts a subset (`additionalProperties: false`, every property required, no `minLength`).
#[derive(Debug, Clone, PartialEq)]
pub struct ReplySchema {
    /// Name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// JSON schema of an object.
    pub schema: Value,
}

/// Reply of a model.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelReply {
    /// Text, at most [`REPLY_BYTES_AT_MOST`] bytes.
    pub text: String,
    /// Tokens billed for the call, over all attempts; none for a cached reply.
    pub usage: Usage,
    /// Reason for the end of the text.
    pub finish: Finish,
    /// True if no model was called.
    pub from_cache: bool,
}

impl fmt::Debug for ModelReply {
    /// Debug output without the text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ModelReply")
            .field("bytes", &self.text.len())
            .field("usage", &self.usage)
            .field("finish", &self.finish)
            .field("from_cache", &self.from_cache)
            .finish()
    }
}

/// Reason for the end of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The reply is complete.
    Stop,
    /// The limit of tokens was reached; the reply is truncated.
    Length,
    /// The back end withheld the reply or a part of it.
    Filtered,
    /// Another reason, or none was given.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(backend: &str, model: &str) -> ModelIdentity {
        ModelIdentity { backend: backend.into(), model: model.into() }
    }

    #[test]
    fn the_digest_changes_with_every_part_of_a_request() {
        let request = ModelRequest::new("system", "user", 10);
        let message = |role, text: &str| Message { role, text: text.into() };
        let schema = |name: &str| Some(ReplySchema { name: name.into(), schema: Value::Null });
        let others = [
            ModelRequest { system: "systemuser".into(), user: String::new(), ..request.clone() },
            ModelRequest { reply_tokens_at_most: 11, ..request.clone() },
            ModelRequest { temperature: 0.5, ..request.clone() },
            ModelRequest { schema: schema("a"), ..request.clone() },
            ModelRequest { schema: schema("b"), ..request.clone() },
            ModelRequest { further: vec![message(MessageRole::User, "x")], ..request.clone() },
            ModelRequest { further: vec![message(MessageRole::Assistant, "x")], ..request.clone() },
        ];
        let id = identity("local", "m");
        let mut digests: Vec<_> = others.iter().map(|other| other.digest(&id)).collect();
        digests.push(request.digest(&id));
        digests.push(request.digest(&identity("localm", "")));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count, "two different requests have one digest");
        assert_eq!(request.digest(&id), request.clone().digest(&id));
    }

    #[test]
    fn debug_forms_have_no_texts() {
        let mut request = ModelRequest::new("secret one", "secret two", 10);
        request.further.push(Message { role: MessageRole::User, text: "secret three".into() });
        let reply = ModelReply {
            text: "secret four".into(),
            usage: Usage::default(),
            finish: Finish::Stop,
            from_cache: false,
        };
        let shown = format!("{request:?} {:?} {reply:?}", request.further);
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(identity("local", "qwen2.5:7b").to_string(), "local/qwen2.5:7b");
    }
}
