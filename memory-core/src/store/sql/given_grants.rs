//! Giving of a grant: its checks, the room for it, and its rows, in one transaction.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{self, IDS_PER_STATEMENT, push_ids};
use super::counters::lock_partition;
use super::dialect::encode_text;
use super::grant_events::{self, NewEvent};
use super::idempotency::RecordDigests;
use super::stored_grants::read_grant;
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::grant::{Grant, GrantEvent, GrantEventKind, Selection};
use crate::domain::id::{GrantId, MemoryId, PartitionId, TenantId};
use crate::domain::time::Timestamp;
use crate::store::{Given, GrantBounds, GrantRefusal, NewGrant};

/// Value of `open_until_us` of a grant without an end.
const ENDLESS_US: i64 = i64::MAX;
/// The oldest grant of a giver that has ended.
const ENDED_GRANT: &str =
    "SELECT id FROM grants WHERE partition_id = $1 AND open_until_us <= $2 ORDER BY id LIMIT 1";

/// Gives a grant in a transaction, after all checks.
pub(super) async fn give(
    connection: &mut Connection,
    (tenant, partition): (TenantId, PartitionId),
    new: &NewGrant,
    digests: Option<&RecordDigests>,
    bounds: GrantBounds,
) -> Result<Given, StoreError> {
    let grant = &new.grant;
    // The giver may have been erased since it was looked up.
    lock_partition(&mut *connection, partition).await?;
    let is_there: Option<i64> =
        sqlx::query_scalar("SELECT id FROM partitions WHERE id = $1 AND tenant_id = $2")
            .bind(partition.0)
            .bind(tenant.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(unavailable)?;
    if is_there.is_none() {
        return Ok(Given::Refused(GrantRefusal::NoGiver));
    }
    if let Some(digests) = digests {
        let earlier: Option<(Uuid, Vec<u8>)> =
            sqlx::query_as("SELECT id, request FROM grants WHERE place = $1")
                .bind(&digests.place[..])
                .fetch_optional(&mut *connection)
                .await
                .map_err(unavailable)?;
        if let Some((id, request)) = earlier {
            if request != digests.request {
                return Ok(Given::Refused(GrantRefusal::KeyReused));
            }
            let earlier = read_grant(connection, tenant, GrantId(id)).await?;
            return Ok(earlier.map_or(Given::Refused(GrantRefusal::NoGiver), Given::Repeated));
        }
    }
    // After the key: a repetition gets the first answer, however late it is.
    if !grant.is_open(grant.given_at) {
        return Ok(Given::Refused(GrantRefusal::Over));
    }
    if let Selection::Memories(ids) = &grant.selection
        && let Some(missing) = missing(connection, partition, ids).await?
    {
        return Ok(Given::Refused(GrantRefusal::NoMemory(missing)));
    }
    if let Some(refusal) = make_room(connection, (tenant, partition), grant, bounds).await? {
        return Ok(Given::Refused(refusal));
    }
    insert(connection, (tenant, partition), grant, digests).await?;
    let event = GrantEvent {
        id: new.event,
        at: grant.given_at,
        kind: GrantEventKind::Given,
        caller: grant.given_by,
        recall: None,
        memories: 0,
    };
    grant_events::insert(connection, &NewEvent { partition, grant: grant.id, event }).await?;
    Ok(Given::New(grant.clone()))
}

/// The first of these memories that is not in the partition.
async fn missing(
    connection: &mut Connection,
    partition: PartitionId,
    ids: &[MemoryId],
) -> Result<Option<MemoryId>, StoreError> {
    for some in ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT id FROM memories WHERE partition_id = ");
        statement.push_bind(partition.0).push(" AND id IN (");
        push_ids(&mut statement, some.iter().map(|id| id.0));
        let there: Vec<Uuid> =
            statement.build_query_scalar().fetch_all(&mut *connection).await.map_err(unavailable)?;
        let there: BTreeSet<Uuid> = there.into_iter().collect();
        if let Some(missing) = some.iter().find(|id| !there.contains(&id.0)) {
            return Ok(Some(*missing));
        }
    }
    Ok(None)
}

/// Deletes the oldest ended grant of the giver if it has no room for another; the refusal, if all are open.
async fn make_room(
    connection: &mut Connection,
    (tenant, partition): (TenantId, PartitionId),
    grant: &Grant,
    bounds: GrantBounds,
) -> Result<Option<GrantRefusal>, StoreError> {
    let now = grant.given_at.as_micros();
    let to_grantee: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM grants WHERE tenant_id = $1 AND grantee_kind = $2 AND grantee_name = $3
             AND open_until_us > $4",
    )
    .bind(tenant.0)
    .bind(grant.grantee.kind.as_str())
    .bind(grant.grantee.id.as_str())
    .bind(now)
    .fetch_one(&mut *connection)
    .await
    .map_err(unavailable)?;
    if to_grantee >= i64::from(bounds.per_grantee) {
        return Ok(Some(GrantRefusal::GranteeFull));
    }
    let of_giver: i64 = sqlx::query_scalar("SELECT count(*) FROM grants WHERE partition_id = $1")
        .bind(partition.0)
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    if of_giver < i64::from(bounds.per_giver) {
        return Ok(None);
    }
    let ended: Option<Uuid> = sqlx::query_scalar(ENDED_GRANT)
        .bind(partition.0)
        .bind(now)
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
    let Some(ended) = ended else { return Ok(Some(GrantRefusal::GiverFull)) };
    for statement in [
        "DELETE FROM grant_memories WHERE partition_id = $1 AND grant_id = $2",
        "DELETE FROM grant_events WHERE partition_id = $1 AND grant_id = $2",
        "DELETE FROM grants WHERE partition_id = $1 AND id = $2",
    ] {
        sqlx::query(statement)
            .bind(partition.0)
            .bind(ended)
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
    }
    Ok(None)
}

async fn insert(
    connection: &mut Connection,
    (tenant, partition): (TenantId, PartitionId),
    grant: &Grant,
    digests: Option<&RecordDigests>,
) -> Result<(), StoreError> {
    let (tag, filter) = match &grant.selection {
        Selection::Memories(_) => (None, None),
        Selection::Tag(tag) => (Some(tag.as_str().to_owned()), None),
        Selection::Filter(filter) => (None, Some(encode_text(&filter.to_json().to_string()).into_owned())),
    };
    sqlx::query(
        "INSERT INTO grants (id, tenant_id, partition_id, grantee_kind, grantee_name, tag, filter, given_us,
             given_by_id, expires_us, open_until_us, place, request)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(grant.id.0)
    .bind(tenant.0)
    .bind(partition.0)
    .bind(grant.grantee.kind.as_str())
    .bind(grant.grantee.id.as_str())
    .bind(tag)
    .bind(filter)
    .bind(grant.given_at.as_micros())
    .bind(grant.given_by.0)
    .bind(grant.expires_at.map(Timestamp::as_micros))
    .bind(grant.expires_at.map_or(ENDLESS_US, Timestamp::as_micros))
    .bind(digests.map(|digests| digests.place.to_vec()))
    .bind(digests.map(|digests| digests.request.to_vec()))
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    let Selection::Memories(ids) = &grant.selection else { return Ok(()) };
    let head = "INSERT INTO grant_memories (partition_id, grant_id, memory_id) ";
    bulk::insert(connection, head, ids, &|values, memory| {
        values.push_bind(partition.0).push_bind(grant.id.0).push_bind(memory.0);
    })
    .await
}
