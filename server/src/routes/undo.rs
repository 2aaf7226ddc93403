//! Handlers of undo: all that a job made, or one version of a memory.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{UndoChange, UndoJob, Undone};
use memory_core::domain::change::Operation;
use memory_core::domain::id::{JobId, MemoryId};
use memory_core::memories::request::UndoRequest;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::undo;
use crate::extract::{IdempotencyKey, JsonBody, PathId};
use crate::problem::Problem;

/// Undo a background job
///
/// Takes back all that a finished job made: memories that it created are erased, those that it changed get a new version
/// with the content before. Later work that was built on it goes with it if `with_dependents` is true; otherwise the
/// undo is refused, and the problem lists the memories. A second undo finds nothing to take back.
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/undo",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "The job"), ("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns what the first call restored and erased. Keys are separate per owner and per operation")),
    request_body(content = UndoJob, example = json!({"dry_run": true})),
    responses((status = 200, description = "Effect of the undo", body = Undone, example = json!({
        "done": true,
        "restored": [{"memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 3}],
        "erased": ["01890a5d-ac96-774b-bcce-b30209900012"], "left": [], "dependents": [],
        "derivation_ids": ["01890a5d-ac96-774b-bcce-b30209900013"], "repeated": false
    })))
)]
pub(crate) async fn undo_job(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<UndoJob>,
) -> Result<Json<Undone>, Problem> {
    let UndoJob { dry_run, with_dependents } = body;
    let idempotency = key.of(&caller, Operation::UndoJob, &(id, &body));
    let request = UndoRequest { dry_run, with_dependents, idempotency };
    let engine = app.engine()?;
    let undone = engine.undo_job(&caller, JobId(id), request).await?;
    Ok(Json(undo::undone(undone, engine.purge_state())))
}

/// Undo a change of a memory
///
/// Takes back one version of a memory: the memory gets a new version with the content before, or is erased if the version
/// is its first. What was built on the version goes with it if `with_dependents` is true: later versions of the memory,
/// and versions derived with it in view. Otherwise the undo is refused, and the problem lists the memories.
#[utoipa::path(
    post,
    path = "/v1/memories/{id}/undo",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), ("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns what the first call restored and erased. Keys are separate per owner and per operation")),
    request_body(content = UndoChange, example = json!({"version": 2, "with_dependents": true})),
    responses((status = 200, description = "Effect of the undo", body = Undone, example = json!({
        "done": true,
        "restored": [{"memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 4}],
        "erased": [], "left": [],
        "dependents": [{"memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 3}],
        "derivation_ids": [], "repeated": false
    })))
)]
pub(crate) async fn undo_change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<UndoChange>,
) -> Result<Json<Undone>, Problem> {
    let UndoChange { version, dry_run, with_dependents } = body;
    let idempotency = key.of(&caller, Operation::UndoChange, &(id, &body));
    let request = UndoRequest { dry_run, with_dependents, idempotency };
    let engine = app.engine()?;
    let undone = engine.undo_change(&caller, MemoryId(id), version, request).await?;
    Ok(Json(undo::undone(undone, engine.purge_state())))
}
