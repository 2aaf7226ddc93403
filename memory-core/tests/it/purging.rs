//! Removal of erased bytes from the files of an SQLite store: what a purge reports as done is in no file, and what
//! readers prevent stays a debt that is paid after them, also by the next process.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memory_core::domain::change::Outcome;
use memory_core::domain::id::MemoryId;
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use memory_core::store::{Commit, Maintenance, Purge, PurgeDebt, PurgeWait};
use memory_core::testing::fixtures::{Fixtures, owner};
use parking_lot::Mutex;
use sqlx::Connection as _;

async fn open(directory: &Path) -> SqlStore {
    SqlStore::open(directory, StoreOptions::default()).await.unwrap()
}

/// Those of these words, `secret-…-end` each, that are in any file of the directory.
fn found_in(directory: &Path, words: &[String]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let bytes = fs::read(entry.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        found.extend(text.match_indices("secret-").filter_map(|(at, _)| {
            let word = &text[at..];
            Some(word[..word.find("-end")? + 4].to_owned())
        }));
    }
    words.iter().filter(|word| found.contains(*word)).cloned().collect()
}

/// Reader of the present state, which keeps its snapshot until it is closed.
async fn snapshot(directory: &Path) -> sqlx::SqliteConnection {
    let file = directory.join(DATABASE_FILE);
    let mut reader = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM memories").fetch_one(&mut reader).await.unwrap();
    reader
}

/// Adds facts with a word of its own each; returns their ids and words.
async fn told(store: &SqlStore, who: &str, count: usize) -> Vec<(MemoryId, String)> {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut all = Vec::new();
    for number in 0..count {
        let word = format!("secret-{who}-{number}-end");
        // Lengths differ, so that pages are split at different places, and some texts have pages of their own.
        let text = format!("{word} {}", "and so on ".repeat(number * 37 % 211 * (1 + number % 7)));
        let set = fixtures.adding(&owner(who), vec![fixtures.fact(&text)]);
        all.push((set.memories[0].memory.id, word));
        store.commit(&[set]).await.unwrap();
    }
    all
}

async fn erase(store: &SqlStore, who: &str, id: MemoryId) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let outcomes = store.commit(&[fixtures.erasing(&owner(who), vec![id])]).await.unwrap();
    assert!(matches!(outcomes[0], Ok(Outcome::Committed(_))), "{outcomes:?}");
}

#[tokio::test]
async fn an_erasure_without_readers_is_purged_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    for (id, word) in told(&store, "ann", 30).await {
        assert_eq!(found_in(directory.path(), std::slice::from_ref(&word)), [word.as_str()]);
        erase(&store, "ann", id).await;
        assert_eq!(store.purge_debt(), PurgeDebt::NONE);
        assert_eq!(found_in(directory.path(), &[word]), Vec::<String>::new());
    }
}

#[tokio::test]
async fn erased_rows_leave_no_copy_of_themselves_in_pages_that_were_split() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let owners: Vec<String> = (0..8).map(|number| format!("owner{number}")).collect();
    let mut all = Vec::new();
    for round in 0..150_usize {
        let mut sets = Vec::new();
        for who in &owners {
            let word = format!("secret-{who}-{round}-end");
            let text = format!("{word} {}", "and so on ".repeat((round * 31 + who.len()) % 97));
            let set = fixtures.adding(&owner(who), vec![fixtures.fact(&text)]);
            all.push((who.clone(), set.memories[0].memory.id, word));
            sets.push(set);
        }
        store.commit(&sets).await.unwrap();
    }
    let mut words = Vec::new();
    for some in all.chunks(150).step_by(2) {
        let sets: Vec<_> = some.iter().map(|(who, id, _)| fixtures.erasing(&owner(who), vec![*id])).collect();
        store.commit(&sets).await.unwrap();
        words.extend(some.iter().map(|(_, _, word)| word.clone()));
    }
    assert_eq!(store.purge_debt(), PurgeDebt::NONE);
    assert_eq!(found_in(directory.path(), &words), Vec::<String>::new());
}

fn log_bytes(directory: &Path) -> u64 {
    fs::metadata(directory.join(format!("{DATABASE_FILE}-wal"))).map_or(0, |log| log.len())
}

#[tokio::test]
async fn writes_begin_a_long_log_anew_and_a_later_erasure_leaves_no_byte_of_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let fixtures = Fixtures::for_store(&store).await.unwrap();
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    for number in 0..960_usize {
        let (who, word) = (format!("owner{}", number % 7), format!("secret-{number}-end"));
        let text = format!("{word} {}", "and so on ".repeat(number * 37 % 211 * (1 + number % 7)));
        let set = fixtures.adding(&owner(&who), vec![fixtures.fact(&text)]);
        let id = set.memories[0].memory.id;
        let outcomes = store.commit(&[set]).await.unwrap();
        assert!(matches!(outcomes[0], Ok(Outcome::Committed(_))), "{outcomes:?}");
        all.push((who, id, word));
        lengths.push(log_bytes(directory.path()));
    }
    assert!(lengths.is_sorted(), "without an erasure, the log is never truncated");
    assert!(lengths[959] > 16 << 20, "it has become long: {}", lengths[959]);
    assert!(lengths[959] < 24 << 20, "and is used again: {}", lengths[959]);
    assert_eq!(lengths[950], lengths[959]);
    let mut words = Vec::new();
    for (who, id, word) in all.into_iter().step_by(5) {
        let erased = store.commit(&[fixtures.erasing(&owner(&who), vec![id])]).await.unwrap();
        assert!(matches!(erased[0], Ok(Outcome::Committed(_))), "{erased:?}");
        words.push(word);
    }
    assert_eq!(store.purge_debt(), PurgeDebt::NONE);
    assert_eq!(found_in(directory.path(), &words), Vec::<String>::new());
}

#[tokio::test]
async fn erasures_under_readers_are_pending_until_the_readers_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let told = told(&store, "ann", 40).await;
    let words: Vec<String> = told.iter().map(|(_, word)| word.clone()).collect();
    let mut readers = Vec::new();
    let mut done = 0;
    for (count, (id, word)) in told.iter().enumerate() {
        if count % 8 == 3 {
            readers.push(snapshot(directory.path()).await);
        }
        if count % 16 == 15 {
            for reader in readers.drain(..) {
                reader.close().await.unwrap();
            }
        }
        erase(&store, "ann", *id).await;
        let debt = store.purge_debt();
        assert_eq!(debt.state == Purge::Pending, !readers.is_empty(), "{count}: {debt:?}");
        if debt.state == Purge::Done {
            done += 1;
            assert_eq!(found_in(directory.path(), &words[..=count]), Vec::<String>::new());
        } else {
            assert!(debt.erasures > 0 && debt.since.is_some(), "{debt:?}");
            assert_eq!(found_in(directory.path(), std::slice::from_ref(word)), [word.as_str()]);
        }
    }
    assert!(done > 0 && !readers.is_empty(), "both cases are tried");
    assert_eq!(store.purge(PurgeWait::None).await.unwrap().state, Purge::Pending);
    for reader in readers.drain(..) {
        reader.close().await.unwrap();
    }
    assert_eq!(store.purge(PurgeWait::None).await.unwrap(), PurgeDebt::NONE);
    assert_eq!(found_in(directory.path(), &words), Vec::<String>::new());
}

#[tokio::test]
async fn a_debt_is_announced_and_a_write_does_not_wait_for_long() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).await);
    let told = told(&store, "ann", 6).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), store.purge_due()).await.is_err(), "no debt");
    let reader = snapshot(directory.path()).await;
    let waiting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.purge_due().await })
    };
    let began = Instant::now();
    for (id, _) in &told {
        erase(&store, "ann", *id).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    reader.close().await.unwrap();
}

#[tokio::test]
async fn a_killed_process_leaves_no_erased_bytes_to_the_next_one() {
    let (directory, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(directory.path()).await;
    let told = told(&store, "ann", 10).await;
    let words: Vec<String> = told.iter().map(|(_, word)| word.clone()).collect();
    let _reader = snapshot(directory.path()).await;
    for (id, _) in &told {
        erase(&store, "ann", *id).await;
    }
    assert_eq!(store.purge_debt().state, Purge::Pending);
    // The files as a kill leaves them.
    for ending in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{ending}");
        fs::copy(directory.path().join(&name), left.path().join(&name)).unwrap();
    }
    assert_eq!(found_in(left.path(), &words), words);
    let store = open(left.path()).await;
    assert_eq!(store.purge_debt(), PurgeDebt::NONE);
    assert_eq!(found_in(left.path(), &words), Vec::<String>::new());
}

#[tokio::test]
async fn statistics_of_the_planner_keep_no_names() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let told = told(&store, "ann", 60).await;
    store.close().await;
    drop(store);
    let file = directory.path().join(DATABASE_FILE);
    let mut reader = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    let samples: Result<i64, _> =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_stat4").fetch_one(&mut reader).await;
    assert_eq!(samples.unwrap_or(0), 0);
    reader.close().await.unwrap();
    assert_eq!(found_in(directory.path(), &[told[0].1.clone()]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_holds_nothing_that_was_erased_before_it_was_finished() {
    let (directory, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(open(directory.path()).await);
    let told = told(&store, "ann", 300).await;
    let (gone, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let erasing = {
        let (store, gone, stop) = (Arc::clone(&store), Arc::clone(&gone), Arc::clone(&stop));
        tokio::spawn(async move {
            for (id, word) in told {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                erase(&store, "ann", id).await;
                gone.lock().push(word);
            }
        })
    };
    for number in 0..6 {
        let file = to.path().join(format!("copy{number}"));
        store.copy_to(&file).await.unwrap();
        let words = gone.lock().clone();
        // What was acknowledged between the end of the copy and this line is younger than the copy.
        let found: Vec<String> = found_in(to.path(), &words);
        let younger = words.len().saturating_sub(found.len());
        assert!(found.iter().all(|word| words[younger..].contains(word)), "{found:?}");
        assert!(found.len() <= 2, "{found:?}");
        fs::remove_file(file).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    erasing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_while_a_copy_is_made() {
    let (directory, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(open(directory.path()).await);
    let fixtures = Fixtures::for_store(&*store).await.unwrap();
    let text = "sixty-four KiB of text, again and again ".repeat(1_600);
    for _ in 0..80 {
        let facts = (0..20).map(|_| {
            let mut fact = fixtures.fact("long");
            fact.memory.text.clone_from(&text); // without counting its tokens
            fact
        });
        let facts = facts.collect();
        store.commit(&[fixtures.adding(&owner("ann"), facts)]).await.unwrap();
    }
    let is_copied = Arc::new(AtomicBool::new(false));
    let file = to.path().join("copy");
    let copying = {
        let (store, is_copied, file) = (Arc::clone(&store), Arc::clone(&is_copied), file.clone());
        tokio::spawn(async move {
            let began = Instant::now();
            store.copy_to(&file).await.unwrap();
            is_copied.store(true, Ordering::Relaxed);
            began.elapsed()
        })
    };
    let (mut during, mut longest) = (0, Duration::ZERO);
    while !is_copied.load(Ordering::Relaxed) {
        let began = Instant::now();
        let set = fixtures.adding(&owner("bob"), vec![fixtures.fact("short")]);
        store.commit(&[set]).await.unwrap();
        during += 1;
        longest = longest.max(began.elapsed());
    }
    let took = copying.await.unwrap();
    let bytes = fs::metadata(&file).unwrap().len();
    println!("{bytes} bytes in {took:?}; {during} commits meanwhile, the longest took {longest:?}");
    assert!(during > 1, "a copy holds up no write");
}
