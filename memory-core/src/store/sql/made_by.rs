//! Results of a job: the versions of memories whose derivation names the job.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::{Db, SqlStore, StoreError, unavailable};
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId};
use crate::domain::undo::MadeVersion;
use crate::store::Derivations;

#[async_trait]
impl Derivations for SqlStore {
    async fn made_by(
        &self,
        partition: PartitionId,
        job: JobId,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<MadeVersion>, StoreError> {
        // The first version with a derivation is the one that the derivation made.
        let rows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
            "SELECT made.derivation_id, made.id, MIN(made.version) FROM (
                 SELECT m.derivation_id, m.id, m.version FROM derivations d
                 JOIN memories m ON m.partition_id = d.partition_id AND m.derivation_id = d.id
                 WHERE d.partition_id = $1 AND d.job_id = $2 AND d.id > $3
                 UNION ALL
                 SELECT v.derivation_id, v.id, v.version FROM derivations d
                 JOIN memory_versions v ON v.partition_id = d.partition_id AND v.derivation_id = d.id
                 WHERE d.partition_id = $1 AND d.job_id = $2 AND d.id > $3
             ) AS made
             GROUP BY made.derivation_id, made.id ORDER BY made.derivation_id LIMIT $4",
        )
        .bind(partition.0)
        .bind(job.0)
        .bind(after.map_or(Uuid::nil(), |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let mut in_view = HashMap::new();
        for some in rows.chunks(IDS_PER_STATEMENT) {
            let derivations = some.iter().map(|(derivation, ..)| *derivation);
            for (derivation, memory) in self.memories_in_view(derivations).await? {
                in_view.entry(derivation).or_insert_with(Vec::new).push(MemoryId(memory));
            }
        }
        let made = rows.into_iter().map(|(derivation, memory, version)| MadeVersion {
            derivation: DerivationId(derivation),
            memory: MemoryId(memory),
            version: u32::try_from(version).unwrap_or(u32::MAX),
            memories_in_view: in_view.remove(&derivation).unwrap_or_default(),
        });
        Ok(made.collect())
    }
}

impl SqlStore {
    async fn memories_in_view(
        &self,
        derivations: impl ExactSizeIterator<Item = Uuid> + Send,
    ) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT derivation_id, source_id FROM derivation_inputs
             WHERE source_kind = 'memory' AND derivation_id IN (",
        );
        push_ids(&mut statement, derivations);
        statement.push(" ORDER BY derivation_id, source_id");
        statement.build_query_as().fetch_all(&self.readers).await.map_err(unavailable)
    }
}
