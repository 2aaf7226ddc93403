//! Cold memories through the engine: out of the resident index after a sweep, found when asked for, restored and erased at
//! once, with and without segments.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use memory_core::domain::forgotten::{Effect, Reason};
use memory_core::domain::id::MemoryId;
use memory_core::domain::job::JobState;
use memory_core::forgetting::request::RestoreForgotten;
use memory_core::index::Index as _;
use memory_core::recall::request::Recall;
use memory_core::recall::response::Verdict;
use memory_core::retention::{Policy, Rule};
use memory_core::store::ForgottenFilter;
use memory_core::testing::{CALLER, TestEngine, fact, memories, question, user};

const DAY_US: i64 = 86_400_000_000;

fn asked(include_forgotten: bool) -> Recall {
    Recall { include_forgotten, limit: 50, ..question(&user("ann").unwrap(), "Ann counts") }
}

async fn found(test: &TestEngine, include_forgotten: bool) -> BTreeSet<MemoryId> {
    let recalled = test.engine.recall(&CALLER, asked(include_forgotten)).await.unwrap();
    recalled.memories.iter().map(|one| one.memory.id).collect()
}

/// An engine with thirty facts, of which ten are cold.
async fn swept(directory: &std::path::Path) -> (TestEngine, BTreeSet<MemoryId>) {
    let (test, ann) = (TestEngine::open(directory).await.unwrap(), user("ann").unwrap());
    let facts = (0..30).map(|number| fact(&format!("Ann counts to {number}"))).collect();
    test.engine.remember_memories(&CALLER, memories(&ann, facts)).await.unwrap();
    assert_eq!(found(&test, false).await.len(), 30);
    let quota = Policy {
        effect: Some(Effect::Cold),
        quota_memories: Some(20),
        rule: Rule::QuotaAlone,
        ..Policy::default()
    };
    test.engine.set_forgetting_policy(&CALLER, &ann, Some(quota)).await.unwrap();
    let job = test.engine.request_sweep(&CALLER, &ann, None, true).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    let cold = test.engine.forgotten(&CALLER, &ann, ForgottenFilter::default(), None, 100).await.unwrap();
    test.clock.advance_micros(DAY_US);
    (test, cold.into_iter().map(|one| one.memory).collect())
}

#[tokio::test]
async fn a_sweep_makes_memories_cold_and_a_recall_that_includes_them_finds_them() {
    let directory = tempfile::tempdir().unwrap();
    let (test, cold) = swept(directory.path()).await;
    assert_eq!(cold.len(), 10);
    for _ in 0..2 {
        let left = found(&test, false).await;
        assert_eq!((left.len(), left.is_disjoint(&cold)), (20, true));
        assert_eq!(test.index.in_memory().1, 1, "the resident tier alone");
        let why = test.engine.why_not(&CALLER, *cold.first().unwrap(), asked(false)).await.unwrap();
        assert_eq!(why.verdict, Verdict::Forgotten);
        let state = why.forgotten.map(|state| (state.reason, state.effect));
        assert_eq!(state, Some((Reason::Evicted, Effect::Cold)));
        let all = test.engine.recall(&CALLER, asked(true)).await.unwrap();
        assert_eq!(all.memories.len(), 30);
        assert!(all.memories.iter().all(|one| one.forgotten.is_some() == cold.contains(&one.memory.id)));
        assert_eq!(test.index.in_memory().1, 2, "the whole tier besides");
        test.index.clear_cache().await;
    }
}

#[tokio::test]
async fn a_restored_memory_is_found_again_and_an_erased_one_is_gone_from_both_tiers_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (test, cold) = swept(directory.path()).await;
    assert_eq!(found(&test, true).await.len(), 30);
    let mut cold = cold.into_iter();
    let (restored, erased) = (cold.next().unwrap(), cold.next().unwrap());
    let request = RestoreForgotten {
        scope: user("ann").unwrap(),
        memories: Some(vec![restored]),
        now: None,
        reinforce: true,
    };
    test.engine.restore_forgotten(&CALLER, request).await.unwrap();
    let resident = found(&test, false).await;
    assert_eq!((resident.len(), resident.contains(&restored)), (21, true));
    test.engine.erase(&CALLER, erased, None).await.unwrap();
    let all = found(&test, true).await;
    assert_eq!((all.len(), all.contains(&erased)), (29, false));
    test.index.clear_cache().await;
    assert_eq!((found(&test, false).await, found(&test, true).await), (resident, all));
}
