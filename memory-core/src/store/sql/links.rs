//! Links between memories. The list of a version is in its row, as JSON. `link_targets` is the reverse index: for each
//! memory that is linked to, the memories that have a version with a link to it, so that an erasure finds them without
//! reading all lists.
//!
//! Invariant: for every link of every version there is a row in `link_targets`, and both of its ends exist.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::insert_buffer::link_targets;
use super::stored_links::{links_from_json, links_json};
use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, NewMemory, Refusal};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::link::{Link, is_out_of_recall, is_superseded, redirect};
use crate::domain::memory::{DocumentName, Memory};
use crate::domain::time::Timestamp;
use crate::store::{ChangeOp, leave_out};

/// Selects the list of a memory's current version.
pub(super) const PRESENT_LIST: &str =
    "SELECT version, links FROM memories WHERE partition_id = $1 AND id = $2";
/// Selects the lists of its earlier versions, if any.
pub(super) const EARLIER_LISTS: &str = "SELECT version, links FROM memory_versions
     WHERE partition_id = $1 AND id = $2 AND links IS NOT NULL";
/// Writes the list of a current version.
pub(super) const PUT_PRESENT_LIST: &str =
    "UPDATE memories SET links = $4 WHERE partition_id = $1 AND id = $2 AND version = $3";
/// Removes the end of the validity of a memory.
const REOPEN_VALIDITY: &str = "UPDATE memories SET valid_to_us = NULL WHERE partition_id = $1 AND id = $2";
/// Removes the expiry of a memory.
const REOPEN_RECALL: &str = "UPDATE memories SET expires_us = NULL WHERE partition_id = $1 AND id = $2";
/// Writes the list of an earlier version.
pub(super) const PUT_EARLIER_LIST: &str =
    "UPDATE memory_versions SET links = $4 WHERE partition_id = $1 AND id = $2 AND version = $3";

/// Memories and revisions of a set that have links of their own, in the order of the set.
pub(super) fn written(set: &ChangeSet) -> impl Iterator<Item = &Memory> {
    let revised = set.revisions.iter().filter(|revision| !revision.keeps_links);
    new_memories(set).chain(revised.map(|revision| &revision.memory))
}

fn new_memories(set: &ChangeSet) -> impl Iterator<Item = &Memory> {
    let turns = set.turns.iter().flat_map(|new| &new.turns).map(|(_, new)| &new.memory);
    turns.chain(set.memories.iter().map(|new| &new.memory))
}

impl WriteTransaction<'_, '_> {
    /// Checks that all link targets of the set are in this partition or new in the set, and that no memory links to
    /// itself; returns the refusal otherwise. `None` is a partition that the set creates. Records the ids that
    /// documents keep.
    pub(super) async fn check_links(
        &mut self,
        partition: Option<PartitionId>,
        set: &ChangeSet,
    ) -> Result<Option<Refusal>, StoreError> {
        let wanted: BTreeSet<MemoryId> = written(set).flat_map(link_targets).collect();
        self.kept_ids =
            if wanted.is_empty() { HashMap::new() } else { self.kept_ids(partition, set, &wanted).await? };
        let kept = |id: MemoryId| self.kept_ids.get(&id).copied().unwrap_or(id);
        let links_to_itself = |memory: &&Memory| {
            let id = kept(memory.id);
            memory.links.iter().any(|link| kept(link.to) == id)
        };
        if let Some(memory) = written(set).find(links_to_itself) {
            return Ok(Some(Refusal::LinkToItself(kept(memory.id))));
        }
        let added = new_memories(set).map(|memory| memory.id);
        let mut present: HashSet<MemoryId> = added.filter(|id| wanted.contains(id)).collect();
        if let Some(partition) = partition {
            present.extend(self.present_among(partition, wanted).await?);
        }
        let mut links = written(set).flat_map(|memory| &memory.links);
        Ok(links.find(|link| !present.contains(&link.to)).map(|link| Refusal::NotFound(link.to.0)))
    }

    /// Maps the new id of a document to the id that it keeps: that of the document of the same name in the partition,
    /// or earlier in the set. Only documents that have links or are linked to are looked up.
    async fn kept_ids(
        &mut self,
        partition: Option<PartitionId>,
        set: &ChangeSet,
        linked: &BTreeSet<MemoryId>,
    ) -> Result<HashMap<MemoryId, MemoryId>, StoreError> {
        let mut first: HashMap<&DocumentName, MemoryId> = HashMap::new();
        let mut kept = HashMap::new();
        for NewMemory { memory, .. } in &set.memories {
            let Some(name) = &memory.document else { continue };
            let earlier = *first.entry(name).or_insert(memory.id);
            if memory.links.is_empty() && !linked.contains(&memory.id) {
                continue;
            }
            let stored = match partition {
                Some(partition) => self.document(partition, name).await?,
                None => None,
            };
            let id = stored.map_or(earlier, |there| there.id);
            if id != memory.id {
                kept.insert(memory.id, id);
            }
        }
        Ok(kept)
    }

    /// The memory as it is written: links to documents of its set have the ids that these keep.
    pub(super) fn redirected<'m>(&self, memory: &'m Memory) -> Cow<'m, Memory> {
        if memory.links.iter().all(|link| !self.kept_ids.contains_key(&link.to)) {
            return Cow::Borrowed(memory);
        }
        let mut memory = memory.clone();
        redirect(&mut memory.links, &self.kept_ids);
        Cow::Owned(memory)
    }

    async fn present_among(
        &mut self,
        partition: PartitionId,
        wanted: BTreeSet<MemoryId>,
    ) -> Result<HashSet<MemoryId>, StoreError> {
        let mut present = HashSet::new();
        for some in Vec::from_iter(wanted).chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("SELECT id FROM memories WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let found: Vec<Uuid> =
                statement.build_query_scalar().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            present.extend(found.into_iter().map(MemoryId));
        }
        Ok(present)
    }

    /// Writes the links of the current version of a memory, and adds their targets to those of its earlier versions.
    pub(super) async fn put_links(
        &mut self,
        partition: PartitionId,
        memory: &Memory,
    ) -> Result<(), StoreError> {
        let version = i64::from(memory.version);
        self.put_list(PUT_PRESENT_LIST, (partition, memory.id, version), &memory.links).await?;
        self.inserts.links(partition, memory);
        Ok(())
    }

    /// Deletes a memory that is about to be erased from `link_targets`, on both sides. The memories that link to it are
    /// added to `linking`; their lists still contain those links.
    pub(super) async fn erase_targets(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
        linking: &mut BTreeSet<MemoryId>,
    ) -> Result<(), StoreError> {
        let from: Vec<Uuid> = sqlx::query_scalar(
            "DELETE FROM link_targets WHERE partition_id = $1 AND to_id = $2 RETURNING from_id",
        )
        .bind(partition.0)
        .bind(id.0)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        linking.extend(from.into_iter().map(MemoryId));
        // The key begins with the link target: the memory's own lists give the keys of its rows.
        let mut own = BTreeSet::new();
        for statement in [PRESENT_LIST, EARLIER_LISTS] {
            let lists = match self.lists(statement, partition, id).await {
                Err(StoreError::Corrupt { .. }) => return self.erase_targets_of(partition, id).await,
                lists => lists?,
            };
            own.extend(lists.into_iter().flat_map(|(_, links)| links).map(|link| link.to));
        }
        for to in own {
            sqlx::query("DELETE FROM link_targets WHERE partition_id = $1 AND to_id = $2 AND from_id = $3")
                .bind(partition.0)
                .bind(to.0)
                .bind(id.0)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        Ok(())
    }

    /// Deletes what `link_targets` has of the links of a memory whose lists cannot be decoded: a scan of the partition.
    async fn erase_targets_of(&mut self, partition: PartitionId, id: MemoryId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM link_targets WHERE partition_id = $1 AND from_id = $2")
            .bind(partition.0)
            .bind(id.0)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Removes the links to erased memories from all versions of the memories that had them. No new version is made:
    /// the entries in the change log are the only trace of an erasure. A present version that has lost its last link to a
    /// memory that superseded it is valid without an end again; returns these memories, in the order of ids.
    pub(super) async fn erase_links(
        &mut self,
        partition: PartitionId,
        linking: &BTreeSet<MemoryId>,
        erased: &HashSet<MemoryId>,
        now: Timestamp,
    ) -> Result<Vec<MemoryId>, StoreError> {
        let mut reopened = Vec::new();
        for id in linking.iter().filter(|id| !erased.contains(id)) {
            let mut present = 0;
            for (read, write) in [(EARLIER_LISTS, PUT_EARLIER_LIST), (PRESENT_LIST, PUT_PRESENT_LIST)] {
                let lists = match self.lists(read, partition, *id).await {
                    // A damaged list of another memory must not keep this one from being erased.
                    Err(error @ StoreError::Corrupt { .. }) => {
                        leave_out(1, &error);
                        Vec::new()
                    }
                    lists => lists?,
                };
                for (version, mut links) in lists {
                    present = version;
                    let before = links.len();
                    let (was_superseded, was_out_of_recall) =
                        (is_superseded(&links), is_out_of_recall(&links));
                    links.retain(|link| !erased.contains(&link.to));
                    if links.len() < before {
                        self.put_list(write, (partition, *id, version), &links).await?;
                    }
                    if write != PUT_PRESENT_LIST {
                        continue;
                    }
                    let is_valid_again = was_superseded && !is_superseded(&links);
                    let is_recalled_again = was_out_of_recall && !is_out_of_recall(&links);
                    if is_valid_again {
                        self.reopen(partition, *id, REOPEN_VALIDITY).await?;
                    }
                    if is_recalled_again {
                        self.reopen(partition, *id, REOPEN_RECALL).await?;
                    }
                    if is_valid_again || is_recalled_again {
                        reopened.push(*id);
                    }
                }
            }
            let version = u32::try_from(present).unwrap_or(u32::MAX);
            self.log_version(partition, ChangeOp::Put, (*id, version), now);
        }
        Ok(reopened)
    }

    /// Removes the end of the validity of a present version.
    async fn reopen(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
        statement: &'static str,
    ) -> Result<(), StoreError> {
        sqlx::query(statement)
            .bind(partition.0)
            .bind(id.0)
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Lists of links of a memory's versions, by version number.
    pub(super) async fn lists(
        &mut self,
        statement: &'static str,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<Vec<(i64, Vec<Link>)>, StoreError> {
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as(statement)
            .bind(partition.0)
            .bind(id.0)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        let read = |(version, json): (i64, Option<String>)| {
            let links = json.map_or_else(|| Ok(Vec::new()), |json| links_from_json(&json));
            let damaged = |why| StoreError::Corrupt {
                table: "memories",
                column: "links",
                row: format!("{id}, version {version}: {why}"),
            };
            Ok((version, links.map_err(damaged)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// Writes the list of links of a version.
    pub(super) async fn put_list(
        &mut self,
        statement: &'static str,
        (partition, id, version): (PartitionId, MemoryId, i64),
        links: &[Link],
    ) -> Result<(), StoreError> {
        sqlx::query(statement)
            .bind(partition.0)
            .bind(id.0)
            .bind(version)
            .bind(links_json(links))
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}
