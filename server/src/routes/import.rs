//! Handler of imports: records of an export are written as they were.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{ImportRecords, ImportedRecords};
use memory_core::scope::own_settings::OwnSetting;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::{archive, forgetting, thinking, zone};
use crate::extract::JsonBody;
use crate::problem::Problem;

/// Fields of the settings of the owner.
const PROFILE: &str = "thinking";
const TIMEZONE: &str = "timezone";
const POLICY: &str = "forgetting";

/// Import records of an export
///
/// Writes memories with their turns, ids, times, earlier versions, derivations and links, in one transaction; `engrain
/// import` sends an export so. A memory keeps its id unless another owner has it. What is there already is answered and not
/// written again. Links and inputs of derivations lead only to memories and turns of the same owner; those whose target is
/// not there are left out and counted, and added when the record is sent again after its targets. The owner is given the
/// settings of the request. Requires the right to administer, and to delete for a forgetting policy with the effect
/// `delete`.
#[utoipa::path(
    post,
    path = "/v1/import",
    tag = "admin",
    request_body(content = ImportRecords, example = json!({
        "scope": {"user_id": "mara"},
        "records": [{
            "memory": {
                "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "fact",
                "text": "Mara lives in Lisbon.", "tokens": 6, "visibility": "owner",
                "happened_at": "2023-05-20T02:21:00Z", "recorded_at": "2023-05-20T02:21:00Z",
                "created_at": "2023-05-20T02:21:00Z", "importance": 0.5
            },
            "history": {"strength": 1.0, "learned_at": "2023-05-20T02:21:00Z"}
        }]
    })),
    responses((status = 200, description = "Written or found", body = ImportedRecords, example = json!({
        "records": [{"outcome": "created", "memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "missing": 0}]
    })))
)]
pub(crate) async fn import_records(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<ImportRecords>,
) -> Result<Json<ImportedRecords>, Problem> {
    let profile = request.thinking.map(thinking::chosen);
    let timezone = zone(request.timezone.as_deref(), TIMEZONE)?;
    let policy = request.forgetting.clone().map(|policy| forgetting::policy(policy, POLICY)).transpose()?;
    let request = archive::records(request)?;
    let (engine, scope) = (app.engine()?, request.scope.clone());
    // Before the records: a request that fails changes nothing.
    if let Some(policy) = &policy {
        engine.may_set_forgetting_policy(&caller, policy, POLICY)?;
    }
    for (is_given, setting, at) in [
        (profile.is_some(), OwnSetting::ThinkingProfile, PROFILE),
        (timezone.is_some(), OwnSetting::Timezone, TIMEZONE),
        (policy.is_some(), OwnSetting::ForgettingPolicy, POLICY),
    ] {
        if is_given {
            engine.may_have_own(&caller, &scope, setting, at)?;
        }
    }
    let restored = engine.restore_memories(&caller, request).await?;
    if let Some(profile) = profile {
        engine.set_thinking_profile(&caller, &scope, Some(profile)).await?;
    }
    if timezone.is_some() {
        engine.set_timezone(&caller, &scope, timezone).await?;
    }
    if policy.is_some() {
        engine.set_forgetting_policy(&caller, &scope, policy).await?;
    }
    Ok(Json(archive::imported(&restored)))
}
