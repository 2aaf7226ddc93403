//! Handlers of backups: begin one, follow it, fetch its file.
//!
//! The copy is made by a task that outlives the request, and its file waits in the data directory until it is fetched
//! or has expired. One backup exists at a time. As long as its file exists, erasures are pending: see
//! [`memory_core::maintenance::StoreCopy`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use engrain::wire::{Backup, BackupState};
use memory_core::Engine;
use memory_core::domain::scope::Caller;
use memory_core::domain::time::Timestamp;
use memory_core::maintenance::StoreCopy;
use memory_core::store::sql::DATABASE_FILE;
use memory_core::store::sql::leftovers::BACKUP_PREFIX;
use parking_lot::Mutex;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::extract::PathId;
use crate::problem::{Code, Problem};

/// Size of one read of a backup file, in bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// Time after which a file that nobody fetched is deleted.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// The backup of this server, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Backups(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    id: Uuid,
    started: Timestamp,
    /// Size of the database when the backup began, in bytes.
    expected_bytes: u64,
    path: PathBuf,
    state: Stage,
}

/// State of a backup, with its file once that is complete.
#[derive(Debug)]
enum Stage {
    Running,
    Ready(Complete),
    /// With the code of the error.
    Failed(&'static str),
}

/// Complete file with its guard. Dropping it deletes the file first.
#[derive(Debug)]
struct Complete {
    file: TempPath,
    bytes: u64,
    _guard: StoreCopy,
}

impl Kept {
    fn shown(&self) -> Backup {
        let written = || std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let (state, bytes, total_bytes) = match &self.state {
            Stage::Running => {
                let bytes = written();
                (BackupState::Running, bytes, self.expected_bytes.max(bytes))
            }
            Stage::Ready(Complete { bytes, .. }) => (BackupState::Ready, *bytes, *bytes),
            Stage::Failed(_) => (BackupState::Failed, 0, self.expected_bytes),
        };
        let error = match &self.state {
            Stage::Failed(code) => Some((*code).to_owned()),
            Stage::Running | Stage::Ready(_) => None,
        };
        Backup { id: self.id, state, error, bytes, total_bytes, started_at: self.started.to_string() }
    }
}

impl Backups {
    /// State of the backup of this id.
    fn show(&self, id: Uuid) -> Option<Backup> {
        self.0.lock().as_ref().filter(|kept| kept.id == id).map(Kept::shown)
    }

    /// Takes the complete file of this id out; `None` if there is none.
    fn take(&self, id: Uuid) -> Option<Complete> {
        let mut slot = self.0.lock();
        let is_ready =
            slot.as_ref().is_some_and(|kept| kept.id == id && matches!(kept.state, Stage::Ready(_)));
        match slot.take_if(|_| is_ready)?.state {
            Stage::Ready(complete) => Some(complete),
            Stage::Running | Stage::Failed(_) => None,
        }
    }

    fn finish(&self, id: Uuid, state: Stage) {
        if let Some(kept) = self.0.lock().as_mut().filter(|kept| kept.id == id) {
            kept.state = state;
        }
    }

    fn forget(&self, id: Uuid) {
        self.0.lock().take_if(|kept| kept.id == id);
    }
}

/// Start a backup
///
/// Makes a consistent copy of the store as one SQLite file, while reads and writes go on. Every erasure that was
/// acknowledged before the copy is `ready` is in effect in it. `GET /v1/admin/backup/{id}` shows the progress, and
/// `POST /v1/admin/backup/{id}/file` fetches the file. One backup is made at a time: a request during one returns it,
/// and a file that nobody has fetched is replaced. `engrain restore` restores the file.
#[utoipa::path(
    post,
    path = "/v1/admin/backup",
    tag = "admin",
    responses((status = 202, description = "Backup that was started", body = Backup, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "state": "running", "bytes": 0, "total_bytes": 112000000,
        "started_at": "2023-05-20T02:21:00Z"
    })))
)]
pub(crate) async fn start_backup(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<(StatusCode, Json<Backup>), Problem> {
    let engine = Arc::clone(app.engine()?);
    let guard = engine.begin_copy(&caller)?;
    let directory = &app.config().store.data_dir;
    let (id, started) = (app.new_id(), app.now());
    let path = directory.join(format!("{BACKUP_PREFIX}{}", id.simple()));
    let file = TempPath::try_from_path(&path).map_err(|error| {
        tracing::error!(%error, "the store could not be copied");
        Problem::new(Code::StoreUnavailable, "the backup could not be written; see the server's log")
    })?;
    let expected_bytes =
        std::fs::metadata(directory.join(DATABASE_FILE)).map_or(0, |metadata| metadata.len());
    let shown = {
        let mut slot = app.backups().0.lock();
        if let Some(kept) = slot.as_ref().filter(|kept| matches!(kept.state, Stage::Running)) {
            return Ok((StatusCode::ACCEPTED, Json(kept.shown())));
        }
        slot.insert(Kept { id, started, expected_bytes, path, state: Stage::Running }).shown()
    };
    tokio::spawn(make(Arc::clone(&app), engine, caller, id, (file, guard)));
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// Makes the file, and deletes it once it has expired.
async fn make(
    app: Arc<App>,
    engine: Arc<Engine>,
    caller: Caller,
    id: Uuid,
    (file, guard): (TempPath, StoreCopy),
) {
    let copied = engine.copy_to(&caller, &file, &guard).await;
    drop(engine);
    let state = match copied {
        Ok(()) => {
            let bytes = size_of(&file);
            Stage::Ready(Complete { file, bytes, _guard: guard })
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store could not be copied");
            Stage::Failed(error.code())
        }
    };
    app.backups().finish(id, state);
    let app = Arc::downgrade(&app);
    tokio::time::sleep(KEPT).await;
    if let Some(app) = app.upgrade() {
        app.backups().forget(id);
    }
}

fn size_of(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Show the progress of a backup
///
/// A backup is known until its file was fetched, 10 minutes have passed, or another one was started.
#[utoipa::path(
    get,
    path = "/v1/admin/backup/{id}",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "Id of the backup")),
    responses((status = 200, description = "State of the backup", body = Backup, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "state": "ready", "bytes": 112000000,
        "total_bytes": 112000000, "started_at": "2023-05-20T02:21:00Z"
    })))
)]
pub(crate) async fn show_backup(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Backup>, Problem> {
    app.engine()?.begin_copy(&caller)?;
    app.backups().show(id).map(Json).ok_or_else(|| no_backup(id))
}

/// Fetch the file of a backup
///
/// Returns the file once, and deletes it from the server. While the backup is being made, there is none yet.
#[utoipa::path(
    post,
    path = "/v1/admin/backup/{id}/file",
    tag = "admin",
    params(("id" = uuid::Uuid, Path, description = "Id of the backup")),
    responses((
        status = 200, description = "SQLite file", body = Vec<u8>, content_type = "application/vnd.sqlite3",
        example = json!("SQLite format 3…")
    ))
)]
pub(crate) async fn fetch_backup(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    Extension(admission): Extension<Admission>,
) -> Result<Response, Problem> {
    app.engine()?.begin_copy(&caller)?;
    let complete = app.backups().take(id).ok_or_else(|| no_backup(id))?;
    let file = File::open(&complete.file).await.map_err(|error| {
        tracing::error!(%error, "the backup could not be read");
        Problem::new(Code::StoreUnavailable, "the backup could not be read; see the server's log")
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, complete.bytes.to_string()),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"engrain.db\"".to_owned()),
    ];
    Ok((headers, pieces(Download { file, _complete: complete, _place: admission })).into_response())
}

/// Backup file during its download. Dropping it removes the file, at the end of the download or when the client
/// disconnects.
struct Download {
    file: File,
    _complete: Complete,
    _place: Admission,
}

fn pieces(download: Download) -> Body {
    Body::from_stream(futures::stream::try_unfold(download, |mut download| async move {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut download.file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), download)))
    }))
}

fn no_backup(id: Uuid) -> Problem {
    Problem::new(Code::NotFound, format!("there is no backup {id} with a complete file"))
}
