//! Handler that lists the owners of memories.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::OwnerPage;
use serde::Deserialize;

use super::more_behind;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{cursor, memories, responses};
use crate::extract::QueryString;
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
