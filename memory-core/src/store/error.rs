//! Failures of a store, by what a caller or an operator can do about them.

/// Cause of a failure, for the log.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or not in time.
    #[error("the store is not available")]
    Unavailable(#[source] Cause),
    /// As many reads through filters are at work as may be. The read may be repeated.
    #[error("too many reads through filters are at work")]
    Busy,
    /// A stored value cannot be decoded. The rest of the store works.
    #[error("the store is damaged: {table}.{column} of {row}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row, in words.
        row: String,
    },
    /// The file of the database is damaged: its pages contradict each other, or it is no database.
    #[error(
        "the database is damaged: `engrain doctor` says more, `engrain restore FILE --force` replaces it by a backup"
    )]
    Damaged(#[source] Cause),
    /// The disk is full, or a quota is used up. Reads work.
    #[error("the disk is full: nothing was written; free space, and repeat the request")]
    Full(#[source] Cause),
    /// The files of the database cannot be written to. Reads may work.
    #[error(
        "the store cannot be written to: look at the permissions of the data directory and its file system"
    )]
    ReadOnly(#[source] Cause),
    /// The store was written by a newer version of this program.
    #[error(
        "the store was written by a newer version of Engrain: use that version, or restore an older backup"
    )]
    NewerVersion(#[source] Cause),
    /// A part of the store is missing that was there before.
    #[error("the store is incomplete: {what}")]
    Incomplete {
        /// Missing part, and what can be done.
        what: String,
    },
    /// Another process holds the lock of the store.
    #[error("{path} is in use by another process")]
    InUse {
        /// Data directory.
        path: String,
    },
}

/// Kind of a failure that a database reports by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// See [`StoreError::Unavailable`].
    Unavailable,
    /// See [`StoreError::Damaged`].
    Damaged,
    /// See [`StoreError::Full`].
    Full,
    /// See [`StoreError::ReadOnly`].
    ReadOnly,
    /// See [`StoreError::NewerVersion`].
    NewerVersion,
}

impl FailureKind {
    /// Kind of a failure of the file system.
    pub fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;

        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FailureKind::Full,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => FailureKind::ReadOnly,
            _ => FailureKind::Unavailable,
        }
    }
}

impl StoreError {
    /// Failure of this kind.
    pub fn of(kind: FailureKind, cause: Cause) -> Self {
        match kind {
            FailureKind::Unavailable => StoreError::Unavailable(cause),
            FailureKind::Damaged => StoreError::Damaged(cause),
            FailureKind::Full => StoreError::Full(cause),
            FailureKind::ReadOnly => StoreError::ReadOnly(cause),
            FailureKind::NewerVersion => StoreError::NewerVersion(cause),
        }
    }

    /// Failure of the same kind, for others whom the same failure meets.
    pub(crate) fn alike(&self) -> Self {
        let cause: Cause = "see the first of the group".into();
        match self {
            StoreError::Damaged(_) => StoreError::Damaged(cause),
            StoreError::Full(_) => StoreError::Full(cause),
            StoreError::ReadOnly(_) => StoreError::ReadOnly(cause),
            StoreError::Corrupt { table, column, row } => {
                StoreError::Corrupt { table, column, row: row.clone() }
            }
            StoreError::Busy => StoreError::Busy,
            _ => StoreError::Unavailable(cause),
        }
    }

    /// True if writes fail while reads may work, until an operator acts.
    pub fn is_about_writing(&self) -> bool {
        matches!(self, StoreError::Full(_) | StoreError::ReadOnly(_))
    }
}
