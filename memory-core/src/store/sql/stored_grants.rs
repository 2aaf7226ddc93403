//! Grants as they are stored, decoded: the row, and the ids of the memories that it names.

use std::collections::HashMap;

use uuid::Uuid;

use super::dialect::decode_text;
use super::readable::{readable, readable_tuples};
use super::rows::Reader;
use super::{Connection, Row, StoreError, unavailable};
use crate::domain::filter::Filter;
use crate::domain::grant::{Grant, Revocation, Selection};
use crate::domain::id::{CallerId, GrantId, MemoryId, PartitionId, TenantId};
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;

/// Columns of a grant, its giver behind them, and the tables that they come from.
macro_rules! grant_columns {
    () => {
        "SELECT g.id, g.partition_id, g.grantee_kind, g.grantee_name, g.tag, g.filter, g.given_us, g.given_by_id,
             g.expires_us, g.revoked_us, g.revoked_by_id, p.owner_kind, p.owner_id
         FROM grants g JOIN partitions p ON p.id = g.partition_id AND p.tenant_id = g.tenant_id "
    };
}
pub(super) use grant_columns;

const GRANT_BY_ID: &str = concat!(grant_columns!(), "WHERE g.id = $1 AND g.tenant_id = $2");

/// Grant by its id, in a transaction or on a reader.
pub(super) async fn read_grant(
    connection: &mut Connection,
    tenant: TenantId,
    id: GrantId,
) -> Result<Option<Grant>, StoreError> {
    let rows = sqlx::query(GRANT_BY_ID)
        .bind(id.0)
        .bind(tenant.0)
        .fetch_all(&mut *connection)
        .await
        .map_err(unavailable)?;
    Ok(decode(connection, &rows).await?.pop())
}

/// The grants that can be decoded, with the ids of their memories.
pub(super) async fn decode(connection: &mut Connection, rows: &[Row]) -> Result<Vec<Grant>, StoreError> {
    let partitions = partitions(rows)?;
    let mut grants = readable(rows, grant)?;
    for grant in &mut grants {
        if let (Selection::Memories(ids), Some(partition)) = (&mut grant.selection, partitions.get(&grant.id))
        {
            let rows = sqlx::query(
                "SELECT memory_id FROM grant_memories WHERE partition_id = $1 AND grant_id = $2 ORDER BY memory_id",
            )
            .bind(partition.0)
            .bind(grant.id.0)
            .fetch_all(&mut *connection)
            .await
            .map_err(unavailable)?;
            let named: Vec<(Uuid,)> = readable_tuples(&rows, "grant_memories")?;
            *ids = named.into_iter().map(|(id,)| MemoryId(id)).collect();
        }
    }
    Ok(grants)
}

/// Partitions of the givers of rows with the columns of [`grant_columns!`].
pub(super) fn partitions(rows: &[Row]) -> Result<HashMap<GrantId, PartitionId>, StoreError> {
    let partitions = readable(rows, |row| {
        let at = Reader { row, table: "grants" };
        Ok((GrantId(at.get(0, "id")?), PartitionId(at.get(1, "partition_id")?)))
    })?;
    Ok(partitions.into_iter().collect())
}

/// Grant of a row with the columns of [`grant_columns!`], without the ids of its memories.
fn grant(row: &Row) -> Result<Grant, StoreError> {
    let at = Reader { row, table: "grants" };
    let time = |index: usize, column: &'static str| -> Result<Option<Timestamp>, StoreError> {
        Ok(at.get::<Option<i64>>(index, column)?.map(Timestamp::from_micros))
    };
    let revoked_by: Option<Uuid> = at.get(10, "revoked_by_id")?;
    let revoked = time(9, "revoked_us")?;
    Ok(Grant {
        id: GrantId(at.get(0, "id")?),
        grantee: Owner {
            kind: at.parsed(2, "grantee_kind", OwnerKind::parse)?,
            id: at.required_name(3, "grantee_name")?,
        },
        selection: selection(&at, at.name(4, "tag")?, at.get(5, "filter")?)?,
        given_at: at.time(6, "given_us")?,
        given_by: CallerId(at.get(7, "given_by_id")?),
        expires_at: time(8, "expires_us")?,
        revoked: revoked
            .map(|when| Revocation { at: when, by: revoked_by.map_or(CallerId::ANYONE, CallerId) }),
        giver: Owner {
            kind: at.parsed(11, "owner_kind", OwnerKind::parse)?,
            id: at.required_name(12, "owner_id")?,
        },
    })
}

/// Selection of a row; a filter that cannot be decoded is an error, so that it opens nothing.
pub(super) fn selection(
    at: &Reader<'_>,
    tag: Option<Name>,
    filter: Option<String>,
) -> Result<Selection, StoreError> {
    if let Some(filter) = filter {
        let json = serde_json::from_str(&decode_text(filter)).ok();
        let filter = json.and_then(|json| Filter::from_json(&json));
        return filter.map(Selection::Filter).ok_or_else(|| at.corrupt("filter", "is no filter"));
    }
    Ok(tag.map_or_else(|| Selection::Memories(Vec::new()), Selection::Tag))
}
