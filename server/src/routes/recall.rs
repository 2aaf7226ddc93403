//! Handlers of recall and why-not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{RecallRequest, RecallResponse, WhyNotRequest, WhyNotResponse};
use memory_core::Error;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::recall::request::RequestedZone;

use crate::auth::Authenticated;
use crate::convert::recall as wire;
use crate::extract::JsonBody;
use crate::problem::Problem;
use crate::{App, metrics};

/// Recall memories
///
/// Retrieves the memories most relevant to a query. Returns them best first, each with the contributions of the
/// signals, and a context block for a prompt within a token budget.
#[utoipa::path(
    post,
    path = "/v1/recall",
    tag = "recall",
    request_body(content = RecallRequest, example = json!({
        "scope": {"user_id": "mara"}, "query": "Where does she live?", "limit": 5, "budget_tokens": 500
    })),
    responses((status = 200, description = "Recalled memories and context block", body = RecallResponse, example = json!({
        "recall_id": "01890a5d-ac96-774b-bcce-b30209900009",
        "memories": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "fact",
            "text": "Mara lives in Lisbon.", "tokens": 6, "visibility": "owner",
            "happened_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:00Z",
            "created_at": "2023-05-20T02:21:00Z", "importance": 0.5, "score": 1.25,
            "explain": {"signals": [
                {"name": "dense", "score": 0.71, "rank": 1, "weight": 1.0, "contribution": 1.0},
                {"name": "lexical", "score": 3.2, "rank": 1, "weight": 0.25, "contribution": 0.25}
            ]}
        }],
        "context": {
            "text": "2023-05-20 (Sat) 02:21: Mara lives in Lisbon.", "tokens": 21,
            "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003"], "left_out": 0
        },
        "exactness": "exact",
        "degraded": [],
        "searched": {"partitions": 1, "partitions_left_out": 0, "memories": 1},
        "timings": {"embed_ms": 6.1, "search_ms": 0.2, "rerank_ms": 0.0, "assemble_ms": 0.4, "total_ms": 6.8}
    })))
)]
pub(crate) async fn recall(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<RecallRequest>,
) -> Result<Json<RecallResponse>, Problem> {
    let engine = app.engine()?;
    let zone_of = |scope: &Scope, zone: &RequestedZone| engine.zone_of_recall(&caller, scope, zone);
    let request = wire::recall(request, &app.config().recall, &zone_of)?;
    let recalled = engine.recall(&caller, request).await?;
    metrics::recall(&recalled.timings);
    Ok(Json(wire::recalled(recalled)))
}

/// Explain why a memory is not recalled
///
/// Repeats a recall and reports the outcome for one memory: scope, visibility, expiry, filter, rank, or the token
/// budget.
#[utoipa::path(
    post,
    path = "/v1/recall/why-not",
    tag = "recall",
    request_body(content = WhyNotRequest, example = json!({
        "memory_id": "01890a5d-ac96-774b-bcce-b30209900003",
        "recall": {"scope": {"user_id": "mara"}, "query": "Where does she live?", "limit": 5}
    })),
    responses((status = 200, description = "Reason", body = WhyNotResponse, example = json!({
        "verdict": "outranked", "reason": "it is at rank 9 with 0.4100; the last that came back has 0.6300",
        "rank": 9, "score": 0.41, "score_of_last": 0.63, "explain": {"signals": []}
    })))
)]
pub(crate) async fn why_not(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<WhyNotRequest>,
) -> Result<Json<WhyNotResponse>, Problem> {
    let inside = |error: Error| Problem::from(error).inside("recall");
    let engine = app.engine()?;
    let zone_of = |scope: &Scope, zone: &RequestedZone| engine.zone_of_recall(&caller, scope, zone);
    let recall = wire::recall(request.recall, &app.config().recall, &zone_of).map_err(inside)?;
    let why = engine.why_not(&caller, MemoryId(request.memory_id), recall).await.map_err(inside)?;
    Ok(Json(wire::why_not_answer(why)))
}
