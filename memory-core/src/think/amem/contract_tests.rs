//! Replies to the contracts of A-MEM: accepted whole or refused whole, also mutated ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::analyse::AnalyseContract;
use super::evolve::{EDITS_PER_CALL, EvolveContract, LINKS_PER_NOTE};
use super::paper::PaperContract;
use crate::model::language_model::ask::{BadReply, Contract};

const ANALYSE: AnalyseContract = AnalyseContract { turns: 3 };
const EVOLVE: EvolveContract = EvolveContract { new: 2, shown: 30 };
const PAPER: PaperContract = PaperContract { neighbours: 3 };

fn note(id: &str) -> Value {
    json!({"id": id, "keywords": ["Lisbon", "flat", "Lisbon"], "tags": ["housing"], "context": " A move. "})
}

fn link(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to, "type": "elaborates", "why": "Both are about the move."})
}

fn evolve_reply(links: Vec<Value>, edits: Vec<Value>) -> Value {
    json!({"links": links, "edits": edits})
}

fn paper_reply(contexts: &[&str], tags: &[&[&str]]) -> Value {
    json!({"should_evolve": true, "actions": ["strengthen", "update_neighbor"],
        "suggested_connections": ["n3", "n1", "n3"], "tags_to_update": ["travel"],
        "new_context_neighborhood": contexts, "new_tags_neighborhood": tags})
}

fn code<T>(parsed: Result<T, BadReply>) -> Option<&'static str> {
    parsed.err().map(|bad| bad.code)
}

#[test]
fn turns_that_an_analysis_leaves_out_get_no_note() {
    let fields = ANALYSE.parse(json!({"notes": [note("t3"), note("t1")]})).unwrap();
    assert_eq!(fields.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    let first = fields[0].as_ref().unwrap();
    assert_eq!(first.annotation.keywords.len(), 2, "a keyword counts once");
    assert_eq!(first.annotation.context.as_deref(), Some("A move."));
    assert_eq!(ANALYSE.parse(json!({"notes": []})).unwrap(), [None, None, None]);
}

#[test]
fn an_analysis_with_an_unknown_or_repeated_handle_is_refused_whole() {
    for bad in ["t0", "t4", "n1", "t01", "t+1", "1", "", "t", "t18446744073709551616"] {
        let reply = json!({"notes": [note("t1"), note(bad)]});
        assert_eq!(code(ANALYSE.parse(reply)), Some(BadReply::UNKNOWN_HANDLE), "{bad}");
    }
    let twice = json!({"notes": [note("t1"), note("t1")]});
    assert_eq!(code(ANALYSE.parse(twice)), Some(BadReply::CONTRADICTORY));
}

#[test]
fn an_evolution_names_what_it_changes() {
    let edit = note("n3");
    let reply = evolve_reply(vec![link("n1", "n2"), link("n2", "n30")], vec![edit]);
    let evolution = EVOLVE.parse(reply).unwrap();
    let links: Vec<_> = evolution.links.iter().map(|link| (link.from, link.to)).collect();
    assert_eq!((links, evolution.edits.len(), evolution.edits[0].0), (vec![(0, 1), (1, 29)], 1, 2));
}

#[test]
fn an_evolution_with_a_handle_out_of_range_is_refused_whole() {
    for bad in ["n0", "n31", "n-1", "3", "t1"] {
        let as_link = evolve_reply(vec![link("n1", "n3"), link("n1", bad)], vec![]);
        assert_eq!(code(EVOLVE.parse(as_link)), Some(BadReply::UNKNOWN_HANDLE), "{bad}");
        let as_edit = evolve_reply(vec![], vec![note("n3"), note(bad)]);
        assert_eq!(code(EVOLVE.parse(as_edit)), Some(BadReply::UNKNOWN_HANDLE), "{bad}");
    }
}

#[test]
fn an_evolution_against_its_rules_is_refused_whole() {
    let refused = |links, edits| code(EVOLVE.parse(evolve_reply(links, edits)));
    assert_eq!(
        refused(vec![link("n3", "n1")], vec![]),
        Some(BadReply::CONTRADICTORY),
        "from an earlier note"
    );
    assert_eq!(refused(vec![link("n1", "n1")], vec![]), Some(BadReply::CONTRADICTORY), "to itself");
    assert_eq!(refused(vec![link("n1", "n3"), link("n1", "n3")], vec![]), Some(BadReply::CONTRADICTORY));
    assert_eq!(refused(vec![], vec![note("n1")]), Some(BadReply::CONTRADICTORY), "a new note");
    assert_eq!(refused(vec![], vec![note("n3"), note("n3")]), Some(BadReply::CONTRADICTORY));
    let many = (0..=LINKS_PER_NOTE).map(|at| link("n1", &format!("n{}", at + 2))).collect();
    assert_eq!(refused(many, vec![]), Some(BadReply::OVER_LIMIT));
    let many = (0..=EDITS_PER_CALL).map(|at| note(&format!("n{}", at + 3))).collect();
    assert_eq!(refused(vec![], many), Some(BadReply::OVER_LIMIT));
    let mut odd = link("n1", "n3");
    odd["type"] = json!("likes");
    assert_eq!(refused(vec![odd], vec![]), Some(BadReply::WRONG_TYPE));
    let mut long = link("n1", "n3");
    long["why"] = json!("x".repeat(513));
    assert_eq!(refused(vec![long], vec![]), Some(BadReply::OVER_LIMIT));
    let mut wrapped = note("n3");
    wrapped["context"] = json!("two\nlines");
    assert_eq!(refused(vec![], vec![wrapped]), Some(BadReply::WRONG_TYPE));
}

#[test]
fn published_lists_of_another_length_than_the_neighbours_are_refused_whole() {
    let tags: [&[&str]; 4] = [&["a"], &[], &["b", "c"], &["d"]];
    let contexts = ["one", "two", "three", "four"];
    for len in [0, 1, 2, 4] {
        assert_eq!(code(PAPER.parse(paper_reply(&contexts[..len], &tags[..3]))), Some("wrong_length"));
        assert_eq!(code(PAPER.parse(paper_reply(&contexts[..3], &tags[..len]))), Some("wrong_length"));
    }
    let evolution = PAPER.parse(paper_reply(&contexts[..3], &tags[..3])).unwrap();
    assert_eq!((evolution.links, evolution.neighbours.len()), (vec![2, 0], 3));
}

#[test]
fn a_published_reply_does_only_what_its_actions_name() {
    let mut reply = paper_reply(&[], &[]);
    reply["actions"] = json!(["strengthen"]);
    let evolution = PAPER.parse(reply.clone()).unwrap();
    assert_eq!((evolution.links.len(), evolution.neighbours.len()), (2, 0));
    reply["actions"] = json!([]);
    assert_eq!(PAPER.parse(reply.clone()).unwrap(), Default::default());
    reply["actions"] = json!(["strengthen"]);
    reply["should_evolve"] = json!(false);
    assert_eq!(PAPER.parse(reply.clone()).unwrap(), Default::default());
    reply["suggested_connections"] = json!(["n4"]);
    assert_eq!(code(PAPER.parse(reply.clone())), Some(BadReply::UNKNOWN_HANDLE));
    reply["suggested_connections"] = json!([]);
    reply["actions"] = json!(["prune"]);
    assert_eq!(code(PAPER.parse(reply)), Some(BadReply::WRONG_TYPE), "no code has it");
}

/// Replaces the value at a place of the tree, counted depth first.
fn mutate(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mutate(item, at, with)),
        Value::Object(fields) => fields.values_mut().for_each(|item| mutate(item, at, with)),
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[nt][0-9]{1,3}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"id": "n3"}])),
    ]
}

proptest! {
    #[test]
    fn mutated_replies_are_accepted_within_their_bounds_or_refused(at in 0..40_usize, with in any_value()) {
        let mut analysis = json!({"notes": [note("t1"), note("t2")]});
        mutate(&mut analysis, &mut at.clone(), &with);
        if let Ok(fields) = ANALYSE.parse(analysis) {
            prop_assert_eq!(fields.len(), 3);
            prop_assert!(fields.iter().flatten().all(|fields| fields.annotation.is_bounded()));
        }
        let mut evolution = evolve_reply(vec![link("n1", "n4"), link("n2", "n5")], vec![note("n3"), note("n9")]);
        mutate(&mut evolution, &mut at.clone(), &with);
        if let Ok(evolution) = EVOLVE.parse(evolution) {
            prop_assert!(evolution.links.iter().all(|link| link.from < 2 && link.to < 30 && link.from != link.to));
            prop_assert!(evolution.edits.iter().all(|(note, _)| (2..30).contains(note)));
        }
        let mut reply = paper_reply(&["a", "b", "c"], &[&[], &["x"], &[]]);
        mutate(&mut reply, &mut at.clone(), &with);
        if let Ok(evolution) = PAPER.parse(reply) {
            prop_assert!(evolution.links.iter().all(|place| *place < 3));
            prop_assert!([0, 3].contains(&evolution.neighbours.len()));
        }
    }
}
