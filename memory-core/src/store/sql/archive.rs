//! Reads of exports and imports.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::readable::{readable, readable_tuples};
use super::restored_ids::RestoredIds;
use super::rows::Reader;
use super::stored_derivations::Undecodable;
use super::{Db, SqlStore, StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::derivation::Derivation;
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::store::{Archive, ArchivedParts, Memories as _};

#[async_trait]
impl Archive for SqlStore {
    async fn parts(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<ArchivedParts, StoreError> {
        let mut parts = ArchivedParts::default();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT id, own_key FROM memories WHERE own_key IS NOT NULL AND partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            let keys = readable(&rows, |row| {
                let at = Reader { row, table: "memories" };
                Ok((MemoryId(at.get(0, "id")?), at.name(1, "own_key")?))
            })?;
            parts.keys.extend(keys.into_iter().filter_map(|(id, key)| Some((id, key?))));
            let mut statement =
                QueryBuilder::<Db>::new("SELECT memory_id FROM thinking_queue WHERE partition_id = ");
            // A turn that waits for the end of its day alone was thought about: an import queues every turn for its day.
            statement.push_bind(partition.0).push(" AND mechanism NOT LIKE 'digests%' AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            let pending = readable_tuples(&rows, "thinking_queue")?;
            parts.pending.extend(pending.into_iter().map(|(id,): (Uuid,)| MemoryId(id)));
        }
        Ok(parts)
    }

    async fn derivations_by_id(
        &self,
        partition: PartitionId,
        ids: &[DerivationId],
    ) -> Result<Vec<Derivation>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT id, maker, model, prompt, job_id, made_us FROM derivations WHERE partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            let records = Undecodable::Refused.tuples(&rows, "derivations")?;
            found.extend(self.with_inputs(records, Undecodable::Refused).await?);
        }
        Ok(found)
    }

    async fn restored(&self, set: &ChangeSet) -> Result<BTreeSet<usize>, StoreError> {
        let Some(partition) = self.partition_of(set.tenant, &set.owner).await? else {
            return Ok(BTreeSet::new());
        };
        let mut connection = self.readers.acquire().await.map_err(unavailable)?;
        let ids = RestoredIds::read(&mut connection, partition, set).await?;
        let there = set.restorations.iter().enumerate();
        let there = there.filter(|(_, one)| ids.memory_there(one.present.memory.id).is_some());
        Ok(there.map(|(index, _)| index).collect())
    }
}
