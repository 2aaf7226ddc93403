//! Request handlers, by resource. Each one converts the request, calls the engine and converts the result.

pub(crate) mod admin;
pub(crate) mod backup;
pub(crate) mod digests;
pub(crate) mod export;
pub(crate) mod forgetting;
pub(crate) mod grants;
pub(crate) mod graph;
pub(crate) mod graph_export;
pub(crate) mod import;
pub(crate) mod jobs;
pub(crate) mod memories;
pub(crate) mod meta;
pub(crate) mod owners;
pub(crate) mod recall;
pub(crate) mod sessions;
pub(crate) mod thinking;
pub(crate) mod timezone;
pub(crate) mod turns;
pub(crate) mod undo;
pub(crate) mod uses;
pub(crate) mod working_memory;

use axum::Json;
use axum::http::StatusCode;

/// Status of an addition: 201 if this request made it, 200 if an earlier one with the same idempotency key did.
fn created<T>(answer: T, repeated: bool) -> (StatusCode, Json<T>) {
    (if repeated { StatusCode::OK } else { StatusCode::CREATED }, Json(answer))
}

/// Existence of a further page. A page that is not full is the last one; after a full one, `peek` decides.
async fn more_behind<E>(
    found: usize,
    limit: u32,
    peek: impl Future<Output = Result<bool, E>>,
) -> Result<bool, E> {
    if found < limit as usize { Ok(false) } else { peek.await }
}
