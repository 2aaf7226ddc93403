//! Timelines: the effect of one assertion, or of one end, on the intervals of the facts that are there.
//!
//! An assertion at time t ends the facts of other values that hold at t. It holds until the next assertion of another
//! value, or the next end. If a fact that it ends was confirmed later than t, that fact resumes with the confirmation. Thus
//! the order of arrival makes no difference to what holds when.

use crate::domain::time::Timestamp;

use super::decision::FactRef;
use super::ledger::{Claim, Ledger, Origin, Run};

/// Difference of two times below which their order decides nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct SameTime(pub i64);

impl SameTime {
    fn is_same(self, one: Timestamp, other: Timestamp) -> bool {
        one.as_micros().abs_diff(other.as_micros()) < self.0.max(1).unsigned_abs()
    }

    fn is_before(self, one: Timestamp, other: Timestamp) -> bool {
        one < other && !self.is_same(one, other)
    }
}

/// Effect of an assertion on the timelines, before it has a place itself.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Facts that it ended.
    pub olds: Vec<FactRef>,
    /// Facts that it contradicts.
    pub with: Vec<FactRef>,
    /// End of its own validity.
    pub end: Option<Timestamp>,
    /// Fact that brings this end.
    pub ended_by: Option<FactRef>,
}

/// True if two claims are values of one slot that holds one.
fn is_same_slot(one: &Claim, other: &Claim) -> bool {
    one.is_single && other.is_single && one.subject == other.subject && one.attribute == other.attribute
}

fn is_rival(run: &Run, claim: &Claim) -> bool {
    is_same_slot(&run.claim, claim) && run.claim.party == claim.party && run.claim.value != claim.value
}

/// True if the end of a value concerns a claim: of the same party, and of the same value or, without one, of the slot.
fn ends(end: &Claim, claim: &Claim) -> bool {
    let is_about = end.is_end && !claim.is_end && end.subject == claim.subject && end.party == claim.party;
    let is_slot = match &end.attribute {
        Some(_) => end.attribute == claim.attribute,
        // Without an attribute only the value tells: `Ann left Paris` says nothing about what she likes.
        None => claim.is_single && end.value.is_some(),
    };
    let is_value = match &end.value {
        Some(_) => end.value == claim.value,
        None => claim.is_single,
    };
    is_about && is_slot && is_value
}

/// Ends what an assertion replaces, and finds its own end. `stated_end` is the end that its text names.
pub(super) fn assert(
    ledger: &mut Ledger,
    claim: &Claim,
    candidate: usize,
    stated_end: Option<Timestamp>,
    same: SameTime,
) -> Effect {
    let mut effect = Effect { end: stated_end.filter(|end| claim.start <= *end), ..Effect::default() };
    find_end(ledger, claim, same, &mut effect);
    let mut cut = Vec::new();
    for run in ledger.runs() {
        let (start, fact) = (run.claim.start, run.fact);
        let is_open = run.end.is_none_or(|end| start < end);
        if !is_rival(run, claim) {
            let is_other_party = is_same_slot(&run.claim, claim) && run.claim.value != claim.value;
            if is_other_party && is_open && same.is_same(start, claim.start) {
                effect.with.push(fact);
            }
        } else if is_open && same.is_same(start, claim.start) {
            if same.is_same(run.claim.said_at, claim.said_at) {
                effect.with.push(fact);
            } else if run.claim.said_at < claim.said_at {
                cut.push((fact, start));
            } else {
                (effect.end, effect.ended_by) = (Some(claim.start), Some(fact));
            }
        } else if start < claim.start && run.end.is_none_or(|end| same.is_before(claim.start, end)) {
            if run.assertions().any(|at| same.is_same(at, claim.start)) {
                effect.with.push(fact);
            } else {
                cut.push((fact, claim.start));
            }
        }
    }
    for (fact, at) in cut {
        let resumed = cut_at(ledger, fact, at, candidate, same);
        // The fact that ends this one is the resumed one, not the one that it interrupted.
        if let Some((resumed, from)) = resumed
            && effect.ended_by == Some(fact)
            && effect.end == Some(from)
        {
            effect.ended_by = Some(resumed);
        }
        effect.olds.push(fact);
    }
    effect
}

/// First assertion of another value after a claim, or end of its value, whichever comes first.
fn find_end(ledger: &Ledger, claim: &Claim, same: SameTime, effect: &mut Effect) {
    for run in ledger.runs().iter().filter(|run| is_rival(run, claim) || ends(&run.claim, claim)) {
        for at in run.assertions().filter(|at| same.is_before(claim.start, *at)) {
            if effect.end.is_none_or(|end| at < end) {
                (effect.end, effect.ended_by) = (Some(at), Some(run.fact));
            }
        }
    }
}

/// Ends the facts whose value a claim says to be over.
pub(super) fn end(ledger: &mut Ledger, claim: &Claim, candidate: usize, same: SameTime) -> Vec<FactRef> {
    let ended = |run: &&Run| {
        ends(claim, &run.claim)
            && same.is_before(run.claim.start, claim.start)
            && run.end.is_none_or(|end| claim.start < end)
            && !run.assertions().any(|at| same.is_same(at, claim.start))
    };
    let olds: Vec<FactRef> = ledger.runs().iter().filter(ended).map(|run| run.fact).collect();
    for fact in &olds {
        cut_at(ledger, *fact, claim.start, candidate, same);
    }
    olds
}

/// Ends a fact. If it was confirmed later, it resumes with that as another fact, which is returned with its start.
pub(super) fn cut_at(
    ledger: &mut Ledger,
    fact: FactRef,
    at: Timestamp,
    candidate: usize,
    same: SameTime,
) -> Option<(FactRef, Timestamp)> {
    let next = ledger.next();
    let run = ledger.get_mut(fact)?;
    let before = run.end;
    let from = run.assertions().find(|later| same.is_before(at, *later));
    let mut resumed = run.clone();
    run.end = Some(at);
    let from = from?;
    resumed.fact = next;
    resumed.claim.start = from;
    resumed.claim.said_at = from;
    resumed.end = before;
    resumed.origin = Origin::Resumed(fact, Some(candidate));
    resumed.supersedes.clear();
    // It contradicts what anybody said when it resumed, and what its own party said when it was confirmed later.
    let is_contested = |other: &Run| {
        let is_said_at = |at: Timestamp| other.assertions().any(|other| same.is_same(at, other));
        is_same_slot(&other.claim, &resumed.claim)
            && other.claim.value != resumed.claim.value
            && (is_said_at(from) || is_rival(other, &resumed.claim) && resumed.assertions().any(is_said_at))
    };
    resumed.contradicts = ledger.runs().iter().filter(|run| is_contested(run)).map(|run| run.fact).collect();
    for other in &resumed.contradicts {
        if let Some(other) = ledger.get_mut(*other) {
            other.contradicts.insert(next);
        }
    }
    ledger.push(resumed);
    Some((next, from))
}

/// Fact of the same value that an assertion belongs to: one that holds at its time, else the next one before its end.
pub(super) fn same_value(ledger: &Ledger, claim: &Claim, end: Option<Timestamp>) -> Option<FactRef> {
    let is_same = |run: &&Run| {
        is_same_slot(&run.claim, claim) && run.claim.party == claim.party && run.claim.value == claim.value
    };
    joined(ledger.runs().iter().filter(is_same), claim, end)
}

/// Of facts that say what a claim says, the one that it belongs to.
pub(super) fn joined<'a>(
    runs: impl Iterator<Item = &'a Run>,
    claim: &Claim,
    end: Option<Timestamp>,
) -> Option<FactRef> {
    let is_open = |run: &&Run| run.claim.audience.is_empty() || run.claim.audience == claim.audience;
    let follows = |run: &Run| claim.start < run.claim.start && end.is_none_or(|end| run.claim.start < end);
    let fits = runs.filter(is_open).filter(|run| run.holds_at(claim.start) || follows(run));
    fits.min_by_key(|run| (!run.holds_at(claim.start), run.claim.start, run.fact)).map(|run| run.fact)
}

/// Earlier end of the same value, to which a claim adds another time.
pub(super) fn same_end(ledger: &Ledger, claim: &Claim) -> Option<FactRef> {
    let is_same = |run: &&Run| {
        let (one, other) = (&run.claim, claim);
        one.is_end
            && (&one.subject, &one.attribute, &one.value, &one.party)
                == (&other.subject, &other.attribute, &other.value, &other.party)
            && (one.value.is_some() || one.attribute.is_some() || one.text_key == other.text_key)
            && (one.audience.is_empty() || one.audience == other.audience)
    };
    ledger.runs().iter().find(is_same).map(|run| run.fact)
}
