//! OpenAPI document, generated from the handlers' annotations and the wire types, with the problems added.
//!
//! Invariant: the committed `server/openapi.json` is what this build serves, as a test checks. Problems are not
//! annotated at each handler but derived from the table of codes ([`Code`]) and the inputs of the operation.

mod bounds;
mod filter;
mod patterns;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use engrain::wire;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config as PageConfig, SwaggerUi};

use crate::App;
use crate::problem::Code;

/// OpenAPI document of all routes.
pub fn document() -> OpenApi {
    let described = OpenApiRouter::with_openapi(<Base as utoipa::OpenApi>::openapi());
    let every = described.merge(crate::work()).merge(crate::whole_store()).merge(crate::meta_routes());
    let mut document = with_problems(every.into_openapi());
    filter::replace(&mut document);
    bounds::add(&mut document);
    document
}

/// The document as JSON, as `engrain openapi` prints it and `server/openapi.json` holds it.
pub fn document_text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Engrain",
        description = "Long-term memory for LLM agents and chatbots.\n\nTimes are RFC 3339 strings \
                       (`2023-05-20T02:21:00Z`). In a request, a date alone means the beginning of that day in the time \
                       zone that applies: the request's `timezone`, else that of the owner, else the server's \
                       setting (UTC by default); 9999-12-31 is the same moment in all of them. A request with an \
                       unknown field is refused; responses may gain fields. Errors are `application/problem+json` (RFC 9457) \
                       with a stable code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "remember", description = "Add turns of conversations and finished memories."),
        (name = "recall", description = "Retrieve the memories relevant to a query, and explain the ranking."),
        (name = "memories", description = "List, show, edit and erase memories."),
        (name = "graph", description = "Follow the links between memories and the evidence that they are made of."),
        (name = "thinking", description = "Facts derived from turns: what is true, what would be stored, what it costs."),
        (name = "forgetting", description = "Policies of forgetting, sweeps, previews, restores, pins."),
        (name = "sessions", description = "Read sessions and their turns verbatim."),
        (name = "admin", description = "Administer the store: export, backup, check, reindex, jobs."),
        (name = "server", description = "Inspect the server: liveness, readiness, version, metrics."),
    ),
    components(schemas(wire::Problem))
)]
struct Base;

fn with_problems(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            add_problems(path, operation);
        }
    }
    document
}

/// Routes of `/openapi.json` and of the interactive page at `/docs`. All assets are in the binary.
pub(crate) fn served(document: Arc<OpenApi>) -> Router<Arc<App>> {
    let json = move || {
        let document = Arc::clone(&document);
        async move { Json((*document).clone()) }
    };
    let page = SwaggerUi::new("/docs").config(PageConfig::new(["/openapi.json"]));
    Router::new().route("/openapi.json", get(json)).merge(page)
}

fn add_problems(path: &str, operation: &mut Operation) {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in Code::ALL.into_iter().filter(|code| can_happen(*code, path, operation)) {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let mut description = String::new();
        for code in codes {
            let separator = if description.is_empty() { "" } else { "; " };
            let _ = write!(description, "{separator}`{}`: {}", code.as_str(), code.title());
        }
        let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", problem)
            .build();
        operation.responses.responses.insert(status.to_string(), RefOr::T(response));
    }
}

/// True if an operation with these inputs can return a problem of this code.
fn can_happen(code: Code, path: &str, operation: &Operation) -> bool {
    let has_body = operation.request_body.is_some();
    let has_query_or_id = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let takes_something = has_body || has_query_or_id;
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let asks_engine = path.starts_with("/v1/");
    match code {
        Code::MalformedJson | Code::BodyTimedOut | Code::BodyTooLarge | Code::UnsupportedMediaType => {
            has_body
        }
        Code::MissingField => has_body || id == "graph_path",
        Code::WrongType | Code::UnknownField | Code::InvalidRequest | Code::OverLimit => takes_something,
        Code::NotFound => {
            path.contains("{id}")
                || path.contains("{key}")
                || ["why_not", "add_memories", "graph_path", "give_grant"].contains(&id)
        }
        Code::VersionConflict => id == "edit_memory",
        Code::ConfirmationStale => id == "delete_matching" || id == "delete_owner",
        Code::JobNotOver => id == "undo_job",
        Code::UndoHasDependents | Code::ScopeChanged => id == "undo_job" || id == "undo_change",
        Code::LanguageModelUnavailable | Code::BudgetExhausted => id == "preview_facts",
        Code::EmbedderMismatch | Code::ReindexInProgress => id == "reindex",
        Code::IdempotencyKeyReused => {
            let edits = ["edit_memory", "undo_job", "undo_change"];
            let adds = ["add_turns", "add_memories", "give_grant"];
            edits.contains(&id) || id.starts_with("delete_") || adds.contains(&id)
        }
        Code::UnknownRoute | Code::MethodNotAllowed | Code::LeaseLost => false, // not specific to an operation
        Code::WrongHost => path != "/health" && path != "/ready",
        Code::Starting => path != "/health" && path != "/metrics",
        Code::StoreDamaged => asks_engine || path == "/ready",
        Code::Internal | Code::ForeignOrigin => true,
        Code::Forbidden
        | Code::Busy
        | Code::StorageFull
        | Code::StoreReadOnly
        | Code::StoreUnavailable
        | Code::IndexUnavailable
        | Code::EmbedderUnavailable
        | Code::Stopping
        | Code::TimedOut => asks_engine,
    }
}
