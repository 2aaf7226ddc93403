//! Errors of client operations. Every kind of failure has its own variant, so that a caller matches on types and not
//! on messages; the server's problem details are kept complete.

use std::time::Duration;

use crate::wire::Problem;

/// Failure of an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the request; [`Problem::code`] has the reason.
    #[error("{} ({}): {}", .0.title, .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// The error response has no problem details: it comes from a proxy or another service.
    #[error("HTTP status {status} without problem details: {body}")]
    Status {
        /// HTTP status of the response.
        status: u16,
        /// Beginning of the response body.
        body: String,
    },
    /// The connection failed or broke.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// No response within the client's timeout.
    #[error("no response within {0:?}")]
    TimedOut(Duration),
    /// The response does not match the operation.
    #[error("the response to {operation} cannot be read")]
    Decode {
        /// Operation, such as `POST /v1/recall`.
        operation: String,
        /// Description of the fault.
        #[source]
        source: serde_json::Error,
    },
    /// The response, or a line of it, exceeds the client's size limit.
    #[error("the response to {operation} is longer than {limit_bytes} bytes")]
    TooLong {
        /// Operation, such as `POST /v1/recall`.
        operation: String,
        /// Limit in bytes.
        limit_bytes: usize,
    },
    /// A stream is incomplete, or its pages do not advance.
    #[error("the response to {operation} is incomplete: {detail}")]
    CutShort {
        /// Operation, such as `POST /v1/recall`.
        operation: String,
        /// Description of the fault.
        detail: String,
    },
    /// The server's address is invalid.
    #[error("`{url}` is not a valid server address: {reason}")]
    InvalidUrl {
        /// Address of the server.
        url: String,
        /// Description of the fault.
        reason: String,
    },
    /// An API key or idempotency key has characters that are invalid in a header.
    #[error("the {name} cannot be sent as a header")]
    InvalidHeader {
        /// Name of the value.
        name: &'static str,
    },
    /// The request cannot be serialised as JSON.
    #[error("the request cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// The caller's writer failed.
    #[error("the bytes received cannot be written")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// Stable code of a refusal, such as `not_found`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// HTTP status, if there was a response.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// True if the same request may succeed later: there was no response, or the server was busy.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Transport(_) | Self::TimedOut(_) | Self::CutShort { .. } => true,
            _ => self.status().is_some_and(super::retry::is_temporary_status),
        }
    }
}
