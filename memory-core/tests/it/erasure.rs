//! Erasure through the engine: what a preview announces is what the erasure takes, derived memories included, and a
//! repetition gets the first answer.
#![expect(clippy::unwrap_used, reason = "tests")]

use memory_core::Error;
use memory_core::domain::change::{Idempotency, Operation};
use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::domain::id::MemoryId;
use memory_core::limits::Limits;
use memory_core::memories::request::{Confirmed, ListMemories};
use memory_core::testing::fixtures::keyed_request;
use memory_core::testing::{CALLER, TestEngine, fact, memories, user};

/// Selects the memory `root` of [`derived`].
fn tagged(tag: &str) -> Filter {
    Filter::Field(Field::Tags, Test::Contains(tag.to_owned()))
}

async fn remember(engine: &TestEngine, text: &str, tag: &str, sources: &[MemoryId]) -> MemoryId {
    let mut one = fact(text);
    one.tags.push(memory_core::testing::fixtures::name(tag));
    one.sources = sources.iter().map(|id| id.0).collect();
    let request = memories(&user("ann").unwrap(), vec![one]);
    engine.engine.remember_memories(&CALLER, request).await.unwrap().memories[0]
}

/// A root with three derived memories, one of them at second hand, and a memory beside them.
async fn derived(engine: &TestEngine) -> (MemoryId, Vec<MemoryId>) {
    let root = remember(engine, "root", "root", &[]).await;
    let first = remember(engine, "first", "made", &[root]).await;
    let second = remember(engine, "second", "made", &[root]).await;
    let third = remember(engine, "third", "made", &[first]).await;
    remember(engine, "beside", "beside", &[]).await;
    (root, vec![first, second, third])
}

async fn count(engine: &TestEngine) -> u64 {
    let list = ListMemories {
        scope: user("ann").unwrap(),
        filter: Filter::everything(),
        newest_first: false,
        limit: 10,
        after: None,
    };
    engine.engine.list(&CALLER, list).await.unwrap().total
}

fn keyed(key: &str) -> Option<Idempotency> {
    Some(keyed_request(Operation::DeleteMatching, key, 1))
}

#[tokio::test]
async fn a_preview_counts_and_shows_what_is_derived() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let (root, made) = derived(&test).await;
    let preview = test.engine.preview_erasure(&CALLER, &scope, tagged("root")).await.unwrap();
    assert_eq!((preview.matched, preview.with_derived), (1, 4));
    let shown: Vec<MemoryId> = preview.sample.iter().map(|memory| memory.id).collect();
    assert_eq!(shown, [made[2], made[1], made[0], root]);
    for _ in 0..2 {
        let confirmed = Confirmed { confirmation: &preview.confirmation, idempotency: keyed("k") };
        let answer = test.engine.erase_matching(&CALLER, &scope, tagged("root"), confirmed).await.unwrap();
        assert_eq!(answer, (1, vec![root, made[0], made[1], made[2]]), "a repetition gets the first answer");
    }
    assert_eq!(count(&test).await, 1);
}

#[tokio::test]
async fn an_erasure_is_stale_if_more_is_derived_since_its_preview() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let (_, made) = derived(&test).await;
    let preview = test.engine.preview_erasure(&CALLER, &scope, tagged("root")).await.unwrap();
    remember(&test, "fourth", "made", &[made[2]]).await;
    let confirmed = Confirmed { confirmation: &preview.confirmation, idempotency: None };
    let stale = test.engine.erase_matching(&CALLER, &scope, tagged("root"), confirmed).await;
    assert!(matches!(stale, Err(Error::ConfirmationStale)));
    assert_eq!(count(&test).await, 6, "nothing is erased");
}

#[tokio::test]
async fn the_bound_of_one_call_counts_what_is_derived() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { erasures_per_call: 3, ..Limits::default() };
    let test = TestEngine::limited(directory.path(), limits).await.unwrap();
    let scope = user("ann").unwrap();
    let (root, made) = derived(&test).await;
    let refused = test.engine.preview_erasure(&CALLER, &scope, tagged("root")).await;
    assert!(matches!(refused, Err(Error::OverLimit { limit: 3, .. })));
    let refused = test.engine.erase(&CALLER, root, None).await;
    assert!(matches!(refused, Err(Error::OverLimit { limit: 3, .. })));
    assert_eq!(count(&test).await, 5, "nothing is erased");
    assert_eq!(test.engine.erase(&CALLER, made[0], None).await.unwrap(), [made[0], made[2]]);
    assert_eq!(test.engine.erase(&CALLER, root, None).await.unwrap(), [root, made[1]]);
}

#[tokio::test]
async fn a_repeated_erasure_of_nothing_answers_nothing_again() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let preview = test.engine.preview_erasure(&CALLER, &scope, tagged("root")).await.unwrap();
    assert_eq!((preview.matched, preview.with_derived), (0, 0));
    for _ in 0..2 {
        let confirmed = Confirmed { confirmation: &preview.confirmation, idempotency: keyed("k") };
        let answer = test.engine.erase_matching(&CALLER, &scope, tagged("root"), confirmed).await.unwrap();
        assert_eq!(answer, (0, Vec::new()));
        derived(&test).await;
    }
}
