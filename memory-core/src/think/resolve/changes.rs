//! Writes that a resolution asks for.
//!
//! **Provenance.** A new fact has *all* turns that were shown as inputs, so that the erasure of one of them finds every fact
//! that may hold a trace of it. A known fact that is closed, contradicted or strengthened keeps the inputs of its present
//! derivation: its text has no trace of the new turns, and the erasure of a new turn must not erase an old fact. What such an
//! erasure takes away are the links: the one to the turn, and the one to the fact that replaced it. A fact that loses its
//! last link `superseded_by` is valid again; while others remain, it ends with the first start among their targets.
//!
//! **Nothing is removed.** No text is changed, no fact erased. Validity only shrinks at its end and grows at its start.

use std::collections::{BTreeMap, HashMap};

use crate::domain::derivation::{Input, Source};
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::{Interval, Timestamp};

use super::decide::{Resolution, evidence, speaker};
use super::decision::FactRef;
use super::input::{KnownFact, Relation, ResolveInput};
use super::ledger::{Ledger, Origin, Party, Run};
use super::write::{FactChanges, FactRevision, FactToWrite};

/// Links of one fact (`limits::Limits::links_per_memory`).
const MAX_LINKS: usize = 64;

/// Inputs of [`changes()`] besides the resolution.
#[derive(Clone, Copy, Debug)]
pub struct ChangeInput<'a> {
    /// Inputs of the resolution.
    pub resolved: &'a ResolveInput<'a>,
    /// Kind of new facts.
    pub kind: Kind,
    /// Ids of new facts: at least [`Resolution::new_facts`].
    pub ids: &'a [MemoryId],
}

/// Writes of a resolution; `None` if there are too few ids.
pub fn changes(input: &ChangeInput<'_>, resolution: &Resolution) -> Option<FactChanges> {
    let ids = input.ids.get(..resolution.new_facts())?;
    let known = input.resolved.known.iter().map(|fact| (fact.memory.id, fact)).collect();
    let writer = Writer { input, ids, known, ledger: &resolution.ledger };
    let mut changes = FactChanges::default();
    for run in resolution.ledger.runs() {
        match (run.fact, run.origin) {
            (FactRef::Known(id), _) => changes.revisions.extend(writer.revision(id, run)),
            (fact, Origin::Candidate(at)) => changes.facts.extend(writer.fact(fact, at, run)),
            (fact, _) => changes.facts.extend(writer.resumed(fact, run)),
        }
    }
    Some(changes)
}

struct Writer<'a> {
    input: &'a ChangeInput<'a>,
    ids: &'a [MemoryId],
    known: HashMap<MemoryId, &'a KnownFact>,
    ledger: &'a Ledger,
}

impl Writer<'_> {
    fn id(&self, fact: FactRef) -> Option<MemoryId> {
        match fact {
            FactRef::Known(id) => Some(id),
            FactRef::New(at) => self.ids.get(at).copied(),
        }
    }

    /// Next version of a known fact; `None` if nothing changes.
    fn revision(&self, id: MemoryId, run: &Run) -> Option<FactRevision> {
        let fact = self.known.get(&id)?;
        let before = &fact.memory;
        let mut memory = Memory { version: before.version.saturating_add(1), ..before.clone() };
        let moved_from = before.valid.start.filter(|start| run.claim.start < *start);
        if moved_from.is_some() {
            memory.valid.start = Some(run.claim.start);
        }
        memory.valid.end = run.end;
        if let Some(statement) = &mut memory.statement {
            statement.confidence = run.confidence;
        }
        // The start that it had is a confirmation now, and the turn of it must say so.
        let first = fact.evidence.iter().filter(|one| Some(one.said_at) == moved_from);
        let mut support: Vec<(MemoryId, f32)> = first
            .filter(|one| fact.support_of(one.memory).is_none())
            .map(|one| (one.memory, Relation::CONFIRMS))
            .collect();
        support.extend(run.support.iter().map(|one| (one.turn, weight(one.confirms))));
        memory.links = self.links(&before.links, run, &support, &self.said(run));
        let is_same = Memory { version: before.version, ..memory.clone() } == *before;
        (!is_same).then(|| FactRevision { memory, inputs: fact.inputs.clone() })
    }

    fn fact(&self, place: FactRef, at: usize, run: &Run) -> Option<FactToWrite> {
        let fact = self.input.resolved.candidates.get(at)?;
        let claim = &run.claim;
        let (said_by, _) = speaker(fact, &evidence(fact, self.input.resolved.turns))?;
        let attribute = claim.attribute.clone().filter(|_| !claim.is_end);
        // A fact about the user by name is in the user's slots.
        let own = (claim.subject == Statement::USER).then(|| Name::new(Statement::USER).ok()).flatten();
        let subject = own.unwrap_or_else(|| fact.statement.subject.clone());
        let statement =
            Statement { subject, attribute, confidence: run.confidence, said_by, ..fact.statement.clone() };
        let has_start = claim.attribute.is_some() || claim.is_end;
        let start = if has_start { Some(claim.start) } else { fact.valid.start };
        let support: Vec<(MemoryId, f32)> =
            run.support.iter().map(|one| (one.turn, weight(one.confirms))).collect();
        Some(FactToWrite {
            id: self.id(place)?,
            candidate: Some(at),
            kind: self.input.kind,
            text: fact.text.clone(),
            subjects: vec![fact.statement.subject.clone()],
            statement,
            audience: claim.audience.iter().cloned().collect(),
            tags: tags(run),
            links: self.links(&[], run, &support, &self.said(run)),
            groups: groups(run),
            happened: fact.happened,
            valid: Interval { start, end: run.end },
            inputs: self.shown(run),
        })
    }

    /// Continuation of a fact that was interrupted: a copy, with the evidence from its start on.
    fn resumed(&self, place: FactRef, run: &Run) -> Option<FactToWrite> {
        let (root, before) = self.root(run)?;
        let id = self.id(place)?;
        let said = self.said(run);
        let mut copy = match root.origin {
            Origin::Candidate(at) => self.fact(root.fact, at, root)?,
            _ => {
                let known = before?;
                FactToWrite {
                    id,
                    candidate: None,
                    kind: known.memory.kind,
                    text: known.memory.text.clone(),
                    statement: known.memory.statement.clone()?,
                    subjects: known.memory.subjects.clone(),
                    audience: known.memory.audience.clone(),
                    tags: known.memory.tags.clone(),
                    links: Vec::new(),
                    groups: groups(run),
                    happened: known.memory.happened,
                    valid: known.memory.valid,
                    inputs: known.inputs.clone(),
                }
            }
        };
        let later =
            said.iter().filter(|(_, said_at)| **said_at > run.claim.start && run.confirmed.contains(said_at));
        let support: Vec<(MemoryId, f32)> = later.map(|(turn, _)| (*turn, Relation::CONFIRMS)).collect();
        let superseded = |link: &&Link| link.relation.as_str() == Link::SUPERSEDED_BY;
        let inherited: Vec<Link> = before
            .map(|fact| fact.memory.links.iter().filter(superseded).cloned().collect())
            .unwrap_or_default();
        copy.id = id;
        copy.candidate = None;
        copy.links = self.links(&inherited, run, &support, &said);
        copy.valid = Interval { start: Some(run.claim.start), end: run.end };
        copy.statement.confidence = run.confidence;
        copy.inputs = self.inputs_of_resumed(&copy.inputs, before, run);
        Some(copy)
    }

    /// Inputs of a fact that resumes: those of the fact, and all turns that were shown. Its evidence is what was said at its
    /// start.
    fn inputs_of_resumed(&self, copied: &[Input], before: Option<&KnownFact>, run: &Run) -> Vec<Input> {
        let known = before.into_iter().flat_map(|fact| &fact.evidence).map(|one| (one.turn, one.said_at));
        let supporting = self.input.resolved.turns.iter().filter(|turn| run.turns.contains(&turn.memory));
        let said = known.chain(supporting.map(|turn| (turn.turn, turn.said_at)));
        let at_start = said.filter(|(_, said_at)| *said_at == run.claim.start);
        let evidence: Vec<Source> = at_start.map(|(turn, _)| Source::Turn(turn)).collect();
        let own = evidence.iter().map(|source| Input { source: *source, is_evidence: true });
        let mut inputs = joined(copied, own.collect());
        inputs = joined(&inputs, self.shown(run));
        // Without a turn at its start, all that it has is kept.
        if !evidence.is_empty() {
            for input in &mut inputs {
                input.is_evidence = evidence.contains(&input.source);
            }
        }
        inputs
    }

    /// Fact of which a resumed one is the continuation, and its known form.
    fn root(&self, run: &Run) -> Option<(&Run, Option<&KnownFact>)> {
        let mut root = self.ledger.get(run.fact)?;
        // Each step leads to an earlier fact.
        while let Origin::Resumed(of, _) = root.origin {
            root = self.ledger.get(of)?;
        }
        let known = match root.fact {
            FactRef::Known(id) => self.known.get(&id).copied(),
            FactRef::New(_) => None,
        };
        Some((root, known))
    }

    /// Times of the utterances that support a fact.
    fn said(&self, run: &Run) -> BTreeMap<MemoryId, Timestamp> {
        let known = self.root(run).and_then(|(_, known)| known);
        let before = known.into_iter().flat_map(|known| &known.evidence).map(|one| (one.memory, one.said_at));
        let shown = self.input.resolved.turns.iter().filter(|turn| run.turns.contains(&turn.memory));
        let shown = shown.map(|turn| (turn.memory, turn.said_at));
        before.chain(shown).chain(run.support.iter().map(|one| (one.turn, one.said_at))).collect()
    }

    /// All turns that were shown, those that support the fact as evidence.
    fn shown(&self, run: &Run) -> Vec<Input> {
        let turns = self.input.resolved.turns.iter();
        turns
            .map(|turn| Input {
                source: Source::Turn(turn.turn),
                is_evidence: run.turns.contains(&turn.memory),
            })
            .collect()
    }

    /// Links of a fact: those that it had, those of this resolution, and its support, of which the newest stay.
    fn links(
        &self,
        before: &[Link],
        run: &Run,
        support: &[(MemoryId, f32)],
        said: &BTreeMap<MemoryId, Timestamp>,
    ) -> Vec<Link> {
        let is_support = |link: &Link| link.relation.as_str() == Link::SUPPORTED_BY;
        let mut links: Vec<Link> = before.iter().filter(|link| !is_support(link)).cloned().collect();
        let targets = [
            (Link::SUPERSEDES, &run.supersedes),
            (Link::SUPERSEDED_BY, &run.superseded_by),
            (Link::CONTRADICTS, &run.contradicts),
        ];
        for (relation, targets) in targets {
            let ids =
                targets.iter().filter(|target| **target != run.fact).filter_map(|target| self.id(*target));
            for link in ids.filter_map(|id| Relation::link(id, relation, Link::DEFAULT_WEIGHT)) {
                let is_there = links.iter().any(|one| one.to == link.to && one.relation == link.relation);
                if !is_there && links.len() < MAX_LINKS {
                    links.push(link);
                }
            }
        }
        let mut turns: Vec<Link> = before.iter().filter(|link| is_support(link)).cloned().collect();
        for (turn, weight) in support {
            match turns.iter_mut().find(|link| link.to == *turn) {
                Some(link) => link.weight = link.weight.max(*weight),
                None => turns.extend(Relation::link(*turn, Link::SUPPORTED_BY, *weight)),
            }
        }
        turns.sort_by_key(|link| (said.get(&link.to).copied().unwrap_or(Timestamp::MIN), link.to));
        let kept = self.input.resolved.thresholds.max_support.min(MAX_LINKS.saturating_sub(links.len()));
        let dropped = turns.len().saturating_sub(kept);
        links.extend(turns.into_iter().skip(dropped));
        links
    }
}

fn weight(confirms: bool) -> f32 {
    if confirms { Relation::CONFIRMS } else { Relation::MENTIONS }
}

fn tags(run: &Run) -> Vec<Name> {
    let ended = run.claim.is_end.then(|| Relation::ended_tag(run.claim.attribute.as_ref())).flatten();
    let is_reported = matches!(run.claim.party, Party::Other(_));
    let reported = is_reported.then(|| Name::new(Relation::REPORTED_TAG).ok()).flatten();
    ended.into_iter().chain(reported).collect()
}

/// Groups of the subject and of the slot. The end of a value is in the group of the slot too, where a value that arrives
/// late finds it.
fn groups(run: &Run) -> Vec<GroupKey> {
    GroupKey::of_fact(&run.claim.subject, run.claim.attribute.as_ref())
}

/// Inputs of two lists, each source once, as evidence if it is one in either.
fn joined(one: &[Input], other: Vec<Input>) -> Vec<Input> {
    let mut inputs = one.to_vec();
    for input in other {
        match inputs.iter_mut().find(|before| before.source == input.source) {
            Some(before) => before.is_evidence |= input.is_evidence,
            None => inputs.push(input),
        }
    }
    inputs
}
