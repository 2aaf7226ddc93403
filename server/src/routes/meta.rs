//! Handlers of server status. They are exempt from admission control, so they answer while the server is busy.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use engrain::wire::{Health, Version};
use memory_core::{Engine, Error};

use crate::App;
use crate::auth::Authenticated;
use crate::condition::StoreFault;
use crate::problem::{Code, Problem};

/// Check liveness
///
/// Answers as soon as the process listens, regardless of the state of the engine. `instance` is new after every start,
/// so it distinguishes this run from an earlier server at the same address.
#[utoipa::path(
    get,
    path = "/health",
    tag = "server",
    responses((status = 200, description = "The server is alive", body = Health, example = json!({
        "status": "ok", "instance": "0190b6a5-0000-7000-8000-000000000001"
    })))
)]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    Json(ok(&app))
}

/// Check readiness
///
/// Answers 503 while the models are loading, and 500 with `store_damaged` once a request, a job or a check met a damaged
/// database.
/// `jobs_running` is false if background jobs are not worked on; everything else works all the same. `read_only` is the
/// reason why writes are refused, such as `storage_full`, while reads work; `status` is `read_only` then. It passes with
/// the next write that succeeds, or once 64 MiB are free.
/// `embedder_fault` names a failure of the embedder, and `rows_without_vectors` is the work that it left: both are notes,
/// and the server is ready.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "server",
    responses((status = 200, description = "The server is ready", body = Health, example = json!({
        "status": "ok", "instance": "0190b6a5-0000-7000-8000-000000000001", "jobs_running": true,
        "rows_without_vectors": 0
    })))
)]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Health>, Problem> {
    let engine = app.engine()?;
    if !engine.commit_task().0 {
        return Err(Problem::new(
            Code::Internal,
            "the task that commits writes has ended: restart the server",
        ));
    }
    let runner = engine.job_runner();
    if runner.as_ref().is_some_and(|runner| runner.met_damage) {
        app.condition().note(StoreFault::Damaged);
    }
    let reason = match app.condition().fault() {
        None => None,
        Some(StoreFault::Damaged) => {
            let advice = "the database is damaged: `engrain doctor` says more, a backup can be restored";
            return Err(Problem::new(Code::StoreDamaged, advice));
        }
        Some(fault @ (StoreFault::Full | StoreFault::ReadOnly)) => {
            let code = if fault == StoreFault::Full { Code::StorageFull } else { Code::StoreReadOnly };
            (!is_writable_again(&app, engine).await).then(|| code.as_str().to_owned())
        }
    };
    let jobs_running = Some(runner.is_some_and(|runner| runner.is_alive));
    let status = if reason.is_some() { "read_only" } else { "ok" }.to_owned();
    let embedder_fault = engine.embedder_fault().map(|fault| fault.code.to_owned());
    let rows_without_vectors = engine.count_rows_to_embed().await.ok();
    let notes = Health { embedder_fault, rows_without_vectors, ..ok(&app) };
    Ok(Json(Health { jobs_running, status, read_only: reason, ..notes }))
}

/// Free space in bytes from which a disk that was full is taken for free again without the write of a request: more than
/// any request writes, while the write of a probe fits into what larger ones do not.
const ROOM_AFTER_FULL: u64 = 64 << 20;

/// Tries a write, and notes its outcome. A full disk counts as such until the write of a request succeeds, or
/// [`ROOM_AFTER_FULL`] is free.
pub(crate) async fn is_writable_again(app: &App, engine: &Engine) -> bool {
    let was_full = app.condition().fault() == Some(StoreFault::Full);
    match engine.probe_write().await {
        Ok(()) if was_full && !has_room(&app.config().store.data_dir) => false,
        Ok(()) => {
            app.condition().note_written();
            true
        }
        Err(error) => {
            if let Error::Store(error) = &error
                && let Some(fault) = StoreFault::of(error)
            {
                app.condition().note(fault);
            }
            false
        }
    }
}

#[cfg(unix)]
fn has_room(directory: &std::path::Path) -> bool {
    let free = rustix::fs::statvfs(directory).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    free.is_ok_and(|free| free >= ROOM_AFTER_FULL)
}

/// Not looked at on this system: the probe alone counts.
#[cfg(not(unix))]
fn has_room(_: &std::path::Path) -> bool {
    true
}

fn ok(app: &App) -> Health {
    Health {
        status: "ok".to_owned(),
        jobs_running: None,
        embedder_fault: None,
        rows_without_vectors: None,
        read_only: None,
        instance: Some(app.instance()),
    }
}

/// Show the version
///
/// Returns the version of the server and its embedder. Vectors in requests must be made by this embedder.
#[utoipa::path(
    get,
    path = "/version",
    tag = "server",
    responses((status = 200, description = "Version of the server", body = Version, example = json!({
        "name": "engrain", "version": "0.1.0", "embedder": "bge-small-en-v1.5", "dimension": 384
    })))
)]
pub(crate) async fn version(
    State(app): State<Arc<App>>,
    _caller: Authenticated,
) -> Result<Json<Version>, Problem> {
    let engine = app.engine()?;
    Ok(Json(Version {
        name: "engrain".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        embedder: engine.embedder_name(),
        dimension: engine.dimension(),
    }))
}

/// Show metrics
///
/// Returns metrics in the Prometheus text format, version 0.0.4.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain", example = json!(
        "engrain_requests_in_flight 1"
    )))
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>, _caller: Authenticated) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics().render())
}
