//! Error responses: RFC 9457 problem details, defined by one table of codes.
//!
//! Invariants: a code never changes its meaning or status; a body of status 5xx has no internal details, which go to
//! the log. A [`Problem`] becomes a response in two steps, because only [`crate::observe`] knows the request id:
//! [`IntoResponse`] attaches the problem, [`finish`] writes the body.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engrain::wire;
use memory_core::error::Error;
use memory_core::store::StoreError;
use uuid::Uuid;

use crate::condition::StoreFault;

/// Stable code of a problem, for programs to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The body is not JSON.
    MalformedJson,
    /// The `Host` header names another server.
    WrongHost,
    /// See [`Error::Forbidden`].
    Forbidden,
    /// A web page of another origin sent the request.
    ForeignOrigin,
    /// The route does not exist.
    UnknownRoute,
    /// See [`Error::NotFound`].
    NotFound,
    /// The route does not allow the method.
    MethodNotAllowed,
    /// The body did not arrive within its timeout.
    BodyTimedOut,
    /// See [`Error::VersionConflict`].
    VersionConflict,
    /// See [`Error::ConfirmationStale`].
    ConfirmationStale,
    /// See [`Error::EmbedderMismatch`].
    EmbedderMismatch,
    /// See [`Error::ReindexInProgress`].
    ReindexInProgress,
    /// See [`Error::LeaseLost`].
    LeaseLost,
    /// See [`Error::JobNotOver`].
    JobNotOver,
    /// See [`Error::UndoHasDependents`].
    UndoHasDependents,
    /// See [`Error::ScopeChanged`].
    ScopeChanged,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The content type is not JSON.
    UnsupportedMediaType,
    /// A field has the wrong JSON type.
    WrongType,
    /// The request has an unknown field.
    UnknownField,
    /// A required field is missing.
    MissingField,
    /// See [`Error::Invalid`].
    InvalidRequest,
    /// See [`Error::OverLimit`].
    OverLimit,
    /// See [`Error::IdempotencyKeyReused`].
    IdempotencyKeyReused,
    /// See [`Error::Busy`].
    Busy,
    /// A defect of the server.
    Internal,
    /// See [`StoreError::Corrupt`] and [`StoreError::Damaged`].
    StoreDamaged,
    /// See [`StoreError::Full`].
    StorageFull,
    /// See [`StoreError::ReadOnly`].
    StoreReadOnly,
    /// See [`StoreError::Unavailable`].
    StoreUnavailable,
    /// See [`Error::Index`].
    IndexUnavailable,
    /// See [`Error::Model`].
    EmbedderUnavailable,
    /// See [`Error::LanguageModel`].
    LanguageModelUnavailable,
    /// See [`Error::BudgetExhausted`].
    BudgetExhausted,
    /// The models are loading.
    Starting,
    /// See [`Error::Stopping`].
    Stopping,
    /// The request exceeded its timeout.
    TimedOut,
}

impl Code {
    /// All codes, by status.
    pub(crate) const ALL: [Code; 37] = [
        Code::MalformedJson,
        Code::Forbidden,
        Code::ForeignOrigin,
        Code::BudgetExhausted,
        Code::UnknownRoute,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::BodyTimedOut,
        Code::VersionConflict,
        Code::ConfirmationStale,
        Code::EmbedderMismatch,
        Code::ReindexInProgress,
        Code::LeaseLost,
        Code::JobNotOver,
        Code::UndoHasDependents,
        Code::ScopeChanged,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::WrongHost,
        Code::WrongType,
        Code::UnknownField,
        Code::MissingField,
        Code::InvalidRequest,
        Code::OverLimit,
        Code::IdempotencyKeyReused,
        Code::Busy,
        Code::Internal,
        Code::StoreDamaged,
        Code::LanguageModelUnavailable,
        Code::StoreUnavailable,
        Code::IndexUnavailable,
        Code::EmbedderUnavailable,
        Code::Starting,
        Code::Stopping,
        Code::TimedOut,
        Code::StorageFull,
        Code::StoreReadOnly,
    ];

    /// Table of all problems: code, status, title.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Code::MalformedJson => ("malformed_json", 400, "The body is not JSON"),
            Code::Forbidden => ("forbidden", 403, "The caller lacks a permission"),
            Code::ForeignOrigin => {
                ("foreign_origin", 403, "The request comes from a web page of another origin")
            }
            Code::BudgetExhausted => {
                ("budget_exhausted", 403, "The budget of the scope for language models is exhausted")
            }
            Code::UnknownRoute => ("unknown_route", 404, "The route does not exist"),
            Code::NotFound => ("not_found", 404, "The object does not exist"),
            Code::MethodNotAllowed => ("method_not_allowed", 405, "The route does not allow this method"),
            Code::BodyTimedOut => ("body_timed_out", 408, "The body did not arrive in time"),
            Code::VersionConflict => {
                ("version_conflict", 409, "The memory has changed since the given version")
            }
            Code::ConfirmationStale => {
                ("confirmation_stale", 409, "The set of matching memories has changed")
            }
            Code::EmbedderMismatch => ("embedder_mismatch", 409, "The store uses another embedder"),
            Code::ReindexInProgress => {
                ("reindex_in_progress", 409, "Another change of the embedder waits or runs")
            }
            Code::LeaseLost => ("lease_lost", 409, "The job was cancelled or given to another worker"),
            Code::JobNotOver => ("job_not_over", 409, "The job waits or runs"),
            Code::UndoHasDependents => {
                ("undo_has_dependents", 409, "Later work was built on what would be undone")
            }
            Code::ScopeChanged => ("scope_changed", 409, "The memories of the scope changed meanwhile"),
            Code::BodyTooLarge => ("body_too_large", 413, "The body is too large"),
            Code::UnsupportedMediaType => ("unsupported_media_type", 415, "The content type must be JSON"),
            Code::WrongHost => ("wrong_host", 421, "The Host header names another server"),
            Code::WrongType => ("wrong_type", 422, "A field has the wrong type"),
            Code::UnknownField => ("unknown_field", 422, "The request has an unknown field"),
            Code::MissingField => ("missing_field", 422, "A required field is missing"),
            Code::InvalidRequest => ("invalid_request", 422, "The request has an invalid value"),
            Code::OverLimit => ("over_limit", 422, "The request exceeds a limit"),
            Code::IdempotencyKeyReused => {
                ("idempotency_key_reused", 422, "The idempotency key was used for a different request")
            }
            Code::Busy => ("busy", 429, "Too many concurrent requests"),
            Code::Internal => ("internal", 500, "Internal server error"),
            Code::StoreDamaged => ("store_damaged", 500, "The store is damaged"),
            Code::LanguageModelUnavailable => {
                ("language_model_unavailable", 502, "The language model gave no usable reply")
            }
            Code::StoreUnavailable => ("store_unavailable", 503, "The store is not available"),
            Code::IndexUnavailable => ("index_unavailable", 503, "The index is not available"),
            Code::EmbedderUnavailable => ("embedder_unavailable", 503, "The embedder is not available"),
            Code::Starting => ("starting", 503, "The server is starting"),
            Code::Stopping => ("stopping", 503, "The server is shutting down"),
            Code::TimedOut => ("timed_out", 503, "The request took too long"),
            Code::StorageFull => ("storage_full", 507, "The disk is full, and nothing was changed"),
            Code::StoreReadOnly => {
                ("store_read_only", 507, "The store cannot be written to, and nothing was changed")
            }
        }
    }

    /// Name of the code in responses.
    pub(crate) const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// HTTP status of the code.
    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Title of the problem.
    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }

    /// Value of `Retry-After` in seconds, for temporary problems.
    const fn retry_after_s(self) -> Option<u32> {
        match self {
            Code::Busy | Code::Starting => Some(1),
            Code::StoreUnavailable
            | Code::IndexUnavailable
            | Code::EmbedderUnavailable
            | Code::Stopping
            | Code::TimedOut => Some(5),
            _ => None,
        }
    }
}

/// Problem of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Code of the problem.
    pub code: Code,
    /// Explanation of this occurrence, for the caller. It may quote the request: never log it.
    pub detail: String,
    /// Path of the invalid field in the request.
    pub field: Option<String>,
    /// Memories that stand against the request, at most [`MAX_MEMORY_IDS`].
    pub memory_ids: Vec<Uuid>,
    /// Fault of the whole store that the request met.
    pub fault: Option<StoreFault>,
}

/// Maximum length of a detail in bytes: a quoted value must not fill the response.
const MAX_DETAIL_BYTES: usize = 600;
/// Maximum number of memories that a problem lists.
const MAX_MEMORY_IDS: usize = 100;

impl Problem {
    /// Problem of the request as a whole.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: shortened(detail.into()), field: None, memory_ids: Vec::new(), fault: None }
    }

    /// Problem of one field of the request.
    pub(crate) fn at(code: Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(shortened(field.into())), ..Self::new(code, detail) }
    }

    /// The same problem, its field found inside the request's field `outer`.
    pub(crate) fn inside(self, outer: &str) -> Self {
        let field = self.field.map(|field| shortened(format!("{outer}.{field}")));
        Self { field, ..self }
    }

    /// Problem details as sent to the client.
    pub(crate) fn to_wire(&self, request_id: &str) -> wire::Problem {
        wire::Problem {
            kind: format!("https://engrain.dev/problems/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            memory_ids: self.memory_ids.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_DETAIL_BYTES {
        text.truncate(text.floor_char_boundary(MAX_DETAIL_BYTES));
        text.push('…');
    }
    text
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Invalid { field, detail } => return Problem::at(Code::InvalidRequest, field, detail),
            Error::OverLimit { field, what, limit } => {
                return Problem::at(Code::OverLimit, field, format!("{what} is limited to {limit}"));
            }
            Error::UndoHasDependents { dependents } => {
                let ids: BTreeSet<Uuid> = dependents.iter().map(|one| one.memory.0).collect();
                let memory_ids = ids.into_iter().take(MAX_MEMORY_IDS).collect();
                return Problem { memory_ids, ..Problem::new(Code::UndoHasDependents, error.to_string()) };
            }
            Error::JobNotOver { .. } => Code::JobNotOver,
            Error::ScopeChanged => Code::ScopeChanged,
            Error::NotFound { .. } => Code::NotFound,
            Error::Forbidden { .. } => Code::Forbidden,
            Error::VersionConflict { .. } => Code::VersionConflict,
            Error::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Error::ConfirmationStale => Code::ConfirmationStale,
            Error::EmbedderMismatch { .. } => Code::EmbedderMismatch,
            Error::ReindexInProgress { .. } => Code::ReindexInProgress,
            Error::LeaseLost { .. } => Code::LeaseLost,
            Error::Busy => Code::Busy,
            Error::Store(error) => store_code(error),
            Error::Interrupted => Code::Internal,
            Error::Index(_) => Code::IndexUnavailable,
            Error::Model(_) => Code::EmbedderUnavailable,
            Error::LanguageModel { .. } => Code::LanguageModelUnavailable,
            Error::BudgetExhausted { .. } => Code::BudgetExhausted,
            Error::Stopping => Code::Stopping,
        };
        if code.status().is_server_error() {
            tracing::error!(code = code.as_str(), error = causes(&error), "operation failed");
            let fault = match &error {
                Error::Store(error) => StoreFault::of(error),
                _ => None,
            };
            return Problem {
                fault,
                ..Problem::new(code, format!("{}; see the server's log", code.title()))
            };
        }
        Problem::new(code, error.to_string())
    }
}

const fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::Corrupt { .. } | StoreError::Damaged(_) => Code::StoreDamaged,
        StoreError::Full(_) => Code::StorageFull,
        StoreError::ReadOnly(_) => Code::StoreReadOnly,
        StoreError::Busy => Code::Busy,
        StoreError::Unavailable(_)
        | StoreError::InUse { .. }
        | StoreError::NewerVersion(_)
        | StoreError::Incomplete { .. } => Code::StoreUnavailable,
    }
}

/// Error with the chain of its causes, for the log.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |cause| cause.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(seconds) = self.code.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a response that carries a [`Problem`] and returns its code; other responses are unchanged.
pub(crate) fn finish(response: Response, request_id: &str) -> (Response, Option<Code>) {
    let (mut head, body) = response.into_parts();
    let Some(problem) = head.extensions.remove::<Problem>() else {
        return (Response::from_parts(head, body), None);
    };
    let body = serde_json::to_vec(&problem.to_wire(request_id)).unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    (Response::from_parts(head, body.into()), Some(problem.code))
}

#[cfg(test)]
mod tests;
