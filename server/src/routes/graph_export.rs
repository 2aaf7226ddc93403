//! Handler of exports of a graph: the memories of a scope as nodes, their links and evidence as edges, in one document.
//!
//! Invariant: bounded memory, but for the ids of the exported memories. Pages are read one at a time, with back-pressure
//! from the client. An export that breaks off is no document: its end is missing.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engrain::wire::{GraphFormat, Scope as WireScope};
use memory_core::graph::GraphExport;
use memory_core::{Engine, Error};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::convert::graphml::GraphWriter;
use crate::convert::{graph, scope};
use crate::extract::QueryString;
use crate::problem::{Problem, causes};

/// Bytes of a piece of the answer, at which it is sent.
const BYTES_PER_PIECE: usize = 64 * 1024;
/// Pieces buffered for the client.
const PIECES_WAITING: usize = 2;

/// Query string of [`export_graph`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphExportQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
    /// Format: `json` as NetworkX reads it, or `graphml`. Default: `json`.
    #[param(inline)]
    format: Option<GraphFormat>,
    /// Name of the person to whom it will be told: memories said in confidence to others are left out. Default: nobody, and
    /// nothing is left out.
    partner: Option<String>,
    /// True to include memories whose validity has ended. Default: false.
    include_superseded: Option<bool>,
    /// True for the texts of the memories. Default: false.
    texts: Option<bool>,
}

/// Export the graph of a scope
///
/// Returns the memories of a scope as nodes, and links and evidence between them as edges, as one JSON object or as GraphML.
/// Expired memories are left out. An export that breaks off is no valid document. In GraphML, a control character that XML
/// has no form for is written as its picture (U+0001 as U+2401). A change made during the export may or may not be
/// included; every edge leads between two of the nodes.
#[utoipa::path(
    get,
    path = "/v1/graph/export",
    tag = "graph",
    params(GraphExportQuery),
    responses((status = 200, description = "The graph: a `GraphDocument`, or GraphML as `application/graphml+xml`", body = engrain::wire::GraphDocument, example = json!({
        "directed": true, "multigraph": true,
        "nodes": [
            {"id": "01890a5d-ac96-774b-bcce-b30209900003", "kind": "fact"},
            {"id": "01890a5d-ac96-774b-bcce-b30209900004", "kind": "fact"}
        ],
        "edges": [{
            "source": "01890a5d-ac96-774b-bcce-b30209900003", "target": "01890a5d-ac96-774b-bcce-b30209900004",
            "type": "link", "relation": "supports", "weight": 0.8
        }]
    })))
)]
pub(crate) async fn export_graph(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Extension(admission): Extension<Admission>,
    QueryString(query): QueryString<GraphExportQuery>,
) -> Result<Response, Problem> {
    let GraphExportQuery { user_id, agent_id, app_id, run_id, format, partner, include_superseded, texts } =
        query;
    let scope = scope(&WireScope { user_id, agent_id, app_id, run_id }, "scope")?;
    let options = graph::options(partner.as_deref(), include_superseded, texts)?;
    let slot = app.exports().take()?;
    let engine = Arc::clone(app.engine()?);
    let export = engine.export_graph(&caller, &scope, &options).await?;

    let format = format.unwrap_or_default();
    let (pieces, mut taken) = mpsc::channel(PIECES_WAITING);
    let time_out = app.config().limits.admin_timeout();
    let work = async move {
        let _places = (admission, slot);
        let error = match tokio::time::timeout(time_out, run(&engine, export, format, &pieces)).await {
            Ok(Ok(()) | Err(Cut::ClientGone)) => return,
            Ok(Err(Cut::Engine(error))) => causes(&error),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::error!(error, "an export of a graph broke off");
        let _ = pieces.send(Err(io::Error::other("the export broke off"))).await;
    };
    tokio::spawn(work);
    let media_type = match format {
        GraphFormat::Json => "application/json",
        GraphFormat::GraphMl => "application/graphml+xml",
    };
    let body = Body::from_stream(futures::stream::poll_fn(move |context| taken.poll_recv(context)));
    Ok(([(header::CONTENT_TYPE, media_type)], body).into_response())
}

/// Cause of an incomplete export.
enum Cut {
    ClientGone,
    Engine(Error),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Cut::Engine(error)
    }
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

async fn run(
    engine: &Engine,
    mut export: GraphExport,
    format: GraphFormat,
    pieces: &Pieces,
) -> Result<(), Cut> {
    let mut writer = GraphWriter::begin(format);
    while let Some(nodes) = export.nodes(engine).await? {
        for node in nodes {
            writer.node(&graph::node(node));
            send(&mut writer, BYTES_PER_PIECE, pieces).await?;
        }
    }
    writer.end_nodes();
    while let Some(edges) = export.edges(engine).await? {
        for edge in edges {
            writer.edge(&graph::edge(edge));
            send(&mut writer, BYTES_PER_PIECE, pieces).await?;
        }
    }
    writer.end();
    send(&mut writer, 0, pieces).await
}

/// Sends what is written, once it is at least so long.
async fn send(writer: &mut GraphWriter, least: usize, pieces: &Pieces) -> Result<(), Cut> {
    if writer.unsent.len() < least {
        return Ok(());
    }
    let bytes = std::mem::take(&mut writer.unsent);
    pieces.send(Ok(bytes.into())).await.map_err(|_| Cut::ClientGone)
}
