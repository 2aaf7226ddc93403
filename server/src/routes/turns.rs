//! Handler that adds turns.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engrain::wire::{AddTurns, AddedTurns};
use memory_core::domain::change::Operation;
use tokio::time::Instant;

use super::created;
use crate::auth::Authenticated;
use crate::convert::{remember, responses, thinking};
use crate::extract::{IdempotencyKey, JsonBody};
use crate::problem::Problem;
use crate::{App, metrics};

/// Append turns to a session
///
/// Stores each turn verbatim and makes one memory of it. The turns are durable and searchable when the call returns. A
/// new session name creates the session.
#[utoipa::path(
    post,
    path = "/v1/turns",
    tag = "remember",
    params(("Idempotency-Key" = Option<String>, Header, description = "Idempotency key of the request. A repetition with the same key and body returns the response of the first call and adds nothing. Keys are separate per owner and per operation")),
    request_body(content = AddTurns, example = json!({
        "scope": {"user_id": "mara", "agent_id": "concierge"},
        "session": "2023-05-20",
        "turns": [
            {"role": "user", "text": "I moved to Lisbon last week.", "said_at": "2023-05-20T02:21:00Z"},
            {"role": "assistant", "text": "How lovely! Have you found a bakery yet?"}
        ]
    })),
    responses(
        (status = 201, description = "Added", body = AddedTurns, example = json!({
            "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "turn_ids": ["01890a5d-ac96-774b-bcce-b30209900001", "01890a5d-ac96-774b-bcce-b30209900002"],
            "memory_ids": ["01890a5d-ac96-774b-bcce-b30209900003", "01890a5d-ac96-774b-bcce-b30209900004"],
            "repeated": false
        })),
        (status = 200, description = "Nothing was added: an earlier call with this idempotency key added the turns, or each of them was there already or was erased", body = AddedTurns),
    )
)]
pub(crate) async fn add_turns(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    key: IdempotencyKey,
    JsonBody(mut request): JsonBody<AddTurns>,
) -> Result<(StatusCode, Json<AddedTurns>), Problem> {
    let until = Instant::now() + app.config().limits.request_timeout() / 2;
    let wait = std::mem::take(&mut request.wait);
    // Waiting is no part of what the key stands for: a repetition may wait although the first call did not.
    let idempotency = key.of(&caller, Operation::AddTurns, &request);
    let engine = app.engine()?;
    let request = remember::turns(request, idempotency, &|scope| engine.zone_of_dates(&caller, scope))?;
    let scope = request.scope.clone();
    let mut remembered = engine.remember_turns(&caller, request).await?;
    let written = remembered.written();
    metrics::turns_remembered(written);
    if wait && remembered.without_vectors > 0 {
        remembered.without_vectors =
            engine.wait_for_vectors(&caller, &scope, &remembered.memories, until).await?;
    }
    let thinking = match wait {
        true => Some(engine.wait_for_thinking(&caller, &scope, &remembered.memories, until).await?),
        false => None,
    };
    let added = responses::added_turns(remembered);
    Ok(created(AddedTurns { thinking: thinking.map(thinking::progress), ..added }, written == 0))
}
