//! Recall of notes: by their present description, with the notes that they are linked with, and with their turns.

use std::collections::BTreeSet;

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::MemoryId;
use memory_core::domain::job::JobState;
use memory_core::domain::memory::Kind;
use memory_core::forgetting::request::RestoreForgotten;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::recall::request::Recall;
use memory_core::retention::Policy;
use memory_core::testing::{CALLER, question, user};
use memory_core::think::amem::recall::NotesAsked;
use serde_json::{Value, json};

use super::{busy, lines, links_to_notes, of_turn, published, quiet, said, schema, settings};
use crate::thinking::YEARS_US;
use crate::thinking::story::Story;

#[tokio::test]
async fn a_note_is_found_by_its_present_description_and_not_by_a_former_one() {
    let script = |request: &ModelRequest| {
        let shown = lines(request);
        let fields =
            |id: &Value, word: &str| json!({"id": id, "keywords": [word], "tags": [], "context": word});
        match schema(request) {
            "analyse" => json!({"notes": [fields(&shown[0]["handle"], "quokka")]}).to_string(),
            _ => json!({"links": [], "edits": [fields(&shown[1]["id"], "wombat")]}).to_string(),
        }
    };
    let story = Story::with(settings(ScriptedLanguageModel::new(script))).await;
    let first = story.say_all(&[said(1)]).await;
    story.say_all(&[said(2)]).await;
    let old = story.notes().await[&first[0]].clone();
    let scope = user("mara").expect("a scope");
    let found = async |word: &str| {
        let filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text("note".to_owned())));
        let asked = Recall { limit: 1, filter, ..question(&scope, word) };
        story.engine.engine.recall(&CALLER, asked).await.expect("recalled").memories[0].memory.id
    };
    assert_eq!(found("wombat").await, old.id);
    assert_ne!(found("quokka").await, old.id);
}

#[tokio::test]
async fn linked_notes_are_never_cut_away_by_the_number_of_nearest_ones() {
    let story = Story::with(published(ScriptedLanguageModel::new(busy))).await;
    for at in 0..4 {
        story.say_all(&[said(at)]).await;
    }
    let (engine, scope) = (&story.engine.engine, user("mara").expect("a scope"));
    let recalled = async |limit, linked| {
        let query = said(3);
        let asked = (query.as_str(), NotesAsked { limit, linked });
        engine.recall_notes(&CALLER, &scope, asked, None).await.expect("recalled")
    };
    let found = recalled(1, 10).await;
    assert_eq!(found.notes.len(), 1);
    let linked: BTreeSet<MemoryId> = found.linked.iter().map(|note| note.id).collect();
    let expected = links_to_notes(&found.notes[0].memory).iter().map(|link| link.to).collect();
    assert_eq!(linked, expected);
    assert!(recalled(10, 10).await.linked.is_empty(), "what is found itself is not listed twice");
    assert!(recalled(1, 0).await.linked.is_empty());
    let too_many =
        engine.recall_notes(&CALLER, &scope, ("x", NotesAsked { limit: 101, linked: 0 }), None).await;
    assert!(too_many.is_err());
}

#[tokio::test]
async fn forgotten_notes_are_recalled_neither_by_their_vectors_nor_by_links() {
    let story = Story::with(published(ScriptedLanguageModel::new(busy))).await;
    for at in 0..4 {
        story.say_all(&[said(at)]).await;
    }
    let (engine, scope) = (&story.engine.engine, user("mara").expect("a scope"));
    let query = said(3);
    let recalled = async || {
        let asked = (query.as_str(), NotesAsked { limit: 1, linked: 10 });
        let found = engine.recall_notes(&CALLER, &scope, asked, None).await.expect("recalled");
        (found.notes.len(), found.linked.len())
    };
    let excluding = Policy { effect: Some(Effect::Exclude), ..Policy::default() };
    engine.set_forgetting_policy(&CALLER, &scope, Some(excluding)).await.expect("set");
    let before = recalled().await;
    assert!(before.0 == 1 && before.1 > 0, "{before:?}");
    story.engine.clock.advance_micros(YEARS_US);
    assert_eq!(recalled().await, (0, 0));
    let sweep = engine.request_sweep(&CALLER, &scope, None, true).await.expect("swept");
    assert_eq!(sweep.state, JobState::Done);
    let everything = RestoreForgotten { scope: scope.clone(), memories: None, now: None, reinforce: true };
    engine.restore_forgotten(&CALLER, everything).await.expect("restored");
    assert_eq!(recalled().await, before);
}

#[tokio::test]
async fn a_note_and_its_turn_are_one_result_and_take_one_place() {
    let story = Story::with(settings(ScriptedLanguageModel::new(quiet))).await;
    for at in 0..5 {
        story.say_all(&[said(at)]).await;
    }
    let scope = user("mara").expect("a scope");
    let asked = Recall { limit: 5, ..question(&scope, "roses in the garden") };
    let recalled = story.engine.engine.recall(&CALLER, asked).await.expect("recalled").memories;
    let items: BTreeSet<MemoryId> = recalled
        .iter()
        .map(|one| if one.memory.kind == Kind::Note { of_turn(&one.memory) } else { one.memory.id })
        .collect();
    assert_eq!((recalled.len(), items.len()), (5, 5));
}
