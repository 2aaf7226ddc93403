//! Digests of days and of all days, and the portrait, through the engine: extractive or by a scripted language model.

mod again;
mod conformance;
mod owned;
mod remade;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memory_core::domain::digest::Level;
use memory_core::domain::memory::Kind;
use memory_core::domain::name::Name;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::{UtcOffset, Zone};
use memory_core::memories::request::Edit;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::{ScriptedLanguageModel, ScriptedReply};
use memory_core::store::Jobs;
use memory_core::testing::{CALLER, turn};
use memory_core::think::settings::{Budget, ThinkingSettings};

use world::{World, by_model, extractive, repeat};

/// Times are before START, 2024-03-01T12:00:00Z, unless a test is about the present day.
const MONDAY: &str = "2024-02-05T10:00:00Z";
const TUESDAY: &str = "2024-02-06T10:00:00Z";

#[tokio::test]
async fn each_past_day_has_a_digest_of_what_was_said_with_the_turns_that_it_covers() {
    let world = World::with(extractive()).await;
    let said = world.say("ann_b_c", MONDAY, &["I adopted a dog called Rex.", "Rex ate my shoes."]).await;
    world.say("ann_b_c", TUESDAY, &["I moved to Lisbon."]).await;
    assert_eq!(world.days("ann_b_c").await, ["2024-02-06", "2024-02-05"]);
    let digests = world.digests("ann_b_c", Level::EventsOfDay).await;
    let monday = &digests[1];
    assert_eq!((&monday.covers, monday.is_extractive, monday.is_edited), (&said, true, false));
    assert!(monday.memory.text.contains("Rex") && !monday.memory.text.contains("Lisbon"));
    assert_eq!(monday.memory.kind, Kind::Digest);
    assert_eq!(monday.memory.happened.at, Timestamp::parse("2024-02-05").unwrap());
    let [all] =
        world.digests("ann_b_c", Level::EventsOfAll).await.try_into().expect("one digest of all days");
    assert_eq!(all.covers, [monday.memory.id, digests[0].memory.id]);
    assert!(all.memory.text.contains("Rex") && all.memory.text.contains("Lisbon"), "{}", all.memory.text);
    assert_eq!(world.portrait("ann_b_c").await.events.map(|events| events.memory.id), Some(all.memory.id));
}

#[tokio::test]
async fn two_users_with_the_same_dates_have_digests_of_their_own() {
    let world = World::with(extractive()).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    world.say("ann_2024-02-05_0", MONDAY, &["I bought a boat."]).await;
    let text = async |who: &str| world.digests(who, Level::EventsOfDay).await[0].memory.text.clone();
    assert!(text("ann").await.contains("dog") && text("ann_2024-02-05_0").await.contains("boat"));
}

#[tokio::test]
async fn turns_added_later_to_a_day_are_in_the_next_version_of_its_digest() {
    let world = World::with(extractive()).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    let first = world.digests("ann", Level::EventsOfDay).await.remove(0);
    world.say("ann", MONDAY, &["I bought a boat."]).await;
    let second = world.digests("ann", Level::EventsOfDay).await.remove(0);
    assert_eq!((second.memory.id, second.memory.version), (first.memory.id, 2));
    assert!(second.memory.text.contains("dog") && second.memory.text.contains("boat"));
}

#[tokio::test]
async fn the_present_day_waits_for_its_end_or_for_many_turns_and_no_job_spins() {
    let world = World::with(extractive()).await;
    world.say("ann", "2024-03-01T09:00:00Z", &["I adopted a dog."]).await;
    assert!(world.days("ann").await.is_empty());
    let jobs = world.engine.store.jobs(CALLER.tenant, &Default::default(), None, 100).await.expect("jobs");
    assert_eq!(jobs.len(), 1, "one job that found nothing to do");
    let many: Vec<String> = (0..31).map(|at| format!("I saw bird number {at}.")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.say("ann", "2024-03-01T10:00:00Z", &many).await;
    assert_eq!(world.days("ann").await, ["2024-03-01"]);
    world.say("ann", "2024-03-01T11:00:00Z", &["I sold the dog."]).await;
    assert_eq!(world.digests("ann", Level::EventsOfDay).await[0].covers.len(), 32);
    world.engine.clock.advance_micros(86_400_000_000);
    world.say("ann", "2024-03-02T09:00:00Z", &["Good morning."]).await;
    assert_eq!(world.digests("ann", Level::EventsOfDay).await[0].covers.len(), 33);
    assert_eq!(world.days("ann").await, ["2024-03-01"]);
}

#[tokio::test]
async fn turns_with_a_wrong_date_in_the_future_do_not_hold_up_others() {
    let world = World::with(extractive()).await;
    world.say("ann", "2031-01-01T00:00:00Z", &["I come from the future."]).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    assert_eq!(world.days("ann").await, ["2031-01-01", "2024-02-05"]);
}

#[tokio::test]
async fn days_are_those_of_the_owners_zone_or_of_the_offset_of_a_turn() {
    let world = World::with(extractive()).await;
    let engine = &world.engine.engine;
    let zone = Zone::parse("Asia/Tokyo").expect("a zone");
    engine.set_timezone(&CALLER, &world.scope("tokyo"), Some(zone)).await.expect("set");
    let late = "2024-02-05T20:00:00Z";
    world.say("tokyo", late, &["I adopted a dog."]).await;
    assert_eq!(world.days("tokyo").await, ["2024-02-06"]);
    world.say("utc", late, &["I adopted a dog."]).await;
    assert_eq!(world.days("utc").await, ["2024-02-05"]);
    let offset = UtcOffset::from_minutes(-21 * 60);
    let at = Timestamp::parse("2024-02-05T10:00:00Z").expect("a time");
    let said = memory_core::remember::request::TurnToRemember {
        utc_offset: offset,
        ..turn(Role::User, "I bought a boat.", at)
    };
    world.say_turns("utc", vec![said]).await;
    assert_eq!(world.days("utc").await, ["2024-02-05", "2024-02-04"]);
    let digests = world.digests("utc", Level::EventsOfDay).await;
    assert_eq!(digests[1].memory.happened.at, Timestamp::parse("2024-02-04T21:00:00Z").unwrap());
}

#[tokio::test]
async fn a_turn_is_in_the_digests_of_one_day_after_a_change_of_the_time_zone() {
    let model = ScriptedLanguageModel::new(repeat);
    let world = World::with(by_model(model.clone())).await;
    world.say("ann", "2024-02-05T20:00:00Z", &["I adopted a dog."]).await;
    world.say("ann", TUESDAY, &["I bought a boat."]).await;
    world.say("ann", "2024-02-08T10:00:00Z", &["I like tea."]).await;
    let days = async |texts: [&str; 2]| {
        let digests = world.digests("ann", Level::EventsOfDay).await;
        let of = |text: &str| {
            let having = digests.iter().filter(|digest| digest.memory.text.contains(text));
            having.filter_map(|digest| digest.day).map(|day| day.to_string()).collect::<Vec<_>>()
        };
        texts.map(of)
    };
    assert_eq!(days(["dog", "boat"]).await, [["2024-02-05"], ["2024-02-06"]]);
    let set = async |zone: Option<&str>| {
        let zone = zone.map(|zone| Zone::parse(zone).expect("a zone"));
        world.engine.engine.set_timezone(&CALLER, &world.scope("ann"), zone).await.expect("set");
        world.settle().await;
    };
    set(Some("Asia/Tokyo")).await;
    assert_eq!(days(["dog", "boat"]).await, [["2024-02-06"], ["2024-02-06"]]);
    assert_eq!(world.days("ann").await, ["2024-02-08", "2024-02-06"]);
    let asks_of_tea = || {
        let is_one = |request: &&ModelRequest| {
            request.system.contains("one day") && request.user.contains("I like tea.")
        };
        model.requests().iter().filter(is_one).count()
    };
    let asked = asks_of_tea();
    set(None).await;
    assert_eq!(days(["dog", "boat"]).await, [["2024-02-05"], ["2024-02-06"]]);
    let requests = model.requests().len();
    set(Some("Europe/Berlin")).await;
    assert_eq!(model.requests().len(), requests, "no turn is on another day");
    assert_eq!(asks_of_tea(), asked, "a day whose turns stay is not made again");
}

#[tokio::test]
async fn a_model_makes_digests_with_evidence_and_is_not_asked_again_about_the_same_content() {
    let model = ScriptedLanguageModel::new(repeat);
    let world = World::with(by_model(model.clone())).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog called Rex."]).await;
    let [day] = world.digests("ann", Level::EventsOfDay).await.try_into().expect("one digest");
    assert_eq!((&day.evidence, day.is_extractive), (&said, false));
    assert_eq!(model.requests().len(), 4, "events and personality of the day, all days, portrait");
    let [statement] = world.portrait("ann").await.statements.try_into().expect("one statement");
    assert_eq!(statement.memory.text, "I adopted a dog called Rex.");
    let [insight] = world.digests("ann", Level::PersonalityOfDay).await.try_into().expect("one insight");
    assert_eq!(statement.evidence, [insight.memory.id]);
    // A turn of the present day gives a job that finds nothing to do.
    world.say("ann", "2024-03-01T09:00:00Z", &["Hello."]).await;
    assert_eq!(model.requests().len(), 4);
}

#[tokio::test]
async fn a_refused_reply_changes_nothing_and_in_the_end_the_day_is_extractive() {
    let model =
        ScriptedLanguageModel::new(|request: &ModelRequest| match request.system.contains("one day") {
            true => r#"{"sentences":[{"text":"I adopted a dog.","evidence":["t9"]}]}"#.to_owned(),
            false => repeat(request),
        });
    let world = World::with(by_model(model)).await;
    let clock = world.engine.clock.clone();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            clock.advance_micros(1_000_000);
        }
    });
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    ticking.abort();
    let [day] = world.digests("ann", Level::EventsOfDay).await.try_into().expect("one digest");
    assert!(day.is_extractive);
}

#[tokio::test]
async fn a_number_that_no_evidence_has_is_refused() {
    let is_wrong = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&is_wrong);
    let model = ScriptedLanguageModel::new(move |request: &ModelRequest| {
        if flag.swap(false, Ordering::SeqCst) {
            return r#"{"sentences":[{"text":"Ann has 17 dogs.","evidence":["t1"]}]}"#.to_owned();
        }
        repeat(request)
    });
    let world = World::with(by_model(model)).await;
    world.say("ann", MONDAY, &["I adopted 2 dogs."]).await;
    let [day] = world.digests("ann", Level::EventsOfDay).await.try_into().expect("one digest");
    assert_eq!(day.memory.text, "I adopted 2 dogs.");
}

#[tokio::test]
async fn an_exhausted_budget_leaves_the_turns_waiting() {
    let model = ScriptedLanguageModel::new(repeat);
    let budget = Budget { calls_per_day: Some(1), ..Budget::default() };
    let world = World::with(ThinkingSettings { budget, ..by_model(model.clone()) }).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    assert!(world.days("ann").await.is_empty(), "a day is made whole or not at all");
    world.engine.clock.advance_micros(86_400_000_000);
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn what_was_said_in_confidence_is_in_no_digest() {
    let world = World::with(extractive()).await;
    let at = Timestamp::parse(MONDAY).expect("a time");
    let secret = memory_core::remember::request::TurnToRemember {
        audience: vec![Name::new("Theo").expect("a name")],
        ..turn(Role::User, "I am pregnant.", at)
    };
    world.say_turns("ann", vec![secret, turn(Role::User, "I adopted a dog.", at)]).await;
    let [day] = world.digests("ann", Level::EventsOfDay).await.try_into().expect("one digest");
    assert!(!day.memory.text.contains("pregnant") && day.covers.len() == 1);
}

#[tokio::test]
async fn a_digest_with_a_turn_that_became_confidential_goes_with_its_history() {
    let world = World::with(extractive()).await;
    let said = world.say("ann", MONDAY, &["I am pregnant.", "I adopted a dog."]).await;
    let before = world.digests("ann", Level::EventsOfDay).await.remove(0);
    let audience = Some(vec![Name::new("Theo").expect("a name")]);
    world.edit(said[0], Edit { audience, ..Edit::default() }).await;
    let after = world.digests("ann", Level::EventsOfDay).await.remove(0);
    assert!(after.memory.id != before.memory.id && !after.memory.text.contains("pregnant"));
    let [all] = world.digests("ann", Level::EventsOfAll).await.try_into().expect("one digest");
    assert!(!all.memory.text.contains("pregnant"));
}

#[tokio::test]
async fn an_edited_statement_or_digest_is_kept_and_wins() {
    let seen = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&seen);
    let model = ScriptedLanguageModel::new(move |request: &ModelRequest| {
        let is_fixed = request.user.contains(r#""fixed":true"#);
        flag.fetch_or(is_fixed, Ordering::SeqCst);
        if is_fixed {
            // It tries to replace what is fixed, and is refused.
            let reply = r#"{"add":[],"replace":[],"drop":["s1"]}"#.to_owned();
            return ScriptedReply::Text(reply);
        }
        ScriptedReply::Text(repeat(request))
    });
    let world = World::with(by_model(model)).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    let statement = world.portrait("ann").await.statements.remove(0);
    let text = Some("I have no dog.".to_owned());
    world.edit(statement.memory.id, Edit { text: text.clone(), ..Edit::default() }).await;
    let day = world.digests("ann", Level::EventsOfDay).await.remove(0);
    world.edit(day.memory.id, Edit { text: Some("Nothing happened.".to_owned()), ..Edit::default() }).await;
    let clock = world.engine.clock.clone();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            clock.advance_micros(1_000_000);
        }
    });
    world.say("ann", MONDAY, &["I bought a boat."]).await;
    ticking.abort();
    assert!(seen.load(Ordering::SeqCst));
    let portrait = world.portrait("ann").await;
    let own = portrait.statements.iter().find(|one| one.memory.id == statement.memory.id).expect("kept");
    assert_eq!((own.memory.text.as_str(), own.is_edited), ("I have no dog.", true));
    let day = world.digests("ann", Level::EventsOfDay).await.remove(0);
    assert_eq!((day.memory.text.as_str(), day.is_edited), ("Nothing happened.", true));
}
