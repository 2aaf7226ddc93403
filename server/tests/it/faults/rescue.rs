//! Rescue of what a damaged store still holds: exports go on beside damaged pages, keep what they wrote, and say what is
//! missing. Damaged cells stop nobody, and a start names what it cannot decode.

use std::fs;
use std::path::Path;

use memory_core::store::sql::MARK_FILE;
use sqlx::{AssertSqlSafe, Connection as _};

use super::ledger::{Ledger, by_word};
use super::watched::{Started, Watched};
use crate::commands::{engrain, said};

const DATABASE: &str = "engrain.db";
const PAGE: usize = 8_192;
const MEMORIES: usize = 400;
/// Exit status of a store that is damaged, incomplete or of a newer version.
const DAMAGED: i32 = 6;

/// A closed store of one user.
async fn store(data: &Path, memories: usize) -> Ledger {
    let mut ledger = Ledger::default();
    let server = Watched::start(data, "hashing").await;
    ledger.write(&server.client, "mara", memories).await;
    ledger.write(&server.client, "tom", 20).await;
    assert!(server.stop().await.0.success());
    ledger
}

/// Overwrites the pages that hold a text.
fn overwrite(data: &Path, text: &str) {
    let path = data.join(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    let mut hurt = 0;
    for page in bytes.chunks_exact_mut(PAGE).skip(1) {
        if page.windows(text.len()).any(|window| window == text.as_bytes()) {
            page.fill(0xa5);
            hurt += 1;
        }
    }
    assert!(hurt > 0, "no page has {text}");
    fs::write(path, bytes).unwrap();
}

fn records(exported: &str) -> usize {
    exported.lines().filter(|line| line.contains("\"record\":\"memory\"")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_beside_damaged_pages_keeps_what_it_read_and_exits_with_6() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ledger = store(&data, MEMORIES).await;
    let (_, text) = ledger.kept.values().filter(|(user, _)| user == "mara").nth(MEMORIES / 2).unwrap();
    overwrite(&data, text);

    let file = folder.path().join("mara.jsonl");
    let (status, told) = said(&engrain(&data, &["export", "--user", "mara", "-o", file.to_str().unwrap()]));
    assert_eq!(status, Some(DAMAGED), "{told}");
    assert!(told.contains("cannot be read") && told.contains("mara.jsonl"), "{told}");
    let exported = fs::read_to_string(&file).unwrap();
    let count = records(&exported);
    assert!((MEMORIES / 2..MEMORIES).contains(&count), "{count}");
    let end = exported.lines().last().unwrap();
    assert!(
        end.contains("\"end\"") && end.contains(&format!("\"unreadable\":{}", MEMORIES - count)),
        "{end}"
    );
    let output = engrain(&data, &["export"]);
    assert_eq!(output.status.code(), Some(DAMAGED));
    assert_eq!(records(&String::from_utf8_lossy(&output.stdout)), count + 20, "the other user is whole");

    // The file that was kept can be imported.
    let other = folder.path().join("other");
    let (status, told) = said(&engrain(&other, &["import", file.to_str().unwrap()]));
    assert_eq!(status, Some(0), "{told}");

    let server = Watched::start(&data, "auto").await;
    server.client.ready().await.unwrap();
    let (status, told) = said(&engrain(&data, &["export", "--user", "mara"]));
    assert_eq!(status, Some(DAMAGED), "{told}");
    assert_eq!(server.client.ready().await.unwrap_err().code(), Some("store_damaged"));
    // The doctor reads its report all the same.
    let (status, told) = said(&engrain(&data, &["doctor"]));
    assert!(status == Some(1) && told.contains("(database, "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_that_loses_its_database_does_not_come_up_empty() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    store(&data, 3).await;
    let backup = folder.path().join("b.db");
    let backup = backup.to_str().unwrap();
    assert_eq!(said(&engrain(&data, &["backup", backup])).0, Some(0));
    assert_eq!(said(&engrain(&data, &["restore", backup, "--force"])).0, Some(0));
    assert!(data.join(MARK_FILE).exists());
    let server = Watched::start(&data, "auto").await;
    assert!(!server.client.recall(&by_word("mara", "says")).await.unwrap().memories.is_empty());
    assert!(server.stop().await.0.success());
    fs::remove_file(data.join(DATABASE)).unwrap();
    match Watched::try_start(&data, "auto").await {
        Started::Ready(server) => panic!("it was served\n{}", server.log()),
        Started::Refused { status, log } => {
            assert_eq!(status, Some(DAMAGED), "{log}");
            assert!(log.contains(DATABASE), "{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_be_decoded_is_named_at_the_start_with_status_6() {
    for name in ["commits", "embedder_in_use"] {
        for value in ["'x'", "X'ff00'"] {
            let folder = tempfile::tempdir().unwrap();
            store(folder.path(), 1).await;
            let url = format!("sqlite://{}", folder.path().join(DATABASE).display());
            let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let damage = format!("UPDATE settings SET value = {value} WHERE name = '{name}'");
            sqlx::raw_sql(AssertSqlSafe(damage)).execute(&mut raw).await.unwrap();
            raw.close().await.unwrap();
            match Watched::try_start(folder.path(), "auto").await {
                Started::Ready(_) => panic!("{name} = {value} was served"),
                Started::Refused { status, log } => {
                    assert_eq!(status, Some(DAMAGED), "{log}");
                    assert!(log.contains(&format!("settings.value of {name}")), "{log}");
                }
            }
        }
    }
}
