//! Forgetting and its reversal: records beside the memories, which stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::insert_buffer::write_forgotten;
use super::readable::readable_tuples;
use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::Forgetting;
use crate::domain::forgotten::Forgotten;
use crate::domain::id::{MemoryId, PartitionId};

impl WriteTransaction<'_, '_> {
    /// Writes records of forgetting for the memories that are there, are not pinned, and have no record with the same
    /// effect; returns these with their present versions.
    pub(super) async fn forget(
        &mut self,
        partition: PartitionId,
        forgettings: &[Forgetting],
    ) -> Result<BTreeMap<MemoryId, u32>, StoreError> {
        let records: BTreeMap<MemoryId, &Forgotten> =
            forgettings.iter().map(|one| (one.memory, &one.record)).collect();
        let ids: Vec<MemoryId> = records.keys().copied().collect();
        let mut changed = BTreeMap::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT m.id, m.version, f.effect FROM memories m
                 LEFT JOIN forgotten f ON f.partition_id = m.partition_id AND f.memory_id = m.id
                 WHERE m.partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND NOT m.pinned AND m.id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            let there: Vec<(Uuid, i64, Option<String>)> = readable_tuples(&rows, "memories")?;
            let mut written = Vec::with_capacity(there.len());
            for (id, version, effect) in there {
                let id = MemoryId(id);
                let Some(record) = records.get(&id) else { continue };
                if effect.as_deref() != Some(record.effect.as_str()) {
                    written.push((partition, id, *record));
                    changed.insert(id, u32::try_from(version).unwrap_or(u32::MAX));
                }
            }
            write_forgotten(&mut *self.connection, &written).await?;
        }
        Ok(changed)
    }

    /// Removes the records of forgetting of these memories; returns those that had one, with their present versions.
    pub(super) async fn remember(
        &mut self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<BTreeMap<MemoryId, u32>, StoreError> {
        let mut removed = BTreeSet::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM forgotten WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            statement.push(" RETURNING memory_id");
            let rows: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            removed.extend(rows.into_iter().map(MemoryId));
        }
        self.versions_of(partition, &removed).await
    }
}
