//! State of the facts during a resolution: every fact as an interval of a timeline, known and new ones alike.
//!
//! Invariant: the values of a timeline that are valid at a moment are those of its latest assertion before, without those
//! that an end came after. `timeline` keeps it, one assertion at a time, in any order.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::MemoryId;
use crate::domain::memory::{Happened, Memory};
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Cardinality, Statement};
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::domain::zone::Zone;

use super::decision::FactRef;
use super::input::{Evidence, KnownFact, Relation};
use super::normal::{normalised, text_key};

/// Party that says something about a subject. Parties do not supersede each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// The subject itself.
    Own,
    /// Somebody else, by name in normal form; empty for an unnamed speaker.
    Other(String),
    /// The assistant, about somebody else.
    Assistant,
}

impl Party {
    /// Party of a speaker who says something about a subject, both in normal form.
    fn of(role: Role, author: &str, subject: &str) -> Self {
        match role {
            Role::Assistant
                if subject == Statement::ASSISTANT || (!author.is_empty() && author == subject) =>
            {
                Party::Own
            }
            Role::Assistant => Party::Assistant,
            _ if author.is_empty() && subject == Statement::USER => Party::Own,
            _ if !author.is_empty() && author == subject => Party::Own,
            _ => Party::Other(author.to_owned()),
        }
    }
}

/// Turn that supports a fact, added by this resolution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Support {
    /// Memory of the turn.
    pub turn: MemoryId,
    /// Time of the utterance.
    pub said_at: Timestamp,
    /// True if the turn says that the fact holds at that time.
    pub confirms: bool,
}

/// Content of a fact, in comparable form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// Subject, in normal form; [`Statement::USER`] for every name of the user.
    pub subject: String,
    /// Attribute, also of an end and of a possibility.
    pub attribute: Option<Attribute>,
    /// Relation, in normal form.
    pub relation: Option<String>,
    /// Object, in normal form; `None` without one.
    pub value: Option<String>,
    /// Text, verbatim.
    pub text: String,
    /// Text, in normal form.
    pub text_key: String,
    /// Party.
    pub party: Party,
    /// True if it says that something no longer holds.
    pub is_end: bool,
    /// True if it is the value of a slot that holds one.
    pub is_single: bool,
    /// Time from which it holds.
    pub start: Timestamp,
    /// Day of the event if the text names one, apart from the utterance, as days since 1970.
    pub dated: Option<i64>,
    /// Time of the (first) utterance.
    pub said_at: Timestamp,
    /// Those who may be told; empty for anybody.
    pub audience: BTreeSet<Name>,
}

/// Fact in the ledger.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Its place.
    pub fact: FactRef,
    /// Content. `start` is the present one.
    pub claim: Claim,
    /// End of its validity.
    pub end: Option<Timestamp>,
    /// Times at which it was said again, sorted.
    pub confirmed: Vec<Timestamp>,
    /// Evidence, as memories of turns.
    pub turns: BTreeSet<MemoryId>,
    /// Confidence.
    pub confidence: f64,
    /// Support added.
    pub support: Vec<Support>,
    /// Facts that ended it, in this resolution.
    pub superseded_by: BTreeSet<FactRef>,
    /// Facts that it ended, in this resolution.
    pub supersedes: BTreeSet<FactRef>,
    /// Facts that it contradicts, in this resolution.
    pub contradicts: BTreeSet<FactRef>,
    /// Origin of a new fact.
    pub origin: Origin,
}

/// Origin of a fact in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Known before.
    Known,
    /// Candidate, by position.
    Candidate(usize),
    /// Continuation of a fact that was interrupted, found by an assertion that arrived late: it copies the fact.
    Resumed(FactRef, Option<usize>),
}

impl Run {
    /// True if it holds at a time.
    pub(super) fn holds_at(&self, at: Timestamp) -> bool {
        self.claim.start <= at && self.end.is_none_or(|end| at < end)
    }

    /// Times at which it was asserted while it held, sorted; the start is the first.
    pub(super) fn assertions(&self) -> impl Iterator<Item = Timestamp> {
        let later = self.confirmed.iter().copied().filter(|at| *at > self.claim.start);
        std::iter::once(self.claim.start).chain(later.filter(|at| self.end.is_none_or(|end| *at < end)))
    }

    /// Adds a time at which it was said again.
    pub(super) fn confirm(&mut self, at: Timestamp) {
        if let Err(place) = self.confirmed.binary_search(&at) {
            self.confirmed.insert(place, at);
        }
    }
}

/// All facts of a resolution, in the order of their places: known ones by id, then new ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    runs: Vec<Run>,
    places: BTreeMap<FactRef, usize>,
    known: usize,
}

impl Ledger {
    /// Ledger of the known facts, in the order of ids.
    pub(super) fn of(known: &[KnownFact], names: &Names) -> Self {
        let unique: BTreeMap<MemoryId, &KnownFact> =
            known.iter().map(|fact| (fact.memory.id, fact)).collect();
        let mut ledger = Self::default();
        for fact in unique.into_values() {
            if let Some(run) = known_run(fact, names) {
                ledger.push(run);
            }
        }
        ledger.known = ledger.runs.len();
        ledger
    }

    /// Number of new facts.
    pub(super) fn new_facts(&self) -> usize {
        self.runs.len().saturating_sub(self.known)
    }

    /// Place of the next new fact.
    pub(super) fn next(&self) -> FactRef {
        FactRef::New(self.new_facts())
    }

    /// Adds a fact.
    pub(super) fn push(&mut self, run: Run) {
        self.places.insert(run.fact, self.runs.len());
        self.runs.push(run);
    }

    /// Facts, in order.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// A fact.
    pub(super) fn get(&self, fact: FactRef) -> Option<&Run> {
        self.places.get(&fact).and_then(|place| self.runs.get(*place))
    }

    /// A fact.
    pub(super) fn get_mut(&mut self, fact: FactRef) -> Option<&mut Run> {
        self.places.get(&fact).and_then(|place| self.runs.get_mut(*place))
    }
}

/// Names under which the user is known.
#[derive(Debug)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Names of the user.
    pub(super) fn of(user_names: &[Name]) -> Self {
        Self(
            user_names.iter().map(|name| normalised(name.as_str())).filter(|name| !name.is_empty()).collect(),
        )
    }

    /// Normal form of the name of a subject or speaker.
    pub(super) fn key(&self, name: &str) -> String {
        let key = normalised(name);
        if self.0.contains(&key) { Statement::USER.to_owned() } else { key }
    }

    /// Party of a speaker.
    pub(super) fn party(&self, role: Role, author: Option<&Name>, subject: &str) -> Party {
        let author = author.map(|author| self.key(author.as_str())).unwrap_or_default();
        Party::of(role, &author, subject)
    }
}

/// Times of a fact: its start, and that of the event if the text names it.
pub(super) fn times(
    start: Option<Timestamp>,
    happened: Happened,
    said: &[Timestamp],
) -> (Timestamp, Option<i64>) {
    let day = || Zone::UTC.or_own(happened.offset).day(happened.at);
    let dated = (!said.contains(&happened.at)).then(day);
    (start.unwrap_or(happened.at), dated)
}

/// True if a fact is the value of a slot that holds one.
pub(super) fn is_single(attribute: Option<&Attribute>, value: Option<&String>) -> bool {
    value.is_some() && attribute.is_some_and(|attribute| attribute.cardinality() == Cardinality::One)
}

fn known_run(fact: &KnownFact, names: &Names) -> Option<Run> {
    let memory: &Memory = &fact.memory;
    let statement = memory.statement.as_ref()?;
    let is_end = fact.is_ended();
    let attribute = if is_end { fact.ended_attribute() } else { statement.attribute.clone() };
    let value =
        statement.object.as_ref().map(|object| normalised(object.as_str())).filter(|value| !value.is_empty());
    let subject = names.key(statement.subject.as_str());
    let confirms = |evidence: &&Evidence| fact.is_confirmed_by(evidence.memory);
    let mut confirmed: Vec<_> =
        fact.evidence.iter().filter(confirms).map(|evidence| evidence.said_at).collect();
    confirmed.sort_unstable();
    confirmed.dedup();
    let said: Vec<Timestamp> = fact.evidence.iter().map(|evidence| evidence.said_at).collect();
    let (start, dated) = times(memory.valid.start, memory.happened, &said);
    // Those who only mention it are not the speaker.
    let speaker = fact.evidence.iter().filter(|evidence| evidence.role == statement.said_by);
    let mentions = |turn| fact.support_of(turn).is_some_and(|weight| weight < Relation::CONFIRMS);
    let speaker =
        speaker.min_by_key(|evidence| (mentions(evidence.memory), evidence.said_at, evidence.memory));
    let claim = Claim {
        party: names.party(
            statement.said_by,
            speaker.and_then(|evidence| evidence.author.as_ref()),
            &subject,
        ),
        is_single: !is_end && is_single(attribute.as_ref(), value.as_ref()),
        relation: statement.relation.as_ref().map(|relation| normalised(relation.as_str())),
        text: memory.text.clone(),
        text_key: text_key(&memory.text),
        said_at: said.iter().copied().min().unwrap_or(memory.happened.at),
        audience: memory.audience.iter().cloned().collect(),
        subject,
        attribute,
        value,
        is_end,
        start,
        dated,
    };
    Some(Run {
        fact: FactRef::Known(memory.id),
        claim,
        end: memory.valid.end,
        confirmed,
        turns: fact.evidence.iter().map(|evidence| evidence.memory).collect(),
        confidence: statement.confidence,
        support: Vec::new(),
        superseded_by: BTreeSet::new(),
        supersedes: BTreeSet::new(),
        contradicts: BTreeSet::new(),
        origin: Origin::Known,
    })
}
