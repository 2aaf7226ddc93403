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
use engrain::wire::{EXPORT_FORMAT, ExportLine, ExportedOwner, Scope as WireScope};
use memory_core::domain::scope::{Caller, Owner, OwnerKind, Scope};
use memory_core::store::{OwnerEntry, StoreError};
use memory_core::{Engine, Error};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::App;
use crate::admission::Admission;
use crate::auth::Authenticated;
use crate::condition::StoreFault;
use crate::convert::thinking::profile_name;
use crate::convert::{archive, forgetting, responses, scope};
use crate::extract::QueryString;
use crate::problem::{Code, Problem, causes};

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
/// all their versions, derivations and links, and the owners' profiles of thinking, time zones and forgetting policies. The
/// last line is
/// `{"record": "end", …}`; an export without it is incomplete. It counts memories that are left out because they cannot be
/// read (`unreadable`), and `incomplete` has the code of a failure that left out more. `engrain import` reads the file
/// back. A change made during the export may or may not be included.
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
        let mut export = Export {
            engine,
            caller,
            lines,
            records: 0,
            unreadable: 0,
            met_damage: false,
            incomplete: None,
            unsent: Vec::new(),
        };
        let ended = tokio::time::timeout(time_out, export.run(whose, first)).await;
        if export.met_damage {
            app.condition().note(StoreFault::Damaged);
        }
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
    /// True once damaged pages were met.
    met_damage: bool,
    /// Code of the failure because of which something is missing that is not counted.
    incomplete: Option<String>,
    /// Lines that are not sent yet.
    unsent: Vec<u8>,
}

impl Export {
    async fn run(&mut self, whose: Option<Scope>, first: Vec<OwnerEntry>) -> Result<(), Cut> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&ExportLine::Header { format: EXPORT_FORMAT, engrain: version }).await?;
        let went = match whose {
            Some(scope) => self.memories_of(&scope).await,
            None => self.everyone(first).await,
        };
        self.go_on(went)?;
        let (records, unreadable, incomplete) = (self.records, self.unreadable, self.incomplete.take());
        self.send(&ExportLine::End { records, unreadable, incomplete }).await
    }

    /// Goes on after damage, which the end line tells: what can be read is worth having.
    fn go_on(&mut self, went: Result<(), Cut>) -> Result<(), Cut> {
        match went {
            Err(Cut::Engine(Error::Store(error @ (StoreError::Damaged(_) | StoreError::Corrupt { .. })))) => {
                tracing::error!(error = causes(&error), "a part of an export cannot be read");
                self.met_damage |= matches!(error, StoreError::Damaged(_));
                self.incomplete = Some(Code::StoreDamaged.as_str().to_owned());
                Ok(())
            }
            went => went,
        }
    }

    async fn everyone(&mut self, first: Vec<OwnerEntry>) -> Result<(), Cut> {
        let mut page = first;
        while let Some(last) = page.last().map(|entry| entry.partition) {
            for entry in &page {
                let went = self.memories_of(&scope_of(&entry.owner)).await;
                self.go_on(went)?;
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
        let policy = self.engine.forgetting_policy(&self.caller, scope)?;
        let forgetting = policy.is_own.then(|| forgetting::wire_policy(&policy.policy));
        // Before the memories: after a sweep in between, the copy draws once more, and not once less.
        let checked_at = self.engine.archived_check(&self.caller, scope).await?;
        self.send(&ExportLine::Owner(ExportedOwner {
            scope: scope_of_owner,
            thinking,
            timezone,
            forgetting,
            forgetting_checked_at: checked_at.map(|at| at.to_string()),
        }))
        .await?;
        let (mut after, mut sessions) = (None, Vec::new());
        loop {
            // Ids ascend in the order of creation: sources come before the memories derived from them.
            let page = self.engine.archive_page(&self.caller, scope, after, MEMORIES_PER_PAGE).await?;
            after = page.last;
            self.unreadable += page.unreadable;
            self.met_damage |= page.met_damage;
            for some in page.ids.chunks(MEMORIES_PER_READ) {
                let read = self.engine.archived(&self.caller, scope, some, &mut sessions).await?;
                self.unreadable += read.unreadable;
                self.met_damage |= read.met_damage;
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
