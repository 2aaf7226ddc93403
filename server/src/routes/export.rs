//! Handler of exports: the memories of one owner or of the whole tenant with all that belongs to them, one JSON object per
//! line (format 2, ADR 0041).
//!
//! Invariant: bounded memory. Pages are read one at a time, with back-pressure from the client; a client that
//! disconnects ends the export. The last line has the number of records, so that an incomplete export can be detected.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engrain::wire::{EXPORT_FORMAT, ExportLine, Scope as WireScope};
use memory_core::domain::scope::{Caller, Owner, OwnerKind, Scope};
use memory_core::store::OwnerEntry;
use memory_core::{Engine, Error};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::convert::thinking::profile_name;
use crate::convert::{archive, responses, scope};
use crate::extract::QueryString;
use crate::problem::{Problem, causes};

/// Ids of memories per page.
const MEMORIES_PER_PAGE: u32 = 1_000;
/// Memories that are read at a time; each version of each may be a megabyte.
const MEMORIES_PER_READ: usize = 16;
/// Bytes of a piece of the answer, at which it is sent.
const BYTES_PER_PIECE: usize = 64 * 1024;
/// Owners per page.
const OWNERS_PER_PAGE: u32 = 200;
/// Pieces buffered for the client.
const PIECES_WAITING: usize = 2;

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
/// Returns one JSON object per line, for the scope of the given ids, or for all owners without ids: turns, memories with
/// all their versions, derivations and links, and the owners' profiles of thinking and time zones. The last line is
/// `{"record": "end", …}`; an export without it is incomplete. `engrain import` reads the file back. A change made
/// during the export may or may not be included.
#[utoipa::path(
    get,
    path = "/v1/export",
    tag = "admin",
    params(ExportQuery),
    responses((status = 200, description = "Export, one JSON object per line", body = String, content_type = "application/x-ndjson", example = json!(
        "{\"record\":\"header\",\"format\":2,\"engrain\":\"0.1.0\"}\n{\"record\":\"end\",\"records\":0}\n"
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
    let slot = app.exports().take()?;
    let engine = Arc::clone(app.engine()?);
    let first = engine.owners(&caller, None, OWNERS_PER_PAGE).await?; // also asks whether the caller may read

    let (lines, mut taken) = mpsc::channel(PIECES_WAITING);
    let time_out = app.config().limits.admin_timeout();
    let work = async move {
        let _places = (admission, slot);
        let mut export = Export { engine, caller, lines, records: 0, unreadable: 0, unsent: Vec::new() };
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
    /// Lines that are not sent yet.
    unsent: Vec<u8>,
}

impl Export {
    async fn run(&mut self, whose: Option<Scope>, first: Vec<OwnerEntry>) -> Result<(), Cut> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&ExportLine::Header { format: EXPORT_FORMAT, engrain: version }).await?;
        match whose {
            Some(scope) => self.memories_of(&scope).await?,
            None => self.everyone(first).await?,
        }
        self.send(&ExportLine::End { records: self.records, unreadable: self.unreadable }).await
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
        let thinking = self.engine.thinking(&self.caller, scope).await?;
        let thinking = thinking.is_own.then(|| profile_name(thinking.profile));
        let zone = self.engine.timezone(&self.caller, scope)?;
        let timezone = zone.is_own.then(|| zone.zone.name());
        let scope_of_owner = responses::owner_scope(&owner);
        self.send(&ExportLine::Owner { scope: scope_of_owner, thinking, timezone }).await?;
        let (mut after, mut sessions) = (None, Vec::new());
        loop {
            // What is derived comes after what it is derived from.
            let page = self.engine.archive_page(&self.caller, scope, after, MEMORIES_PER_PAGE).await?;
            after = page.ids.last().copied();
            self.unreadable += page.unreadable;
            for some in page.ids.chunks(MEMORIES_PER_READ) {
                let read = self.engine.archived(&self.caller, scope, some, &mut sessions).await?;
                self.unreadable += read.unreadable;
                for archived in read.memories {
                    self.records += 1;
                    self.send(&archive::line(archived)).await?;
                }
            }
            if !page.has_more || after.is_none() {
                return Ok(());
            }
        }
    }

    /// Sends a line, together with those before it, once they are long enough.
    async fn send(&mut self, line: &ExportLine) -> Result<(), Cut> {
        // The wire's types have string keys only: they can always be written.
        if serde_json::to_writer(&mut self.unsent, line).is_ok() {
            self.unsent.push(b'\n');
        }
        if self.unsent.len() < BYTES_PER_PIECE && !matches!(line, ExportLine::End { .. }) {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.unsent);
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
