//! Properties of resolution over random histories, against a model that sees all assertions at once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One utterance: day, value, whether the assistant says it, and whether it says that the value is over.
#[derive(Clone, Copy, Debug)]
struct Said {
    day: i64,
    value: &'static str,
    is_assistant: bool,
    is_end: bool,
}

fn said() -> impl Strategy<Value = Said> {
    (0..6_i64, proptest::sample::select(vec!["Oslo", "Paris", "Rome"]), 0..8_u8).prop_map(
        |(day, value, kind)| Said {
            day: day * 10,
            value,
            is_assistant: kind == 0,
            is_end: kind == 1 || kind == 2,
        },
    )
}

fn history() -> impl Strategy<Value = (Vec<Said>, Vec<Said>)> {
    proptest::collection::vec(said(), 1..9)
        .prop_flat_map(|history| (Just(history.clone()), Just(history).prop_shuffle()))
}

fn spoken(at: usize, said: &Said) -> (SourceTurn, CandidateFact) {
    let role = if said.is_assistant { Role::Assistant } else { Role::User };
    let text = if said.is_end {
        format!("The user moved out of {}.", said.value)
    } else {
        format!("The user lives in {}.", said.value)
    };
    let turn = turn(1 + u128::try_from(at).expect("small"), role, said.day, &text);
    let mut fact = fact(&turn, &text, Some("home"), Some(said.value));
    fact.is_ended = said.is_end;
    (turn, fact)
}

/// Values that hold at a time by what one party said: those of its latest assertion that are not over.
fn expected(history: &[Said], is_assistant: bool, at: Timestamp) -> BTreeSet<String> {
    let own = || history.iter().filter(move |said| said.is_assistant == is_assistant && day(said.day) <= at);
    let Some(latest) = own().filter(|said| !said.is_end).map(|said| said.day).max() else {
        return BTreeSet::new();
    };
    let is_over = |value: &str| own().any(|said| said.is_end && said.value == value && said.day > latest);
    let values = own().filter(|said| !said.is_end && said.day == latest && !is_over(said.value));
    values.map(|said| said.value.to_owned()).collect()
}

fn told(history: &[Said], is_reversed: bool) -> Facts {
    let mut facts = Facts { is_reversed, ..Facts::default() };
    for (at, said) in history.iter().enumerate() {
        let (turn, fact) = spoken(at, said);
        facts.say(turn, fact);
    }
    facts
}

/// One call for all, each candidate with a turn of its own.
fn told_at_once(history: &[Said]) -> Facts {
    let mut facts = Facts::default();
    let (turns, mut candidates): (Vec<_>, Vec<_>) =
        history.iter().enumerate().map(|(at, said)| spoken(at, said)).unzip();
    for (at, candidate) in candidates.iter_mut().enumerate() {
        candidate.evidence = vec![at];
    }
    facts.add(&turns, &candidates);
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// User statements alone and the assistant's apart: an assistant that repeats the user adds nothing.
    #[test]
    fn what_holds_when_does_not_depend_on_the_order_of_arrival((history, shuffled) in history()) {
        for facts in [told(&history, false), told(&shuffled, true), told_at_once(&shuffled)] {
            for at in 0..7 {
                let at = day(at * 10 + 5);
                let user: BTreeSet<String> = facts.values("home", at, Role::User).into_iter().collect();
                prop_assert_eq!(&user, &expected(&history, false, at), "{} {:?}", at, &shuffled);
            }
        }
    }

    #[test]
    fn two_values_of_one_sayer_hold_at_once_only_as_a_linked_contradiction((_, shuffled) in history()) {
        for facts in [told(&shuffled, false), told_at_once(&shuffled)] {
            for at in 0..7 {
                let at = day(at * 10 + 5);
                let valid: Vec<&Memory> = facts.facts.values().map(|fact| &fact.memory)
                    .filter(|memory| memory.valid.contains(at)).collect();
                let slot = |memory: &Memory| {
                    let statement = memory.statement.clone()?;
                    Some((statement.said_by.as_str(), statement.attribute?, statement.object?))
                };
                for one in &valid {
                    for other in &valid {
                        let (Some(first), Some(second)) = (slot(one), slot(other)) else { continue };
                        if one.id == other.id || first.0 != second.0 {
                            continue;
                        }
                        prop_assert_ne!(&first.2, &second.2, "one value twice");
                        prop_assert!(one.links.iter().any(|link| link.to == other.id
                            && link.relation.as_str() == Link::CONTRADICTS), "{:?} {:?} {:?}", one, other, &shuffled);
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_of_known_facts_and_a_repetition_of_the_call_change_nothing((history, shuffled) in history()) {
        let facts = told(&history, false);
        let (known, mut reversed) = (facts.known(), facts.known());
        reversed.reverse();
        reversed.extend(facts.known());
        for (at, said) in shuffled.iter().enumerate() {
            let (turn, candidate) = spoken(at + 100, said);
            let input = ResolveInput {
                turns: std::slice::from_ref(&turn), recalled: &[], candidates: std::slice::from_ref(&candidate),
                known: &known, near_known: &[], near_candidates: &[], marked: &[], user_names: &[],
                thresholds: Thresholds::default(),
            };
            let other = ResolveInput { known: &reversed, ..input };
            let (one, two) = (resolve(&input), resolve(&other));
            prop_assert_eq!(&one.decisions, &two.decisions);
            let ids: Vec<_> = (0..one.new_facts()).map(|at| MemoryId(Uuid::from_u128(5_000 + at as u128))).collect();
            let write = |resolved, resolution| changes(&ChangeInput { resolved, kind: Kind::Fact, ids: &ids }, resolution);
            prop_assert_eq!(write(&input, &one), write(&other, &two));
        }
    }

    #[test]
    fn any_candidate_is_decided_without_a_panic(
        text in "\\PC{0,40}", object in proptest::option::of("[a-zé ]{0,8}"), evidence in proptest::collection::vec(0..4_usize, 0..3),
        confidence in proptest::num::f64::ANY, start in proptest::option::of(-9..9_i64), end in proptest::option::of(-9..9_i64),
        is_ended: bool, is_confidential: bool, attribute in proptest::sample::select(vec!["home", "likes", "plan"]),
    ) {
        let mut facts = told(&[Said { day: 0, value: "Oslo", is_assistant: false, is_end: false }], false);
        let turns: Vec<_> = Role::ALL.into_iter().zip(0..3_i64)
            .map(|(role, at)| turn(50 + u128::from(at.unsigned_abs()), role, at, &text)).collect();
        let mut candidate = fact(&turns[0], &text, Some(attribute), None);
        candidate.statement.object = object.and_then(|object| Name::new(&object).ok());
        candidate.statement.confidence = confidence;
        candidate.valid = Interval { start: start.map(day), end: end.map(day) };
        candidate.evidence = evidence;
        candidate.is_ended = is_ended;
        candidate.is_confidential = is_confidential;
        if candidate.valid.is_ordered() {
            facts.add(&turns, &[candidate.clone(), candidate]);
        }
    }
}
