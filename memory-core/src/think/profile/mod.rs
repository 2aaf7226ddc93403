//! Profile: what is true now of a subject, as state slots with evidence and history. Pure.
//!
//! A slot store is updated by validated operations and read as of a time; no model restates it (MECHANISMS 5.1, situational
//! understanding). Invariants: a value that has ended or is not for the partner is not shown; what the assistant says never
//! hides what a person said, and what others say never hides what the subject said.

pub mod read;

use std::collections::BTreeMap;

use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Cardinality, Statement};
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;

use super::resolve::{Relation, normalised};

#[cfg(test)]
mod tests;

/// Slots of one profile.
pub const MAX_SLOTS: usize = 64;
/// Present values of one slot; the newest are shown.
pub const MAX_VALUES: usize = 32;
/// Former values of one slot; the newest are shown.
pub const MAX_HISTORY: usize = 16;
/// Facts without a slot; the newest are shown.
pub const MAX_FACTS: usize = 32;

/// Present state of a subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Slots with a present or former value, by name.
    pub slots: Vec<Slot>,
    /// Valid facts that fill no slot, newest first.
    pub facts: Vec<SlotValue>,
}

/// State of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Attribute.
    pub attribute: Attribute,
    /// Present values, newest first. More than one in a slot that holds one only if it is contested.
    pub values: Vec<SlotValue>,
    /// Former values, newest first.
    pub history: Vec<SlotValue>,
    /// True if the present values contradict each other, and nothing decides between them.
    pub is_contested: bool,
}

/// Value of a slot, with the fact that states it.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotValue {
    /// Fact.
    pub fact: MemoryId,
    /// Text of the fact.
    pub text: String,
    /// Value; `None` if the fact names none.
    pub object: Option<Name>,
    /// Start of its validity.
    pub since: Timestamp,
    /// End of its validity; `None` for a value without a known end.
    pub until: Option<Timestamp>,
    /// Confidence, 0 to 1.
    pub confidence: f64,
    /// Role of the speaker.
    pub said_by: Role,
    /// Memories of turns that repeat it. The turns from which it was made are in its derivation.
    pub evidence: Vec<MemoryId>,
}

/// Profile of a subject at a time. `partner` is the person to whom it is shown: facts told in confidence to others are left
/// out. Without a partner it is shown to the owner, who sees all. The order of `facts` does not matter.
pub fn profile(facts: &[Memory], subject: &Name, valid_at: Timestamp, partner: Option<&Name>) -> Profile {
    let subject = normalised(subject.as_str());
    let mut slots: BTreeMap<&Attribute, Vec<Shown<'_>>> = BTreeMap::new();
    let mut others: BTreeMap<MemoryId, Shown<'_>> = BTreeMap::new();
    for memory in facts.iter().filter(|memory| memory.may_be_told_to(partner)) {
        let Some(shown) = Shown::of(memory) else { continue };
        if normalised(shown.statement.subject.as_str()) != subject {
            continue;
        }
        match &shown.statement.attribute {
            Some(attribute) => slots.entry(attribute).or_default().push(shown),
            None => {
                others.insert(memory.id, shown);
            }
        }
    }
    let slots = slots.into_iter().filter_map(|(attribute, facts)| slot(attribute, facts, valid_at));
    let mut others: Vec<Shown<'_>> = others.into_values().filter(|fact| fact.is_valid(valid_at)).collect();
    others.sort_by_key(Shown::newest_first);
    others.dedup_by(|later, first| normalised(&later.memory.text) == normalised(&first.memory.text));
    Profile {
        slots: slots.take(MAX_SLOTS).collect(),
        facts: others.iter().take(MAX_FACTS).map(Shown::value).collect(),
    }
}

/// Fact with its statement.
#[derive(Clone, Copy)]
struct Shown<'a> {
    memory: &'a Memory,
    statement: &'a Statement,
}

impl<'a> Shown<'a> {
    fn of(memory: &'a Memory) -> Option<Self> {
        memory.statement.as_ref().map(|statement| Self { memory, statement })
    }

    fn since(&self) -> Timestamp {
        self.memory.valid.start.unwrap_or(self.memory.happened.at)
    }

    fn has_link(&self, relation: &str) -> bool {
        self.memory.links.iter().any(|link| link.relation.as_str() == relation)
    }

    /// True if it holds at a time. A replaced fact without an end does not hold at any time.
    fn is_valid(&self, at: Timestamp) -> bool {
        let is_replaced = self.memory.valid.end.is_none() && self.has_link(Link::SUPERSEDED_BY);
        self.memory.valid.contains(at) && !is_replaced
    }

    /// Authority of the speaker: the subject, others, the assistant about others.
    fn rank(&self) -> u8 {
        let is_about_itself = normalised(self.statement.subject.as_str()) == Statement::ASSISTANT;
        let is_reported = self.memory.tags.iter().any(|tag| tag.as_str() == Relation::REPORTED_TAG);
        match self.statement.said_by {
            Role::Assistant if !is_about_itself => ASSISTANT_RANK,
            _ if is_reported => 1,
            _ => 0,
        }
    }

    fn newest_first(&self) -> (std::cmp::Reverse<Timestamp>, std::cmp::Reverse<Timestamp>, MemoryId) {
        (std::cmp::Reverse(self.since()), std::cmp::Reverse(self.memory.happened.at), self.memory.id)
    }

    fn key(&self) -> String {
        let object = self.statement.object.as_ref().map(|object| normalised(object.as_str()));
        object.filter(|key| !key.is_empty()).unwrap_or_else(|| normalised(&self.memory.text))
    }

    fn value(&self) -> SlotValue {
        let support = self.memory.links.iter().filter(|link| link.relation.as_str() == Link::SUPPORTED_BY);
        SlotValue {
            fact: self.memory.id,
            text: self.memory.text.clone(),
            object: self.statement.object.clone(),
            since: self.since(),
            until: self.memory.valid.end,
            confidence: self.statement.confidence,
            said_by: self.statement.said_by,
            evidence: support.map(|link| link.to).collect(),
        }
    }
}

/// Slot of facts; `None` if there is no value yet and none any more.
fn slot(attribute: &Attribute, mut facts: Vec<Shown<'_>>, at: Timestamp) -> Option<Slot> {
    facts.sort_by_key(|fact| (fact.memory.id, fact.memory.version));
    facts.dedup_by_key(|fact| fact.memory.id);
    facts.sort_by_key(|fact| (fact.rank(), fact.newest_first()));
    let (valid, others): (Vec<_>, Vec<_>) = facts.into_iter().partition(|fact| fact.is_valid(at));
    let values = match attribute.cardinality() {
        Cardinality::One => present(&valid),
        Cardinality::Many => distinct(valid),
    };
    let is_contested = attribute.cardinality() == Cardinality::One && values.len() > 1;
    let mut history: Vec<Shown<'_>> = others.into_iter().filter(|fact| fact.since() <= at).collect();
    history.sort_by_key(|fact| (std::cmp::Reverse(fact.memory.valid.end), fact.newest_first()));
    let slot = Slot {
        attribute: attribute.clone(),
        values: values.iter().take(MAX_VALUES).map(Shown::value).collect(),
        history: history.iter().take(MAX_HISTORY).map(Shown::value).collect(),
        is_contested,
    };
    (!slot.values.is_empty() || !slot.history.is_empty()).then_some(slot)
}

/// Of the facts in the order of authority and age: the first, and those that contradict it.
fn present<'a>(valid: &[Shown<'a>]) -> Vec<Shown<'a>> {
    let Some(first) = valid.first() else { return Vec::new() };
    let contradicts = |one: &Shown<'_>, other: &Shown<'_>| {
        let is_link = |link: &Link| link.relation.as_str() == Link::CONTRADICTS && link.to == other.memory.id;
        one.memory.links.iter().any(is_link)
    };
    let with = valid.iter().skip(1).filter(|fact| {
        let is_tie = fact.rank() == first.rank() && fact.since() == first.since();
        let is_shadowed = fact.rank() == ASSISTANT_RANK && first.rank() != ASSISTANT_RANK;
        !is_shadowed && (is_tie || contradicts(first, fact) || contradicts(fact, first))
    });
    distinct(std::iter::once(first).chain(with).copied().collect())
}

/// Rank of what the assistant says about others.
const ASSISTANT_RANK: u8 = 2;

/// The first fact of each value.
fn distinct(facts: Vec<Shown<'_>>) -> Vec<Shown<'_>> {
    let mut seen = std::collections::BTreeSet::new();
    facts.into_iter().filter(|fact| seen.insert(fact.key())).collect()
}
