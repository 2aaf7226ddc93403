//! Handlers of the time zone of a scope.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{SetTimezone, TimezoneState};
use memory_core::scope::zones::ZoneState;

use super::thinking::ScopeQuery;
use crate::App;
use crate::auth::Authenticated;
use crate::convert::{scope, zone};
use crate::extract::{JsonBody, QueryString};
use crate::problem::Problem;

/// Show the time zone of a scope
///
/// Returns the time zone in which days are counted for a scope: that of its owner, else that of the configuration.
#[utoipa::path(
    get,
    path = "/v1/timezone",
    tag = "admin",
    params(ScopeQuery),
    responses((status = 200, description = "Time zone", body = TimezoneState, example = json!({
        "timezone": "UTC", "is_own": false
    })))
)]
pub(crate) async fn show_timezone(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ScopeQuery>,
) -> Result<Json<TimezoneState>, Problem> {
    let scope = scope(&query.into(), "scope")?;
    Ok(Json(state(&app.engine()?.timezone(&caller, &scope)?)))
}

/// Set the time zone of a scope
///
/// Sets the time zone in which days are counted for the owner of a scope: in queries such as "yesterday", in context blocks,
/// and in thinking. Times that were given with an offset from UTC keep their own day. It is erased with the owner.
#[utoipa::path(
    put,
    path = "/v1/timezone",
    tag = "admin",
    request_body(content = SetTimezone, example = json!({"scope": {"user_id": "mara"}, "timezone": "Asia/Shanghai"})),
    responses((status = 200, description = "Time zone", body = TimezoneState, example = json!({
        "timezone": "Asia/Shanghai", "is_own": true
    })))
)]
pub(crate) async fn set_timezone(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<SetTimezone>,
) -> Result<Json<TimezoneState>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let zone = zone(request.timezone.as_deref(), "timezone")?;
    Ok(Json(state(&app.engine()?.set_timezone(&caller, &scope, zone).await?)))
}

fn state(of: &ZoneState) -> TimezoneState {
    TimezoneState { timezone: of.zone.name(), is_own: of.is_own }
}
