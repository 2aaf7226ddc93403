//! Handlers of store administration: reindex, check, purge. Backups have a file of their own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engrain::wire::{CheckReport, CheckRequest, Job, PurgeStatus, ReindexRequest};

use crate::App;
use crate::auth::Authenticated;
use crate::condition::StoreFault;
use crate::convert::responses;
use crate::extract::JsonBody;
use crate::problem::Problem;

/// Change the embedder
///
/// Starts a background job that embeds all memories with the new embedder. The server uses the old embedder until the job
/// is done, then switches. `GET /v1/jobs/{id}` shows the progress. After a restart of the server the job continues by
/// itself. One such job exists at a time: a request for the same embedder returns it, a request for another one fails
/// with `reindex_in_progress`.
#[utoipa::path(
    post,
    path = "/v1/admin/reindex",
    tag = "admin",
    request_body(content = ReindexRequest, example = json!({"embedder": "all-minilm-l6-v2"})),
    responses((status = 202, description = "Job that was started", body = Job, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "reindex", "state": "waiting",
        "attempts": 0, "failures": 0, "done": 0, "total": 5000,
        "created_at": "2023-05-20T02:21:00Z", "updated_at": "2023-05-20T02:21:00Z"
    })))
)]
pub(crate) async fn reindex(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<ReindexRequest>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let job = app.engine()?.start_reindex(&caller, &request.embedder).await?;
    Ok((StatusCode::ACCEPTED, Json(responses::job(job))))
}

/// Check the store
///
/// Compares the index with the store and checks the store's consistency. With `repair`, repairs the faults that can be
/// repaired without loss.
#[utoipa::path(
    post,
    path = "/v1/admin/check",
    tag = "admin",
    request_body(content = CheckRequest, example = json!({"repair": false})),
    responses((status = 200, description = "Report of the check", body = CheckReport, example = json!({
        "healthy": true, "partitions": 3, "memories": 120, "findings": []
    })))
)]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<CheckRequest>,
) -> Result<Json<CheckReport>, Problem> {
    let report = app.engine()?.check(&caller, request.repair).await?;
    if report.damage.iter().any(|damage| damage.code == "database") {
        app.condition().note(StoreFault::Damaged);
    }
    Ok(Json(responses::check_report(report)))
}

/// Show whether erased data is out of the files
///
/// An erasure is in effect at once. Its bytes leave the files of the store as soon as no read and no backup of an earlier
/// state is in progress; until then erasures are answered with `"purge": "pending"`.
#[utoipa::path(
    get,
    path = "/v1/admin/purge",
    tag = "admin",
    responses((status = 200, description = "State of the purge", body = PurgeStatus, example = json!({
        "state": "pending", "erasures": 2, "since": "2023-05-20T02:21:00Z", "copies": 0
    })))
)]
pub(crate) async fn purge(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<PurgeStatus>, Problem> {
    Ok(Json(responses::purge_status(app.engine()?.purge_status(&caller)?)))
}
