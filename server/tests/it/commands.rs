//! Commands as real processes: the choice of the store they act on, and the backups they restore. A store or file that
//! a command refuses must stay unchanged.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::ServerProcess;
use engrain::Client;
use engrain::wire::{AddMemories, ListMemories, NewMemory, Scope};
use memory_core::store::sql::DirectoryLock;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The name of the database in a data directory.
const DATABASE: &str = "engrain.db";
/// The name of a server's announcement there.
const ANNOUNCEMENT: &str = "server.json";

/// Runs a command over a data directory to its end.
pub(crate) fn engrain(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
    command.env("ENGRAIN_MODEL__EMBEDDER", "hashing").arg("--data-dir").arg(data_dir);
    command.args(arguments).output().unwrap()
}

pub(crate) fn said(output: &Output) -> (Option<i32>, String) {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), format!("{out}{error}"))
}

async fn remember(client: &Client, text: &str) {
    let memory = NewMemory { text: text.to_owned(), ..NewMemory::default() };
    let request = AddMemories { scope: Scope::user("u1"), memories: vec![memory], ..AddMemories::default() };
    client.add_memories(&request).await.unwrap();
}

async fn texts(client: &Client) -> Vec<String> {
    let list = ListMemories { scope: Scope::user("u1"), ..ListMemories::default() };
    client.list_memories(&list).await.unwrap().memories.into_iter().map(|memory| memory.text).collect()
}

fn announcement(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join(ANNOUNCEMENT)).unwrap()).unwrap()
}

fn address(directory: &Path) -> String {
    announcement(directory)["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned()
}

const ERASE: [&str; 5] = ["delete", "--user", "u1", "--all", "-y"];

#[tokio::test]
async fn a_command_does_not_trust_the_server_that_took_a_killed_ones_address() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let killed = ServerProcess::start(a.path()).await;
    remember(&killed.client, "of A").await;
    let address = address(a.path());
    killed.kill();
    assert!(a.path().join(ANNOUNCEMENT).exists(), "a killed server leaves its announcement behind");
    let other = ServerProcess::start_at(b.path(), &address).await;
    remember(&other.client, "of B").await;

    let (status, told) = said(&engrain(a.path(), &ERASE));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("removed server.json") && told.contains("erased 1 memories"), "{told}");
    assert_eq!(texts(&other.client).await, ["of B"]);
    let (_, listed) = said(&engrain(a.path(), &["list", "--user", "u1"]));
    assert!(!listed.contains("of A") && !listed.contains("of B"), "{listed}");
    assert_eq!(texts(&other.client).await, ["of B"]);
}

#[tokio::test]
async fn a_command_acts_on_its_own_directory_if_the_announcement_was_copied_from_another() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ServerProcess::start(a.path()).await.kill();
    let other = ServerProcess::start(b.path()).await;
    remember(&other.client, "of B").await;
    std::fs::copy(b.path().join(ANNOUNCEMENT), a.path().join(ANNOUNCEMENT)).unwrap();

    let (status, told) = said(&engrain(a.path(), &ERASE));
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(texts(&other.client).await, ["of B"]);
}

#[tokio::test]
async fn every_command_refuses_a_locked_directory_whose_server_does_not_answer() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = ServerProcess::start(b.path()).await;
    remember(&other.client, "of B").await;
    let held = DirectoryLock::take(a.path()).unwrap();
    let (copy, out) = (a.path().join("copy.db"), a.path().join("out.db"));
    assert_eq!(said(&engrain(b.path(), &["backup", copy.to_str().unwrap()])).0, Some(0));

    let foreign = json!({"instance": "0190b6a5-0000-7000-8000-000000000001"});
    let mut stale = announcement(b.path());
    stale["instance"] = foreign["instance"].clone();
    let mut of_an_earlier_version = announcement(b.path());
    of_an_earlier_version.as_object_mut().unwrap().remove("instance");
    let commands: [&[&str]; 6] = [
        &ERASE,
        &["list", "--user", "u1"],
        &["remember", "--user", "u1", "more"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["restore", copy.to_str().unwrap(), "--force"],
        &["backup", out.to_str().unwrap()],
    ];
    for (content, reason) in [
        (stale.to_string(), "nothing was asked of it"),
        (of_an_earlier_version.to_string(), "missing field `instance`"),
        (stale.to_string()[..20].to_owned(), "cannot be read"),
        (String::new(), "cannot be read"),
    ] {
        std::fs::write(a.path().join(ANNOUNCEMENT), &content).unwrap();
        for command in commands {
            let (status, told) = said(&engrain(a.path(), command));
            assert_eq!(status, Some(3), "{command:?}: {told}");
            assert!(told.contains(reason), "{command:?}: {told}");
        }
        let (status, told) = said(&engrain(a.path(), &["doctor"]));
        assert!(status == Some(1) && told.contains(reason), "{told}");
        assert_eq!(std::fs::read_to_string(a.path().join(ANNOUNCEMENT)).unwrap(), content);
    }
    assert_eq!(texts(&other.client).await, ["of B"]);
    assert!(!a.path().join(DATABASE).exists());

    // Somebody who names a server means that server.
    let url = format!("http://{}", address(b.path()));
    let (status, told) = said(&engrain(a.path(), &[&["--server", url.as_str()], &ERASE[..]].concat()));
    assert_eq!(status, Some(0), "{told}");
    assert!(texts(&other.client).await.is_empty());
    drop(held);
}

#[tokio::test]
async fn a_command_uses_the_server_that_has_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    remember(&server.client, "kept").await;
    assert_eq!(
        announcement(directory.path())["instance"],
        server.client.health().await.unwrap().instance.unwrap().to_string()
    );
    let (status, told) = said(&engrain(directory.path(), &ERASE));
    assert_eq!((status, told.as_str()), (Some(0), "erased 1 memories, of which 1 matched\n"));
    assert!(texts(&server.client).await.is_empty());
}

/// A store with one memory, closed, and what it consists of.
fn store(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (status, told) = said(&engrain(directory.path(), &["remember", "--user", "u1", text]));
    assert_eq!(status, Some(0), "{told}");
    directory
}

/// Files below a directory, with their bytes; folders count as empty ones.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(self::contents(&path));
            contents.push((path, Vec::new()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            contents.push((path, bytes));
        }
    }
    contents.sort();
    contents
}

async fn sql(file: &Path, statements: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Files that are no store this version can open, with what is said of each.
async fn no_stores(folder: &Path, copy: &Path) -> Vec<(PathBuf, &'static str)> {
    let whole = std::fs::read(copy).unwrap();
    let (page, half) = (8192, whole.len() / 2);
    let mut overwritten = whole.clone();
    overwritten[page * 3..page * 6].fill(0xa5);
    let mut files = Vec::new();
    for (name, bytes, reason) in [
        ("empty.db", &b""[..], "the file is empty"),
        ("text.db", b"Dear diary, this is not a database", "the file is not an SQLite database"),
        ("header.db", &whole[..50], "the file is damaged"),
        ("half.db", &whole[..half], "the file is damaged"),
        ("overwritten.db", &overwritten, "the file is damaged"),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
        files.push((folder.join(name), reason));
    }
    let foreign = folder.join("foreign.db");
    sql(&foreign, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')").await;
    files.push((foreign, "but not a store of Engrain"));
    let newer = folder.join("newer.db");
    std::fs::copy(copy, &newer).unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9001, 'later', true, x'01', 0)";
    sql(&newer, later).await;
    files.push((newer, "a newer version of Engrain"));
    let open = folder.join("open.db");
    std::fs::copy(copy, &open).unwrap();
    std::fs::write(folder.join("open.db-wal"), "what was written last").unwrap();
    files.push((open, "a part of its contents is in"));
    let directory = folder.join("directory.db");
    std::fs::create_dir(&directory).unwrap();
    files.push((directory, "it is a directory"));
    files.push((folder.join("none.db"), "cannot be read"));
    files
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_not_restored_and_the_store_is_unchanged() {
    let directory = store("in place");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    assert_eq!(said(&engrain(directory.path(), &["backup", copy.to_str().unwrap()])).0, Some(0));
    // A log beside the database belongs to what is there, too.
    std::fs::write(directory.path().join("engrain.db-wal"), "").unwrap();
    let before = contents(directory.path());
    for (file, reason) in no_stores(folder.path(), &copy).await {
        let given = file.is_file().then(|| std::fs::read(&file).unwrap());
        let (status, told) =
            said(&engrain(directory.path(), &["restore", "--force", file.to_str().unwrap()]));
        assert_eq!(status, Some(1), "{}: {told}", file.display());
        assert!(told.contains(reason) && told.contains(file.to_str().unwrap()), "{}: {told}", file.display());
        assert!(contents(directory.path()) == before, "{} changed what was there", file.display());
        assert!(given == file.is_file().then(|| std::fs::read(&file).unwrap()), "{}", file.display());
    }
    let (status, told) = said(&engrain(directory.path(), &["restore", copy.to_str().unwrap()]));
    assert!(status == Some(2) && told.contains("--force replaces it"), "{told}");
    assert!(contents(directory.path()) == before);
}

#[tokio::test]
async fn backups_of_this_and_earlier_versions_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (of_this, unmarked) = (folder.path().join("copy.db"), folder.path().join("unmarked.db"));
    let source = store("of the copy");
    assert_eq!(said(&engrain(source.path(), &["backup", of_this.to_str().unwrap()])).0, Some(0));
    std::fs::copy(&of_this, &unmarked).unwrap();
    sql(&unmarked, "PRAGMA application_id = 0").await;
    let mut copies = vec![(of_this, "u1", "of the copy"), (unmarked, "u1", "of the copy")];
    for packed in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")).unwrap() {
        let packed = packed.unwrap().path();
        let file = folder.path().join(packed.file_stem().unwrap());
        let mut reader = flate2::read::GzDecoder::new(std::fs::File::open(packed).unwrap());
        std::io::copy(&mut reader, &mut std::fs::File::create(&file).unwrap()).unwrap();
        copies.push((file, "ann", "Beagles need long walks"));
    }
    assert!(copies.len() > 2);
    for (file, user, text) in copies {
        let directory = store("replaced");
        let (status, told) =
            said(&engrain(directory.path(), &["restore", "--force", file.to_str().unwrap()]));
        assert!(status == Some(0) && told.contains("restored"), "{}: {told}", file.display());
        let header = std::fs::read(directory.path().join(DATABASE)).unwrap();
        assert_eq!(&header[68..72], b"ENGR", "{}", file.display());
        let (_, listed) = said(&engrain(directory.path(), &["list", "--user", user]));
        assert!(listed.contains(text), "{}: {listed}", file.display());
        let (_, listed) = said(&engrain(directory.path(), &["list", "--user", "u1"]));
        assert!(!listed.contains("replaced"), "{listed}");
    }
}

#[test]
fn arguments_that_the_server_refuses_end_with_status_2() {
    let directory = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 3] = [
        &["digests", "--user", "u1", "--from", "2023-13-01"],
        &["digests"],
        &["grant", "give", "--user", "u1", "--to-agent", "planner"],
    ];
    for command in commands {
        let (status, told) = said(&engrain(directory.path(), command));
        assert_eq!(status, Some(2), "{command:?}: {told}");
    }
}
