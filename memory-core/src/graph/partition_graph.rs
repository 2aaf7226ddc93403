//! Graph of one partition in memory, pure: memories and entities as vertices; links, evidence and membership as edges, in
//! a `petgraph` graph with stable indices.
//!
//! Invariant: the graph follows from the records that were put and not erased, whatever their order. An edge to a memory
//! that has no record yet leads to a vertex without attributes, which every view hides.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::stable_graph::StableDiGraph;
use petgraph::visit::EdgeRef as _;

use super::node::{Attributes, Edge, EdgeKind, Facet, GraphView, Interned, MemoryVertex, Vertex};
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::name::Name;
use crate::store::NodeRecord;

/// Bytes of a vertex: the vertex with the heads of its two lists of edges, and its entry in a table of ids.
pub const VERTEX_BYTES: usize =
    size_of::<Option<Vertex>>() + 8 + (size_of::<(MemoryId, NodeIndex)>() + 1) * 8 / 7;
/// Bytes of an edge: the edge with its ends and its places in two lists.
pub const EDGE_BYTES: usize = size_of::<Option<Edge>>() + 16;
/// Bytes of an interned value besides its text.
const INTERNED_BYTES: usize = 2 * size_of::<Facet>() + 16;
/// Values of erased memories that are kept before the graph is to be loaded anew.
const DEAD_VALUES: usize = 1_024;

/// Type of an edge between memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeType {
    /// A link.
    Link,
    /// From a derived memory to its evidence.
    Evidence,
}

/// Relation by which a derived memory leads to its evidence.
pub const DERIVED_FROM: &str = "derived_from";

/// Edge between two memories, directed as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphEdge {
    /// Source.
    pub from: MemoryId,
    /// Target.
    pub to: MemoryId,
    /// Type.
    pub edge_type: EdgeType,
    /// Relation of the source to the target; [`DERIVED_FROM`] for evidence.
    pub relation: String,
    /// Strength, 0 to 1; 1 for evidence.
    pub weight: f32,
}

/// Graph of one partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionGraph {
    pub(super) graph: StableDiGraph<Vertex, Edge>,
    memories: HashMap<MemoryId, NodeIndex>,
    entities: HashMap<GroupKey, NodeIndex>,
    relations: Interned<Name>,
    facets: Interned<Facet>,
    seq: u64,
}

impl PartitionGraph {
    /// Number of the last change of the partition that the graph has.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn set_seq(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Number of memories.
    pub fn memories(&self) -> usize {
        self.memories.len()
    }

    /// Number of edges, those to entities included.
    pub fn edges(&self) -> usize {
        self.graph.edge_count()
    }

    /// Bytes in memory, estimated from the room that vertices and edges take.
    pub fn bytes(&self) -> usize {
        let (vertices, edges) = self.graph.capacity();
        size_of::<Self>()
            + vertices * VERTEX_BYTES
            + edges * EDGE_BYTES
            + self.entities.len() * (size_of::<(GroupKey, NodeIndex)>() + 64)
            + (self.relations.len() + self.facets.len()) * INTERNED_BYTES
    }

    /// True if the graph holds many attributes of memories that are gone.
    pub(super) fn is_worn(&self) -> bool {
        self.facets.len() + self.relations.len()
            > self.graph.node_count() + self.graph.edge_count() + DEAD_VALUES
    }

    /// True if the memory is in the graph.
    pub fn contains(&self, id: MemoryId) -> bool {
        self.index_of(id).is_some()
    }

    /// Kind of a memory; `None` if it is not in the graph.
    pub fn kind_of(&self, id: MemoryId) -> Option<Kind> {
        self.memory_at(self.index_of(id)?)?.known.map(|known| known.kind)
    }

    /// Adds a memory with its edges, or replaces them.
    pub(super) fn put(&mut self, record: &NodeRecord) {
        let from = self.vertex_of(record.id);
        let facet = self.facets.number_of(&Facet::of(record));
        if let Some(Vertex::Memory(memory)) = self.graph.node_weight_mut(from) {
            memory.known = Some(Attributes::of(record, facet));
        }
        let mut wanted = self.wanted(record);
        let present: Vec<(EdgeIndex, NodeIndex, EdgeKind)> =
            self.graph.edges(from).map(|edge| (edge.id(), edge.target(), edge.weight().kind)).collect();
        for (index, target, kind) in present {
            match wanted.remove(&(target, kind)) {
                Some(weight) => {
                    if let Some(edge) = self.graph.edge_weight_mut(index) {
                        edge.weight = weight;
                    }
                }
                None => {
                    self.graph.remove_edge(index);
                    self.loosen(target, kind);
                }
            }
        }
        for ((target, kind), weight) in wanted {
            self.graph.add_edge(from, target, Edge { kind, weight });
            if let (EdgeKind::About, Some(Vertex::Entity { members, .. })) =
                (kind, self.graph.node_weight_mut(target))
            {
                *members = members.saturating_add(1);
            }
        }
    }

    /// Removes a memory with all its edges.
    pub(super) fn erase(&mut self, id: MemoryId) {
        let Some(index) = self.memories.remove(&id) else { return };
        let targets: Vec<(NodeIndex, EdgeKind)> =
            self.graph.edges(index).map(|edge| (edge.target(), edge.weight().kind)).collect();
        self.graph.remove_node(index);
        for (target, kind) in targets {
            self.loosen(target, kind);
        }
    }

    fn wanted(&mut self, record: &NodeRecord) -> HashMap<(NodeIndex, EdgeKind), f32> {
        let mut wanted = HashMap::new();
        for link in record.links.iter().filter(|link| link.to != record.id) {
            let relation = self.relations.number_of(&link.relation);
            wanted.insert((self.vertex_of(link.to), EdgeKind::Link(relation)), link.weight);
        }
        for evidence in record.evidence.iter().filter(|id| **id != record.id) {
            wanted.insert((self.vertex_of(*evidence), EdgeKind::Evidence), 1.0);
        }
        for key in &record.entities {
            let index = match self.entities.get(key) {
                Some(index) => *index,
                None => {
                    let index = self.graph.add_node(Vertex::Entity { key: key.clone(), members: 0 });
                    self.entities.insert(key.clone(), index);
                    index
                }
            };
            wanted.insert((index, EdgeKind::About), 1.0);
        }
        wanted
    }

    /// Vertex of a memory, made if it is missing.
    fn vertex_of(&mut self, id: MemoryId) -> NodeIndex {
        if let Some(index) = self.memories.get(&id) {
            return *index;
        }
        let index = self.graph.add_node(Vertex::Memory(MemoryVertex { id, known: None }));
        self.memories.insert(id, index);
        index
    }

    /// Follows the removal of an edge to a vertex, which goes if nothing else holds it.
    fn loosen(&mut self, target: NodeIndex, kind: EdgeKind) {
        if let (EdgeKind::About, Some(Vertex::Entity { members, .. })) =
            (kind, self.graph.node_weight_mut(target))
        {
            *members = members.saturating_sub(1);
        }
        let is_held = match self.graph.node_weight(target) {
            None => return,
            Some(Vertex::Memory(MemoryVertex { known: Some(_), .. })) => true,
            Some(_) => self.graph.neighbors_undirected(target).next().is_some(),
        };
        if is_held {
            return;
        }
        match self.graph.remove_node(target) {
            Some(Vertex::Memory(memory)) => drop(self.memories.remove(&memory.id)),
            Some(Vertex::Entity { key, .. }) => drop(self.entities.remove(&key)),
            None => {}
        }
    }

    /// Index of a memory with attributes.
    pub(super) fn index_of(&self, id: MemoryId) -> Option<NodeIndex> {
        let index = *self.memories.get(&id)?;
        self.memory_at(index)?.known.map(|_| index)
    }

    /// Indices of all memories with attributes, in the order of ids.
    pub(super) fn in_order(&self) -> Vec<(MemoryId, NodeIndex)> {
        let known = self.memories.iter().filter(|(id, _)| self.index_of(**id).is_some());
        let mut all: Vec<(MemoryId, NodeIndex)> = known.map(|(id, index)| (*id, *index)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    pub(super) fn memory_at(&self, index: NodeIndex) -> Option<&MemoryVertex> {
        match self.graph.node_weight(index)? {
            Vertex::Memory(memory) => Some(memory),
            Vertex::Entity { .. } => None,
        }
    }

    /// Number of a relation; `None` if no link has ever had it.
    pub(super) fn relation(&self, name: &Name) -> Option<u32> {
        self.relations.find(name)
    }

    /// Relation of an edge, in words; empty for one to an entity.
    pub(super) fn relation_of(&self, kind: EdgeKind) -> &str {
        match kind {
            EdgeKind::Link(number) => self.relations.get(number).map_or("", Name::as_str),
            EdgeKind::Evidence => DERIVED_FROM,
            EdgeKind::About => "",
        }
    }

    /// Edge between two memories; `None` for one to an entity.
    pub(super) fn described(&self, index: EdgeIndex) -> Option<GraphEdge> {
        let (from, to) = self.graph.edge_endpoints(index)?;
        let edge = self.graph.edge_weight(index)?;
        let edge_type = match edge.kind {
            EdgeKind::Link(_) => EdgeType::Link,
            EdgeKind::Evidence => EdgeType::Evidence,
            EdgeKind::About => return None,
        };
        Some(GraphEdge {
            from: self.memory_at(from)?.id,
            to: self.memory_at(to)?.id,
            edge_type,
            relation: self.relation_of(edge.kind).to_owned(),
            weight: edge.weight,
        })
    }

    /// Edges of a vertex in both directions, with the vertex at the other end. The flag is true for those that start here.
    pub(super) fn around(
        &self,
        index: NodeIndex,
    ) -> impl Iterator<Item = (NodeIndex, EdgeIndex, Edge, bool)> + '_ {
        let leaving = self.graph.edges_directed(index, Direction::Outgoing);
        let coming = self.graph.edges_directed(index, Direction::Incoming);
        leaving
            .map(|edge| (edge.target(), edge.id(), *edge.weight(), true))
            .chain(coming.map(|edge| (edge.source(), edge.id(), *edge.weight(), false)))
    }

    /// What a view lets through.
    pub fn seen_by<'a>(&'a self, view: &'a GraphView) -> Seen<'a> {
        let facets = self.facets.values().iter().map(|facet| view.lets_pass(facet)).collect();
        Seen { graph: self, view, facets }
    }

    /// All edges between memories with attributes and all memberships, in order: for comparisons in tests.
    pub fn listed(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for (id, index) in self.in_order() {
            let facet = self.memory_at(index).and_then(|memory| memory.known).map(|mut known| {
                let facet = self.facets.get(known.facet).cloned();
                known.facet = 0;
                (known, facet)
            });
            all.push(format!("{id} {facet:?}"));
            for edge in self.graph.edges(index) {
                let weight = edge.weight().weight;
                match self.graph.node_weight(edge.target()) {
                    Some(Vertex::Memory(MemoryVertex { id: to, known: Some(_) })) => {
                        let kind = edge.weight().kind == EdgeKind::Evidence;
                        all.push(format!(
                            "{id} {} {kind} {to} {weight}",
                            self.relation_of(edge.weight().kind)
                        ));
                    }
                    Some(Vertex::Entity { key, members }) => {
                        all.push(format!("{id} in {} of {members}", key.as_str()));
                    }
                    _ => {}
                }
            }
        }
        all.sort_unstable();
        all
    }
}

/// A graph as a view sees it.
#[derive(Debug)]
pub struct Seen<'a> {
    pub(super) graph: &'a PartitionGraph,
    view: &'a GraphView,
    /// True for the facets that the view lets through.
    facets: Vec<bool>,
}

impl Seen<'_> {
    /// True if the view lets a memory through.
    pub fn has(&self, id: MemoryId) -> bool {
        self.graph.index_of(id).is_some_and(|index| self.has_at(index))
    }

    pub(super) fn has_at(&self, index: NodeIndex) -> bool {
        let Some(known) = self.graph.memory_at(index).and_then(|memory| memory.known) else { return false };
        let passes = usize::try_from(known.facet).ok().and_then(|facet| self.facets.get(facet)).copied();
        passes.unwrap_or(false) && self.view.is_in_time(&known)
    }
}
