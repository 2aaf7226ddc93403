//! Question to a model under a contract: the reply is parsed whole or refused whole, and asked for again with the
//! violation named.
//!
//! Invariant: nothing of a refused reply reaches the caller, apart from the stable code of the violation; the number of
//! calls, the length of every prompt and the bytes that are parsed are bounded.

use thiserror::Error;

pub use super::bad_reply::{BadReply, DETAIL_CHARS_AT_MOST};
use super::json::object_in;
use super::{
    Finish, LanguageModel, LanguageModelError, Message, MessageRole, ModelRequest, REPLY_BYTES_AT_MOST,
    ReplySchema, Usage,
};

/// Maximum number of retries after refused replies, whatever the caller asks for.
pub const RETRIES_AT_MOST: u32 = 2;
/// Maximum length of the beginning of a refused reply that the retry shows to the model, in bytes.
const SHOWN_REPLY_BYTES_AT_MOST: usize = 4 << 10;

/// Contract of a prompt: the form of its replies.
///
/// [`parse`](Self::parse) accepts local handles and edits only, and refuses a reply as a whole. It is pure, does not
/// panic, and takes time linear in its input.
pub trait Contract: Send + Sync {
    /// Parsed reply.
    type Reply: Send;

    /// Name of the prompt, for derivations, metrics and the schema: letters, digits, `_` and `-`, at most 64.
    fn name(&self) -> &'static str;

    /// Version of the prompt, for derivations.
    fn prompt_version(&self) -> &'static str;

    /// JSON schema of the reply, an object.
    fn schema(&self) -> serde_json::Value;

    /// Checked reply.
    ///
    /// # Errors
    /// [`BadReply`] if any part of the reply violates the contract.
    fn parse(&self, json: serde_json::Value) -> Result<Self::Reply, BadReply>;
}

/// Texts of a question.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Instructions.
    pub system: String,
    /// Material.
    pub user: String,
}

impl std::fmt::Debug for Prompt {
    /// Debug output without the texts.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prompt").finish_non_exhaustive()
    }
}

/// Limits of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AskLimits {
    /// Maximum length of each reply, in tokens of the model.
    pub reply_tokens_at_most: u32,
    /// Maximum number of retries after refused replies, itself at most [`RETRIES_AT_MOST`].
    pub retries_at_most: u32,
    /// Sampling temperature.
    pub temperature: f32,
}

impl AskLimits {
    /// Replies of at most this many tokens, with all retries, at temperature 0.
    pub const fn tokens(reply_tokens_at_most: u32) -> Self {
        Self { reply_tokens_at_most, retries_at_most: RETRIES_AT_MOST, temperature: 0.0 }
    }
}

/// Accepted reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<T> {
    /// Reply.
    pub reply: T,
    /// Tokens billed for all calls.
    pub usage: Usage,
    /// Number of calls of the model; cached replies do not count.
    pub calls: u32,
    /// Codes of the replies refused before, in order.
    pub refused: Vec<&'static str>,
}

/// Failure of a question.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// Every reply was refused.
    #[error("the replies of the language model were refused: {}", .codes.join(", "))]
    Refused {
        /// Codes of the refused replies, in order.
        codes: Vec<&'static str>,
        /// Tokens billed for all calls.
        usage: Usage,
        /// Number of calls of the model.
        calls: u32,
    },
    /// The model failed.
    #[error("{error}")]
    Model {
        /// Failure of the last call.
        #[source]
        error: LanguageModelError,
        /// Codes of the replies refused before.
        refused: Vec<&'static str>,
        /// Tokens billed for all calls, those of the last one estimated if it may have been billed.
        usage: Usage,
        /// Number of calls of the model.
        calls: u32,
    },
}

impl AskError {
    /// Tokens billed.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Refused { usage, .. } | Self::Model { usage, .. } => *usage,
        }
    }

    /// Number of calls of the model.
    pub fn calls(&self) -> u32 {
        match self {
            Self::Refused { calls, .. } | Self::Model { calls, .. } => *calls,
        }
    }

    /// Codes of the refused replies, in order.
    pub fn refused(&self) -> &[&'static str] {
        match self {
            Self::Refused { codes, .. } => codes,
            Self::Model { refused, .. } => refused,
        }
    }

    /// Stable name of the kind, for metrics and jobs: `reply_refused`, or the code of the model's error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "reply_refused",
            Self::Model { error, .. } => error.code(),
        }
    }

    /// True if the same question may be answered later without any other change. Refused replies are not: the retries
    /// that could help have been made.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Model { error, .. } if error.is_retryable())
    }
}

/// Asks a model, and asks again after a refused reply.
///
/// # Errors
/// [`AskError::Refused`] if no reply satisfied the contract, [`AskError::Model`] if a call failed.
pub async fn ask<C: Contract>(
    model: &dyn LanguageModel,
    contract: &C,
    prompt: Prompt,
    limits: AskLimits,
) -> Result<Asked<C::Reply>, AskError> {
    let mut request = ModelRequest {
        system: prompt.system,
        user: prompt.user,
        further: Vec::new(),
        schema: Some(ReplySchema { name: contract.name().to_owned(), schema: contract.schema() }),
        reply_tokens_at_most: limits.reply_tokens_at_most,
        temperature: limits.temperature,
    };
    let (mut usage, mut calls, mut refused) = (Usage::default(), 0, Vec::new());
    for _ in 0..=limits.retries_at_most.min(RETRIES_AT_MOST) {
        let (bad, text) = match model.complete(&request).await {
            Ok(reply) => {
                usage = usage.plus(reply.usage);
                calls += u32::from(!reply.from_cache);
                match parsed(contract, &reply.text, reply.finish, limits) {
                    Ok(reply) => return Ok(Asked { reply, usage, calls, refused }),
                    Err(bad) => (bad, reply.text),
                }
            }
            Err(LanguageModelError::TooLarge { bytes_at_most }) => {
                usage = usage.plus(billed_without_reply(&request, limits));
                calls += 1;
                let detail = format!("the reply is longer than {bytes_at_most} bytes");
                (BadReply::new(BadReply::TOO_LARGE, detail), String::new())
            }
            Err(error) => {
                if error.may_be_billed() {
                    usage = usage.plus(Usage::estimate(&request, ""));
                }
                return Err(AskError::Model { error, refused, usage, calls: calls + 1 });
            }
        };
        model.forget(&request);
        refused.push(bad.code);
        request.further = violation(&text, &bad);
    }
    Err(AskError::Refused { codes: refused, usage, calls })
}

fn parsed<C: Contract>(
    contract: &C,
    text: &str,
    finish: Finish,
    limits: AskLimits,
) -> Result<C::Reply, BadReply> {
    match finish {
        Finish::Stop | Finish::Other => {}
        Finish::Length => {
            let detail = format!("the reply was cut at {} tokens", limits.reply_tokens_at_most);
            return Err(BadReply::new(BadReply::TRUNCATED, detail));
        }
        Finish::Filtered => return Err(BadReply::new(BadReply::FILTERED, "the reply was withheld")),
    }
    if text.len() > REPLY_BYTES_AT_MOST {
        let detail = format!("the reply is longer than {REPLY_BYTES_AT_MOST} bytes");
        return Err(BadReply::new(BadReply::TOO_LARGE, detail));
    }
    let json = object_in(text).map_err(|fault| BadReply::new(fault.code(), fault.to_string()))?;
    contract.parse(json)
}

/// Upper bound for a reply that was too large to be read to its end.
fn billed_without_reply(request: &ModelRequest, limits: AskLimits) -> Usage {
    Usage { reply_tokens: u64::from(limits.reply_tokens_at_most), ..Usage::estimate(request, "") }
}

/// Messages of a retry: the beginning of the refused reply, and the violation. Only the last one is shown, so that the
/// prompt stays bounded. The reply is a message of its own, because some chat templates demand alternating roles.
fn violation(text: &str, bad: &BadReply) -> Vec<Message> {
    let shown = &text[..text.floor_char_boundary(SHOWN_REPLY_BYTES_AT_MOST)];
    // Some services refuse an empty message.
    let shown = if shown.trim().is_empty() { "(no reply)" } else { shown };
    let detail: String = bad.detail.chars().take(DETAIL_CHARS_AT_MOST).collect();
    let demand = format!(
        "Your reply was refused ({}): {detail}. None of it was used. \
         Reply again to the same task, with one complete JSON object that satisfies the schema and with nothing else.",
        bad.code
    );
    vec![
        Message { role: MessageRole::Assistant, text: shown.to_owned() },
        Message { role: MessageRole::User, text: demand },
    ]
}

#[cfg(test)]
mod tests;
