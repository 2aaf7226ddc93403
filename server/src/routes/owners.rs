//! Handlers of the owners of memories: list, erase.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{DeleteOwner, DeletedOwner, OwnerPage};
use memory_core::domain::change::Operation;
use serde::Deserialize;

use super::more_behind;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{cursor, memories, responses};
use crate::extract::{IdempotencyKey, JsonBody, QueryString};
use crate::problem::Problem;

/// Query string of [`list_owners`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnersQuery {
    /// Maximum number of owners on the page, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// List the owners of memories
///
/// Returns the owners of the tenant in the order of their first memory.
#[utoipa::path(
    get,
    path = "/v1/owners",
    tag = "memories",
    params(OwnersQuery),
    responses((status = 200, description = "Page of the list", body = OwnerPage, example = json!({
        "owners": [{"kind": "user", "id": "mara", "memories": 42, "created_at": "2023-05-20T02:21:00Z"}]
    })))
)]
pub(crate) async fn list_owners(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<OwnersQuery>,
) -> Result<Json<OwnerPage>, Problem> {
    let limit = query.limit.unwrap_or(memories::DEFAULT_PAGE);
    let after = cursor::read(query.cursor.as_deref(), cursor::owner)?;
    let engine = app.engine()?;
    let owners = engine.owners(&caller, after, limit).await?;
    let last = owners.last().map(|entry| entry.partition);
    let peek = async { engine.owners(&caller, last, 1).await.map(|more| !more.is_empty()) };
    let has_more = more_behind(owners.len(), limit, peek).await?;
    Ok(Json(OwnerPage {
        owners: owners.iter().map(responses::owner).collect(),
        next_cursor: last.filter(|_| has_more).map(cursor::of_owner),
    }))
}

/// Erase an owner
///
/// Erases an owner of any size with everything of it: memories, turns, sessions, queues, usage, profile of thinking, jobs,
/// and the name itself. Takes two calls. The first one, without `confirmation`, erases nothing and returns the number of
/// memories. The second one, with the preview's confirmation, erases the owner, or nothing if a memory came or went since.
///
/// From the second answer on, no request finds anything of the owner, and new memories of the same name are a new beginning.
/// The data is deleted from the store by the job in the answer, which survives a restart of the server. Memories of other
/// owners that name this one, as their agent or in their texts, are theirs and stay.
#[utoipa::path(
    post,
    path = "/v1/owners/delete",
    tag = "memories",
    params(("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body is executed once and returns the result of the first call. Keys are separate per owner and per operation")),
    request_body(content = DeleteOwner, example = json!({"scope": {"user_id": "mara"}})),
    responses((status = 200, description = "Preview, or result of the erasure", body = DeletedOwner, example = json!({
        "done": true, "memories": 42, "job_id": "01890a5d-ac96-774b-bcce-b30209900077"
    })))
)]
pub(crate) async fn delete_owner(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<DeleteOwner>,
) -> Result<Json<DeletedOwner>, Problem> {
    let idempotency = key.of(&caller, Operation::DeleteOwner, &request);
    let scope = memories::delete_owner(&request)?;
    let engine = app.engine()?;
    Ok(Json(match &request.confirmation {
        None => responses::owner_preview(engine.preview_owner_erasure(&caller, &scope).await?),
        Some(confirmation) => {
            responses::owner_erased(engine.erase_owner(&caller, &scope, confirmation, idempotency).await?)
        }
    }))
}
