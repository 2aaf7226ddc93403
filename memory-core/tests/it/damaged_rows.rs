//! Stored rows that cannot be decoded: each is left out and reported, and never takes the others along.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use memory_core::Error;
use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::{Job, JobFilter, JobState};
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::index::Index;
use memory_core::memories::request::{Edit, ListMemories, MemoryPage};
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use memory_core::store::{Jobs, Maintenance, Memories, StoreError};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};
use sqlx::Connection as _;

/// Runs statements on the database of a running store.
async fn alter(directory: &Path, statements: &str) {
    let url = format!("sqlite://{}", directory.join(DATABASE_FILE).display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut raw).await.unwrap();
    assert!(done.rows_affected() > 0, "nothing was damaged by {statements}");
    raw.close().await.unwrap();
}

/// SQL literal of an id.
fn literal(id: MemoryId) -> String {
    format!("X'{}'", id.0.simple())
}

const TEXTS: [&str; 3] = ["Mara keeps bees", "Mara plays chess", "Mara lives in Lisbon"];

/// Engine with three facts of one owner, in the order of [`TEXTS`].
async fn three_facts(directory: &Path) -> (TestEngine, Scope, Vec<MemoryId>) {
    let test = TestEngine::open(directory).await.unwrap();
    let scope = user("mara").unwrap();
    let mut ids = Vec::new();
    for text in TEXTS {
        let made = test.engine.remember_memories(&CALLER, memories(&scope, vec![fact(text)])).await.unwrap();
        ids.extend(made.memories);
    }
    (test, scope, ids)
}

async fn found(test: &TestEngine, scope: &Scope, query: &str) -> Vec<MemoryId> {
    let recalled = test.engine.recall(&CALLER, question(scope, query)).await.unwrap();
    recalled.memories.iter().map(|one| one.memory.id).collect()
}

async fn listed(test: &TestEngine, scope: &Scope, filter: Filter) -> MemoryPage {
    let request = ListMemories { scope: scope.clone(), filter, newest_first: false, limit: 10, after: None };
    test.engine.list(&CALLER, request).await.unwrap()
}

const DAMAGE_OF_ROWS: [&str; 8] = [
    "terms = X'07'",
    "terms = 'text'",
    "vector = substr(vector, 1, length(vector) - 2)",
    "vector = substr(vector, 1, length(vector) - 1)",
    "vector = CAST(X'007e' || substr(vector, 3) AS BLOB)",
    "vector = zeroblob(length(vector))",
    "key_kind = 99",
    "span_start = -1",
];

#[tokio::test]
async fn a_damaged_index_row_is_left_out_found_by_a_check_and_made_anew() {
    for damage in DAMAGE_OF_ROWS {
        let directory = tempfile::tempdir().unwrap();
        let (test, scope, ids) = three_facts(directory.path()).await;
        let hurt = format!("UPDATE index_rows SET {damage} WHERE memory_id = {}", literal(ids[1]));
        alter(directory.path(), &hurt).await;
        test.index.clear_cache().await;

        let others = found(&test, &scope, "bees Lisbon").await;
        assert!(others.contains(&ids[0]) && others.contains(&ids[2]), "{damage}: {others:?}");
        assert!(!found(&test, &scope, "chess").await.contains(&ids[1]), "{damage}");
        assert_eq!(listed(&test, &scope, Filter::everything()).await.memories.len(), 3, "{damage}");

        let report = test.engine.check(&CALLER, false).await.unwrap();
        let seen: Vec<_> = report.damage.iter().map(|one| (one.code, one.count, one.repaired)).collect();
        assert_eq!(seen, [("unreadable_row", 1, false)], "{damage}: {report:?}");
        assert!(!report.is_healthy());

        let report = test.engine.check(&CALLER, true).await.unwrap();
        assert!(report.is_healthy(), "{damage}: {report:?}");
        found_again(&test, &scope, ids[1], damage).await;
        assert_eq!(test.engine.check(&CALLER, false).await.unwrap().damage, [], "{damage}");
        test.engine.stop().await;
    }
}

async fn found_again(test: &TestEngine, scope: &Scope, id: MemoryId, why: &str) {
    for _ in 0..400 {
        if found(test, scope, "chess").await.first() == Some(&id) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{why}: it is not found again");
}

#[tokio::test]
async fn a_reindex_makes_damaged_rows_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = three_facts(directory.path()).await;
    let hurt = format!("UPDATE index_rows SET terms = X'00' WHERE memory_id = {}", literal(ids[1]));
    alter(directory.path(), &hurt).await;
    test.index.clear_cache().await;
    test.engine.start_reindex(&CALLER, "hashing").await.unwrap();
    found_again(&test, &scope, ids[1], "reindex").await;
}

const DAMAGE_OF_MEMORIES: [&str; 9] = [
    "kind = 'nonsense'",
    "visibility = X'00'",
    "tags = '{'",
    "metadata = '[1]'",
    "links = '[1]'",
    "subjects = '\"bees\"'",
    "version = -1",
    "happened_us = 'yesterday'",
    "derivation_id = X'01'",
];

#[tokio::test]
async fn a_damaged_memory_is_left_out_and_counted_and_can_be_deleted() {
    let tagged = Filter::Field(Field::Tags, Test::IsNull(true));
    for damage in DAMAGE_OF_MEMORIES {
        let directory = tempfile::tempdir().unwrap();
        let (test, scope, ids) = three_facts(directory.path()).await;
        let hurt = format!("UPDATE memories SET {damage} WHERE id = {}", literal(ids[1]));
        alter(directory.path(), &hurt).await;
        test.index.clear_cache().await;

        for filter in [Filter::everything(), tagged.clone()] {
            let page = listed(&test, &scope, filter).await;
            let left: Vec<_> = page.memories.iter().map(|memory| memory.id).collect();
            assert_eq!((left, page.unreadable), (vec![ids[0], ids[2]], 1), "{damage}");
        }
        assert!(found(&test, &scope, "bees").await.contains(&ids[0]), "{damage}");
        let shown = test.engine.memory(&CALLER, ids[1]).await.unwrap_err();
        assert_eq!(shown.code(), "store_damaged", "{damage}: {shown}");
        let report = test.engine.check(&CALLER, true).await.unwrap();
        let seen = report.damage.iter().find(|one| one.code == "unreadable_memory").unwrap();
        assert_eq!((seen.count, seen.repaired), (1, false), "{damage}");
        assert!(!seen.detail.contains("nonsense") && !seen.detail.contains("bees"), "{}", seen.detail);

        assert!(test.engine.erase(&CALLER, ids[1], None).await.unwrap().contains(&ids[1]), "{damage}");
        let page = listed(&test, &scope, Filter::everything()).await;
        assert_eq!((page.memories.len(), page.unreadable), (2, 0), "{damage}");
        test.engine.stop().await;
    }
}

#[tokio::test]
async fn a_damaged_memory_is_left_out_of_an_archive_and_counted() {
    for damage in DAMAGE_OF_MEMORIES {
        let directory = tempfile::tempdir().unwrap();
        let (test, scope, ids) = three_facts(directory.path()).await;
        let hurt = format!("UPDATE memories SET {damage} WHERE id = {}", literal(ids[1]));
        alter(directory.path(), &hurt).await;
        let page = test.engine.archive_page(&CALLER, &scope, None, 10).await.unwrap();
        let read = test.engine.archived(&CALLER, &scope, &page.ids, &mut Vec::new()).await.unwrap();
        let left: Vec<_> = read.memories.iter().map(|one| one.memory.id).collect();
        assert_eq!((left, read.unreadable + page.unreadable), (vec![ids[0], ids[2]], 1), "{damage}");
        test.engine.stop().await;
    }
}

#[tokio::test]
async fn a_memory_with_a_damaged_version_is_left_out_of_an_archive_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = three_facts(directory.path()).await;
    let edit = Edit { text: Some("Mara keeps goats".to_owned()), ..Edit::default() };
    test.engine.edit(&CALLER, ids[1], edit, None).await.unwrap();
    alter(directory.path(), "UPDATE memory_versions SET tags = '{'").await;
    let read = test.engine.archived(&CALLER, &scope, &ids, &mut Vec::new()).await.unwrap();
    let left: Vec<_> = read.memories.iter().map(|one| one.memory.id).collect();
    assert_eq!((left, read.unreadable), (vec![ids[0], ids[2]], 1));
}

#[tokio::test]
async fn a_page_of_damaged_memories_does_not_end_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = three_facts(directory.path()).await;
    alter(directory.path(), &format!("UPDATE memories SET tags = '{{' WHERE id = {}", literal(ids[0]))).await;
    let request = ListMemories {
        scope: scope.clone(),
        filter: Filter::everything(),
        newest_first: false,
        limit: 1,
        after: None,
    };
    let first = test.engine.list(&CALLER, request.clone()).await.unwrap();
    assert_eq!((first.memories.len(), first.has_more, first.last), (0, true, Some(ids[0])));
    let next = test.engine.list(&CALLER, ListMemories { after: first.last, ..request }).await.unwrap();
    assert_eq!(next.memories[0].id, ids[1]);
}

#[tokio::test]
async fn damaged_sessions_turns_and_owners_leave_the_others_and_take_no_place_on_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    for name in ["ann", "bob", "cem"] {
        let scope = user(name).unwrap();
        for session in ["one", "two", "three"] {
            let said = ["a", "b", "c"].map(|text| turn(Role::User, text, START)).to_vec();
            test.engine.remember_turns(&CALLER, turns(&scope, session, said).unwrap()).await.unwrap();
        }
    }
    alter(
        directory.path(),
        "UPDATE sessions SET started_us = 'x' WHERE ordinal = 0;
         UPDATE turns SET role = 'priest' WHERE seq = 0;
         UPDATE partitions SET owner_kind = 'planet' WHERE id = 1",
    )
    .await;
    let owners = test.store.owners(TenantId::DEFAULT, None, 2).await.unwrap();
    let names: Vec<_> = owners.iter().map(|entry| entry.owner.id.as_str().to_owned()).collect();
    assert_eq!(names, ["bob", "cem"]);
    let sessions = test.store.sessions(PartitionId(2), 0, 2).await.unwrap();
    assert_eq!(sessions.iter().map(|one| one.ordinal).collect::<Vec<_>>(), [1, 2]);
    let turns = test.store.turns(sessions[0].id, 0, 1).await.unwrap();
    assert_eq!(turns.iter().map(|one| one.seq).collect::<Vec<_>>(), [1]);
    let report = test.engine.check(&CALLER, false).await.unwrap();
    let mut codes: Vec<_> = report.damage.iter().map(|one| (one.code, one.count)).collect();
    codes.sort_unstable();
    let expected = [
        ("unreadable_memory", 9),
        ("unreadable_owner", 1),
        ("unreadable_session", 3),
        ("unreadable_turn", 9),
    ];
    assert_eq!(codes, expected, "{report:?}");
}

#[tokio::test]
async fn a_damaged_job_fails_alone_and_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    let id = |number| JobId(uuid::Uuid::from_u128(number));
    for number in [1, 2] {
        store.enqueue(Job::new(id(number), TenantId::DEFAULT, "k", "{}".to_owned(), START)).await.unwrap();
    }
    alter(
        directory.path(),
        "UPDATE durable_jobs SET failures = -7 WHERE id = X'00000000000000000000000000000001'",
    )
    .await;
    let claimed = store.claim(&["k"], START, 1_000).await.unwrap().unwrap();
    assert_eq!(claimed.id, id(2));
    assert_eq!(store.claim(&["k"], START.plus_micros(500), 1_000).await.unwrap(), None);
    let jobs = store.jobs(TenantId::DEFAULT, &JobFilter::default(), None, 1).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id(2)]);
    let failed = store.count_jobs().await.unwrap();
    assert!(failed.iter().any(|count| count.state == JobState::Failed && count.count == 1), "{failed:?}");
}

#[tokio::test]
async fn a_damaged_record_of_a_key_refuses_its_own_request_alone() {
    use memory_core::domain::change::{Operation, Outcome, Refusal};
    use memory_core::store::Commit;
    use memory_core::testing::fixtures::{Fixtures, keyed_request, owner};

    let directory = tempfile::tempdir().unwrap();
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let ann = owner("ann");
    let mut keyed = fixtures.adding(&ann, vec![fixtures.fact("first")]);
    keyed.idempotency = Some(keyed_request(Operation::AddMemories, "key", 1));
    let added = keyed.memories[0].memory.id;
    store.commit(&[keyed.clone()]).await.unwrap();
    alter(directory.path(), "UPDATE request_records SET made = '{}'").await;
    let other = fixtures.adding(&ann, vec![fixtures.fact("other")]);
    let answers = store.commit(&[keyed, other]).await.unwrap();
    assert!(matches!(&answers[0], Err(Refusal::Unreadable { table: "request_records", .. })), "{answers:?}");
    assert!(matches!(answers[1], Ok(Outcome::Committed(_))), "{answers:?}");
    let error = Error::from(answers[0].clone().unwrap_err());
    assert_eq!(error.code(), "store_damaged");
    let found = store.check(false).await.unwrap();
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["unreadable_request"]);
    // It keeps nothing from being erased, and goes with it; the check takes what led to it.
    let erased = store.commit(&[fixtures.erasing(&ann, vec![added])]).await.unwrap();
    assert!(matches!(erased[0], Ok(Outcome::Committed(_))), "{erased:?}");
    let found = store.check(true).await.unwrap();
    assert_eq!(
        found.iter().map(|one| one.code).collect::<Vec<_>>(),
        ["record_of_erased", "orphan_request_item"]
    );
    assert_eq!(store.check(false).await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_number_of_the_embedder_is_no_new_store() {
    let directory = tempfile::tempdir().unwrap();
    let (test, ..) = three_facts(directory.path()).await;
    test.engine.stop().await;
    drop(test);
    alter(directory.path(), "UPDATE settings SET value = 'x' WHERE name = 'embedder_in_use'").await;
    let opened = TestEngine::open(directory.path()).await.map(drop);
    assert!(matches!(opened, Err(Error::Store(StoreError::Corrupt { .. }))), "{opened:?}");
}

#[tokio::test]
async fn damaged_pages_are_told_apart_from_a_store_that_does_not_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = three_facts(directory.path()).await;
    test.engine.stop().await;
    test.store.close().await; // with a checkpoint
    drop(test);
    let file = directory.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let (page, pages) = (8192, bytes.len() / 8192);
    assert!(pages > 10, "{pages}");
    bytes[page * 3..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let opened = loop {
        match TestEngine::open(directory.path()).await {
            // Tasks of the former engine still hold the lock.
            Err(Error::Store(StoreError::InUse { .. })) => tokio::task::yield_now().await,
            opened => break opened,
        }
    };
    let error = match opened {
        Ok(test) => {
            let report = test.engine.check(&CALLER, true).await.unwrap();
            assert!(report.damage.iter().any(|one| one.code == "database" && !one.repaired), "{report:?}");
            test.engine.recall(&CALLER, question(&scope, "bees")).await.map(drop).unwrap_err()
        }
        Err(error) => error,
    };
    assert!(matches!(error, Error::Store(StoreError::Damaged(_))), "{error:?} {ids:?}");
    assert_eq!(error.code(), "store_damaged");
}

#[tokio::test]
async fn a_newer_store_has_an_error_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap().close().await;
    alter(
        directory.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9001, 'later', true, x'01', 0)",
    )
    .await;
    let opened = SqlStore::open(directory.path(), StoreOptions::default()).await.map(drop);
    assert!(matches!(opened, Err(StoreError::NewerVersion(_))), "{opened:?}");
}
