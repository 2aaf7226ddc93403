//! Keyed digests of the SQLite store: nothing in its files from which a request, its key or its owner could be guessed, a
//! key of its own that no copy has, and records of earlier stores keyed in place.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use memory_core::domain::change::{ChangeSet, Operation, Outcome, Refusal};
use memory_core::domain::id::TenantId;
use memory_core::store::sql::{DATABASE_FILE, DIGEST_KEY_FILE, SqlStore, StoreOptions};
use memory_core::store::{Commit, Maintenance};
use memory_core::testing::fixtures::{Fixtures, keyed_request, owner};
use sqlx::Connection as _;

const KEY: &str = "key-of-the-caller";
/// Hash of the request that [`keyed`] has, as a part that no other value of the store has.
const HASH: u8 = 0xA7;

async fn open(directory: &Path) -> SqlStore {
    SqlStore::open(directory, StoreOptions::default()).await.unwrap()
}

async fn close(store: SqlStore) {
    store.close().await;
    drop(store);
}

fn keyed(fixtures: &Fixtures) -> ChangeSet {
    let mut set = fixtures.adding(&owner("ann"), vec![fixtures.fact("My PIN is 4711")]);
    set.idempotency = Some(keyed_request(Operation::AddMemories, KEY, HASH));
    set
}

async fn commit(store: &SqlStore, set: &ChangeSet) -> Result<Outcome, Refusal> {
    store.commit(std::slice::from_ref(set)).await.unwrap().remove(0)
}

/// True if a file of the directory contains these bytes.
fn is_in_a_file(directory: &Path, bytes: &[u8]) -> bool {
    let mut files =
        std::fs::read_dir(directory).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

async fn alter(directory: &Path, statements: &str) {
    let url = format!("sqlite://{}", directory.join(DATABASE_FILE).display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

#[tokio::test]
async fn neither_the_hash_of_a_request_nor_its_key_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Committed(_))));
    assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Repeated(_))));
    for is_open in [true, false] {
        if !is_open {
            store.close().await;
        }
        assert!(!is_in_a_file(directory.path(), &[HASH; 32]));
        assert!(!is_in_a_file(directory.path(), KEY.as_bytes()));
        assert!(is_in_a_file(directory.path(), b"My PIN"), "what is looked for would be found");
    }
}

#[tokio::test]
async fn a_key_file_is_made_once_for_its_owner_alone_and_is_in_no_copy() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(directory.path()).await;
    let file = directory.path().join(DIGEST_KEY_FILE);
    let key = std::fs::read(&file).unwrap();
    assert_eq!(key.len(), 32);
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    commit(&store, &keyed(&fixtures)).await.unwrap();
    store.copy_to(&elsewhere.path().join(DATABASE_FILE)).await.unwrap();
    close(store).await;
    let store = open(directory.path()).await;
    assert_eq!(std::fs::read(&file).unwrap(), key);
    assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Repeated(_))));
    close(store).await;
    assert!(!is_in_a_file(elsewhere.path(), &key));
    let copy = open(elsewhere.path()).await;
    assert_ne!(std::fs::read(elsewhere.path().join(DIGEST_KEY_FILE)).unwrap(), key);
    assert!(matches!(commit(&copy, &keyed(&fixtures)).await, Ok(Outcome::Committed(_))), "a key of its own");
}

#[tokio::test]
async fn with_a_lost_or_damaged_key_a_store_opens_and_recognises_no_earlier_request() {
    let directory = tempfile::tempdir().unwrap();
    let fixtures = {
        let store = open(directory.path()).await;
        let fixtures = Fixtures::for_store(&store).await.unwrap();
        commit(&store, &keyed(&fixtures)).await.unwrap();
        close(store).await;
        fixtures
    };
    let file = directory.path().join(DIGEST_KEY_FILE);
    for damaged in [None, Some(&b"short"[..])] {
        match damaged {
            None => std::fs::remove_file(&file).unwrap(),
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        }
        // Of a process that died while it wrote a key.
        std::fs::write(directory.path().join("digest.key.new"), b"half").unwrap();
        let store = open(directory.path()).await;
        assert_eq!(std::fs::read(&file).unwrap().len(), 32);
        assert!(!directory.path().join("digest.key.new").exists());
        assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Committed(_))));
        assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Repeated(_))));
        assert_eq!(store.check(false).await.unwrap(), []);
        close(store).await;
    }
}

#[tokio::test]
async fn plain_records_of_earlier_stores_are_keyed_and_go_with_what_was_erased() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let plain = ChangeSet { idempotency: None, ..keyed(&fixtures) };
    let Ok(Outcome::Committed(kept)) = commit(&store, &plain).await else { panic!("refused") };
    let (kept_id, erased_id) = (kept.created.memories[0].0.simple(), fixtures.id().simple());
    let record = |key: &str, id| {
        let hash = format!("{HASH:02x}").repeat(32);
        let id = uuid::Uuid::parse_str(&format!("{id}")).unwrap();
        format!(
            "INSERT INTO keyed_requests VALUES (zeroblob(16), '{key}', 'add_memories', zeroblob(16), 'user', 'ann',
             X'{hash}', '[null,[\"{id}\"],[],[]]', 0);"
        )
    };
    close(store).await;
    let records = [record(KEY, kept_id), record("of-an-erased-memory", erased_id)].concat();
    alter(directory.path(), &records).await;
    assert!(is_in_a_file(directory.path(), &[HASH; 32]));
    let store = open(directory.path()).await;
    assert!(!is_in_a_file(directory.path(), &[HASH; 32]), "not even in the log");
    assert!(!is_in_a_file(directory.path(), b"of-an-erased-memory"));
    assert_eq!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Repeated(kept.created.clone())));
    let other = keyed_request(Operation::AddMemories, KEY, 9);
    let earlier = store.earlier(TenantId::DEFAULT, Some(&owner("ann")), &other).await.unwrap();
    assert_eq!(earlier, Some(Err(Refusal::IdempotencyKeyReused)));
    let erased = keyed_request(Operation::AddMemories, "of-an-erased-memory", HASH);
    assert_eq!(store.earlier(TenantId::DEFAULT, Some(&owner("ann")), &erased).await.unwrap(), None);
    commit(&store, &fixtures.erasing(&owner("ann"), kept.created.memories)).await.unwrap();
    assert!(matches!(commit(&store, &keyed(&fixtures)).await, Ok(Outcome::Committed(_))));
    assert_eq!(store.check(false).await.unwrap(), []);
}
