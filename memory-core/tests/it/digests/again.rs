//! Digests made again: by a model that could not make them before, by a repeated job, after an undo and after an import.

use std::sync::Arc;

use memory_core::archive::request::RestoreMemories;
use memory_core::domain::digest::Level;
use memory_core::domain::id::JobId;
use memory_core::domain::job::Job;
use memory_core::domain::memory::Kind;
use memory_core::domain::time::Timestamp;
use memory_core::memories::request::UndoRequest;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::store::{Jobs as _, Memories as _, Thinking as _};
use memory_core::testing::CALLER;
use memory_core::think::settings::{Budget, ThinkingSettings};

use super::world::{World, by_model, extractive, repeat};
use super::{MONDAY, TUESDAY};
use crate::archive::bench::{archive, to_restore};

/// A time of the day at which the clock of the tests begins.
const TODAY: &str = "2024-03-01T09:00:00Z";
const TWO_DAYS_US: i64 = 2 * 86_400_000_000;

fn within(calls_per_day: u64, model: &Arc<ScriptedLanguageModel>) -> ThinkingSettings {
    let budget = Budget { calls_per_day: Some(calls_per_day), ..Budget::default() };
    ThinkingSettings { budget, ..by_model(model.clone()) }
}

#[tokio::test]
async fn a_digest_that_stood_in_for_a_spent_budget_is_made_again_by_the_model_once() {
    let model = ScriptedLanguageModel::new(repeat);
    let world = World::with(within(4, &model)).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog.", "I have a secret illness."]).await;
    world.erase(said[1]).await;
    assert!(world.digests("ann", Level::EventsOfDay).await[0].is_extractive);
    world.say("ann", TODAY, &["Hello."]).await;
    assert_eq!(model.requests().len(), 4, "the budget of the day is spent");
    world.engine.clock.advance_micros(TWO_DAYS_US);
    world.say("ann", "2024-03-03T09:00:00Z", &["Hello again."]).await;
    let digests = world.digests("ann", Level::EventsOfDay).await;
    let monday = digests.last().expect("the digest of Monday");
    assert!(!monday.is_extractive && monday.memory.text.contains("dog"), "{monday:?}");
}

#[tokio::test]
async fn a_model_that_refuses_the_same_day_twice_is_not_asked_a_third_time() {
    let model = ScriptedLanguageModel::new(|request: &ModelRequest| {
        if request.system.contains("one day") && request.user.contains("dog") {
            return r#"{"sentences":[{"text":"I adopted a dog.","evidence":["t9"]}]}"#.to_owned();
        }
        repeat(request)
    });
    let world = World::with(by_model(model.clone())).await;
    let clock = world.engine.clock.clone();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            clock.advance_micros(1_000_000);
        }
    });
    let asked = || {
        let is_of_monday = |request: &&ModelRequest| {
            request.system.contains("one day") && request.user.contains("I adopted a dog.")
        };
        model.requests().iter().filter(is_of_monday).count()
    };
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    let first = asked();
    world.say("ann", TODAY, &["Hello."]).await;
    assert_eq!(asked(), first, "not on the same day");
    world.engine.clock.advance_micros(TWO_DAYS_US);
    world.say("ann", TUESDAY, &["I bought a boat."]).await;
    let second = asked();
    assert!(second > first);
    world.engine.clock.advance_micros(TWO_DAYS_US);
    world.say("ann", TUESDAY, &["I sold the boat."]).await;
    ticking.abort();
    assert_eq!(asked(), second);
    assert!(world.digests("ann", Level::EventsOfDay).await.iter().any(|digest| digest.is_extractive));
}

#[tokio::test]
async fn a_portrait_that_failed_is_made_by_the_next_job_although_no_day_changed() {
    let model = ScriptedLanguageModel::new(repeat);
    let world = World::with(within(3, &model)).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    assert!(world.portrait("ann").await.statements.is_empty(), "the budget is spent");
    world.engine.clock.advance_micros(TWO_DAYS_US);
    world.say("ann", "2024-03-03T09:00:00Z", &["Hello."]).await;
    let [statement] = world.portrait("ann").await.statements.try_into().expect("one statement");
    assert_eq!(statement.memory.text, "I adopted a dog.");
    assert_eq!(model.requests().len(), 4);
    world.say("ann", "2024-03-03T10:00:00Z", &["Hello."]).await;
    assert_eq!(model.requests().len(), 4, "it does not wait any more");
}

#[tokio::test]
async fn a_repeated_job_makes_no_second_digest_and_no_new_version() {
    let world = World::with(extractive()).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    for number in 1..3 {
        let payload = r#"{"owner_kind":"user","owner_id":"ann","days":["2024-02-05"],"is_changed":true}"#;
        let id = JobId(uuid::Uuid::from_u128(number));
        let now = Timestamp::parse("2024-03-01T12:00:00Z").expect("a time");
        let job = Job::new(id, CALLER.tenant, "digests", payload.to_owned(), now);
        world.engine.store.enqueue(job).await.expect("enqueued");
    }
    world.settle().await;
    for level in Level::ALL {
        let versions: Vec<u32> =
            world.digests("ann", level).await.iter().map(|digest| digest.memory.version).collect();
        assert_eq!(versions, [1], "{level:?}");
    }
}

#[tokio::test]
async fn the_undo_of_a_job_takes_its_digests_until_their_day_changes() {
    let world = World::with(extractive()).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog."]).await;
    let day = world.digests("ann", Level::EventsOfDay).await.remove(0);
    let owner = world.scope("ann").owner().expect("an owner");
    let partition = world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read").expect("one");
    let made = world.engine.store.evidence(partition, &[day.memory.id]).await.expect("evidence");
    let job = made[0].1.job.expect("made by a job");
    let request = UndoRequest { dry_run: false, with_dependents: true, idempotency: None };
    let undone = world.engine.engine.undo_job(&CALLER, job, request).await.expect("undone");
    assert!(undone.is_done && undone.erased.contains(&day.memory.id));
    world.settle().await;
    assert!(world.days("ann").await.is_empty());
    assert_eq!(world.engine.store.memories(partition, &said).await.expect("read").len(), 1);
    world.say("ann", MONDAY, &["I bought a boat."]).await;
    assert_eq!(world.digests("ann", Level::EventsOfDay).await[0].covers_count, 2);
}

#[tokio::test]
async fn an_archive_has_digests_and_portrait_and_asks_no_model_again_where_it_is_imported() {
    let (model, silent) = (ScriptedLanguageModel::new(repeat), ScriptedLanguageModel::new(repeat));
    let world = World::with(by_model(model)).await;
    world.say("ann", MONDAY, &["I adopted a dog."]).await;
    world.say("ann", TUESDAY, &["I bought a boat."]).await;
    world.say("ann", TODAY, &["I had tea."]).await;
    let archived = archive(&world.engine, &world.scope("ann")).await;
    let copy = World::with(by_model(silent.clone())).await;
    // The ids of a test are made of its clock, and are to be other ones than those of the archive.
    copy.engine.clock.advance_micros(3_600_000_000);
    // Twice, as an import does: references to what comes later in the archive are added by the second time.
    for one in archived.iter().chain(&archived) {
        let memories = vec![to_restore(one)];
        let request = RestoreMemories { scope: copy.scope("ann"), memories, again: false, checked_at: None };
        copy.engine.engine.restore_memories(&CALLER, request).await.expect("restored");
    }
    copy.say("ann", TODAY, &["Hello."]).await;
    assert_eq!(silent.requests().len(), 0, "nothing changed");
    for level in Level::ALL {
        let (there, here) = (world.digests("ann", level).await, copy.digests("ann", level).await);
        let shown = |digests: &[memory_core::think::digest::read::ShownDigest]| {
            let one = |digest: &memory_core::think::digest::read::ShownDigest| {
                (digest.memory.id, digest.memory.text.clone(), digest.covers.clone(), digest.turns.clone())
            };
            digests.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(shown(&there), shown(&here), "{level:?}");
        assert!(!there.is_empty());
    }
    copy.engine.clock.advance_micros(TWO_DAYS_US);
    copy.say("ann", "2024-03-03T09:00:00Z", &["Good morning."]).await;
    let digests = copy.digests("ann", Level::EventsOfDay).await;
    assert_eq!(digests[0].covers_count, 2, "the restored turn of the present day was due with its day");
}

#[tokio::test]
async fn statements_lead_to_the_turns_behind_them_by_facts_or_by_insights() {
    let by_insight = World::with(extractive()).await;
    let said = by_insight.say("ann", MONDAY, &["I live in Lisbon."]).await;
    let [statement] = by_insight.portrait("ann").await.statements.try_into().expect("one statement");
    assert_eq!((&statement.turns, statement.is_extractive), (&said, true));
    assert_eq!(statement.memory.happened.at, Timestamp::parse("2024-02-05").expect("a time"));

    let world = World::with(ThinkingSettings { use_rules: true, ..extractive() }).await;
    let said = world.say("ann", MONDAY, &["I live in Lisbon."]).await;
    world.say("ann", MONDAY, &["I like tea."]).await;
    let statements = world.portrait("ann").await.statements;
    let owner = world.scope("ann").owner().expect("an owner");
    let partition = world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read").expect("one");
    let lives = statements.iter().find(|one| one.memory.text.contains("Lisbon")).expect("a statement");
    let evidence = world.engine.store.memories(partition, &lives.evidence).await.expect("read");
    assert!(evidence.iter().all(|one| one.kind == Kind::Fact) && evidence.len() == 1);
    assert!(lives.is_extractive && lives.turns == said);
}
