//! What goes wrong, as it crosses the network: RFC 9457 problem details out of one table.
//!
//! Invariants: a code never changes its meaning or its status; a body of status 5xx carries no internal text, which
//! goes to the log instead. A [`Problem`] becomes a response in two steps, because only [`crate::observe`] knows the
//! request's id: [`IntoResponse`] attaches it, [`finish`] writes the body.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engrain::wire;
use memory_core::error::Error;
use memory_core::store::StoreError;

/// What programs tell problems apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The body is no JSON.
    MalformedJson,
    /// The request cannot be answered by a server of this name.
    WrongHost,
    /// See [`Error::Forbidden`].
    Forbidden,
    /// No such route.
    UnknownRoute,
    /// See [`Error::NotFound`].
    NotFound,
    /// The route has no such method.
    MethodNotAllowed,
    /// The client was too slow.
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
    /// The body is over the limit.
    BodyTooLarge,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// A field of another type.
    WrongType,
    /// A field that the request does not have.
    UnknownField,
    /// A field that the request needs.
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
    /// See [`StoreError::Corrupt`].
    StoreDamaged,
    /// See [`StoreError::Unavailable`].
    StoreUnavailable,
    /// See [`Error::Index`].
    IndexUnavailable,
    /// See [`Error::Model`].
    EmbedderUnavailable,
    /// The models are being loaded.
    Starting,
    /// See [`Error::Stopping`].
    Stopping,
    /// The request took longer than the server allows.
    TimedOut,
}

impl Code {
    /// All codes, by status.
    pub(crate) const ALL: [Code; 29] = [
        Code::MalformedJson,
        Code::Forbidden,
        Code::UnknownRoute,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::BodyTimedOut,
        Code::VersionConflict,
        Code::ConfirmationStale,
        Code::EmbedderMismatch,
        Code::ReindexInProgress,
        Code::LeaseLost,
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
        Code::StoreUnavailable,
        Code::IndexUnavailable,
        Code::EmbedderUnavailable,
        Code::Starting,
        Code::Stopping,
        Code::TimedOut,
    ];

    /// The code's name, its status and its title: the table of all problems.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Code::MalformedJson => ("malformed_json", 400, "The body is not JSON"),
            Code::Forbidden => ("forbidden", 403, "The caller may not do this"),
            Code::UnknownRoute => ("unknown_route", 404, "There is no such route"),
            Code::NotFound => ("not_found", 404, "There is no such thing"),
            Code::MethodNotAllowed => ("method_not_allowed", 405, "The route does not have this method"),
            Code::BodyTimedOut => ("body_timed_out", 408, "The body did not arrive in time"),
            Code::VersionConflict => ("version_conflict", 409, "The memory has another version by now"),
            Code::ConfirmationStale => ("confirmation_stale", 409, "Other memories match by now"),
            Code::EmbedderMismatch => ("embedder_mismatch", 409, "The store has another embedder"),
            Code::ReindexInProgress => {
                ("reindex_in_progress", 409, "Another change of the embedder is not over")
            }
            Code::LeaseLost => ("lease_lost", 409, "The job is no longer this worker's"),
            Code::BodyTooLarge => ("body_too_large", 413, "The body is too large"),
            Code::UnsupportedMediaType => ("unsupported_media_type", 415, "The body must be JSON"),
            Code::WrongHost => ("wrong_host", 421, "This server does not answer to that name"),
            Code::WrongType => ("wrong_type", 422, "A field has the wrong type"),
            Code::UnknownField => ("unknown_field", 422, "The request has no such field"),
            Code::MissingField => ("missing_field", 422, "A field is missing"),
            Code::InvalidRequest => ("invalid_request", 422, "The request says something that cannot be"),
            Code::OverLimit => ("over_limit", 422, "The request is over a limit"),
            Code::IdempotencyKeyReused => {
                ("idempotency_key_reused", 422, "The idempotency key was used for a different request")
            }
            Code::Busy => ("busy", 429, "Too many requests at once"),
            Code::Internal => ("internal", 500, "The server made a mistake"),
            Code::StoreDamaged => ("store_damaged", 500, "The store is damaged"),
            Code::StoreUnavailable => ("store_unavailable", 503, "The store is not available"),
            Code::IndexUnavailable => ("index_unavailable", 503, "The index is not available"),
            Code::EmbedderUnavailable => ("embedder_unavailable", 503, "The embedder is not available"),
            Code::Starting => ("starting", 503, "The server is starting"),
            Code::Stopping => ("stopping", 503, "The server is shutting down"),
            Code::TimedOut => ("timed_out", 503, "The request took too long"),
        }
    }

    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The kind of problem in words.
    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }

    /// After how many seconds another try is worth it.
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

/// A problem of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Which.
    pub code: Code,
    /// What happened this time, for the caller. It may quote the request: never log it.
    pub detail: String,
    /// The part of the request at fault.
    pub field: Option<String>,
}

/// The longest detail, in bytes: a quoted value must not fill the answer.
const MAX_DETAIL_BYTES: usize = 600;

impl Problem {
    /// A problem with the request as a whole.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: shortened(detail.into()), field: None }
    }

    /// A problem with one part of the request.
    pub(crate) fn at(code: Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(shortened(field.into())), ..Self::new(code, detail) }
    }

    /// As it crosses the network.
    pub(crate) fn to_wire(&self, request_id: &str) -> wire::Problem {
        wire::Problem {
            kind: format!("https://engrain.dev/problems/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
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
            Error::NotFound { .. } => Code::NotFound,
            Error::Forbidden { .. } => Code::Forbidden,
            Error::VersionConflict { .. } => Code::VersionConflict,
            Error::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Error::ConfirmationStale => Code::ConfirmationStale,
            Error::EmbedderMismatch { .. } => Code::EmbedderMismatch,
            Error::ReindexInProgress { .. } => Code::ReindexInProgress,
            Error::LeaseLost { .. } => Code::LeaseLost,
            Error::Busy => Code::Busy,
            Error::Store(StoreError::Unavailable(_) | StoreError::InUse { .. }) => Code::StoreUnavailable,
            Error::Store(StoreError::Corrupt { .. }) => Code::StoreDamaged,
            Error::Index(_) => Code::IndexUnavailable,
            Error::Model(_) => Code::EmbedderUnavailable,
            Error::Stopping => Code::Stopping,
        };
        if code.status().is_server_error() {
            tracing::error!(code = code.as_str(), error = causes(&error), "operation failed");
            return Problem::new(code, format!("{}; the server's log says more", code.title()));
        }
        Problem::new(code, error.to_string())
    }
}

/// An error with everything that led to it, for the log.
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

/// Writes the body of a response that bears a [`Problem`], and answers its code; leaves others as they are.
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
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_row_of_its_own() {
        let names: BTreeSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
        let titles: BTreeSet<&str> = Code::ALL.into_iter().map(Code::title).collect();
        assert_eq!((names.len(), titles.len()), (Code::ALL.len(), Code::ALL.len()));
        assert!(Code::ALL.is_sorted_by_key(Code::status_number), "the table is in the order of status");
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert_eq!(code.status().as_u16(), code.row().1, "{code:?}");
        }
    }

    impl Code {
        fn status_number(&self) -> u16 {
            self.row().1
        }
    }

    /// The engine's own codes and the table must agree: a program may meet either.
    #[test]
    fn the_engines_errors_keep_their_codes() {
        let broken = || StoreError::Unavailable("disk I/O error in /secret/path".into());
        let errors = [
            Error::invalid("turns[3].said_at", "is no moment"),
            Error::OverLimit { field: "turns".to_owned(), what: "the number of turns", limit: 1_000 },
            Error::NotFound { what: "memory", id: "x".to_owned() },
            Error::Forbidden { right: "write" },
            Error::VersionConflict { id: "x".to_owned(), expected: 1, present: 2 },
            Error::IdempotencyKeyReused,
            Error::ConfirmationStale,
            Error::EmbedderMismatch { stored: "a".to_owned(), configured: "b".to_owned() },
            Error::ReindexInProgress { embedder: "a".to_owned(), job: "x".to_owned() },
            Error::LeaseLost { job: "x".to_owned() },
            Error::Busy,
            Error::Store(broken()),
            Error::Store(StoreError::Corrupt { table: "t", column: "c", row: "r".to_owned() }),
            Error::Stopping,
        ];
        for error in errors {
            let expected = error.code();
            let problem = Problem::from(error);
            assert_eq!(problem.code.as_str(), expected);
            if problem.code.status().is_server_error() {
                assert!(!problem.detail.contains("secret"), "{}", problem.detail);
            }
        }
    }

    #[test]
    fn the_field_at_fault_is_named_once() {
        let problem = Problem::from(Error::invalid("turns[3].said_at", "is no moment")).to_wire("r-1");
        assert_eq!(problem.field.as_deref(), Some("turns[3].said_at"));
        assert_eq!((problem.detail.as_str(), problem.status), ("is no moment", 422));
        assert_eq!(problem.request_id, "r-1");
    }

    #[test]
    fn long_details_are_cut_at_a_character() {
        let problem = Problem::new(Code::InvalidRequest, "é".repeat(5_000));
        assert!(problem.detail.len() < MAX_DETAIL_BYTES + 5 && problem.detail.ends_with("é…"));
    }
}
