//! Who owns memories.

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

/// The query of [`list_owners`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnersQuery {
    /// How many at most, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List everyone who owns memories
///
/// In the order in which they were first heard of.
#[utoipa::path(
    get,
    path = "/v1/owners",
    tag = "memories",
    params(OwnersQuery),
    responses((status = 200, description = "A page", body = OwnerPage, example = json!({
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
