//! Operations on the graph of an owner: neighbours, paths, clusters. The graph tells what is near; texts and reasons are
//! read from the store for the memories of the answer alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::request::{
    ClustersRequest, EdgeFound, GraphOptions, NeighbourFound, NeighboursFound, NeighboursRequest, NodeFound,
    PathFound, PathRequest,
};
use super::{
    Clusters, EdgeType, GraphEdge, GraphView, NeighbourSearch, PartitionGraph, clusters, neighbours,
    shortest_path,
};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::index::{ValidTime, View};
use crate::scope::owner;
use crate::store::{StoreError, StoredMemory};

/// Texts that are read at a time: a text may be a megabyte long.
const TEXTS_PER_READ: usize = 64;

/// Text and present rule of the memories of an answer; `None` for one that became hidden meanwhile.
type Texts = HashMap<MemoryId, Option<String>>;
/// Reasons of links, by source, target and relation.
type Reasons = HashMap<(MemoryId, MemoryId, String), String>;

impl Engine {
    /// Memories near another one over links and evidence, by the weight of the best path.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the memory does not exist for the caller or may not be told to the partner;
    /// [`Error::Invalid`] or [`Error::OverLimit`] for a number outside its range, and for a graph that is too large.
    pub async fn near(&self, caller: &Caller, request: NeighboursRequest) -> Result<NeighboursFound, Error> {
        needs_read(caller)?;
        hops("hops", request.hops, self.limits.graph_hops)?;
        let limit = field_checks::page(request.limit, &self.limits)? as usize;
        let start = self.told(caller, request.id, &request.options).await?;
        let graph = self.graph_of(start.partition).await?;
        let view = self.view_of(&request.options);
        let relations = request.relation.as_slice();
        let search = NeighbourSearch {
            hops: request.hops,
            relations: request.relation.is_some().then_some(relations),
            follow: request.follow,
            limit,
        };
        let near = neighbours(&graph.seen_by(&GraphView::from(&view)), request.id, &search);
        let ids: Vec<MemoryId> = near.found.iter().map(|found| found.id).collect();
        let mut texts = self.graph_texts(start.partition, &ids, &request.options, &view).await?;
        let reasons = self.link_reasons(start.partition, near.found.iter().map(|found| &found.edge)).await?;
        let found = near.found.into_iter().filter_map(|found| {
            let node = node(found.id, found.kind, &mut texts, request.options.texts)?;
            let edge = with_reason(found.edge, &reasons);
            Some(NeighbourFound { node, hops: found.hops, weight: found.weight, edge })
        });
        Ok(NeighboursFound { neighbours: found.collect(), total: near.total, is_complete: near.is_complete })
    }

    /// Best path between two memories of one owner; empty if there is none.
    ///
    /// # Errors
    /// As those of [`Engine::near`]; [`Error::Invalid`] if the memories have different owners.
    pub async fn path(&self, caller: &Caller, request: PathRequest) -> Result<PathFound, Error> {
        needs_read(caller)?;
        hops("max_hops", request.max_hops, self.limits.graph_path_hops)?;
        let from = self.told(caller, request.from, &request.options).await?;
        let to = self.told(caller, request.to, &request.options).await?;
        if from.partition != to.partition {
            return Err(Error::invalid("to", "must belong to the owner of `from`"));
        }
        let graph = self.graph_of(from.partition).await?;
        let view = self.view_of(&request.options);
        let path = {
            let view = GraphView::from(&view);
            shortest_path(&graph.seen_by(&view), request.from, request.to, request.max_hops)
        };
        // The ends were asked for: only what lies between can be hidden.
        let between: Vec<MemoryId> =
            path.memories.iter().copied().filter(|id| ![request.from, request.to].contains(id)).collect();
        let mut texts = self.graph_texts(from.partition, &between, &request.options, &view).await?;
        texts.insert(request.from, Some(from.memory.text));
        texts.insert(request.to, Some(to.memory.text));
        let reasons = self.link_reasons(from.partition, path.edges.iter()).await?;
        let nodes: Option<Vec<NodeFound>> = path
            .memories
            .iter()
            .map(|id| node(*id, graph.kind_of(*id)?, &mut texts, request.options.texts))
            .collect();
        let Some(nodes) = nodes else { return Err(Error::ScopeChanged) };
        let edges = path.edges.into_iter().map(|edge| with_reason(edge, &reasons)).collect();
        Ok(PathFound { nodes, edges, weight: path.weight, is_complete: path.is_complete })
    }

    /// Clusters of the memories of a scope, the largest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::OverLimit`] for a number outside its range, a scope without ids, and a graph that is
    /// too large.
    pub async fn clusters(&self, caller: &Caller, request: ClustersRequest) -> Result<Clusters, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(request.limit, &self.limits)? as usize;
        let owner = owner(&request.scope)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Clusters::default());
        };
        let graph = self.graph_of(partition).await?;
        let view = GraphView::from(&self.view_of(&request.options)).within(&request.scope);
        let members = self.limits.graph_cluster_memories;
        // Seconds for a large graph: not on a thread that answers requests.
        let found = tokio::task::spawn_blocking(move || clusters(&graph.seen_by(&view), limit, members));
        found.await.map_err(|_| Error::Store(StoreError::Unavailable("the search for clusters".into())))
    }

    /// Graph of a partition, with all changes committed so far.
    ///
    /// # Errors
    /// [`Error::OverLimit`] if it is larger than [`crate::limits::Limits::graph_bytes`], and failures of the store.
    pub async fn graph_of(&self, partition: PartitionId) -> Result<Arc<PartitionGraph>, Error> {
        self.graphs.of(partition).await
    }

    /// Drops the graph of a partition from memory: the next use loads it anew.
    pub fn drop_graph(&self, partition: PartitionId) {
        self.graphs.forget(partition);
    }

    /// Bytes of all graphs in memory.
    pub fn graph_bytes(&self) -> usize {
        self.graphs.bytes()
    }

    pub(super) fn view_of(&self, options: &GraphOptions) -> View {
        let now = self.now();
        let valid = ValidTime { hides_ended: !options.include_superseded, ..ValidTime::present(now) };
        View { valid, partner: options.partner.clone(), ..View::present(now) }
    }

    /// A memory that may be told to the partner of a request.
    async fn told(
        &self,
        caller: &Caller,
        id: MemoryId,
        options: &GraphOptions,
    ) -> Result<StoredMemory, Error> {
        let stored = self.store.memory(caller.tenant, id).await?;
        let told = stored.filter(|stored| stored.memory.may_be_told_to(options.partner.as_ref()));
        told.ok_or_else(|| Error::NotFound { what: "memory", id: id.to_string() })
    }

    /// Texts of an answer, as far as there is room for them.
    async fn graph_texts(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        options: &GraphOptions,
        view: &View,
    ) -> Result<Texts, Error> {
        let (mut texts, mut text_bytes) = (Texts::new(), 0);
        if !options.texts {
            return Ok(texts);
        }
        for some in ids.chunks(TEXTS_PER_READ) {
            if text_bytes >= self.limits.page_text_bytes {
                break;
            }
            texts.extend(some.iter().map(|id| (*id, None)));
            for Memory { id, text, .. } in self.visible(partition, some, view).await? {
                text_bytes += text.len();
                texts.insert(id, Some(text));
            }
        }
        Ok(texts)
    }

    /// Memories that a view lets through, as they are now.
    pub(super) async fn visible(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        view: &View,
    ) -> Result<Vec<Memory>, Error> {
        let mut memories = self.store.memories(partition, ids).await?;
        memories.retain(|memory| view.hides(memory).is_none());
        Ok(memories)
    }

    /// Reasons of links.
    async fn link_reasons(
        &self,
        partition: PartitionId,
        edges: impl Iterator<Item = &GraphEdge> + Send,
    ) -> Result<Reasons, Error> {
        let links = edges.filter(|edge| edge.edge_type == EdgeType::Link);
        let mut sources: Vec<MemoryId> = links.map(|edge| edge.from).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut reasons = Reasons::new();
        for node in self.store.nodes(partition, &sources).await? {
            for link in node.links {
                let key = (node.id, link.to, link.relation.as_str().to_owned());
                reasons.extend(link.reason.map(|reason| (key, reason)));
            }
        }
        Ok(reasons)
    }
}

/// Memory of an answer; `None` if it became hidden meanwhile.
fn node(id: MemoryId, kind: Kind, texts: &mut Texts, wants_texts: bool) -> Option<NodeFound> {
    let text = match texts.remove(&id) {
        Some(None) => return None,
        Some(text) => text.filter(|_| wants_texts),
        None => None,
    };
    Some(NodeFound { id, kind, text })
}

fn with_reason(edge: GraphEdge, reasons: &Reasons) -> EdgeFound {
    let key = (edge.from, edge.to, edge.relation.clone());
    let reason = (edge.edge_type == EdgeType::Link).then(|| reasons.get(&key).cloned()).flatten();
    EdgeFound { edge, reason }
}

/// Checks a number of hops.
fn hops(field: &str, hops: u8, most: u8) -> Result<(), Error> {
    if hops == 0 {
        return Err(Error::invalid(field, "must be at least 1"));
    }
    field_checks::over(field.to_owned(), usize::from(hops), "the number of hops", usize::from(most))
}
