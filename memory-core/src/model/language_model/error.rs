//! Errors of a language model, typed by their remedy.
//!
//! They are logged, counted and shown with jobs. They therefore have no text of prompts or replies, nor the message of
//! the service, which may quote the prompt.

use std::time::Duration;

use thiserror::Error;

/// Failure to get a reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LanguageModelError {
    /// No connection, a broken one, or a status of 5xx.
    #[error("the language model is unavailable: {reason}")]
    Unavailable {
        /// Message of the connection, or the status.
        reason: String,
    },
    /// Status 429.
    #[error("the language model refuses further requests for now")]
    RateLimited {
        /// Wait that the service asks for.
        retry_after: Option<Duration>,
    },
    /// No complete reply in time.
    #[error("no reply from the language model within {} ms", .after.as_millis())]
    Timeout {
        /// Duration of the wait.
        after: Duration,
    },
    /// The request is refused, and would be again: wrong key, wrong model, a parameter that the service lacks, no credit.
    #[error("the language model rejects the request: status {status}, code `{code}`")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Code of the service, such as `invalid_api_key`; `unknown` if there is none.
        code: String,
    },
    /// The prompt, with room for the reply, exceeds the context length of the model.
    #[error("the prompt is too long for the language model")]
    TooLong,
    /// The reply exceeds its limit of bytes.
    #[error("the reply of the language model has more than {bytes_at_most} bytes")]
    TooLarge {
        /// Limit, in bytes.
        bytes_at_most: usize,
    },
    /// The answer is not one of the protocol.
    #[error("the answer of the language model is unreadable: {reason}")]
    Unreadable {
        /// Reason, without the answer.
        reason: &'static str,
    },
    /// Too many calls are waiting.
    #[error("the language model is busy: {waiting_at_most} calls are waiting already")]
    Busy {
        /// Maximum number of waiting calls.
        waiting_at_most: usize,
    },
    /// The model is shutting down.
    #[error("the language model is shutting down")]
    Stopped,
}

impl LanguageModelError {
    /// True if the same call may succeed later without any other change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Timeout { .. }
            | Self::Unreadable { .. }
            | Self::Busy { .. }
            | Self::Stopped => true,
            Self::Rejected { .. } | Self::TooLong | Self::TooLarge { .. } => false,
        }
    }

    /// True if the service may have billed the call, because it had begun to reply.
    pub fn may_be_billed(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::TooLarge { .. } | Self::Unreadable { .. })
    }

    /// Stable name of the kind, for metrics and jobs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::RateLimited { .. } => "rate_limited",
            Self::Timeout { .. } => "timeout",
            Self::Rejected { .. } => "rejected",
            Self::TooLong => "prompt_too_long",
            Self::TooLarge { .. } => "reply_too_large",
            Self::Unreadable { .. } => "unreadable",
            Self::Busy { .. } => "busy",
            Self::Stopped => "stopped",
        }
    }
}
