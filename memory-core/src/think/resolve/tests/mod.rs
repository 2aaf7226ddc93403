//! Tests of resolution, with a store in memory.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    ChangeInput, Decision, Evidence, FactChanges, KnownFact, Resolution, ResolveInput, Thresholds, changes,
    resolve,
};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, SessionId, TurnId};
use crate::domain::link::Link;
use crate::domain::memory::{Happened, Kind, Memory, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::think::candidate::{CandidateFact, SourceTurn};

mod properties;
mod stories;
mod writes;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(1_709_294_400_000_000).plus_days(day)
}

/// Turn that nobody in particular says.
fn turn(id: u128, role: Role, said_on: i64, text: &str) -> SourceTurn {
    SourceTurn {
        turn: TurnId(Uuid::from_u128(id)),
        memory: MemoryId(Uuid::from_u128(id)),
        session: SessionId(Uuid::from_u128(1)),
        seq: 0,
        role,
        author: None,
        participants: Vec::new(),
        text: text.to_owned(),
        said_at: day(said_on),
        utc_offset: None,
        zone: crate::domain::zone::Zone::UTC,
        audience: Vec::new(),
    }
}

/// Candidate of the first turn, about the present.
fn fact(turn: &SourceTurn, text: &str, attribute: Option<&str>, object: Option<&str>) -> CandidateFact {
    CandidateFact {
        text: text.to_owned(),
        statement: Statement {
            subject: name(Statement::USER),
            relation: None,
            object: object.map(name),
            attribute: attribute.map(|attribute| Attribute::new(attribute).expect("an attribute")),
            confidence: 0.6,
            said_by: turn.role,
        },
        is_ended: false,
        happened: Happened { at: turn.said_at, until: None, offset: None },
        valid: Interval::default(),
        evidence: vec![0],
        is_confidential: false,
    }
}

/// Store in memory: facts with their provenance, and turns.
#[derive(Default)]
struct Facts {
    facts: BTreeMap<MemoryId, KnownFact>,
    turns: Vec<SourceTurn>,
    ids: u128,
    /// Known facts are given in reverse.
    is_reversed: bool,
    near: f64,
    recalled: Vec<String>,
    marked: Vec<MemoryId>,
}

impl Facts {
    fn known(&self) -> Vec<KnownFact> {
        let known = self.facts.values().cloned();
        if self.is_reversed { known.rev().collect() } else { known.collect() }
    }

    fn say(&mut self, turn: SourceTurn, candidate: CandidateFact) -> Decision {
        let mut decisions = self.add(&[turn], &[candidate]).0;
        decisions.pop().expect("one decision")
    }

    fn add(&mut self, turns: &[SourceTurn], candidates: &[CandidateFact]) -> (Vec<Decision>, FactChanges) {
        let known = self.known();
        let near: Vec<_> = self.facts.keys().map(|id| (*id, self.near)).collect();
        let recalled = vec![self.recalled.clone(); turns.len()];
        let input = ResolveInput {
            turns,
            recalled: &recalled,
            candidates,
            known: &known,
            near_known: &vec![near; candidates.len()],
            near_candidates: &[],
            marked: &vec![self.marked.clone(); candidates.len()],
            user_names: &[],
            thresholds: Thresholds::default(),
        };
        let resolution: Resolution = resolve(&input);
        let ids: Vec<MemoryId> = (0..resolution.new_facts())
            .map(|_| {
                self.ids += 1;
                MemoryId(Uuid::from_u128(1_000_000 + self.ids))
            })
            .collect();
        let change = ChangeInput { resolved: &input, kind: Kind::Fact, ids: &ids };
        let changes = changes(&change, &resolution).expect("enough ids");
        self.turns.extend_from_slice(turns);
        self.apply(&changes);
        (resolution.decisions, changes)
    }

    /// Applies changes, and checks that they remove nothing and keep the provenance.
    fn apply(&mut self, changes: &FactChanges) {
        for revision in &changes.revisions {
            let fact = self.facts.get_mut(&revision.memory.id).expect("a known fact");
            assert_eq!(fact.memory.text, revision.memory.text, "texts stay");
            assert_eq!(fact.inputs, revision.inputs, "inputs stay");
            assert_eq!(fact.memory.version + 1, revision.memory.version);
            fact.memory = revision.memory.clone();
        }
        for new in &changes.facts {
            assert!(!new.inputs.is_empty() && new.inputs.iter().any(|input| input.is_evidence), "{new:?}");
            assert!(new.valid.is_ordered(), "{new:?}");
            let memory = Memory {
                statement: Some(new.statement.clone()),
                subjects: new.subjects.clone(),
                audience: new.audience.clone(),
                tags: new.tags.clone(),
                links: new.links.clone(),
                happened: new.happened,
                valid: new.valid,
                ..plain(new.id, &new.text)
            };
            let known = KnownFact { memory, inputs: new.inputs.clone(), evidence: Vec::new() };
            assert!(self.facts.insert(new.id, known).is_none());
        }
        for fact in self.facts.values() {
            assert_eq!(crate::domain::link::first_bad(Some(fact.memory.id), &fact.memory.links), None);
        }
        let turns = &self.turns;
        for fact in self.facts.values_mut() {
            let made = fact.inputs.iter().filter(|input| input.is_evidence).map(|input| input.source);
            let linked = fact.memory.links.iter().filter(|link| link.relation.as_str() == Link::SUPPORTED_BY);
            let linked = linked.map(|link| Source::Memory(link.to));
            let sources: Vec<Source> = made.chain(linked).collect();
            let is_source = |turn: &&SourceTurn| {
                sources.contains(&Source::Turn(turn.turn)) || sources.contains(&Source::Memory(turn.memory))
            };
            fact.evidence = turns
                .iter()
                .filter(is_source)
                .map(|turn| Evidence {
                    memory: turn.memory,
                    turn: turn.turn,
                    said_at: turn.said_at,
                    role: turn.role,
                    author: turn.author.clone(),
                })
                .collect();
        }
    }

    /// Values of a slot that are valid at a time.
    fn values(&self, attribute: &str, at: Timestamp, role: Role) -> Vec<String> {
        let valid = self.facts.values().map(|fact| &fact.memory).filter(|memory| memory.valid.contains(at));
        let statements = valid.filter_map(|memory| memory.statement.as_ref());
        let in_slot = statements.filter(|statement| {
            statement.said_by == role
                && statement.attribute.as_ref().is_some_and(|one| one.as_str() == attribute)
        });
        let mut values: Vec<String> =
            in_slot.filter_map(|statement| statement.object.as_ref().map(ToString::to_string)).collect();
        values.sort();
        values
    }

    fn with_text(&self, text: &str) -> &KnownFact {
        self.facts.values().find(|fact| fact.memory.text == text).expect("a fact of this text")
    }
}

/// Memory without anything but a text.
pub(crate) fn plain(id: MemoryId, text: &str) -> Memory {
    Memory {
        id,
        version: 1,
        kind: Kind::Fact,
        text: text.to_owned(),
        tokens: 1,
        agent: None,
        app: None,
        run: None,
        visibility: Visibility::Owner,
        subjects: Vec::new(),
        audience: Vec::new(),
        statement: None,
        tags: Vec::new(),
        links: Vec::new(),
        metadata: Metadata::default(),
        annotation: None,
        document: None,
        origin: None,
        derivation: None,
        happened: Happened { at: day(0), until: None, offset: None },
        recorded_at: day(0),
        created_at: day(0),
        valid: Interval::default(),
        expires_at: None,
        strength: Strength::new(0.5, 1.0, day(0)),
        forgotten: None,
    }
}
