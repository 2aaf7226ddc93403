//! Undo of one evolution: every touched note is as it was, and the store is one in which the job found nothing.

use std::path::Path;
use std::time::Duration;

use engrain::client::JobQuery;
use engrain::wire::{Job, UndoJob};
use futures::TryStreamExt;

use super::super::state::{memories, settled};
use super::kills::canonical;
use super::told::note_of;
use super::{Script, copy, say, start, variables};
use crate::process::ServerProcess;
use uuid::Uuid;

/// Mark of the turn whose note makes others evolve.
const LAST: &str = "zqfence";

/// A store with three notes, and a turn of which everything but the note has been made. Returns the memories of its turns.
async fn before_the_last_note(directory: &Path) -> Vec<Uuid> {
    let model = start(Script { hangs_at: Some(LAST), ..Script::default() }).await;
    let server = ServerProcess::start_in(directory, &variables(&model)).await;
    let client = &server.client;
    let mut turns = Vec::new();
    for place in 0..3 {
        turns.push(say(client, place).await);
        settled(client).await;
    }
    turns.push(say(client, 3).await);
    for _ in 0..2_000 {
        let jobs: Vec<Job> = client.all_jobs(JobQuery::default()).try_collect().await.unwrap();
        let others = jobs.iter().filter(|job| job.kind != "notes" && !job.state.is_over()).count();
        let is_asked =
            model.requests().iter().any(|it| it.schema_name() == "analyse" && it.user().contains(LAST));
        if others == 0 && is_asked {
            server.kill();
            return turns;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("other jobs wait for the notes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undo_of_an_evolution_job_restores_every_note_that_it_touched() {
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let turns = before_the_last_note(first.path()).await;
    copy(first.path(), second.path());

    let blind = start(Script { blind_to: Some(LAST), ..Script::default() }).await;
    let server = ServerProcess::start_in(second.path(), &variables(&blind)).await;
    settled(&server.client).await;
    let expected = canonical(&server.client).await;
    let expected_notes = memories(&server.client).await;
    server.kill();

    let seeing = start(Script::default()).await;
    let server = ServerProcess::start_in(first.path(), &variables(&seeing)).await;
    let client = &server.client;
    settled(client).await;
    let all = memories(client).await;
    for turn in &turns[..3] {
        let (before, after) = (note_of(&expected_notes, *turn), note_of(&all, *turn));
        assert!(after.context.as_ref().is_some_and(|context| context.contains(LAST)), "{after:?}");
        assert_eq!((before.id, before.version + 1), (after.id, after.version));
    }
    let made = client.provenance(note_of(&all, turns[3]).id).await.unwrap().derivation.unwrap();
    assert_ne!(canonical(client).await, expected);
    let undone = client.undo_job(made.job_id.unwrap(), &UndoJob::default()).await.unwrap();
    assert_eq!((undone.erased.len(), undone.restored.len()), (1, 3), "{undone:?}");
    assert_eq!(canonical(client).await, expected);
    settled(client).await;
    assert_eq!(canonical(client).await, expected, "the turn is not described again");
}
