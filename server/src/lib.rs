//! Engrain server: REST API and command line.
//!
//! [`router`] lists every route with its layers. A request passes [`observe`] (id, log, metrics, problems), the
//! guard of [`auth`], [`admission`] (bodies, concurrency, timeouts) and the extractors of [`extract`] and [`auth`]. A handler in [`mod@routes`]
//! converts it ([`convert`]), calls the engine once and converts the result. Handlers have no rules of their own:
//! `memory-core` checks and decides.
//!
//! Invariant: every response is one documented by the API or a problem with a stable code.

#![warn(clippy::print_stderr)] // it panics when the output is closed: see `cli::print`

mod admission;
mod auth;
mod bodies;
pub mod cli;
mod condition;
pub mod config;
mod convert;
mod discovery;
mod extract;
mod json;
mod metrics;
mod observe;
pub mod openapi;
mod problem;
mod routes;
pub mod serve;
mod telemetry;
mod unsent;
pub mod wiring;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware::from_fn_with_state;
use memory_core::Engine;
use memory_core::domain::clock::{Clock, SystemClock};
use memory_core::domain::id::{IdSource, RandomIds};
use memory_core::domain::time::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::admission::{Places, bound, bound_admin};
use crate::bodies::Bodies;
use crate::condition::StoreCondition;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::routes::{
    admin, backup, digests, export, forgetting, grants, graph, graph_export, import, jobs, memories, meta,
    owners, recall, sessions, thinking, timezone, turns, undo, uses, working_memory,
};
use crate::unsent::Unsent;

/// Router of all routes. The server listens with it before the engine is ready: see [`App::attach`].
pub fn router(app: Arc<App>) -> Router {
    let around = |layered: OpenApiRouter<Arc<App>>| layered.split_for_parts().0;
    let document = Arc::new(openapi::document());
    Router::new()
        .merge(around(work().layer(from_fn_with_state(Arc::clone(&app), bound))))
        .merge(around(whole_store().layer(from_fn_with_state(Arc::clone(&app), bound_admin))))
        .merge(around(meta_routes()))
        .merge(openapi::served(document))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), auth::guard))
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe))
        .with_state(app)
}

/// Routes with bounded work.
fn work() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(turns::add_turns)) // POST /v1/turns
        .routes(routes!(memories::add_memories)) // POST /v1/memories
        .routes(routes!(import::import_records)) // POST /v1/import
        .routes(routes!(memories::list_memories)) // POST /v1/memories/list
        .routes(routes!(memories::delete_matching)) // POST /v1/memories/delete
        .routes(routes!(memories::show_memory, memories::edit_memory, memories::delete_memory)) // /v1/memories/{id}
        .routes(routes!(memories::memory_history)) // GET /v1/memories/{id}/history
        .routes(routes!(memories::memory_provenance)) // GET /v1/memories/{id}/provenance
        .routes(routes!(uses::memory_retention)) // GET /v1/memories/{id}/retention
        .routes(routes!(uses::list_fading)) // GET /v1/fading
        .routes(routes!(graph::memory_neighbours)) // GET /v1/memories/{id}/neighbours
        .routes(routes!(graph::graph_path)) // GET /v1/graph/path
        .routes(routes!(graph::graph_clusters)) // GET /v1/graph/clusters
        .routes(routes!(recall::recall)) // POST /v1/recall
        .routes(routes!(recall::why_not)) // POST /v1/recall/why-not
        .routes(routes!(uses::show_recall)) // GET /v1/recalls/{id}
        .routes(routes!(uses::recall_feedback)) // POST /v1/recalls/{id}/feedback
        .routes(routes!(thinking::show_profile)) // GET /v1/profile
        .routes(routes!(digests::list_digests)) // GET /v1/digests
        .routes(routes!(thinking::preview_facts)) // POST /v1/facts/preview
        .routes(routes!(thinking::recall_thoughts)) // POST /v1/thoughts/recall
        .routes(routes!(thinking::recall_notes)) // POST /v1/notes/recall
        .routes(routes!(thinking::audit_facts)) // POST /v1/audit
        .routes(routes!(thinking::show_thinking, thinking::set_thinking)) // /v1/thinking
        .routes(routes!(timezone::show_timezone, timezone::set_timezone)) // /v1/timezone
        .routes(routes!(forgetting::show_forgetting_policy, forgetting::set_forgetting_policy)) // /v1/forgetting/policy
        .routes(routes!(forgetting::sweep_memories)) // POST /v1/forgetting/sweep
        .routes(routes!(forgetting::preview_sweep)) // POST /v1/forgetting/preview
        .routes(routes!(forgetting::restore_forgotten)) // POST /v1/forgetting/restore
        .routes(routes!(forgetting::list_forgotten)) // GET /v1/forgetting
        .routes(routes!(forgetting::pin_memory)) // PUT /v1/memories/{id}/pin
        .routes(routes!(grants::give_grant, grants::list_grants)) // /v1/grants
        .routes(routes!(grants::show_grant, grants::revoke_grant)) // /v1/grants/{id}
        .routes(routes!(grants::grant_events)) // GET /v1/grants/{id}/events
        .routes(routes!(sessions::list_sessions)) // GET /v1/sessions
        .routes(routes!(sessions::session_turns)) // GET /v1/sessions/{id}/turns
        .routes(routes!(working_memory::working_memory)) // GET /v1/sessions/{key}/working-memory
        .routes(routes!(working_memory::close_session)) // POST /v1/sessions/{key}/close
        .routes(routes!(owners::list_owners)) // GET /v1/owners
        .routes(routes!(owners::delete_owner)) // POST /v1/owners/delete
        .routes(routes!(jobs::list_jobs)) // GET /v1/jobs
        .routes(routes!(jobs::show_job)) // GET /v1/jobs/{id}
        .routes(routes!(jobs::cancel_job)) // POST /v1/jobs/{id}/cancel
        .routes(routes!(undo::undo_job)) // POST /v1/jobs/{id}/undo
        .routes(routes!(undo::undo_change)) // POST /v1/memories/{id}/undo
}

/// Routes that read the whole store.
fn whole_store() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(export::export)) // GET /v1/export
        .routes(routes!(graph_export::export_graph)) // GET /v1/graph/export
        .routes(routes!(admin::reindex)) // POST /v1/admin/reindex
        .routes(routes!(admin::check)) // POST /v1/admin/check
        .routes(routes!(admin::purge)) // GET /v1/admin/purge
        .routes(routes!(backup::start_backup)) // POST /v1/admin/backup
        .routes(routes!(backup::show_backup)) // GET /v1/admin/backup/{id}
        .routes(routes!(backup::fetch_backup)) // POST /v1/admin/backup/{id}/file
}

/// Routes of server status. [`openapi::served`] adds /openapi.json and /docs.
fn meta_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(meta::health)) // GET /health
        .routes(routes!(meta::ready)) // GET /ready
        .routes(routes!(meta::version)) // GET /version
        .routes(routes!(meta::metrics)) // GET /metrics
}

async fn unknown_route() -> Problem {
    Problem::new(Code::UnknownRoute, "/docs and /openapi.json list the routes")
}

async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the Allow header lists the methods of this route")
}

/// State shared by all requests.
pub struct App {
    config: Config,
    engine: OnceLock<Arc<Engine>>,
    places: Places,
    exports: Places,
    unsent: Unsent,
    bodies: Bodies,
    backups: backup::Backups,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    instance: Uuid,
    condition: StoreCondition,
}

impl App {
    /// State without an engine: requests that need one are answered with `starting`.
    pub fn new(config: Config) -> Arc<Self> {
        let (clock, ids) = (SystemClock, RandomIds::default());
        Arc::new(Self {
            instance: ids.next(clock.now()),
            places: Places::new(config.limits.concurrent_requests, "requests"),
            exports: Places::new(config.limits.concurrent_exports, "exports"),
            unsent: Unsent::default(),
            bodies: Bodies::new(&config.limits),
            backups: backup::Backups::default(),
            engine: OnceLock::new(),
            metrics: Metrics::install(),
            clock: Arc::new(clock),
            ids: Arc::new(ids),
            condition: StoreCondition::default(),
            config,
        })
    }

    /// Attaches the engine that requests use from then on. A second call has no effect.
    pub fn attach(&self, engine: Arc<Engine>) {
        let _ = self.engine.set(engine);
    }

    /// Engine, or the problem `starting`.
    fn engine(&self) -> Result<&Arc<Engine>, Problem> {
        self.engine.get().ok_or_else(|| Problem::new(Code::Starting, "the models are loading"))
    }

    /// Configuration of the server.
    fn config(&self) -> &Config {
        &self.config
    }

    fn places(&self) -> &Places {
        &self.places
    }

    /// Slots of exports, which hold theirs until they are sent.
    fn exports(&self) -> &Places {
        &self.exports
    }

    fn unsent(&self) -> &Unsent {
        &self.unsent
    }

    fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    fn backups(&self) -> &backup::Backups {
        &self.backups
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Condition of the store as requests met it.
    fn condition(&self) -> &StoreCondition {
        &self.condition
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Instance id of this run of the server.
    fn instance(&self) -> Uuid {
        self.instance
    }

    /// New id, for a request or a file.
    fn new_id(&self) -> Uuid {
        self.ids.next(self.clock.now())
    }
}
