//! Graph of memories: what is linked to what, derived from what, and about whom. The graph of a partition is held in
//! memory, follows the change log, and is searched by pure algorithms (ADR 0042).
//!
//! The partition of a graph is the wall that nothing crosses: it has the memories of one owner.

mod clusters;
mod export;
mod graphs;
mod node;
mod operations;
mod pagerank;
mod partition_graph;
mod paths;
pub mod request;
mod spread;
#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests;

pub use clusters::{Cluster, Clusters, clusters};
pub use export::{ExportedEdge, ExportedNode, GraphExport};
pub(crate) use graphs::Graphs;
pub use node::GraphView;
pub use pagerank::{PageRankSettings, personalised_pagerank};
pub use partition_graph::{
    DERIVED_FROM, EDGE_BYTES, EdgeType, GraphEdge, PartitionGraph, Seen, VERTEX_BYTES,
};
pub use paths::{
    EDGES_FOLLOWED_AT_MOST, Follow, Neighbour, NeighbourSearch, Neighbours, Path, neighbours, shortest_path,
};
pub use spread::{FAN_AT_MOST, HOPS_AT_MOST, MEMBERS_AT_MOST, WalkSettings, walk};
