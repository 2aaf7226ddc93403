//! Graph of memories: neighbours, paths, clusters, and its export as JSON.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Kind;

/// Directions in which edges are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GraphDirection {
    /// From the source of an edge to its target.
    Out,
    /// From the target of an edge to its source.
    In,
    /// Both.
    #[default]
    Both,
}

impl GraphDirection {
    /// Direction as written in a query string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Both => "both",
        }
    }
}

/// Format of an exported graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GraphFormat {
    /// One JSON object with nodes and edges, as NetworkX reads it (`node_link_graph`).
    #[default]
    Json,
    /// GraphML, an XML format.
    GraphMl,
}

impl GraphFormat {
    /// Format as written in a query string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GraphMl => "graphml",
        }
    }
}

/// Type of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GraphEdgeType {
    /// Link of a memory to another.
    Link,
    /// From a derived memory to a memory that is its evidence. The evidence that is a turn is the memory of the turn.
    Evidence,
}

/// Memory as a node of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphNode {
    /// Id of the memory.
    pub id: Uuid,
    /// Kind of the memory.
    pub kind: Kind,
    /// Text of the memory, if it was asked for and fits into the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Edge between two memories, in the direction in which it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphEdge {
    /// Id of the source.
    pub source: Uuid,
    /// Id of the target.
    pub target: Uuid,
    /// Type of the edge.
    #[serde(rename = "type")]
    pub edge_type: GraphEdgeType,
    /// Relation of the source to the target; `derived_from` for evidence.
    pub relation: String,
    /// Strength, 0 to 1; 1 for evidence.
    pub weight: f32,
    /// Reason of the link, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Memory near another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphNeighbour {
    /// The memory.
    pub memory: GraphNode,
    /// Edges of the best path to it.
    pub hops: u8,
    /// Weight of the best path, 0 to 1: the reciprocal of the sum of the reciprocal weights of its edges.
    pub weight: f32,
    /// Last edge of the best path.
    pub edge: GraphEdge,
}

/// Neighbours of a memory, by the weight of the best path and then by id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphNeighbours {
    /// Neighbours.
    pub neighbours: Vec<GraphNeighbour>,
    /// Number of all neighbours within the hops, those beyond the limit too.
    pub total: u64,
    /// False if the search ended at its bound on edges, so that some may be missing.
    pub complete: bool,
}

/// Path between two memories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphPath {
    /// Memories from one end to the other; empty if there is no path.
    pub memories: Vec<GraphNode>,
    /// Edges between each two of them. An edge may lead either way.
    pub edges: Vec<GraphEdge>,
    /// Weight of the path, 0 to 1: the reciprocal of the sum of the reciprocal weights of its edges; 0 if there is no path.
    pub weight: f32,
    /// False if the search ended at its bound on edges, so that there may be a better path.
    pub complete: bool,
}

/// Memories that are linked more with each other than with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphCluster {
    /// Number of its memories.
    pub size: u64,
    /// Ids of its memories, at most 100: those that are linked most within it first.
    pub memories: Vec<Uuid>,
}

/// Clusters of a scope, the largest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphClusters {
    /// Clusters of at least two memories.
    pub clusters: Vec<GraphCluster>,
    /// Number of all clusters, those beyond the limit too.
    pub total: u64,
    /// Number of memories in no cluster.
    pub unclustered: u64,
}

/// Exported graph in the format `json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphDocument {
    /// Always true: edges have a direction.
    pub directed: bool,
    /// Always true: two memories may have several edges.
    pub multigraph: bool,
    /// Memories.
    pub nodes: Vec<GraphNode>,
    /// Edges.
    pub edges: Vec<GraphEdge>,
}
