//! Notes of turns, their links and their evolution.

use memory_core::domain::memory::{Kind, Memory};
use memory_core::domain::turn::Role;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::testing::{CALLER, START, turn, turns, user};
use serde_json::json;

use super::{analysis, busy, lines, links_to_notes, markers, quiet, said, schema, settings};
use crate::thinking::story::Story;

#[tokio::test]
async fn each_turn_with_content_gets_a_note_that_is_linked_and_evolves() {
    let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    let first = story.say_all(&[said(1)]).await;
    let second = story.say_all(&[said(2)]).await;
    let notes = story.notes().await;
    let (old, new) = (&notes[&first[0]], &notes[&second[0]]);
    assert_eq!((old.text.as_str(), old.kind, old.version), (said(1).as_str(), Kind::Note, 2));
    let links = links_to_notes(new);
    assert_eq!((links.len(), links[0].to, links[0].relation.as_str()), (1, old.id, "same_entity"));
    assert_eq!(links[0].reason.as_deref(), Some("seen zq001 zq002"));
    assert_eq!(old.annotation.as_ref().expect("annotated").context.as_deref(), Some("seen zq001 zq002"));
    let history = &story.histories(Kind::Note).await[&old.id];
    assert_eq!(history[0].annotation.as_ref().expect("annotated").context.as_deref(), Some("seen zq001"));
    story.is_whole().await;
}

#[tokio::test]
async fn an_evolution_touches_exactly_the_named_neighbours_among_a_thousand_notes() {
    let script = |request: &ModelRequest| {
        let shown = lines(request);
        if schema(request) != "evolve" || !request.user.contains("zqlast") {
            return quiet(request);
        }
        let edit =
            json!({"id": shown[2]["id"], "keywords": ["zqlast"], "tags": [], "context": "seen zqlast"});
        json!({"links": [], "edits": [edit]}).to_string()
    };
    let model = ScriptedLanguageModel::new(script);
    let story = Story::with(settings(model.clone())).await;
    for at in 0..10 {
        let texts: Vec<String> = (0..100).map(|one| said(at * 100 + one)).collect();
        story.say_all(&texts).await;
    }
    let before = story.notes().await;
    assert_eq!(before.len(), 1_000);
    story.say_all(&["The roses in the garden zqlast.".to_owned()]).await;
    let after = story.notes().await;
    let changed: Vec<&Memory> =
        before.iter().filter(|(turn, note)| after[*turn] != **note).map(|(_, note)| note).collect();
    assert_eq!(changed.len(), 1);
    let last = model.requests().last().cloned().expect("a request");
    assert_eq!(
        lines(&last)[2]["text"],
        json!(changed[0].text),
        "the second neighbour, and no rank of a store"
    );
}

#[tokio::test]
async fn no_description_is_built_on_an_evolved_one_by_default() {
    let model = ScriptedLanguageModel::new(busy);
    let story = Story::with(settings(model.clone())).await;
    for at in 0..6 {
        story.say_all(&[said(at)]).await;
    }
    for request in model.requests().iter().filter(|request| schema(request) == "evolve") {
        for line in lines(request) {
            let own = markers(line["text"].as_str().expect("a text"));
            match line["is_new"].as_bool() {
                Some(true) => assert_eq!(markers(line["context"].as_str().expect("a context")), own),
                _ => assert!(line["context"].is_null(), "by its text alone"),
            }
        }
    }
}

#[tokio::test]
async fn a_note_changes_only_so_often_on_one_day() {
    let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    let first = story.say_all(&[said(0)]).await;
    for at in 1..9 {
        story.say_all(&[said(at)]).await;
    }
    assert_eq!(story.notes().await[&first[0]].version, 5, "the first version and 4 edits");
}

#[tokio::test]
async fn refused_evolutions_leave_notes_without_links() {
    let script = |request: &ModelRequest| match schema(request) {
        "analyse" => analysis(request),
        _ => json!({"links": [{"from": "n1", "to": "n99", "type": "follows", "why": "x"}], "edits": []})
            .to_string(),
    };
    let story = Story::with(settings(ScriptedLanguageModel::new(script))).await;
    story.say_all(&[said(1)]).await;
    story.say_all(&[said(2)]).await;
    let notes = story.notes().await;
    assert_eq!(notes.len(), 2);
    assert!(notes.values().all(|note| note.version == 1 && links_to_notes(note).is_empty()));
}

#[tokio::test]
async fn notes_of_what_was_said_in_confidence_are_not_shown_together_with_others() {
    let model = ScriptedLanguageModel::new(busy);
    let story = Story::with(settings(model.clone())).await;
    story.say_all(&[said(1)]).await;
    let scope = user("mara").expect("a scope");
    let mut secret = turn(Role::User, &said(2), START);
    secret.audience = vec![memory_core::testing::fixtures::name("bob")];
    let request = turns(&scope, "chat", vec![turn(Role::User, &said(3), START), secret]).expect("turns");
    story.engine.engine.remember_turns(&CALLER, request).await.expect("remembered");
    story.settle().await;
    for request in model.requests() {
        let seen = markers(&request.user);
        assert!(seen == ["zq002"] || !seen.contains(&"zq002".to_owned()), "{seen:?}");
    }
    assert_eq!(story.notes().await.len(), 3);
}
