//! Conformance of digests with what MemoryBank (arXiv 2305.10250) describes and its released program does otherwise. The
//! table of all mechanisms and their tests is in docs/THINKING.md.
#![expect(clippy::expect_used, reason = "tests")]

use memory_core::domain::digest::Level;
use memory_core::domain::id::TenantId;
use memory_core::domain::scope::Caller;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::testing::{CALLER, turn, turns, user};
use memory_core::think::digest::read::DigestsRequest;
use uuid::Uuid;

use super::world::{World, extractive};
use super::{MONDAY, TUESDAY};

/// A caller of another tenant.
const OTHER: Caller = Caller { tenant: TenantId(Uuid::from_u128(7)), ..CALLER };

/// Texts of the event digests of days of a user, the latest day first.
async fn days(world: &World, caller: &Caller, who: &str) -> Vec<String> {
    let scope = user(who).expect("a scope");
    let request =
        DigestsRequest { scope, level: Some(Level::EventsOfDay), from: None, to: None, partner: None };
    let digests = world.engine.engine.digests(caller, &request).await.expect("digests");
    digests.into_iter().map(|digest| digest.memory.text).collect()
}

/// In the released program the filter on the user is commented out.
#[tokio::test]
async fn two_tenants_with_the_same_user_and_dates_have_digests_of_their_own() {
    let world = World::with(extractive()).await;
    for (caller, text) in [(&CALLER, "I adopted a dog."), (&OTHER, "I bought a boat.")] {
        let at = Timestamp::parse(MONDAY).expect("a time");
        let said = turns(&user("ann").expect("a scope"), "chat", vec![turn(Role::User, text, at)]);
        world.engine.engine.remember_turns(caller, said.expect("turns")).await.expect("remembered");
    }
    for (caller, own, foreign) in [(&CALLER, "dog", "boat"), (&OTHER, "boat", "dog")] {
        let mut found = Vec::new();
        for _ in 0..800 {
            found = days(&world, caller, "ann").await;
            if !found.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let [day] = &found[..] else { panic!("one digest: {found:?}") };
        assert!(day.contains(own) && !day.contains(foreign), "{day}");
    }
}

/// In the released program the removal of a date whose summary does not exist raises.
#[tokio::test]
async fn a_day_that_never_had_a_digest_goes_without_one() {
    let world = World::with(extractive()).await;
    let today = world.say("ann", "2024-03-01T09:00:00Z", &["I adopted a dog."]).await;
    world.say("ann", MONDAY, &["I bought a boat."]).await;
    assert_eq!(world.days("ann").await, ["2024-02-05"], "the present day has none");
    world.erase(today[0]).await;
    assert_eq!(world.days("ann").await, ["2024-02-05"]);
}

/// In the released program a summary that is returned is searched in the history, and the lookup raises.
#[tokio::test]
async fn a_digest_outlives_no_turn_of_its_day_and_takes_no_other_day_along() {
    let world = World::with(extractive()).await;
    let monday = world.say("ann_b", MONDAY, &["I adopted a dog.", "I bought a boat."]).await;
    world.say("ann_b", TUESDAY, &["I sold the car."]).await;
    let tuesday = world.digests("ann_b", Level::EventsOfDay).await.remove(0);
    for turn in monday {
        world.erase(turn).await;
        let [latest, ..] = &world.digests("ann_b", Level::EventsOfDay).await[..] else { panic!("no digest") };
        assert_eq!((latest.memory.id, latest.memory.version), (tuesday.memory.id, tuesday.memory.version));
    }
    assert_eq!(world.days("ann_b").await, ["2024-02-06"]);
}
