//! Notes through the SDK: they are made of turns, recalled with those that they are linked with, and erased with their turn.

use engrain::wire::{AddTurns, Kind, NewTurn, RecallNotes, RecalledNotes, Role, ThinkingProgress};
use memory_core::testing::scripted_model::{Recorded, ScriptedModel, Step};
use serde_json::{Value, json};

use super::month::scope;
use super::state::settled;
use crate::process::ServerProcess;

/// Describes each turn, and links the first note of a call with the second one.
fn answer(request: &Recorded) -> Step {
    let shown: Vec<Value> =
        request.user().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let note = |handle: &Value| json!({"id": handle, "keywords": ["roses"], "tags": ["garden"], "context": "Work outside."});
    let notes: Vec<Value> = shown.iter().filter_map(|line| line.get("handle")).map(note).collect();
    match notes.is_empty() {
        false => Step::json(&json!({ "notes": notes })),
        true => {
            let link =
                json!({"from": "n1", "to": "n2", "type": "elaborates", "why": "Both are about roses."});
            Step::json(&json!({"links": [link], "edits": []}))
        }
    }
}

fn variables(model: &ScriptedModel) -> Vec<(String, String)> {
    let url = model.base_url();
    let pairs = [
        ("ENGRAIN_LANGUAGE_MODELS__FAKE__URL", url.as_str()),
        ("ENGRAIN_LANGUAGE_MODELS__FAKE__MODEL", "scripted-1"),
        ("ENGRAIN_THINKING__TASKS__EVOLVE", "fake"),
        ("ENGRAIN_THINKING__NOTES", "true"),
    ];
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_recalled_with_those_that_they_are_linked_with() {
    let directory = tempfile::tempdir().unwrap();
    let model = ScriptedModel::start(answer).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model)).await;
    let client = &server.client;
    let mut turns = Vec::new();
    for text in ["I planted roses.", "I cut the roses back in March."] {
        let turn = NewTurn::new(Role::User, text);
        let request = AddTurns { scope: scope(), turns: vec![turn], wait: true, ..AddTurns::default() };
        let added = client.add_turns(&request).await.unwrap();
        assert_eq!(added.thinking, Some(ThinkingProgress::Done));
        turns.extend(added.memory_ids);
    }
    let recall = async |limit, linked| -> Result<RecalledNotes, engrain::Error> {
        let query = "I cut the roses back in March.".to_owned();
        client.recall_notes(&RecallNotes { scope: scope(), query, limit, linked, partner: None }).await
    };
    let recalled = recall(Some(1), None).await.unwrap();
    let [found] = &recalled.notes[..] else { panic!("{recalled:?}") };
    assert!(found.memory.text.ends_with("I cut the roses back in March."), "{}", found.memory.text);
    assert_eq!((found.memory.kind, &found.memory.keywords[..]), (Kind::Note, &["roses".to_owned()][..]));
    assert_eq!(found.memory.context.as_deref(), Some("Work outside."));
    let link = found.memory.links.iter().find(|link| link.relation == "elaborates").expect("a link");
    assert_eq!(recalled.linked.iter().map(|note| note.id).collect::<Vec<_>>(), [link.to]);
    assert!(recall(Some(1), Some(0)).await.unwrap().linked.is_empty());
    for (limit, linked) in [(Some(0), None), (Some(101), None), (None, Some(101))] {
        let refused = recall(limit, linked).await.unwrap_err();
        assert!(matches!(&refused, engrain::Error::Problem(it) if it.status == 422), "{refused:?}");
    }
    client.delete_memory(turns[0]).await.unwrap();
    settled(client).await;
    let recalled = recall(None, None).await.unwrap();
    assert_eq!((recalled.notes.len(), recalled.linked.len()), (1, 0));
    assert_eq!(recalled.notes[0].memory.id, found.memory.id, "the note that had a link to it stays");
}
