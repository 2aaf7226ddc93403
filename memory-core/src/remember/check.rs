//! Request checks of remember (step 1), pure. The first violation is named by its path in the request. A request with a
//! violation is refused as a whole.

use super::request::{MemoryToRemember, RememberMemories, RememberTurns};
use crate::domain::digest::Level;
use crate::domain::memory::Kind;
use crate::domain::scope::Owner;
use crate::error::Error;
use crate::field_checks::{confidence, count, importance, links, names, over, text, vector};
use crate::limits::Limits;
use crate::scope::owner;

/// Checks turns to remember and returns their owner.
pub(super) fn turns(request: &RememberTurns, limits: &Limits) -> Result<Owner, Error> {
    let owner = owner(&request.scope)?;
    count("turns", request.turns.len(), "the number of turns in one call", limits.turns_per_call)?;
    let mut all_bytes = 0;
    for (index, turn) in request.turns.iter().enumerate() {
        let at = |field: &str| format!("turns[{index}].{field}");
        all_bytes += text(at("text"), &turn.text, limits)?;
        names(at("tags"), turn.tags.len(), limits)?;
        names(at("audience"), turn.audience.len(), limits)?;
        names(at("participants"), turn.participants.len(), limits)?;
        importance(at("importance"), turn.importance)?;
        vector(at("vector"), turn.vector.as_deref())?;
    }
    together("turns", all_bytes, limits)?;
    Ok(owner)
}

/// Checks memories to add and returns their owner.
pub(super) fn memories(request: &RememberMemories, limits: &Limits) -> Result<Owner, Error> {
    let owner = owner(&request.scope)?;
    let most = limits.memories_per_call;
    count("memories", request.memories.len(), "the number of memories in one call", most)?;
    let mut all_bytes = 0;
    for (index, new) in request.memories.iter().enumerate() {
        let at = |field: &str| format!("memories[{index}].{field}");
        all_bytes += text(at("text"), &new.text, limits)?;
        names(at("tags"), new.tags.len(), limits)?;
        names(at("subjects"), new.subjects.len(), limits)?;
        names(at("audience"), new.audience.len(), limits)?;
        confidence(at("statement.confidence"), new.statement.as_ref())?;
        over(
            at("sources"),
            new.sources.len(),
            "the number of sources of a memory",
            limits.sources_per_memory,
        )?;
        links(&at("links"), None, &new.links, limits)?;
        importance(at("importance"), new.importance)?;
        vector(at("vector"), new.vector.as_deref())?;
        kind(index, new)?;
        times(index, new)?;
    }
    together("memories", all_bytes, limits)?;
    Ok(owner)
}

fn kind(index: usize, new: &MemoryToRemember) -> Result<(), Error> {
    let field = |name: &str| format!("memories[{index}].{name}");
    match (new.kind, &new.document) {
        (Kind::Turn, _) => {
            Err(Error::invalid(field("kind"), "must not be turn: add turns as turns of a session"))
        }
        (Kind::Document, None) => {
            Err(Error::invalid(field("document"), "is required for a memory of kind document"))
        }
        // A statement that the owner adds to the portrait.
        (Kind::Digest, Some(name)) if name.namespace.as_str() == Level::PORTRAIT_NAMESPACE => Ok(()),
        (kind @ (Kind::Thought | Kind::Digest), _) => {
            let detail = format!("must not be {}: only thinking makes them", kind.as_str());
            Err(Error::invalid(field("kind"), detail))
        }
        (Kind::Fact | Kind::Note, Some(_)) => {
            Err(Error::invalid(field("document"), "is allowed only for a memory of kind document"))
        }
        _ => Ok(()),
    }
}

fn times(index: usize, new: &MemoryToRemember) -> Result<(), Error> {
    if !new.valid.is_ordered() {
        return Err(Error::invalid(format!("memories[{index}].valid_to"), "must not lie before valid_from"));
    }
    match new.happened {
        Some(happened) if happened.until.is_some_and(|until| until < happened.at) => Err(Error::invalid(
            format!("memories[{index}].happened_until"),
            "must not lie before happened_at",
        )),
        _ => Ok(()),
    }
}

fn together(field: &str, bytes: usize, limits: &Limits) -> Result<(), Error> {
    over(
        field.to_owned(),
        bytes,
        "the total length of the texts of one call in bytes",
        limits.text_bytes_per_call,
    )
}
