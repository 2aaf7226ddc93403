//! Edits of a group as writes: validity that ends, merged facts, exclusions from recall. Pure.
//!
//! The model proposes, these guards decide. A fact is superseded only by one about the same subject that begins later, and
//! never a user's by the assistant's; what cannot be decided is linked as a contradiction. A fact that fills a slot is never
//! merged, since its value would be lost to the slot. Nothing is erased: a merged or dropped fact stays readable, and only
//! expires from recall.

use std::collections::BTreeMap;

use crate::domain::derivation::{Input, Source};
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Happened, Kind, Memory, Visibility};
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::think::resolve::{FactChanges, FactRevision, FactToWrite, KnownFact, normalised};
use crate::think::tim::organise::ThoughtEdit;

/// Links of one fact at most (`limits::Limits::links_per_memory`).
const MAX_LINKS: usize = 64;

/// Group with the edits of an accepted reply.
pub(super) struct Edited<'a> {
    /// Facts that the prompt showed.
    pub(super) members: &'a [KnownFact],
    pub(super) edits: &'a [ThoughtEdit],
    /// Ids of merged facts: one for each edit is enough.
    pub(super) ids: &'a [MemoryId],
    pub(super) kind: Kind,
    pub(super) now: Timestamp,
}

/// Writes of the edits that the guards allow.
pub(super) fn changes(edited: &Edited<'_>) -> FactChanges {
    let mut present: BTreeMap<MemoryId, Memory> =
        edited.members.iter().map(|fact| (fact.memory.id, fact.memory.clone())).collect();
    let mut facts = Vec::new();
    for (edit, id) in edited.edits.iter().zip(edited.ids) {
        match edit {
            ThoughtEdit::Supersede { old, new } => supersede(&mut present, *old, *new),
            ThoughtEdit::Drop { memory, against, .. } => {
                if let Some(fact) = present.get_mut(memory) {
                    fact.expires_at = Some(edited.now);
                    link(fact, *against, Link::DROPPED_FOR);
                }
            }
            ThoughtEdit::Merge { ids, head, text, happened } => {
                let merged = merged(edited, ids, (*id, head, text), happened);
                facts.extend(merged.into_iter().inspect(|fact| {
                    for source in ids {
                        if let Some(source) = present.get_mut(source) {
                            source.expires_at = Some(edited.now);
                            link(source, fact.id, Link::MERGED_INTO);
                        }
                    }
                }));
            }
        }
    }
    let revisions = edited.members.iter().filter_map(|before| {
        let after = present.remove(&before.memory.id).filter(|after| *after != before.memory)?;
        let memory = Memory { version: before.memory.version.saturating_add(1), ..after };
        Some(FactRevision { memory, inputs: before.inputs.clone() })
    });
    FactChanges { revisions: revisions.collect(), facts }
}

/// Ends the older fact where the newer one begins, or links the two as a contradiction.
fn supersede(present: &mut BTreeMap<MemoryId, Memory>, old: MemoryId, new: MemoryId) {
    let (Some(older), Some(newer)) = (present.get(&old), present.get(&new)) else { return };
    let (Some(before), Some(after)) = (&older.statement, &newer.statement) else { return };
    if normalised(before.subject.as_str()) != normalised(after.subject.as_str()) {
        return;
    }
    let begins = start(newer);
    let is_outranked = before.said_by != Role::Assistant && after.said_by == Role::Assistant;
    let is_decided = begins > start(older) && !is_outranked;
    let has_ended = older.valid.end.is_some_and(|end| end <= begins);
    if has_ended {
        return;
    }
    let (to_new, to_old) = if is_decided {
        (Link::SUPERSEDED_BY, Link::SUPERSEDES)
    } else {
        (Link::CONTRADICTS, Link::CONTRADICTS)
    };
    if let Some(older) = present.get_mut(&old) {
        if is_decided {
            older.valid.end = Some(begins);
        }
        link(older, new, to_new);
    }
    if let Some(newer) = present.get_mut(&new) {
        link(newer, old, to_old);
    }
}

fn start(memory: &Memory) -> Timestamp {
    memory.valid.start.unwrap_or(memory.happened.at)
}

fn link(memory: &mut Memory, to: MemoryId, relation: &str) {
    let is_there = memory.links.iter().any(|link| link.to == to && link.relation.as_str() == relation);
    let Ok(relation) = Name::new(relation) else { return };
    if !is_there && memory.id != to && memory.links.len() < MAX_LINKS {
        memory.links.push(Link { to, relation, weight: Link::DEFAULT_WEIGHT, reason: None });
    }
}

/// True for a fact of the owner alone, without an expiry. A merged fact has neither the agent, app and run of its sources nor
/// their expiry, and would leave the scope of the one and outlive the other.
fn is_unrestricted(memory: &Memory) -> bool {
    let has_scope = memory.agent.is_some() || memory.app.is_some() || memory.run.is_some();
    !has_scope && memory.visibility == Visibility::Owner && memory.expires_at.is_none()
}

/// The merged fact; `None` if a source fills a slot, has ended, may be told to fewer people than another one, is shared, or
/// belongs to an agent, app or run, or expires.
fn merged(
    edited: &Edited<'_>,
    ids: &[MemoryId],
    (id, head, text): (MemoryId, &str, &str),
    happened: &[Timestamp],
) -> Option<FactToWrite> {
    let sources: Vec<&KnownFact> =
        ids.iter().filter_map(|id| edited.members.iter().find(|fact| fact.memory.id == *id)).collect();
    let first = &sources.first()?.memory;
    let fits = |fact: &&KnownFact| {
        let has_slot = fact.memory.statement.as_ref().is_some_and(|statement| statement.attribute.is_some());
        let may_merge = edited.kind == Kind::Thought || (!has_slot && fact.memory.valid.end.is_none());
        may_merge && fact.memory.audience == first.audience && is_unrestricted(&fact.memory)
    };
    if sources.len() != ids.len() || !sources.iter().all(fits) {
        return None;
    }
    let by_assistant = |fact: &&KnownFact| {
        fact.memory.statement.as_ref().is_none_or(|statement| statement.said_by == Role::Assistant)
    };
    let confidence = sources.iter().filter_map(|fact| Some(fact.memory.statement.as_ref()?.confidence));
    let subject = first.statement.as_ref().map(|statement| statement.subject.clone());
    let subject = Name::new(head).ok().or(subject)?;
    let statement = Statement {
        subject: subject.clone(),
        relation: None,
        object: None,
        attribute: None,
        confidence: confidence.fold(1.0, f64::min),
        said_by: if sources.iter().any(by_assistant) { Role::Assistant } else { Role::User },
    };
    let at = happened.first().copied().unwrap_or(first.happened.at);
    let offset = sources
        .iter()
        .find(|fact| fact.memory.happened.at == at)
        .and_then(|fact| fact.memory.happened.offset);
    let inputs = edited.members.iter().map(|fact| Input {
        source: Source::Memory(fact.memory.id),
        is_evidence: ids.contains(&fact.memory.id),
    });
    Some(FactToWrite {
        id,
        candidate: None,
        kind: edited.kind,
        text: text.to_owned(),
        groups: GroupKey::entity(&normalised(subject.as_str())).into_iter().collect(),
        subjects: vec![subject],
        statement,
        audience: first.audience.clone(),
        tags: Vec::new(),
        links: Vec::new(),
        happened: Happened { at, until: happened.last().copied().filter(|last| *last > at), offset },
        valid: Interval::default(),
        inputs: inputs.collect(),
    })
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests;
