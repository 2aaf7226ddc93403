//! Resolution: one decision about each candidate, in their order. Pure, and independent of the order of known facts.
//!
//! Guards come first, structure second, similarity last. A language model or a cosine alone never ends a fact: for that the
//! subject, the attribute and the party must be the same, the value another, and the time later.

use std::collections::BTreeMap;

use crate::domain::id::MemoryId;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Cardinality};
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::think::candidate::{CandidateFact, SourceTurn};

use super::audience::audience;
use super::decision::{Decision, FactRef, Reason};
use super::echo::Echoes;
use super::input::ResolveInput;
use super::junk::junk;
use super::ledger::{Claim, Ledger, Names, Origin, Party, Run, Support, is_single, times};
use super::near::is_possibility;
use super::normal::{normalised, text_key};
use super::same::{agrees, is_same_statement};
use super::timeline::{Effect, SameTime, assert, cut_at, end, joined, same_end, same_value};

/// Result of [`resolve()`].
#[derive(Clone, Debug)]
pub struct Resolution {
    /// Decisions, in the order of the candidates.
    pub decisions: Vec<Decision>,
    /// State of the facts after all decisions.
    pub(super) ledger: Ledger,
}

impl Resolution {
    /// Number of new facts, each of which needs an id. It is at least the number of candidates that are stored: a fact
    /// that was interrupted resumes as another one.
    pub fn new_facts(&self) -> usize {
        self.ledger.new_facts()
    }
}

/// Decides about each candidate.
pub fn resolve(input: &ResolveInput<'_>) -> Resolution {
    let names = Names::of(input.user_names);
    let echoes = input.turns.iter().enumerate().map(|(at, turn)| {
        let recalled = input.recalled.get(at).map(Vec::as_slice).unwrap_or_default();
        Echoes::of(turn, recalled)
    });
    let mut resolver = Resolver {
        input,
        echoes: echoes.collect(),
        ledger: Ledger::of(input.known, &names),
        names,
        placed: Vec::new(),
        same: SameTime(input.thresholds.same_time_us),
    };
    let mut decisions = Vec::with_capacity(input.candidates.len());
    for (at, candidate) in input.candidates.iter().enumerate() {
        let decision = resolver.decide(at, candidate);
        resolver.placed.push(place_of(&decision));
        decisions.push(decision);
    }
    Resolution { decisions, ledger: resolver.ledger }
}

/// Speaker of a candidate: role and name.
pub(super) fn speaker<'a>(
    fact: &CandidateFact,
    evidence: &[&'a SourceTurn],
) -> Option<(Role, Option<&'a Name>)> {
    let is_said = |turn: &&&SourceTurn| matches!(turn.role, Role::User | Role::Assistant);
    let claimed = evidence.iter().filter(is_said).find(|turn| turn.role == fact.statement.said_by);
    let turn = claimed.or_else(|| evidence.iter().find(is_said))?;
    Some((turn.role, turn.author.as_ref()))
}

/// Turns that are the evidence; empty if one of them was not shown.
pub(super) fn evidence<'a>(fact: &CandidateFact, turns: &'a [SourceTurn]) -> Vec<&'a SourceTurn> {
    let turns: Option<Vec<&SourceTurn>> = fact.evidence.iter().map(|at| turns.get(*at)).collect();
    turns.unwrap_or_default()
}

fn place_of(decision: &Decision) -> Option<FactRef> {
    match decision {
        Decision::Duplicate { of, .. } => Some(*of),
        Decision::New { fact, .. }
        | Decision::Supersedes { fact, .. }
        | Decision::Ends { fact, .. }
        | Decision::Contradicts { fact, .. } => Some(*fact),
        Decision::Rejected { .. } => None,
    }
}

struct Resolver<'a> {
    input: &'a ResolveInput<'a>,
    echoes: Vec<Echoes>,
    ledger: Ledger,
    names: Names,
    /// Facts to which the candidates before went.
    placed: Vec<Option<FactRef>>,
    same: SameTime,
}

impl Resolver<'_> {
    fn decide(&mut self, at: usize, fact: &CandidateFact) -> Decision {
        let evidence = evidence(fact, self.input.turns);
        if let Some(reason) = self.reject(fact, &evidence) {
            return Decision::Rejected { reason };
        }
        let Some((role, author)) = speaker(fact, &evidence) else {
            return Decision::Rejected { reason: Reason::NotSaid };
        };
        let claim = self.claim(fact, &evidence, role, author);
        let support = supports(&claim, &evidence, role);
        if claim.is_end {
            return self.decide_end(at, fact, claim, &support);
        }
        let mut effect = assert(&mut self.ledger, &claim, at, fact.valid.end, self.same);
        if let Some((of, is_own)) = self.duplicate(at, &claim, &effect) {
            // A claim that another party contradicts is no contradiction of this one.
            if self.ledger.get(of).is_some_and(|run| run.claim.party != claim.party) {
                effect.with.clear();
            }
            let strengthens = is_own && self.strengthen(of, &claim, fact.statement.confidence, &support);
            if let Some(stated) = fact.valid.end.filter(|_| is_own) {
                self.close(of, stated, at);
            }
            self.record(of, &effect);
            return Decision::Duplicate { of, strengthens, olds: effect.olds };
        }
        self.insert(at, fact, claim, effect, &support)
    }

    fn reject(&self, fact: &CandidateFact, evidence: &[&SourceTurn]) -> Option<Reason> {
        let object = fact.statement.object.as_ref().map(Name::as_str);
        let junk = || junk(&fact.text, object, fact.statement.confidence, &self.input.thresholds);
        let is_echo = || {
            let spoken = fact.evidence.iter().zip(evidence).filter(|(_, turn)| is_spoken(turn));
            spoken.map(|(at, _)| at).all(|at| self.echoes.get(*at).is_some_and(|echoes| echoes.hold(fact)))
        };
        if evidence.is_empty() {
            Some(Reason::NoEvidence)
        } else if !evidence.iter().any(|turn| is_spoken(turn)) {
            Some(Reason::NotSaid)
        } else {
            junk().or_else(|| is_echo().then_some(Reason::Echo))
        }
    }

    fn claim(
        &self,
        fact: &CandidateFact,
        evidence: &[&SourceTurn],
        role: Role,
        author: Option<&Name>,
    ) -> Claim {
        let statement = &fact.statement;
        let said: Vec<Timestamp> = evidence.iter().map(|turn| turn.said_at).collect();
        let (start, dated) = times(fact.valid.start, fact.happened, &said);
        let own = evidence.iter().filter(|turn| turn.role == role).map(|turn| turn.said_at);
        let said_at = own.min().unwrap_or(start);
        let object = statement.object.as_ref().map(|object| normalised(object.as_str()));
        let value = object.filter(|object| !object.is_empty());
        let fills = is_single(statement.attribute.as_ref(), value.as_ref());
        let is_possible = is_possibility(&fact.text, fact.valid.start.is_some_and(|start| start > said_at));
        // A slot with one value takes nothing that is only possible, and nothing without a value.
        let cardinality = statement.attribute.as_ref().map(Attribute::cardinality);
        let is_listed = cardinality != Some(Cardinality::One);
        let has_slot = fact.is_ended || is_listed || (fills && !is_possible);
        let subject = self.names.key(statement.subject.as_str());
        Claim {
            party: self.names.party(role, author, &subject),
            attribute: statement.attribute.clone().filter(|_| has_slot),
            relation: statement.relation.as_ref().map(|relation| normalised(relation.as_str())),
            text: fact.text.clone(),
            text_key: text_key(&fact.text),
            is_end: fact.is_ended && !is_possible,
            is_single: fills && !is_possible && !fact.is_ended,
            audience: audience(fact, evidence).into_iter().collect(),
            subject,
            value,
            start,
            dated,
            said_at,
        }
    }

    fn decide_end(&mut self, at: usize, fact: &CandidateFact, claim: Claim, support: &[Support]) -> Decision {
        let olds = end(&mut self.ledger, &claim, at, self.same);
        let is_present = support.iter().any(|support| support.confirms);
        if let Some(of) = same_end(&self.ledger, &claim).filter(|_| is_present) {
            let strengthens = self.strengthen(of, &claim, fact.statement.confidence, support);
            self.record(of, &Effect { olds: olds.clone(), ..Effect::default() });
            return Decision::Duplicate { of, strengthens, olds };
        }
        let effect = Effect { olds: olds.clone(), ..Effect::default() };
        let place = self.push(at, fact, claim, &effect, support);
        Decision::Ends { fact: place, olds }
    }

    /// Fact that a claim repeats, and true if it counts as a repetition by the party or by an independent one.
    fn duplicate(&self, at: usize, claim: &Claim, effect: &Effect) -> Option<(FactRef, bool)> {
        let own = if claim.is_single {
            same_value(&self.ledger, claim, effect.end)
        } else {
            let runs = self.ledger.runs().iter();
            let exact =
                runs.filter(|run| run.claim.party == claim.party && is_same_statement(&run.claim, claim));
            joined(exact, claim, effect.end)
        };
        if let Some(own) = own.or_else(|| self.near(at, claim, &claim.party, effect.end)) {
            return Some((own, true));
        }
        let authorities: &[fn(&Party) -> bool] = match claim.party {
            Party::Own => &[],
            Party::Other(_) => &[|party| *party == Party::Own],
            Party::Assistant => &[|party| *party == Party::Own, |party| matches!(party, Party::Other(_))],
        };
        let is_own = claim.party != Party::Assistant;
        authorities.iter().find_map(|is_authority| {
            let says_it = |run: &&Run| {
                let is_same = if claim.is_single {
                    run.claim.is_single
                        && run.claim.attribute == claim.attribute
                        && run.claim.value == claim.value
                } else {
                    is_same_statement(&run.claim, claim)
                };
                is_authority(&run.claim.party)
                    && run.claim.subject == claim.subject
                    && is_same
                    && run.holds_at(claim.start)
            };
            let exact = joined(self.ledger.runs().iter().filter(says_it), claim, None);
            let near = || {
                let runs = self.ledger.runs().iter().filter(|run| is_authority(&run.claim.party));
                runs.into_iter().find_map(|run| self.near(at, claim, &run.claim.party, None))
            };
            exact.or_else(near).map(|fact| (fact, is_own))
        })
    }

    /// Nearest fact of a party by cosine that agrees with a claim in subject, slot, object, numbers, dates, negation and
    /// names. Values of a slot that holds one are compared by the value alone.
    fn near(&self, at: usize, claim: &Claim, party: &Party, end: Option<Timestamp>) -> Option<FactRef> {
        let known = self.input.near_known.get(at).into_iter().flatten();
        let known = known.map(|(id, cosine)| (FactRef::Known(*id), *cosine));
        // Only the candidates before this one have a place.
        let batch = self.input.near_candidates.iter().filter_map(|(one, other, cosine)| {
            let other = if *one == at { Some(other) } else { Some(one).filter(|_| *other == at) };
            let place = self.placed.get(*other?).copied().flatten();
            place.map(|place| (place, *cosine))
        });
        let mut best: BTreeMap<FactRef, f64> = BTreeMap::new();
        for (fact, cosine) in
            known.chain(batch).filter(|(_, cosine)| *cosine >= self.input.thresholds.near_cosine)
        {
            let Some(run) = self.ledger.get(fact) else { continue };
            let fits = run.claim.party == *party
                && agrees(&run.claim, claim)
                && joined(std::iter::once(run), claim, end).is_some();
            if fits {
                let place = best.entry(fact).or_insert(cosine);
                *place = place.max(cosine);
            }
        }
        // Of equal cosines the first fact wins.
        best.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(fact, _)| fact)
    }

    /// Adds evidence to a fact; false if there is none that it did not have.
    fn strengthen(&mut self, of: FactRef, claim: &Claim, confidence: f64, support: &[Support]) -> bool {
        let cap = self.input.thresholds.max_confidence;
        let Some(run) = self.ledger.get_mut(of) else { return false };
        let is_party = run.claim.party == claim.party;
        if is_party && claim.start < run.claim.start {
            run.confirm(run.claim.start);
            run.claim.start = claim.start;
            run.claim.said_at = run.claim.said_at.min(claim.said_at);
        }
        let mut has_new = false;
        for one in support {
            if run.turns.insert(one.turn) {
                has_new = true;
                let confirms = one.confirms && is_party;
                if confirms {
                    run.confirm(one.said_at);
                }
                run.support.push(Support { confirms, ..one.clone() });
            }
        }
        if has_new {
            let combined = 1.0 - (1.0 - run.confidence) * (1.0 - confidence);
            run.confidence = run.confidence.max(combined.min(cap));
        }
        has_new
    }

    /// Ends a fact at the time that a repetition states.
    fn close(&mut self, of: FactRef, stated: Timestamp, at: usize) {
        let holds = self.ledger.get(of).is_some_and(|run| run.claim.start < stated && run.holds_at(stated));
        if holds {
            cut_at(&mut self.ledger, of, stated, at, self.same);
        }
    }

    fn insert(
        &mut self,
        at: usize,
        fact: &CandidateFact,
        claim: Claim,
        mut effect: Effect,
        support: &[Support],
    ) -> Decision {
        let marked = self.input.marked.get(at).into_iter().flatten().map(|id: &MemoryId| FactRef::Known(*id));
        for other in marked {
            let is_open = self.ledger.get(other).is_some_and(|run| {
                run.claim.subject == claim.subject && run.holds_at(claim.start) && !run.claim.is_end
            });
            if is_open && !effect.with.contains(&other) && !effect.olds.contains(&other) {
                effect.with.push(other);
            }
        }
        let fills_slot = claim.attribute.is_some();
        let place = self.push(at, fact, claim, &effect, support);
        let Effect { olds, with, .. } = effect;
        match (with.is_empty(), olds.is_empty()) {
            (false, _) => Decision::Contradicts { fact: place, with, olds },
            (true, false) => Decision::Supersedes { fact: place, olds },
            (true, true) => Decision::New { fact: place, fills_slot },
        }
    }

    fn push(
        &mut self,
        at: usize,
        fact: &CandidateFact,
        claim: Claim,
        effect: &Effect,
        support: &[Support],
    ) -> FactRef {
        let place = self.ledger.next();
        self.ledger.push(Run {
            fact: place,
            claim,
            end: effect.end,
            confirmed: Vec::new(),
            turns: support.iter().map(|support| support.turn).collect(),
            confidence: fact.statement.confidence.min(self.input.thresholds.max_confidence),
            support: Vec::new(),
            superseded_by: effect.ended_by.into_iter().collect(),
            supersedes: std::collections::BTreeSet::new(),
            contradicts: std::collections::BTreeSet::new(),
            origin: Origin::Candidate(at),
        });
        if let Some(FactRef::New(_)) = effect.ended_by
            && let Some(by) = effect.ended_by.and_then(|by| self.ledger.get_mut(by))
        {
            by.supersedes.insert(place);
        }
        self.record(place, effect);
        place
    }

    /// Notes on both sides what a fact ended and contradicts.
    fn record(&mut self, place: FactRef, effect: &Effect) {
        for old in effect.olds.iter().filter(|old| **old != place) {
            if let Some(run) = self.ledger.get_mut(*old) {
                run.superseded_by.insert(place);
            }
        }
        for other in effect.with.iter().filter(|other| **other != place) {
            if let Some(run) = self.ledger.get_mut(*other) {
                run.contradicts.insert(place);
            }
        }
        if let Some(run) = self.ledger.get_mut(place) {
            run.supersedes.extend(effect.olds.iter().filter(|old| **old != place));
            run.contradicts.extend(effect.with.iter().filter(|other| **other != place));
        }
    }
}

fn is_spoken(turn: &SourceTurn) -> bool {
    matches!(turn.role, Role::User | Role::Assistant)
}

/// Turns that support a claim. A turn confirms it for its time if its speaker says so about the present.
fn supports(claim: &Claim, evidence: &[&SourceTurn], role: Role) -> Vec<Support> {
    let spoken = evidence.iter().filter(|turn| is_spoken(turn));
    let support = spoken.map(|turn| Support {
        turn: turn.memory,
        said_at: turn.said_at,
        confirms: turn.role == role && claim.start == turn.said_at,
    });
    support.collect()
}
