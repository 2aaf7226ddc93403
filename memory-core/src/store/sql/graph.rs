//! Reads of the graph: the columns of memories that edges are made of, the evidence of their derivations, their groups.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids};
use super::load::last_id;
use super::readable::{readable, readable_tuples};
use super::rows::Reader;
use super::{Db, Row, SqlStore, StoreError, unavailable};
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Visibility};
use crate::domain::time::Interval;
use crate::store::{GraphSource, NodePage, NodeRecord};

/// Columns of [`node`].
macro_rules! node_columns {
    () => {
        "SELECT m.id, m.kind, m.visibility, m.agent_id, m.app_id, m.run_id, m.audience, m.links, m.happened_us,
             m.valid_from_us, m.valid_to_us, m.expires_us, m.derivation_id
         FROM memories m WHERE m.partition_id = "
    };
}

/// Node without evidence and groups, and the derivation of its present version.
type Undone = (NodeRecord, Option<Uuid>);

#[async_trait]
impl GraphSource for SqlStore {
    async fn node_page(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<NodePage, StoreError> {
        let rows = sqlx::query(concat!(node_columns!(), "$1 AND m.id > $2 ORDER BY m.id LIMIT $3"))
            .bind(partition.0)
            .bind(after.map_or(Uuid::nil(), |id| id.0))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        let mut nodes = Vec::with_capacity(rows.len());
        let mut undone = readable(&rows, node)?;
        while !undone.is_empty() {
            let later = undone.split_off(undone.len().min(IDS_PER_STATEMENT));
            nodes.extend(self.completed(partition, undone).await?);
            undone = later;
        }
        Ok(NodePage { nodes, last: last_id(&rows).map(MemoryId) })
    }

    async fn nodes(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<NodeRecord>, StoreError> {
        let mut nodes = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(node_columns!());
            statement.push_bind(partition.0).push(" AND m.id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
            nodes.extend(self.completed(partition, readable(&rows, node)?).await?);
        }
        nodes.sort_unstable_by_key(|node| node.id);
        nodes.dedup_by_key(|node| node.id);
        Ok(nodes)
    }
}

impl SqlStore {
    /// At most [`IDS_PER_STATEMENT`] nodes with their evidence and groups.
    async fn completed(
        &self,
        partition: PartitionId,
        undone: Vec<Undone>,
    ) -> Result<Vec<NodeRecord>, StoreError> {
        if undone.is_empty() {
            return Ok(Vec::new());
        }
        let derivations: Vec<Uuid> = undone.iter().filter_map(|(_, derivation)| *derivation).collect();
        let mut evidence = self.evidence_by_derivation(&derivations).await?;
        let mut entities = self.entities_by_memory(partition, &undone).await?;
        let nodes = undone.into_iter().map(|(mut node, derivation)| {
            if let Some(found) = derivation.and_then(|derivation| evidence.remove(&derivation)) {
                node.evidence = found;
                node.evidence.retain(|from| *from != node.id);
                node.evidence.sort_unstable();
                node.evidence.dedup();
            }
            node.entities = entities.remove(&node.id).unwrap_or_default();
            node.entities.sort_unstable();
            node
        });
        Ok(nodes.collect())
    }

    /// Memories that are evidence, by derivation.
    async fn evidence_by_derivation(
        &self,
        derivations: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<MemoryId>>, StoreError> {
        let mut evidence: HashMap<Uuid, Vec<MemoryId>> = HashMap::new();
        if derivations.is_empty() {
            return Ok(evidence);
        }
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT i.derivation_id, i.source_kind, i.source_id, m.id FROM derivation_inputs i
             LEFT JOIN memories m ON m.partition_id = i.partition_id AND m.turn_id = i.source_id
             WHERE i.is_evidence AND i.derivation_id IN (",
        );
        push_ids(&mut statement, derivations.iter().copied());
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows: Vec<(Uuid, String, Uuid, Option<Uuid>)> = readable_tuples(&rows, "derivation_inputs")?;
        for (derivation, kind, source, of_turn) in rows {
            let memory = if kind == "turn" { of_turn } else { Some(source) };
            evidence.entry(derivation).or_default().extend(memory.map(MemoryId));
        }
        Ok(evidence)
    }

    /// Groups by entity of these memories.
    async fn entities_by_memory(
        &self,
        partition: PartitionId,
        of: &[Undone],
    ) -> Result<HashMap<MemoryId, Vec<GroupKey>>, StoreError> {
        let mut statement =
            QueryBuilder::<Db>::new("SELECT memory_id, group_key FROM memory_groups WHERE partition_id = ");
        statement.push_bind(partition.0).push(" AND memory_id IN (");
        push_ids(&mut statement, of.iter().map(|(node, _)| node.id.0));
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows: Vec<(Uuid, String)> = readable_tuples(&rows, "memory_groups")?;
        let mut entities: HashMap<MemoryId, Vec<GroupKey>> = HashMap::new();
        for (memory, key) in rows {
            let key = GroupKey::parse(&key).filter(GroupKey::is_entity);
            entities.entry(MemoryId(memory)).or_default().extend(key);
        }
        Ok(entities)
    }
}

fn node(row: &Row) -> Result<Undone, StoreError> {
    let at = Reader { row, table: "memories" };
    let node = NodeRecord {
        id: MemoryId(at.get(0, "id")?),
        kind: at.parsed(1, "kind", Kind::parse)?,
        visibility: at.parsed(2, "visibility", Visibility::parse)?,
        agent: at.name(3, "agent_id")?,
        app: at.name(4, "app_id")?,
        run: at.name(5, "run_id")?,
        audience: at.names(6, "audience")?,
        links: at.links(7)?,
        happened_at: at.time(8, "happened_us")?,
        valid: Interval { start: at.maybe_time(9, "valid_from_us")?, end: at.maybe_time(10, "valid_to_us")? },
        expires_at: at.maybe_time(11, "expires_us")?,
        evidence: Vec::new(),
        entities: Vec::new(),
    };
    Ok((node, at.get(12, "derivation_id")?))
}
