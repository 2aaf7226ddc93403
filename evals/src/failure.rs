//! Why a run ends before its end. Causes are kept, so that what is printed names the file, user or question and, below
//! it, what the server or the system said.

use std::path::{Path, PathBuf};

use engrain::formats::FormatError;

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The data file cannot be read as what it is said to be.
    #[error("the data cannot be used")]
    Data(#[from] FormatError),
    /// Every question of the file is left out, or it has none.
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
    /// The server did not do what it was asked for.
    #[error("{doing}")]
    Server {
        /// What was being done, and for whom.
        doing: String,
        /// Why it failed.
        #[source]
        source: engrain::Error,
    },
    /// A user has other memories than the data gives them: what would be measured is not the data.
    #[error("user {user} has {present} memories where the data has {expected}: give another --user-prefix")]
    OtherMemories {
        /// The user.
        user: String,
        /// Memories in the server.
        present: u64,
        /// Turns in the data.
        expected: u64,
    },
    /// A task of ours broke down.
    #[error("a task broke down")]
    Task(#[from] tokio::task::JoinError),
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
