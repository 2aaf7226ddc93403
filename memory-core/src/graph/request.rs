//! Requests and answers of operations on the graph.

use super::{EdgeType, Follow, GraphEdge};
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::name::Name;
use crate::domain::scope::Scope;

/// What an answer lets through and holds.
#[derive(Clone, Debug, Default)]
pub struct GraphOptions {
    /// Conversation partner to whom memories must be tellable; `None` for the owner's own view.
    pub partner: Option<Name>,
    /// True to include memories whose validity has ended.
    pub include_superseded: bool,
    /// True for the texts of memories.
    pub texts: bool,
}

/// Request for the neighbours of a memory.
#[derive(Clone, Debug)]
pub struct NeighboursRequest {
    /// Memory.
    pub id: MemoryId,
    /// Maximum number of hops, 1 to [`crate::limits::Limits::graph_hops`].
    pub hops: u8,
    /// Relation to follow; `None` for all.
    pub relation: Option<Name>,
    /// Directions to follow.
    pub follow: Follow,
    /// Maximum number of neighbours, 1 to [`crate::limits::Limits::page_size`].
    pub limit: u32,
    /// Options.
    pub options: GraphOptions,
}

/// Request for the path between two memories.
#[derive(Clone, Debug)]
pub struct PathRequest {
    /// One end.
    pub from: MemoryId,
    /// Other end, of the same owner.
    pub to: MemoryId,
    /// Maximum number of edges, 1 to [`crate::limits::Limits::graph_path_hops`].
    pub max_hops: u8,
    /// Options.
    pub options: GraphOptions,
}

/// Request for the clusters of a scope.
#[derive(Clone, Debug)]
pub struct ClustersRequest {
    /// Scope.
    pub scope: Scope,
    /// Maximum number of clusters, 1 to [`crate::limits::Limits::page_size`].
    pub limit: u32,
    /// Options; their texts are not read.
    pub options: GraphOptions,
}

/// Memory of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeFound {
    /// Memory.
    pub id: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Text, if it was asked for and [`crate::limits::Limits::page_text_bytes`] had room for it.
    pub text: Option<String>,
}

/// Edge of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeFound {
    /// Edge.
    pub edge: GraphEdge,
    /// Reason of a link that has one.
    pub reason: Option<String>,
}

impl EdgeFound {
    /// True for evidence.
    pub fn is_evidence(&self) -> bool {
        self.edge.edge_type == EdgeType::Evidence
    }
}

/// Neighbour of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighbourFound {
    /// Memory.
    pub node: NodeFound,
    /// Hops of the best path to it.
    pub hops: u8,
    /// Weight of the best path.
    pub weight: f32,
    /// Last edge of the best path.
    pub edge: EdgeFound,
}

/// Neighbours of a memory, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeighboursFound {
    /// Neighbours.
    pub neighbours: Vec<NeighbourFound>,
    /// Number of all neighbours that the search met.
    pub total: usize,
    /// False if the search ended at a bound.
    pub is_complete: bool,
}

/// Path between two memories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathFound {
    /// Memories from one end to the other; empty if there is no path.
    pub nodes: Vec<NodeFound>,
    /// Edges between them.
    pub edges: Vec<EdgeFound>,
    /// Weight of the path; 0 if there is none.
    pub weight: f32,
    /// False if the search ended at a bound.
    pub is_complete: bool,
}
