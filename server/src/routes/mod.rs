//! The handlers, by subject. Each is a few lines: read, ask the engine, answer.

pub(crate) mod admin;
pub(crate) mod export;
pub(crate) mod jobs;
pub(crate) mod memories;
pub(crate) mod meta;
pub(crate) mod owners;
pub(crate) mod recall;
pub(crate) mod sessions;
pub(crate) mod turns;

use axum::Json;
use axum::http::StatusCode;

/// 201 for what was made now, 200 for what an earlier request with the same key had made.
fn created<T>(answer: T, repeated: bool) -> (StatusCode, Json<T>) {
    (if repeated { StatusCode::OK } else { StatusCode::CREATED }, Json(answer))
}

/// Whether there is more behind a page: one that is not full is the last; behind a full one, `peek` looks.
async fn more_behind<E>(
    found: usize,
    limit: u32,
    peek: impl Future<Output = Result<bool, E>>,
) -> Result<bool, E> {
    if found < limit as usize { Ok(false) } else { peek.await }
}
