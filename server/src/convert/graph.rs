//! Conversion of operations on the graph of memories.

use engrain::wire;
use memory_core::domain::name::Name;
use memory_core::error::Error;
use memory_core::graph::request::{
    EdgeFound, GraphOptions, NeighbourFound, NeighboursFound, NodeFound, PathFound,
};
use memory_core::graph::{Clusters, Follow};

use super::fields;
use super::responses::kind;

/// Options of a request.
pub(crate) fn options(
    partner: Option<&str>,
    include_superseded: Option<bool>,
    texts: Option<bool>,
) -> Result<GraphOptions, Error> {
    Ok(GraphOptions {
        partner: fields::optional_name(partner, "partner")?,
        include_superseded: include_superseded.unwrap_or(false),
        texts: texts.unwrap_or(false),
    })
}

/// Relation of a request.
pub(crate) fn relation(relation: Option<&str>) -> Result<Option<Name>, Error> {
    fields::optional_name(relation, "relation")
}

/// Directions of a request.
pub(crate) fn follow(direction: Option<wire::GraphDirection>) -> Follow {
    match direction.unwrap_or_default() {
        wire::GraphDirection::Out => Follow::Out,
        wire::GraphDirection::In => Follow::In,
        wire::GraphDirection::Both => Follow::Both,
    }
}

/// Memory as a node.
pub(crate) fn node(node: NodeFound) -> wire::GraphNode {
    wire::GraphNode { id: node.id.0, kind: kind(node.kind), text: node.text }
}

/// Edge between two memories.
pub(crate) fn edge(found: EdgeFound) -> wire::GraphEdge {
    wire::GraphEdge {
        edge_type: match found.is_evidence() {
            true => wire::GraphEdgeType::Evidence,
            false => wire::GraphEdgeType::Link,
        },
        source: found.edge.from.0,
        target: found.edge.to.0,
        relation: found.edge.relation,
        weight: found.edge.weight,
        reason: found.reason,
    }
}

/// Response of `GET /v1/memories/{id}/neighbours`.
pub(crate) fn neighbours(found: NeighboursFound) -> wire::GraphNeighbours {
    let neighbour = |found: NeighbourFound| wire::GraphNeighbour {
        memory: node(found.node),
        hops: found.hops,
        weight: found.weight,
        edge: edge(found.edge),
    };
    wire::GraphNeighbours {
        neighbours: found.neighbours.into_iter().map(neighbour).collect(),
        total: found.total as u64,
        complete: found.is_complete,
    }
}

/// Response of `GET /v1/graph/path`.
pub(crate) fn path(found: PathFound) -> wire::GraphPath {
    wire::GraphPath {
        memories: found.nodes.into_iter().map(node).collect(),
        edges: found.edges.into_iter().map(edge).collect(),
        weight: found.weight,
        complete: found.is_complete,
    }
}

/// Response of `GET /v1/graph/clusters`.
pub(crate) fn clusters(found: Clusters) -> wire::GraphClusters {
    let clusters = found.clusters.into_iter().map(|cluster| wire::GraphCluster {
        size: cluster.size as u64,
        memories: cluster.memories.into_iter().map(|id| id.0).collect(),
    });
    wire::GraphClusters {
        clusters: clusters.collect(),
        total: found.total as u64,
        unclustered: found.unclustered as u64,
    }
}
