//! Background jobs: list, show, cancel.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{Job, JobPage, JobState};
use memory_core::domain::id::JobId;
use memory_core::domain::job::JobFilter;
use serde::Deserialize;

use super::more_behind;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{cursor, memories, responses};
use crate::extract::{PathId, QueryString};
use crate::problem::Problem;

/// Query parameters of [`list_jobs`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobsQuery {
    /// State of the jobs to list. Default: any.
    #[param(inline)]
    state: Option<JobState>,
    /// Kind of the jobs to list, such as `reindex`. Default: any.
    kind: Option<String>,
    /// Maximum number of jobs to return, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Position in the list: the `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List background jobs
///
/// Returns the background jobs of the tenant, newest first. Finished jobs are kept.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    tag = "admin",
    params(JobsQuery),
    responses((status = 200, description = "Page of the list", body = JobPage, example = json!({
        "jobs": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "reindex", "state": "failed",
            "attempts": 8, "failures": 8, "done": 1200, "total": 5000, "error": "embedder_unavailable",
            "created_at": "2023-05-20T02:21:00Z", "updated_at": "2023-05-20T02:26:00Z"
        }]
    })))
)]
pub(crate) async fn list_jobs(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<JobsQuery>,
) -> Result<Json<JobPage>, Problem> {
    let limit = query.limit.unwrap_or(memories::DEFAULT_PAGE);
    let after = cursor::read(query.cursor.as_deref(), cursor::job)?;
    let filter = JobFilter { state: query.state.map(responses::job_state_asked), kind: query.kind };
    let engine = app.engine()?;
    let jobs = engine.jobs(&caller, &filter, after, limit).await?;
    let last = jobs.last().map(|job| job.id);
    let peek = async { engine.jobs(&caller, &filter, last, 1).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(jobs.len(), limit, peek).await?;
    Ok(Json(JobPage {
        jobs: jobs.into_iter().map(responses::job).collect(),
        next_cursor: last.filter(|_| has_more).map(cursor::of_job),
    }))
}

/// Show a background job
///
/// Returns the state and progress of a job. Jobs survive a restart of the server and continue by themselves.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "reindex", "state": "running",
        "attempts": 1, "failures": 0, "done": 1200, "total": 5000,
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

/// Cancel a background job
///
/// Cancels a job that waits or runs. From then on it changes nothing; what it has done so far stays. A finished job
/// stays as it is; the response shows its state.
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/cancel",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "reindex", "state": "cancelled",
        "attempts": 1, "failures": 0, "done": 1200, "total": 5000,
        "created_at": "2023-05-20T02:21:00Z", "updated_at": "2023-05-20T02:23:00Z"
    })))
)]
pub(crate) async fn cancel_job(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Job>, Problem> {
    let job = app.engine()?.cancel_job(&caller, JobId(id)).await?;
    Ok(Json(responses::job(job)))
}
