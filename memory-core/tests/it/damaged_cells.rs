//! Single damaged cells and bits: a check finds a damaged value of any column, counters follow from their rows, and jobs
//! and exports end or go on where pages contradict each other.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use memory_core::Error;
use memory_core::domain::filter::Filter;
use memory_core::domain::id::MemoryId;
use memory_core::domain::job::JobState;
use memory_core::domain::memory::Visibility;
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::index::Index;
use memory_core::memories::request::{Edit, ListMemories};
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use memory_core::store::{Maintenance, StoreError};
use memory_core::testing::fixtures::name;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

const PAGE: usize = 8_192;

async fn raw(directory: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", directory.join(DATABASE_FILE).display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    run(&mut raw, "PRAGMA foreign_keys = OFF").await;
    raw
}

async fn run(raw: &mut SqliteConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(raw).await.unwrap();
}

async fn alter(directory: &Path, statements: &str) {
    let mut raw = raw(directory).await;
    run(&mut raw, statements).await;
    raw.close().await.unwrap();
}

async fn with_facts(directory: &Path, texts: &[String]) -> (TestEngine, Scope, Vec<MemoryId>) {
    let test = TestEngine::open(directory).await.unwrap();
    let scope = user("mara").unwrap();
    let mut ids = Vec::new();
    for some in texts.chunks(50) {
        let facts = some.iter().map(|text| fact(text)).collect();
        ids.extend(test.engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap().memories);
    }
    (test, scope, ids)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("Mara keeps bees, says number{number}q")).collect()
}

async fn closed(test: TestEngine) {
    test.engine.stop().await;
    test.store.close().await; // with a checkpoint
    drop(test);
}

async fn opened(directory: &Path) -> Result<SqlStore, StoreError> {
    loop {
        match SqlStore::open(directory, StoreOptions::default()).await {
            // Tasks of the former engine still hold the lock.
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened,
        }
    }
}

async fn reopened(directory: &Path) -> TestEngine {
    loop {
        match TestEngine::open(directory).await {
            // Tasks of the former engine still hold the lock.
            Err(Error::Store(StoreError::InUse { .. })) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
}

/// Value of another type than the column's.
fn of_wrong_type(kind: &str) -> &'static str {
    match kind {
        "TEXT" => "X'00ff'",
        "BLOB" => "'text'",
        _ => "'x'",
    }
}

#[tokio::test]
async fn a_check_finds_a_damaged_value_in_any_column_of_any_table_with_rows() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = with_facts(directory.path(), &texts(3)).await;
    let said = vec![turn(Role::User, "I play chess", START)];
    test.engine.remember_turns(&CALLER, turns(&scope, "s", said).unwrap()).await.unwrap();
    let edit = Edit { text: Some("Mara keeps goats".to_owned()), ..Edit::default() };
    test.engine.edit(&CALLER, ids[1], edit, None).await.unwrap();
    test.engine.erase(&CALLER, ids[2], None).await.unwrap();
    test.engine.recall(&CALLER, question(&scope, "goats")).await.unwrap();
    closed(test).await;

    let store = opened(directory.path()).await.unwrap();
    assert_eq!(store.check(false).await.unwrap(), []);
    let mut raw = raw(directory.path()).await;
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '|_%' ESCAPE '|'",
    )
    .fetch_all(&mut raw)
    .await
    .unwrap();
    let mut tried = std::collections::BTreeSet::new();
    for (table, column, kind) in columns {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut raw)
            .await
            .unwrap();
        // A column of type INTEGER is the number of the row, which is always one.
        if rows == 0 || kind == "INTEGER" {
            continue;
        }
        let value = of_wrong_type(&kind);
        run(&mut raw, &format!("CREATE TEMP TABLE saved AS SELECT * FROM {table}")).await;
        run(&mut raw, &format!("UPDATE OR IGNORE {table} SET {column} = {value}")).await;
        let found = store.check(false).await.unwrap();
        assert!(found.iter().any(|one| !one.repaired), "{table}.{column}");
        run(&mut raw, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved")).await;
        run(&mut raw, "DROP TABLE saved").await;
        tried.insert(table);
    }
    assert_eq!(store.check(false).await.unwrap(), []);
    for table in ["partitions", "sessions", "turns", "memories", "memory_versions", "index_rows", "changes"] {
        assert!(tried.contains(table), "{table} of {tried:?}");
    }
}

#[tokio::test]
async fn values_that_are_of_their_type_but_mean_nothing_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = with_facts(directory.path(), &texts(3)).await;
    let mut derived = fact("Mara is a beekeeper");
    derived.sources = vec![ids[0].0];
    test.engine.remember_memories(&CALLER, memories(&scope, vec![derived])).await.unwrap();
    test.engine.recall(&CALLER, question(&scope, "bees")).await.unwrap();
    closed(test).await;
    let store = opened(directory.path()).await.unwrap();
    for (table, change, code) in [
        ("changes", "op = 9", "unreadable_change"),
        ("changes", "version = -1", "unreadable_change"),
        ("derivation_inputs", "source_kind = 'planet'", "unreadable_input"),
        ("derivations", "maker = X'ff'", "unreadable_derivation"),
        ("recalls", "hits = X'0102'", "unreadable_recall"),
    ] {
        let mut raw = raw(directory.path()).await;
        run(&mut raw, &format!("CREATE TEMP TABLE saved AS SELECT * FROM {table}")).await;
        run(&mut raw, &format!("UPDATE {table} SET {change}")).await;
        let found = store.check(false).await.unwrap();
        assert!(found.iter().any(|one| one.code == code), "{table}.{change}: {found:?}");
        run(&mut raw, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved")).await;
        raw.close().await.unwrap();
    }
    assert_eq!(store.check(false).await.unwrap(), []);
}

const COUNTERS: [(&str, &str, &str); 6] = [
    ("partitions", "session_count", "wrong_session_count"),
    ("partitions", "last_seq", "wrong_last_number"),
    ("partitions", "memory_count", "wrong_count"),
    ("sessions", "next_seq", "wrong_next_turn"),
    ("sessions", "turn_count", "wrong_turn_count"),
    ("scope_partitions", "last_shared_us", "unreadable_shared_count"),
];

#[tokio::test]
async fn a_damaged_counter_stops_nobody_and_is_repaired_from_the_rows() {
    for (table, column, code) in COUNTERS {
        for value in ["'x'", "-7", "X'07'"] {
            if value == "-7" && column == "last_shared_us" {
                continue; // a time before 1970
            }
            let context = format!("{table}.{column} = {value}");
            let directory = tempfile::tempdir().unwrap();
            let (test, scope, ids) = with_facts(directory.path(), &texts(3)).await;
            let agent = Scope { user: None, agent: Some(name("helper")), ..scope.clone() };
            let shared = Scope { agent: agent.agent.clone(), ..scope.clone() };
            let mut told = fact("Mara told the helper about honey");
            told.visibility = Visibility::Shared;
            test.engine.remember_memories(&CALLER, memories(&shared, vec![told])).await.unwrap();
            let say = |text: &str| turns(&scope, "s", vec![turn(Role::User, text, START)]).unwrap();
            test.engine.remember_turns(&CALLER, say("I play chess")).await.unwrap();
            let damage = format!("UPDATE {table} SET {column} = {value}");

            alter(directory.path(), &damage).await;
            let found = test.engine.check(&CALLER, false).await.unwrap();
            assert!(found.damage.iter().any(|one| one.code == code), "{context}: {found:?}");
            let repaired = test.engine.check(&CALLER, true).await.unwrap();
            assert!(repaired.is_healthy(), "{context}: {repaired:?}");
            let report = test.engine.check(&CALLER, false).await.unwrap();
            assert_eq!(report.damage, [], "{context}");

            alter(directory.path(), &damage).await;
            test.index.clear_cache().await;
            let recalled = test.engine.recall(&CALLER, question(&scope, "bees")).await.unwrap();
            assert!(!recalled.memories.is_empty(), "{context}");
            let recalled = test.engine.recall(&CALLER, question(&agent, "honey")).await.unwrap();
            assert_eq!(recalled.memories.len(), 1, "{context}");
            let list = ListMemories {
                scope: scope.clone(),
                filter: Filter::everything(),
                newest_first: false,
                limit: 10,
                after: None,
            };
            assert_eq!(test.engine.list(&CALLER, list).await.unwrap().total, 5, "{context}");
            test.engine.remember_turns(&CALLER, say("I play go")).await.unwrap();
            let other = turns(&scope, "t", vec![turn(Role::User, "I swim", START)]).unwrap();
            test.engine.remember_turns(&CALLER, other).await.unwrap();
            assert!(test.engine.erase(&CALLER, ids[0], None).await.unwrap().contains(&ids[0]), "{context}");
            test.engine.stop().await;
        }
    }
}

/// Flips a bit of an id in the table of the memories, which has one page.
async fn flip(directory: &Path, id: MemoryId, bit: u8) {
    let mut raw = raw(directory).await;
    let root: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'memories'")
        .fetch_one(&mut raw)
        .await
        .unwrap();
    raw.close().await.unwrap();
    let file = directory.join(DATABASE_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let start = usize::try_from(root - 1).unwrap() * PAGE;
    let page = &mut bytes[start..start + PAGE];
    let at = page.windows(16).position(|window| window == id.0.as_bytes()).unwrap();
    page[at] ^= bit;
    std::fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_an_id_is_found_by_a_check_and_ends_a_reindex() {
    for which in 0..3 {
        for bit in [0x80, 0x01] {
            let context = format!("memory {which}, bit {bit}");
            let directory = tempfile::tempdir().unwrap();
            let (test, _, ids) = with_facts(directory.path(), &texts(3)).await;
            closed(test).await;
            flip(directory.path(), ids[which], bit).await;
            let test = reopened(directory.path()).await;
            let report = test.engine.check(&CALLER, false).await.unwrap();
            let found = report.damage.iter().find(|one| one.code == "database");
            assert!(found.is_some_and(|one| !one.repaired), "{context}: {report:?}");
            assert!(found.unwrap().detail.contains("restore a backup"), "{context}");

            let job = test.engine.start_reindex(&CALLER, "hashing").await.unwrap();
            let began = std::time::Instant::now();
            let job = loop {
                let job = test.engine.job(&CALLER, job.id).await.unwrap();
                if matches!(job.state, JobState::Done | JobState::Failed) {
                    break job;
                }
                assert!(began.elapsed() < Duration::from_secs(30), "{context}: it does not end: {job:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            // A row that is still at the place of its changed id can be embedded.
            if job.state == JobState::Failed {
                assert_eq!((job.error.as_deref(), job.failures), (Some("store_damaged"), 1), "{context}");
                assert!(test.engine.job_runner().unwrap().met_damage, "{context}");
            }
            test.engine.stop().await;
        }
    }
}

#[tokio::test]
async fn an_export_reads_on_beside_damaged_pages_and_counts_what_it_leaves_out() {
    const MEMORIES: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let (test, scope, ids) = with_facts(directory.path(), &texts(MEMORIES)).await;
    closed(test).await;
    let file = directory.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let mut hurt = 0;
    for page in bytes.chunks_exact_mut(PAGE).skip(1) {
        // Leaves of the table, among them neither its first nor its last.
        if page.windows(10).any(|window| window == b"number150q") {
            page.fill(0xa5);
            hurt += 1;
        }
    }
    assert!(hurt > 0);
    std::fs::write(&file, bytes).unwrap();
    let test = reopened(directory.path()).await;
    let (mut after, mut read, mut unreadable, mut met_damage) = (None, Vec::new(), 0, false);
    loop {
        let page = test.engine.archive_page(&CALLER, &scope, after, 100).await.unwrap();
        met_damage |= page.met_damage;
        for some in page.ids.chunks(16) {
            let found = test.engine.archived(&CALLER, &scope, some, &mut Vec::new()).await.unwrap();
            read.extend(found.memories.iter().map(|one| one.memory.id));
            unreadable += found.unreadable;
            met_damage |= found.met_damage;
        }
        after = page.last;
        if !page.has_more || after.is_none() {
            break;
        }
    }
    assert!(met_damage);
    assert_eq!(read.len() as u64 + unreadable, MEMORIES as u64);
    assert!((1..100).contains(&unreadable), "{unreadable}");
    assert!(read.contains(&ids[0]) && read.contains(&ids[MEMORIES - 1]));
    assert!(!read.contains(&ids[150]));
}

#[tokio::test]
async fn a_setting_that_cannot_be_decoded_is_named() {
    for (name, value) in [
        ("commits", "'x'"),
        ("commits", "X'ff00'"),
        ("embedder_in_use", "'x'"),
        ("embedder_in_use", "X'ff00'"),
        ("store_id", "X'ff00'"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (test, ..) = with_facts(directory.path(), &texts(1)).await;
        closed(test).await;
        alter(directory.path(), &format!("UPDATE settings SET value = {value} WHERE name = '{name}'")).await;
        let error = opened(directory.path()).await.map(drop).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(&format!("settings.value of {name}")), "{name} = {value}: {told}");
    }
}
