//! Handlers of memories: add finished ones, list, show, edit, erase.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engrain::wire::{
    AddMemories, AddedMemories, DeleteMatching, DeletedMatching, EditMemory, Erased, History, ListMemories,
    Memory, MemoryPage, Provenance,
};
use memory_core::domain::change::Operation;
use memory_core::domain::id::MemoryId;
use memory_core::domain::zone::Zone;
use memory_core::memories::request::Confirmed;
use serde::Deserialize;
use tokio::time::Instant;

use super::created;
use crate::auth::Authenticated;
use crate::convert::{cursor, memories, provenance, remember, responses};
use crate::extract::{IdempotencyKey, JsonBody, PathId, QueryString};
use crate::problem::Problem;
use crate::{App, metrics};

/// Add finished memories
///
/// Stores facts, notes and named documents that the application already has. A document becomes a new version of the
/// stored document of the same name.
#[utoipa::path(
    post,
    path = "/v1/memories",
    tag = "remember",
    params(("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body returns the response of the first call and adds nothing. Keys are separate per owner and per operation")),
    request_body(content = AddMemories, example = json!({
        "scope": {"user_id": "mara"},
        "memories": [
            {"text": "Mara is allergic to peanuts.", "tags": ["health"], "importance": 0.9},
            {"text": "{\"theme\": \"dark\"}", "document": {"namespace": "profile", "key": "settings"}}
        ]
    })),
    responses(
        (status = 201, description = "Added", body = AddedMemories, example = json!({
            "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003", "01890a5d-ac96-774b-bcce-b30209900004"],
            "repeated": false
        })),
        (status = 200, description = "Nothing was added: an earlier call with this idempotency key added the memories, or each of them was there already or was erased", body = AddedMemories),
    )
)]
pub(crate) async fn add_memories(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(mut request): JsonBody<AddMemories>,
) -> Result<(StatusCode, Json<AddedMemories>), Problem> {
    let until = Instant::now() + app.config().limits.request_timeout() / 2;
    // Not in the hash of the key, as for turns.
    let wait = std::mem::take(&mut request.wait);
    let idempotency = key.of(&caller, Operation::AddMemories, &request);
    let engine = app.engine()?;
    let request = remember::memories(request, idempotency, &|scope| engine.zone_of_dates(&caller, scope))?;
    let scope = request.scope.clone();
    let mut remembered = engine.remember_memories(&caller, request).await?;
    let written = remembered.written();
    metrics::memories_remembered(written);
    if wait && remembered.without_vectors > 0 {
        remembered.without_vectors =
            engine.wait_for_vectors(&caller, &scope, &remembered.memories, until).await?;
    }
    Ok(created(responses::added_memories(remembered), written == 0))
}

/// List the memories of a scope
///
/// Returns pages ordered by the time of first recording, each memory with `pinned` and `forgotten` as they are now. The method is
/// POST because a filter does not fit into a query string.
#[utoipa::path(
    post,
    path = "/v1/memories/list",
    tag = "memories",
    request_body(content = ListMemories, example = json!({
        "scope": {"user_id": "mara"},
        "filter": {"field": "tags", "contains": "health"},
        "limit": 20
    })),
    responses((status = 200, description = "Page of the list", body = MemoryPage, example = json!({
        "memories": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "fact",
            "text": "Mara is allergic to peanuts.", "tokens": 7, "visibility": "owner", "tags": ["health"],
            "happened_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:00Z",
            "created_at": "2023-05-20T02:21:00Z", "importance": 0.9
        }],
        "total": 1
    })))
)]
pub(crate) async fn list_memories(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<ListMemories>,
) -> Result<Json<MemoryPage>, Problem> {
    let engine = app.engine()?;
    let request = memories::list(&request, &|scope| engine.zone_of_dates(&caller, scope))?;
    let scope = request.scope.clone();
    let page = engine.list(&caller, request).await?;
    let judgement = engine.judgement_of_scope(&caller, &scope)?;
    let next_cursor = memories::next_cursor(page.last, page.has_more);
    let memories = page.memories.into_iter().map(|memory| responses::judged(memory, &judgement)).collect();
    Ok(Json(MemoryPage { memories, total: page.total, next_cursor, unreadable: page.unreadable }))
}

/// Show a memory
///
/// Returns the current version, with `pinned` and `forgotten` as they are now.
#[utoipa::path(
    get,
    path = "/v1/memories/{id}",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory")),
    responses((status = 200, description = "The memory", body = Memory, example = json!({
        "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "fact",
        "text": "Mara is allergic to peanuts.", "tokens": 7, "visibility": "owner", "tags": ["health"],
        "happened_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:00Z",
        "created_at": "2023-05-20T02:21:00Z", "importance": 0.9
    })))
)]
pub(crate) async fn show_memory(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Memory>, Problem> {
    let engine = app.engine()?;
    let kept = engine.memory(&caller, MemoryId(id)).await?;
    Ok(Json(responses::judged(kept.memory, &engine.judgement(&caller, &kept.owner))))
}

/// Versions on a page by default: as many as a page may have, because programs written before there were pages ask for one.
const VERSIONS_PER_PAGE: u32 = 1_000;

/// Query string of [`memory_history`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Maximum number of items on the page, 1 to 1,000. Default: 1,000.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// List the versions of a memory
///
/// Returns the versions oldest first; the last one of the last page is current. A page ends early when its texts are long.
#[utoipa::path(
    get,
    path = "/v1/memories/{id}/history",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), HistoryQuery),
    responses((status = 200, description = "Page of the versions of the memory", body = History, example = json!({"versions": []})))
)]
pub(crate) async fn memory_history(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let limit = query.limit.unwrap_or(VERSIONS_PER_PAGE);
    let from = cursor::read(query.cursor.as_deref(), cursor::place)?.unwrap_or(0);
    let (versions, has_more) = app.engine()?.history_page(&caller, MemoryId(id), from, limit).await?;
    let next = versions.last().map_or(from, |last| last.version.saturating_add(1));
    Ok(Json(History {
        versions: versions.into_iter().map(responses::memory).collect(),
        next_cursor: has_more.then(|| cursor::of_place(next)),
    }))
}

/// Edit a memory
///
/// Creates a new version. An absent field keeps its value; `null` clears an optional time.
#[utoipa::path(
    patch,
    path = "/v1/memories/{id}",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), ("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns the result of the first call. Keys are separate per owner and per operation")),
    request_body(content = EditMemory, example = json!({
        "if_version": 1, "text": "Mara is allergic to peanuts and cashews."
    })),
    responses(
        (status = 200, description = "New version of the memory", body = Memory, example = json!({
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 2, "kind": "fact",
            "text": "Mara is allergic to peanuts and cashews.", "tokens": 11, "visibility": "owner",
            "happened_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-06-01T09:00:00Z",
            "created_at": "2023-05-20T02:21:00Z", "importance": 0.9
        })),
    )
)]
pub(crate) async fn edit_memory(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    key: IdempotencyKey,
    JsonBody(edit): JsonBody<EditMemory>,
) -> Result<Json<Memory>, Problem> {
    let idempotency = key.of(&caller, Operation::EditMemory, &(id, &edit));
    let engine = app.engine()?;
    let zone = match memories::has_bare_date(&edit) {
        true => engine.zone_of_memory(&caller, MemoryId(id)).await?,
        false => Zone::UTC,
    };
    let edit = memories::edit(edit, &zone)?;
    let kept = engine.edit(&caller, MemoryId(id), edit, idempotency).await?;
    Ok(Json(responses::judged(kept.memory, &engine.judgement(&caller, &kept.owner))))
}

/// Erase a memory
///
/// Erases all versions of the memory, its turn if it has one, and every memory derived from it. Nothing returns them from
/// then on. `purge` tells whether their bytes are out of the store's files already.
#[utoipa::path(
    delete,
    path = "/v1/memories/{id}",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), ("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns the result of the first call. Keys are separate per owner and per operation")),
    responses((status = 200, description = "Ids of the erased memories", body = Erased, example = json!({
        "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003"], "purge": "done"
    })))
)]
pub(crate) async fn delete_memory(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    key: IdempotencyKey,
) -> Result<Json<Erased>, Problem> {
    let engine = app.engine()?;
    let erased = engine.erase(&caller, MemoryId(id), key.of(&caller, Operation::DeleteMemory, &id)).await?;
    let purge = responses::purge(engine.purge_state());
    Ok(Json(Erased { memory_ids: erased.into_iter().map(|id| id.0).collect(), purge }))
}

/// Erase the memories that match a filter
///
/// Takes two calls. The first one, without `confirmation`, erases nothing and returns a preview: the memories that match,
/// and all that are derived from them. The second one, with the preview's confirmation, erases exactly these, or none if
/// it would take others by then. Both calls are limited to 10,000 memories, derived ones included.
#[utoipa::path(
    post,
    path = "/v1/memories/delete",
    tag = "memories",
    params(("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns the result of the first call. Keys are separate per owner and per operation")),
    request_body(content = DeleteMatching, example = json!({
        "scope": {"user_id": "mara"}, "filter": {"field": "session", "eq": "2023-05-20"}
    })),
    responses(
        (status = 200, description = "Preview, or result of the erasure", body = DeletedMatching, example = json!({
            "done": false, "matched": 2, "with_derived": 3, "sample": [], "confirmation": "5f1c0a", "erased": 0
        })),
    )
)]
pub(crate) async fn delete_matching(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<DeleteMatching>,
) -> Result<Json<DeletedMatching>, Problem> {
    let idempotency = key.of(&caller, Operation::DeleteMatching, &request);
    let engine = app.engine()?;
    let (scope, filter) = memories::delete(&request, &|scope| engine.zone_of_dates(&caller, scope))?;
    let Some(confirmation) = &request.confirmation else {
        let preview = engine.preview_erasure(&caller, &scope, filter).await?;
        return Ok(Json(responses::preview(preview, &engine.judgement_of_scope(&caller, &scope)?)));
    };
    let confirmed = Confirmed { confirmation, idempotency };
    let (matched, erased) = engine.erase_matching(&caller, &scope, filter, confirmed).await?;
    let erased = erased.len() as u64;
    let with_derived = erased;
    let purge = Some(responses::purge(engine.purge_state()));
    Ok(Json(DeletedMatching {
        done: true,
        matched,
        with_derived,
        sample: Vec::new(),
        confirmation: None,
        erased,
        purge,
    }))
}

/// Show the provenance of a memory
///
/// Returns how the present version of a memory came to be: the mechanism with its model and prompt, the job, and all turns and
/// memories that were shown to it.
#[utoipa::path(
    get,
    path = "/v1/memories/{id}/provenance",
    tag = "memories",
    params(("id" = uuid::Uuid, Path, description = "Memory")),
    responses((status = 200, description = "Provenance", body = Provenance, example = json!({
        "derivation": {
            "maker": "facts", "model": "local/qwen2.5:7b", "prompt": "facts.v1",
            "job_id": "01890a5d-ac96-774b-bcce-b30209900077", "made_at": "2023-05-20T02:21:05Z",
            "inputs": [{"turn_id": "01890a5d-ac96-774b-bcce-b30209900001", "is_evidence": true}]
        }
    })))
)]
pub(crate) async fn memory_provenance(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
) -> Result<Json<Provenance>, Problem> {
    let derivation = app.engine()?.derivation(&caller, MemoryId(id)).await?;
    Ok(Json(provenance::provenance(derivation)))
}
