//! Conversion of requests that add turns or finished memories.

use engrain::wire;
use memory_core::domain::change::Idempotency;
use memory_core::domain::memory::{DocumentName, Happened, Kind};
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::remember::request::{MemoryToRemember, RememberMemories, RememberTurns, TurnToRemember};

use super::fields::{self, ZoneOf, scope};

/// Session of turns whose request names none.
const DEFAULT_SESSION: &str = "default";

/// Conversion of `POST /v1/turns`.
pub(crate) fn turns(
    request: wire::AddTurns,
    idempotency: Option<Idempotency>,
    zone_of: &ZoneOf<'_>,
) -> Result<RememberTurns, Error> {
    let scope = scope(&request.scope, "scope")?;
    let session = fields::name(request.session.as_deref().unwrap_or(DEFAULT_SESSION), "session")?;
    let turns = new_turns(request.turns, &zone_of(&scope))?;
    let visibility = fields::visibility(request.visibility.unwrap_or_default());
    let again = request.again;
    Ok(RememberTurns { scope, session, turns, visibility, again, idempotency })
}

/// Turns of a request, in order, with bare dates read in `zone`.
pub(crate) fn new_turns(turns: Vec<wire::NewTurn>, zone: &Zone) -> Result<Vec<TurnToRemember>, Error> {
    turns.into_iter().enumerate().map(|(index, turn)| self::turn(turn, zone, index)).collect()
}

fn turn(turn: wire::NewTurn, zone: &Zone, index: usize) -> Result<TurnToRemember, Error> {
    let path = |field: &str| format!("turns[{index}].{field}");
    let (said_at, utc_offset) = fields::local_time(turn.said_at.as_deref(), zone, &path("said_at"))?;
    Ok(TurnToRemember {
        role: fields::role(turn.role),
        text: turn.text,
        key: fields::optional_name(turn.key.as_deref(), &path("key"))?,
        position: turn.position,
        author: fields::optional_name(turn.author.as_deref(), &path("author"))?,
        utc_offset,
        said_at,
        participants: fields::names(&turn.participants, &path("participants"))?,
        place: fields::optional_name(turn.place.as_deref(), &path("place"))?,
        audience: fields::names(&turn.audience, &path("audience"))?,
        tags: fields::names(&turn.tags, &path("tags"))?,
        metadata: fields::metadata(turn.metadata, &path("metadata"))?,
        importance: turn.importance,
        expires_at: fields::optional_time(turn.expires_at.as_deref(), zone, &path("expires_at"))?,
        vector: turn.vector,
    })
}

/// Conversion of `POST /v1/memories`.
pub(crate) fn memories(
    request: wire::AddMemories,
    idempotency: Option<Idempotency>,
    zone_of: &ZoneOf<'_>,
) -> Result<RememberMemories, Error> {
    let scope = scope(&request.scope, "scope")?;
    let zone = zone_of(&scope);
    let memories = request.memories.into_iter().enumerate();
    let memories =
        memories.map(|(index, memory)| self::memory(memory, &zone, index)).collect::<Result<_, _>>()?;
    Ok(RememberMemories { scope, memories, again: request.again, idempotency })
}

fn memory(memory: wire::NewMemory, zone: &Zone, index: usize) -> Result<MemoryToRemember, Error> {
    let path = |field: &str| format!("memories[{index}].{field}");
    let document = memory.document.as_ref().map(|name| document(name, &path)).transpose()?;
    Ok(MemoryToRemember {
        key: fields::optional_name(memory.key.as_deref(), &path("key"))?,
        kind: kind(memory.kind, document.is_some()),
        happened: happened(memory.happened_at.as_deref(), memory.happened_until.as_deref(), zone, &path)?,
        valid: fields::valid(memory.valid_from.as_deref(), memory.valid_to.as_deref(), zone, &path)?,
        text: memory.text,
        document,
        subjects: fields::names(&memory.subjects, &path("subjects"))?,
        audience: fields::names(&memory.audience, &path("audience"))?,
        statement: memory.statement.map(|it| fields::statement(&it, &path("statement"))).transpose()?,
        tags: fields::names(&memory.tags, &path("tags"))?,
        metadata: fields::metadata(memory.metadata, &path("metadata"))?,
        sources: memory.sources,
        links: fields::links(memory.links, &path("links"))?,
        expires_at: fields::optional_time(memory.expires_at.as_deref(), zone, &path("expires_at"))?,
        importance: memory.importance,
        visibility: fields::visibility(memory.visibility.unwrap_or_default()),
        vector: memory.vector,
    })
}

fn document(name: &wire::DocumentName, path: &dyn Fn(&str) -> String) -> Result<DocumentName, Error> {
    Ok(DocumentName {
        namespace: fields::name(&name.namespace, &path("document.namespace"))?,
        key: fields::name(&name.key, &path("document.key"))?,
    })
}

/// Kind of a memory. Default: a document if it is named, otherwise a fact.
fn kind(kind: Option<wire::Kind>, is_named: bool) -> Kind {
    match kind {
        Some(wire::Kind::Turn) => Kind::Turn,
        Some(wire::Kind::Thought) => Kind::Thought,
        Some(wire::Kind::Note) => Kind::Note,
        Some(wire::Kind::Digest) => Kind::Digest,
        Some(wire::Kind::Document) => Kind::Document,
        Some(wire::Kind::Fact) => Kind::Fact,
        None if is_named => Kind::Document,
        None => Kind::Fact,
    }
}

fn happened(
    at: Option<&str>,
    until: Option<&str>,
    zone: &Zone,
    path: &dyn Fn(&str) -> String,
) -> Result<Option<Happened>, Error> {
    let (at, offset) = fields::local_time(at, zone, &path("happened_at"))?;
    let until = fields::optional_time(until, zone, &path("happened_until"))?;
    match (at, until) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::invalid(path("happened_at"), "is required with happened_until")),
        (Some(at), until) => Ok(Some(Happened { at, until, offset })),
    }
}
