//! Handler of digests.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{Digests, Scope};
use serde::Deserialize;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::digests::{self, DigestFields};
use crate::convert::scope;
use crate::extract::QueryString;
use crate::problem::Problem;

/// Query string of [`list_digests`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DigestsQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// First day, such as `2023-05-08`, in the time zone of the owner. Default: no bound.
    from: Option<String>,
    /// Last day. Default: no bound.
    to: Option<String>,
    /// Level: `events_day`, `events_all`, `personality_day` or `portrait`. Default: all but the portrait.
    level: Option<String>,
    /// Name of the person to whom they will be told. Default: nobody, and nothing is left out.
    partner: Option<String>,
}

/// List digests
///
/// Returns the digests of days and of all days, the latest days first, with the ids of the memories that each covers. It
/// calls no model.
#[utoipa::path(
    get,
    path = "/v1/digests",
    tag = "thinking",
    params(DigestsQuery),
    responses((status = 200, description = "Digests", body = Digests, example = json!({
        "digests": [{
            "id": "01890a5d-ac96-774b-bcce-b30209900007", "version": 1, "level": "events_day", "day": "2023-05-08",
            "text": "Mara adopted a dog called Rex.", "covers": ["01890a5d-ac96-774b-bcce-b30209900001"],
            "covers_count": 1, "turns": ["01890a5d-ac96-774b-bcce-b30209900001"], "happened_at": "2023-05-08T00:00:00Z",
            "evidence": ["01890a5d-ac96-774b-bcce-b30209900001"], "is_edited": false, "is_extractive": false,
            "made_at": "2023-05-09T00:10:00Z"
        }]
    })))
)]
pub(crate) async fn list_digests(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<DigestsQuery>,
) -> Result<Json<Digests>, Problem> {
    let DigestsQuery { user_id, agent_id, app_id, run_id, from, to, level, partner } = query;
    let scope = scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?;
    let fields = DigestFields {
        from: from.as_deref(),
        to: to.as_deref(),
        level: level.as_deref(),
        partner: partner.as_deref(),
    };
    let request = digests::request(scope, fields)?;
    Ok(Json(digests::digests(app.engine()?.digests(&caller, &request).await?)))
}
