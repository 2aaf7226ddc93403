//! Handlers of the uses of memories: feedback on recalls, the retention of a memory, fading memories.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{
    FadingMemories, FadingQuery, LoggedRecall, MemoryRetention, RecallFeedback, RetentionQuery, Scope,
};
use memory_core::domain::id::{MemoryId, RecallId};
use serde::Deserialize;

use super::thinking::ScopeQuery;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{scope, uses};
use crate::extract::{JsonBody, PathId, QueryString};
use crate::problem::Problem;

/// Show a recall
///
/// Returns what the access log has of a recall that was made for the scope: the memories that it returned, with their scores and
/// the strongest evidence that each was needed. The text of the query is not kept. The log has the newest recalls of an owner.
#[utoipa::path(
    get,
    path = "/v1/recalls/{id}",
    tag = "recall",
    params(("id" = uuid::Uuid, Path, description = "Id of the recall"), ScopeQuery),
    responses((status = 200, description = "Recall", body = LoggedRecall, example = json!({
        "recall_id": "01890a5d-ac96-774b-bcce-b30209900009", "recalled_at": "2023-05-20T02:21:00Z",
        "hits": [{"memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "score": 1.25, "outcome": "in_context"}]
    })))
)]
pub(crate) async fn show_recall(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<ScopeQuery>,
) -> Result<Json<LoggedRecall>, Problem> {
    let scope = scope(&query.into(), "scope")?;
    let logged = app.engine()?.logged_recall(&caller, &scope, RecallId(id)).await?;
    Ok(Json(uses::logged_recall(logged)))
}

/// Give feedback on a recall
///
/// Says which of the memories that a recall returned the answer cited, and which of them the user confirmed or contradicted. The
/// access log keeps it, and where it counts for the owner's forgetting policy, it is a use of the memory. The same feedback again
/// changes nothing.
#[utoipa::path(
    post,
    path = "/v1/recalls/{id}/feedback",
    tag = "recall",
    params(("id" = uuid::Uuid, Path, description = "Id of the recall")),
    request_body(content = RecallFeedback, example = json!({
        "scope": {"user_id": "mara"}, "used": ["01890a5d-ac96-774b-bcce-b30209900003"]
    })),
    responses((status = 200, description = "Recall with the feedback", body = LoggedRecall, example = json!({
        "recall_id": "01890a5d-ac96-774b-bcce-b30209900009", "recalled_at": "2023-05-20T02:21:00Z",
        "hits": [{"memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "score": 1.25, "outcome": "cited"}]
    })))
)]
pub(crate) async fn recall_feedback(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    JsonBody(request): JsonBody<RecallFeedback>,
) -> Result<Json<LoggedRecall>, Problem> {
    let engine = app.engine()?;
    let request = uses::feedback(request, &|scope| engine.zone_of_dates(&caller, scope))?;
    Ok(Json(uses::logged_recall(engine.recall_feedback(&caller, RecallId(id), request).await?)))
}

/// Query string of [`memory_retention`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionParameters {
    /// Name of the curve: `none`, `memorybank.paper`, `memorybank.intended`, `memorybank.asreleased`, `wixted`, `actr`, `fsrs6`
    /// or `hlr`. Default: that of the owner's policy.
    curve: Option<String>,
    /// First moment of the points (RFC 3339; a date is the beginning of that day in the owner's time zone). Default: the time at
    /// which the memory was learned.
    from: Option<String>,
    /// Last moment of the points. Default: 30 days after `now`, or after the last use.
    to: Option<String>,
    /// Number of points, 2 to 512. Default: 96.
    points: Option<u32>,
    /// Reference time of the state. Default: now.
    now: Option<String>,
}

/// Show the forgetting curve of a memory
///
/// Returns the retention of a memory as points of its curve, its uses, its state at the reference time, and when it fades, under
/// any curve. The values are exact at every moment, also in the past.
#[utoipa::path(
    get,
    path = "/v1/memories/{id}/retention",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), RetentionParameters),
    responses((status = 200, description = "Retention", body = MemoryRetention, example = json!({
        "memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "curve": "memorybank.paper", "now": "2023-05-22T02:21:00Z",
        "retention": 0.6065, "strength": 2.0, "refreshed_at": "2023-05-21T02:21:00Z", "threshold": 0.25,
        "fades_at": "2023-05-23T20:53:00Z", "pinned": false, "importance": 0.5, "learned_at": "2023-05-20T02:21:00Z",
        "earlier_uses": 0, "uses": [{"at": "2023-05-21T02:21:00Z", "kind": "in_context"}],
        "points": [
            {"at": "2023-05-20T02:21:00Z", "retention": 1.0}, {"at": "2023-06-21T02:21:00Z", "retention": 0.0}
        ]
    })))
)]
pub(crate) async fn memory_retention(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<RetentionParameters>,
) -> Result<Json<MemoryRetention>, Problem> {
    let RetentionParameters { curve, from, to, points, now } = query;
    let (engine, id) = (app.engine()?, MemoryId(id));
    let zone = engine.zone_of_read_memory(&caller, id).await?;
    let request = uses::retention_request(&RetentionQuery { curve, from, to, points, now }, &zone)?;
    Ok(Json(uses::memory_retention(engine.memory_retention(&caller, id, request).await?)))
}

/// Query string of [`list_fading`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FadingParameters {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Days ahead, 1 to 36,500. Default: 7.
    within_days: Option<u32>,
    /// Maximum number of memories, 1 to 1,000. Default: 20.
    limit: Option<u32>,
    /// Reference time (RFC 3339; a date is the beginning of that day in the owner's time zone). Default: now.
    now: Option<String>,
}

/// List memories that are about to fade
///
/// Returns the memories of the owner that fade within some days, soonest first, and are worth refreshing: those of an importance of
/// at least 0.7, and those with at least 2 uses. Pinned and forgotten memories are left out.
#[utoipa::path(
    get,
    path = "/v1/fading",
    tag = "memories",
    params(FadingParameters),
    responses((status = 200, description = "Memories that are about to fade", body = FadingMemories, example = json!({
        "curve": "memorybank.paper", "now": "2023-05-22T02:21:00Z", "until": "2023-05-29T02:21:00Z", "total": 1,
        "memories": [{
            "memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "kind": "fact",
            "excerpt": "Mara is allergic to peanuts.", "fades_at": "2023-05-23T20:53:00Z", "retention": 0.6065,
            "strength": 2.0, "importance": 0.9, "uses": 1
        }]
    })))
)]
pub(crate) async fn list_fading(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<FadingParameters>,
) -> Result<Json<FadingMemories>, Problem> {
    let FadingParameters { user_id, agent_id, app_id, run_id, within_days, limit, now } = query;
    let named = Scope { user_id, agent_id, app_id, run_id };
    let scope = scope(&named, "scope")?;
    let engine = app.engine()?;
    let zone = engine.zone_of_dates(&caller, &scope);
    let query = FadingQuery { scope: named, within_days, limit, now };
    let request = uses::fading_request(scope, &query, &zone)?;
    Ok(Json(uses::fading(engine.fading(&caller, request).await?)))
}
