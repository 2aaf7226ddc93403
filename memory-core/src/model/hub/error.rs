//! Why a model could not be fetched, typed by what the reader can do about it.
//!
//! Messages name the remedy. They never hold the token, nor the signed address that a hub sends a download to.

use std::path::PathBuf;

use thiserror::Error;

use crate::model::ModelError;

/// A model could not be fetched. Nothing of it is in its folder then that was not there before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// `fastembed` knows no model of this name.
    #[error("there is no model `{name}` to fetch{}. `engrain models list` names them all", suggestion(.like))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Names that are like it.
        like: Vec<&'static str>,
    },
    /// A model of the catalogue, which has its own way into the cache.
    #[error(
        "`{name}` is pinned by this version of Engrain: `python3 scripts/fetch_models.py --only {name}` fetches it"
    )]
    Pinned {
        /// The model.
        name: String,
    },
    /// The user put a model there that was not fetched.
    #[error("{} holds a model that was not fetched; move it away first", .folder.display())]
    Own {
        /// The folder.
        folder: PathBuf,
    },
    /// The address or the token cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The hub answered with an error.
    #[error("{hub} answered {status} for {what}: {}", remedy(*.status))]
    Status {
        /// The hub's address.
        hub: String,
        /// The repository or file.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// No connection, or one that broke.
    #[error(
        "{hub} cannot be reached: {reason}. HF_ENDPOINT names another hub or a mirror, HTTPS_PROXY a proxy; run it \
         again to go on"
    )]
    Unreachable {
        /// The hub's address.
        hub: String,
        /// What the connection said.
        reason: String,
    },
    /// A download ended before its end.
    #[error("{file} came with {found} bytes instead of {expected}; run it again to go on")]
    Incomplete {
        /// The file.
        file: String,
        /// Bytes that came.
        found: u64,
        /// Bytes that the hub lists.
        expected: u64,
    },
    /// More bytes than anything here reads.
    #[error("{what} has more than {limit} bytes, which is the most that is fetched")]
    TooLarge {
        /// The file or answer.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// The bytes are not those that were announced, or not those that were pinned.
    #[error("{file} came with sha256 {found}, but {expected} is {by}; nothing was installed")]
    Changed {
        /// The file.
        file: String,
        /// The sha256 it should have, in hex.
        expected: String,
        /// The sha256 it has.
        found: String,
        /// Who says what it should have.
        by: &'static str,
    },
    /// An answer that makes no sense, or a repository without what is needed.
    #[error("{what}: {reason}")]
    Answer {
        /// The repository or file.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process fetches the same model.
    #[error("`{name}` is being fetched by another process")]
    Busy {
        /// The model.
        name: String,
    },
    /// The cache cannot be written to.
    #[error("cannot write {}", .path.display())]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What lies in the cache is unusable.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl HubError {
    /// Whether the same may succeed later without anybody changing anything.
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
