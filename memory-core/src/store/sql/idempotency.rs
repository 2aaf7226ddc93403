//! Idempotency records: the ids that a request with an idempotency key created, written in the transaction that created
//! them. A key is scoped to one caller, one owner and one operation.
//!
//! Neither the key nor the owner nor a hash of the request is in a record, only digests under the key of the store (ADR
//! 0030). A record is deleted in the transaction that erases any memory that its request made or edited. That of an
//! erasure made none: it holds ids of what is gone, and stays until it is too old.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, insert_missing, push_ids};
use super::write_transaction::WriteTransaction;
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, CreatedIds, Idempotency, Refusal};
use crate::domain::id::{JobId, MemoryId, PartitionId, SessionId, TenantId, TurnId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::scope::Owner;

/// Purpose of the digest of the place of a key.
const PLACE: &str = "place of an idempotency key";
/// Purpose of the digest of a request.
const REQUEST: &str = "request with an idempotency key";

/// Digests of an idempotency key and its request.
pub(super) struct RecordDigests {
    /// Of tenant, operation, caller, owner and key: at most one request.
    pub(super) place: [u8; 32],
    /// Of tenant, operation, caller, key and request, for any owner.
    pub(super) request: [u8; 32],
}

impl RecordDigests {
    /// Digests of the parts of a record. `owner` are the kind and id of the owner.
    pub(super) fn of(
        digests: &KeyedDigest,
        (tenant, operation, caller): (Uuid, &str, &[u8]),
        owner: (&str, &str),
        (key, request_hash): (&str, &[u8]),
    ) -> Self {
        let (tenant, operation, key) = (tenant.as_bytes().as_slice(), operation.as_bytes(), key.as_bytes());
        let owner = [owner.0.as_bytes(), owner.1.as_bytes()];
        Self {
            place: digests.digest(PLACE, &[tenant, operation, caller, owner[0], owner[1], key]),
            request: digests.digest(REQUEST, &[tenant, operation, caller, key, request_hash]),
        }
    }

    pub(super) fn of_request(
        digests: &KeyedDigest,
        tenant: TenantId,
        owner: Option<&Owner>,
        idempotency: &Idempotency,
    ) -> Self {
        let Idempotency { caller, operation, key, request_hash } = idempotency;
        let owner = owner.map_or(("", ""), |owner| (owner.kind.as_str(), owner.id.as_str()));
        let caller = (tenant.0, operation.as_str(), caller.0.as_bytes().as_slice());
        Self::of(digests, caller, owner, (key.as_str(), request_hash))
    }

    /// Digest of the request as records of stores from before migration 4 have it: those named neither caller nor owner
    /// nor operation, and match a request by its hash alone, which covers operation and scope.
    fn unnamed_request(digests: &KeyedDigest, tenant: TenantId, idempotency: &Idempotency) -> [u8; 32] {
        let request = (idempotency.key.as_str(), idempotency.request_hash.as_slice());
        Self::of(digests, (tenant.0, "", &[]), ("", ""), request).request
    }
}

impl WriteTransaction<'_, '_> {
    /// Stores the ids that a request created, until its key expires or any of them is erased.
    pub(super) async fn remember_request(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        idempotency: &Idempotency,
        created: &CreatedIds,
    ) -> Result<(), StoreError> {
        let digests = RecordDigests::of_request(self.digests, set.tenant, Some(&set.owner), idempotency);
        let made = created.memories.iter().filter(|id| !created.erased.contains(id)).copied();
        let record = Record { digests, created, made: made.collect(), created_us: set.now.as_micros() };
        insert_record(&mut *self.connection, partition, &record).await
    }

    /// Deletes the records of the requests that made or edited memories which this transaction has erased.
    pub(super) async fn forget_requests_of(
        &mut self,
        partition: PartitionId,
        erased: &[MemoryId],
    ) -> Result<(), StoreError> {
        let mut made: BTreeSet<Uuid> = BTreeSet::new();
        for some in erased.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "DELETE FROM request_records WHERE id IN
                     (SELECT record_id FROM request_items WHERE partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            statement.push(") RETURNING made");
            let records: Vec<String> =
                statement.build_query_scalar().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            for record in records {
                made.extend(memories_of(&record));
            }
        }
        delete_items(&mut *self.connection, partition, &Vec::from_iter(made)).await
    }
}

/// Record as it is written.
pub(super) struct Record<'a> {
    pub(super) digests: RecordDigests,
    pub(super) created: &'a CreatedIds,
    /// Memories with which the record is to be deleted.
    pub(super) made: BTreeSet<MemoryId>,
    pub(super) created_us: i64,
}

/// Inserts a record and its items, unless there is one in its place.
pub(super) async fn insert_record(
    to: &mut Connection,
    partition: PartitionId,
    record: &Record<'_>,
) -> Result<(), StoreError> {
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO request_records (place, request, partition_id, made, created_us) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (place) DO NOTHING RETURNING id",
    )
    .bind(&record.digests.place[..])
    .bind(&record.digests.request[..])
    .bind((!record.made.is_empty()).then_some(partition.0))
    .bind(created_json(record.created))
    .bind(record.created_us)
    .fetch_optional(&mut *to)
    .await
    .map_err(unavailable)?;
    let Some(id) = id else { return Ok(()) };
    let made = Vec::from_iter(&record.made);
    let head = "INSERT INTO request_items (partition_id, memory_id, record_id) ";
    insert_missing(to, head, &made, &|values, memory| {
        values.push_bind(partition.0).push_bind(memory.0).push_bind(id);
    })
    .await
}

/// Deletes the items of memories whose record is gone.
async fn delete_items(on: &mut Connection, partition: PartitionId, made: &[Uuid]) -> Result<(), StoreError> {
    for some in made.chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("DELETE FROM request_items WHERE partition_id = ");
        statement.push_bind(partition.0).push(" AND memory_id IN (");
        push_ids(&mut statement, some.iter().copied());
        statement
            .push(" AND NOT EXISTS (SELECT 1 FROM request_records r WHERE r.id = request_items.record_id)");
        statement.build().execute(&mut *on).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Deletes at most `limit` records from before a moment with their items; returns their number.
pub(super) async fn forget_old_records(
    on: &mut Connection,
    before_us: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    let records: Vec<(Option<i64>, String)> = sqlx::query_as(
        "DELETE FROM request_records WHERE id IN
             (SELECT id FROM request_records WHERE created_us < $1 ORDER BY created_us LIMIT $2)
         RETURNING partition_id, made",
    )
    .bind(before_us)
    .bind(i64::from(limit))
    .fetch_all(&mut *on)
    .await
    .map_err(unavailable)?;
    for (partition, made) in &records {
        if let Some(partition) = partition {
            delete_items(on, PartitionId(*partition), &memories_of(made)).await?;
        }
    }
    Ok(records.len() as u64)
}

/// Ids created by an earlier set of this owner with this key, or the refusal if the key was used for another request.
pub(super) async fn earlier_request(
    from: &mut Connection,
    digests: &KeyedDigest,
    tenant: TenantId,
    owner: &Owner,
    idempotency: &Idempotency,
) -> Result<Option<Result<CreatedIds, Refusal>>, StoreError> {
    let wanted = RecordDigests::of_request(digests, tenant, Some(owner), idempotency);
    let row: Option<(Vec<u8>, String)> =
        sqlx::query_as("SELECT request, made FROM request_records WHERE place = $1")
            .bind(&wanted.place[..])
            .fetch_optional(&mut *from)
            .await
            .map_err(unavailable)?;
    let Some((request, made)) = row else {
        let unnamed = RecordDigests::unnamed_request(digests, tenant, idempotency);
        return Ok(made_by_request(from, unnamed).await?.map(Ok));
    };
    if request != wanted.request {
        return Ok(Some(Err(Refusal::IdempotencyKeyReused)));
    }
    read_created(&made).map(|created| Some(Ok(created)))
}

/// Ids created by an earlier execution of the same request with this key, for any owner.
pub(super) async fn same_request(
    from: &mut Connection,
    digests: &KeyedDigest,
    tenant: TenantId,
    idempotency: &Idempotency,
) -> Result<Option<CreatedIds>, StoreError> {
    let request = RecordDigests::of_request(digests, tenant, None, idempotency).request;
    if let Some(created) = made_by_request(from, request).await? {
        return Ok(Some(created));
    }
    made_by_request(from, RecordDigests::unnamed_request(digests, tenant, idempotency)).await
}

async fn made_by_request(from: &mut Connection, request: [u8; 32]) -> Result<Option<CreatedIds>, StoreError> {
    let made: Option<String> = sqlx::query_scalar(
        "SELECT made FROM request_records WHERE request = $1 ORDER BY created_us DESC LIMIT 1",
    )
    .bind(&request[..])
    .fetch_optional(from)
    .await
    .map_err(unavailable)?;
    made.map(|made| read_created(&made)).transpose()
}

/// Memories that a deleted record names. One that cannot be decoded must not keep anything from being erased: its items are
/// left to the check.
fn memories_of(made: &str) -> Vec<Uuid> {
    created_from_json(made).into_iter().flat_map(|created| created.memories).map(|id| id.0).collect()
}

fn read_created(json: &str) -> Result<CreatedIds, StoreError> {
    created_from_json(json).ok_or_else(|| StoreError::Corrupt {
        table: "request_records",
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
