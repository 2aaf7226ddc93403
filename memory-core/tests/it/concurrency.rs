//! Concurrent callers on few owners: in any interleaving, store and index agree afterwards, and acknowledged writes
//! exist. Longer in `make test-long`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use memory_core::domain::filter::Filter;
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::job::{Job, JobState};
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::engine::Engine;
use memory_core::error::Error;
use memory_core::index::Index;
use memory_core::memories::request::{Edit, ListMemories};
use memory_core::model::hashing::HashingEmbedder;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Jobs, Memories};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};

const OWNERS: [&str; 3] = ["ann", "bob", "cem"];

fn steps(few: usize) -> usize {
    if is_long_form() { few * 20 } else { few }
}

/// Memory that one task alone edits and erases, in its last acknowledged state.
#[derive(Debug, Default)]
struct Acknowledged {
    present: BTreeMap<MemoryId, (Scope, String, u32)>,
    erased: BTreeSet<MemoryId>,
}

async fn work(engine: Arc<Engine>, task: usize, steps: usize) -> Acknowledged {
    let mut rng = Rng::new(first_seed().wrapping_add(task as u64));
    let mut known = Acknowledged::default();
    for step in 0..steps {
        let scope = user(rng.pick::<&str>(&OWNERS)).unwrap();
        let text = format!("task {task} step {step} word{}", rng.below(1_000));
        let mine: Vec<MemoryId> = known.present.keys().copied().collect();
        match rng.below(8) {
            0 | 1 => {
                let request = memories(&scope, vec![fact(&text)]);
                let made = engine.remember_memories(&CALLER, request).await.unwrap();
                known.present.insert(made.memories[0], (scope, text, 1));
            }
            2 | 3 => {
                let request =
                    turns(&scope, &format!("s{}", rng.below(2)), vec![turn(Role::User, &text, START)]);
                let made = engine.remember_turns(&CALLER, request.unwrap()).await.unwrap();
                known.present.insert(made.memories[0], (scope, text, 1));
            }
            4 if !mine.is_empty() => {
                let id = *rng.pick(&mine);
                let is_retold = rng.chance(50);
                let edit =
                    Edit { text: is_retold.then(|| text.clone()), importance: Some(0.9), ..Edit::default() };
                let edited = engine.edit(&CALLER, id, edit, None).await.unwrap().memory;
                let kept = known.present.get_mut(&id).unwrap();
                kept.2 += 1;
                if is_retold {
                    kept.1 = text;
                }
                assert_eq!((edited.version, &edited.text), (kept.2, &kept.1));
            }
            5 if !mine.is_empty() => {
                let id = *rng.pick(&mine);
                assert_eq!(engine.erase(&CALLER, id, None).await.unwrap(), [id]);
                known.present.remove(&id);
                known.erased.insert(id);
            }
            _ => {
                let Some(id) = mine.last() else { continue };
                let (scope, text, _) = &known.present[id];
                let answer = engine.recall(&CALLER, question(scope, text)).await.unwrap();
                let found = answer.memories.iter().any(|one| one.memory.id == *id);
                assert!(found, "what was acknowledged is not found: {text}");
                assert!(answer.memories.iter().all(|one| !known.erased.contains(&one.memory.id)));
            }
        }
    }
    known
}

async fn all_agree(test_engine: &TestEngine) {
    for owner in test_engine.store.owners(TenantId::DEFAULT, None, 100).await.unwrap() {
        assert_eq!(test_engine.index.differences(owner.partition).await.unwrap(), 0, "{}", owner.owner);
    }
    let report = test_engine.engine.check(&CALLER, false).await.unwrap();
    assert_eq!(report.damage, []);
}

async fn many_at_once(budget_bytes: usize) {
    let directory = tempfile::tempdir().unwrap();
    let embedder = Arc::new(HashingEmbedder::new(64));
    let test_engine = TestEngine::open_with(directory.path(), embedder, budget_bytes).await.unwrap();
    let workers = (0..16).map(|task| tokio::spawn(work(test_engine.engine.clone(), task, steps(25))));
    let workers: Vec<_> = workers.collect();
    let mut all = Acknowledged::default();
    for worker in workers {
        let known = worker.await.unwrap();
        all.present.extend(known.present);
        all.erased.extend(known.erased);
    }
    assert!(all.present.len() > 50 && all.erased.len() > 10, "too little was done to tell anything");
    for (id, (scope, text, version)) in &all.present {
        let kept = test_engine.engine.memory(&CALLER, *id).await.unwrap().memory;
        assert_eq!((&kept.text, kept.version), (text, *version));
        let history = test_engine.engine.history(&CALLER, *id).await.unwrap();
        let versions: Vec<u32> = history.iter().map(|memory| memory.version).collect();
        assert_eq!(versions, (1..=*version).collect::<Vec<_>>());
        let answer = test_engine.engine.recall(&CALLER, question(scope, text)).await.unwrap();
        assert!(answer.memories.iter().any(|one| one.memory.id == *id), "{text} is not found");
    }
    for id in &all.erased {
        assert!(matches!(test_engine.engine.memory(&CALLER, *id).await, Err(Error::NotFound { .. })));
    }
    let mut listed = 0;
    for owner in OWNERS {
        let everything = ListMemories {
            scope: user(owner).unwrap(),
            filter: Filter::everything(),
            newest_first: false,
            limit: 1,
            after: None,
        };
        listed += test_engine.engine.list(&CALLER, everything).await.unwrap().total;
    }
    assert_eq!(listed, all.present.len() as u64);
    all_agree(&test_engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_writes_exist_under_concurrency() {
    many_at_once(64 << 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_writes_exist_while_partitions_are_evicted() {
    many_at_once(1).await;
}

/// Callers that are cancelled at any moment leave store and index in agreement: a set is committed and indexed, or
/// neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancelled_caller_leaves_no_partial_commit() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![fact("first")])).await.unwrap();
    test_engine.engine.recall(&CALLER, question(&scope, "first")).await.unwrap();
    let mut cut = 0;
    for step in 0..steps(60) {
        let request = memories(&scope, vec![fact(&format!("number {step}")), fact("another")]);
        let patience = Duration::from_micros(step as u64 % 30 * 100);
        let call = test_engine.engine.remember_memories(&CALLER, request);
        cut += usize::from(tokio::time::timeout(patience, call).await.is_err());
    }
    assert!(cut > 5, "nobody went away");
    // An answered call comes after all that were queued before it.
    test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![fact("last")])).await.unwrap();
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "last")).await.unwrap();
    let owner = &test_engine.store.owners(TenantId::DEFAULT, None, 1).await.unwrap()[0];
    assert_eq!(answer.searched_memories, owner.memory_count);
    assert_eq!(owner.memory_count % 2, 0, "a set came in by half");
    all_agree(&test_engine).await;
}

/// A reader never sees a history with a gap or a repeated version during edits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_read_during_edits_has_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let request = memories(&user("ann").unwrap(), vec![fact("version 1")]);
    let id = test_engine.engine.remember_memories(&CALLER, request).await.unwrap().memories[0];
    let engine = test_engine.engine.clone();
    let editor = tokio::spawn(async move {
        for version in 2..steps(60) {
            let edit = Edit { text: Some(format!("version {version}")), ..Edit::default() };
            engine.edit(&CALLER, id, edit, None).await.unwrap();
        }
    });
    let mut reads = 0;
    while !editor.is_finished() || reads == 0 {
        let history = test_engine.engine.history(&CALLER, id).await.unwrap();
        let texts: Vec<String> = history.into_iter().map(|memory| memory.text).collect();
        let expected: Vec<String> = (1..=texts.len()).map(|version| format!("version {version}")).collect();
        assert_eq!(texts, expected);
        reads += 1;
    }
    editor.await.unwrap();
}

/// Opens what the one before has just let go of: its tasks end a little later than it does.
async fn reopened<T, E: std::fmt::Debug>(open: impl AsyncFn() -> Result<T, E>) -> T {
    let opened = async {
        loop {
            match open().await {
                Ok(opened) => break opened,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened).await.unwrap()
}

/// A process that died while it embedded everything anew left a job that is leased to nobody: the next one goes on with
/// it, though nobody asks and its lease has not run out. Asking answers the same job.
#[tokio::test]
async fn a_reindex_continues_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    let first = TestEngine::open(directory.path()).await.unwrap();
    first.engine.remember_memories(&CALLER, memories(&scope, vec![fact("tea")])).await.unwrap();
    first.engine.stop().await;
    drop(first);
    let dies = reopened(|| SqlStore::open(directory.path(), StoreOptions::default())).await;
    let id = memory_core::domain::id::JobId(uuid::Uuid::from_u128(5));
    let payload = r#"{"embedder":"hashing-96"}"#.to_owned();
    let left = Job {
        unique_key: Some("reindex".to_owned()),
        ..Job::new(id, TenantId::DEFAULT, "reindex", payload, START)
    };
    dies.enqueue(left).await.unwrap();
    assert!(
        dies.claim(&["reindex"], START, 600_000_000).await.unwrap().is_some(),
        "taken by the one that dies"
    );
    drop(dies);

    let test_engine = reopened(|| TestEngine::open(directory.path())).await;
    let job = test_engine.engine.start_reindex(&CALLER, "hashing-96").await.unwrap();
    assert_eq!(job.id, id);
    let over = async {
        while test_engine.engine.job(&CALLER, job.id).await.unwrap().state != JobState::Done {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), over).await.unwrap();
    assert_eq!(test_engine.engine.dimension(), 96);
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "tea")).await.unwrap();
    assert_eq!(answer.memories.len(), 1);
    all_agree(&test_engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_edits_of_one_memory_all_succeed() {
    for count in [20, 64] {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let scope = user("ann").unwrap();
        let made =
            test.engine.remember_memories(&CALLER, memories(&scope, vec![fact("before")])).await.unwrap();
        let id = made.memories[0];
        let edits: Vec<_> = (0..count)
            .map(|number| {
                let engine = Arc::clone(&test.engine);
                let edit = Edit { text: Some(format!("edit {number}")), ..Edit::default() };
                tokio::spawn(async move { engine.edit(&CALLER, id, edit, None).await })
            })
            .collect();
        let mut versions = BTreeSet::new();
        for edit in edits {
            versions.insert(edit.await.unwrap().unwrap().memory.version);
        }
        assert_eq!(versions, (2..=count + 1).collect::<BTreeSet<u32>>(), "each has made a version");
    }
}

#[tokio::test]
async fn one_change_of_embedder_is_made_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let engine = &test_engine.engine;
    engine.stop().await; // nobody works: what is asked for waits
    let job = engine.start_reindex(&CALLER, "hashing-96").await.unwrap();
    assert_eq!(engine.start_reindex(&CALLER, "hashing-96").await.unwrap().id, job.id);
    let refused = engine.start_reindex(&CALLER, "hashing").await.unwrap_err();
    assert_eq!(refused.code(), "reindex_in_progress");
    assert!(matches!(engine.start_reindex(&CALLER, "nothing").await, Err(Error::Invalid { .. })));
    assert_eq!(engine.cancel_job(&CALLER, job.id).await.unwrap().state, JobState::Cancelled);
    assert_ne!(engine.start_reindex(&CALLER, "hashing").await.unwrap().id, job.id);
}
