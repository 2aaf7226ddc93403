//! Errors of fetching a model, typed by their remedy.
//!
//! Messages name the remedy. They never contain the token, nor the signed address of a download.

use std::path::PathBuf;

use thiserror::Error;

use crate::model::ModelError;

/// Failure to fetch a model. The model's folder has no new files then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// `fastembed` knows no model of this name.
    #[error("there is no model `{name}` to fetch{}. `engrain models list` names them all", suggestion(.like))]
    Unknown {
        /// Requested name.
        name: String,
        /// Similar names.
        like: Vec<&'static str>,
    },
    /// The model is of the catalogue and is fetched by `make setup`.
    #[error(
        "`{name}` is pinned by this version of Engrain: `python3 scripts/fetch_models.py --only {name}` fetches it"
    )]
    Pinned {
        /// Model.
        name: String,
    },
    /// The folder has a model that the user added.
    #[error("{} holds a model that was not fetched; move it away first", .folder.display())]
    Own {
        /// Folder.
        folder: PathBuf,
    },
    /// The address or the token is unusable.
    #[error("{what} cannot be used: {reason}")]
    Setting {
        /// Name of the setting.
        what: &'static str,
        /// Reason.
        reason: String,
    },
    /// The hub answered with an error.
    #[error("{hub} answered {status} for {what}: {}", remedy(*.status))]
    Status {
        /// Address of the hub.
        hub: String,
        /// Repository or file.
        what: String,
        /// HTTP status.
        status: u16,
    },
    /// No connection, or a broken one.
    #[error(
        "{hub} cannot be reached: {reason}. HF_ENDPOINT names another hub or a mirror, HTTPS_PROXY a proxy; run it \
         again to go on"
    )]
    Unreachable {
        /// Address of the hub.
        hub: String,
        /// Message of the connection.
        reason: String,
    },
    /// The download was incomplete.
    #[error("{file} came with {found} bytes instead of {expected}; run it again to go on")]
    Incomplete {
        /// File.
        file: String,
        /// Bytes received.
        found: u64,
        /// Bytes listed by the hub.
        expected: u64,
    },
    /// An answer is over its maximum size.
    #[error("{what} has more than {limit} bytes, which is the most that is fetched")]
    TooLarge {
        /// File or answer.
        what: String,
        /// Maximum size in bytes.
        limit: u64,
    },
    /// The sha256 of a file is not the listed or the pinned one.
    #[error("{file} came with sha256 {found}, but {expected} is {by}; nothing was installed")]
    Changed {
        /// File.
        file: String,
        /// Expected sha256, in hexadecimal.
        expected: String,
        /// Actual sha256, in hexadecimal.
        found: String,
        /// Source of the expectation.
        by: &'static str,
    },
    /// An answer is malformed, or the repository lacks a needed file.
    #[error("{what}: {reason}")]
    Answer {
        /// Repository or file.
        what: String,
        /// Reason.
        reason: String,
    },
    /// Another process is fetching the same model.
    #[error("`{name}` is being fetched by another process")]
    Busy {
        /// Model.
        name: String,
    },
    /// The cache is not writable.
    #[error("cannot write {}", .path.display())]
    Storage {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The cached model is unusable.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl HubError {
    /// True if the same call may succeed later without any other change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Incomplete { .. } | Self::Busy { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}

fn suggestion(like: &[&str]) -> String {
    if like.is_empty() { String::new() } else { format!("; did you mean {}?", like.join(", ")) }
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "it wants an account that may read this: accept the model's terms on the hub, and put a token into HF_TOKEN"
        }
        404 => "it has no such thing (any more); HF_ENDPOINT names another hub",
        429 => "too many requests; try again later, or with a token in HF_TOKEN",
        500.. => "try again later",
        _ => "it should not",
    }
}
