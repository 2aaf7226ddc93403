//! Tests of profiles.

use uuid::Uuid;

use super::*;
use crate::domain::link::Link;
use crate::domain::memory::{Happened, Kind, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::time::Interval;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_days(day)
}

fn fact(id: u128, attribute: &str, object: &str, since: i64, until: Option<i64>) -> Memory {
    let statement = Statement {
        subject: name("user"),
        relation: None,
        object: Some(name(object)),
        attribute: Attribute::new(attribute),
        confidence: 0.8,
        said_by: Role::User,
    };
    Memory {
        id: MemoryId(Uuid::from_u128(id)),
        version: 1,
        kind: Kind::Fact,
        text: format!("{attribute} {object}"),
        tokens: 2,
        agent: None,
        app: None,
        run: None,
        visibility: Visibility::Owner,
        subjects: Vec::new(),
        audience: Vec::new(),
        statement: Some(statement),
        tags: Vec::new(),
        links: Vec::new(),
        metadata: Metadata::default(),
        annotation: None,
        document: None,
        origin: None,
        derivation: None,
        happened: Happened { at: at(since), until: None, offset: None },
        recorded_at: at(since),
        created_at: at(since),
        valid: Interval { start: Some(at(since)), end: until.map(at) },
        expires_at: None,
        strength: Strength::new(0.5, 1.0, at(since)),
        forgotten: None,
    }
}

fn by_assistant(mut memory: Memory) -> Memory {
    if let Some(statement) = &mut memory.statement {
        statement.said_by = Role::Assistant;
    }
    memory
}

/// Values and former values of the only slot.
fn state(facts: &[Memory], day: i64, partner: Option<&str>) -> (Vec<String>, Vec<String>, bool) {
    let profile = profile(facts, &name("User"), at(day), partner.map(name).as_ref());
    let Some(slot) = profile.slots.first() else { return (Vec::new(), Vec::new(), false) };
    let objects = |values: &[SlotValue]| {
        values.iter().filter_map(|one| one.object.clone()).map(|one| one.to_string()).collect()
    };
    (objects(&slot.values), objects(&slot.history), slot.is_contested)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_slot_shows_the_value_of_the_time_and_what_it_replaced() {
    let mut facts = vec![fact(1, "home", "Paris", 0, Some(10)), fact(2, "home", "Oslo", 10, None)];
    for _ in 0..2 {
        assert_eq!(state(&facts, 5, None), (texts(&["Paris"]), texts(&[]), false));
        assert_eq!(state(&facts, 15, None), (texts(&["Oslo"]), texts(&["Paris"]), false));
        facts.reverse();
    }
}

#[test]
fn ties_and_contradictions_are_shown_as_contested() {
    let tie = [fact(1, "home", "Paris", 0, None), fact(2, "home", "Oslo", 0, None)];
    assert_eq!(state(&tie, 5, None), (texts(&["Paris", "Oslo"]), texts(&[]), true));
    let same = [fact(1, "home", "Paris", 0, None), fact(2, "home", "the PARIS", 0, None)];
    assert_eq!(state(&same, 5, None), (texts(&["Paris"]), texts(&[]), false));
    let mut linked = [fact(1, "home", "Paris", 0, None), fact(2, "home", "Oslo", 3, None)];
    linked[0].links.push(Link { to: linked[1].id, relation: name("contradicts"), weight: 1.0, reason: None });
    assert_eq!(state(&linked, 5, None), (texts(&["Oslo", "Paris"]), texts(&[]), true));
}

#[test]
fn the_assistant_never_shadows_the_user() {
    let facts = [fact(1, "home", "Paris", 0, None), by_assistant(fact(2, "home", "Oslo", 9, None))];
    assert_eq!(state(&facts, 10, None).0, ["Paris"]);
    assert_eq!(state(&facts[1..], 10, None).0, ["Oslo"]);
    let mut reported = facts[0].clone();
    reported.tags = vec![name("reported")];
    assert_eq!(state(&[reported, fact(3, "home", "Rome", 0, None)], 10, None).0, ["Rome"]);
}

#[test]
fn what_was_told_in_confidence_is_not_shown_to_others() {
    let mut secret = fact(2, "home", "Oslo", 5, None);
    secret.audience = vec![name("Ann")];
    let facts = [fact(1, "home", "Paris", 0, Some(5)), secret];
    assert_eq!(state(&facts, 9, Some("Ann")).0, ["Oslo"]);
    assert_eq!(state(&facts, 9, None).0, ["Oslo"]);
    assert_eq!(state(&facts, 9, Some("Bob")).0, texts(&[]));
}

#[test]
fn a_slot_of_many_values_lists_each_once_and_everything_is_bounded() {
    let likes = [
        fact(1, "likes", "tea", 0, None),
        fact(2, "likes", "Tea", 1, None),
        fact(3, "likes", "jam", 2, Some(3)),
    ];
    assert_eq!(state(&likes, 5, None), (texts(&["Tea"]), texts(&["jam"]), false));
    let many: Vec<Memory> =
        (0..200).map(|id| fact(id, "likes", &format!("x{id}"), 0, Some(1 + (id % 2) as i64 * 9))).collect();
    let (values, history, _) = state(&many, 5, None);
    assert_eq!((values.len(), history.len()), (MAX_VALUES, MAX_HISTORY));
}

#[test]
fn replaced_facts_and_facts_of_others_are_not_shown() {
    let mut replaced = fact(1, "home", "Paris", 0, None);
    replaced.links.push(Link {
        to: MemoryId(Uuid::from_u128(9)),
        relation: name("superseded_by"),
        weight: 1.0,
        reason: None,
    });
    assert_eq!(state(&[replaced], 5, None).0, texts(&[]));
    assert_eq!(profile(&[fact(1, "home", "Paris", 0, None)], &name("Ann"), at(5), None), Profile::default());
    let mut plain = fact(1, "home", "Paris", 0, None);
    if let Some(statement) = &mut plain.statement {
        statement.attribute = None;
    }
    let profile = profile(&[plain.clone(), plain], &name("user"), at(5), None);
    assert_eq!((profile.slots.len(), profile.facts.len()), (0, 1));
}
