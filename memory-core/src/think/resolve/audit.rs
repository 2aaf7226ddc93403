//! Audit of stored facts by the rules that admit candidates: junk, duplicates, loops, missing evidence.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::derivation::Source;
use crate::domain::id::MemoryId;
use crate::domain::name::Name;
use crate::domain::turn::Role;

use super::decision::Reason;
use super::echo::is_paraphrase;
use super::input::{KnownFact, Thresholds};
use super::junk::junk;
use super::near::is_compatible;
use super::normal::{content_terms, normalised, text_key};

/// Earlier facts of one subject with which a fact is compared for a loop; the latest count.
const MAX_EARLIER: usize = 512;

/// Rates of an audit. A fact may count under several headings, once under each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Facts in the audit.
    pub facts: usize,
    /// Facts that a guard would reject, with the reason.
    pub junk: Vec<(MemoryId, Reason)>,
    /// Facts that repeat another one that holds, with that one.
    pub duplicates: Vec<(MemoryId, MemoryId)>,
    /// Facts that only the assistant said, and that repeat an earlier fact, with that one: recalled text that was extracted
    /// again.
    pub loops: Vec<(MemoryId, MemoryId)>,
    /// Facts without a turn, or a fact, that supports them.
    pub unsupported: Vec<MemoryId>,
}

impl AuditReport {
    /// Share of the facts, 0 to 1; 0 without facts.
    pub fn rate(&self, count: usize) -> f64 {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        if self.facts == 0 { 0.0 } else { number(count) / number(self.facts) }
    }

    /// Share of junk.
    pub fn junk_rate(&self) -> f64 {
        self.rate(self.junk.len())
    }

    /// Share of duplicates.
    pub fn duplicate_rate(&self) -> f64 {
        self.rate(self.duplicates.len())
    }

    /// Share of loops.
    pub fn loop_rate(&self) -> f64 {
        self.rate(self.loops.len())
    }

    /// Share of unsupported facts.
    pub fn unsupported_rate(&self) -> f64 {
        self.rate(self.unsupported.len())
    }
}

/// Audits facts. `near` has pairs of facts with their cosines, as far as they were computed; order does not matter. The
/// evidence of a fact is that which still exists.
pub fn audit(
    facts: &[KnownFact],
    near: &[(MemoryId, MemoryId, f64)],
    thresholds: &Thresholds,
) -> AuditReport {
    let mut facts: Vec<&KnownFact> = facts.iter().collect();
    facts.sort_by_key(|fact| (fact.memory.created_at, fact.memory.id));
    facts.dedup_by_key(|fact| fact.memory.id);
    let mut report = AuditReport { facts: facts.len(), ..AuditReport::default() };
    for fact in &facts {
        let memory = &fact.memory;
        let statement = memory.statement.as_ref();
        let object = statement.and_then(|statement| statement.object.as_ref()).map(Name::as_str);
        let confidence = statement.map_or(1.0, |statement| statement.confidence);
        let rejected = junk(&memory.text, object, confidence, thresholds).or_else(|| unsaid(fact));
        report.junk.extend(rejected.map(|reason| (memory.id, reason)));
        if fact.evidence.is_empty() && !is_merged(fact) {
            report.unsupported.push(memory.id);
        }
    }
    report.duplicates = duplicates(&facts, near, thresholds);
    report.loops = loops(&facts);
    report
}

/// True for a fact made of other facts, whose support is theirs. The erasure of one of them would have erased it.
fn is_merged(fact: &KnownFact) -> bool {
    fact.inputs.iter().any(|input| input.is_evidence && matches!(input.source, Source::Memory(_)))
}

fn unsaid(fact: &KnownFact) -> Option<Reason> {
    let is_said = fact.evidence.iter().any(|one| matches!(one.role, Role::User | Role::Assistant));
    (!fact.evidence.is_empty() && !is_said).then_some(Reason::NotSaid)
}

fn subject(fact: &KnownFact) -> String {
    fact.memory.statement.as_ref().map(|statement| normalised(statement.subject.as_str())).unwrap_or_default()
}

/// True if two facts hold at one time; a fact that was true twice, with another in between, is no duplicate.
fn overlap(one: &KnownFact, other: &KnownFact) -> bool {
    let (one, other) = (one.memory.valid, other.memory.valid);
    let is_before =
        |one: Option<_>, other: Option<_>| matches!((one, other), (Some(end), Some(start)) if end <= start);
    !is_before(one.end, other.start) && !is_before(other.end, one.start)
}

fn duplicates(
    facts: &[&KnownFact],
    near: &[(MemoryId, MemoryId, f64)],
    thresholds: &Thresholds,
) -> Vec<(MemoryId, MemoryId)> {
    let mut by_text: BTreeMap<(String, String), Vec<&KnownFact>> = BTreeMap::new();
    let mut found: BTreeMap<MemoryId, MemoryId> = BTreeMap::new();
    for fact in facts {
        let key = text_key(&fact.memory.text);
        if key.is_empty() {
            continue;
        }
        let firsts = by_text.entry((subject(fact), key)).or_default();
        match firsts.iter().find(|first| overlap(first, fact)) {
            Some(first) => {
                found.insert(fact.memory.id, first.memory.id);
            }
            None if firsts.len() < MAX_EARLIER => firsts.push(fact),
            None => {}
        }
    }
    let places: BTreeMap<MemoryId, usize> =
        facts.iter().enumerate().map(|(at, fact)| (fact.memory.id, at)).collect();
    let mut pairs = BTreeSet::new();
    for (one, other, cosine) in near {
        if let (Some(one), Some(other)) = (places.get(one), places.get(other))
            && *cosine >= thresholds.near_cosine
        {
            pairs.insert((*one.max(other), *one.min(other)));
        }
    }
    for (later, first) in pairs {
        let (Some(later), Some(first)) = (facts.get(later), facts.get(first)) else { continue };
        let is_same = later.memory.id != first.memory.id && subject(later) == subject(first);
        if is_same && overlap(first, later) && is_compatible(&later.memory.text, &first.memory.text) {
            found.entry(later.memory.id).or_insert(first.memory.id);
        }
    }
    found.into_iter().collect()
}

fn loops(facts: &[&KnownFact]) -> Vec<(MemoryId, MemoryId)> {
    let mut earlier: BTreeMap<String, Vec<(MemoryId, Vec<String>)>> = BTreeMap::new();
    let mut found = Vec::new();
    for fact in facts {
        let terms = content_terms(&fact.memory.text);
        let earlier = earlier.entry(subject(fact)).or_default();
        let is_assistant =
            !fact.evidence.is_empty() && fact.evidence.iter().all(|one| one.role == Role::Assistant);
        let latest = earlier.iter().rev().take(MAX_EARLIER);
        let echo = latest.into_iter().find(|(_, before)| is_assistant && is_paraphrase(before, &terms));
        found.extend(echo.map(|(before, _)| (fact.memory.id, *before)));
        earlier.push((fact.memory.id, terms));
    }
    found
}
