//! Handlers of the graph of memories: neighbours, paths, clusters.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engrain::wire::{GraphClusters, GraphDirection, GraphNeighbours, GraphPath, Scope};
use memory_core::domain::id::MemoryId;
use memory_core::graph::request::{ClustersRequest, NeighboursRequest, PathRequest};
use serde::Deserialize;
use uuid::Uuid;

use crate::App;
use crate::auth::Authenticated;
use crate::convert::{graph, memories, scope};
use crate::extract::{PathId, QueryString};
use crate::problem::Problem;

/// Hops of a search for neighbours by default.
const DEFAULT_HOPS: u8 = 1;
/// Edges of a path by default: as many as it may have.
const DEFAULT_PATH_HOPS: u8 = 6;

/// Query string of [`memory_neighbours`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeighboursQuery {
    /// Maximum number of edges to a neighbour, 1 to 3. Default: 1.
    hops: Option<u8>,
    /// Relation of the edges to follow; `derived_from` is that of evidence. Default: all.
    relation: Option<String>,
    /// Directions in which edges are followed. Default: `both`.
    #[param(inline)]
    direction: Option<GraphDirection>,
    /// Maximum number of neighbours, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Name of the person to whom it will be told: memories said in confidence to others are left out, and no path leads
    /// through them. Default: nobody, and nothing is left out.
    partner: Option<String>,
    /// True to include memories whose validity has ended. Default: false.
    include_superseded: Option<bool>,
    /// True for the texts of the memories, as many as fit into a page. Default: false.
    texts: Option<bool>,
}

/// Query string of [`graph_path`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathQuery {
    /// Id of the memory at one end.
    from: Uuid,
    /// Id of the memory at the other end, of the same owner.
    to: Uuid,
    /// Maximum number of edges, 1 to 6. Default: 6.
    max_hops: Option<u8>,
    /// Name of the person to whom it will be told: no path leads through memories said in confidence to others. Default:
    /// nobody, and nothing is left out.
    partner: Option<String>,
    /// True to include memories whose validity has ended. Default: false.
    include_superseded: Option<bool>,
    /// True for the texts of the memories, as many as fit into a page. Default: false.
    texts: Option<bool>,
}

/// Query string of [`graph_clusters`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClustersQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Maximum number of clusters, 1 to 1,000. Default: 100.
    limit: Option<u32>,
    /// Name of the person to whom it will be told: memories said in confidence to others are left out. Default: nobody, and
    /// nothing is left out.
    partner: Option<String>,
    /// True to include memories whose validity has ended. Default: false.
    include_superseded: Option<bool>,
}

/// List the neighbours of a memory
///
/// Returns the memories that links and evidence connect with a memory, by the weight of the best path to each, then by id.
/// The weight of a path is the reciprocal of the sum of the reciprocal weights of its edges. Expired memories are left out,
/// and no path leads through them.
#[utoipa::path(
    get,
    path = "/v1/memories/{id}/neighbours",
    tag = "graph",
    params(("id" = uuid::Uuid, Path, description = "Id of the memory"), NeighboursQuery),
    responses((status = 200, description = "Neighbours", body = GraphNeighbours, example = json!({
        "neighbours": [{
            "memory": {"id": "01890a5d-ac96-774b-bcce-b30209900004", "kind": "note"}, "hops": 1, "weight": 0.8,
            "edge": {
                "source": "01890a5d-ac96-774b-bcce-b30209900003", "target": "01890a5d-ac96-774b-bcce-b30209900004",
                "type": "link", "relation": "elaborates", "weight": 0.8, "reason": "Both are about the garden."
            }
        }],
        "total": 1, "complete": true
    })))
)]
pub(crate) async fn memory_neighbours(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId,
    QueryString(query): QueryString<NeighboursQuery>,
) -> Result<Json<GraphNeighbours>, Problem> {
    let request = NeighboursRequest {
        id: MemoryId(id),
        hops: query.hops.unwrap_or(DEFAULT_HOPS),
        relation: graph::relation(query.relation.as_deref())?,
        follow: graph::follow(query.direction),
        limit: query.limit.unwrap_or(memories::DEFAULT_PAGE),
        options: graph::options(query.partner.as_deref(), query.include_superseded, query.texts)?,
    };
    Ok(Json(graph::neighbours(app.engine()?.near(&caller, request).await?)))
}

/// Find a path between two memories
///
/// Returns the best path between two memories of one owner over links and evidence, in any direction: the one with the
/// greatest weight, then with the fewest edges. It is empty if there is none.
#[utoipa::path(
    get,
    path = "/v1/graph/path",
    tag = "graph",
    params(PathQuery),
    responses((status = 200, description = "Path, or an empty one", body = GraphPath, example = json!({
        "memories": [
            {"id": "01890a5d-ac96-774b-bcce-b30209900003", "kind": "fact"},
            {"id": "01890a5d-ac96-774b-bcce-b30209900001", "kind": "turn"}
        ],
        "edges": [{
            "source": "01890a5d-ac96-774b-bcce-b30209900003", "target": "01890a5d-ac96-774b-bcce-b30209900001",
            "type": "evidence", "relation": "derived_from", "weight": 1.0
        }],
        "weight": 1.0, "complete": true
    })))
)]
pub(crate) async fn graph_path(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<PathQuery>,
) -> Result<Json<GraphPath>, Problem> {
    let request = PathRequest {
        from: MemoryId(query.from),
        to: MemoryId(query.to),
        max_hops: query.max_hops.unwrap_or(DEFAULT_PATH_HOPS),
        options: graph::options(query.partner.as_deref(), query.include_superseded, query.texts)?,
    };
    Ok(Json(graph::path(app.engine()?.path(&caller, request).await?)))
}

/// List the clusters of a scope
///
/// Returns groups of memories that links and evidence connect more with each other than with others, the largest first.
#[utoipa::path(
    get,
    path = "/v1/graph/clusters",
    tag = "graph",
    params(ClustersQuery),
    responses((status = 200, description = "Clusters", body = GraphClusters, example = json!({
        "clusters": [{
            "size": 2,
            "memories": ["01890a5d-ac96-774b-bcce-b30209900003", "01890a5d-ac96-774b-bcce-b30209900004"]
        }],
        "total": 1, "unclustered": 0
    })))
)]
pub(crate) async fn graph_clusters(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    QueryString(query): QueryString<ClustersQuery>,
) -> Result<Json<GraphClusters>, Problem> {
    let ClustersQuery { user_id, agent_id, app_id, run_id, limit, partner, include_superseded } = query;
    let request = ClustersRequest {
        scope: scope(&Scope { user_id, agent_id, app_id, run_id }, "scope")?,
        limit: limit.unwrap_or(memories::DEFAULT_PAGE),
        options: graph::options(partner.as_deref(), include_superseded, None)?,
    };
    Ok(Json(graph::clusters(app.engine()?.clusters(&caller, request).await?)))
}
