//! Tests particular to the SQL store: one owner per directory, copies that open, and detection of damage. The rules
//! that every store obeys are in `contracts.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use memory_core::domain::change::{Operation, Outcome, Refusal};
use memory_core::domain::derivation::Source;
use memory_core::domain::embedder::RowRecipe;
use memory_core::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::{Job, JobFilter};
use memory_core::domain::uses::Uses;
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use memory_core::store::{
    Commit, Damage, Embedders, IndexSource, Indexed, Jobs, Maintenance, Memories, StoreError,
};
use memory_core::testing::START;
use memory_core::testing::fixtures::{Fixtures, keyed_request, link, owner, revised};
use sqlx::Connection as _;

use crate::earlier_schemas::{
    BEFORE_ERASED_OWNERS, BEFORE_IDENTITIES, BEFORE_JOBS_HAD_TENANTS, BEFORE_KEYED_RECORDS,
    BEFORE_KEYS_HAD_OWNERS, BEFORE_ROWS_HAD_RECIPES, BEFORE_THINKING,
};

pub(crate) async fn open(directory: &Path) -> SqlStore {
    SqlStore::open(directory, StoreOptions::default()).await.unwrap()
}

/// A store with a bit of everything: turns, facts made of them, a document with two versions, an edited memory.
pub(crate) async fn filled(directory: &Path) -> (SqlStore, Vec<MemoryId>) {
    let store = open(directory).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let ann = owner("ann");
    let said = fixtures.saying(&ann, "s", &["a", "b|c"]);
    let turn = said.turns.as_ref().unwrap().turns[0].0.id;
    let edited = said.turns.as_ref().unwrap().turns[1].1.memory.id;
    store.commit(&[said]).await.unwrap();
    let derived = fixtures.made_of(fixtures.fact("derived"), &[Source::Turn(turn)]);
    let first = fixtures.made_of(fixtures.document("n", "k", "one"), &[Source::Turn(turn)]);
    let document = first.memory.id;
    let ids = vec![edited, derived.memory.id, document];
    let mut second = fixtures.document("n", "k", "two");
    second.memory.links = vec![link(edited, "about", 0.5)];
    let present = store.memory(TenantId::DEFAULT, edited).await.unwrap().unwrap().memory;
    let sets = [
        fixtures.adding(&ann, vec![derived, first]),
        fixtures.adding(&ann, vec![second]),
        fixtures.revising(&ann, revised(&present, Some("edited"))),
        fixtures.adding(&owner("bob"), vec![fixtures.ornate()]),
    ];
    assert!(store.commit(&sets).await.unwrap().iter().all(Result::is_ok));
    (store, ids)
}

async fn everything(store: &SqlStore) -> Vec<(u64, Vec<Indexed>)> {
    let mut all = Vec::new();
    for owner in store.owners(TenantId::DEFAULT, None, 100).await.unwrap() {
        let mut memories = Vec::new();
        let seq = store.load(owner.partition, &mut |one| memories.push(one)).await.unwrap();
        all.push((seq, memories));
    }
    all
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let second = SqlStore::open(directory.path(), StoreOptions::default()).await;
    assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
    store.close().await;
    drop(store);
    open(directory.path()).await;
}

#[tokio::test]
async fn what_was_committed_is_there_when_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, ids) = filled(directory.path()).await;
    let before = everything(&store).await;
    let history = store.earlier_versions(PartitionId(1), ids[2]).await.unwrap();
    assert_eq!(history.len(), 1);
    store.close().await;
    drop(store);
    let store = open(directory.path()).await;
    assert_eq!(everything(&store).await, before);
    assert_eq!(store.earlier_versions(PartitionId(1), ids[2]).await.unwrap(), history);
}

#[tokio::test]
async fn a_copy_opens_and_is_the_same() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, _) = filled(from.path()).await;
    let before = everything(&store).await;
    store.put_setting("s", "v").await.unwrap();
    let file = to.path().join(DATABASE_FILE);
    store.copy_to(&file).await.unwrap();
    assert!(store.copy_to(&file).await.is_err(), "a copy overwrites nothing");
    let more = Fixtures::for_store(&store).await.unwrap();
    let gone = before[1].1[0].memory.id;
    store.commit(&[more.erasing(&owner("bob"), vec![gone])]).await.unwrap();
    let copy = open(to.path()).await;
    assert_eq!(everything(&copy).await, before, "later commits are not in it");
    assert_eq!(copy.setting("s").await.unwrap().as_deref(), Some("v"));
    assert_eq!(copy.check(false).await.unwrap(), []);
}

#[tokio::test]
async fn a_set_that_the_database_refuses_does_not_hinder_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let first = fixtures.adding(&ann, vec![fixtures.fact("first")]);
    let same_id = fixtures.adding(&bob, first.memories.clone());
    let last = fixtures.adding(&ann, vec![fixtures.fact("last")]);
    let answers = store.commit(&[first, same_id.clone(), last]).await.unwrap();
    assert!(matches!(answers[0], Ok(Outcome::Committed(_))), "{answers:?}");
    assert_eq!(answers[1], Err(Refusal::Unstorable));
    assert!(matches!(answers[2], Ok(Outcome::Committed(_))), "{answers:?}");
    assert_eq!(store.commit(&[same_id]).await.unwrap(), [Err(Refusal::Unstorable)], "alone it is the same");
    assert_eq!(store.partition_of(TenantId::DEFAULT, &bob).await.unwrap(), None, "it changed nothing");
    assert_eq!(everything(&store).await[0].1.len(), 2);
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// Inflicts damage, and answers what a check finds of it, then what is left after a repair.
async fn damaged_by(statement: &'static str) -> (Vec<Damage>, Vec<Damage>) {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = filled(directory.path()).await;
    assert_eq!(store.check(false).await.unwrap(), [], "whole before");
    let url = format!("sqlite://{}", directory.path().join(DATABASE_FILE).display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut raw).await;
    assert!(done.is_ok());
    let hurt = sqlx::query(statement).execute(&mut raw).await.unwrap();
    assert!(hurt.rows_affected() > 0, "nothing was damaged by {statement}");
    raw.close().await.unwrap();
    let found = store.check(true).await.unwrap();
    (found, store.check(false).await.unwrap())
}

#[tokio::test]
async fn damage_is_found_and_mended_where_nothing_is_lost() {
    for (code, statement) in [
        (
            "orphan_row",
            "UPDATE index_rows SET memory_id = X'FF000000000000000000000000000001' WHERE chunk = 1",
        ),
        ("wrong_count", "UPDATE partitions SET memory_count = memory_count + 1 WHERE id = 1"),
        ("wrong_turn_count", "UPDATE sessions SET turn_count = turn_count + 1"),
        (
            "orphan_derivation",
            "INSERT INTO derivations (id, partition_id, maker, made_us) VALUES (X'01', 1, 'm', 0)",
        ),
        (
            "orphan_input",
            "INSERT INTO derivation_inputs (partition_id, source_id, derivation_id, source_kind, is_evidence)
             SELECT partition_id, turn_id, X'02', 'turn', 1 FROM memories WHERE turn_id IS NOT NULL LIMIT 1",
        ),
        (
            "orphan_version",
            "UPDATE memory_versions SET id = X'03' WHERE id = (SELECT min(id) FROM memory_versions)",
        ),
        ("orphan_link", "UPDATE link_targets SET to_id = X'06'"),
        (
            "orphan_group",
            "INSERT INTO memory_groups (partition_id, group_key, memory_id) VALUES (1, 'g', X'06')",
        ),
        (
            "orphan_in_queue",
            "INSERT INTO thinking_queue (partition_id, mechanism, seq, memory_id)
             SELECT partition_id, 'm', 1, id FROM memories WHERE turn_id IS NULL LIMIT 1",
        ),
        ("orphan_link", "UPDATE link_targets SET from_id = X'06'"),
        (
            "empty_session",
            "INSERT INTO sessions (id, partition_id, key, ordinal, turn_count, started_us, recorded_us)
             VALUES (X'04', 1, 'empty', 9, 0, 0, 0)",
        ),
    ] {
        let (found, left) = damaged_by(statement).await;
        let found: Vec<_> = found.iter().map(|damage| (damage.code, damage.repaired)).collect();
        assert!(found.contains(&(code, true)), "{code}: {found:?}");
        assert_eq!(left, [], "{code} is not mended");
    }
}

#[tokio::test]
async fn damage_that_cannot_be_mended_is_found_and_left() {
    for (code, statement) in [
        ("missing_row", "DELETE FROM index_rows WHERE partition_id = 2"),
        ("missing_turn", "DELETE FROM turns WHERE seq = 0"),
        (
            "unremembered_turn",
            "UPDATE memories SET turn_id = NULL WHERE turn_id IS NOT NULL AND text IS NULL",
        ),
        ("missing_session", "DELETE FROM sessions"),
        ("gap_in_log", "DELETE FROM changes WHERE seq = 2"),
        ("gap_in_log", "UPDATE partitions SET last_seq = last_seq + 1 WHERE id = 2"),
        ("missing_derivation", "DELETE FROM derivations"),
        ("missing_source", "UPDATE derivation_inputs SET source_id = X'05'"),
    ] {
        let (found, left) = damaged_by(statement).await;
        let found: Vec<_> = found.iter().map(|damage| (damage.code, damage.repaired)).collect();
        assert!(found.contains(&(code, false)), "{code}: {found:?}");
        assert!(left.iter().any(|damage| damage.code == code && !damage.repaired), "{code}: {left:?}");
    }
}

#[tokio::test]
async fn a_damaged_statement_or_audience_is_reported() {
    for (column, value) in
        [("statement", "'{}'"), ("statement", "'['"), ("audience", "'[1]'"), ("audience", "'\"\"'")]
    {
        for table in ["memories", "memory_versions"] {
            let directory = tempfile::tempdir().unwrap();
            let (store, ids) = filled(directory.path()).await;
            store.close().await;
            drop(store);
            alter(directory.path(), &format!("UPDATE {table} SET {column} = {value}")).await;
            let store = open(directory.path()).await;
            let read = store.earlier_versions(PartitionId(1), ids[2]).await;
            let Err(StoreError::Corrupt { table: found, column: damaged, .. }) = read else {
                panic!("{table}.{column} = {value}: {read:?}")
            };
            assert_eq!((found, damaged), (table, column));
        }
    }
}

/// Runs statements on the database of a store that is closed.
pub(crate) async fn alter(directory: &Path, statements: &str) {
    let url = format!("sqlite://{}", directory.join(DATABASE_FILE).display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

#[tokio::test]
async fn keys_and_importance_of_earlier_stores_are_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let given = [0.9, 0.01, 0.5, 0.123_456_789];
    let facts = given.map(|importance| {
        let mut fact = fixtures.fact("x");
        fact.memory.strength.importance = importance;
        fact
    });
    let mut set = fixtures.adding(&owner("ann"), facts.to_vec());
    set.idempotency = Some(keyed_request(Operation::AddMemories, "msg-1", 1));
    let Ok(Outcome::Committed(first)) = store.commit(&[set.clone()]).await.unwrap().remove(0) else {
        panic!("refused")
    };
    store.close().await;
    drop(store);
    alter(
        directory.path(),
        &[
            BEFORE_IDENTITIES,
            BEFORE_KEYED_RECORDS,
            BEFORE_ERASED_OWNERS,
            BEFORE_THINKING,
            BEFORE_KEYS_HAD_OWNERS,
        ]
        .concat(),
    )
    .await;

    let store = open(directory.path()).await;
    let mut kept = Vec::new();
    for id in &first.created.memories {
        kept.push(store.memory(TenantId::DEFAULT, *id).await.unwrap().unwrap().memory.strength.importance);
    }
    assert_eq!(kept, [0.9, 0.01, 0.5, 0.123_456_791_043_281_56], "what cannot be known is left as it is");
    let again = store.commit(&[set.clone()]).await.unwrap();
    assert_eq!(again, [Ok(Outcome::Repeated(first.created.clone()))]);
    let request = keyed_request(Operation::AddMemories, "msg-1", 1);
    let earlier = store.earlier(TenantId::DEFAULT, None, &request).await.unwrap();
    assert_eq!(earlier, Some(Ok(first.created.clone())));
    let mut other = fixtures.adding(&owner("bob"), vec![fixtures.fact("y")]);
    other.idempotency = Some(keyed_request(Operation::AddMemories, "msg-1", 2));
    assert!(matches!(store.commit(&[other]).await.unwrap()[0], Ok(Outcome::Committed(_))));
    assert_eq!(store.forget_requests(START.plus_days(1)).await.unwrap(), 2, "all go with their age");
    assert_eq!(store.check(false).await.unwrap(), []);
}

#[tokio::test]
async fn jobs_of_earlier_stores_are_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let id = |number| JobId(uuid::Uuid::from_u128(number));
    let job = |number| Job::new(id(number), TenantId::DEFAULT, "reindex", "{}".to_owned(), START);
    let running = Job { unique_key: Some("reindex".to_owned()), ..job(1) };
    store.enqueue(running).await.unwrap();
    let running = store.claim(&["reindex"], START, 1_000).await.unwrap().unwrap();
    let waiting = store.enqueue(job(2)).await.unwrap();
    store.close().await;
    drop(store);
    alter(
        directory.path(),
        &[
            BEFORE_IDENTITIES,
            BEFORE_KEYED_RECORDS,
            BEFORE_ERASED_OWNERS,
            BEFORE_THINKING,
            BEFORE_JOBS_HAD_TENANTS,
        ]
        .concat(),
    )
    .await;

    let store = open(directory.path()).await;
    assert_eq!(
        store.jobs(TenantId::DEFAULT, &JobFilter::default(), None, 9).await.unwrap(),
        [waiting, running]
    );
    store.release_left(START).await.unwrap();
    let again = store.claim(&["reindex"], START, 1_000).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.unique_key.as_deref()), (id(1), 2, Some("reindex")));
    assert_eq!(store.check(false).await.unwrap(), []);
}

#[tokio::test]
async fn rows_of_earlier_stores_are_kept_under_an_unknown_recipe() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = filled(directory.path()).await;
    let mut before = everything(&store).await;
    for one in before.iter_mut().flat_map(|(_, memories)| memories) {
        // Such a store had none.
        (one.memory.statement, one.memory.audience) = (None, Vec::new());
        (one.memory.annotation, one.memory.happened.offset) = (None, None);
        (one.memory.strength.uses, one.memory.strength.pinned) = (Uses::default(), false);
        (one.memory.strength.nearest_cosine, one.memory.forgotten) = (None, None);
    }
    let (number, recipe) = store.embedder_in_use().await.unwrap().unwrap();
    let other = RowRecipe { embedder: "other".to_owned(), ..recipe.clone() };
    let second = store.register_embedder(&other, 4, START).await.unwrap();
    store.close().await;
    drop(store);
    alter(
        directory.path(),
        &[
            BEFORE_IDENTITIES,
            BEFORE_KEYED_RECORDS,
            BEFORE_ERASED_OWNERS,
            BEFORE_THINKING,
            BEFORE_ROWS_HAD_RECIPES,
        ]
        .concat(),
    )
    .await;

    let store = open(directory.path()).await;
    let unknown = RowRecipe { tokenizer: String::new(), key_recipe: 0, ..recipe.clone() };
    assert_eq!(store.embedder_in_use().await.unwrap(), Some((number, unknown.clone())));
    assert_eq!(everything(&store).await, before);
    assert_eq!(store.check(false).await.unwrap(), []);
    let known = [&unknown, &RowRecipe { embedder: "other".to_owned(), ..unknown.clone() }, &recipe];
    let mut numbers = Vec::new();
    for recipe in known {
        numbers.push(store.register_embedder(recipe, 8, START).await.unwrap());
    }
    assert_eq!(numbers[..2], [number, second], "with their numbers");
    assert!(numbers[2] != number && numbers[2] != second, "the present recipe has a number of its own");
}
