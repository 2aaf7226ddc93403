//! Recall of an agent over more owners than it looks at.
#![expect(clippy::unwrap_used, reason = "tests")]

use memory_core::domain::memory::Visibility;
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::limits::Limits;
use memory_core::testing::{CALLER, START, TestEngine, question, turn, turns, user};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// More users than one recall looks at: those who share nothing take no place, the latest come first, and those left out
/// are counted.
#[tokio::test]
async fn what_the_latest_user_shares_is_found_however_many_users_there_are() {
    const SHARING: u32 = 70;
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let most = Limits::default().fan_out_partitions;
    let visibilities = std::iter::repeat_n(Visibility::Owner, 70)
        .chain(std::iter::repeat_n(Visibility::Shared, SHARING as usize))
        .chain(std::iter::repeat_n(Visibility::Owner, 2));
    for (at, visibility) in visibilities.enumerate() {
        let scope =
            Scope { agent: Some(name("guide")), run: Some(name("r")), ..user(&format!("u{at}")).unwrap() };
        let mut request =
            turns(&scope, "s", vec![turn(Role::User, &format!("u{at} likes huts"), START)]).unwrap();
        request.visibility = visibility;
        test_engine.clock.advance_micros(1);
        test_engine.engine.remember_turns(&CALLER, request).await.unwrap();
    }
    for agent in [
        Scope { agent: Some(name("guide")), ..Scope::default() },
        Scope { agent: Some(name("guide")), run: Some(name("r")), ..Scope::default() },
    ] {
        let answer = test_engine.engine.recall(&CALLER, question(&agent, "u139 huts")).await.unwrap();
        assert!(answer.memories.iter().any(|one| one.memory.text == "u139 likes huts"), "the latest one");
        assert_eq!((answer.partitions, answer.partitions_left_out), (most, SHARING - most));
    }
}
