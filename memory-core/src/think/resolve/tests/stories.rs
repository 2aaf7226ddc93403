//! Decisions, case by case.

use super::*;

fn home(id: u128, on: i64, city: &str) -> (SourceTurn, CandidateFact) {
    let text = format!("The user lives in {city}.");
    let turn = turn(id, Role::User, on, &text);
    let fact = fact(&turn, &text, Some("home"), Some(city));
    (turn, fact)
}

fn say(facts: &mut Facts, (turn, fact): (SourceTurn, CandidateFact)) -> Decision {
    facts.say(turn, fact)
}

#[test]
fn a_newer_value_supersedes_an_older_one_which_stays_readable() {
    let mut facts = Facts::default();
    assert!(matches!(say(&mut facts, home(1, 0, "Paris")), Decision::New { fills_slot: true, .. }));
    assert!(matches!(say(&mut facts, home(2, 10, "Oslo")), Decision::Supersedes { .. }));
    assert_eq!(facts.values("home", day(5), Role::User), ["Paris"]);
    assert_eq!(facts.values("home", day(15), Role::User), ["Oslo"]);
    let (old, new) =
        (facts.with_text("The user lives in Paris."), facts.with_text("The user lives in Oslo."));
    assert!(
        old.memory
            .links
            .iter()
            .any(|link| link.relation.as_str() == "superseded_by" && link.to == new.memory.id)
    );
    assert!(
        new.memory
            .links
            .iter()
            .any(|link| link.relation.as_str() == "supersedes" && link.to == old.memory.id)
    );
}

#[test]
fn a_repetition_strengthens_once_per_turn() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    let again = home(2, 3, "the  PARIS");
    assert!(matches!(say(&mut facts, again.clone()), Decision::Duplicate { strengthens: true, .. }));
    assert!(matches!(say(&mut facts, again), Decision::Duplicate { strengthens: false, .. }));
    assert_eq!(facts.facts.len(), 1);
    let confidence =
        facts.facts.values().next().and_then(|fact| fact.memory.statement.as_ref()).map(|it| it.confidence);
    assert!((confidence.expect("a statement") - 0.84).abs() < 1e-9);
    for at in 0..100 {
        say(&mut facts, home(10 + at, 4, "Paris"));
    }
    let memory = &facts.facts.values().next().expect("one").memory;
    assert!(memory.links.len() <= Thresholds::default().max_support, "support is bounded");
    assert!(memory.statement.as_ref().expect("a statement").confidence <= 0.99);
}

#[test]
fn the_assistant_neither_supersedes_nor_strengthens_the_user() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    let (mut turn, mut fact) = home(2, 5, "Oslo");
    (turn.role, fact.statement.said_by) = (Role::Assistant, Role::Assistant);
    // A claim that the user said it does not count: the evidence tells.
    fact.statement.said_by = Role::User;
    assert!(matches!(facts.say(turn, fact), Decision::New { .. }));
    assert_eq!(facts.values("home", day(9), Role::User), ["Paris"]);
    let (mut turn, fact) = home(3, 6, "Paris");
    turn.role = Role::Assistant;
    assert!(matches!(facts.say(turn, fact), Decision::Duplicate { strengthens: false, .. }));
}

#[test]
fn a_third_person_does_not_supersede_what_the_subject_said() {
    let mut facts = Facts::default();
    let about_ann = |id, on, city: &str, author: &str| {
        let (mut turn, mut fact) = home(id, on, city);
        turn.author = Some(name(author));
        fact.statement.subject = name("Ann");
        (turn, fact)
    };
    say(&mut facts, about_ann(1, 0, "Paris", "ann"));
    assert!(matches!(say(&mut facts, about_ann(2, 5, "Oslo", "Bob")), Decision::New { .. }));
    assert_eq!(facts.values("home", day(9), Role::User), ["Oslo", "Paris"]);
    assert!(matches!(say(&mut facts, about_ann(3, 7, "Rome", "Ann")), Decision::Supersedes { .. }));
    assert_eq!(facts.values("home", day(9), Role::User), ["Oslo", "Rome"]);
    let reported = &facts.with_text("The user lives in Oslo.").memory;
    assert_eq!(reported.tags, [name("reported")]);
}

#[test]
fn a_plan_with_a_date_supersedes_from_that_date_on_and_a_wish_never() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    let (turn, mut plan) = home(2, 5, "Oslo");
    plan.text = "The user plans to move to Oslo.".to_owned();
    assert!(matches!(facts.say(turn.clone(), plan.clone()), Decision::New { fills_slot: false, .. }));
    assert_eq!(facts.values("home", day(99), Role::User), ["Paris"]);
    plan.text = "The user will move to Oslo on day 30.".to_owned();
    plan.valid.start = Some(day(30));
    assert!(matches!(facts.say(turn, plan), Decision::Supersedes { .. }));
    assert_eq!(facts.values("home", day(29), Role::User), ["Paris"]);
    assert_eq!(facts.values("home", day(30), Role::User), ["Oslo"]);
}

#[test]
fn an_end_closes_the_value_and_fills_no_slot() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    let (second, mut left) = home(2, 5, "Paris");
    (left.text, left.is_ended) = ("The user left Paris.".to_owned(), true);
    assert!(matches!(facts.say(second, left), Decision::Ends { ref olds, .. } if olds.len() == 1));
    assert!(facts.values("home", day(6), Role::User).is_empty());
    assert_eq!(facts.values("home", day(4), Role::User), ["Paris"]);
    assert_eq!(facts.with_text("The user left Paris.").memory.tags, [name("ended:home")]);
    // Moving back is no repetition of the value that ended.
    assert!(matches!(say(&mut facts, home(3, 8, "Paris")), Decision::New { .. }));
    let likes = |id, on, is_ended| {
        let said = turn(id, Role::User, on, "tea");
        let text = if is_ended { "The user no longer likes tea." } else { "The user likes tea." };
        let mut fact = fact(&said, text, Some("likes"), Some("tea"));
        fact.is_ended = is_ended;
        (said, fact)
    };
    say(&mut facts, likes(4, 9, false));
    assert!(
        matches!(say(&mut facts, likes(5, 10, true)), Decision::Ends { ref olds, .. } if olds.len() == 1)
    );
    assert!(facts.values("likes", day(11), Role::User).is_empty());
}

#[test]
fn what_was_said_at_the_same_time_stays_as_a_contradiction() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    assert!(
        matches!(say(&mut facts, home(2, 0, "Oslo")), Decision::Contradicts { ref with, .. } if with.len() == 1)
    );
    assert_eq!(facts.values("home", day(1), Role::User), ["Oslo", "Paris"]);
    for fact in facts.facts.values() {
        assert!(fact.memory.links.iter().any(|link| link.relation.as_str() == "contradicts"));
    }
    assert!(
        matches!(say(&mut facts, home(3, 5, "Rome")), Decision::Supersedes { ref olds, .. } if olds.len() == 2)
    );
}

#[test]
fn a_model_may_mark_a_contradiction_but_it_ends_nothing() {
    let mut facts = Facts::default();
    let said = |id, on, text: &str| {
        let turn = turn(id, Role::User, on, text);
        let fact = fact(&turn, text, None, None);
        (turn, fact)
    };
    say(&mut facts, said(1, 0, "The user eats no meat."));
    facts.marked = facts.facts.keys().copied().collect();
    assert!(matches!(say(&mut facts, said(2, 5, "The user ate a steak.")), Decision::Contradicts { .. }));
    assert!(facts.facts.values().all(|fact| fact.memory.valid.end.is_none()));
}

#[test]
fn near_duplicates_agree_in_numbers_names_and_negation() {
    let said = |id, text: &str| {
        let turn = turn(id, Role::User, 0, text);
        let fact = fact(&turn, text, None, None);
        (turn, fact)
    };
    let mut facts = Facts { near: 0.97, ..Facts::default() };
    say(&mut facts, said(1, "The user has a dog and two cats."));
    assert!(matches!(
        say(&mut facts, said(2, "The user owns two cats and a dog.")),
        Decision::Duplicate { .. }
    ));
    for (id, text) in
        [(3, "The user has a dog and three cats."), (4, "The user does not have a dog and two cats.")]
    {
        assert!(matches!(say(&mut facts, said(id, text)), Decision::New { .. }), "{text}");
    }
    facts.near = 0.5;
    assert!(matches!(
        say(&mut facts, said(5, "Two cats and a dog live with the user.")),
        Decision::New { .. }
    ));
}

#[test]
fn events_on_different_days_are_no_duplicates() {
    let mut facts = Facts::default();
    let visit = |id, on| {
        let turn = turn(id, Role::User, 50, "The user visited Rome.");
        let mut fact = fact(&turn, "The user visited Rome.", None, Some("Rome"));
        fact.happened.at = day(on);
        (turn, fact)
    };
    say(&mut facts, visit(1, 1));
    assert!(matches!(say(&mut facts, visit(2, 20)), Decision::New { .. }));
    assert!(matches!(say(&mut facts, visit(3, 20)), Decision::Duplicate { .. }));
}

#[test]
fn evidence_from_nobody_or_from_a_tool_is_refused() {
    let mut facts = Facts::default();
    let (turn, fact) = home(1, 0, "Paris");
    let refused =
        |facts: &mut Facts, turn: &SourceTurn, fact: CandidateFact| match facts.say(turn.clone(), fact) {
            Decision::Rejected { reason } => reason.as_str(),
            _ => "stored",
        };
    assert_eq!(refused(&mut facts, &turn, CandidateFact { evidence: vec![], ..fact.clone() }), "no_evidence");
    assert_eq!(
        refused(&mut facts, &turn, CandidateFact { evidence: vec![0, 7], ..fact.clone() }),
        "no_evidence"
    );
    let tool = SourceTurn { role: Role::Tool, ..turn };
    assert_eq!(refused(&mut facts, &tool, fact), "not_said");
    assert!(facts.facts.is_empty());
}

#[test]
fn a_loop_of_recall_repetition_and_extraction_keeps_one_fact() {
    let mut facts = Facts::default();
    say(&mut facts, home(1, 0, "Paris"));
    for round in 0..668 {
        // Each other round the recall is unknown, and the repetition is found by what it says.
        facts.recalled =
            if round % 2 == 0 { vec!["The user lives in Paris.".to_owned()] } else { Vec::new() };
        let text = if round % 3 == 0 {
            "You live in Paris, as I recall."
        } else {
            "As I recall, the user lives in Paris."
        };
        let turn = turn(10 + round, Role::Assistant, 1 + i64::try_from(round).expect("small"), text);
        let fact = fact(&turn, "The user lives in Paris.", Some("home"), Some("Paris"));
        let decision = facts.say(turn, fact);
        assert!(matches!(
            decision,
            Decision::Rejected { .. } | Decision::Duplicate { strengthens: false, .. }
        ));
    }
    assert_eq!(facts.facts.len(), 1);
    assert_eq!(facts.facts.values().next().map(|fact| fact.memory.version), Some(1));
}

#[test]
fn only_what_a_turn_adds_to_an_echo_is_a_fact() {
    let mut facts = Facts { recalled: vec!["The user lives in Paris.".to_owned()], ..Facts::default() };
    let turn = turn(1, Role::Assistant, 0, "The user lives in Paris. Your sister Eve is a nurse.");
    let echo = fact(&turn, "The home of the user is Paris these days.", Some("home"), Some("Paris"));
    let new = fact(&turn, "Eve is a nurse.", Some("job"), Some("nurse"));
    let (decisions, _) = facts.add(&[turn], &[echo, new]);
    assert!(matches!(decisions[..], [Decision::Rejected { .. }, Decision::New { .. }]), "{decisions:?}");
}
