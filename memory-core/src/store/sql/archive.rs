//! Reads of exports and imports.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::dialect::decode_text;
use super::readable::{all_tuples, readable, readable_tuples};
use super::restored_ids::RestoredIds;
use super::rows::Reader;
use super::{Db, SqlStore, StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId, TurnId};
use crate::domain::time::Timestamp;
use crate::store::{Archive, ArchivedParts, Memories as _};

/// Columns of a derivation: id, maker, model, prompt, job, time.
type Head = (Uuid, String, Option<String>, Option<String>, Option<Uuid>, i64);

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
            statement.push_bind(partition.0).push(" AND memory_id IN (");
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
            let heads = all_tuples(&rows, "derivations")?;
            found.extend(self.with_inputs(heads).await?);
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

impl SqlStore {
    /// Derivations with their inputs.
    async fn with_inputs(&self, heads: Vec<Head>) -> Result<Vec<Derivation>, StoreError> {
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT derivation_id, source_id, source_kind, is_evidence FROM derivation_inputs
             WHERE derivation_id IN (",
        );
        push_ids(&mut statement, heads.iter().map(|head| head.0));
        statement.push(" ORDER BY derivation_id, source_id");
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows: Vec<(Uuid, Uuid, String, bool)> = all_tuples(&rows, "derivation_inputs")?;
        let mut inputs: HashMap<Uuid, Vec<Input>> = HashMap::new();
        for (derivation, id, kind, is_evidence) in rows {
            let source = if kind == "turn" { Source::Turn(TurnId(id)) } else { Source::Memory(MemoryId(id)) };
            inputs.entry(derivation).or_default().push(Input { source, is_evidence });
        }
        let records = heads.into_iter().map(|(id, name, model, prompt, job, made_us)| Derivation {
            id: DerivationId(id),
            maker: Maker {
                name: decode_text(name),
                model: model.map(decode_text),
                prompt: prompt.map(decode_text),
            },
            job: job.map(JobId),
            inputs: inputs.remove(&id).unwrap_or_default(),
            made_at: Timestamp::from_micros(made_us),
        });
        Ok(records.collect())
    }
}
