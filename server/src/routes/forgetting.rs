//! Handlers of forgetting: policies, sweeps, previews, restores, pins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{
    ForgettingPolicyState, ForgottenPage, Job, MemoryPin, PreviewSweep, PreviewedSweep, RestoreForgotten,
    RestoredForgotten, Scope, SetForgettingPolicy, SweepMemories,
};
use memory_core::domain::id::MemoryId;
use memory_core::store::ForgottenPlace;
use serde::Deserialize;

use super::more_behind;
use super::thinking::ScopeQuery;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{cursor, forgetting, optional_time, responses, scope};
use crate::extract::{JsonBody, PathId, QueryString};
use crate::problem::Problem;

/// Query string of [`list_forgotten`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgottenQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Reason for which they are forgotten: `faded`, `evicted` or `drawn`. Default: any.
    reason: Option<String>,
    /// Effect, as the last sweep recorded it: `demote`, `exclude`, `cold` or `delete`. Default: any.
    effect: Option<String>,
    /// Maximum number of memories on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// Show the forgetting policy of a scope
///
/// Returns the forgetting policy in use for a scope: that of its owner, else that of the configuration.
#[utoipa::path(
    get,
    path = "/v1/forgetting/policy",
    tag = "forgetting",
    params(ScopeQuery),
    responses((status = 200, description = "Policy", body = ForgettingPolicyState, example = json!({
        "policy": {
            "curve": "memorybank.paper", "weight": null, "effect": "none", "rule": "fixed_threshold",
            "grace_days": 30, "quota_memories": null, "eviction": "curve", "counts_from": "in_context",
            "refractory_seconds": 3600, "importance_gain": 1.0, "surprise_gain": 1.0,
            "surprise_midpoint": 0.85, "initial_strengths": {
                "turn": 1.0, "fact": 1.0, "thought": 1.0, "note": 1.0, "digest": 4.0, "document": 4.0
            }
        },
        "is_default": true
    })))
)]
pub(crate) async fn show_forgetting_policy(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ScopeQuery>,
) -> Result<Json<ForgettingPolicyState>, Problem> {
    let scope = scope(&query.into(), "scope")?;
    Ok(Json(forgetting::state(&app.engine()?.forgetting_policy(&caller, &scope)?)))
}

/// Set the forgetting policy of a scope
///
/// Sets the forgetting policy of the owner of a scope; fields of it that are left out have their defaults, and `null` returns to
/// the policy of the configuration. It is erased with the owner. What an earlier policy had forgotten is judged anew by the next sweep, which starts at once if the new policy
/// forgets nothing.
#[utoipa::path(
    put,
    path = "/v1/forgetting/policy",
    tag = "forgetting",
    request_body(content = SetForgettingPolicy, example = json!({
        "scope": {"user_id": "mara"}, "policy": {"effect": "exclude", "quota_memories": 10000}
    })),
    responses((status = 200, description = "Policy", body = ForgettingPolicyState, example = json!({
        "policy": {
            "curve": "memorybank.paper", "weight": null, "effect": "exclude", "rule": "fixed_threshold",
            "grace_days": 30, "quota_memories": 10000, "eviction": "curve", "counts_from": "in_context",
            "refractory_seconds": 3600, "importance_gain": 1.0, "surprise_gain": 1.0,
            "surprise_midpoint": 0.85, "initial_strengths": {
                "turn": 1.0, "fact": 1.0, "thought": 1.0, "note": 1.0, "digest": 4.0, "document": 4.0
            }
        },
        "is_default": false
    })))
)]
pub(crate) async fn set_forgetting_policy(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<SetForgettingPolicy>,
) -> Result<Json<ForgettingPolicyState>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let policy = request.policy.map(|policy| forgetting::policy(policy, forgetting::POLICY)).transpose()?;
    let engine = app.engine()?;
    let state = engine.set_forgetting_policy(&caller, &scope, policy).await?;
    if state.policy.effect.is_none() {
        engine.request_sweep(&caller, &scope, None, false).await?;
    }
    Ok(Json(forgetting::state(&state)))
}

/// Sweep the memories of an owner
///
/// Starts a background job that judges every memory of the owner by its policy: those that have faded, or are beyond the quota,
/// are forgotten; those that were used meanwhile are remembered; with the effect `delete`, those whose grace period is over
/// are erased. A second sweep as of the same time changes nothing. It is as of the present or the past, not of the future. Sweeps also start by themselves at an interval.
#[utoipa::path(
    post,
    path = "/v1/forgetting/sweep",
    tag = "forgetting",
    request_body(content = SweepMemories, example = json!({"scope": {"user_id": "mara"}, "wait": true})),
    responses((status = 200, description = "The job", body = Job, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900077", "kind": "forget", "state": "done",
        "attempts": 1, "failures": 0, "done": 1200, "total": 1200,
        "result": {
            "memories": 1200, "live": 1130, "faded": 70, "evicted": 0, "drawn": 0, "by_kind": {"turn": 70},
            "remembered": 0, "renewed": 0, "erased": 0
        },
        "created_at": "2023-05-20T02:21:00Z", "updated_at": "2023-05-20T02:21:01Z"
    })))
)]
pub(crate) async fn sweep_memories(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<SweepMemories>,
) -> Result<Json<Job>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let engine = app.engine()?;
    let now = optional_time(request.now.as_deref(), &engine.zone_of_dates(&caller, &scope), "now")?;
    let job = engine.request_sweep(&caller, &scope, now, request.wait).await?;
    Ok(Json(responses::job(job)))
}

/// Preview a sweep
///
/// Returns what a sweep would change, under the policy in use or any other, and why. A sweep with the same policy as of the same
/// time changes exactly this.
#[utoipa::path(
    post,
    path = "/v1/forgetting/preview",
    tag = "forgetting",
    request_body(content = PreviewSweep, example = json!({
        "scope": {"user_id": "mara"}, "policy": {"effect": "exclude"}, "now": "2023-06-20T00:00:00Z"
    })),
    responses((status = 200, description = "Preview", body = PreviewedSweep, example = json!({
        "now": "2023-06-20T00:00:00Z",
        "policy": {
            "curve": "memorybank.paper", "weight": null, "effect": "exclude", "rule": "fixed_threshold",
            "grace_days": 30, "quota_memories": null, "eviction": "curve", "counts_from": "in_context",
            "refractory_seconds": 3600, "importance_gain": 1.0, "surprise_gain": 1.0,
            "surprise_midpoint": 0.85, "initial_strengths": {
                "turn": 1.0, "fact": 1.0, "thought": 1.0, "note": 1.0, "digest": 4.0, "document": 4.0
            }
        },
        "memories": 42, "live": 41, "faded": 1, "evicted": 0, "drawn": 0, "by_kind": {"turn": 1}, "remembered": 0,
        "renewed": 0, "erased": 0, "changes": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "kind": "turn", "excerpt": "It rains today.",
            "change": "forget", "reason": "faded", "since": "2023-05-21T14:03:12Z", "retention": 0.0001,
            "strength": 1.0, "threshold": 0.23
        }]
    })))
)]
pub(crate) async fn preview_sweep(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<PreviewSweep>,
) -> Result<Json<PreviewedSweep>, Problem> {
    let engine = app.engine()?;
    let request = forgetting::preview(request, &|scope| engine.zone_of_dates(&caller, scope))?;
    Ok(Json(forgetting::previewed(engine.preview_sweep(&caller, request).await?)))
}

/// Restore forgotten memories
///
/// Brings forgotten memories back, by their ids or all of the owner. Each counts as confirmed at that moment, so that its curve
/// begins anew. If `left` is not 0 after a call with `all`, a further call restores more.
#[utoipa::path(
    post,
    path = "/v1/forgetting/restore",
    tag = "forgetting",
    request_body(content = RestoreForgotten, example = json!({
        "scope": {"user_id": "mara"}, "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003"]
    })),
    responses((status = 200, description = "Effect", body = RestoredForgotten, example = json!({
        "restored": ["01890a5d-ac96-774b-bcce-b30209900003"], "left": 0
    })))
)]
pub(crate) async fn restore_forgotten(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<RestoreForgotten>,
) -> Result<Json<RestoredForgotten>, Problem> {
    let engine = app.engine()?;
    let request = forgetting::restore(request, &|scope| engine.zone_of_dates(&caller, scope))?;
    let restored = engine.restore_forgotten(&caller, request).await?;
    let ids = restored.restored.into_iter().map(|id| id.0).collect();
    Ok(Json(RestoredForgotten { restored: ids, left: restored.left }))
}

/// List forgotten memories
///
/// Returns the memories of an owner that sweeps have recorded as forgotten, with the reason, those found last first: all, or those with
/// a reason or an effect. Those that have faded since the last sweep are not in it.
#[utoipa::path(
    get,
    path = "/v1/forgetting",
    tag = "forgetting",
    params(ForgottenQuery),
    responses((status = 200, description = "Page of the list", body = ForgottenPage, example = json!({
        "memories": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "kind": "turn", "excerpt": "It rains today.",
            "reason": "faded", "effect": "exclude", "since": "2023-05-21T14:03:12Z",
            "recorded_at": "2023-05-22T00:00:00Z", "curve": "memorybank.paper", "retention": 0.15, "threshold": 0.23
        }]
    })))
)]
pub(crate) async fn list_forgotten(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ForgottenQuery>,
) -> Result<Json<ForgottenPage>, Problem> {
    let ForgottenQuery { user_id, agent_id, app_id, run_id, reason, effect, limit, cursor } = query;
    let scope = scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?;
    let filter = forgetting::filter(reason.as_deref(), effect.as_deref())?;
    let limit = limit.unwrap_or(forgetting::DEFAULT_PAGE);
    let after = cursor::read(cursor.as_deref(), cursor::forgotten)?;
    let engine = app.engine()?;
    let page = engine.forgotten(&caller, &scope, filter, after, limit).await?;
    let place = |entry: &memory_core::forgetting::request::ForgottenMemory| ForgottenPlace {
        recorded_at: entry.record.recorded_at,
        memory: entry.memory,
    };
    let last = page.last().map(place);
    let peek =
        async { engine.forgotten(&caller, &scope, filter, last, 1).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(page.len(), limit, peek).await?;
    Ok(Json(ForgottenPage {
        memories: page.into_iter().map(forgetting::forgotten).collect(),
        next_cursor: last.filter(|_| has_more).map(cursor::of_forgotten),
    }))
}

/// Pin a memory
///
/// Pins a memory, which is then never forgotten, or releases it. A forgotten memory that is pinned is restored at once. It makes
/// no version of the memory.
#[utoipa::path(
    put,
    path = "/v1/memories/{id}/pin",
    tag = "forgetting",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory")),
    request_body(content = MemoryPin, example = json!({"pinned": true})),
    responses((status = 200, description = "Pin", body = MemoryPin, example = json!({"pinned": true})))
)]
pub(crate) async fn pin_memory(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    JsonBody(request): JsonBody<MemoryPin>,
) -> Result<Json<MemoryPin>, Problem> {
    app.engine()?.pin(&caller, MemoryId(id), request.pinned).await?;
    Ok(Json(request))
}
