//! Audit log of grants: who gave and revoked, and the reads through each, of which the newest are kept.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::readable::readable;
use super::rows::Reader;
use super::{Connection, Db, Row, StoreError, unavailable};
use crate::domain::grant::{GrantEvent, GrantEventKind};
use crate::domain::id::{CallerId, GrantEventId, GrantId, PartitionId, RecallId};
use crate::store::GrantUse;

/// Entry as it is written.
pub(super) struct NewEvent {
    pub(super) partition: PartitionId,
    pub(super) grant: GrantId,
    pub(super) event: GrantEvent,
}

/// Writes an entry, if its grant is there.
pub(super) async fn insert(connection: &mut Connection, new: &NewEvent) -> Result<(), StoreError> {
    let NewEvent { partition, grant, event } = new;
    let mut statement = QueryBuilder::<Db>::new(
        "INSERT INTO grant_events (partition_id, grant_id, id, at_us, kind, caller_id, recall_id, memories)
         SELECT g.partition_id, g.id, ",
    );
    statement.push_bind(event.id.0).push(", CAST(");
    statement.push_bind(event.at.as_micros()).push(" AS BIGINT), CAST(");
    statement.push_bind(event.kind.as_str()).push(" AS TEXT), ");
    statement.push_bind(event.caller.0).push(", ");
    statement.push_bind(event.recall.map(|recall| recall.0)).push(", CAST(");
    statement.push_bind(i64::from(event.memories)).push(" AS BIGINT) FROM grants g WHERE g.id = ");
    statement.push_bind(grant.0).push(" AND g.partition_id = ").push_bind(partition.0);
    statement.build().execute(connection).await.map_err(unavailable)?;
    Ok(())
}

/// Writes the entries of reads, and deletes the oldest reads over `keep_per_grant`.
pub(super) async fn record(
    connection: &mut Connection,
    uses: &[GrantUse],
    keep_per_grant: u32,
) -> Result<(), StoreError> {
    for used in uses {
        let event = GrantEvent {
            id: used.event,
            at: used.at,
            kind: GrantEventKind::Used,
            caller: used.caller,
            recall: Some(used.recall),
            memories: used.memories,
        };
        insert(connection, &NewEvent { partition: used.partition, grant: used.grant, event }).await?;
    }
    let grants: BTreeSet<(PartitionId, GrantId)> =
        uses.iter().map(|used| (used.partition, used.grant)).collect();
    for (partition, grant) in grants {
        sqlx::query(
            "DELETE FROM grant_events WHERE partition_id = $1 AND grant_id = $2 AND kind = 'used' AND id <=
                 (SELECT id FROM grant_events WHERE partition_id = $1 AND grant_id = $2 AND kind = 'used'
                  ORDER BY id DESC LIMIT 1 OFFSET $3)",
        )
        .bind(partition.0)
        .bind(grant.0)
        .bind(i64::from(keep_per_grant))
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    }
    Ok(())
}

/// Entries of a grant before `before`, newest first. Those that cannot be decoded are left out.
pub(super) async fn read(
    connection: &mut Connection,
    (partition, grant): (PartitionId, GrantId),
    before: Option<GrantEventId>,
    limit: u32,
) -> Result<Vec<GrantEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, at_us, kind, caller_id, recall_id, memories FROM grant_events
         WHERE partition_id = $1 AND grant_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
    )
    .bind(partition.0)
    .bind(grant.0)
    .bind(before.map_or(Uuid::max(), |id| id.0))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .map_err(unavailable)?;
    readable(&rows, event)
}

/// Entry of a row with the columns that [`read`] reads.
pub(super) fn event(row: &Row) -> Result<GrantEvent, StoreError> {
    let at = Reader { row, table: "grant_events" };
    Ok(GrantEvent {
        id: GrantEventId(at.get(0, "id")?),
        at: at.time(1, "at_us")?,
        kind: at.parsed(2, "kind", GrantEventKind::parse)?,
        caller: CallerId(at.get(3, "caller_id")?),
        recall: at.get::<Option<Uuid>>(4, "recall_id")?.map(RecallId),
        memories: at.number(5, "memories")?,
    })
}
