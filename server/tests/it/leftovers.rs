//! Leftovers of killed commands and servers: no file of theirs outlives the next start or the next command, other
//! users of the machine can read nothing, and an interrupted restore loses nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use engrain::wire::{AddTurns, NewTurn, Role, Scope};

use crate::process::ServerProcess;

fn engrain(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
    command.args(["--data-dir".as_ref(), directory.as_os_str()]).args(arguments);
    command
        .env("ENGRAIN_MODEL__EMBEDDER", "hashing")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Names in a folder that begin like temporary files.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with('.')).collect()
}

async fn fill(server: &ServerProcess, turns: usize) {
    let text = "a long sentence that takes its place in the file ".repeat(40);
    for batch in 0..turns / 50 {
        let turns =
            (0..50).map(|number| NewTurn::new(Role::User, format!("{batch} {number} {text}"))).collect();
        let request = AddTurns { scope: Scope::user("mara"), turns, ..AddTurns::default() };
        server.client.add_turns(&request).await.unwrap();
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_backups_exports_and_restores_leave_nothing_to_the_next_ones() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let server = ServerProcess::start(&data).await;
    fill(&server, 1_000).await;
    let whole = out.path().join("whole.db");
    let whole_text = whole.to_str().unwrap();
    assert!(engrain(&data, &["backup", whole_text]).status().unwrap().success());
    let (backup, export) = (out.path().join("b.db"), out.path().join("e.jsonl"));
    let mut seen = 0;
    for round in 0..8_u64 {
        for arguments in [
            ["backup", "--force", backup.to_str().unwrap()].as_slice(),
            ["export", "--user", "mara", "-o", export.to_str().unwrap()].as_slice(),
        ] {
            let mut process = engrain(&data, arguments).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(10 + round * 17)).await;
            let _ = process.kill();
            process.wait().unwrap();
            seen += left_in(out.path()).len();
            assert!(left_in(out.path()).len() <= 1, "each command deletes what the one before left");
        }
    }
    assert!(engrain(&data, &["backup", "--force", backup.to_str().unwrap()]).status().unwrap().success());
    assert_eq!(left_in(out.path()), Vec::<PathBuf>::new(), "{seen} files were left in between");
    server.kill();

    for round in 0..8_u64 {
        let mut process = engrain(&data, &["restore", "--force", whole_text]).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(5 + round * 13)).await;
        let _ = process.kill();
        process.wait().unwrap();
    }
    let server = ServerProcess::start(&data).await;
    assert_eq!(left_in(&data), Vec::<PathBuf>::new());
    let owners = server.client.owners(None, None).await.unwrap();
    assert_eq!(owners.owners[0].memories, 1_000, "the old store or the restored one, which are equal");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_readable_by_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = ServerProcess::start(&data).await;
    fill(&server, 50).await;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    let copy = folder.path().join("copy.db");
    assert!(engrain(&data, &["backup", copy.to_str().unwrap()]).status().unwrap().success());
    assert_eq!(mode(&copy), 0o600);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_open_to_others_is_closed_at_the_next_start() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = ServerProcess::start(&data).await;
    fill(&server, 50).await;
    server.kill();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&data, 0o755);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        set(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let foreign = data.join("notes.txt");
    fs::write(&foreign, "of somebody else").unwrap();
    set(&foreign, 0o644);
    let server = ServerProcess::start(&data).await;
    assert_eq!((mode(&data.join("engrain.db")), mode(&data.join("engrain.db-wal"))), (0o600, 0o600));
    assert_eq!((mode(&data), mode(&foreign)), (0o755, 0o644), "a shared directory and foreign files stay");
    server.kill();
    fs::remove_file(&foreign).unwrap();
    let _server = ServerProcess::start(&data).await;
    assert_eq!(mode(&data), 0o700);
}
