//! Files of a store that were lost, emptied or swapped: it never comes up empty, or as it was earlier, without a word.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::store::sql::{DATABASE_FILE, MARK_FILE, SqlStore, StoreOptions};
use memory_core::store::{Commit, Memories, StoreError};
use memory_core::testing::fixtures::{Fixtures, owner};

/// Ids of memories: unique over all openings of a store.
static NEXT_ID: AtomicU64 = AtomicU64::new(1 << 40);

const LOG: &str = "engrain.db-wal";

async fn open(directory: &Path) -> Result<SqlStore, StoreError> {
    SqlStore::open(directory, StoreOptions::default()).await
}

async fn add(store: &SqlStore, facts: usize) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    for _ in 0..facts {
        let mut fact = fixtures.fact("a fact");
        fact.memory.id = MemoryId(uuid::Uuid::from_u128(NEXT_ID.fetch_add(1, Ordering::Relaxed).into()));
        let set = fixtures.adding(&owner("ann"), vec![fact]);
        assert!(store.commit(&[set]).await.unwrap()[0].is_ok());
    }
}

/// Leftovers of a killed process: a copy of the files of a store that is open.
async fn killed(directory: &Path, facts: usize) {
    let alive = tempfile::tempdir().unwrap();
    let store = open(alive.path()).await.unwrap();
    add(&store, facts).await;
    for name in [DATABASE_FILE, LOG, MARK_FILE] {
        fs::copy(alive.path().join(name), directory.join(name)).unwrap();
    }
    store.close().await;
}

async fn count(store: &SqlStore) -> u64 {
    store.owners(TenantId::DEFAULT, None, 9).await.unwrap().iter().map(|owner| owner.memory_count).sum()
}

async fn refusal(directory: &Path) -> String {
    match open(directory).await {
        Err(StoreError::Incomplete { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_killed_store_opens_with_everything() {
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path(), 3).await;
    let store = open(directory.path()).await.unwrap();
    assert_eq!(count(&store).await, 3);
    store.close().await;
    drop(store);
    let store = open(directory.path()).await.unwrap();
    add(&store, 1).await;
    assert_eq!(count(&store).await, 4);
}

#[tokio::test]
async fn a_lost_or_emptied_file_after_a_kill_is_named() {
    for (file, is_emptied) in [(DATABASE_FILE, false), (DATABASE_FILE, true), (LOG, false), (LOG, true)] {
        let directory = tempfile::tempdir().unwrap();
        killed(directory.path(), 3).await;
        let path = directory.path().join(file);
        if is_emptied {
            fs::write(&path, "").unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let left = fs::read(directory.path().join(MARK_FILE)).unwrap();
        let what = refusal(directory.path()).await;
        assert!(what.contains(file), "{file}: {what}");
        assert!(what.contains("restore"), "{what}");
        assert_eq!(refusal(directory.path()).await, what, "the same when it is tried again");
        assert_eq!(fs::read(directory.path().join(MARK_FILE)).unwrap(), left);
    }
}

#[tokio::test]
async fn a_lost_database_of_a_closed_store_is_named_and_can_be_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await.unwrap();
    add(&store, 2).await;
    store.close().await;
    drop(store);
    fs::remove_file(directory.path().join(DATABASE_FILE)).unwrap();
    refusal(directory.path()).await;
    fs::remove_file(directory.path().join(MARK_FILE)).unwrap();
    assert_eq!(count(&open(directory.path()).await.unwrap()).await, 0, "begun anew on purpose");
}

#[tokio::test]
async fn the_log_of_another_store_is_not_taken() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    killed(other.path(), 1).await;
    let store = open(directory.path()).await.unwrap();
    add(&store, 2).await;
    store.close().await;
    drop(store);
    fs::copy(other.path().join(LOG), directory.path().join(LOG)).unwrap();
    let what = refusal(directory.path()).await;
    assert!(what.contains(LOG), "{what}");
    fs::remove_file(directory.path().join(LOG)).unwrap();
    assert_eq!(count(&open(directory.path()).await.unwrap()).await, 2, "nothing of it was applied");
}

#[tokio::test]
async fn an_older_or_another_database_is_not_taken_for_the_store() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (place, facts) in [(directory.path(), 1), (other.path(), 5)] {
        let store = open(place).await.unwrap();
        add(&store, facts).await;
        store.close().await;
    }
    let older = fs::read(directory.path().join(DATABASE_FILE)).unwrap();
    let store = open(directory.path()).await.unwrap();
    add(&store, 1).await;
    store.close().await;
    drop(store);
    fs::write(directory.path().join(DATABASE_FILE), older).unwrap();
    refusal(directory.path()).await;
    fs::copy(other.path().join(DATABASE_FILE), directory.path().join(DATABASE_FILE)).unwrap();
    assert!(refusal(directory.path()).await.contains("another store"));
}

#[tokio::test]
async fn a_store_from_before_the_mark_is_opened_and_marked_with_its_next_commit() {
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path(), 2).await;
    fs::remove_file(directory.path().join(MARK_FILE)).unwrap();
    let store = open(directory.path()).await.unwrap();
    assert!(!directory.path().join(MARK_FILE).exists() || count(&store).await == 2);
    add(&store, 1).await;
    assert_eq!(count(&store).await, 3);
    assert!(directory.path().join(MARK_FILE).exists());
}

#[tokio::test]
async fn a_store_without_a_mark_gets_one_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await.unwrap();
    assert!(!directory.path().join(MARK_FILE).exists(), "a new store has nothing to lose");
    add(&store, 2).await;
    store.close().await;
    drop(store);
    for has_id in [true, false] {
        fs::remove_file(directory.path().join(MARK_FILE)).unwrap();
        if !has_id {
            // As a version without marks has left it.
            let url = format!("sqlite://{}", directory.path().join(DATABASE_FILE).display());
            let mut raw = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
            let forget = "DELETE FROM settings WHERE name IN ('store_id', 'commits')";
            sqlx::raw_sql(forget).execute(&mut raw).await.unwrap();
            sqlx::Connection::close(raw).await.unwrap();
        }
        let store = open(directory.path()).await.unwrap();
        assert!(directory.path().join(MARK_FILE).exists(), "has an id: {has_id}");
        store.close().await;
        drop(store);
    }
    fs::remove_file(directory.path().join(DATABASE_FILE)).unwrap();
    refusal(directory.path()).await;
}

#[tokio::test]
async fn a_mark_that_cannot_be_read_is_refused_until_it_is_removed() {
    for content in [&b""[..], b"garbage", b"\xff\xfe", b"engrain-store-1 ab"] {
        let directory = tempfile::tempdir().unwrap();
        killed(directory.path(), 3).await;
        fs::write(directory.path().join(MARK_FILE), content).unwrap();
        let what = refusal(directory.path()).await;
        assert!(what.contains(MARK_FILE), "{what}");
        assert_eq!(refusal(directory.path()).await, what, "the same when it is tried again");
        fs::remove_file(directory.path().join(MARK_FILE)).unwrap();
        let store = open(directory.path()).await.unwrap();
        assert_eq!(count(&store).await, 3);
        store.close().await;
    }
}
