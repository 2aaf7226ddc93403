//! Tests particular to the SQL store: one owner per directory, copies that open, and detection of damage. The rules
//! that every store obeys are in `contracts.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use memory_core::domain::change::{Operation, Outcome, Refusal};
use memory_core::domain::derivation::Source;
use memory_core::domain::embedder::RowRecipe;
use memory_core::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::{Job, JobFilter};
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use memory_core::store::{
    Commit, Damage, Embedders, IndexSource, Indexed, Jobs, Maintenance, Memories, StoreError,
};
use memory_core::testing::START;
use memory_core::testing::fixtures::{Fixtures, keyed_request, link, owner, revised};
use sqlx::Connection as _;

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

/// Statements that undo migration 12.
pub(crate) const BEFORE_IDENTITIES: &str = "
    DROP INDEX turns_by_key;
    DROP INDEX turns_by_position;
    DROP INDEX memories_by_own_key;
    ALTER TABLE turns DROP COLUMN position;
    ALTER TABLE memories DROP COLUMN own_key;
    ALTER TABLE sessions DROP COLUMN next_seq;
    DROP TABLE erased_identities;";

/// Statements that undo migration 9, apart from the columns of `durable_jobs`.
pub(crate) const BEFORE_ERASED_OWNERS: &str = "
    DROP TABLE removed_partitions;
    DROP INDEX derivations_of_partition;
    DROP INDEX durable_jobs_of_owner;";

/// Statements that undo migrations 7 and 8, apart from the columns of `durable_jobs`.
const BEFORE_THINKING: &str = "
    DROP INDEX derivations_by_job;
    DROP INDEX memory_versions_by_derivation;
    ALTER TABLE derivations DROP COLUMN job_id;
    ALTER TABLE memories DROP COLUMN statement;
    ALTER TABLE memories DROP COLUMN audience;
    ALTER TABLE memory_versions DROP COLUMN statement;
    ALTER TABLE memory_versions DROP COLUMN audience;
    DROP TABLE memory_groups;
    DROP TABLE thinking_queue;
    DROP TABLE model_usage;";

/// Statements that undo migration 10. A request that it keyed is written back with its plain hash.
pub(crate) const BEFORE_KEYED_RECORDS: &str = "
    DROP TRIGGER shared_memory_added;
    DROP TRIGGER shared_memory_removed;
    DROP TRIGGER shared_memory_changed;
    DROP INDEX scope_partitions_by_recency;
    DROP INDEX scope_partitions_of_partition;
    ALTER TABLE scope_partitions DROP COLUMN shared_count;
    ALTER TABLE scope_partitions DROP COLUMN last_shared_us;
    DROP INDEX partitions_of_tenant;
    DROP INDEX durable_jobs_in_order;
    DROP INDEX durable_jobs_running;
    CREATE INDEX durable_jobs_to_claim ON durable_jobs (kind, state, run_after_us);
    DROP INDEX thinking_queue_of_mechanism;
    DROP INDEX changes_of_memory;
    DROP INDEX memory_versions_of_derivation;
    CREATE INDEX memory_versions_by_derivation ON memory_versions (partition_id, derivation_id);
    INSERT INTO keyed_requests
    SELECT zeroblob(16), 'msg-1', 'add_memories', zeroblob(16), 'user', 'ann',
        X'0101010101010101010101010101010101010101010101010101010101010101', made, created_us
    FROM request_records;
    DROP TABLE request_records;
    DROP TABLE request_items;
    DELETE FROM _sqlx_migrations WHERE version >= 10;";

/// Runs statements on the database of a store that is closed.
pub(crate) async fn alter(directory: &Path, statements: &str) {
    let url = format!("sqlite://{}", directory.join(DATABASE_FILE).display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

/// Schema of a store before migration 4: keys unique per tenant, importance rounded to single precision.
const BEFORE_KEYS_HAD_OWNERS: &str = "
    INSERT INTO idempotent_requests SELECT tenant_id, key, request_hash, made, created_us FROM keyed_requests;
    DROP TABLE keyed_requests;
    UPDATE memories SET importance = 0.8999999761581421 WHERE importance = 0.9;
    UPDATE memories SET importance = 0.123456791043281555 WHERE importance = 0.123456789;
    UPDATE memories SET importance = 0.009999999776482582 WHERE importance = 0.01;
    DROP TABLE durable_jobs;
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    DELETE FROM _sqlx_migrations WHERE version >= 4;";

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

/// Schema of a store before migration 5: jobs in a table whose unique key is over all tenants.
const BEFORE_JOBS_HAD_TENANTS: &str = "
    INSERT INTO jobs
    SELECT id, tenant_id, kind, unique_key, payload, state, attempts, done, total, position, run_after_us,
        lease_until_us, error, created_us, updated_us
    FROM durable_jobs;
    DROP TABLE durable_jobs;
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    DELETE FROM _sqlx_migrations WHERE version >= 5;";

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

/// Schema of a store before migration 6: rows numbered by their embedder alone.
const BEFORE_ROWS_HAD_RECIPES: &str = "
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    ALTER TABLE durable_jobs DROP COLUMN owner_kind;
    ALTER TABLE durable_jobs DROP COLUMN owner_id;
    ALTER TABLE durable_jobs DROP COLUMN releases_key;
    DELETE FROM _sqlx_migrations WHERE version >= 6;";

#[tokio::test]
async fn rows_of_earlier_stores_are_kept_under_an_unknown_recipe() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = filled(directory.path()).await;
    let mut before = everything(&store).await;
    for one in before.iter_mut().flat_map(|(_, memories)| memories) {
        (one.memory.statement, one.memory.audience) = (None, Vec::new()); // such a store had none
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
