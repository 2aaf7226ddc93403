//! Idempotency records: the ids that a request with an idempotency key created, written in the transaction that created
//! them. A key is scoped to one caller, one owner and one operation.
//!
//! Erasures of owners that are erased have no owner kind, and a number in place of the name: they match a repetition by
//! the hash of the request, which covers the scope.
//!
//! Keys of stores from before migration 4 have no caller, owner or operation: their operation is empty, and they match
//! a request by its hash alone, which covers operation and scope. They expire like all others.

use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, Refusal};
use crate::domain::id::{JobId, MemoryId, SessionId, TenantId, TurnId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::scope::Owner;

impl WriteTransaction<'_, '_> {
    /// Stores the ids that a request created, until its key expires.
    pub(super) async fn remember_request(
        &mut self,
        set: &ChangeSet,
        idempotency: &Idempotency,
        created: &CreatedIds,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO keyed_requests
                 (tenant_id, key, operation, caller_id, owner_kind, owner_id, request_hash, made, created_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(set.tenant.0)
        .bind(idempotency.key.as_str())
        .bind(idempotency.operation.as_str())
        .bind(idempotency.caller.0)
        .bind(set.owner.kind.as_str())
        .bind(set.owner.id.as_str())
        .bind(&idempotency.request_hash[..])
        .bind(created_json(created))
        .bind(set.now.as_micros())
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}

/// Ids created by an earlier set of this owner with this key, or the refusal if the key was used for another request.
pub(super) async fn earlier_request<'e>(
    from: impl sqlx::Executor<'e, Database = Db>,
    tenant: TenantId,
    owner: &Owner,
    idempotency: &Idempotency,
) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError> {
    // A key without operation comes first: its hash is that of this request.
    let row: Option<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT request_hash, made FROM keyed_requests
         WHERE tenant_id = $1 AND key = $2
             AND ((operation = $3 AND caller_id = $4 AND owner_kind = $5 AND owner_id = $6)
                 OR (operation = $3 AND caller_id = $4 AND owner_kind = '' AND request_hash = $7)
                 OR (operation = '' AND request_hash = $7))
         ORDER BY operation LIMIT 1",
    )
    .bind(tenant.0)
    .bind(idempotency.key.as_str())
    .bind(idempotency.operation.as_str())
    .bind(idempotency.caller.0)
    .bind(owner.kind.as_str())
    .bind(owner.id.as_str())
    .bind(&idempotency.request_hash[..])
    .fetch_optional(from)
    .await
    .map_err(unavailable)?;
    let Some((hash, created)) = row else { return Ok(None) };
    if hash != idempotency.request_hash {
        return Ok(Some(Err(Refusal::IdempotencyKeyReused)));
    }
    read_created(&created).map(|created| Some(Ok(created)))
}

/// Ids created by an earlier execution of the same request with this key, for any owner.
pub(super) async fn same_request<'e>(
    from: impl sqlx::Executor<'e, Database = Db>,
    tenant: TenantId,
    idempotency: &Idempotency,
) -> Result<Option<CreatedIds>, StoreError> {
    let created: Option<String> = sqlx::query_scalar(
        "SELECT made FROM keyed_requests
         WHERE tenant_id = $1 AND key = $2 AND request_hash = $3
             AND (operation = '' OR (operation = $4 AND caller_id = $5))
         ORDER BY created_us DESC LIMIT 1",
    )
    .bind(tenant.0)
    .bind(idempotency.key.as_str())
    .bind(&idempotency.request_hash[..])
    .bind(idempotency.operation.as_str())
    .bind(idempotency.caller.0)
    .fetch_optional(from)
    .await
    .map_err(unavailable)?;
    created.map(|created| read_created(&created)).transpose()
}

fn read_created(json: &str) -> Result<CreatedIds, StoreError> {
    created_from_json(json).ok_or_else(|| StoreError::Corrupt {
        table: "keyed_requests",
        column: "made",
        row: "a key".to_owned(),
    })
}

/// JSON of the created ids: `[session, [memories], [turns], [erased], matched, job, [outcomes]]`. The outcomes are missing
/// where there are none; records of earlier releases end before `matched`.
fn created_json(created: &CreatedIds) -> String {
    let texts = |ids: Vec<uuid::Uuid>| -> serde_json::Value {
        ids.iter().map(ToString::to_string).collect::<Vec<_>>().into()
    };
    let outcomes: Vec<&str> = created.outcomes.iter().map(|outcome| outcome.as_str()).collect();
    let mut parts = vec![
        serde_json::json!(created.session.map(|id| id.to_string())),
        texts(created.memories.iter().map(|id| id.0).collect()),
        texts(created.turns.iter().map(|id| id.0).collect()),
        texts(created.erased.iter().map(|id| id.0).collect()),
        created.matched.into(),
        serde_json::json!(created.job.map(|id| id.to_string())),
    ];
    if !outcomes.is_empty() {
        parts.push(outcomes.into());
    }
    serde_json::Value::Array(parts).to_string()
}

pub(super) fn created_from_json(json: &str) -> Option<CreatedIds> {
    type Ids = Vec<uuid::Uuid>;
    let mut parts = serde_json::from_str::<Vec<serde_json::Value>>(json).ok()?;
    let rest = parts.split_off(parts.len().min(4));
    let (session, memories, turns, erased): (Option<uuid::Uuid>, Ids, Ids, Ids) =
        serde_json::from_value(parts.into()).ok()?;
    let mut rest = rest.into_iter();
    let matched = rest.next().map_or(Some(erased.len() as u64), |matched| matched.as_u64())?;
    let job: Option<uuid::Uuid> = rest.next().map_or(Ok(None), serde_json::from_value).ok()?;
    let outcomes: Vec<String> = rest.next().map_or(Ok(Vec::new()), serde_json::from_value).ok()?;
    Some(CreatedIds {
        session: session.map(SessionId),
        memories: memories.into_iter().map(MemoryId).collect(),
        turns: turns.into_iter().map(TurnId).collect(),
        erased: erased.into_iter().map(MemoryId).collect(),
        matched,
        job: job.map(JobId),
        outcomes: outcomes.iter().map(|name| ItemOutcome::parse(name)).collect::<Option<_>>()?,
    })
}
