//! Tests of the guards on edits.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::statement::Attribute;
use crate::testing::fixtures::{name, plain};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn id(number: u128) -> MemoryId {
    MemoryId(Uuid::from_u128(number))
}

/// Fact about a subject that begins at a time.
fn fact(number: u128, subject: &str, start: i64) -> KnownFact {
    let statement = Statement {
        subject: name(subject),
        relation: None,
        object: None,
        attribute: None,
        confidence: 0.8,
        said_by: Role::User,
    };
    let memory = plain(id(number), Kind::Fact, &format!("text {number}"));
    let happened = Happened { at: Timestamp::from_micros(start), until: None, offset: None };
    let memory = Memory { statement: Some(statement), happened, ..memory };
    KnownFact { memory, inputs: Vec::new(), evidence: Vec::new() }
}

fn said_by(mut fact: KnownFact, role: Role) -> KnownFact {
    if let Some(statement) = &mut fact.memory.statement {
        statement.said_by = role;
    }
    fact
}

fn edited(members: &[KnownFact], edits: &[ThoughtEdit]) -> FactChanges {
    let ids: Vec<MemoryId> = (0..edits.len()).map(|at| id(100 + at as u128)).collect();
    changes(&Edited { members, edits, ids: &ids, kind: Kind::Fact, now: NOW })
}

fn relations(memory: &Memory) -> Vec<(&str, MemoryId)> {
    memory.links.iter().map(|link| (link.relation.as_str(), link.to)).collect()
}

#[test]
fn the_older_fact_ends_where_the_newer_one_begins() {
    let members = [fact(1, "ann", 10), fact(2, "ann", 20)];
    let changes = edited(&members, &[ThoughtEdit::Supersede { old: id(1), new: id(2) }]);
    let [old, new] = changes.revisions.as_slice() else { panic!("{changes:?}") };
    assert_eq!(old.memory.valid.end, Some(Timestamp::from_micros(20)));
    assert_eq!((old.memory.version, old.memory.text.as_str()), (2, "text 1"));
    assert_eq!(relations(&old.memory), [(Link::SUPERSEDED_BY, id(2))]);
    assert_eq!(relations(&new.memory), [(Link::SUPERSEDES, id(1))]);
}

#[test]
fn what_time_and_speaker_do_not_decide_is_a_contradiction() {
    let same_time = [fact(1, "ann", 10), fact(2, "ann", 10)];
    let by_assistant = [fact(1, "ann", 10), said_by(fact(2, "ann", 20), Role::Assistant)];
    for members in [same_time, by_assistant] {
        let changes = edited(&members, &[ThoughtEdit::Supersede { old: id(1), new: id(2) }]);
        assert_eq!(changes.revisions.len(), 2);
        assert!(changes.revisions.iter().all(|one| one.memory.valid.end.is_none()));
        assert_eq!(relations(&changes.revisions[0].memory), [(Link::CONTRADICTS, id(2))]);
    }
}

#[test]
fn a_fact_about_somebody_else_supersedes_nothing() {
    let members = [fact(1, "ann", 10), fact(2, "bob", 20)];
    let changes = edited(&members, &[ThoughtEdit::Supersede { old: id(1), new: id(2) }]);
    assert_eq!(changes, FactChanges::default());
}

#[test]
fn merged_facts_expire_from_recall_and_stay_as_sources() {
    let members = [fact(1, "ann", 10), fact(2, "ann", 20), fact(3, "ann", 30)];
    let merge = ThoughtEdit::Merge {
        ids: vec![id(1), id(2)],
        head: "ann".to_owned(),
        text: "both".to_owned(),
        happened: vec![Timestamp::from_micros(10), Timestamp::from_micros(20)],
    };
    let changes = edited(&members, &[merge]);
    let [merged] = changes.facts.as_slice() else { panic!("{changes:?}") };
    assert_eq!((merged.text.as_str(), merged.happened.until), ("both", Some(Timestamp::from_micros(20))));
    let evidence: Vec<bool> = merged.inputs.iter().map(|input| input.is_evidence).collect();
    assert_eq!(evidence, [true, true, false], "all that was shown is an input");
    assert_eq!(changes.revisions.len(), 2);
    for source in &changes.revisions {
        assert_eq!(source.memory.expires_at, Some(NOW));
        assert_eq!(relations(&source.memory), [(Link::MERGED_INTO, merged.id)]);
    }
}

#[test]
fn slots_and_confidences_are_not_merged() {
    let mut slot = fact(1, "ann", 10);
    if let Some(statement) = &mut slot.memory.statement {
        statement.attribute = Attribute::new("home");
    }
    let mut secret = fact(1, "ann", 10);
    secret.memory.audience = vec![name("ann")];
    for first in [slot, secret] {
        let merge = ThoughtEdit::Merge {
            ids: vec![id(1), id(2)],
            head: "ann".to_owned(),
            text: "both".to_owned(),
            happened: Vec::new(),
        };
        assert_eq!(edited(&[first, fact(2, "ann", 20)], &[merge]), FactChanges::default());
    }
}

#[test]
fn facts_of_an_agent_and_facts_that_expire_are_not_merged() {
    let (mut of_agent, mut expiring, mut shared) =
        (fact(1, "ann", 10), fact(1, "ann", 10), fact(1, "ann", 10));
    of_agent.memory.agent = Some(name("concierge"));
    expiring.memory.expires_at = Some(NOW.plus_days(1));
    shared.memory.visibility = crate::domain::memory::Visibility::Shared;
    for first in [of_agent, expiring, shared] {
        let merge = ThoughtEdit::Merge {
            ids: vec![id(1), id(2)],
            head: "ann".to_owned(),
            text: "both".to_owned(),
            happened: Vec::new(),
        };
        assert_eq!(edited(&[first, fact(2, "ann", 20)], &[merge]), FactChanges::default());
    }
}

proptest! {
    /// Whatever a model proposes: texts stay, no fact is touched that was not shown, and validity only ends.
    #[test]
    fn edits_of_any_shape_keep_every_text(
        pairs in proptest::collection::vec((0_u128..8, 0_u128..8, any::<bool>()), 0..8)
    ) {
        let members: Vec<KnownFact> =
            (0..6).map(|number| fact(number, if number % 2 == 0 { "ann" } else { "bob" }, number as i64)).collect();
        let edits: Vec<ThoughtEdit> = pairs
            .iter()
            .map(|(one, other, merges)| match merges {
                true => ThoughtEdit::Merge {
                    ids: vec![id(*one), id(*other)],
                    head: "ann".to_owned(),
                    text: "m".to_owned(),
                    happened: Vec::new(),
                },
                false => ThoughtEdit::Supersede { old: id(*one), new: id(*other) },
            })
            .collect();
        for revision in edited(&members, &edits).revisions {
            let before = members.iter().find(|fact| fact.memory.id == revision.memory.id);
            let before = before.expect("a shown fact");
            prop_assert_eq!(&revision.memory.text, &before.memory.text);
            prop_assert_eq!(revision.memory.version, 2);
            prop_assert!(revision.memory.links.iter().all(|link| link.to != revision.memory.id));
        }
    }
}
