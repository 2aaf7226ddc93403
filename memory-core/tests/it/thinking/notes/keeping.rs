//! Notes that are made again, undone, embedded anew, read from the files, and copied to another store.

use std::collections::BTreeMap;

use memory_core::archive::request::RestoreMemories;
use memory_core::domain::id::MemoryId;
use memory_core::domain::item_outcome::ItemOutcome;
use memory_core::domain::memory::{Kind, Memory};
use memory_core::memories::request::UndoRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::store::{IndexSource as _, Indexed, Jobs as _};
use memory_core::testing::{CALLER, user};

use super::{busy, content, published, said, settings};
use crate::archive::bench::{archive, to_restore};
use crate::thinking::story::Story;

#[tokio::test]
async fn the_same_turns_and_replies_give_the_same_notes() {
    for settings in [settings, published] {
        let mut all = Vec::new();
        for _ in 0..2 {
            let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
            for at in 0..5 {
                story.say_all(&[said(at * 2), said(at * 2 + 1)]).await;
            }
            let told = |note: &Memory| {
                let reasons: Vec<_> = note.links.iter().map(|link| link.reason.clone()).collect();
                (note.text.clone(), note.annotation.clone(), note.tags.clone(), reasons, note.version)
            };
            let histories = story.histories(Kind::Note).await;
            let mut notes: Vec<_> = histories.values().flatten().map(told).collect();
            notes.sort_by(|one, other| (&one.0, one.4).cmp(&(&other.0, other.4)));
            all.push(notes);
        }
        assert_eq!(all[0], all[1]);
    }
}

#[tokio::test]
async fn the_undo_of_an_evolution_restores_every_touched_note() {
    for settings in [settings, published] {
        let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
        for at in 0..4 {
            story.say_all(&[said(at)]).await;
        }
        let before = story.notes().await;
        let last = story.say_all(&[said(9)]).await;
        let evolved = story.notes().await;
        assert!(before.iter().any(|(turn, note)| evolved[turn] != *note));
        let jobs = story.engine.store.jobs(CALLER.tenant, &Default::default(), None, 1).await.expect("jobs");
        let request = UndoRequest { dry_run: false, with_dependents: false, idempotency: None };
        story.engine.engine.undo_job(&CALLER, jobs[0].id, request).await.expect("undone");
        let after = story.notes().await;
        assert!(!after.contains_key(&last[0]), "the new note is gone");
        let contents = |notes: &BTreeMap<MemoryId, Memory>| notes.values().map(content).collect::<Vec<_>>();
        assert_eq!(contents(&after), contents(&before));
        story.is_whole().await;
    }
}

/// A story with notes that have evolved.
async fn evolved() -> Story {
    let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    for at in 0..5 {
        story.say_all(&[said(at * 2), said(at * 2 + 1)]).await;
    }
    story
}

impl Story {
    /// All memories with their index rows, as the store has them.
    async fn rows(&self) -> Vec<Indexed> {
        let partition = self.partition().await;
        let mut all = Vec::new();
        self.engine.store.load(partition, &mut |one| all.push(one)).await.expect("loaded");
        all.sort_by_key(|one| one.memory.id);
        all
    }
}

#[tokio::test]
async fn rows_that_are_made_anew_are_those_of_the_evolved_descriptions() {
    let story = evolved().await;
    let before = story.rows().await;
    assert!(before.iter().any(|one| one.memory.kind == Kind::Note && one.memory.version > 1));
    story.engine.engine.start_reindex(&CALLER, "hashing").await.expect("started");
    story.settle().await;
    assert_eq!(story.rows().await, before);
    story.is_whole().await;
}

#[tokio::test]
async fn notes_read_from_the_files_are_those_that_were_written() {
    let story = evolved().await;
    let (notes, rows) = (story.histories(Kind::Note).await, story.rows().await);
    let story = story.restarted(settings(ScriptedLanguageModel::new(busy))).await;
    assert_eq!(story.histories(Kind::Note).await, notes);
    assert_eq!(story.rows().await, rows);
    story.is_whole().await;
}

#[tokio::test]
async fn the_import_of_evolved_notes_is_the_same_store() {
    let story = evolved().await;
    let scope = user("mara").expect("a scope");
    let archived = archive(&story.engine, &scope).await;
    let copy = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    let memories = archived.iter().map(to_restore).collect();
    let request = RestoreMemories { scope: scope.clone(), memories, again: false, checked_at: None };
    let restored = copy.engine.engine.restore_memories(&CALLER, request).await.expect("restored");
    assert!(restored.iter().all(|one| one.outcome == ItemOutcome::Created), "{restored:?}");
    copy.settle().await;
    assert_eq!(archive(&copy.engine, &scope).await, archived);
    copy.is_whole().await;
    let turn = *copy.notes().await.keys().next().expect("a note");
    copy.engine.engine.erase(&CALLER, turn, None).await.expect("erased");
    copy.settle().await;
    let left = format!("{:?}", copy.histories(Kind::Note).await);
    assert!(!left.contains("zq000"), "what the erasure takes is known of the copy too");
    copy.is_whole().await;
}
