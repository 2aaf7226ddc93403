//! What can go wrong with a model, typed by what the reader can do about it.
//!
//! Messages name the file, the version needed and the remedy, for they are read by somebody who has just installed
//! the server. They never hold a text that was to be embedded.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A model could not be opened or did not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no ONNX Runtime where it should be.
    #[error("ONNX Runtime {needed} or newer is missing: there is no file {}. Run `make setup` to fetch it", .path.display())]
    RuntimeMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// The oldest version that works.
        needed: String,
    },
    /// The library is an ONNX Runtime, but an older one.
    #[error("ONNX Runtime {needed} or newer is needed, but {} is version {found}. Run `make setup` to fetch a newer one", .path.display())]
    RuntimeTooOld {
        /// The library.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The oldest version that works.
        needed: String,
    },
    /// The file is not an ONNX Runtime for this machine, or it refused to start.
    #[error("{} cannot be used as ONNX Runtime {needed} or newer: {reason}. Run `make setup` to fetch a working one", .path.display())]
    RuntimeUnusable {
        /// The library.
        path: PathBuf,
        /// The oldest version that works.
        needed: String,
        /// What the loader said.
        reason: String,
    },
    /// The catalogue, and the cache, hold no model of this name for this purpose.
    #[error(
        "no model `{name}` to {task} with; known are {known}, and what `engrain models list` shows. A model of your \
         own needs a folder with `model.json`"
    )]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// `embed` or `rerank`.
        task: &'static str,
        /// The names there are.
        known: String,
    },
    /// A model that can be had by name, and has not been fetched. A server downloads nothing.
    #[error("model `{name}` is not in the cache. Run `engrain models fetch {name}`, which downloads it")]
    NotFetched {
        /// The model.
        name: String,
    },
    /// A file of the model is not in the cache.
    #[error("model `{model}` is not complete: there is no file {}: {remedy}", .path.display())]
    FileMissing {
        /// The model.
        model: String,
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// A file of the model is not the one that is pinned, by the catalogue or by its first download.
    #[error("{} has sha256 {found}, but {expected} is pinned. Remove it and run `{remedy}` to fetch it again", .path.display())]
    ChecksumMismatch {
        /// The file.
        path: PathBuf,
        /// The pinned sha256, in hex.
        expected: String,
        /// What the file has.
        found: String,
        /// The command that fetches the pinned one.
        remedy: String,
    },
    /// The model's files are there but make no working model.
    #[error("model `{model}` cannot be used: {reason}")]
    Unusable {
        /// The model.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The call asks for more than is allowed at once.
    #[error("{what}: {found}, at most {limit} allowed")]
    OverLimit {
        /// What is bounded, with its unit.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// What was asked for.
        found: usize,
    },
    /// Too many calls at once; later is better.
    #[error("the model is busy: {limit} {what} are waiting already")]
    Busy {
        /// What waits.
        what: &'static str,
        /// How many may wait.
        limit: usize,
    },
    /// The model ran and failed.
    #[error("model `{model}` failed: {reason}")]
    Inference {
        /// The model.
        model: String,
        /// What the runtime said.
        reason: String,
    },
    /// The model answered with something that cannot be used, such as a wrong dimension or a NaN.
    #[error("model `{model}` gave an invalid answer: {reason}")]
    InvalidOutput {
        /// The model.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A remote service answered with an error.
    #[error("the embedding service answered {status}: {message}")]
    Remote {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        message: String,
    },
    /// A remote service could not be reached.
    #[error("the embedding service cannot be reached: {reason}")]
    Unreachable {
        /// What the connection said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from the model within {} ms", .after.as_millis())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The model is being shut down.
    #[error("the model is shutting down")]
    Stopped,
}

impl ModelError {
    /// Whether the same call may succeed later without anybody changing anything.
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
    fn a_missing_runtime_says_where_which_and_what_to_do() {
        let error = ModelError::RuntimeMissing { path: "/x/lib.so".into(), needed: "1.24".into() };
        for part in ["/x/lib.so", "1.24", "make setup"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_transient() {
        let remote = |status| ModelError::Remote { status, message: String::new() };
        assert!(remote(429).is_transient() && remote(503).is_transient());
        assert!(!remote(400).is_transient() && !remote(401).is_transient());
        assert!(ModelError::Busy { what: "calls", limit: 1 }.is_transient());
        assert!(!ModelError::OverLimit { what: "texts", limit: 1, found: 2 }.is_transient());
    }
}
