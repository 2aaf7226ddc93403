//! Conversion of feedback on recalls, of the retention of a memory, and of fading memories.

use engrain::wire;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::UseKind;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::memories::fading::{FADING_DAYS_AT_MOST, Fading, FadingMemories, ReadFading};
use memory_core::memories::retention::{MemoryRetention, POINTS, ReadRetention};
use memory_core::recall::request::RecallFeedback;
use memory_core::recall::response::LoggedRecall;
use uuid::Uuid;

use super::archived_retention;
use super::fields::{self, ZoneOf};
use super::forgetting;
use super::responses::kind;

/// Days ahead of `GET /v1/fading` by default.
const FADING_DAYS: u32 = 7;
/// Memories of `GET /v1/fading` by default.
const FADING_MEMORIES: u32 = 20;

/// Conversion of `POST /v1/recalls/{id}/feedback`.
pub(crate) fn feedback(request: wire::RecallFeedback, zone_of: &ZoneOf<'_>) -> Result<RecallFeedback, Error> {
    let scope = fields::scope(&request.scope, "scope")?;
    let now = fields::optional_time(request.now.as_deref(), &zone_of(&scope), "now")?;
    let ids = |ids: Vec<Uuid>| ids.into_iter().map(MemoryId).collect();
    Ok(RecallFeedback {
        scope,
        used: ids(request.used),
        confirmed: ids(request.confirmed),
        contradicted: ids(request.contradicted),
        now,
    })
}

/// Response of `GET /v1/recalls/{id}` and `POST /v1/recalls/{id}/feedback`.
pub(crate) fn logged_recall(logged: LoggedRecall) -> wire::LoggedRecall {
    let hits = logged.hits.into_iter().map(|hit| wire::LoggedHit {
        memory_id: hit.memory.0,
        score: hit.score,
        outcome: match hit.outcome {
            UseKind::Returned => wire::Outcome::Returned,
            UseKind::InContext => wire::Outcome::InContext,
            UseKind::Cited => wire::Outcome::Cited,
            UseKind::Confirmed => wire::Outcome::Confirmed,
            UseKind::Contradicted => wire::Outcome::Contradicted,
        },
    });
    wire::LoggedRecall {
        recall_id: logged.id.0,
        recalled_at: logged.recalled_at.to_string(),
        hits: hits.collect(),
    }
}

/// Conversion of the query string of `GET /v1/memories/{id}/retention`.
pub(crate) fn retention_request(query: &wire::RetentionQuery, zone: &Zone) -> Result<ReadRetention, Error> {
    Ok(ReadRetention {
        curve: query.curve.as_deref().map(|name| forgetting::curve("curve", name)).transpose()?,
        from: fields::optional_time(query.from.as_deref(), zone, "from")?,
        to: fields::optional_time(query.to.as_deref(), zone, "to")?,
        points: query.points.unwrap_or(POINTS),
        now: fields::optional_time(query.now.as_deref(), zone, "now")?,
    })
}

/// Response of `GET /v1/memories/{id}/retention`.
pub(crate) fn memory_retention(read: MemoryRetention) -> wire::MemoryRetention {
    let strength = read.strength;
    wire::MemoryRetention {
        memory_id: read.memory.0,
        curve: read.curve.as_str().to_owned(),
        now: read.now.to_string(),
        retention: read.retention,
        strength: read.curve_strength,
        refreshed_at: read.refreshed_at.to_string(),
        threshold: read.threshold,
        fades_at: read.fades_at.as_ref().map(Timestamp::to_string),
        pinned: strength.pinned,
        importance: strength.importance,
        nearest_cosine: strength.nearest_cosine,
        learned_at: strength.learned_at.to_string(),
        earlier_uses: strength.uses.earlier(),
        uses: archived_retention::uses(&strength.uses).map(|uses| uses.newest).unwrap_or_default(),
        forgotten: read.forgotten.as_ref().map(archived_retention::forgotten),
        points: read
            .points
            .iter()
            .map(|point| wire::RetentionPoint { at: point.at.to_string(), retention: point.retention })
            .collect(),
    }
}

/// Conversion of the query string of `GET /v1/fading`, for the scope and its zone.
pub(crate) fn fading_request(
    scope: Scope,
    query: &wire::FadingQuery,
    zone: &Zone,
) -> Result<ReadFading, Error> {
    let within_days = query.within_days.unwrap_or(FADING_DAYS);
    if within_days == 0 {
        return Err(Error::invalid("within_days", format!("must be 1 to {FADING_DAYS_AT_MOST}")));
    }
    Ok(ReadFading {
        scope,
        within_days,
        limit: query.limit.unwrap_or(FADING_MEMORIES),
        now: fields::optional_time(query.now.as_deref(), zone, "now")?,
    })
}

/// Response of `GET /v1/fading`.
pub(crate) fn fading(found: FadingMemories) -> wire::FadingMemories {
    let memory = |one: Fading| wire::FadingMemory {
        memory_id: one.memory.0,
        kind: kind(one.kind),
        excerpt: one.excerpt,
        fades_at: one.fades_at.as_ref().map(Timestamp::to_string),
        retention: one.retention,
        strength: one.curve_strength,
        importance: one.importance,
        uses: one.uses,
    };
    wire::FadingMemories {
        curve: found.curve.as_str().to_owned(),
        now: found.now.to_string(),
        until: found.until.to_string(),
        total: found.total,
        memories: found.memories.into_iter().map(memory).collect(),
    }
}
