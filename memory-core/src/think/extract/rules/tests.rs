//! Tables of sentences with the facts that are expected, and properties of the rules.

use proptest::prelude::*;

use super::*;
use crate::domain::id::{MemoryId, SessionId, TurnId};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;

/// Tuesday, the day of the utterances.
const SAID: &str = "2023-05-30";

fn turn(role: Role, author: Option<&str>, text: &str) -> SourceTurn {
    let id = uuid::Uuid::from_u128(1);
    SourceTurn {
        turn: TurnId(id),
        memory: MemoryId(id),
        session: SessionId(id),
        seq: 0,
        role,
        author: author.map(|name| Name::new(name).unwrap()),
        participants: Vec::new(),
        text: text.to_owned(),
        said_at: Timestamp::parse(SAID).unwrap(),
        utc_offset: None,
        zone: crate::domain::zone::Zone::UTC,
        audience: Vec::new(),
    }
}

fn facts(text: &str) -> Vec<CandidateFact> {
    candidates(&[turn(Role::User, None, text)])
}

/// Asserts the first fact of each sentence: text, attribute, object.
fn assert_facts(table: &[(&str, &str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (sentence, text, attribute, object) in table {
        let found = facts(sentence);
        let read = found.first().map(|fact| {
            let slot = fact.statement.attribute.as_ref().map_or("", |it| it.as_str());
            (fact.text.as_str(), slot, fact.statement.object.as_ref().map_or("", Name::as_str))
        });
        if read != Some((*text, *attribute, *object)) {
            wrong.push(format!("{sentence} -> {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn assert_none(sentences: &[&str]) {
    let found: Vec<String> = sentences.iter().flat_map(|text| facts(text)).map(|fact| fact.text).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn identity_is_extracted() {
    assert_facts(&[
        ("My name is Paolo Mura.", "The user's name is Paolo Mura.", "name", "Paolo Mura"),
        ("I'm 32 years old.", "The user is 32 years old.", "age", "32"),
        ("By the way, I live in Oslo.", "The user lives in Oslo.", "home", "Oslo"),
        (
            "I live in Kansas City, Missouri.",
            "The user lives in Kansas City, Missouri.",
            "home",
            "Kansas City, Missouri",
        ),
        (
            "I just moved to Lisbon last month!",
            "The user just moved to Lisbon last month (2023-04).",
            "home",
            "Lisbon",
        ),
        (
            "I'm moving to Berlin in June.",
            "The user is moving to Berlin in June (2023-06).",
            "home",
            "Berlin",
        ),
        ("I grew up in Italy.", "The user grew up in Italy.", "origin", "Italy"),
        ("I'm fluent in Spanish.", "The user is fluent in Spanish.", "language", "Spanish"),
    ]);
}

#[test]
fn work_is_extracted() {
    assert_facts(&[
        ("I'm a nurse, by the way.", "The user is a nurse, by the way.", "job", "nurse"),
        (
            "I work as a marketing specialist.",
            "The user works as a marketing specialist.",
            "job",
            "marketing specialist",
        ),
        ("I work at Acme with my sister.", "The user works at Acme with their sister.", "employer", "Acme"),
        (
            "I graduated from Oxford in 2015.",
            "The user graduated from Oxford in 2015.",
            "education",
            "Oxford",
        ),
    ]);
}

#[test]
fn relations_are_extracted() {
    assert_facts(&[
        ("I went there with my sister Maria.", "The user's sister is Maria.", "family", "Maria"),
        ("Can you find a gift for my wife, Ann?", "The user's wife is Ann.", "partner", "Ann"),
        ("I have a dog named Rex.", "The user has a dog named Rex.", "pet", "dog"),
        ("My dog's name is Rex.", "The user's dog's name is Rex.", "pet", "Rex"),
        (
            "I got married last week.",
            "The user got married last week (2023-05-22 to 2023-05-28).",
            "relationship_status",
            "married",
        ),
    ]);
    let of_sister = facts("My sister Maria lives in Lisbon.");
    assert_eq!(of_sister[0].statement.subject.as_str(), "Maria");
    assert_eq!(of_sister[0].text, "The user's sister Maria lives in Lisbon.");
}

#[test]
fn possessions_and_preferences_are_extracted() {
    assert_facts(&[
        (
            "I bought a red bike yesterday.",
            "The user bought a red bike yesterday (2023-05-29).",
            "possession",
            "red bike",
        ),
        ("My favorite color is blue.", "The user's favorite color is blue.", "favorite_color", "blue"),
        ("I love hiking and camping.", "The user loves hiking and camping.", "likes", "hiking and camping"),
        ("I don't like bananas.", "The user doesn't like bananas.", "dislikes", "bananas"),
        ("I'm a vegetarian.", "The user is a vegetarian.", "diet", "vegetarian"),
        ("I'm allergic to peanuts.", "The user is allergic to peanuts.", "allergy", "peanuts"),
    ]);
}

#[test]
fn plans_and_events_are_extracted() {
    assert_facts(&[
        ("I'm planning a trip to Japan.", "The user is planning a trip to Japan.", "plan", "trip to Japan"),
        ("I've read 5 books so far.", "The user has read 5 books so far.", "", "5 books so far"),
        (
            "Last week, I attended a workshop.",
            "Last week (2023-05-22 to 2023-05-28), the user attended a workshop.",
            "",
            "workshop",
        ),
        (
            "I've been learning the ukulele.",
            "The user has been learning the ukulele.",
            "",
            "learning the ukulele",
        ),
    ]);
}

#[test]
fn what_is_not_stated_of_the_speaker_is_left_out() {
    assert_none(&[
        "Do I live in Oslo now?",
        "If I moved to Oslo, I would buy a bike.",
        "I wish I lived in Oslo.",
        "She said I live in Oslo.",
        "She said: \"I live in Oslo.\" Then she left.",
        "> I live in Oslo.",
        "```\nI live in Oslo.\n```",
        "I like that idea a lot.",
        "I love how you explained it.",
        "I have a question about it.",
        "I'd love to live in Oslo.",
        "You live in Oslo, I think.",
        "Write a story about a man.\nI live in Oslo.",
        "I'm going to try it out.",
        "I think so too, honestly.",
        "I don't work at Acme.",
    ]);
}

#[test]
fn what_ended_is_marked() {
    for text in [
        "I no longer work at Acme.",
        "I don't work at Acme anymore.",
        "I used to live in Oslo.",
        "I broke up with Ann.",
    ] {
        assert!(
            facts(text).first().is_some_and(|fact| fact.is_ended && fact.valid.start.is_none()),
            "{text}"
        );
    }
}

#[test]
fn times_are_resolved_at_the_utterance() {
    let day = |text| Timestamp::parse(text);
    let moved = &facts("I moved to Lisbon last month.")[0];
    assert_eq!((Some(moved.happened.at), moved.valid.start), (day("2023-04-01"), day("2023-04-01")));
    let living = &facts("I have been living in Tokyo for three months.")[0];
    assert_eq!((Some(living.happened.at), living.valid.start), (day(SAID), day("2023-02-28")));
    let plan = &facts("I'm going to visit Rome in April.")[0];
    assert_eq!((Some(plan.happened.at), plan.valid.start), (day("2024-04-01"), None));
}

#[test]
fn times_are_resolved_on_the_day_of_the_speaker() {
    use crate::domain::zone::{UtcOffset, Zone};

    let said = |zone: &str, offset: Option<i64>| {
        let zone = Zone::parse(zone).unwrap();
        let said_at = Timestamp::parse("2026-03-01T23:00:00Z").unwrap();
        let utc_offset = offset.and_then(UtcOffset::from_minutes);
        let turn = turn(Role::User, None, "I moved to Lisbon yesterday.");
        let found = candidates(&[SourceTurn { said_at, utc_offset, zone, ..turn }]);
        let happened = found[0].happened;
        let until = happened.until.map(|until| until.plus_micros(1).to_string());
        (happened.at.to_string(), until, happened.offset.map(UtcOffset::minutes))
    };
    let day = |first: &str, last: &str, minutes| (first.to_owned(), Some(last.to_owned()), Some(minutes));
    assert_eq!(said("UTC", None), day("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", 0));
    assert_eq!(said("+08:00", Some(480)), day("2026-02-28T16:00:00Z", "2026-03-01T16:00:00Z", 480));
    assert_eq!(said("-05:00", Some(-300)), day("2026-02-28T05:00:00Z", "2026-03-01T05:00:00Z", -300));
    assert_eq!(said("Asia/Kathmandu", None), day("2026-02-28T18:15:00Z", "2026-03-01T18:15:00Z", 345));
}

#[test]
fn only_users_and_named_authors_are_read() {
    let text = "I live in Oslo.";
    for role in [Role::Assistant, Role::System, Role::Tool] {
        assert!(candidates(&[turn(role, None, text)]).is_empty());
    }
    let named = &candidates(&[turn(Role::Assistant, Some("Ann"), text)])[0];
    assert_eq!((named.text.as_str(), named.statement.subject.as_str()), ("Ann lives in Oslo.", "Ann"));
    assert_eq!(named.statement.said_by, Role::Assistant);
}

#[test]
fn a_request_for_confidence_marks_the_facts_of_its_turn_and_of_the_one_before() {
    assert!(facts("I lost my job. Please don't tell anyone.")[0].is_confidential);
    assert!(!facts("I lost my job last week.")[0].is_confidential);
    let turns = [
        turn(Role::User, None, "I lost my job."),
        turn(Role::Assistant, None, "I am sorry."),
        turn(Role::User, None, "Keep it between us, please."),
    ];
    assert!(candidates(&turns)[0].is_confidential);
}

fn assert_well_formed(turns: &[SourceTurn]) {
    let found = candidates(turns);
    assert!(found.len() <= turns.len() * MAX_CANDIDATES_PER_TURN);
    for fact in &found {
        assert!(!fact.text.trim().is_empty() && fact.text.len() <= 1_000, "{fact:?}");
        assert!(!fact.evidence.is_empty() && fact.evidence.iter().all(|at| *at < turns.len()));
        assert!(fact.valid.is_ordered() && (0.0..=1.0).contains(&fact.statement.confidence));
    }
    assert_eq!(found, candidates(turns));
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in any::<String>(), at in any::<i64>()) {
        let said = SourceTurn { said_at: Timestamp::from_micros(at), ..turn(Role::User, None, &text) };
        assert_well_formed(&[said]);
    }

    #[test]
    fn words_of_the_rules_in_any_order_can_be_read(
        picked in prop::collection::vec(prop::sample::select(vec![
            "I", "I'm", "I've", "I'll", "don't", "my", "My", "sister", "Maria", "lives", "live", "in", "Oslo", "work", "at",
            "is", "the", "a", "dog", "moved", "to", "last", "month", "\"", ",", ".", "'", "and", "favorite", "color", "3",
            "have", "been", "for", "years", "going", "planning", "love", "it", "you", "that", "bought", "not", "n't", "’s",
        ]), 0..24),
        at in any::<i64>(),
    ) {
        let said = SourceTurn { said_at: Timestamp::from_micros(at), ..turn(Role::User, Some("Ann"), &picked.join(" ")) };
        assert_well_formed(&[said]);
    }
}
