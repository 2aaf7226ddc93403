//! Failures of a run. Causes are kept, so that the printed error names the file, user or question and the error of the
//! server or system.

use std::path::{Path, PathBuf};

use engrain::formats::FormatError;

/// Failure of a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The data file is invalid.
    #[error("the data cannot be used")]
    Data(#[from] FormatError),
    /// The file has no question that can be scored.
    #[error("{0}: there is no question to ask in it")]
    NothingToAsk(PathBuf),
    /// A file cannot be read or written.
    #[error("{file}: cannot be {done}")]
    File {
        /// The file.
        file: PathBuf,
        /// `read` or `written`.
        done: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A request to the server failed.
    #[error("{doing}")]
    Server {
        /// Operation and its user.
        doing: String,
        /// Cause.
        #[source]
        source: engrain::Error,
    },
    /// A user has other memories than the data, which would distort the measurement.
    #[error("user {user} has {present} memories where the data has {expected}: give another --user-prefix")]
    OtherMemories {
        /// The user.
        user: String,
        /// Memories in the server.
        present: u64,
        /// Turns in the data.
        expected: u64,
    },
    /// A task panicked or was cancelled.
    #[error("a task broke down")]
    Task(#[from] tokio::task::JoinError),
    /// A plot cannot be written.
    #[error("{file}: the plot cannot be drawn: {reason}")]
    Plot {
        /// The file.
        file: PathBuf,
        /// Why, in the words of the drawing library.
        reason: String,
    },
    /// The report cannot be written as JSON.
    #[error("the report cannot be written as JSON")]
    Report(#[from] serde_json::Error),
}

impl Failure {
    /// The server failed while `doing`.
    pub(crate) fn server(doing: impl Into<String>) -> impl FnOnce(engrain::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Server { doing, source }
    }

    /// `file` could not be `done`.
    pub(crate) fn file(file: &Path, done: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File { file: file.to_owned(), done, source }
    }
}
