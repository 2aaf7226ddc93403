//! What can go wrong between a caller and a server. Every way has its own variant, so that a caller decides by type
//! and not by reading words; what the server says of a refusal is kept whole.

use std::time::Duration;

use crate::wire::Problem;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused; [`Problem::code`] says why.
    #[error("{} ({}): {}", .0.title, .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// Something that does not speak for Engrain answered with an error: a proxy, or another service.
    #[error("HTTP status {status} without problem details: {body}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The connection could not be made, or broke.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// No answer within the client's time-out.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is not what the operation answers.
    #[error("the answer to {operation} cannot be read")]
    Decode {
        /// The operation, such as `POST /v1/recall`.
        operation: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An answer, or a line of one, beyond what the client is willing to hold.
    #[error("the answer to {operation} is longer than {limit_bytes} bytes")]
    TooLong {
        /// The operation.
        operation: String,
        /// The bound.
        limit_bytes: usize,
    },
    /// A stream ended before its end, or pages went round in a circle.
    #[error("the answer to {operation} is cut short: {detail}")]
    CutShort {
        /// The operation.
        operation: String,
        /// How that shows.
        detail: String,
    },
    /// The server's address cannot be used.
    #[error("`{url}` is not a server's address: {reason}")]
    InvalidUrl {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An API key or idempotency key has characters that a header cannot carry.
    #[error("the {name} cannot be sent as a header")]
    InvalidHeader {
        /// Which of them.
        name: &'static str,
    },
    /// The request cannot be written as JSON.
    #[error("the request cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// What the caller gave to write into would not take it.
    #[error("the bytes received cannot be written")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// The stable code of a refusal, such as `not_found`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same request may succeed later: nothing answered, or the server was too busy.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Transport(_) | Self::TimedOut(_) | Self::CutShort { .. } => true,
            _ => self.status().is_some_and(super::retry::is_temporary_status),
        }
    }
}
