//! Results of a job, and of sources: the versions of memories whose derivation names the job, or has the source among its
//! inputs.

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::erase::source_id;
use super::readable::{readable, readable_tuples};
use super::rows::Reader;
use super::{Db, Row, SqlStore, StoreError, unavailable};
use crate::domain::derivation::Source;
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId, TenantId, TurnId};
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::undo::{BuiltOn, MadeVersion};
use crate::store::{ChangeOp, Derivations};

#[async_trait]
impl Derivations for SqlStore {
    async fn partitions_of_job(
        &self,
        tenant: TenantId,
        job: JobId,
        limit: u32,
    ) -> Result<Vec<(PartitionId, Owner)>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT p.id, p.owner_kind, p.owner_id FROM derivations d
             JOIN partitions p ON p.id = d.partition_id
             WHERE d.job_id = $1 AND p.tenant_id = $2 ORDER BY p.id LIMIT $3",
        )
        .bind(job.0)
        .bind(tenant.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let read = |row: &Row| {
            let at = Reader { row, table: "partitions" };
            let owner = Owner {
                kind: at.parsed(1, "owner_kind", OwnerKind::parse)?,
                id: at.required_name(2, "owner_id")?,
            };
            Ok((PartitionId(at.get(0, "id")?), owner))
        };
        readable(&rows, read)
    }

    async fn made_by(
        &self,
        partition: PartitionId,
        job: JobId,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<MadeVersion>, StoreError> {
        // CROSS JOIN: SQLite must not begin with all versions. The first version with a derivation is the one that the
        // derivation made.
        let rows = sqlx::query(
            "WITH page AS (
                 SELECT d.id, d.partition_id FROM derivations d
                 WHERE d.partition_id = $1 AND d.job_id = $2 AND d.id > $3 ORDER BY d.id LIMIT $4
             )
             SELECT made.derivation_id, made.id, MIN(made.version) FROM (
                 SELECT m.derivation_id, m.id, m.version FROM page CROSS JOIN memories m
                 WHERE m.partition_id = page.partition_id AND m.derivation_id = page.id
                 UNION ALL
                 SELECT v.derivation_id, v.id, v.version FROM page CROSS JOIN memory_versions v
                 WHERE v.partition_id = page.partition_id AND v.derivation_id = page.id
             ) AS made
             GROUP BY made.derivation_id, made.id ORDER BY made.derivation_id",
        )
        .bind(partition.0)
        .bind(job.0)
        .bind(after.map_or(Uuid::nil(), |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let readable: Vec<(Uuid, Uuid, i64)> = readable_tuples(&rows, "derivations")?;
        let made = readable.into_iter().map(|(derivation, memory, version)| MadeVersion {
            derivation: DerivationId(derivation),
            memory: MemoryId(memory),
            version: version_number(version),
        });
        Ok(made.collect())
    }

    async fn built_on(
        &self,
        partition: PartitionId,
        sources: &[Source],
        limit: u32,
    ) -> Result<Vec<BuiltOn>, StoreError> {
        let mut built = Vec::new();
        for some in sources.chunks(IDS_PER_STATEMENT) {
            let ids = || some.iter().map(|source| source_id(*source));
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT i.source_kind, i.source_id, i.derivation_id, m.id FROM derivation_inputs i
                 JOIN memories m ON m.partition_id = i.partition_id AND m.derivation_id = i.derivation_id
                 WHERE i.partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND i.source_id IN (");
            push_ids(&mut statement, ids());
            statement.push(
                " UNION SELECT i.source_kind, i.source_id, i.derivation_id, v.id FROM derivation_inputs i
                 JOIN memory_versions v ON v.partition_id = i.partition_id AND v.derivation_id = i.derivation_id
                 WHERE i.partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND i.source_id IN (");
            push_ids(&mut statement, ids());
            statement.push(" LIMIT ").push_bind(i64::from(limit));
            let rows: Vec<(String, Uuid, Uuid, Uuid)> =
                statement.build_query_as().fetch_all(&self.readers).await.map_err(unavailable)?;
            built.extend(rows.into_iter().map(|(kind, source, derivation, memory)| BuiltOn {
                source: if kind == "turn" {
                    Source::Turn(TurnId(source))
                } else {
                    Source::Memory(MemoryId(source))
                },
                derivation: DerivationId(derivation),
                memory: MemoryId(memory),
            }));
        }
        Ok(built)
    }

    async fn last_change(&self, partition: PartitionId) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar(super::load::SELECT_LAST_SEQ)
            .bind(partition.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(u64::try_from(last.unwrap_or_default()).unwrap_or_default())
    }

    async fn change_numbers(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, u32, u64)>, StoreError> {
        let mut numbers = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            // The sign keeps SQLite from reading the whole log of the partition.
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT memory_id, version, MIN(seq) FROM changes WHERE +partition_id = ",
            );
            statement.push_bind(partition.0).push(" AND op = ").push_bind(ChangeOp::Put.code());
            statement.push(" AND memory_id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            statement.push(" GROUP BY memory_id, version");
            let rows: Vec<(Uuid, i64, i64)> =
                statement.build_query_as().fetch_all(&self.readers).await.map_err(unavailable)?;
            numbers.extend(rows.into_iter().map(|(id, version, seq)| {
                (MemoryId(id), version_number(version), u64::try_from(seq).unwrap_or_default())
            }));
        }
        Ok(numbers)
    }
}

fn version_number(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}
