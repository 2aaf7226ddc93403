//! Operations on the graph of memories.

use tokio::io::{AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use super::pages::scoped;
use super::transport::{Pace, Request};
use super::{Client, Error};
use crate::wire::{GraphClusters, GraphDirection, GraphFormat, GraphNeighbours, GraphPath, Scope};

/// Query of [`Client::neighbours`]. Default: the server's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeighboursQuery {
    /// Maximum number of hops, 1 to 3.
    pub hops: Option<u8>,
    /// Relation of the edges to follow. Default: all.
    pub relation: Option<String>,
    /// Directions in which edges are followed.
    pub direction: Option<GraphDirection>,
    /// Maximum number of neighbours.
    pub limit: Option<u32>,
    /// Rules of the answer.
    pub options: GraphOptions,
}

/// What an answer about a graph lets through and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphOptions {
    /// Conversation partner to whom the memories must be tellable. Default: the owner's own view.
    pub partner: Option<String>,
    /// True to include memories whose validity has ended.
    pub include_superseded: bool,
    /// True for the texts of the memories. Clusters have none.
    pub texts: bool,
}

impl Client {
    /// Returns the memories near another one.
    pub async fn neighbours(&self, id: Uuid, query: &NeighboursQuery) -> Result<GraphNeighbours, Error> {
        let request = Request::get(format!("v1/memories/{id}/neighbours"))
            .query("hops", query.hops)
            .query("relation", query.relation.as_ref())
            .query("direction", query.direction.map(GraphDirection::as_str))
            .query("limit", query.limit);
        self.json(with(request, &query.options, true)).await
    }

    /// Returns the best path between two memories of one owner: at most `max_hops` edges, 1 to 6. It is empty if there is
    /// none.
    pub async fn path(
        &self,
        (from, to): (Uuid, Uuid),
        max_hops: Option<u8>,
        options: &GraphOptions,
    ) -> Result<GraphPath, Error> {
        let request = Request::get("v1/graph/path").query("from", Some(from)).query("to", Some(to));
        self.json(with(request.query("max_hops", max_hops), options, true)).await
    }

    /// Returns at most `limit` clusters of the memories of a scope, the largest first.
    pub async fn clusters(
        &self,
        scope: &Scope,
        limit: Option<u32>,
        options: &GraphOptions,
    ) -> Result<GraphClusters, Error> {
        let request = scoped(Request::get("v1/graph/clusters"), scope).query("limit", limit);
        self.json(with(request, options, false)).await
    }

    /// Writes the graph of a scope to `target`, flushes it, and returns its size in bytes. After an error the written part
    /// is not a whole document.
    pub async fn export_graph(
        &self,
        scope: &Scope,
        format: GraphFormat,
        options: &GraphOptions,
        target: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, Error> {
        let request = scoped(Request::get("v1/graph/export"), scope).query("format", Some(format.as_str()));
        let mut response = self.send(&with(request, options, true), Pace::Stream).await?;
        let mut bytes = 0;
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            target.write_all(&piece).await.map_err(Error::Write)?;
            bytes += piece.len() as u64;
        }
        target.flush().await.map_err(Error::Write)?;
        Ok(bytes)
    }
}

fn with(request: Request, options: &GraphOptions, has_texts: bool) -> Request {
    let request = request.query("partner", options.partner.as_ref());
    let request = request.query("include_superseded", options.include_superseded.then_some(true));
    request.query("texts", (has_texts && options.texts).then_some(true))
}
