//! Our own export, read back: what comes back as it was, and an export that is not whole.

use engrain::Client;
use engrain::formats::{Batch, FormatError, Import};
use engrain::wire::{NewTurn, Role, Scope};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::script::{Script, ok};
use crate::{items, options, sound, turns};

fn turn_line(seq: u32, edited: bool) -> Value {
    let (id, moment) = (Uuid::from_u128(u128::from(seq)), "2024-01-01T10:00:00Z");
    let origin = json!({
        "turn_id": id, "turn_key": format!("k{seq}"), "session_id": Uuid::nil(), "session": "breakfast", "seq": seq,
        "role": "user", "author": "Mara",
    });
    let mut turn = origin.clone();
    let said = json!({"text": "Tea, please.", "said_at": moment, "recorded_at": moment, "place": "kitchen"});
    turn.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let memory = json!({
        "id": Uuid::from_u128(100 + u128::from(seq)), "version": 1, "kind": "turn", "tokens": 4, "tags": ["drinks"],
        "text": if edited { "Coffee, please." } else { "Tea, please." }, "visibility": "shared", "origin": origin,
        "agent_id": "chef", "happened_at": moment, "recorded_at": moment, "created_at": moment, "importance": 0.75,
    });
    json!({"record": "turn", "turn": turn, "memory": memory})
}

fn memory_line(id: u128, sources: &[u128]) -> Value {
    let moment = "2024-01-02T10:00:00Z";
    let memory = json!({
        "id": Uuid::from_u128(id), "version": 3, "kind": "document", "text": "Prefers tea.", "tokens": 3,
        "document": {"namespace": "profile", "key": "drinks"}, "visibility": "owner", "valid_from": moment,
        "happened_at": moment, "recorded_at": moment, "created_at": moment, "importance": 0.5,
    });
    let sources: Vec<_> = sources.iter().map(|&id| Uuid::from_u128(id)).collect();
    json!({"record": "memory", "memory": memory, "sources": sources})
}

/// An export of two turns, one of them edited, and two memories, one made of a turn, the other of the first.
pub(crate) fn export(end: Value) -> String {
    let lines = [
        json!({"record": "header", "format": 1, "engrain": "0.1.0"}),
        json!({"record": "owner", "scope": {"user_id": "mara"}}),
        turn_line(1, false),
        turn_line(2, true),
        memory_line(200, &[1, 999]),
        memory_line(201, &[200, 102]),
        end,
    ];
    lines.map(|line| line.to_string()).join("\n")
}

#[test]
fn our_own_export_is_restored_as_it_was() {
    let items = sound(&export(json!({"record": "end", "records": 4})));
    let batch = turns(&items[0]);
    let turn = NewTurn {
        key: Some("k1".into()),
        author: Some("Mara".into()),
        said_at: Some("2024-01-01T10:00:00Z".into()),
        place: Some("kitchen".into()),
        tags: vec!["drinks".into()],
        importance: Some(0.75),
        ..NewTurn::new(Role::User, "Tea, please.")
    };
    assert_eq!(batch.turns[0], turn);
    assert_eq!(batch.session.as_deref(), Some("breakfast"));
    assert_eq!(batch.scope, Scope { agent_id: Some("chef".into()), ..Scope::user("mara") });
    assert_eq!(items[0].old_turn_ids, [1, 2].map(|id| Some(Uuid::from_u128(id))));
    assert_eq!((items[0].edits.len(), items[0].edits[0].index), (1, 1));
    assert_eq!(items[0].edits[0].edit.text.as_deref(), Some("Coffee, please."));
    assert_eq!(items.len(), 3, "a memory made of another comes in a later batch");
    let Batch::Memories(first) = &items[1].batch else { panic!("not memories") };
    assert_eq!(first.memories[0].document.as_ref().unwrap().namespace, "profile");
    assert_eq!(first.memories[0].valid_from.as_deref(), Some("2024-01-02T10:00:00Z"));
}

#[test]
fn an_export_of_ours_that_is_not_whole_is_an_error() {
    for (end, told) in [
        (json!({"record": "end", "records": 5}), "4 records came, 5 were written"),
        (memory_line(202, &[]), "there is no last line"),
    ] {
        let (_, items) = items(&export(end), &options());
        let error = items.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(error, FormatError::CutShort { detail, .. } if detail == told), "{error}");
        assert!(items.len() > 3, "what came before is sound");
    }
    let header = json!({"record": "header", "format": 2, "engrain": "9"}).to_string();
    assert!(matches!(items(&header, &options()).1[0], Err(FormatError::Version { found: 2, known: 1, .. })));
}

#[tokio::test]
async fn an_import_names_sources_by_their_new_ids() {
    let new = |id: u128| Uuid::from_u128(1000 + id);
    let added_turns = json!({"session_id": new(0), "turn_ids": [new(1), new(2)], "memory_ids": [new(101), new(102)],
        "repeated": true});
    let added = |id| json!({"memory_ids": [new(id)], "repeated": false});
    let edited = memory_line(102, &[])["memory"].clone();
    let (script, url) = Script::start([ok(added_turns), ok(edited), ok(added(200)), ok(added(201))]).await;
    let client = Client::new(url).unwrap();
    let mut import = Import::new(&client);
    let mut imported = Default::default();
    for item in sound(&export(json!({"record": "end", "records": 4}))) {
        imported = import.send(item).await.unwrap();
    }
    assert_eq!((imported.turns, imported.memories), (2, 2));
    assert_eq!((imported.repeated_batches, imported.sources_lost), (1, 1));
    let asked = script.asked();
    assert_eq!(
        (asked[1].method.as_str(), asked[1].uri.path()),
        ("PATCH", format!("/v1/memories/{}", new(102)).as_str())
    );
    assert_eq!(asked[2].body["memories"][0]["sources"], json!([new(1)]));
    assert_eq!(asked[3].body["memories"][0]["sources"], json!([new(200), new(102)]));
    let key = asked[0].header("idempotency-key").unwrap();
    assert_eq!(asked[1].header("idempotency-key").unwrap(), format!("{key}-edit-1"));
}
