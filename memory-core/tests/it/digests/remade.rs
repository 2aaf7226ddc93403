//! Erasures and digests: what was made with an erased turn in view goes with it, and is made again of what is left.

use memory_core::domain::digest::Level;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::store::{Archive as _, Memories};
use memory_core::testing::CALLER;
use memory_core::think::settings::{Budget, ThinkingSettings};

use super::world::{World, by_model, extractive, repeat};
use super::{MONDAY, TUESDAY};

#[tokio::test]
async fn an_erased_turn_leaves_no_trace_in_any_digest_and_the_rest_is_summarised_again() {
    let model = ScriptedLanguageModel::new(repeat);
    let world = World::with(by_model(model)).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog.", "I have a secret illness."]).await;
    world.say("ann", TUESDAY, &["I bought a boat."]).await;
    world.say("ann", MONDAY, &["I like tea."]).await;
    let before = world.digests("ann", Level::EventsOfDay).await;
    let statements = world.portrait("ann").await.statements;
    assert!(statements.iter().any(|one| one.memory.text.contains("illness")));
    let erased = world.erase(said[1]).await;
    assert!(erased.contains(&before[1].memory.id) && !erased.contains(&before[0].memory.id));
    let owner = world.scope("ann").owner().expect("an owner");
    let partition = world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read").expect("one");
    for level in Level::ALL {
        let digests = world.digests("ann", level).await;
        assert!(!digests.is_empty(), "{level:?} is made again");
        for digest in digests {
            assert!(!digest.memory.text.contains("illness"), "{}", digest.memory.text);
            let earlier =
                world.engine.store.earlier_versions(partition, digest.memory.id).await.expect("read");
            assert!(earlier.iter().all(|version| !version.text.contains("illness")));
        }
    }
    let monday = &world.digests("ann", Level::EventsOfDay).await[1];
    assert!(monday.memory.text.contains("dog") && monday.memory.text.contains("tea"));
}

#[tokio::test]
async fn a_day_whose_turns_are_all_erased_has_no_digest() {
    let world = World::with(extractive()).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog."]).await;
    world.say("ann", TUESDAY, &["I bought a boat."]).await;
    world.erase(said[0]).await;
    assert_eq!(world.days("ann").await, ["2024-02-06"]);
    let [all] = world.digests("ann", Level::EventsOfAll).await.try_into().expect("one digest");
    assert!(!all.memory.text.contains("dog"));
}

#[tokio::test]
async fn an_erased_digest_is_made_again_and_an_erased_last_turn_leaves_nothing() {
    let world = World::with(extractive()).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog."]).await;
    let day = world.digests("ann", Level::EventsOfDay).await.remove(0);
    world.erase(day.memory.id).await;
    assert_eq!(world.days("ann").await, ["2024-02-05"]);
    world.erase(said[0]).await;
    assert!(world.days("ann").await.is_empty());
    let owner = world.scope("ann").owner().expect("an owner");
    assert_eq!(world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read"), None);
}

#[tokio::test]
async fn with_an_exhausted_budget_an_erased_day_is_made_again_without_a_model() {
    let model = ScriptedLanguageModel::new(|request: &ModelRequest| repeat(request));
    let budget = Budget { calls_per_day: Some(4), ..Budget::default() };
    let world = World::with(ThinkingSettings { budget, ..by_model(model) }).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog.", "I have a secret illness."]).await;
    assert!(!world.digests("ann", Level::EventsOfDay).await[0].is_extractive);
    world.erase(said[1]).await;
    let [day] = world.digests("ann", Level::EventsOfDay).await.try_into().expect("one digest");
    assert!(day.is_extractive && !day.memory.text.contains("illness"));
}

#[tokio::test]
async fn a_turn_that_waits_for_the_end_of_its_day_alone_does_not_wait_in_an_archive() {
    let settings = ThinkingSettings { use_rules: true, ..extractive() };
    let world = World::with(settings).await;
    let said = world.say("ann", "2024-03-01T09:00:00Z", &["I adopted a dog."]).await;
    let owner = world.scope("ann").owner().expect("an owner");
    let partition = world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read").expect("one");
    assert!(world.engine.store.parts(partition, &said).await.expect("parts").pending.is_empty());
}
