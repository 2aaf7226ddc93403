//! Checks of memories of an archive, pure. The first violation is named by its path in the request.

use std::collections::HashSet;

use super::request::{MemoryToRestore, RestoreMemories};
use crate::domain::memory::{Kind, Memory, Strength};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::field_checks::{CLOCK_SKEW_US, confidence, count, importance, links, names, over, text};
use crate::limits::Limits;
use crate::scope::owner;

/// Maximum number of versions of one memory of an archive.
pub(super) const VERSIONS_PER_MEMORY: usize = 10_000;
/// Maximum number of inputs of one derivation of an archive.
pub(super) const INPUTS_PER_DERIVATION: usize = 10_000;

/// Checks the moment of the last check by draws: after one in the future, no sweep would draw.
pub(super) fn checked_at(at: Option<Timestamp>, clock: Timestamp) -> Result<(), Error> {
    if at.is_some_and(|at| at > clock.plus_micros(CLOCK_SKEW_US)) {
        return Err(Error::invalid("forgetting_checked_at", "must not be in the future"));
    }
    Ok(())
}

/// Checks the memories and returns their owner.
pub(super) fn memories(request: &RestoreMemories, limits: &Limits) -> Result<Owner, Error> {
    let owner = owner(&request.scope)?;
    count("records", request.memories.len(), "the number of records in one call", limits.memories_per_call)?;
    let mut all_bytes = 0_usize;
    for (index, one) in request.memories.iter().enumerate() {
        let at = |field: &str| format!("records[{index}].{field}");
        all_bytes = all_bytes.saturating_add(version(&at("memory"), &one.memory, limits)?);
        let versions = one.earlier.len();
        over(at("history.earlier"), versions, "the number of versions of a memory", VERSIONS_PER_MEMORY)?;
        let mut before = 0;
        for (number, earlier) in one.earlier.iter().enumerate() {
            let path = at(&format!("history.earlier[{number}]"));
            if earlier.version <= before || earlier.version >= one.memory.version {
                return Err(Error::invalid(
                    format!("{path}.version"),
                    "must ascend up to that of the memory",
                ));
            }
            before = earlier.version;
            all_bytes = all_bytes.saturating_add(version(&path, earlier, limits)?);
        }
        if one.memory.version == 0 {
            return Err(Error::invalid(at("memory.version"), "must be at least 1"));
        }
        if let Some(turn) = &one.turn {
            all_bytes = all_bytes.saturating_add(text(at("turn.text"), &turn.turn.text, limits)?);
            names(at("turn.participants"), turn.turn.participants.len(), limits)?;
        }
        derivations(&at("history.derivations"), one)?;
        kind(&at, one)?;
        if one.strength.is_some_and(|strength| !strength.is_finite() || strength < 0.0) {
            return Err(Error::invalid(at("history.strength"), "must be a number of at least 0"));
        }
        if one.memory.strength.nearest_cosine.is_some_and(|cosine| !Strength::is_cosine(cosine)) {
            return Err(Error::invalid(at("history.nearest_cosine"), "must be a number from -1 to 1"));
        }
        forgotten(&at, &one.memory)?;
    }
    let what = "the total length of the texts of one call in bytes";
    over("records".to_owned(), all_bytes, what, limits.text_bytes_per_call)?;
    Ok(owner)
}

/// Checks the record of forgetting.
fn forgotten(at: &impl Fn(&str) -> String, memory: &Memory) -> Result<(), Error> {
    if memory.forgotten.as_ref().is_some_and(|record| !record.is_valid()) {
        let detail = "must have fractions as retention and threshold, and a name of a curve";
        return Err(Error::invalid(at("history.forgotten"), detail));
    }
    Ok(())
}

/// Checks a version; returns the length of its text in bytes.
fn version(path: &str, version: &Memory, limits: &Limits) -> Result<usize, Error> {
    let at = |field: &str| format!("{path}.{field}");
    let bytes = text(at("text"), &version.text, limits)?;
    names(at("tags"), version.tags.len(), limits)?;
    names(at("subjects"), version.subjects.len(), limits)?;
    names(at("audience"), version.audience.len(), limits)?;
    if version.annotation.as_ref().is_some_and(|annotation| !annotation.is_bounded()) {
        return Err(Error::invalid(at("context"), "is too long, or has too many keywords beside it"));
    }
    confidence(at("statement.confidence"), version.statement.as_ref())?;
    links(&at("links"), Some(version.id), &version.links, limits)?;
    importance(at("importance"), Some(version.strength.importance))?;
    if !version.valid.is_ordered() {
        return Err(Error::invalid(at("valid_to"), "must not lie before valid_from"));
    }
    if version.happened.until.is_some_and(|until| until < version.happened.at) {
        return Err(Error::invalid(at("happened_until"), "must not lie before happened_at"));
    }
    Ok(bytes)
}

fn derivations(path: &str, one: &MemoryToRestore) -> Result<(), Error> {
    let most = VERSIONS_PER_MEMORY;
    over(path.to_owned(), one.derivations.len(), "the number of derivations of a memory", most)?;
    let mut ids = HashSet::with_capacity(most.min(one.derivations.len()));
    for (index, derivation) in one.derivations.iter().enumerate() {
        let at = format!("{path}[{index}].record.inputs");
        over(at, derivation.inputs.len(), "the number of inputs of a derivation", INPUTS_PER_DERIVATION)?;
        if !ids.insert(derivation.id) {
            return Err(Error::invalid(format!("{path}[{index}].id"), "must not occur twice"));
        }
    }
    Ok(())
}

fn kind(at: &impl Fn(&str) -> String, one: &MemoryToRestore) -> Result<(), Error> {
    let memory = &one.memory;
    if (memory.kind == Kind::Turn) != one.turn.is_some() {
        return Err(Error::invalid(at("turn"), "is for a memory of kind turn, which requires it"));
    }
    let may_be_named = matches!(memory.kind, Kind::Document | Kind::Digest);
    if memory.kind == Kind::Document && memory.document.is_none()
        || !may_be_named && memory.document.is_some()
    {
        let detail = "is for a memory of kind document, which requires it, or digest";
        return Err(Error::invalid(at("memory.document"), detail));
    }
    if memory.id.0.is_nil() || one.turn.as_ref().is_some_and(|turn| turn.turn.id.0.is_nil()) {
        return Err(Error::invalid(at("memory.id"), "must not be nil"));
    }
    Ok(())
}
