//! Outputs that cannot be written: a log on a full disk, a closed pipe. The service goes on, and commands end as documented.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use engrain::wire::{AddMemories, NewMemory, Scope};

use crate::process::ServerProcess;

/// Outputs whose every write fails.
fn unwritable() -> Vec<Stdio> {
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let mut outputs = vec![Stdio::from(closed)];
    // Only Linux has it.
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        outputs.push(Stdio::from(full));
    }
    outputs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_stops_nothing() {
    for log in unwritable() {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerProcess::start_logging_to(directory.path(), log).await;
        let scope = Scope::user("ann");
        for number in 0..3 {
            let memories = vec![NewMemory { text: format!("memory {number}"), ..NewMemory::default() }];
            let request = AddMemories { scope: scope.clone(), memories, ..AddMemories::default() };
            let added = server.client.add_memories(&request).await.unwrap();
            server.client.delete_memory(added.memory_ids[0]).await.unwrap();
        }
        // A refusal and a path that is not there are logged too.
        server.client.add_memories(&AddMemories::default()).await.unwrap_err();
        assert!(server.client.ready().await.is_ok());
    }
}

#[test]
fn commands_whose_notes_cannot_be_written_end_with_their_status() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], notes: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
        command.env("ENGRAIN_MODEL__EMBEDDER", "hashing").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(notes).status().unwrap()
    };
    let data = directory.path().join("data");
    let data_dir: &str = Path::to_str(&data).unwrap();
    let listing: &[&str] = &["--data-dir", data_dir, "list", "--user", "ann"];
    let recalling: &[&str] = &["--data-dir", data_dir, "recall", "--user", "ann", "tea"];
    let wrong: &[&str] = &["no-such-command"];
    let missing: &[&str] = &["--data-dir", data_dir, "import", "no-such-file"];
    for (arguments, expected) in [(listing, Some(0)), (recalling, Some(0)), (wrong, Some(2)), (missing, None)]
    {
        for notes in unwritable() {
            let status = run(arguments, notes);
            assert_eq!(status.signal(), None, "{arguments:?}");
            assert!(status.code().is_some_and(|code| code <= 6), "{arguments:?}: {status}");
            assert!(
                expected.is_none_or(|expected| status.code() == Some(expected)),
                "{arguments:?}: {status}"
            );
        }
    }
}
