//! Repeated requests: what a request with an idempotency key made is kept with its key, by id only, in the
//! transaction that made it.

use super::commit::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, Refusal};
use crate::domain::id::{MemoryId, SessionId, TenantId, TurnId};

impl WriteTransaction<'_, '_> {
    /// Keeps what a request made for as long as its key is remembered.
    pub(super) async fn remember_request(
        &mut self,
        set: &ChangeSet,
        idempotency: &Idempotency,
        created: &CreatedIds,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO idempotent_requests (tenant_id, key, request_hash, made, created_us)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(set.tenant.0)
        .bind(idempotency.key.as_str())
        .bind(&idempotency.request_hash[..])
        .bind(created_json(created))
        .bind(set.now.as_micros())
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}

/// What an earlier set with this key made, or the refusal of another request under it.
pub(super) async fn earlier_request<'e>(
    from: impl sqlx::Executor<'e, Database = Db>,
    tenant: TenantId,
    idempotency: &Idempotency,
) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError> {
    let row: Option<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT request_hash, made FROM idempotent_requests WHERE tenant_id = $1 AND key = $2",
    )
    .bind(tenant.0)
    .bind(idempotency.key.as_str())
    .fetch_optional(from)
    .await
    .map_err(unavailable)?;
    let Some((hash, created)) = row else { return Ok(None) };
    if hash != idempotency.request_hash {
        return Ok(Some(Err(Refusal::IdempotencyKeyReused)));
    }
    let damaged =
        || StoreError::Corrupt { table: "idempotent_requests", column: "made", row: "a key".to_owned() };
    Ok(Some(Ok(created_from_json(&created).ok_or_else(damaged)?)))
}

/// The ids of what was made, as `[session, [memories], [turns], [erased]]`.
fn created_json(created: &CreatedIds) -> String {
    let texts = |ids: Vec<uuid::Uuid>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    serde_json::json!([
        created.session.map(|id| id.to_string()),
        texts(created.memories.iter().map(|id| id.0).collect()),
        texts(created.turns.iter().map(|id| id.0).collect()),
        texts(created.erased.iter().map(|id| id.0).collect()),
    ])
    .to_string()
}

fn created_from_json(json: &str) -> Option<CreatedIds> {
    type Parts = (Option<uuid::Uuid>, Vec<uuid::Uuid>, Vec<uuid::Uuid>, Vec<uuid::Uuid>);
    let (session, memories, turns, erased): Parts = serde_json::from_str(json).ok()?;
    Some(CreatedIds {
        session: session.map(SessionId),
        memories: memories.into_iter().map(MemoryId).collect(),
        turns: turns.into_iter().map(TurnId).collect(),
        erased: erased.into_iter().map(MemoryId).collect(),
    })
}
