//! What goes wrong in Engrain, without a word about HTTP. Each kind has a code that never changes its meaning; the
//! door decides the status.

use crate::domain::change::Refusal;
use crate::index::IndexError;
use crate::model::ModelError;
use crate::store::StoreError;

/// An operation that did not happen. Whatever it was to change is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request says something that cannot be.
    #[error("{field}: {detail}")]
    Invalid {
        /// The part of the request, as a path such as `turns[3].said_at`.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The request asks for more than a limit allows.
    #[error("{field}: {what} is limited to {limit}")]
    OverLimit {
        /// The part of the request.
        field: String,
        /// What is limited, in words.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// There is no such thing, or not for this caller.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The caller may not do this.
    #[error("this needs the right to {right}")]
    Forbidden {
        /// The right that is wanting.
        right: &'static str,
    },
    /// Something else changed meanwhile.
    #[error("memory {id} is at version {present}, not {expected}")]
    VersionConflict {
        /// Which memory.
        id: String,
        /// The version that was built on.
        expected: u32,
        /// The present one.
        present: u32,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// Other memories match by now than those that were confirmed.
    #[error("other memories match than those that were confirmed: look again")]
    ConfirmationStale,
    /// The store's embedder and the one asked for are not the same.
    #[error("the store was made with embedder {stored}, but {configured} is configured")]
    EmbedderMismatch {
        /// What the store's rows are made with.
        stored: String,
        /// What was configured.
        configured: String,
    },
    /// A change to another embedder waits or is at work: one at a time.
    #[error("job {job} changes the embedder to {embedder}: wait for its end, or cancel it")]
    ReindexInProgress {
        /// The embedder that it changes to.
        embedder: String,
        /// Its id.
        job: String,
    },
    /// A worker's job was cancelled, or given to another worker.
    #[error("job {job} is no longer this worker's")]
    LeaseLost {
        /// Its id.
        job: String,
    },
    /// Too much to do; later it will work.
    #[error("too many requests are waiting")]
    Busy,
    /// A part does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part does not work.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A part does not work.
    #[error(transparent)]
    Model(ModelError),
    /// The engine is shutting down.
    #[error("the server is shutting down")]
    Stopping,
}

impl Error {
    /// A part of the request that cannot be.
    pub fn invalid(field: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Error::Invalid { field: field.into(), detail: detail.to_string() }
    }

    /// What programs tell errors apart by.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "invalid_request",
            Error::OverLimit { .. } => "over_limit",
            Error::NotFound { .. } => "not_found",
            Error::Forbidden { .. } => "forbidden",
            Error::VersionConflict { .. } => "version_conflict",
            Error::IdempotencyKeyReused => "idempotency_key_reused",
            Error::ConfirmationStale => "confirmation_stale",
            Error::EmbedderMismatch { .. } => "embedder_mismatch",
            Error::ReindexInProgress { .. } => "reindex_in_progress",
            Error::LeaseLost { .. } => "lease_lost",
            Error::Busy => "busy",
            Error::Store(StoreError::Unavailable(_) | StoreError::InUse { .. }) => "store_unavailable",
            Error::Store(StoreError::Corrupt { .. }) => "store_damaged",
            Error::Index(_) => "index_unavailable",
            Error::Model(_) => "embedder_unavailable",
            Error::Stopping => "stopping",
        }
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Busy { .. } => Error::Busy,
            error => Error::Model(error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::IdempotencyKeyReused => Error::IdempotencyKeyReused,
            Refusal::VersionConflict { id, expected, present } => {
                Error::VersionConflict { id: id.to_string(), expected, present }
            }
            Refusal::NotFound(id) => Error::NotFound { what: "memory or turn", id: id.to_string() },
            Refusal::LinkToItself(_) => Error::invalid("links", refusal),
            Refusal::EmbedderChanged => Error::Busy,
            Refusal::LeaseLost(job) => Error::LeaseLost { job: job.to_string() },
            Refusal::Full { what, limit } => Error::OverLimit { field: "scope".to_owned(), what, limit },
        }
    }
}
