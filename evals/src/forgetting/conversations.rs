//! Scenarios from conversations of LongMemEval and LoCoMo. Of LoCoMo, every second question about a conversation is asked on the
//! way, some sessions after its evidence, and the others at the end. LongMemEval has one question for each history; it is
//! asked at the end, with nothing asked before. Evidence of LongMemEval is a session: it is needed by one of its turns.
//!
//! The end is the time of the last question, or an hour after the last turn if that is later. Memories are forgotten as of the
//! end: a question as of an earlier moment would still find them.

use std::collections::{BTreeMap, BTreeSet};

use engrain::wire::AddTurns;
use jiff::{SignedDuration, Timestamp};

use super::random::Random;
use super::scenario::{Need, Scenario, Told};
use crate::dataset::{Haystack, Question, Unit};

/// Sessions between the evidence of a question and the question, at most.
const SESSIONS_LATER: usize = 4;
/// Time after the last turn of a session at which a question about it is asked.
const AFTER_SESSION: SignedDuration = SignedDuration::from_hours(1);
/// Texts shorter than this, in bytes, are not used in pairs: they are said more than once.
const PAIR_TEXT_BYTES: usize = 60;
/// Pairs for questions about order, of one conversation.
const PAIRS: usize = 40;

/// Scenario of a haystack.
pub(crate) fn scenario(haystack: Haystack, seed: u64) -> Option<Scenario> {
    let Haystack { scope, batches, questions, .. } = haystack;
    let sessions = session_ends(&batches);
    let last = *sessions.last()?;
    let mut random = Random::new(seed, scope.user_id.as_deref().unwrap_or_default());
    let (mut rehearsals, mut tests, mut end) = (Vec::new(), Vec::new(), last + AFTER_SESSION);
    let units = sessions_of_turns(&batches);
    let is_asked_once = questions.len() == 1;
    for (number, question) in questions.iter().enumerate() {
        let needed = needed(question, &batches);
        if needed.is_empty() {
            continue;
        }
        let asked_at = question.asked_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        end = end.max(asked_at.unwrap_or(end));
        let newest =
            needed.iter().flatten().filter_map(|name| units.get(name).copied()).max().unwrap_or_default();
        let later = newest + 1 + random.below(SESSIONS_LATER);
        let need = |at| Need { at, query: question.text.clone(), needed };
        match sessions.get(later) {
            Some(at) if !is_asked_once && number % 2 == 0 => rehearsals.push(need(*at + AFTER_SESSION)),
            _ => tests.push(need(end)),
        }
    }
    tests.iter_mut().for_each(|test| test.at = end);
    rehearsals.sort_by_key(|need| need.at);
    // A history with one question is one of hundreds: pairs of all of them would be most of the work.
    let pairs = if is_asked_once { Vec::new() } else { pairs(&batches, &mut random) };
    Some(Scenario { scope, told: Told::Turns(batches), rehearsals, tests, pairs, end })
}

/// Needs of a question: each of its turns, or of each of its sessions one turn.
fn needed(question: &Question, batches: &[AddTurns]) -> Vec<BTreeSet<String>> {
    let evidence = question.counts_in.first().map(|counted| &counted.evidence);
    let Some(evidence) = evidence else { return Vec::new() };
    match &question.unit {
        Unit::Turn => evidence.iter().map(|name| BTreeSet::from([name.clone()])).collect(),
        Unit::Session(names) => {
            let mut groups: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
            for batch in batches {
                let name = batch.session.as_ref().and_then(|session| names.get(session));
                if let Some(name) = name.filter(|name| evidence.contains(*name)) {
                    groups
                        .entry(name)
                        .or_default()
                        .extend(batch.turns.iter().filter_map(|turn| turn.key.clone()));
                }
            }
            groups.into_values().collect()
        }
    }
}

/// Last moment of each session, in the order of time.
fn session_ends(batches: &[AddTurns]) -> Vec<Timestamp> {
    let mut ends: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for batch in batches {
        let said = batch.turns.iter().filter_map(|turn| turn.said_at.as_ref()?.parse().ok()).max();
        if let (Some(session), Some(said)) = (&batch.session, said) {
            let end = ends.entry(session).or_insert(said);
            *end = said.max(*end);
        }
    }
    let mut ends: Vec<Timestamp> = ends.into_values().collect();
    ends.sort_unstable();
    ends
}

/// Number of the session of each turn, in the order of time.
fn sessions_of_turns(batches: &[AddTurns]) -> BTreeMap<String, usize> {
    let ends = session_ends(batches);
    let said = batches.iter().flat_map(|batch| &batch.turns);
    let turns = said.filter_map(|turn| {
        let at: Timestamp = turn.said_at.as_ref()?.parse().ok()?;
        Some((turn.key.clone()?, ends.partition_point(|end| *end < at)))
    });
    turns.collect()
}

/// Pairs of texts, the earlier first, from different sessions.
fn pairs(batches: &[AddTurns], random: &mut Random) -> Vec<(String, String)> {
    let ends = session_ends(batches);
    let mut texts: Vec<(usize, String)> = Vec::new();
    for turn in
        batches.iter().flat_map(|batch| &batch.turns).filter(|turn| turn.text.len() >= PAIR_TEXT_BYTES)
    {
        if let Some(at) = turn.said_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok()) {
            texts.push((ends.partition_point(|end| *end < at), turn.text.clone()));
        }
    }
    let mut pairs = Vec::new();
    for _ in 0..PAIRS * 20 {
        let (one, other) = (random.below(texts.len()), random.below(texts.len()));
        if let (Some(one), Some(other)) = (texts.get(one), texts.get(other))
            && one.0 < other.0
            && pairs.len() < PAIRS
        {
            pairs.push((one.1.clone(), other.1.clone()));
        }
    }
    pairs
}
