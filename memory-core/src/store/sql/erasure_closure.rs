//! Closure of an erasure: what is derived from the memories to be erased, level by level. A preview and the erasure itself
//! read it with the same statements, so that the one announces what the other does.

use std::collections::{BTreeSet, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::Retraction;
use crate::domain::id::{DerivationId, MemoryId, PartitionId};

/// Closure as `Erasures::erasure_closure` defines it, in the state that the connection sees.
pub(super) async fn closure(
    connection: &mut Connection,
    partition: PartitionId,
    roots: &[MemoryId],
    without: &[Retraction],
    limit: usize,
) -> Result<Option<Vec<MemoryId>>, StoreError> {
    let without: HashSet<DerivationId> = without.iter().map(|retraction| retraction.derivation).collect();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let mut level: Vec<MemoryId> = roots.iter().copied().filter(|id| seen.insert(*id)).collect();
    while !level.is_empty() {
        let mut next = BTreeSet::new();
        for some in level.chunks(IDS_PER_STATEMENT / 2) {
            let found = with_turns(connection, partition, some).await?;
            let present: HashSet<Uuid> = found.iter().map(|(id, _)| *id).collect();
            all.extend(some.iter().copied().filter(|id| present.contains(&id.0)));
            if all.len() > limit {
                return Ok(None);
            }
            let sources = found.into_iter().flat_map(|(id, turn)| [Some(id), turn]).flatten();
            for (derivation, made) in made_from(connection, partition, sources).await? {
                if !without.contains(&derivation) {
                    next.insert(made);
                }
            }
        }
        level = next.into_iter().filter(|id| seen.insert(*id)).collect();
    }
    Ok(Some(all))
}

/// Existing memories among `ids`, with their turns.
async fn with_turns(
    connection: &mut Connection,
    partition: PartitionId,
    ids: &[MemoryId],
) -> Result<Vec<(Uuid, Option<Uuid>)>, StoreError> {
    let mut statement = QueryBuilder::<Db>::new("SELECT id, turn_id FROM memories WHERE partition_id = ");
    statement.push_bind(partition.0).push(" AND id IN (");
    push_ids(&mut statement, ids.iter().map(|id| id.0));
    statement.build_query_as().fetch_all(connection).await.map_err(unavailable)
}

/// Memories with a version derived from one of these sources, with the derivation.
async fn made_from(
    connection: &mut Connection,
    partition: PartitionId,
    sources: impl Iterator<Item = Uuid>,
) -> Result<Vec<(DerivationId, MemoryId)>, StoreError> {
    let sources: Vec<Uuid> = sources.collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = QueryBuilder::<Db>::new(
        "SELECT i.derivation_id, m.id FROM derivation_inputs i
         JOIN memories m ON m.derivation_id = i.derivation_id WHERE i.partition_id = ",
    );
    statement.push_bind(partition.0).push(" AND i.source_id IN (");
    push_ids(&mut statement, sources.iter().copied());
    statement.push(
        " UNION SELECT i.derivation_id, v.id FROM derivation_inputs i
         JOIN memory_versions v ON v.partition_id = i.partition_id AND v.derivation_id = i.derivation_id
         WHERE i.partition_id = ",
    );
    statement.push_bind(partition.0).push(" AND i.source_id IN (");
    push_ids(&mut statement, sources.into_iter());
    let rows: Vec<(Uuid, Uuid)> =
        statement.build_query_as().fetch_all(connection).await.map_err(unavailable)?;
    Ok(rows.into_iter().map(|(derivation, made)| (DerivationId(derivation), MemoryId(made))).collect())
}
