//! Conversion between rows of the database and values of the domain. The column lists are next to the code that reads
//! them by position.

use sqlx::Row as _;
use uuid::Uuid;

use super::dialect::decode_text;
use super::stored_annotation::annotation_from_json;
use super::stored_links::links_from_json;
use super::stored_statement::statement_from_json;
pub(super) use super::stored_values::{metadata_json, minutes, names_json, uses_bytes, vector, vector_bytes};
use super::{Db, Row, StoreError};
use crate::domain::annotation::Annotation;
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{DerivationId, MemoryId, SessionId, TurnId};
use crate::domain::link::Link;
use crate::domain::memory::{DocumentName, Happened, Kind, Memory, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::{Role, Session, Turn};
use crate::domain::uses::Uses;
use crate::domain::zone::UtcOffset;

/// Columns of a memory for [`memory`], with its turn and session if any. The text comes last, in the form that the
/// statement asks for, followed by further columns of the statement.
macro_rules! memory_columns {
    ($text:literal) => {
        concat!(
            "m.id, m.version, m.kind, m.tokens, m.agent_id, m.app_id, m.run_id, m.visibility, m.subjects, ",
            "m.tags, m.metadata, m.namespace, m.key, m.derivation_id, m.happened_us, m.happened_until_us, ",
            "m.recorded_us, m.created_us, m.valid_from_us, m.valid_to_us, m.expires_us, m.importance, m.strength, ",
            "m.refreshed_us, t.id, t.session_id, s.key, s.ordinal, t.seq, t.role, t.author, t.key, m.links, ",
            "m.statement, m.audience, m.utc_offset_minutes, m.annotation, m.uses, m.pinned, m.nearest_cosine, ",
            "f.effect, f.reason, f.forgotten_us, f.recorded_us, f.curve, f.retention, f.threshold, ",
            $text,
            " FROM memories m ",
            "LEFT JOIN turns t ON t.partition_id = m.partition_id AND t.id = m.turn_id ",
            "LEFT JOIN forgotten f ON f.partition_id = m.partition_id AND f.memory_id = m.id ",
            "LEFT JOIN sessions s ON s.id = t.session_id "
        )
    };
}
pub(super) use memory_columns;

/// Columns of a record of forgetting for [`forgotten`], null for a memory that is not forgotten.
macro_rules! forgotten_columns {
    () => {
        "f.effect, f.reason, f.forgotten_us, f.recorded_us, f.curve, f.retention, f.threshold"
    };
}
pub(super) use forgotten_columns;

/// Number of columns in [`memory_columns`]; further columns of a statement come after them.
pub(super) const MEMORY_COLUMNS: usize = 48;

/// Decodes a memory from the columns of [`memory_columns`].
pub(super) fn memory(row: &Row) -> Result<Memory, StoreError> {
    let at = Reader { row, table: "memories" };
    let namespace = at.name(11, "namespace")?;
    let document = match (namespace, at.name(12, "key")?) {
        (Some(namespace), Some(key)) => Some(DocumentName { namespace, key }),
        _ => None,
    };
    Ok(Memory {
        id: MemoryId(at.get(0, "id")?),
        version: at.number(1, "version")?,
        kind: at.parsed(2, "kind", Kind::parse)?,
        text: at.text(47)?.unwrap_or_default(),
        tokens: at.number(3, "tokens")?,
        agent: at.name(4, "agent_id")?,
        app: at.name(5, "app_id")?,
        run: at.name(6, "run_id")?,
        visibility: at.parsed(7, "visibility", Visibility::parse)?,
        subjects: at.names(8, "subjects")?,
        audience: at.names(34, "audience")?,
        statement: at.statement(33)?,
        tags: at.names(9, "tags")?,
        links: at.links(32)?,
        metadata: at.metadata(10)?,
        annotation: at.annotation(36)?,
        document,
        origin: origin(&Reader { row, table: "turns" }, 24)?,
        derivation: at.get::<Option<Uuid>>(13, "derivation_id")?.map(DerivationId),
        happened: Happened {
            at: at.time(14, "happened_us")?,
            until: at.maybe_time(15, "happened_until_us")?,
            offset: at.utc_offset(35)?,
        },
        recorded_at: at.time(16, "recorded_us")?,
        created_at: at.time(17, "created_us")?,
        valid: Interval {
            start: at.maybe_time(18, "valid_from_us")?,
            end: at.maybe_time(19, "valid_to_us")?,
        },
        expires_at: at.maybe_time(20, "expires_us")?,
        strength: strength(&at, 21, 37)?,
        forgotten: forgotten(&at, 40)?,
    })
}

/// Decodes the columns `importance, strength, refreshed_us` from `first` on, and `uses, pinned, nearest_cosine` from
/// `uses` on.
pub(super) fn strength(at: &Reader<'_>, first: usize, uses: usize) -> Result<Strength, StoreError> {
    Ok(Strength {
        importance: at.get(first, "importance")?,
        strength: at.fraction(first + 1, "strength")?,
        nearest_cosine: at.nearest_cosine(uses + 2)?,
        learned_at: at.time(first + 2, "refreshed_us")?,
        uses: at.uses(uses)?,
        pinned: at.get(uses + 1, "pinned")?,
    })
}

/// Decodes the columns of [`forgotten_columns`] from `first` on.
pub(super) fn forgotten(at: &Reader<'_>, first: usize) -> Result<Option<Forgotten>, StoreError> {
    if at.get::<Option<&str>>(first, "effect")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Forgotten {
        effect: at.parsed(first, "effect", Effect::parse)?,
        reason: at.parsed(first + 1, "reason", Reason::parse)?,
        since: at.time(first + 2, "forgotten_us")?,
        recorded_at: at.time(first + 3, "recorded_us")?,
        curve: at.get(first + 4, "curve")?,
        retention: at.get(first + 5, "retention")?,
        threshold: at.get(first + 6, "threshold")?,
    }))
}

fn origin(at: &Reader<'_>, first: usize) -> Result<Option<Origin>, StoreError> {
    let Some(turn) = at.get::<Option<Uuid>>(first, "id")? else { return Ok(None) };
    Ok(Some(Origin {
        turn: TurnId(turn),
        session: SessionId(at.get(first + 1, "session_id")?),
        session_key: at.required_name(first + 2, "session key")?,
        session_ordinal: at.number(first + 3, "session ordinal")?,
        seq: at.number(first + 4, "seq")?,
        role: at.parsed(first + 5, "role", Role::parse)?,
        author: at.name(first + 6, "author")?,
        turn_key: at.name(first + 7, "key")?,
    }))
}

/// Decodes an earlier version: the versioned columns replace those of the current memory.
pub(super) const VERSION_COLUMNS: &str = "v.version, v.text, v.tokens, v.visibility, v.subjects, v.tags, v.metadata, \
     v.derivation_id, v.happened_us, v.happened_until_us, v.recorded_us, v.valid_from_us, v.valid_to_us, v.expires_us, \
     v.importance, v.links, v.statement, v.audience, v.utc_offset_minutes, v.annotation";

/// Number of columns in [`VERSION_COLUMNS`].
pub(super) const VERSION_COLUMN_COUNT: usize = 20;

/// Decodes an earlier version from [`VERSION_COLUMNS`] and the fields that do not change.
pub(super) fn version(row: &Row, present: &Memory, turn_text: Option<&str>) -> Result<Memory, StoreError> {
    Ok(decode_version(row, turn_text)?(present.clone()))
}

/// Decodes the columns of [`VERSION_COLUMNS`] for a check of the store.
pub(super) fn check_version(row: &Row) -> Result<(), StoreError> {
    decode_version(row, None).map(drop)
}

/// Decodes the columns of [`VERSION_COLUMNS`]. The function that it returns puts them into a present version.
fn decode_version(
    row: &Row,
    turn_text: Option<&str>,
) -> Result<impl FnOnce(Memory) -> Memory + use<>, StoreError> {
    let at = Reader { row, table: "memory_versions" };
    let version = at.number(0, "version")?;
    let text = at.text(1)?.unwrap_or_else(|| turn_text.unwrap_or_default().to_owned());
    let tokens = at.number(2, "tokens")?;
    let visibility = at.parsed(3, "visibility", Visibility::parse)?;
    let (subjects, tags) = (at.names(4, "subjects")?, at.names(5, "tags")?);
    let metadata = at.metadata(6)?;
    let derivation = at.get::<Option<Uuid>>(7, "derivation_id")?.map(DerivationId);
    let happened = Happened {
        at: at.time(8, "happened_us")?,
        until: at.maybe_time(9, "happened_until_us")?,
        offset: at.utc_offset(18)?,
    };
    let recorded_at = at.time(10, "recorded_us")?;
    let valid =
        Interval { start: at.maybe_time(11, "valid_from_us")?, end: at.maybe_time(12, "valid_to_us")? };
    let expires_at = at.maybe_time(13, "expires_us")?;
    let importance = at.get(14, "importance")?;
    let links = at.links(15)?;
    let statement = at.statement(16)?;
    let audience = at.names(17, "audience")?;
    let annotation = at.annotation(19)?;
    Ok(move |present: Memory| Memory {
        version,
        text,
        tokens,
        visibility,
        subjects,
        tags,
        metadata,
        derivation,
        happened,
        recorded_at,
        valid,
        expires_at,
        strength: Strength { importance, ..present.strength },
        links,
        statement,
        audience,
        annotation,
        ..present
    })
}

/// The column `turn_count` is the place of the next turn: it counts erased turns as well, so the turns are counted.
pub(super) const SESSION_COLUMNS: &str = "id, key, ordinal,
    (SELECT COUNT(*) FROM turns WHERE turns.session_id = sessions.id), started_us, recorded_us,
    closed_us";

/// Decodes a session from [`SESSION_COLUMNS`].
pub(super) fn session(row: &Row) -> Result<Session, StoreError> {
    let at = Reader { row, table: "sessions" };
    Ok(Session {
        id: SessionId(at.get(0, "id")?),
        key: at.required_name(1, "key")?,
        ordinal: at.number(2, "ordinal")?,
        turn_count: at.number(3, "turn_count")?,
        started_at: at.time(4, "started_us")?,
        recorded_at: at.time(5, "recorded_us")?,
        closed_at: at.maybe_time(6, "closed_us")?,
    })
}

pub(super) const TURN_COLUMNS: &str = "id, seq, key, role, author, text, said_us, recorded_us, participants, place, \
     metadata, position, utc_offset_minutes";

/// Number of columns in [`TURN_COLUMNS`]; further columns of a statement come after them.
pub(super) const TURN_COLUMN_COUNT: usize = 13;

/// Decodes a turn from [`TURN_COLUMNS`].
pub(super) fn turn(row: &Row) -> Result<Turn, StoreError> {
    let at = Reader { row, table: "turns" };
    Ok(Turn {
        id: TurnId(at.get(0, "id")?),
        seq: at.number(1, "seq")?,
        key: at.name(2, "key")?,
        role: at.parsed(3, "role", Role::parse)?,
        author: at.name(4, "author")?,
        text: at.text(5)?.unwrap_or_default(),
        said_at: at.time(6, "said_us")?,
        recorded_at: at.time(7, "recorded_us")?,
        participants: at.names(8, "participants")?,
        place: at.name(9, "place")?,
        metadata: at.metadata(10)?,
        position: at.get::<Option<i64>>(11, "position")?.and_then(|position| u32::try_from(position).ok()),
        utc_offset: at.utc_offset(12)?,
    })
}

/// Reader of columns by position; its errors name the damaged column.
pub(super) struct Reader<'a> {
    pub(super) row: &'a Row,
    pub(super) table: &'static str,
}

impl Reader<'_> {
    pub(super) fn get<'r, T>(&'r self, index: usize, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Db> + sqlx::Type<Db>,
    {
        self.row.try_get(index).map_err(|error| self.corrupt(column, &error.to_string()))
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        index: usize,
        column: &'static str,
    ) -> Result<T, StoreError> {
        let wide: i64 = self.get(index, column)?;
        T::try_from(wide).map_err(|_| self.corrupt(column, &format!("{wide} is out of range")))
    }

    /// Reads a free-form text, such as a memory's.
    pub(super) fn text(&self, index: usize) -> Result<Option<String>, StoreError> {
        Ok(self.get::<Option<String>>(index, "text")?.map(decode_text))
    }

    #[expect(clippy::cast_possible_truncation, reason = "was an f32 when it was written")]
    fn fraction(&self, index: usize, column: &'static str) -> Result<f32, StoreError> {
        Ok(self.get::<f64>(index, column)? as f32)
    }

    /// Reads the cosine to the nearest memory; NULL if it is not known, as in rows of releases that did not measure it.
    #[expect(clippy::cast_possible_truncation, reason = "was an f32 when it was written")]
    fn nearest_cosine(&self, index: usize) -> Result<Option<f32>, StoreError> {
        const COLUMN: &str = "nearest_cosine";
        let Some(cosine) = self.get::<Option<f64>>(index, COLUMN)?.map(|cosine| cosine as f32) else {
            return Ok(None);
        };
        Strength::is_cosine(cosine)
            .then_some(Some(cosine))
            .ok_or_else(|| self.corrupt(COLUMN, &format!("{cosine} is out of range")))
    }

    pub(super) fn time(&self, index: usize, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_micros(self.get(index, column)?))
    }

    pub(super) fn maybe_time(
        &self,
        index: usize,
        column: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(index, column)?.map(Timestamp::from_micros))
    }

    /// Reads the offset of a local time; NULL if it is not known, as in rows of versions that did not store it.
    pub(super) fn utc_offset(&self, index: usize) -> Result<Option<UtcOffset>, StoreError> {
        const COLUMN: &str = "utc_offset_minutes";
        let Some(minutes) = self.get::<Option<i64>>(index, COLUMN)? else { return Ok(None) };
        let offset = UtcOffset::from_minutes(minutes);
        offset.map(Some).ok_or_else(|| self.corrupt(COLUMN, &format!("{minutes} is out of range")))
    }

    pub(super) fn parsed<T>(
        &self,
        index: usize,
        column: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: &str = self.get(index, column)?;
        parse(text).ok_or_else(|| self.corrupt(column, "is unknown"))
    }

    pub(super) fn name(&self, index: usize, column: &'static str) -> Result<Option<Name>, StoreError> {
        let text: Option<&str> = self.get(index, column)?;
        text.map(|text| Name::stored(text).map_err(|error| self.corrupt(column, &error.to_string())))
            .transpose()
    }

    pub(super) fn required_name(&self, index: usize, column: &'static str) -> Result<Name, StoreError> {
        self.name(index, column)?.ok_or_else(|| self.corrupt(column, "is missing"))
    }

    pub(super) fn names(&self, index: usize, column: &'static str) -> Result<Vec<Name>, StoreError> {
        let Some(json) = self.get::<Option<&str>>(index, column)? else { return Ok(Vec::new()) };
        let texts: Vec<String> =
            serde_json::from_str(json).map_err(|_| self.corrupt(column, "is no list of texts"))?;
        texts
            .iter()
            .map(|text| Name::stored(text).map_err(|error| self.corrupt(column, &error.to_string())))
            .collect()
    }

    fn statement(&self, index: usize) -> Result<Option<Statement>, StoreError> {
        let Some(json) = self.get::<Option<&str>>(index, "statement")? else { return Ok(None) };
        statement_from_json(json).map(Some).map_err(|why| self.corrupt("statement", why))
    }

    fn annotation(&self, index: usize) -> Result<Option<Annotation>, StoreError> {
        let Some(json) = self.get::<Option<&str>>(index, "annotation")? else { return Ok(None) };
        annotation_from_json(json).map(Some).map_err(|why| self.corrupt("annotation", why))
    }

    pub(super) fn links(&self, index: usize) -> Result<Vec<Link>, StoreError> {
        let Some(json) = self.get::<Option<&str>>(index, "links")? else { return Ok(Vec::new()) };
        links_from_json(json).map_err(|why| self.corrupt("links", &why))
    }

    /// Reads uses; NULL for none.
    pub(super) fn uses(&self, index: usize) -> Result<Uses, StoreError> {
        let Some(bytes) = self.get::<Option<&[u8]>>(index, "uses")? else { return Ok(Uses::default()) };
        Uses::decode(bytes).map_err(|error| self.corrupt("uses", &error.to_string()))
    }

    fn metadata(&self, index: usize) -> Result<Metadata, StoreError> {
        let Some(json) = self.get::<Option<&str>>(index, "metadata")? else { return Ok(Metadata::default()) };
        Metadata::from_json(json).ok_or_else(|| self.corrupt("metadata", "is not a JSON object"))
    }

    /// The error describes the damage without the value, which may be a user's text.
    pub(super) fn corrupt(&self, column: &'static str, why: &str) -> StoreError {
        let id =
            self.row.try_get::<Uuid, _>(0).map_or_else(|_| "an unknown row".to_owned(), |id| id.to_string());
        StoreError::Corrupt { table: self.table, column, row: format!("{id}: {why}") }
    }
}
