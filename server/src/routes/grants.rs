//! Handlers of grants: give, list, show, revoke, and the audit log of one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engrain::wire::{GiveGrant, Grant, GrantDirection, GrantEventList, GrantList, Scope};
use memory_core::domain::change::Operation;
use memory_core::domain::grant;
use memory_core::domain::id::GrantId;
use memory_core::domain::scope;
use memory_core::engine::Engine;
use memory_core::grants::request::ListGrants;
use serde::Deserialize;

use super::{created, more_behind};
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{self, cursor, grants, memories};
use crate::extract::{IdempotencyKey, JsonBody, PathId, QueryString};
use crate::problem::Problem;

/// Query parameters of [`list_grants`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantsQuery {
    /// User.
    user_id: Option<String>,
    /// Agent.
    agent_id: Option<String>,
    /// App.
    app_id: Option<String>,
    /// Run.
    run_id: Option<String>,
    /// Direction: grants that the owner has `given` or `received`. Default: `given`.
    #[param(inline)]
    direction: Option<GrantDirection>,
    /// True to list ended grants too. Default: open ones alone.
    all: Option<bool>,
    /// Maximum number of grants on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// Query parameters of [`grant_events`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Maximum number of entries on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// Give a grant
///
/// Gives another user, agent, app or run of the tenant read access to memories of an owner: by id, by tag or by filter. Its
/// recalls return them from then on, until the grant is revoked or expires. A memory with an `audience` is opened by its id
/// alone. Nothing but recall reads through a grant.
#[utoipa::path(
    post,
    path = "/v1/grants",
    tag = "memories",
    params(("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body returns the grant of the first call, as long as the grant is kept. Keys are separate per owner and per operation")),
    request_body(content = GiveGrant, example = json!({
        "scope": {"user_id": "mara"}, "to": {"agent_id": "planner"}, "tag": "travel", "expires_at": "2030-01-01T00:00:00Z"
    })),
    responses(
        (status = 201, description = "Given", body = Grant, example = json!({
            "id": "01890a5d-ac96-774b-bcce-b30209900020",
            "giver": {"kind": "user", "id": "mara"}, "grantee": {"kind": "agent", "id": "planner"},
            "tag": "travel", "state": "open", "given_at": "2023-05-20T02:21:00Z",
            "given_by": "00000000-0000-0000-0000-000000000000", "expires_at": "2030-01-01T00:00:00Z"
        })),
        (status = 200, description = "An earlier call with this idempotency key gave the grant", body = Grant),
    )
)]
pub(crate) async fn give_grant(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<GiveGrant>,
) -> Result<(StatusCode, Json<Grant>), Problem> {
    let idempotency = key.of(&caller, Operation::GiveGrant, &request);
    let engine = app.engine()?;
    let zone_of = |scope: &scope::Scope| engine.zone_of_dates(&caller, scope);
    let request = grants::give(request, &zone_of, idempotency)?;
    let (grant, repeated) = engine.give_grant(&caller, request).await?;
    Ok(created(shown(engine, grant), repeated))
}

/// List grants
///
/// Returns the grants that an owner has given or received, oldest first: the open ones, or all that are kept.
#[utoipa::path(
    get,
    path = "/v1/grants",
    tag = "memories",
    params(GrantsQuery),
    responses((status = 200, description = "Page of the list", body = GrantList, example = json!({
        "grants": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900020",
            "giver": {"kind": "user", "id": "mara"}, "grantee": {"kind": "agent", "id": "planner"},
            "tag": "travel", "state": "open", "given_at": "2023-05-20T02:21:00Z",
            "given_by": "00000000-0000-0000-0000-000000000000"
        }]
    })))
)]
pub(crate) async fn list_grants(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<GrantsQuery>,
) -> Result<Json<GrantList>, Problem> {
    let GrantsQuery { user_id, agent_id, app_id, run_id, direction, all, limit, cursor } = query;
    let limit = limit.unwrap_or(memories::DEFAULT_PAGE);
    let page = ListGrants {
        scope: convert::scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?,
        received: direction.unwrap_or_default() == GrantDirection::Received,
        only_open: !all.unwrap_or_default(),
        after: cursor::read(cursor.as_deref(), cursor::grant)?,
        limit,
    };
    let engine = app.engine()?;
    let found = engine.grants(&caller, &page).await?;
    let last = found.last().map(|grant| grant.id);
    let next = ListGrants { after: last, limit: 1, ..page };
    let peek = async { engine.grants(&caller, &next).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(found.len(), limit, peek).await?;
    Ok(Json(GrantList {
        grants: found.into_iter().map(|grant| shown(engine, grant)).collect(),
        next_cursor: last.filter(|_| has_more).map(cursor::of_grant),
    }))
}

/// Show a grant
///
/// Returns a grant, open or ended.
#[utoipa::path(
    get,
    path = "/v1/grants/{id}",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the grant")),
    responses((status = 200, description = "Grant", body = Grant, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900020",
        "giver": {"kind": "user", "id": "mara"}, "grantee": {"kind": "agent", "id": "planner"},
        "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003"], "state": "open",
        "given_at": "2023-05-20T02:21:00Z", "given_by": "00000000-0000-0000-0000-000000000000"
    })))
)]
pub(crate) async fn show_grant(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Grant>, Problem> {
    let engine = app.engine()?;
    let grant = engine.grant(&caller, GrantId(id)).await?;
    Ok(Json(shown(engine, grant)))
}

/// Revoke a grant
///
/// Ends a grant. From the answer on, nothing is read through it. To revoke it again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/grants/{id}",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the grant")),
    responses((status = 200, description = "Revoked", body = Grant, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900020",
        "giver": {"kind": "user", "id": "mara"}, "grantee": {"kind": "agent", "id": "planner"},
        "tag": "travel", "state": "revoked", "given_at": "2023-05-20T02:21:00Z",
        "given_by": "00000000-0000-0000-0000-000000000000", "revoked_at": "2023-05-21T08:00:00Z",
        "revoked_by": "00000000-0000-0000-0000-000000000000"
    })))
)]
pub(crate) async fn revoke_grant(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Grant>, Problem> {
    let engine = app.engine()?;
    let grant = engine.revoke_grant(&caller, GrantId(id)).await?;
    Ok(Json(shown(engine, grant)))
}

/// Show the audit log of a grant
///
/// Returns who gave and revoked a grant, and the reads through it, newest first: the newest 1,000 reads are kept. A read
/// appears shortly after its recall.
#[utoipa::path(
    get,
    path = "/v1/grants/{id}/events",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the grant"), EventsQuery),
    responses((status = 200, description = "Page of the audit log", body = GrantEventList, example = json!({
        "events": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900021", "at": "2023-05-20T02:25:00Z", "kind": "used",
            "caller": "00000000-0000-0000-0000-000000000000",
            "recall_id": "01890a5d-ac96-774b-bcce-b30209900009", "memories": 2
        }]
    })))
)]
pub(crate) async fn grant_events(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<EventsQuery>,
) -> Result<Json<GrantEventList>, Problem> {
    let limit = query.limit.unwrap_or(memories::DEFAULT_PAGE);
    let before = cursor::read(query.cursor.as_deref(), cursor::grant_event)?;
    let (engine, id) = (app.engine()?, GrantId(id));
    let events = engine.grant_events(&caller, id, before, limit).await?;
    let last = events.last().map(|event| event.id);
    let peek = async { engine.grant_events(&caller, id, last, 1).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(events.len(), limit, peek).await?;
    Ok(Json(GrantEventList {
        events: events.iter().map(grants::event).collect(),
        next_cursor: last.filter(|_| has_more).map(cursor::of_grant_event),
    }))
}

fn shown(engine: &Engine, grant: grant::Grant) -> Grant {
    let is_open = engine.is_open(&grant);
    grants::grant(grant, is_open)
}
