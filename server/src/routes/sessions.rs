//! Handlers of sessions and their turns.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{Scope, SessionPage, TurnPage};
use memory_core::domain::id::SessionId;
use serde::Deserialize;

use super::more_behind;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{cursor, memories, responses, scope};
use crate::extract::{PathId, QueryString};
use crate::problem::Problem;

/// Query string of [`list_sessions`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Maximum number of items on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// List the sessions of a scope
///
/// Returns the sessions in the order of their creation.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "sessions",
    params(SessionsQuery),
    responses((status = 200, description = "Page of the list", body = SessionPage, example = json!({
        "sessions": [{
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "session": "2023-05-20", "turns": 2,
            "started_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:03Z"
        }]
    })))
)]
pub(crate) async fn list_sessions(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<SessionsQuery>,
) -> Result<Json<SessionPage>, Problem> {
    let SessionsQuery { user_id, agent_id, app_id, run_id, limit, cursor: from } = query;
    let scope = scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?;
    let limit = limit.unwrap_or(memories::DEFAULT_PAGE);
    let from = cursor::read(from.as_deref(), cursor::place)?.unwrap_or(0);
    let engine = app.engine()?;
    let sessions = engine.sessions(&caller, &scope, from, limit).await?;
    let next = sessions.last().map_or(from, |session| session.ordinal.saturating_add(1));
    let peek = async { engine.sessions(&caller, &scope, next, 1).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(sessions.len(), limit, peek).await?;
    Ok(Json(SessionPage {
        sessions: sessions.into_iter().map(responses::session).collect(),
        next_cursor: has_more.then(|| cursor::of_place(next)),
    }))
}

/// Query string of [`session_turns`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnsQuery {
    /// Maximum number of items on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// List the turns of a session
///
/// Returns the turns verbatim, in the order of the session.
#[utoipa::path(
    get,
    path = "/v1/sessions/{id}/turns",
    tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "Id of the session"), TurnsQuery),
    responses((status = 200, description = "Page of the list", body = TurnPage, example = json!({
        "turns": [{
            "turn_id": "01890a5d-ac96-774b-bcce-b30209900001",
            "session_id": "01890a5d-ac96-774b-bcce-b302099a8057", "session": "2023-05-20", "seq": 0,
            "role": "user", "text": "I moved to Lisbon last week.",
            "said_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:03Z"
        }]
    })))
)]
pub(crate) async fn session_turns(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<TurnsQuery>,
) -> Result<Json<TurnPage>, Problem> {
    let limit = query.limit.unwrap_or(memories::DEFAULT_PAGE);
    let from = cursor::read(query.cursor.as_deref(), cursor::place)?.unwrap_or(0);
    let engine = app.engine()?;
    let (session, turns, has_more) = engine.session_turns(&caller, SessionId(id), from, limit).await?;
    let next = turns.last().map_or(from, |turn| turn.seq.saturating_add(1));
    let of_session = (session.id.0, session.key.as_str());
    Ok(Json(TurnPage {
        turns: turns.into_iter().map(|turn| responses::turn(turn, of_session)).collect(),
        next_cursor: has_more.then(|| cursor::of_place(next)),
    }))
}
