//! Idempotency records of earlier stores, keyed in place: they held a plain hash of the request, from which a short text
//! can be guessed (ADR 0030). A step at the opening of a store, since SQL has no keyed hash.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::idempotency::{Record, RecordDigests, created_from_json, insert_record};
use super::{Connection, Db, StoreError, dialect, unavailable};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::keyed_digest::KeyedDigest;

/// Number of records per transaction.
const RECORDS_PER_STEP: i64 = 512;

/// Record of an earlier store: tenant, key, operation, caller, kind and id of the owner, hash, ids, time.
type Earlier = (Uuid, String, String, Uuid, String, String, Vec<u8>, String, i64);

/// Keys all records of earlier stores; returns true if there were any. A record is dropped if anything that its request
/// made has been erased since, or if it cannot be decoded.
pub(super) async fn key_earlier_records(
    writer: &sqlx::Pool<Db>,
    digests: &KeyedDigest,
) -> Result<bool, StoreError> {
    let mut had_any = false;
    loop {
        let mut transaction = writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let records: Vec<Earlier> = sqlx::query_as(
            "SELECT tenant_id, key, operation, caller_id, owner_kind, owner_id, request_hash, made, created_us
             FROM keyed_requests LIMIT $1",
        )
        .bind(RECORDS_PER_STEP)
        .fetch_all(&mut *transaction)
        .await
        .map_err(unavailable)?;
        for record in &records {
            key_one(&mut transaction, digests, record).await?;
        }
        transaction.commit().await.map_err(unavailable)?;
        if records.is_empty() {
            return Ok(had_any);
        }
        had_any = true;
    }
}

async fn key_one(
    on: &mut Connection,
    digests: &KeyedDigest,
    (tenant, key, operation, caller, owner_kind, owner_id, hash, made, created_us): &Earlier,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM keyed_requests WHERE tenant_id = $1 AND key = $2 AND operation = $3 AND caller_id = $4
             AND owner_kind = $5 AND owner_id = $6",
    )
    .bind(tenant)
    .bind(key)
    .bind(operation)
    .bind(caller)
    .bind(owner_kind)
    .bind(owner_id)
    .execute(&mut *on)
    .await
    .map_err(unavailable)?;
    let Some(created) = created_from_json(made) else { return Ok(()) };
    let wanted: BTreeSet<MemoryId> =
        created.memories.iter().filter(|id| !created.erased.contains(id)).copied().collect();
    let (partition, present) = present(on, &wanted).await?;
    if present < wanted.len() {
        return Ok(());
    }
    let caller: &[u8] = if operation.is_empty() { &[] } else { caller.as_bytes() };
    let digests = RecordDigests::of(
        digests,
        (*tenant, operation.as_str(), caller),
        (owner_kind.as_str(), owner_id.as_str()),
        (key.as_str(), hash.as_slice()),
    );
    let record = Record { digests, created: &created, made: wanted, created_us: *created_us };
    insert_record(on, partition, &record).await
}

/// Partition of the memories, which is one for all of a request, and the number of those that are there.
async fn present(
    on: &mut Connection,
    wanted: &BTreeSet<MemoryId>,
) -> Result<(PartitionId, usize), StoreError> {
    let (mut partition, mut present) = (PartitionId(0), 0);
    for some in Vec::from_iter(wanted).chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT partition_id FROM memories WHERE id IN (");
        push_ids(&mut statement, some.iter().map(|id| id.0));
        let found: Vec<i64> =
            statement.build_query_scalar().fetch_all(&mut *on).await.map_err(unavailable)?;
        present += found.len();
        partition = found.last().map_or(partition, |id| PartitionId(*id));
    }
    Ok((partition, present))
}
