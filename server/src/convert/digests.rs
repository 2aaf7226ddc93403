//! Conversion of requests and responses of digests.

use engrain::wire;
use memory_core::domain::digest::Level;
use memory_core::domain::scope::Scope;
use memory_core::error::Error;
use memory_core::think::digest::read::{DigestsRequest, Portrait, ShownDigest};

use super::fields;

/// Query fields of digests.
pub(crate) struct DigestFields<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) level: Option<&'a str>,
    pub(crate) partner: Option<&'a str>,
}

/// Conversion of the query of `GET /v1/digests`.
pub(crate) fn request(scope: Scope, query: DigestFields<'_>) -> Result<DigestsRequest, Error> {
    let level = query.level.map(|text| {
        Level::parse(text).ok_or_else(|| {
            let names = Level::ALL.map(Level::as_str).join(", ");
            Error::invalid("level", format!("must be one of {names}"))
        })
    });
    Ok(DigestsRequest {
        scope,
        level: level.transpose()?,
        from: date(query.from, "from")?,
        to: date(query.to, "to")?,
        partner: fields::optional_name(query.partner, "partner")?,
    })
}

fn date(text: Option<&str>, path: &str) -> Result<Option<jiff::civil::Date>, Error> {
    let is_plain = |text: &str| text.len() == "2023-05-08".len();
    let parsed = text.map(|text| {
        let date = text.parse().ok().filter(|_| is_plain(text));
        date.ok_or_else(|| Error::invalid(path, "must be a date such as 2023-05-08"))
    });
    parsed.transpose()
}

/// Response of `GET /v1/digests`.
pub(crate) fn digests(digests: Vec<ShownDigest>) -> wire::Digests {
    wire::Digests { digests: digests.into_iter().map(digest).collect() }
}

/// Portrait of a profile; `None` for an empty one.
pub(super) fn portrait(portrait: Portrait) -> Option<wire::Portrait> {
    let Portrait { statements, events } = portrait;
    let is_empty = statements.is_empty() && events.is_none();
    let statements = statements.into_iter().map(digest).collect();
    (!is_empty).then(|| wire::Portrait { statements, events: events.map(digest) })
}

fn digest(digest: ShownDigest) -> wire::Digest {
    wire::Digest {
        id: digest.memory.id.0,
        version: digest.memory.version,
        level: match digest.level {
            Level::EventsOfDay => wire::DigestLevel::EventsDay,
            Level::EventsOfAll => wire::DigestLevel::EventsAll,
            Level::PersonalityOfDay => wire::DigestLevel::PersonalityDay,
            Level::Portrait => wire::DigestLevel::Portrait,
        },
        day: digest.day.map(|day| day.to_string()),
        text: digest.memory.text,
        covers: digest.covers.iter().map(|id| id.0).collect(),
        covers_count: digest.covers_count,
        turns: digest.turns.iter().map(|id| id.0).collect(),
        happened_at: digest.memory.happened.at.to_string(),
        evidence: digest.evidence.iter().map(|id| id.0).collect(),
        is_edited: digest.is_edited,
        is_extractive: digest.is_extractive,
        made_at: digest.made_at.to_string(),
    }
}
