//! Handlers of the working memory of a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{CloseSession, ClosedSession, Scope, WorkingMemory};
use serde::Deserialize;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::{scope, working_memory};
use crate::extract::{JsonBody, PathKey, QueryString};
use crate::problem::Problem;

/// Query string of [`working_memory()`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkingMemoryQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Maximum length of the context block, and of what is admitted to it, in LLM tokens, 0 to 100,000. Default: 2,000.
    budget_tokens: Option<u32>,
    /// Conversation partner for whom it is read: memories whose `audience` is not empty and does not name the partner are
    /// hidden. Default: nobody, and nothing is hidden for its audience.
    partner: Option<String>,
    /// Reference time for expiry and validity (RFC 3339; a date is the beginning of that day in the owner's time zone).
    /// Default: now.
    now: Option<String>,
}

/// Read the working memory of a session
///
/// Returns what a prompt needs of a session, in one call: its newest turns, what recalls that named it have returned, its open
/// threads, and the digest of its older part. Turns, recalled memories and the digest compete for the token budget by relevance,
/// recency and importance. Nothing is stored: it is computed from the memories as they are now.
#[utoipa::path(
    get,
    path = "/v1/sessions/{key}/working-memory",
    tag = "sessions",
    params(("key" = String, Path, description = "Name of the session"), WorkingMemoryQuery),
    responses((status = 200, description = "Working memory", body = WorkingMemory, example = json!({
        "session": {
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "session": "2023-05-20", "turns": 1,
            "started_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:03Z"
        },
        "turns": [], "turns_left_out": 1, "recalled": [], "recalled_left_out": 0,
        "threads": [{
            "memory_id": "01890a5d-ac96-774b-bcce-b30209900001", "kind": "question", "said_by": "user",
            "said_at": "2023-05-20T02:21:00Z", "text": "When does the dentist open?"
        }],
        "context": {
            "text": "## Open threads\n- question by user, 2023-05-20 (Sat): When does the dentist open?\n",
            "tokens": 28, "memory_ids": [], "left_out": 1
        }
    })))
)]
pub(crate) async fn working_memory(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathKey(key): PathKey,
    QueryString(query): QueryString<WorkingMemoryQuery>,
) -> Result<Json<WorkingMemory>, Problem> {
    let WorkingMemoryQuery { user_id, agent_id, app_id, run_id, budget_tokens, partner, now } = query;
    let scope = scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?;
    let engine = app.engine()?;
    let zone = engine.zone_of_dates(&caller, &scope);
    let budget_tokens = budget_tokens.unwrap_or(app.config().recall.budget_tokens);
    let fields = working_memory::QueryFields { partner: partner.as_deref(), now: now.as_deref() };
    let request = working_memory::working_memory_request(scope, &key, budget_tokens, &fields, zone)?;
    Ok(Json(working_memory::working_memory(engine.working_memory(&caller, request).await?)))
}

/// Close a session
///
/// Marks a session as closed, and asks for its digest where thinking makes digests: a memory of kind `digest` with what the
/// session was about. A session that is closed already stays closed since the same time. A new turn opens it again.
#[utoipa::path(
    post,
    path = "/v1/sessions/{key}/close",
    tag = "sessions",
    params(("key" = String, Path, description = "Name of the session")),
    request_body(content = CloseSession, example = json!({"scope": {"user_id": "mara"}})),
    responses((status = 200, description = "Closed", body = ClosedSession, example = json!({
        "session": {
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "session": "2023-05-20", "turns": 2,
            "started_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:03Z",
            "closed_at": "2023-05-20T03:00:00Z"
        },
        "asks_digest": true
    })))
)]
pub(crate) async fn close_session(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathKey(key): PathKey,
    JsonBody(request): JsonBody<CloseSession>,
) -> Result<Json<ClosedSession>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let key = working_memory::session_key(&key)?;
    let closed = app.engine()?.close_session(&caller, &scope, &key).await?;
    Ok(Json(working_memory::closed_session(closed)))
}
