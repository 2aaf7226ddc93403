//! Undo of changes through every layer: a real server process, driven by the SDK and by the command line.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::process::Command;

use crate::process::ServerProcess;
use engrain::formats::CanonicalExport;
use engrain::wire::{
    AddMemories, EditMemory, JobState, MemoryVersion, NewMemory, ReindexRequest, Scope, UndoChange, UndoJob,
    Undone,
};
use engrain::{Client, Error};
use futures::TryStreamExt;
use uuid::Uuid;

async fn add(client: &Client, text: &str, sources: Vec<Uuid>) -> Uuid {
    let memory = NewMemory { text: text.to_owned(), sources, ..NewMemory::default() };
    let request = AddMemories { scope: Scope::user("ann"), memories: vec![memory], ..AddMemories::default() };
    client.add_memories(&request).await.unwrap().memory_ids[0]
}

async fn canonical(client: &Client) -> String {
    let mut canonical = CanonicalExport::default();
    for line in client.export(&Scope::default()).try_collect::<Vec<_>>().await.unwrap() {
        canonical.push(line).unwrap();
    }
    canonical.finish()
}

/// An edit of a memory, and a memory made of the edited one.
async fn edited_and_built_on(client: &Client, id: Uuid) -> Uuid {
    let edit = EditMemory {
        text: Some("Ann lives in Lisbon".to_owned()),
        tags: Some(vec!["home".to_owned()]),
        ..EditMemory::default()
    };
    client.edit_memory(id, &edit).await.unwrap();
    add(client, "Ann lives by the sea", vec![id]).await
}

#[tokio::test]
async fn a_change_and_what_was_built_on_it_are_undone() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    let id = add(client, "Ann lives in Porto", vec![]).await;
    add(client, "Ann likes tea", vec![id]).await;
    let before = canonical(client).await;
    let derived = edited_and_built_on(client, id).await;

    let change = UndoChange { version: Some(2), ..UndoChange::default() };
    match client.undo_change(id, &change).await {
        Err(Error::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (409, "undo_has_dependents"));
            assert_eq!(problem.memory_ids, [derived]);
        }
        other => panic!("{other:?}"),
    }
    let dry = client.undo_change(id, &UndoChange { dry_run: true, ..change }).await.unwrap();
    let with_dependents = UndoChange { with_dependents: true, ..change };
    let undone = client.keyed("k").undo_change(id, &with_dependents).await.unwrap();
    assert_eq!(undone.purge, Some(engrain::wire::Purge::Done));
    assert_eq!(dry, Undone { done: false, purge: None, ..undone.clone() });
    assert_eq!(undone.restored, [MemoryVersion { memory_id: id, version: 3 }]);
    assert_eq!((&undone.erased, undone.dependents.len()), (&vec![derived], 1));
    assert_eq!(canonical(client).await, before);
    assert_eq!(client.undo_change(id, &with_dependents).await.unwrap(), Undone::default());
    let repeated = client.keyed("k").undo_change(id, &with_dependents).await.unwrap();
    assert!(repeated.repeated);
    assert_eq!((repeated.restored, repeated.erased), (undone.restored, undone.erased));
    let check = client.check(&engrain::wire::CheckRequest::default()).await.unwrap();
    assert_eq!(check.findings, []);

    let mut job = client.reindex(&ReindexRequest { embedder: "hashing".to_owned() }).await.unwrap();
    while !job.state.is_over() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        job = client.job(job.id).await.unwrap();
    }
    assert_eq!(job.state, JobState::Done);
    let undone = client.undo_job(job.id, &UndoJob::default()).await.unwrap();
    assert_eq!(undone, Undone::default(), "it made no memories");
}

#[tokio::test]
async fn the_command_undoes_and_lists_what_was_built_on_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let id = add(&server.client, "Ann lives in Porto", vec![]).await;
    let derived = edited_and_built_on(&server.client, id).await;
    let undo = |options: &[&str]| {
        let id = id.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
        command.arg("--data-dir").arg(directory.path()).args(["undo", "memory", &id]).args(options);
        let output = command.output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (status, refused) = undo(&[]);
    assert_eq!(status, Some(1));
    assert!(refused.contains("--with-dependents") && refused.contains(&derived.to_string()), "{refused}");
    let (status, planned) = undo(&["--version", "2", "--dry-run"]);
    assert_eq!(
        (status, planned.contains(&format!("would restore {id} as version 3"))),
        (Some(0), true),
        "{planned}"
    );
    let (status, done) = undo(&["--with-dependents"]);
    assert_eq!((status, done.contains(&format!("erased {derived}"))), (Some(0), true), "{done}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
    let export =
        command.arg("--data-dir").arg(directory.path()).args(["export", "--canonical"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&export.stdout), canonical(&server.client).await);
}
