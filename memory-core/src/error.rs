//! Errors of the engine, independent of HTTP. Each kind has a stable code; the server maps it to a status.

use std::sync::Arc;

use crate::domain::change::Refusal;
use crate::domain::undo::VersionId;
use crate::index::IndexError;
use crate::model::ModelError;
use crate::store::StoreError;

/// Failed operation. The stored data is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request has an invalid value.
    #[error("{field}: {detail}")]
    Invalid {
        /// Path of the value in the request, such as `turns[3].said_at`.
        field: String,
        /// Violation, in words.
        detail: String,
    },
    /// The request exceeds a limit.
    #[error("{field}: {what} is limited to {limit}")]
    OverLimit {
        /// Path of the value in the request.
        field: String,
        /// Limited quantity, in words.
        what: &'static str,
        /// Limit.
        limit: u64,
    },
    /// The object does not exist, or is not visible to this caller.
    #[error("there is no {what} {id}")]
    NotFound {
        /// Kind of the object, in words.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The caller lacks a right.
    #[error("this needs the right to {right}")]
    Forbidden {
        /// Missing right.
        right: &'static str,
    },
    /// The memory changed since the version that the request names.
    #[error("memory {id} is at version {present}, not {expected}")]
    VersionConflict {
        /// Memory.
        id: String,
        /// Version that the request names.
        expected: u32,
        /// Present version.
        present: u32,
    },
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// The set of matching memories changed after its preview.
    #[error("other memories match than those that were confirmed: look again")]
    ConfirmationStale,
    /// The store's embedder is not the configured one.
    #[error("the store was made with embedder {stored}, but {configured} is configured")]
    EmbedderMismatch {
        /// Embedder of the stored rows.
        stored: String,
        /// Configured embedder.
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
    /// The job still waits or runs, so that it could write more than an undo takes back.
    #[error("job {job} is {state}: an undo needs a job that is over")]
    JobNotOver {
        /// Its id.
        job: String,
        /// Its state.
        state: &'static str,
    },
    /// Later work was built on what an undo would take back.
    #[error("{} later versions were built on it: take them back with it, or not at all", dependents.len())]
    UndoHasDependents {
        /// Memories with these versions, in the order of ids; a memory may have several.
        dependents: Vec<VersionId>,
    },
    /// The memories of the scope were changed again and again while the request was prepared.
    #[error("the memories of this scope changed meanwhile: try again")]
    ScopeChanged,
    /// Overload; the request may be retried.
    #[error("too many requests are waiting")]
    Busy,
    /// Failure of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Failure of the index.
    #[error(transparent)]
    Index(IndexError),
    /// Failure of a model.
    #[error(transparent)]
    Model(ModelError),
    /// A language model gave no usable reply.
    #[error("the language model gave no usable reply: {code}")]
    LanguageModel {
        /// Code of the failure.
        code: &'static str,
    },
    /// The budget of the scope for language models is exhausted for today.
    #[error("the budget of the scope for language models is exhausted for today: {code}")]
    BudgetExhausted {
        /// Code of the bound.
        code: &'static str,
    },
    /// A defect ended the work on the request. A write may have been made or not.
    #[error("a defect ended the work on the request")]
    Interrupted,
    /// The engine is shutting down.
    #[error("the server is shutting down")]
    Stopping,
}

impl Error {
    /// Error for an invalid value at `field`.
    pub fn invalid(field: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Error::Invalid { field: field.into(), detail: detail.to_string() }
    }

    /// Error for an erasure that would take more than `limit` memories. `field` is what names them in the request.
    pub(crate) fn too_many_erasures(field: &str, limit: u64) -> Self {
        let what = "the number of memories erased by one call, derived ones included,";
        Error::OverLimit { field: field.to_owned(), what, limit }
    }

    /// Stable code of the kind of error, for programs.
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
            Error::JobNotOver { .. } => "job_not_over",
            Error::UndoHasDependents { .. } => "undo_has_dependents",
            Error::ScopeChanged => "scope_changed",
            Error::Busy | Error::Store(StoreError::Busy) => "busy",
            Error::Store(
                StoreError::Unavailable(_)
                | StoreError::InUse { .. }
                | StoreError::NewerVersion(_)
                | StoreError::Incomplete { .. },
            ) => "store_unavailable",
            Error::Store(StoreError::Corrupt { .. } | StoreError::Damaged(_)) => "store_damaged",
            Error::Store(StoreError::Full(_)) => "storage_full",
            Error::Store(StoreError::ReadOnly(_)) => "store_read_only",
            Error::Interrupted => "internal",
            Error::Index(_) => "index_unavailable",
            Error::Model(_) => "embedder_unavailable",
            Error::LanguageModel { .. } => "language_model_unavailable",
            Error::BudgetExhausted { .. } => "budget_exhausted",
            Error::Stopping => "stopping",
        }
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        match error {
            // The index is derived: what it cannot read is a failure of the store.
            IndexError::Store(error) => {
                Error::Store(Arc::try_unwrap(error).unwrap_or_else(|shared| shared.alike()))
            }
            error => Error::Index(error),
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
            Refusal::NotQueued(id) => Error::NotFound { what: "queued turn", id: id.to_string() },
            Refusal::LinkToItself(_) => Error::invalid("links", refusal),
            Refusal::EmbedderChanged => Error::Busy,
            Refusal::Outdated => Error::ScopeChanged,
            Refusal::Unreadable { table, column, row } => {
                Error::Store(StoreError::Corrupt { table, column, row })
            }
            Refusal::Unstorable => Error::invalid("request", refusal),
            Refusal::LeaseLost(job) => Error::LeaseLost { job: job.to_string() },
            Refusal::OtherErasures => Error::ConfirmationStale,
            Refusal::TooManyErasures { limit } => Error::too_many_erasures("memory", limit),
            Refusal::Full { what, limit } => Error::OverLimit { field: "scope".to_owned(), what, limit },
        }
    }
}
