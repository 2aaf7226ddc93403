//! Handler of exports: the memories of one owner or of the whole tenant, one JSON object per line.
//!
//! Invariant: bounded memory. Pages are read one at a time, with back-pressure from the client; a client that
//! disconnects ends the export. The last line has the number of records, so that an incomplete export can be detected.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engrain::wire::{ExportLine, Scope as WireScope};
use memory_core::domain::derivation::Source;
use memory_core::domain::filter::Filter;
use memory_core::domain::id::TurnId;
use memory_core::domain::memory::Memory;
use memory_core::domain::scope::{Caller, Owner, OwnerKind, Scope};
use memory_core::domain::turn::Turn;
use memory_core::memories::request::ListMemories;
use memory_core::store::OwnerEntry;
use memory_core::{Engine, Error};
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::convert::{responses, scope};
use crate::extract::QueryString;
use crate::problem::{Problem, causes};

/// Memories per page; each may be a megabyte.
const MEMORIES_PER_PAGE: u32 = 64;
/// Owners per page.
const OWNERS_PER_PAGE: u32 = 200;
/// Pages buffered for the client.
const PAGES_WAITING: usize = 2;
/// Version of the export format.
const FORMAT: u32 = 1;

/// Query string of [`export`].
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// User id.
    user_id: Option<String>,
    /// Agent id.
    agent_id: Option<String>,
    /// Application id.
    app_id: Option<String>,
    /// Run id.
    run_id: Option<String>,
}

/// Export memories
///
/// Returns one JSON object per line, for the scope of the given ids, or for all owners without ids. The last line is
/// `{"record": "end", …}`; an export without it is incomplete. `engrain import` reads the file back. A change made
/// during the export may or may not be included.
#[utoipa::path(
    get,
    path = "/v1/export",
    tag = "admin",
    params(ExportQuery),
    responses((status = 200, description = "Export, one JSON object per line", body = String, content_type = "application/x-ndjson", example = json!(
        "{\"record\":\"header\",\"format\":1,\"engrain\":\"0.1.0\"}\n{\"record\":\"end\",\"records\":0}\n"
    )))
)]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Extension(admission): Extension<Admission>,
    QueryString(query): QueryString<ExportQuery>,
) -> Result<Response, Problem> {
    let ExportQuery { user_id, agent_id, app_id, run_id } = query;
    let ids = WireScope { user_id, agent_id, app_id, run_id };
    let whose = if ids == WireScope::default() { None } else { Some(scope(&ids, "scope")?) };
    let engine = Arc::clone(app.engine()?);
    let first = engine.owners(&caller, None, OWNERS_PER_PAGE).await?; // also asks whether the caller may read

    let (lines, mut taken) = mpsc::channel(PAGES_WAITING);
    let time_out = app.config().limits.admin_timeout();
    let work = async move {
        let _place = admission;
        let mut export = Export { engine, caller, lines, records: 0, unreadable: 0 };
        let ended = tokio::time::timeout(time_out, export.run(whose, first)).await;
        let error = match ended {
            Ok(Ok(()) | Err(Cut::ClientGone)) => return,
            Ok(Err(Cut::Engine(error))) => causes(&error),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::error!(error, records = export.records, "an export broke off");
        let _ = export.lines.send(Err(io::Error::other("the export broke off"))).await;
    };
    tokio::spawn(work);
    let body = Body::from_stream(futures::stream::poll_fn(move |context| taken.poll_recv(context)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
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

struct Export {
    engine: Arc<Engine>,
    caller: Caller,
    lines: mpsc::Sender<io::Result<Bytes>>,
    records: u64,
    unreadable: u64,
}

impl Export {
    async fn run(&mut self, whose: Option<Scope>, first: Vec<OwnerEntry>) -> Result<(), Cut> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&[ExportLine::Header { format: FORMAT, engrain: version }]).await?;
        match whose {
            Some(scope) => self.memories_of(&scope).await?,
            None => self.everyone(first).await?,
        }
        self.send(&[ExportLine::End { records: self.records, unreadable: self.unreadable }]).await
    }

    async fn everyone(&mut self, first: Vec<OwnerEntry>) -> Result<(), Cut> {
        let mut page = first;
        while let Some(last) = page.last().map(|entry| entry.partition) {
            for entry in &page {
                self.memories_of(&scope_of(&entry.owner)).await?;
            }
            page = self.engine.owners(&self.caller, Some(last), OWNERS_PER_PAGE).await?;
        }
        Ok(())
    }

    async fn memories_of(&mut self, scope: &Scope) -> Result<(), Cut> {
        let Some(owner) = scope.owner() else {
            return Ok(());
        };
        self.send(&[ExportLine::Owner { scope: responses::owner_scope(&owner) }]).await?;
        let mut after = None;
        loop {
            let request = ListMemories {
                scope: scope.clone(),
                filter: Filter::everything(),
                newest_first: false, // what is derived comes after what it is derived from
                limit: MEMORIES_PER_PAGE,
                after,
            };
            let page = self.engine.list(&self.caller, request).await?;
            after = page.last;
            self.unreadable += page.unreadable;
            let lines = self.lines_of(scope, page.memories).await?;
            self.records += lines.len() as u64;
            self.send(&lines).await?;
            if !page.has_more || after.is_none() {
                return Ok(());
            }
        }
    }

    async fn lines_of(&self, scope: &Scope, memories: Vec<Memory>) -> Result<Vec<ExportLine>, Error> {
        let ids: Vec<TurnId> =
            memories.iter().filter_map(|memory| Some(memory.origin.as_ref()?.turn)).collect();
        let mut turns: HashMap<TurnId, Turn> = HashMap::new();
        if !ids.is_empty() {
            let found = self.engine.turns(&self.caller, scope, &ids).await?;
            turns.extend(found.into_iter().map(|turn| (turn.id, turn)));
        }
        let mut lines = Vec::with_capacity(memories.len());
        for memory in memories {
            let said = memory.origin.as_ref().and_then(|origin| {
                let session = (origin.session.0, origin.session_key.as_str());
                Some(responses::turn(turns.remove(&origin.turn)?, session))
            });
            lines.push(match said {
                Some(turn) => ExportLine::Turn { turn, memory: responses::memory(memory) },
                None => {
                    let sources = self.sources_of(&memory).await?;
                    ExportLine::Memory { memory: responses::memory(memory), sources }
                }
            });
        }
        Ok(lines)
    }

    async fn sources_of(&self, memory: &Memory) -> Result<Vec<Uuid>, Error> {
        if memory.derivation.is_none() {
            return Ok(Vec::new());
        }
        let derivation = self.engine.derivation(&self.caller, memory.id).await?;
        let inputs = derivation.into_iter().flat_map(|derivation| derivation.inputs);
        let evidence = inputs.filter(|input| input.is_evidence).map(|input| match input.source {
            Source::Turn(id) => id.0,
            Source::Memory(id) => id.0,
        });
        Ok(evidence.collect())
    }

    async fn send(&self, lines: &[ExportLine]) -> Result<(), Cut> {
        let mut bytes = Vec::new();
        for line in lines {
            // The wire's types have string keys only: they can always be written.
            if serde_json::to_writer(&mut bytes, line).is_ok() {
                bytes.push(b'\n');
            }
        }
        self.lines.send(Ok(bytes.into())).await.map_err(|_| Cut::ClientGone)
    }
}

fn scope_of(owner: &Owner) -> Scope {
    let id = Some(owner.id.clone());
    match owner.kind {
        OwnerKind::User => Scope { user: id, ..Scope::default() },
        OwnerKind::Agent => Scope { agent: id, ..Scope::default() },
        OwnerKind::App => Scope { app: id, ..Scope::default() },
        OwnerKind::Run => Scope { run: id, ..Scope::default() },
    }
}
