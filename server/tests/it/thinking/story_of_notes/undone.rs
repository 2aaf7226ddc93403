//! Undo of one evolution: every touched note is as it was, and all other memories stay as they are.

use std::time::Duration;

use engrain::formats::CanonicalExport;
use engrain::wire::{ExportLine, Kind, UndoJob};

use super::super::state::{export, memories, settled};
use super::kills::canonical;
use super::told::note_of;
use super::{SAID, say, start, variables};
use crate::process::ServerProcess;

fn is_note(line: &ExportLine) -> bool {
    matches!(line, ExportLine::Memory { memory, .. } if memory.kind == Kind::Note)
}

/// Canonical form of the notes of one export, and all other memories of a later one of the same owner.
fn with_notes_of(earlier: Vec<ExportLine>, later: Vec<ExportLine>) -> String {
    let mut canonical = CanonicalExport::default();
    let others = later.into_iter().filter(|line| !is_note(line));
    for line in others.chain(earlier.into_iter().filter(is_note)) {
        canonical.push(line).unwrap();
    }
    canonical.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undo_of_an_evolution_job_restores_every_note_that_it_touched() {
    let directory = tempfile::tempdir().unwrap();
    let model = start(Duration::ZERO).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model)).await;
    let client = &server.client;
    let mut turns = Vec::new();
    for place in 0..3 {
        turns.push(say(client, place).await);
        settled(client).await;
    }
    let before = export(client).await;
    let notes_before = memories(client).await;
    let last = say(client, 3).await;
    settled(client).await;
    let evolved = memories(client).await;
    for turn in &turns {
        let (old, new) = (note_of(&notes_before, *turn), note_of(&evolved, *turn));
        assert_eq!((old.id, old.version + 1), (new.id, new.version));
        assert!(new.context.as_ref().is_some_and(|context| context.contains(SAID[3].0)), "{new:?}");
    }
    let expected = with_notes_of(before, export(client).await);
    assert_ne!(canonical(client).await, expected);

    let made = client.provenance(note_of(&evolved, last).id).await.unwrap().derivation.unwrap();
    let undone = client.undo_job(made.job_id.unwrap(), &UndoJob::default()).await.unwrap();
    assert_eq!((undone.erased.len(), undone.restored.len()), (1, 3), "{undone:?}");
    assert_eq!(canonical(client).await, expected);
    settled(client).await;
    assert_eq!(canonical(client).await, expected, "the turn is not described again");
}
