//! A disk that is full, and is not any more. Needs the right to mount a tmpfs; without it the tests are skipped aloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use engrain::Client;
use engrain::wire::{AddMemories, AddedMemories, NewMemory, Scope};
use tempfile::TempDir;

use super::ledger::{Ledger, PATIENCE, by_word, files, listed, word_of};
use super::watched::Watched;
use crate::commands::{engrain, said};

/// Size of the disk.
const DISK: &str = "size=14m";
/// Bytes that something else takes on it at first.
const BALLAST: usize = 3 << 20;
/// Length of the texts that fill it. Each is embedded within its request.
const LENGTH: usize = 20_000;
/// Maximum number of requests that fill it.
const REQUESTS: usize = 10_000;

/// A small file system of its own. It is unmounted when the value is dropped.
struct Disk(TempDir);

impl Disk {
    /// None, with a printed line, where none can be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(folder)),
            failed => {
                println!("SKIPPED: a full disk is not tried, because no tmpfs can be mounted: {failed:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

async fn add(client: &Client, number: usize) -> Result<AddedMemories, engrain::Error> {
    let text = format!("filler{number}q {}", "takes place ".repeat(LENGTH / 12));
    let memory = NewMemory { text, ..NewMemory::default() };
    client
        .add_memories(&AddMemories {
            scope: Scope::user("filler"),
            memories: vec![memory],
            ..AddMemories::default()
        })
        .await
}

/// Writes until the disk is full; returns the number of written memories.
async fn fill(client: &Client) -> usize {
    for number in 0..REQUESTS {
        if let Err(error) = add(client, number).await {
            assert_is_full(&error);
            return number;
        }
    }
    panic!("the disk is never full");
}

/// Reads go on.
async fn assert_reads(client: &Client, ledger: &Ledger, context: &str) {
    let there = listed(client, "mara").await;
    for (id, (_, text)) in &ledger.kept {
        assert_eq!(there.get(id), Some(text), "{context}");
    }
    let (_, (user, text)) = ledger.kept.first_key_value().unwrap();
    let found = client.recall(&by_word(user, word_of(text))).await.unwrap();
    assert_eq!(found.memories[0].memory.text, *text, "{context}");
}

/// An erasure on a full disk takes place, or is refused with the documented code and changes nothing.
async fn assert_erases_or_says_why(client: &Client, ledger: &mut Ledger, context: &str) {
    let id = *ledger.kept.keys().next().unwrap();
    match client.delete_memory(id).await {
        Ok(_) => {
            let doubted = ledger.doubt(id);
            ledger.erased.push(doubted);
            assert_eq!(client.memory(id).await.unwrap_err().code(), Some("not_found"), "{context}");
        }
        Err(error) => assert_is_full(&error),
    }
    assert_reads(client, ledger, context).await;
}

fn assert_is_full(error: &engrain::Error) {
    assert_eq!((error.code(), error.status()), (Some("storage_full"), Some(507)), "{error:?}");
}

async fn assert_is_read_only(client: &Client) {
    let ready = client.ready().await.unwrap();
    assert_eq!((ready.status.as_str(), ready.read_only.as_deref()), ("read_only", Some("storage_full")));
}

/// Copies onto the full disk fail, say why, and leave nothing there.
fn assert_no_copies(disk: &Disk) {
    let copies = disk.path().join("copies");
    fs::create_dir(&copies).unwrap();
    for (arguments, name) in [(["backup"].as_slice(), "b.db"), (&["export", "--user", "filler", "-o"], "e")] {
        let target = copies.join(name);
        let arguments = [arguments, &[target.to_str().unwrap()]].concat();
        let (status, told) = said(&engrain(&disk.data(), &arguments));
        assert!(!matches!(status, None | Some(0)), "{arguments:?}: {status:?}, {told}");
        let told = told.to_lowercase();
        assert!(told.contains("full") || told.contains("no space"), "{arguments:?}: {told}");
        assert_eq!(files(&copies), Vec::<PathBuf>::new(), "{arguments:?}");
    }
    fs::remove_dir(copies).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_serves_reads_and_passes_without_a_restart() {
    let Some(disk) = Disk::mount() else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1_u8; BALLAST]).unwrap();
    let mut ledger = Ledger::default();
    let server = Watched::start(&disk.data(), "hashing").await;
    ledger.write(&server.client, "mara", 50).await;
    let written = fill(&server.client).await;
    assert!(written > 10, "{written}");
    for _ in 0..8 {
        // A small write still fits: it does not make the disk writable.
        assert_is_read_only(&server.client).await;
        assert_is_full(&add(&server.client, REQUESTS).await.unwrap_err());
    }
    assert_is_read_only(&server.client).await;
    assert_reads(&server.client, &ledger, "full").await;
    assert_erases_or_says_why(&server.client, &mut ledger, "full").await;
    assert_eq!(listed(&server.client, "filler").await.len(), written, "acknowledged ones, and no other");

    // Full to the last byte, as another program leaves it.
    let rest = disk.path().join("rest");
    let _ = fs::write(&rest, vec![1_u8; 32 << 20]);
    assert_no_copies(&disk);
    server.kill();
    let server = Watched::start(&disk.data(), "auto").await;
    assert_reads(&server.client, &ledger, "restarted").await;
    assert_eq!(listed(&server.client, "filler").await.len(), written);
    // The reserve of the store was given up for the start, and takes some.
    let more = fill(&server.client).await;
    assert_is_read_only(&server.client).await;
    assert_erases_or_says_why(&server.client, &mut ledger, "full and restarted").await;
    assert_eq!(listed(&server.client, "filler").await.len(), written + more);

    fs::remove_file(&rest).unwrap();
    fs::remove_file(&ballast).unwrap();
    let began = Instant::now();
    while let Err(error) = add(&server.client, REQUESTS).await {
        assert!(began.elapsed() < PATIENCE, "{error:?}\n{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(server.client.ready().await.unwrap().read_only, None);
    let id = ledger.write(&server.client, "mara", 20).await[0];
    ledger.erase(&server.client, id).await;
    ledger.verify(&server, &disk.data(), "free again").await;
}
