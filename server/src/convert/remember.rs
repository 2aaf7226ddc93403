//! Requests to remember: turns, and finished memories.

use engrain::wire;
use memory_core::domain::change::Idempotency;
use memory_core::domain::memory::{DocumentName, Happened, Kind};
use memory_core::domain::time::Timestamp;
use memory_core::error::Error;
use memory_core::limits::Limits;
use memory_core::remember::request::{MemoryToRemember, RememberMemories, RememberTurns, TurnToRemember};

use super::fields::{self, scope};

/// The session of turns that name none.
const DEFAULT_SESSION: &str = "default";

/// Turns to remember.
pub(crate) fn turns(
    request: wire::AddTurns,
    idempotency: Option<Idempotency>,
    limits: &Limits,
) -> Result<RememberTurns, Error> {
    let scope = scope(&request.scope, "scope")?;
    let session = fields::name(request.session.as_deref().unwrap_or(DEFAULT_SESSION), "session")?;
    some_but_not_too_many(request.turns.len(), "turns", "the number of turns", limits.turns_per_call)?;
    total_text(request.turns.iter().map(|turn| turn.text.len()), "turns", limits)?;
    let turns = request.turns.into_iter().enumerate();
    let turns = turns.map(|(at, turn)| self::turn(turn, at, limits)).collect::<Result<_, _>>()?;
    let visibility = fields::visibility(request.visibility.unwrap_or_default());
    Ok(RememberTurns { scope, session, turns, visibility, idempotency })
}

fn turn(turn: wire::NewTurn, at: usize, limits: &Limits) -> Result<TurnToRemember, Error> {
    let path = |field: &str| format!("turns[{at}].{field}");
    let list = limits.names_per_list;
    fields::text(&turn.text, &path("text"), "a text's length in bytes", limits.text_bytes)?;
    Ok(TurnToRemember {
        role: fields::role(turn.role),
        text: turn.text,
        key: fields::optional_name(turn.key.as_deref(), &path("key"))?,
        author: fields::optional_name(turn.author.as_deref(), &path("author"))?,
        said_at: fields::optional_moment(turn.said_at.as_deref(), &path("said_at"))?,
        participants: fields::names(
            &turn.participants,
            &path("participants"),
            "the number of participants",
            list,
        )?,
        place: fields::optional_name(turn.place.as_deref(), &path("place"))?,
        tags: fields::names(&turn.tags, &path("tags"), "the number of tags", list)?,
        metadata: fields::metadata(turn.metadata, &path("metadata"))?,
        importance: fields::importance(turn.importance, &path("importance"))?,
        expires_at: fields::optional_moment(turn.expires_at.as_deref(), &path("expires_at"))?,
        vector: fields::vector(turn.vector, &path("vector"))?,
    })
}

/// Finished memories to remember.
pub(crate) fn memories(
    request: wire::AddMemories,
    idempotency: Option<Idempotency>,
    limits: &Limits,
) -> Result<RememberMemories, Error> {
    let scope = scope(&request.scope, "scope")?;
    let found = request.memories.len();
    some_but_not_too_many(found, "memories", "the number of memories", limits.memories_per_call)?;
    total_text(request.memories.iter().map(|memory| memory.text.len()), "memories", limits)?;
    let memories = request.memories.into_iter().enumerate();
    let memories = memories.map(|(at, memory)| self::memory(memory, at, limits)).collect::<Result<_, _>>()?;
    Ok(RememberMemories { scope, memories, idempotency })
}

fn memory(memory: wire::NewMemory, at: usize, limits: &Limits) -> Result<MemoryToRemember, Error> {
    let path = |field: &str| format!("memories[{at}].{field}");
    let list = limits.names_per_list;
    fields::text(&memory.text, &path("text"), "a text's length in bytes", limits.text_bytes)?;
    let sources = limits.sources_per_memory;
    fields::count(memory.sources.len(), &path("sources"), "the number of sources", sources)?;
    let document = memory.document.as_ref().map(|name| document(name, &path)).transpose()?;
    Ok(MemoryToRemember {
        kind: kind(memory.kind, document.is_some(), &path)?,
        happened: happened(memory.happened_at.as_deref(), memory.happened_until.as_deref(), &path)?,
        valid: fields::valid(memory.valid_from.as_deref(), memory.valid_to.as_deref(), &path)?,
        text: memory.text,
        document,
        subjects: fields::names(&memory.subjects, &path("subjects"), "the number of subjects", list)?,
        tags: fields::names(&memory.tags, &path("tags"), "the number of tags", list)?,
        metadata: fields::metadata(memory.metadata, &path("metadata"))?,
        sources: memory.sources,
        links: fields::links(memory.links, &path("links"), limits.links_per_memory)?,
        expires_at: fields::optional_moment(memory.expires_at.as_deref(), &path("expires_at"))?,
        importance: fields::importance(memory.importance, &path("importance"))?,
        visibility: fields::visibility(memory.visibility.unwrap_or_default()),
        vector: fields::vector(memory.vector, &path("vector"))?,
    })
}

fn document(name: &wire::DocumentName, path: &dyn Fn(&str) -> String) -> Result<DocumentName, Error> {
    Ok(DocumentName {
        namespace: fields::name(&name.namespace, &path("document.namespace"))?,
        key: fields::name(&name.key, &path("document.key"))?,
    })
}

fn kind(kind: Option<wire::Kind>, is_named: bool, path: &dyn Fn(&str) -> String) -> Result<Kind, Error> {
    match (kind, is_named) {
        (Some(wire::Kind::Turn), _) => {
            Err(Error::invalid(path("kind"), "must not be turn: turns go to /v1/turns"))
        }
        (Some(wire::Kind::Document), false) => {
            Err(Error::invalid(path("document"), "must be there: a document needs a name"))
        }
        (Some(wire::Kind::Fact | wire::Kind::Note), true) => {
            Err(Error::invalid(path("document"), "must not be there: only a document has a name"))
        }
        (Some(wire::Kind::Document) | None, true) => Ok(Kind::Document),
        (Some(wire::Kind::Fact) | None, false) => Ok(Kind::Fact),
        (Some(wire::Kind::Note), false) => Ok(Kind::Note),
    }
}

fn happened(
    at: Option<&str>,
    until: Option<&str>,
    path: &dyn Fn(&str) -> String,
) -> Result<Option<Happened>, Error> {
    let at = fields::optional_moment(at, &path("happened_at"))?;
    let until = fields::optional_moment(until, &path("happened_until"))?;
    let is_before = |until: Timestamp, at: Timestamp| until < at;
    match (at, until) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::invalid(path("happened_at"), "must be there if happened_until is")),
        (Some(at), Some(until)) if is_before(until, at) => {
            Err(Error::invalid(path("happened_until"), "must not be before happened_at"))
        }
        (Some(at), until) => Ok(Some(Happened { at, until })),
    }
}

fn some_but_not_too_many(found: usize, path: &str, what: &'static str, limit: usize) -> Result<(), Error> {
    if found == 0 {
        return Err(Error::invalid(path, "must not be empty"));
    }
    fields::count(found, path, what, limit)
}

fn total_text(lengths: impl Iterator<Item = usize>, path: &str, limits: &Limits) -> Result<(), Error> {
    fields::count(lengths.sum(), path, "the length of all texts in bytes", limits.text_bytes_per_call)
}
