//! Errors of a model, typed by their remedy.
//!
//! Messages name the file, the required version and the remedy, because their typical reader has just installed the
//! server. They never contain a text to be embedded.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Failure to open a model or to get its output.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No file at the path of the ONNX Runtime.
    #[error("ONNX Runtime {needed} or newer is missing: there is no file {}. Run `make setup` to fetch it", .path.display())]
    RuntimeMissing {
        /// Path of the library.
        path: PathBuf,
        /// Minimum version that works.
        needed: String,
    },
    /// The library is an ONNX Runtime that is too old.
    #[error("ONNX Runtime {needed} or newer is needed, but {} is version {found}. Run `make setup` to fetch a newer one", .path.display())]
    RuntimeTooOld {
        /// Path of the library.
        path: PathBuf,
        /// Version of the library.
        found: String,
        /// Minimum version that works.
        needed: String,
    },
    /// The file is not an ONNX Runtime for this machine, or it failed to start.
    #[error("{} cannot be used as ONNX Runtime {needed} or newer: {reason}. Run `make setup` to fetch a working one", .path.display())]
    RuntimeUnusable {
        /// Path of the library.
        path: PathBuf,
        /// Minimum version that works.
        needed: String,
        /// Message of the loader.
        reason: String,
    },
    /// Neither catalogue nor cache has a model of this name for this task.
    #[error(
        "no model `{name}` to {task} with; known are {known}, and what `engrain models list` shows. A model of your \
         own needs a folder with `model.json`"
    )]
    UnknownModel {
        /// Requested name.
        name: String,
        /// Task: `embed` or `rerank`.
        task: &'static str,
        /// Known names.
        known: String,
    },
    /// The model can be fetched by name and has not been. A server downloads nothing.
    #[error("model `{name}` is not in the cache. Run `engrain models fetch {name}`, which downloads it")]
    NotFetched {
        /// Model.
        name: String,
    },
    /// A file of the model is not in the cache.
    #[error("model `{model}` is not complete: there is no file {}: {remedy}", .path.display())]
    FileMissing {
        /// Model.
        model: String,
        /// Path of the file.
        path: PathBuf,
        /// Remedy.
        remedy: String,
    },
    /// The sha256 of a file differs from the pin of the catalogue or of the first download.
    #[error("{} has sha256 {found}, but {expected} is pinned. Remove it and run `{remedy}` to fetch it again", .path.display())]
    ChecksumMismatch {
        /// Path of the file.
        path: PathBuf,
        /// Pinned sha256, in hexadecimal.
        expected: String,
        /// Actual sha256, in hexadecimal.
        found: String,
        /// Command that fetches the pinned file.
        remedy: String,
    },
    /// The model's files exist but are not a working model.
    #[error("model `{model}` cannot be used: {reason}")]
    Unusable {
        /// Model.
        model: String,
        /// Reason.
        reason: String,
    },
    /// The call exceeds a limit.
    #[error("{what}: {found}, at most {limit} allowed")]
    OverLimit {
        /// Limited quantity, with its unit.
        what: &'static str,
        /// Limit.
        limit: usize,
        /// Requested amount.
        found: usize,
    },
    /// Too many concurrent calls; the call may be retried.
    #[error("the model is busy: {limit} {what} are waiting already")]
    Busy {
        /// Kind of the waiting calls.
        what: &'static str,
        /// Maximum number of waiting calls.
        limit: usize,
    },
    /// The model failed at run time.
    #[error("model `{model}` failed: {reason}")]
    Inference {
        /// Model.
        model: String,
        /// Message of the runtime.
        reason: String,
    },
    /// The output of the model is invalid, such as a wrong dimension or a NaN.
    #[error("model `{model}` gave an invalid answer: {reason}")]
    InvalidOutput {
        /// Model.
        model: String,
        /// Reason.
        reason: String,
    },
    /// A remote service answered with an error.
    #[error("the embedding service answered {status}: {message}")]
    Remote {
        /// HTTP status.
        status: u16,
        /// Beginning of its message.
        message: String,
    },
    /// A remote service could not be reached.
    #[error("the embedding service cannot be reached: {reason}")]
    Unreachable {
        /// Message of the connection.
        reason: String,
    },
    /// Timeout.
    #[error("no answer from the model within {} ms", .after.as_millis())]
    TimedOut {
        /// Duration of the wait.
        after: Duration,
    },
    /// The model is shutting down.
    #[error("the model is shutting down")]
    Stopped,
}

impl ModelError {
    /// Stable code of the kind of failure, without any text of the request.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Inference { .. } => "inference_failed",
            Self::InvalidOutput { .. } => "invalid_output",
            Self::OverLimit { .. } => "over_limit",
            Self::Remote { status: 401 | 403, .. } => "not_authorised",
            Self::Remote { status: 404, .. } => "unknown_model_or_address",
            Self::Remote { status: 408 | 429, .. } => "rate_limited",
            Self::Remote { status: 500.., .. } => "service_failed",
            Self::Remote { .. } => "refused_by_service",
            Self::Stopped => "stopped",
            Self::TimedOut { .. } => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            _ => "model_unusable",
        }
    }

    /// True if the failure may concern single texts of the call alone, so that the others are worth a call of their own.
    pub fn may_be_of_one_text(&self) -> bool {
        match self {
            Self::Inference { .. } | Self::InvalidOutput { .. } | Self::OverLimit { .. } => true,
            Self::Remote { status, .. } => matches!(status, 400 | 413 | 422),
            _ => false,
        }
    }

    /// True if the same call may succeed later without any other change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::TimedOut { .. } | Self::Unreachable { .. } | Self::Stopped => true,
            Self::Remote { status, .. } => *status == 429 || *status == 408 || *status >= 500,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_missing_runtime_has_path_version_and_remedy() {
        let error = ModelError::RuntimeMissing { path: "/x/lib.so".into(), needed: "1.24".into() };
        for part in ["/x/lib.so", "1.24", "make setup"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn only_errors_that_a_retry_can_resolve_are_transient() {
        let remote = |status| ModelError::Remote { status, message: String::new() };
        assert!(remote(429).is_transient() && remote(503).is_transient());
        assert!(!remote(400).is_transient() && !remote(401).is_transient());
        assert!(ModelError::Busy { what: "calls", limit: 1 }.is_transient());
        assert!(!ModelError::OverLimit { what: "texts", limit: 1, found: 2 }.is_transient());
    }
}
