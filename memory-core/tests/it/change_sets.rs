//! Change sets of mechanisms through the commit queue, whose index must agree with the store: touches, links between
//! new memories, and derivations of versions.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use memory_core::domain::change::{ChangeSet, Outcome};
use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::domain::id::{JobId, MemoryId, TenantId};
use memory_core::domain::job::{Job, JobState};
use memory_core::domain::link::Link;
use memory_core::index::Index;
use memory_core::memories::request::Edit;
use memory_core::recall::request::Recall;
use memory_core::recall::response::Recalled;
use memory_core::store::Memories;
use memory_core::testing::fixtures::{link, owner, revised, touch};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, user};

async fn remembered(test_engine: &TestEngine, texts: &[&str]) -> Vec<MemoryId> {
    let facts = texts.iter().map(|text| fact(text)).collect();
    let request = memories(&user("ann").unwrap(), facts);
    test_engine.engine.remember_memories(&CALLER, request).await.unwrap().memories
}

fn set() -> ChangeSet {
    ChangeSet::new(TenantId::DEFAULT, owner("ann"), START)
}

fn retention(answer: &Recalled, id: MemoryId) -> f64 {
    let hit = answer.memories.iter().find(|hit| hit.memory.id == id).unwrap();
    hit.explain.retention.unwrap().retention
}

#[tokio::test]
async fn a_recall_after_a_touch_uses_the_refreshed_strength() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let ids = remembered(&test_engine, &["green tea", "black tea", "cold tea"]).await;
    let asking = || {
        let mut request: Recall = question(&user("ann").unwrap(), "tea");
        request.weights.retention = Some(1.0);
        request.now = Some(START.plus_days(4));
        test_engine.engine.recall(&CALLER, request)
    };
    let before = asking().await.unwrap();
    assert!((retention(&before, ids[0]) - (-4.0f64).exp()).abs() < 1e-4);
    test_engine.engine.erase(&CALLER, ids[2], None).await.unwrap();

    let touches = vec![touch(ids[0], 3), touch(ids[2], 3)];
    let outcome = test_engine.commit(ChangeSet { touches, ..set() }).await.unwrap();
    let Outcome::Committed(committed) = outcome else { panic!("a set without a key") };
    assert_eq!(committed.touched, [ids[0]], "what was erased meanwhile is skipped");
    let after = asking().await.unwrap();
    assert!((retention(&after, ids[0]) - (-0.5f64).exp()).abs() < 1e-4, "one use makes the strength 2 days");
    assert_eq!(retention(&after, ids[1]), retention(&before, ids[1]));
    assert_eq!(after.memories[0].memory.id, ids[0]);
    assert_eq!(test_engine.engine.history(&CALLER, ids[0]).await.unwrap().len(), 1);

    assert_eq!(test_engine.index.differences(committed.partition).await.unwrap(), 0);
    test_engine.index.clear_cache().await;
    assert_eq!(asking().await.unwrap().memories, after.memories, "a reload agrees with the update");
}

#[tokio::test]
async fn an_edit_that_read_before_a_touch_keeps_the_refreshed_strength() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let ids = remembered(&test_engine, &["green tea"]).await;
    let read = test_engine.engine.memory(&CALLER, ids[0]).await.unwrap();
    test_engine.commit(ChangeSet { touches: vec![touch(ids[0], 3)], ..set() }).await.unwrap();
    let revisions = vec![revised(&read.memory, None)];
    test_engine.commit(ChangeSet { revisions, ..set() }).await.unwrap();
    let kept = test_engine.engine.memory(&CALLER, ids[0]).await.unwrap().memory;
    assert_eq!((kept.version, kept.strength.uses.count()), (2, 1));
    assert_eq!(test_engine.index.differences(read.partition).await.unwrap(), 0);
}

#[tokio::test]
async fn an_edit_of_the_text_has_no_derivation_and_other_edits_keep_it() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let source = remembered(&test_engine, &["green tea"]).await[0];
    let mut derived = fact("likes tea");
    derived.sources = vec![source.0];
    let request = memories(&user("ann").unwrap(), vec![derived]);
    let id = test_engine.engine.remember_memories(&CALLER, request).await.unwrap().memories[0];
    let made = test_engine.engine.derivation(&CALLER, id).await.unwrap();
    assert!(made.is_some());
    let edit = Edit { importance: Some(0.25), ..Edit::default() };
    test_engine.engine.edit(&CALLER, id, edit, None).await.unwrap();
    assert_eq!(
        test_engine.engine.derivation(&CALLER, id).await.unwrap(),
        made,
        "the text is still the maker's"
    );
    let edit = Edit { text: Some("likes coffee".to_owned()), ..Edit::default() };
    assert_eq!(test_engine.engine.edit(&CALLER, id, edit, None).await.unwrap().memory.derivation, None);
    assert_eq!(test_engine.engine.derivation(&CALLER, id).await.unwrap(), None);
    let history = test_engine.engine.history(&CALLER, id).await.unwrap();
    let own = made.map(|made| made.id);
    assert_eq!(history.iter().map(|it| it.derivation).collect::<Vec<_>>(), [own, own, None]);
    let gone = test_engine.engine.erase(&CALLER, source, None).await.unwrap();
    assert_eq!(gone, [source, id], "the earlier versions had it in view");
}

#[tokio::test]
async fn links_between_new_memories_agree_in_store_and_index() {
    use memory_core::testing::fixtures::Fixtures;
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let fixtures = Fixtures::default();
    let without_rows = |mut new: memory_core::domain::change::NewMemory| {
        new.rows.iter_mut().for_each(|row| row.vector = None);
        new
    };
    let stored = without_rows(fixtures.document("n", "k", "tea"));
    let kept = stored.memory.id;
    test_engine.commit(ChangeSet { memories: vec![stored], ..set() }).await.unwrap();
    let replacing = without_rows(fixtures.document("n", "k", "green tea"));
    let mut note = without_rows(fixtures.fact("a note on tea"));
    note.memory.links = vec![link(replacing.memory.id, "about", 0.5)];
    let id = note.memory.id;
    let outcome = test_engine.commit(ChangeSet { memories: vec![note, replacing], ..set() }).await.unwrap();
    let Outcome::Committed(committed) = outcome else { panic!("a set without a key") };
    let stored = test_engine.store.memories(committed.partition, &[id]).await.unwrap();
    assert_eq!(stored[0].links, [link(kept, "about", 0.5)]);
    assert_eq!(test_engine.index.differences(committed.partition).await.unwrap(), 0);
}

#[tokio::test]
async fn what_an_erasure_makes_valid_again_is_so_in_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let ids = remembered(&test_engine, &["lives in Rome", "lives in Paris"]).await;
    let read = test_engine.engine.memory(&CALLER, ids[0]).await.unwrap();
    let mut ended = revised(&read.memory, None);
    ended.memory.valid.end = Some(START);
    ended.memory.links = vec![link(ids[1], Link::SUPERSEDED_BY, 1.0)];
    test_engine.commit(ChangeSet { revisions: vec![ended], ..set() }).await.unwrap();
    let without_end = async || {
        let mut request: Recall = question(&user("ann").unwrap(), "lives");
        request.filter = Filter::Field(Field::ValidTo, Test::IsNull(true));
        let mut found: Vec<MemoryId> = test_engine
            .engine
            .recall(&CALLER, request)
            .await
            .unwrap()
            .memories
            .iter()
            .map(|hit| hit.memory.id)
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(without_end().await, [ids[1]]);
    test_engine.engine.erase(&CALLER, ids[1], None).await.unwrap();
    assert_eq!(without_end().await, [ids[0]]);
    assert_eq!(test_engine.index.differences(read.partition).await.unwrap(), 0);
}

#[tokio::test]
async fn a_job_starts_right_after_the_commit_of_its_set() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let engine = &test_engine.engine;
    let model = engine.start_reindex(&CALLER, "hashing").await.unwrap();
    let done = async |id| {
        while engine.job(&CALLER, id).await.unwrap().state != JobState::Done {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    done(model.id).await;
    let begun = Instant::now();
    for number in 1..=20 {
        let id = JobId(uuid::Uuid::from_u128(number));
        let job = Job {
            payload: model.payload.clone(),
            ..Job::new(id, TenantId::DEFAULT, &model.kind, String::new(), START)
        };
        test_engine.commit(ChangeSet { jobs: vec![job], ..set() }).await.unwrap();
        done(id).await;
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}: a poll each would take 20 s");
}
