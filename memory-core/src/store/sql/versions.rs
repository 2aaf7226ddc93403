//! New versions: the current version moves to the table of earlier versions, and the new one replaces it.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::dialect::encode_text;
use super::rows::{metadata_json, minutes, names_json, uses_bytes};
use super::stored_annotation::annotation_json;
use super::stored_statement::statement_json;
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{ChangeSet, IndexRow, NewMemory, Refusal, Revision};
use crate::domain::group::GroupKey;
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::domain::memory::{DocumentName, Memory};
use crate::domain::time::Timestamp;

/// Input of a memory's next version. The rows are borrowed from the change set.
pub(super) struct NextVersion<'m, 'a> {
    pub(super) memory: &'m Memory,
    rows: Option<&'a [IndexRow]>,
    groups: Option<&'a [GroupKey]>,
    keeps_links: bool,
    keeps_strength: bool,
    derivation: Option<DerivationId>,
}

/// Document that a new one of its name replaces.
pub(super) struct PresentDocument {
    pub(super) id: MemoryId,
    pub(super) version: u32,
    /// Time of its first version.
    pub(super) created_at: Timestamp,
    pub(super) pinned: bool,
    /// Measured when the document was new: later versions resemble their earlier ones.
    pub(super) nearest_cosine: Option<f32>,
}

impl<'m, 'a> NextVersion<'m, 'a> {
    /// Version made by a revision, which holds the memory as it is to be written.
    pub(super) fn of_revision(memory: &'m Memory, revision: &'a Revision) -> Self {
        let own = revision.derivation.as_ref().map(|derivation| derivation.id);
        Self {
            memory,
            rows: revision.rows.as_deref(),
            groups: revision.groups.as_deref(),
            keeps_links: revision.keeps_links,
            keeps_strength: true,
            derivation: own.or(revision.memory.derivation),
        }
    }

    /// Version of a document that replaces the document of its name.
    pub(super) fn of_document(memory: &'m Memory, new: &'a NewMemory) -> Self {
        Self {
            memory,
            rows: Some(&new.rows),
            groups: Some(&new.groups),
            keeps_links: false,
            keeps_strength: false,
            derivation: memory.derivation,
        }
    }
}

impl<'a> WriteTransaction<'_, 'a> {
    /// Checks that every revision is based on the current version, in the store or made earlier by the set; returns the
    /// refusal otherwise. Documents are replaced before all revisions, and revisions are applied in order.
    pub(super) async fn check_revisions(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        let mut made: HashMap<MemoryId, u32> = HashMap::new();
        for Revision { memory, .. } in &set.revisions {
            let id = memory.id;
            let present = match made.get(&id) {
                Some(version) => *version,
                None => match self.present_version(partition, id).await? {
                    Some(version) => version.saturating_add(replacements(set, memory)),
                    None if is_added(set, id) => 1,
                    None => return Ok(Some(Refusal::NotFound(id.0))),
                },
            };
            let expected = memory.version.saturating_sub(1);
            if present != expected {
                return Ok(Some(Refusal::VersionConflict { id, expected, present }));
            }
            made.insert(id, memory.version);
        }
        Ok(None)
    }

    async fn present_version(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Option<u32>, StoreError> {
        let version: Option<i64> =
            sqlx::query_scalar("SELECT version FROM memories WHERE partition_id = $1 AND id = $2")
                .bind(partition.0)
                .bind(id.0)
                .fetch_optional(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        Ok(version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)))
    }

    /// Document of that name.
    #[expect(clippy::cast_possible_truncation, reason = "the cosine was an f32 when it was written")]
    pub(super) async fn document(
        &mut self,
        partition: PartitionId,
        name: &DocumentName,
    ) -> Result<Option<PresentDocument>, StoreError> {
        self.flush().await?;
        let row: Option<(Uuid, i64, i64, bool, Option<f64>)> = sqlx::query_as(
            "SELECT id, version, created_us, pinned, nearest_cosine FROM memories
             WHERE partition_id = $1 AND namespace = $2 AND key = $3",
        )
        .bind(partition.0)
        .bind(name.namespace.as_str())
        .bind(name.key.as_str())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(row.map(|(id, version, created_us, pinned, nearest_cosine)| PresentDocument {
            id: MemoryId(id),
            version: u32::try_from(version).unwrap_or(u32::MAX),
            created_at: Timestamp::from_micros(created_us),
            pinned,
            nearest_cosine: nearest_cosine.map(|cosine| cosine as f32),
        }))
    }

    /// Checks that a version without a derivation record of its own names none, or that of another version of its
    /// memory; returns the refusal otherwise. Two memories with one record could not be erased separately.
    pub(super) async fn check_derivations(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        let mut made: HashSet<(MemoryId, DerivationId)> = HashSet::new();
        for Revision { memory, derivation, .. } in &set.revisions {
            if let Some(derivation) = derivation {
                made.insert((memory.id, derivation.id));
                continue;
            }
            let Some(id) = memory.derivation else { continue };
            if !made.contains(&(memory.id, id)) && !self.has_derivation(partition, memory.id, id).await? {
                return Ok(Some(Refusal::NotFound(id.0)));
            }
        }
        Ok(None)
    }

    async fn has_derivation(
        &mut self,
        partition: PartitionId,
        memory: MemoryId,
        derivation: DerivationId,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT version FROM memories WHERE partition_id = $1 AND id = $2 AND derivation_id = $3
             UNION ALL
             SELECT version FROM memory_versions WHERE partition_id = $1 AND id = $2 AND derivation_id = $3",
        )
        .bind(partition.0)
        .bind(memory.0)
        .bind(derivation.0)
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(found.is_some())
    }

    /// Makes it the current version. Its text is written only if its rows are new, and its links unless it inherits
    /// those of the previous version.
    pub(super) async fn revise(
        &mut self,
        partition: PartitionId,
        next: NextVersion<'_, 'a>,
    ) -> Result<(), StoreError> {
        let NextVersion { memory, rows, groups, keeps_links, .. } = next;
        self.flush().await?;
        self.keep_present_version(partition, memory.id).await?;
        self.update(partition, &next).await?;
        if !keeps_links {
            self.put_links(partition, memory).await?;
        }
        if let Some(rows) = rows {
            self.delete_rows(partition, memory.id).await?;
            self.inserts.rows(partition, memory.id, rows);
        }
        if let Some(groups) = groups {
            self.delete_groups(partition, memory.id).await?;
            self.inserts.groups(partition, memory.id, groups);
        }
        Ok(())
    }

    async fn keep_present_version(&mut self, partition: PartitionId, id: MemoryId) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO memory_versions (partition_id, id, version, text, tokens, visibility, subjects, tags,
                 metadata, derivation_id, happened_us, happened_until_us, recorded_us, valid_from_us, valid_to_us,
                 expires_us, importance, links, statement, audience, utc_offset_minutes, annotation)
             SELECT partition_id, id, version, text, tokens, visibility, subjects, tags, metadata, derivation_id,
                 happened_us, happened_until_us, recorded_us, valid_from_us, valid_to_us, expires_us, importance,
                 links, statement, audience, utc_offset_minutes, annotation
             FROM memories WHERE partition_id = $1 AND id = $2",
        )
        .bind(partition.0)
        .bind(id.0)
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }

    async fn update(&mut self, partition: PartitionId, next: &NextVersion<'_, '_>) -> Result<(), StoreError> {
        let memory = next.memory;
        sqlx::query(
            "UPDATE memories SET version = $3, text = COALESCE($4, text), tokens = $5, visibility = $6,
                 subjects = $7, tags = $8, metadata = $9, happened_us = $10, happened_until_us = $11,
                 recorded_us = $12, valid_from_us = $13, valid_to_us = $14, expires_us = $15, importance = $16,
                 kind = $17, agent_id = $18, app_id = $19, run_id = $20, strength = COALESCE($21, strength),
                 refreshed_us = COALESCE($22, CASE WHEN refreshed_us = happened_us THEN $10 ELSE refreshed_us END),
                 derivation_id = $23, statement = $24, audience = $25, utc_offset_minutes = $26,
                 annotation = $27, uses = CASE WHEN $28 THEN uses ELSE $29 END
             WHERE partition_id = $1 AND id = $2",
        )
        .bind(partition.0)
        .bind(memory.id.0)
        .bind(i64::from(memory.version))
        .bind(next.rows.is_some().then(|| encode_text(&memory.text)))
        .bind(i64::from(memory.tokens))
        .bind(memory.visibility.as_str())
        .bind(names_json(&memory.subjects))
        .bind(names_json(&memory.tags))
        .bind(metadata_json(&memory.metadata))
        .bind(memory.happened.at.as_micros())
        .bind(memory.happened.until.map(Timestamp::as_micros))
        .bind(memory.recorded_at.as_micros())
        .bind(memory.valid.start.map(Timestamp::as_micros))
        .bind(memory.valid.end.map(Timestamp::as_micros))
        .bind(memory.expires_at.map(Timestamp::as_micros))
        .bind(memory.strength.importance)
        .bind(memory.kind.as_str())
        .bind(memory.agent.as_ref().map(|name| name.as_str()))
        .bind(memory.app.as_ref().map(|name| name.as_str()))
        .bind(memory.run.as_ref().map(|name| name.as_str()))
        .bind((!next.keeps_strength).then(|| f64::from(memory.strength.strength)))
        .bind((!next.keeps_strength).then(|| memory.strength.learned_at.as_micros()))
        .bind(next.derivation.map(|id| id.0))
        .bind(statement_json(memory.statement.as_ref()))
        .bind(names_json(&memory.audience))
        .bind(minutes(memory.happened.offset))
        .bind(annotation_json(memory.annotation.as_ref()))
        .bind(next.keeps_strength)
        .bind(uses_bytes(&memory.strength.uses))
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }

    pub(super) async fn delete_rows(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<(), StoreError> {
        // The recipe's number comes second in the key: without it, the whole partition would be read.
        sqlx::query(
            "DELETE FROM index_rows
             WHERE partition_id = $1 AND embedder_id IN (SELECT id FROM row_recipes) AND memory_id = $2",
        )
        .bind(partition.0)
        .bind(id.0)
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}

/// True if the set adds the memory in its first version, as a new one that no key can recognise.
fn is_added(set: &ChangeSet, id: MemoryId) -> bool {
    let is_it = |new: &NewMemory| {
        new.memory.id == id && new.memory.version == 1 && new.key.is_none() && new.memory.document.is_none()
    };
    set.memories.iter().any(is_it)
}

/// Number of versions that the set makes of a document by its name.
fn replacements(set: &ChangeSet, memory: &Memory) -> u32 {
    let Some(name) = &memory.document else { return 0 };
    let replacing = set.memories.iter().filter(|new| new.memory.document.as_ref() == Some(name));
    u32::try_from(replacing.count()).unwrap_or(u32::MAX)
}
