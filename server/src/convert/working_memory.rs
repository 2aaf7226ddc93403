//! Conversion of working memory and of closed sessions.

use engrain::wire;
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::working::request::ReadWorkingMemory;
use memory_core::working::response::{ClosedSession, OpenThread, RecalledEarlier, WorkingMemory};
use memory_core::working::threads::ThreadKind;

use super::fields;
use super::recall::context;
use super::responses::{memory, session};

/// Key of a session in a path.
pub(crate) fn session_key(text: &str) -> Result<Name, Error> {
    fields::name(text, "key")
}

/// Fields of a query string besides its scope.
pub(crate) struct QueryFields<'a> {
    pub(crate) partner: Option<&'a str>,
    pub(crate) now: Option<&'a str>,
}

/// Conversion of `GET /v1/sessions/{key}/working-memory`, for the scope and its zone.
pub(crate) fn working_memory_request(
    scope: Scope,
    key: &str,
    budget_tokens: u32,
    fields: &QueryFields<'_>,
    zone: Zone,
) -> Result<ReadWorkingMemory, Error> {
    Ok(ReadWorkingMemory {
        scope,
        session: session_key(key)?,
        budget_tokens,
        partner: fields::optional_name(fields.partner, "partner")?,
        now: fields::optional_time(fields.now, &zone, "now")?,
        zone,
    })
}

/// Response of `GET /v1/sessions/{key}/working-memory`.
pub(crate) fn working_memory(read: WorkingMemory) -> wire::WorkingMemory {
    wire::WorkingMemory {
        session: session(read.session),
        turns: read.turns.into_iter().map(memory).collect(),
        turns_left_out: read.turns_left_out,
        recalled: read.recalled.into_iter().map(recalled).collect(),
        recalled_left_out: read.recalled_left_out,
        threads: read.threads.into_iter().map(thread).collect(),
        digest: read.digest.map(memory),
        context: context(read.context),
    }
}

fn recalled(one: RecalledEarlier) -> wire::RecalledEarlier {
    wire::RecalledEarlier {
        memory: memory(one.memory),
        value: one.value,
        recalled_at: one.recalled_at.to_string(),
        recalls: one.recalls,
    }
}

fn thread(thread: OpenThread) -> wire::OpenThread {
    wire::OpenThread {
        memory_id: thread.memory.0,
        kind: match thread.kind {
            ThreadKind::Question => wire::ThreadKind::Question,
            ThreadKind::Promise => wire::ThreadKind::Promise,
            ThreadKind::Request => wire::ThreadKind::Request,
        },
        said_by: thread.said_by,
        said_at: thread.said_at.to_string(),
        text: thread.text,
    }
}

/// Response of `POST /v1/sessions/{key}/close`.
pub(crate) fn closed_session(closed: ClosedSession) -> wire::ClosedSession {
    wire::ClosedSession { session: session(closed.session), asks_digest: closed.asks_digest }
}
