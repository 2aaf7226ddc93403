//! Durable work, and how it stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::Job;
use memory_core::domain::id::JobId;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::responses;
use crate::extract::PathId;
use crate::problem::Problem;

/// Show how a job stands
///
/// Jobs survive a restart of the server: they go on where they were.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "reindex", "state": "running",
        "done": 1200, "total": 5000,
        "created_at": "2023-05-20T02:21:00Z", "updated_at": "2023-05-20T02:22:00Z"
    })))
)]
pub(crate) async fn show_job(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Job>, Problem> {
    let job = app.engine()?.job(&caller, JobId(id)).await?;
    Ok(Json(responses::job(job)))
}
