//! Turns of a conversation, on their way in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engrain::wire::{AddTurns, AddedTurns};
use memory_core::domain::change::Operation;

use super::created;
use crate::auth::Authenticated;
use crate::convert::{remember, responses};
use crate::extract::{IdempotencyKey, JsonBody};
use crate::problem::Problem;
use crate::{App, metrics};

/// Append turns to a session
///
/// Each turn is kept word for word and remembered as one memory. When the call returns, the turns are durable and can
/// be recalled. The session is made when it is first named.
#[utoipa::path(
    post,
    path = "/v1/turns",
    tag = "remember",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your key for this request. A repetition with the same key and body answers what the first call made, and makes nothing. Keys are told apart by the owner of the memories and by the operation: the same key for another owner, or for another operation, is another key")),
    request_body(content = AddTurns, example = json!({
        "scope": {"user_id": "mara", "agent_id": "concierge"},
        "session": "2023-05-20",
        "turns": [
            {"role": "user", "text": "I moved to Lisbon last week.", "said_at": "2023-05-20T02:21:00Z"},
            {"role": "assistant", "text": "How lovely! Have you found a bakery yet?"}
        ]
    })),
    responses(
        (status = 201, description = "They are remembered", body = AddedTurns, example = json!({
            "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "turn_ids": ["01890a5d-ac96-774b-bcce-b30209900001", "01890a5d-ac96-774b-bcce-b30209900002"],
            "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003", "01890a5d-ac96-774b-bcce-b30209900004"],
            "repeated": false
        })),
        (status = 200, description = "An earlier call with this key had remembered them", body = AddedTurns),
    )
)]
pub(crate) async fn add_turns(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<AddTurns>,
) -> Result<(StatusCode, Json<AddedTurns>), Problem> {
    let idempotency = key.of(&caller, Operation::AddTurns, &request);
    let request = remember::turns(request, idempotency)?;
    let remembered = app.engine()?.remember_turns(&caller, request).await?;
    if !remembered.repeated {
        metrics::turns_remembered(remembered.turns.len());
    }
    let repeated = remembered.repeated;
    Ok(created(responses::added_turns(remembered), repeated))
}
