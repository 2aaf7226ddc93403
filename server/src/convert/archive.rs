//! Conversion of exports and of their import.

use engrain::wire::{
    self, ExportLine, ImportRecord, ImportRecords, ImportedRecord, ImportedRecords, MemoryHistory,
    SessionTimes, VersionDerivation,
};
use memory_core::archive::request::{Archived, MemoryToRestore, RestoreMemories};
use memory_core::domain::annotation::Annotation;
use memory_core::domain::derivation::{Derivation, Input, Maker, Source};
use memory_core::domain::id::{DerivationId, JobId, MemoryId, SessionId, TurnId};
use memory_core::domain::memory::{DocumentName, Happened, Kind, Memory, Origin, Strength};
use memory_core::domain::name::Name;
use memory_core::domain::restoration::{Restored, RestoredTurn};
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Turn;
use memory_core::domain::zone::{UtcOffset, Zone};
use memory_core::error::Error;
use uuid::Uuid;

use super::fields::{self, scope};
use super::{archived_retention as retention, provenance, responses};

/// Line of an export.
pub(crate) fn line(archived: Archived) -> ExportLine {
    let sources = sources(&archived);
    let Archived { memory, key, turn, is_pending, earlier, derivations } = archived;
    let derivations = derivations.into_iter().map(|derivation| {
        let versions = earlier.iter().chain([&memory]);
        let versions = versions.filter(|version| version.derivation == Some(derivation.id));
        VersionDerivation {
            id: derivation.id.0,
            versions: versions.map(|version| version.version).collect(),
            record: provenance::record(derivation),
        }
    });
    let derivations = derivations.collect();
    let history = MemoryHistory {
        key: key.as_ref().map(Name::to_string),
        strength: Some(memory.strength.strength),
        nearest_cosine: memory.strength.nearest_cosine,
        learned_at: Some(memory.strength.learned_at.to_string()),
        session: turn.as_ref().map(|(_, session)| SessionTimes {
            started_at: session.started_at.to_string(),
            recorded_at: session.recorded_at.to_string(),
        }),
        uses: retention::uses(&memory.strength.uses),
        pinned: memory.strength.pinned,
        forgotten: memory.forgotten.as_ref().map(retention::forgotten),
        waits: is_pending,
        earlier: earlier.into_iter().map(responses::memory).collect(),
        derivations,
    };
    let memory = responses::memory(memory);
    match turn {
        Some((turn, session)) => ExportLine::Turn {
            turn: responses::turn(turn, (session.id.0, session.key.as_str())),
            memory,
            history,
        },
        None => ExportLine::Memory { memory, sources, history },
    }
}

/// Evidence of the present version. A text that a person edited, or that an undo brought back, has none: what its earlier
/// versions are based on is in the history.
fn sources(archived: &Archived) -> Vec<Uuid> {
    let Some(present) = archived.memory.derivation else { return Vec::new() };
    let derivation = archived.derivations.iter().find(|derivation| derivation.id == present);
    let inputs = derivation.into_iter().flat_map(|derivation| &derivation.inputs);
    let evidence = inputs.filter(|input| input.is_evidence).map(|input| match input.source {
        Source::Turn(id) => id.0,
        Source::Memory(id) => id.0,
    });
    evidence.collect()
}

/// Conversion of `POST /v1/import`.
pub(crate) fn records(request: ImportRecords) -> Result<RestoreMemories, Error> {
    let scope = scope(&request.scope, "scope")?;
    let given = [&scope.user, &scope.agent, &scope.app, &scope.run].into_iter().flatten().count();
    if given > 1 {
        return Err(Error::invalid("scope", "must name the owner by exactly one id"));
    }
    let checked_at = optional_time(request.forgetting_checked_at.as_deref(), "forgetting_checked_at")?;
    let memories = request.records.into_iter().enumerate();
    let memories = memories.map(|(index, record)| self::record(record, index)).collect::<Result<_, _>>()?;
    Ok(RestoreMemories { scope, memories, again: request.again, checked_at })
}

fn record(record: ImportRecord, index: usize) -> Result<MemoryToRestore, Error> {
    let path = |field: &str| format!("records[{index}].{field}");
    let ImportRecord { turn, memory, history } = record;
    let turn = turn.map(|turn| self::turn(turn, &history, &path)).transpose()?;
    let origin = turn.as_ref().map(origin);
    let mut made: std::collections::HashMap<u32, DerivationId> = std::collections::HashMap::new();
    for derivation in &history.derivations {
        made.extend(derivation.versions.iter().map(|version| (*version, DerivationId(derivation.id))));
    }
    let version = |memory: wire::Memory, at: &str| {
        let mut version = self::memory(memory, &|field| path(&format!("{at}.{field}")))?;
        version.derivation = made.get(&version.version).copied();
        version.origin.clone_from(&origin);
        Ok::<_, Error>(version)
    };
    let mut present = version(memory, "memory")?;
    let learned = optional_time(history.learned_at.as_deref(), &path("history.learned_at"))?;
    present.strength.learned_at = learned.unwrap_or(present.happened.at);
    if let Some(uses) = history.uses {
        present.strength.uses = retention::uses_of(uses, &|field| path(&format!("history.uses.{field}")))?;
    }
    present.strength.pinned = history.pinned;
    present.strength.nearest_cosine = history.nearest_cosine;
    let forgotten = history
        .forgotten
        .map(|record| retention::forgotten_of(record, &|field| path(&format!("history.forgotten.{field}"))));
    present.forgotten = forgotten.transpose()?;
    let earlier = history.earlier.into_iter().enumerate();
    let earlier: Vec<Memory> = earlier
        .map(|(number, memory)| {
            let earlier = version(memory, &format!("history.earlier[{number}]"))?;
            // These belong to the memory, not to a version.
            Ok(Memory {
                id: present.id,
                kind: present.kind,
                document: present.document.clone(),
                created_at: present.created_at,
                ..earlier
            })
        })
        .collect::<Result<_, Error>>()?;
    let derivations = history.derivations.into_iter().enumerate();
    let derivations = derivations.map(|(number, derivation)| {
        self::derivation(derivation, &path(&format!("history.derivations[{number}]")))
    });
    Ok(MemoryToRestore {
        strength: history.strength,
        key: fields::optional_name(history.key.as_deref(), &path("history.key"))?,
        derivations: derivations.collect::<Result<_, _>>()?,
        memory: present,
        turn,
        earlier,
    })
}

fn turn(
    turn: wire::Turn,
    history: &MemoryHistory,
    path: &dyn Fn(&str) -> String,
) -> Result<RestoredTurn, Error> {
    let said_at = time(&turn.said_at, &path("turn.said_at"))?;
    let recorded_at = time(&turn.recorded_at, &path("turn.recorded_at"))?;
    let (started_at, session_recorded_at) = match &history.session {
        Some(times) => (
            time(&times.started_at, &path("history.session.started_at"))?,
            time(&times.recorded_at, &path("history.session.recorded_at"))?,
        ),
        None => (said_at, recorded_at),
    };
    let origin = turn.origin;
    Ok(RestoredTurn {
        session_key: fields::name(&origin.session, &path("turn.session"))?,
        session: SessionId(origin.session_id),
        started_at,
        session_recorded_at,
        is_pending: history.waits,
        turn: Turn {
            id: TurnId(origin.turn_id),
            seq: origin.seq,
            key: fields::optional_name(origin.turn_key.as_deref(), &path("turn.turn_key"))?,
            position: turn.position,
            role: fields::role(origin.role),
            author: fields::optional_name(origin.author.as_deref(), &path("turn.author"))?,
            text: turn.text,
            said_at,
            utc_offset: offset(turn.utc_offset_minutes, &path("turn.utc_offset_minutes"))?,
            recorded_at,
            participants: fields::names(&turn.participants, &path("turn.participants"))?,
            place: fields::optional_name(turn.place.as_deref(), &path("turn.place"))?,
            metadata: fields::metadata(turn.metadata, &path("turn.metadata"))?,
        },
    })
}

/// Origin of a turn's memory. The store gives the ordinal of the session.
fn origin(restored: &RestoredTurn) -> Origin {
    let turn = &restored.turn;
    Origin {
        turn: turn.id,
        session: restored.session,
        session_key: restored.session_key.clone(),
        session_ordinal: 0,
        seq: turn.seq,
        role: turn.role,
        author: turn.author.clone(),
        turn_key: turn.key.clone(),
    }
}

fn memory(memory: wire::Memory, path: &dyn Fn(&str) -> String) -> Result<Memory, Error> {
    let document = memory.document.as_ref().map(|name| {
        Ok::<_, Error>(DocumentName {
            namespace: fields::name(&name.namespace, &path("document.namespace"))?,
            key: fields::name(&name.key, &path("document.key"))?,
        })
    });
    let happened_at = time(&memory.happened_at, &path("happened_at"))?;
    let name = |text: Option<&str>, field: &str| fields::optional_name(text, &path(field));
    let maybe_time = |text: Option<&str>, field: &str| optional_time(text, &path(field));
    Ok(Memory {
        id: MemoryId(memory.id),
        version: memory.version,
        kind: kind(memory.kind),
        tokens: 0,
        agent: name(memory.agent_id.as_deref(), "agent_id")?,
        app: name(memory.app_id.as_deref(), "app_id")?,
        run: name(memory.run_id.as_deref(), "run_id")?,
        visibility: fields::visibility(memory.visibility),
        subjects: fields::names(&memory.subjects, &path("subjects"))?,
        audience: fields::names(&memory.audience, &path("audience"))?,
        statement: memory.statement.map(|it| fields::statement(&it, &path("statement"))).transpose()?,
        tags: fields::names(&memory.tags, &path("tags"))?,
        links: fields::links(memory.links, &path("links"))?,
        metadata: fields::metadata(memory.metadata, &path("metadata"))?,
        annotation: annotation(memory.keywords, memory.context, path)?,
        document: document.transpose()?,
        origin: None,
        derivation: None,
        happened: Happened {
            at: happened_at,
            until: maybe_time(memory.happened_until.as_deref(), "happened_until")?,
            offset: offset(memory.utc_offset_minutes, &path("utc_offset_minutes"))?,
        },
        recorded_at: time(&memory.recorded_at, &path("recorded_at"))?,
        created_at: time(&memory.created_at, &path("created_at"))?,
        valid: fields::valid(memory.valid_from.as_deref(), memory.valid_to.as_deref(), &ARCHIVED, path)?,
        expires_at: maybe_time(memory.expires_at.as_deref(), "expires_at")?,
        strength: Strength::new(memory.importance, 0.0, happened_at),
        forgotten: None,
        text: memory.text,
    })
}

/// Annotation of a note; none without keywords and context.
fn annotation(
    keywords: Vec<String>,
    context: Option<String>,
    path: &dyn Fn(&str) -> String,
) -> Result<Option<Annotation>, Error> {
    let keywords = fields::names(&keywords, &path("keywords"))?;
    let is_there = !keywords.is_empty() || context.is_some();
    Ok(is_there.then_some(Annotation { keywords, context }))
}

/// Zone in which the bare dates of an archive would be read. An export writes times in UTC, whatever the owner's zone.
const ARCHIVED: Zone = Zone::UTC;

fn time(text: &str, path: &str) -> Result<Timestamp, Error> {
    fields::time(text, &ARCHIVED, path)
}

fn optional_time(text: Option<&str>, path: &str) -> Result<Option<Timestamp>, Error> {
    fields::optional_time(text, &ARCHIVED, path)
}

/// Offset of a local time.
fn offset(minutes: Option<i16>, path: &str) -> Result<Option<UtcOffset>, Error> {
    let offset = |minutes: i16| {
        UtcOffset::from_minutes(minutes.into()).ok_or_else(|| Error::invalid(path, "is no offset from UTC"))
    };
    minutes.map(offset).transpose()
}

fn kind(kind: wire::Kind) -> Kind {
    match kind {
        wire::Kind::Turn => Kind::Turn,
        wire::Kind::Fact => Kind::Fact,
        wire::Kind::Thought => Kind::Thought,
        wire::Kind::Note => Kind::Note,
        wire::Kind::Digest => Kind::Digest,
        wire::Kind::Document => Kind::Document,
    }
}

fn derivation(derivation: VersionDerivation, path: &str) -> Result<Derivation, Error> {
    let VersionDerivation { id, record, .. } = derivation;
    let inputs = record.inputs.into_iter().enumerate().map(|(index, input)| {
        let source = match (input.turn_id, input.memory_id) {
            (Some(turn), None) => Source::Turn(TurnId(turn)),
            (None, Some(memory)) => Source::Memory(MemoryId(memory)),
            _ => {
                let at = format!("{path}.record.inputs[{index}]");
                return Err(Error::invalid(at, "must have either turn_id or memory_id"));
            }
        };
        Ok(Input { source, is_evidence: input.is_evidence })
    });
    Ok(Derivation {
        id: DerivationId(id),
        maker: Maker { name: record.maker, model: record.model, prompt: record.prompt },
        job: record.job_id.map(JobId),
        inputs: inputs.collect::<Result<_, _>>()?,
        made_at: time(&record.made_at, &format!("{path}.record.made_at"))?,
    })
}

/// Response of `POST /v1/import`.
pub(crate) fn imported(restored: &[Restored]) -> ImportedRecords {
    let record = |restored: &Restored| ImportedRecord {
        outcome: responses::outcome(restored.outcome),
        memory_id: restored.memory.map(|id| id.0),
        turn_id: restored.turn.map(|id| id.0),
        missing: restored.missing,
    };
    ImportedRecords { records: restored.iter().map(record).collect() }
}
