//! Export of the graph of a scope: first all nodes, then all edges, each in pages read from the store.
//!
//! Invariant: an edge is exported only if both of its ends were, so that no hidden or erased memory is named. Memory is
//! bounded by a page, and by one id of every exported memory.

use std::collections::{HashSet, VecDeque};

use super::request::{EdgeFound, GraphOptions, NodeFound};
use super::{DERIVED_FROM, EdgeType, GraphEdge};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::scope::{Caller, Scope};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::index::View;
use crate::scope::{narrowed, owner};

/// Memories of a page. Their texts, if asked for, are read with them.
const MEMORIES_PER_PAGE: u32 = 256;
/// Memories that are read at a time; each text may be a megabyte.
const TEXTS_PER_READ: usize = 16;

/// Node of an export.
pub type ExportedNode = NodeFound;
/// Edge of an export.
pub type ExportedEdge = EdgeFound;

/// Export under way.
#[derive(Debug)]
pub struct GraphExport {
    partition: Option<PartitionId>,
    view: View,
    texts: bool,
    after: Option<MemoryId>,
    /// Ids of a page whose memories are not read yet.
    waiting: VecDeque<MemoryId>,
    exported: HashSet<MemoryId>,
}

impl Engine {
    /// Begins the export of the graph of a scope.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a scope without ids, and failures of the store.
    pub async fn export_graph(
        &self,
        caller: &Caller,
        scope: &Scope,
        options: &GraphOptions,
    ) -> Result<GraphExport, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        let mut view = self.view_of(options);
        view.filter = narrowed(&view.filter, scope, Some(owner.kind));
        Ok(GraphExport {
            partition: self.store.partition_of(caller.tenant, &owner).await?,
            view,
            texts: options.texts,
            after: None,
            waiting: VecDeque::new(),
            exported: HashSet::new(),
        })
    }
}

impl GraphExport {
    /// The next nodes in the order of ids, which may be none; `None` after the last. The edges come next.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn nodes(&mut self, engine: &Engine) -> Result<Option<Vec<ExportedNode>>, Error> {
        let Some(partition) = self.partition else { return Ok(None) };
        if self.waiting.is_empty() {
            let page = engine.store.node_page(partition, self.after, MEMORIES_PER_PAGE).await?;
            let Some(last) = page.last else {
                self.after = None;
                return Ok(None);
            };
            self.after = Some(last);
            self.waiting = page.nodes.iter().map(|node| node.id).collect();
        }
        let some: Vec<MemoryId> = self.waiting.drain(..self.waiting.len().min(TEXTS_PER_READ)).collect();
        let memories = engine.visible(partition, &some, &self.view).await?;
        let nodes = memories.into_iter().map(|memory| {
            self.exported.insert(memory.id);
            NodeFound { id: memory.id, kind: memory.kind, text: self.texts.then_some(memory.text) }
        });
        Ok(Some(nodes.collect()))
    }

    /// The next edges between exported nodes, in the order of their sources, which may be none; `None` after the last.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn edges(&mut self, engine: &Engine) -> Result<Option<Vec<ExportedEdge>>, Error> {
        let Some(partition) = self.partition else { return Ok(None) };
        let page = engine.store.node_page(partition, self.after, MEMORIES_PER_PAGE).await?;
        let Some(last) = page.last else { return Ok(None) };
        self.after = Some(last);
        let mut edges = Vec::new();
        for node in page.nodes.into_iter().filter(|node| self.exported.contains(&node.id)) {
            let edge = |to, edge_type, relation: &str, weight| GraphEdge {
                from: node.id,
                to,
                edge_type,
                relation: relation.to_owned(),
                weight,
            };
            let links = node.links.iter().map(|link| EdgeFound {
                edge: edge(link.to, EdgeType::Link, link.relation.as_str(), link.weight),
                reason: link.reason.clone(),
            });
            let evidence = node
                .evidence
                .iter()
                .map(|to| EdgeFound { edge: edge(*to, EdgeType::Evidence, DERIVED_FROM, 1.0), reason: None });
            edges.extend(links.chain(evidence).filter(|found| self.exported.contains(&found.edge.to)));
        }
        Ok(Some(edges))
    }
}
