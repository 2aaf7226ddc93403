//! Days in the zone of whoever asks: time expressions, the context block, stored offsets, the owner's zone.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use memory_core::domain::id::MemoryId;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::{UtcOffset, Zone};
use memory_core::memories::request::Edit;
use memory_core::recall::request::{Recall, RequestedZone};
use memory_core::recall::response::Recalled;
use memory_core::testing::{CALLER, TestEngine, question, turn, turns, user};
use memory_core::think::facts::preview::TurnToPreview;

use crate::row_recipe::once_free;

async fn test_engine() -> (tempfile::TempDir, TestEngine) {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    (directory, test_engine)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn zone(text: &str) -> Zone {
    Zone::parse(text).unwrap()
}

/// Turns of one session, each said at a time as a request writes it.
async fn say(test_engine: &TestEngine, said: &[(&str, &str)]) -> Vec<MemoryId> {
    let said = said.iter().map(|(text, said_at)| {
        let mut turn = turn(Role::User, text, at(said_at));
        turn.utc_offset = UtcOffset::of_text(said_at);
        turn
    });
    let request = turns(&user("ann").unwrap(), "s", said.collect()).unwrap();
    test_engine.engine.remember_turns(&CALLER, request).await.unwrap().memories
}

/// A question that is asked at a time as a request writes it.
fn asked(query: &str, now: &str) -> Recall {
    let zone = RequestedZone { named: None, of_now: UtcOffset::of_text(now) };
    Recall { now: Some(at(now)), zone, ..question(&user("ann").unwrap(), query) }
}

async fn recall(test_engine: &TestEngine, request: Recall) -> Recalled {
    test_engine.engine.recall(&CALLER, request).await.unwrap()
}

/// First and last day of the one time that a query names.
fn named(recalled: &Recalled) -> (String, String) {
    let [named] = recalled.times.as_slice() else { panic!("{:?}", recalled.times) };
    (named.days.first.to_string(), named.days.last.to_string())
}

fn headings(recalled: &Recalled) -> Vec<&str> {
    recalled.context.text.lines().filter(|line| line.starts_with("##")).collect()
}

#[tokio::test]
async fn yesterday_is_the_day_before_in_the_offset_of_now() {
    let (_directory, test_engine) = test_engine().await;
    say(&test_engine, &[("I planted tulips", "2026-03-01T00:30:00Z")]).await;
    for (now, yesterday) in [
        ("2026-03-02T07:00:00+08:00", "2026-03-01"),
        ("2026-03-01T23:00:00Z", "2026-02-28"),
        ("2026-03-01T18:00:00-05:00", "2026-02-28"),
        ("2026-03-02T00:10:00+05:45", "2026-03-01"),
        ("2026-03-01T23:50:00+05:45", "2026-02-28"),
    ] {
        let recalled = recall(&test_engine, asked("What did I plant yesterday?", now)).await;
        assert_eq!(named(&recalled), (yesterday.to_owned(), yesterday.to_owned()), "{now}");
    }
}

#[tokio::test]
async fn a_zone_of_the_request_goes_before_the_owners_before_the_offset_of_now_before_the_setting() {
    let (_directory, test_engine) = test_engine().await;
    say(&test_engine, &[("I planted tulips", "2026-03-01T00:30:00Z")]).await;
    let scope = user("ann").unwrap();
    let day = async |request: Recall| named(&recall(&test_engine, request).await).0;
    // 23:00 of 1 March in UTC.
    let without = asked("What did I plant today?", "2026-03-01T23:00:00Z");
    let in_auckland = asked("What did I plant today?", "2026-03-02T12:00:00+13:00");
    assert_eq!(day(without.clone()).await, "2026-03-01", "UTC is the setting");
    assert_eq!(day(in_auckland.clone()).await, "2026-03-02");

    let state =
        test_engine.engine.set_timezone(&CALLER, &scope, Some(zone("America/New_York"))).await.unwrap();
    assert_eq!((state.zone.name().as_str(), state.is_own), ("America/New_York", true));
    assert_eq!(day(in_auckland.clone()).await, "2026-03-01", "the owner's");
    let mut in_shanghai = in_auckland.clone();
    in_shanghai.zone.named = Some(zone("Asia/Shanghai"));
    assert_eq!(day(in_shanghai).await, "2026-03-02", "the request's");

    let other = user("bob").unwrap();
    assert!(!test_engine.engine.timezone(&CALLER, &other).unwrap().is_own, "owners have zones of their own");
    test_engine.engine.set_timezone(&CALLER, &scope, None).await.unwrap();
    assert_eq!(day(in_auckland).await, "2026-03-02");
}

#[tokio::test]
async fn the_zone_of_an_owner_survives_a_restart_and_is_erased_with_the_owner() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    {
        let test_engine = TestEngine::open(directory.path()).await.unwrap();
        say(&test_engine, &[("I planted tulips", "2026-03-01T00:30:00Z")]).await;
        test_engine.engine.set_timezone(&CALLER, &scope, Some(zone("Asia/Kathmandu"))).await.unwrap();
        test_engine.engine.stop().await;
        test_engine.store.close().await;
    }
    let test_engine = once_free(async || TestEngine::open(directory.path()).await).await;
    assert_eq!(test_engine.engine.timezone(&CALLER, &scope).unwrap().zone.name(), "Asia/Kathmandu");
    let preview = test_engine.engine.preview_owner_erasure(&CALLER, &scope).await.unwrap();
    test_engine.engine.erase_owner(&CALLER, &scope, &preview.confirmation, None).await.unwrap();
    assert!(!test_engine.engine.timezone(&CALLER, &scope).unwrap().is_own);
}

#[tokio::test]
async fn headings_show_the_day_of_the_speaker_and_else_of_the_zone() {
    let (_directory, test_engine) = test_engine().await;
    say(
        &test_engine,
        &[
            ("tulips in Shanghai", "2026-03-02T00:30:00+08:00"),
            ("tulips somewhere", "2026-03-01T16:31:00Z"),
            ("tulips in New York", "2026-03-01T23:30:00-05:00"),
        ],
    )
    .await;
    let mut request = asked("tulips", "2026-03-05T00:00:00Z");
    assert_eq!(
        headings(&recall(&test_engine, request.clone()).await),
        ["## 2026-03-01 (Sun), session s", "## 2026-03-02 (Mon), session s"],
    );
    let shown = recall(&test_engine, request.clone()).await.context.text;
    assert!(shown.starts_with("## 2026-03-01 (Sun), session s\n- user: tulips somewhere\n"), "{shown}");
    request.zone.named = Some(zone("+08:00"));
    let shown = recall(&test_engine, request).await.context.text;
    assert!(
        shown
            .contains("## 2026-03-02 (Mon), session s\n- user: tulips in Shanghai\n- user: tulips somewhere")
    );
    assert!(shown.starts_with("## 2026-03-01 (Sun), session s\n- user: tulips in New York\n"), "{shown}");
}

#[tokio::test]
async fn the_time_signal_fits_the_day_of_the_speaker() {
    let (_directory, test_engine) = test_engine().await;
    // One and the same hour: 1 March in UTC and in New York, 2 March in Shanghai.
    let ids = say(
        &test_engine,
        &[("tulips", "2026-03-02T01:00:00+08:00"), ("tulips", "2026-03-01T12:00:00-05:00")],
    )
    .await;
    let fit = |recalled: &Recalled, id: MemoryId| {
        let one = recalled.memories.iter().find(|one| one.memory.id == id).unwrap();
        one.explain
            .signals
            .iter()
            .find(|signal| signal.name.as_str() == "time")
            .map_or(0.0, |signal| signal.score)
    };
    let recalled = recall(&test_engine, asked("tulips on 2026-03-02", "2026-03-05T00:00:00Z")).await;
    assert!(fit(&recalled, ids[0]) > fit(&recalled, ids[1]), "{:?}", recalled.times);
    let recalled = recall(&test_engine, asked("tulips on 2026-03-01", "2026-03-05T00:00:00Z")).await;
    assert!(fit(&recalled, ids[0]) < fit(&recalled, ids[1]));
}

#[tokio::test]
async fn offsets_are_stored_with_turns_and_versions() {
    let (_directory, test_engine) = test_engine().await;
    let ids = say(
        &test_engine,
        &[("one", "2026-03-02T00:30:00+05:45"), ("two", "2026-03-02T00:30:00Z"), ("three", "2026-03-02")],
    )
    .await;
    let offset = async |id: MemoryId| {
        let memory = test_engine.engine.memory(&CALLER, id).await.unwrap().memory;
        memory.happened.offset.map(UtcOffset::minutes)
    };
    assert_eq!(offset(ids[0]).await, Some(345));
    assert_eq!(offset(ids[1]).await, None, "Z is a moment without a place");
    assert_eq!(offset(ids[2]).await, Some(0), "a bare date is the day that it names");

    let moved = Edit { happened_at: Some(at("2026-03-01T20:00:00Z")), ..Edit::default() };
    test_engine.engine.edit(&CALLER, ids[0], moved, None).await.unwrap();
    assert_eq!(offset(ids[0]).await, Some(345), "an edit without an offset keeps it");
    let moved = Edit { utc_offset: UtcOffset::from_minutes(-300), ..Edit::default() };
    test_engine.engine.edit(&CALLER, ids[0], moved, None).await.unwrap();
    let versions = test_engine.engine.history(&CALLER, ids[0]).await.unwrap();
    let offsets: Vec<_> =
        versions.iter().map(|version| version.happened.offset.map(UtcOffset::minutes)).collect();
    assert_eq!(offsets, [Some(345), Some(345), Some(-300)]);
}

#[tokio::test]
async fn days_of_summer_time_are_calendar_days() {
    let (_directory, test_engine) = test_engine().await;
    say(&test_engine, &[("I planted tulips", "2026-03-01T00:30:00Z")]).await;
    for (name, now, yesterday) in [
        // Half past midnight after a day of 23 hours, and just before midnight after one of 25.
        ("Europe/Berlin", "2026-03-29T22:30:00Z", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25T22:59:00Z", "2026-10-24"),
        ("America/New_York", "2026-03-09T04:30:00Z", "2026-03-08"),
        ("America/New_York", "2026-11-02T04:59:00Z", "2026-10-31"),
    ] {
        let mut request = asked("What did I plant yesterday?", now);
        request.zone.named = Some(zone(name));
        assert_eq!(named(&recall(&test_engine, request).await).0, yesterday, "{name} {now}");
    }
}

#[tokio::test]
async fn a_zone_of_utc_gives_what_no_zone_gives() {
    let (_directory, test_engine) = test_engine().await;
    say(
        &test_engine,
        &[("tulips and a spade", "2026-02-28T23:59:59Z"), ("roses and a spade", "2026-03-01T00:00:00Z")],
    )
    .await;
    for query in ["What did I plant yesterday?", "the spade of last week", "tulips in February", "spade"] {
        let plain = asked(query, "2026-03-01T23:59:59Z");
        let without = recall(&test_engine, plain.clone()).await;
        for name in ["UTC", "Etc/UTC", "+00:00"] {
            let mut request = plain.clone();
            request.zone.named = Some(zone(name));
            let with = recall(&test_engine, request).await;
            assert_eq!((&with.context, &with.times), (&without.context, &without.times), "{query} {name}");
            let scores =
                |of: &Recalled| of.memories.iter().map(|one| (one.memory.id, one.score)).collect::<Vec<_>>();
            assert_eq!(scores(&with), scores(&without), "{query} {name}");
        }
    }
}

#[tokio::test]
async fn thinking_counts_the_days_of_the_owner_where_a_turn_tells_none() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    test_engine.engine.set_timezone(&CALLER, &scope, Some(zone("Asia/Shanghai"))).await.unwrap();
    let day = async |said_at: &str| {
        let said = TurnToPreview {
            role: Role::User,
            author: None,
            participants: Vec::new(),
            text: "I moved to Lisbon yesterday.".to_owned(),
            said_at: Some(at(said_at)),
            utc_offset: UtcOffset::of_text(said_at),
        };
        let preview = test_engine.engine.preview_facts(&CALLER, &scope, &[said]).await.unwrap();
        let happened = preview.facts[0].candidate.happened;
        Zone::UTC.or_own(happened.offset).date(happened.at).to_string()
    };
    assert_eq!(day("2026-03-01T23:00:00Z").await, "2026-03-01", "it is 2 March in Shanghai");
    assert_eq!(day("2026-03-01T23:00:00+00:00").await, "2026-02-28", "the offset of the turn goes first");
    assert_eq!(day("2026-03-01T18:00:00-05:00").await, "2026-02-28");
}
