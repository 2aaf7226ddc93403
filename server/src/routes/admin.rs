//! Handlers of store administration: reindex, check, backup.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use engrain::wire::{CheckReport, CheckRequest, Job, ReindexRequest};
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::convert::responses;
use crate::extract::JsonBody;
use crate::problem::{Code, Problem};

/// Name prefix of backup files in the data directory, before their id.
pub(crate) const BACKUP_PREFIX: &str = ".engrain-backup-";
/// Size of one read of a backup file, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

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
    Ok(Json(responses::check_report(report)))
}

/// Back up the store
///
/// Returns a consistent snapshot of the store as one SQLite file, without interruption. `engrain restore` restores it.
#[utoipa::path(
    get,
    path = "/v1/admin/backup",
    tag = "admin",
    responses((
        status = 200, description = "SQLite file", body = Vec<u8>, content_type = "application/vnd.sqlite3",
        example = json!("SQLite format 3…")
    ))
)]
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Extension(admission): Extension<Admission>,
) -> Result<Response, Problem> {
    let engine = app.engine()?;
    let copy = place_for_copy(&app).map_err(|error| not_copied(&error))?;
    engine.copy_to(&caller, &copy).await?;
    let file = File::open(&copy).await.map_err(|error| not_copied(&error))?;
    let length = file.metadata().await.map_err(|error| not_copied(&error))?.len();
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"engrain.db\"".to_owned()),
    ];
    Ok((headers, pieces(Copy { file, _path: copy, _place: admission })).into_response())
}

/// Backup file during its download. Dropping it removes the file, at the end of the download or when the client
/// disconnects.
struct Copy {
    file: File,
    _path: TempPath,
    _place: Admission,
}

fn pieces(copy: Copy) -> Body {
    Body::from_stream(futures::stream::try_unfold(copy, |mut copy| async move {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut copy.file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), copy)))
    }))
}

/// Unused file name in the data directory, which has room for the store and belongs to this server alone. The store
/// creates the file itself.
fn place_for_copy(app: &App) -> io::Result<TempPath> {
    let directory = &app.config().store.data_dir;
    TempPath::try_from_path(directory.join(format!("{BACKUP_PREFIX}{}", app.new_id().simple())))
}

fn not_copied(error: &io::Error) -> Problem {
    tracing::error!(%error, "the store could not be copied");
    Problem::new(Code::StoreUnavailable, "the backup could not be written; see the server's log")
}
