//! Erasure through the engine: what a preview announces is what the erasure takes, derived memories included, and a
//! repetition gets the first answer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use memory_core::Error;
use memory_core::domain::change::{Idempotency, Operation};
use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::domain::id::{JobId, MemoryId};
use memory_core::domain::job::{Job, JobState};
use memory_core::domain::scope::{Caller, Rights, Scope};
use memory_core::domain::turn::Role;
use memory_core::limits::Limits;
use memory_core::memories::request::{Confirmed, ListMemories};
use memory_core::store::{Erasures, IndexSource, Maintenance, Purge, PurgeWait};
use memory_core::testing::fixtures::keyed_request;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};
use memory_core::think::settings::Profile;

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

/// Bytes of every file of a store: data, indexes and free pages. The log is folded in before.
async fn bytes_of(test: &TestEngine, directory: &std::path::Path) -> Vec<u8> {
    assert_eq!(test.store.purge(PurgeWait::Long).await.unwrap().state, Purge::Done);
    test.store.copy_to(&directory.join("copy.db")).await.unwrap();
    let mut bytes = std::fs::read(directory.join("copy.db")).unwrap();
    bytes.extend(std::fs::read(directory.join("engrain.db")).unwrap());
    std::fs::remove_file(directory.join("copy.db")).unwrap();
    bytes
}

fn holds(bytes: &[u8], name: &str) -> bool {
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

/// Turns, facts and a shared memory of an owner with a name that is nowhere else.
async fn fill(test: &TestEngine, scope: &memory_core::domain::scope::Scope, who: &str) {
    let said = ["one", "two"].map(|text| turn(Role::User, &format!("{text} of {who}"), START));
    let mut request = turns(scope, &format!("session of {who}"), said.to_vec()).unwrap();
    request.idempotency = Some(keyed_request(Operation::AddTurns, who, 7));
    test.engine.remember_turns(&CALLER, request).await.unwrap();
    let mut request = memories(scope, vec![fact(&format!("fact of {who}"))]);
    request.idempotency = Some(keyed_request(Operation::AddMemories, who, 8));
    test.engine.remember_memories(&CALLER, request).await.unwrap();
}

async fn job_is_over(test: &TestEngine, id: JobId) -> Job {
    for _ in 0..500 {
        let job = test.engine.job(&CALLER, id).await.unwrap();
        if job.state.is_over() {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the job does not end");
}

#[tokio::test]
async fn no_byte_of_an_erased_owner_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let who = "wilhelmina-of-the-hills";
    let scope = user(who).unwrap();
    fill(&test, &scope, who).await;
    fill(&test, &user("ann").unwrap(), "ann").await;
    test.engine.set_thinking_profile(&CALLER, &scope, Some(Profile::Off)).await.unwrap();
    assert!(holds(&bytes_of(&test, directory.path()).await, who));
    let preview = test.engine.preview_owner_erasure(&CALLER, &scope).await.unwrap();
    assert_eq!(preview.memories, 3);
    let key = keyed_request(Operation::DeleteOwner, "erasure", 9);
    let erased =
        test.engine.erase_owner(&CALLER, &scope, &preview.confirmation, Some(key.clone())).await.unwrap();
    let job = job_is_over(&test, erased.job.unwrap()).await;
    assert_eq!((job.state, job.done, job.total), (JobState::Done, 3, 3));
    assert!(!holds(&bytes_of(&test, directory.path()).await, who), "a trace is left");
    let again = test.engine.erase_owner(&CALLER, &scope, &preview.confirmation, Some(key)).await.unwrap();
    assert_eq!(again, erased, "a repetition gets the first answer");
    assert_eq!(count(&test).await, 3, "others keep theirs");
    assert_eq!(test.store.check(false).await.unwrap(), []);
}

#[tokio::test]
async fn no_byte_of_an_owner_is_left_after_its_last_memory() {
    for by_filter in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let who = "wilhelmina-of-the-hills";
        let scope = user(who).unwrap();
        fill(&test, &scope, who).await;
        if by_filter {
            let all = Filter::everything();
            let preview = test.engine.preview_erasure(&CALLER, &scope, all.clone()).await.unwrap();
            let confirmed = Confirmed { confirmation: &preview.confirmation, idempotency: keyed("k") };
            test.engine.erase_matching(&CALLER, &scope, all, confirmed).await.unwrap();
        } else {
            let list = ListMemories {
                scope,
                filter: Filter::everything(),
                newest_first: true,
                limit: 10,
                after: None,
            };
            for memory in test.engine.list(&CALLER, list).await.unwrap().memories {
                test.engine.erase(&CALLER, memory.id, None).await.unwrap();
            }
        }
        assert_eq!(test.engine.owners(&CALLER, None, 10).await.unwrap(), []);
        assert!(!holds(&bytes_of(&test, directory.path()).await, who), "by filter: {by_filter}");
        assert_eq!(test.store.check(false).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_erased_owner_is_not_recalled_and_may_begin_anew() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    fill(&test, &scope, "ann").await;
    assert_eq!(test.engine.recall(&CALLER, question(&scope, "fact")).await.unwrap().memories.len(), 3);
    let preview = test.engine.preview_owner_erasure(&CALLER, &scope).await.unwrap();
    let erased = test.engine.erase_owner(&CALLER, &scope, &preview.confirmation, None).await.unwrap();
    let answer = test.engine.recall(&CALLER, question(&scope, "fact")).await.unwrap();
    assert_eq!(answer.memories, [], "nothing is found from the answer on");
    let mut request = memories(&scope, vec![fact("fact of a new beginning")]);
    request.idempotency = None;
    test.engine.remember_memories(&CALLER, request).await.unwrap();
    job_is_over(&test, erased.job.unwrap()).await;
    let answer = test.engine.recall(&CALLER, question(&scope, "fact")).await.unwrap();
    assert_eq!(answer.memories.len(), 1, "the new beginning stays");
}

#[tokio::test]
async fn an_owner_is_erased_as_previewed_and_named_alone() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    fill(&test, &scope, "ann").await;
    let preview = test.engine.preview_owner_erasure(&CALLER, &scope).await.unwrap();
    remember(&test, "since", "since", &[]).await;
    let stale = test.engine.erase_owner(&CALLER, &scope, &preview.confirmation, None).await;
    assert!(matches!(stale, Err(Error::ConfirmationStale)));
    assert_eq!(count(&test).await, 4, "nothing is erased");
    let two = Scope { agent: Some(memory_core::testing::fixtures::name("bot")), ..scope.clone() };
    for odd in [two, Scope::default()] {
        let refused = test.engine.preview_owner_erasure(&CALLER, &odd).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
    let reader = Caller { rights: Rights { delete: false, ..Rights::ALL }, ..CALLER };
    let refused = test.engine.erase_owner(&reader, &scope, &preview.confirmation, None).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_goes_on_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let who = "wilhelmina-of-the-hills";
    let scope = user(who).unwrap();
    let partition = {
        let test = TestEngine::open(directory.path()).await.unwrap();
        test.engine.stop().await;
        let many = (0..700).map(|number| fact(&format!("{number} of {who}"))).collect();
        test.engine.remember_memories(&CALLER, memories(&scope, many)).await.unwrap();
        let partition = test.engine.owners(&CALLER, None, 1).await.unwrap()[0].partition;
        let preview = test.engine.preview_owner_erasure(&CALLER, &scope).await.unwrap();
        let erased = test.engine.erase_owner(&CALLER, &scope, &preview.confirmation, None).await.unwrap();
        // Half of the work is done when the process ends, and the job is lost as well: a start does without it.
        test.store.erase_detached(partition, START).await.unwrap();
        test.engine.cancel_job(&CALLER, erased.job.unwrap()).await.unwrap();
        assert_eq!(test.store.detached_partitions(10).await.unwrap(), [(CALLER.tenant, partition)]);
        partition
    };
    // The tasks of the first engine end with it, and give the store back.
    let mut reopened = TestEngine::open(directory.path()).await;
    for _ in 0..500 {
        if reopened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        reopened = TestEngine::open(directory.path()).await;
    }
    let test = reopened.unwrap();
    for _ in 0..500 {
        if test.store.detached_partitions(10).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(test.store.detached_partitions(10).await.unwrap(), []);
    assert_eq!(test.store.changes(partition, 0, 1).await.unwrap(), []);
    assert!(!holds(&bytes_of(&test, directory.path()).await, who));
    assert_eq!(test.store.check(false).await.unwrap(), []);
}
