//! Handlers of thinking: profile of state, preview of facts, audit, settings of a scope.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{
    AuditFacts, FactAudit, PreviewFacts, PreviewedFacts, RecallNotes, RecallThoughts, RecalledNotes,
    RecalledThoughts, Scope, SetThinking, StateProfile, ThinkingState,
};
use memory_core::domain::statement::Statement;
use memory_core::think::amem::recall::NotesAsked;
use serde::Deserialize;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::{remember, scope, thinking};
use crate::extract::{JsonBody, QueryString};
use crate::problem::Problem;

/// Query string of [`show_thinking`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
}

impl From<ScopeQuery> for Scope {
    fn from(query: ScopeQuery) -> Self {
        let ScopeQuery { user_id, agent_id, app_id, run_id } = query;
        Self { user_id, agent_id, app_id, run_id }
    }
}

/// Query string of [`show_profile`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Subject: `user`, `assistant`, or a name. Default: `user`.
    subject: Option<String>,
    /// Time at which the values hold (RFC 3339; a date is the beginning of that day in the time zone of the owner). Default:
    /// now.
    valid_at: Option<String>,
    /// Time of knowledge (RFC 3339; a date is the beginning of that day in the time zone of the owner): the answer is what was
    /// recorded by then. Default: now.
    known_at: Option<String>,
    /// Name of the person to whom it will be told: facts said in confidence to others are left out. Default: nobody, and
    /// nothing is left out.
    partner: Option<String>,
}

/// Show what is true of a subject
///
/// Returns the state slots of a subject (home, job, partner, ...) with their values at one time, their history and their
/// evidence, and the newest facts without a slot. It reads a few rows and calls no model.
#[utoipa::path(
    get,
    path = "/v1/profile",
    tag = "thinking",
    params(ProfileQuery),
    responses((status = 200, description = "Profile", body = StateProfile, example = json!({
        "subject": "user", "valid_at": "2023-06-01T00:00:00Z",
        "slots": [{
            "attribute": "home",
            "values": [{
                "memory_id": "01890a5d-ac96-774b-bcce-b30209900003", "text": "The user lives in Lisbon.",
                "object": "Lisbon", "since": "2023-05-13T00:00:00Z", "confidence": 0.9, "said_by": "user",
                "evidence": ["01890a5d-ac96-774b-bcce-b30209900001"]
            }],
            "history": [{
                "memory_id": "01890a5d-ac96-774b-bcce-b30209900004", "text": "The user lives in Paris.",
                "object": "Paris", "since": "2021-01-01T00:00:00Z", "until": "2023-05-13T00:00:00Z",
                "confidence": 0.9, "said_by": "user"
            }],
            "is_contested": false
        }]
    })))
)]
pub(crate) async fn show_profile(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ProfileQuery>,
) -> Result<Json<StateProfile>, Problem> {
    let ProfileQuery { user_id, agent_id, app_id, run_id, subject, valid_at, known_at, partner } = query;
    let scope = scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?;
    let engine = app.engine()?;
    let zone = engine.zone_of_dates(&caller, &scope);
    let request = thinking::profile_request(
        scope,
        thinking::ProfileFields {
            subject: subject.as_deref(),
            valid_at: valid_at.as_deref(),
            known_at: known_at.as_deref(),
            partner: partner.as_deref(),
        },
        &zone,
    )?;
    let profile = engine.profile(&caller, &request).await?;
    let is_present = request.valid_at.is_none() && request.known_at.is_none();
    let portrait = match profile.subject == Statement::USER && is_present {
        true => Some(engine.portrait(&caller, &request.scope, request.partner.as_ref()).await?),
        false => None,
    };
    Ok(Json(thinking::profile(profile, portrait)))
}

/// Preview facts
///
/// Returns the facts that thinking would store for these turns, and what would become of each. Nothing is stored, apart
/// from the usage of the language model.
#[utoipa::path(
    post,
    path = "/v1/facts/preview",
    tag = "thinking",
    request_body(content = PreviewFacts, example = json!({
        "scope": {"user_id": "mara"},
        "turns": [{"role": "user", "text": "I moved to Lisbon last week.", "said_at": "2023-05-20T02:21:00Z"}]
    })),
    responses((status = 200, description = "Candidate facts", body = PreviewedFacts, example = json!({
        "made_by": "facts.rules",
        "facts": [{
            "text": "The user moved to Lisbon.", "subject": "user", "attribute": "home", "object": "Lisbon",
            "confidence": 0.8, "evidence": [0], "outcome": "supersedes",
            "concerns": ["01890a5d-ac96-774b-bcce-b30209900004"]
        }],
        "unsupported": 0, "calls": 0, "prompt_tokens": 0, "reply_tokens": 0
    })))
)]
pub(crate) async fn preview_facts(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<PreviewFacts>,
) -> Result<Json<PreviewedFacts>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let engine = app.engine()?;
    let zone = engine.zone_of_dates(&caller, &scope);
    let turns = thinking::previewed_turns(remember::new_turns(request.turns, &zone)?);
    let preview = engine.preview_facts(&caller, &scope, &turns).await?;
    Ok(Json(thinking::previewed(preview)))
}

/// Audit the facts of a scope
///
/// Counts facts that should not be there: junk, duplicates, facts whose only evidence repeats what was recalled before, and
/// facts without evidence.
#[utoipa::path(
    post,
    path = "/v1/audit",
    tag = "thinking",
    request_body(content = AuditFacts, example = json!({"scope": {"user_id": "mara"}})),
    responses((status = 200, description = "Audit", body = FactAudit, example = json!({
        "facts": 120, "is_partial": false,
        "junk": {"count": 0, "rate": 0.0},
        "duplicates": {"count": 2, "rate": 0.0167, "examples": ["01890a5d-ac96-774b-bcce-b30209900003"]},
        "loops": {"count": 0, "rate": 0.0},
        "unsupported": {"count": 0, "rate": 0.0}
    })))
)]
pub(crate) async fn audit_facts(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<AuditFacts>,
) -> Result<Json<FactAudit>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let examples = thinking::examples(request.examples)?;
    let audit = app.engine()?.audit_facts(&caller, &scope).await?;
    Ok(Json(thinking::audit(audit, examples)))
}

/// Show the thinking of a scope
///
/// Returns the profile of thinking of a scope, the number of its turns that wait, and what its language models have used
/// today.
#[utoipa::path(
    get,
    path = "/v1/thinking",
    tag = "thinking",
    params(ScopeQuery),
    responses((status = 200, description = "State", body = ThinkingState, example = json!({
        "profile": "default", "is_own": false, "is_active": true, "pending_turns": 0,
        "usage_today": [{
            "task": "extract", "model": "local/qwen2.5:7b", "calls": 12, "refused_replies": 1, "failures": 0,
            "prompt_tokens": 14210, "reply_tokens": 1830, "cost": 0.0
        }]
    })))
)]
pub(crate) async fn show_thinking(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ScopeQuery>,
) -> Result<Json<ThinkingState>, Problem> {
    let scope = scope(&query.into(), "scope")?;
    let state = app.engine()?.thinking(&caller, &scope).await?;
    Ok(Json(thinking::state(state)))
}

/// Set the thinking of a scope
///
/// Sets the profile of thinking of a scope for the turns that are added from now on. Turns that wait keep theirs.
#[utoipa::path(
    put,
    path = "/v1/thinking",
    tag = "thinking",
    request_body(content = SetThinking, example = json!({"scope": {"user_id": "mara"}, "profile": "off"})),
    responses((status = 200, description = "State", body = ThinkingState, example = json!({
        "profile": "off", "is_own": true, "is_active": false, "pending_turns": 0, "usage_today": []
    })))
)]
pub(crate) async fn set_thinking(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<SetThinking>,
) -> Result<Json<ThinkingState>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let profile = request.profile.map(thinking::chosen);
    let state = app.engine()?.set_thinking_profile(&caller, &scope, profile).await?;
    Ok(Json(thinking::state(state)))
}

/// Number of thoughts when the request gives none: k of the paper.
const DEFAULT_THOUGHTS: u32 = 5;

/// Recall thoughts as published
///
/// Returns the thoughts of the profile `tim.paper` in the bucket of the query, by cosine: one table, one probe. For
/// comparison with the published mechanism; `POST /v1/recall` searches thoughts exactly, like all memories.
#[utoipa::path(
    post,
    path = "/v1/thoughts/recall",
    tag = "thinking",
    request_body(content = RecallThoughts, example = json!({
        "scope": {"user_id": "mara"}, "query": "Where does Mara live?"
    })),
    responses((status = 200, description = "Thoughts", body = RecalledThoughts, example = json!({"thoughts": []})))
)]
pub(crate) async fn recall_thoughts(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<RecallThoughts>,
) -> Result<Json<RecalledThoughts>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let limit = request.limit.unwrap_or(DEFAULT_THOUGHTS);
    let partner = thinking::partner(request.partner.as_deref())?;
    let asked = (request.query.as_str(), limit);
    let engine = app.engine()?;
    let thoughts = engine.recall_thoughts(&caller, &scope, asked, partner.as_ref()).await?;
    Ok(Json(thinking::thoughts(thoughts, &engine.judgement_of_scope(&caller, &scope)?)))
}

/// Number of nearest and of linked notes when the request gives none: that of the paper.
const DEFAULT_NOTES: u32 = 10;

/// Recall notes as published
///
/// Returns the notes that are nearest to the query by cosine, and apart from them the notes that those have links to. For
/// comparison with A-MEM as published; `POST /v1/recall` finds notes like all memories.
#[utoipa::path(
    post,
    path = "/v1/notes/recall",
    tag = "thinking",
    request_body(content = RecallNotes, example = json!({
        "scope": {"user_id": "mara"}, "query": "Where does Mara live?"
    })),
    responses((status = 200, description = "Notes", body = RecalledNotes, example = json!({"notes": [], "linked": []})))
)]
pub(crate) async fn recall_notes(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<RecallNotes>,
) -> Result<Json<RecalledNotes>, Problem> {
    let scope = scope(&request.scope, "scope")?;
    let asked = NotesAsked {
        limit: request.limit.unwrap_or(DEFAULT_NOTES),
        linked: request.linked.unwrap_or(DEFAULT_NOTES),
    };
    let partner = thinking::partner(request.partner.as_deref())?;
    let asked = (request.query.as_str(), asked);
    let engine = app.engine()?;
    let notes = engine.recall_notes(&caller, &scope, asked, partner.as_ref()).await?;
    Ok(Json(thinking::notes(notes, &engine.judgement_of_scope(&caller, &scope)?)))
}
