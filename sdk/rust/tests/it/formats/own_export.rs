//! Engrain exports, read back: complete and incomplete ones, and the import of their references.

use axum::response::IntoResponse;
use engrain::Client;
use engrain::formats::{Batch, FormatError, Import};
use engrain::wire::{NewTurn, Role, Scope};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{items, options, sound, turns};
use crate::script::{Script, ok};

pub(super) fn turn_line(seq: u32, edited: bool) -> Value {
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

pub(super) fn memory_line(id: u128, sources: &[u128]) -> Value {
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
fn an_engrain_export_is_imported_with_all_its_fields() {
    let items = sound(&export(json!({"record": "end", "records": 4})));
    let batch = turns(&items[0]);
    let turn = NewTurn {
        key: Some("k1".into()),
        position: Some(1),
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
fn an_incomplete_engrain_export_is_an_error() {
    for (end, told) in [
        (json!({"record": "end", "records": 5}), "it has 4 records instead of 5"),
        (memory_line(202, &[]), "the end line is missing"),
    ] {
        let (_, items) = items(&export(end), &options());
        let error = items.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(error, FormatError::CutShort { detail, .. } if detail == told), "{error}");
        assert!(items.len() > 3, "what came before is sound");
    }
    let header = json!({"record": "header", "format": 3, "engrain": "9"}).to_string();
    assert!(matches!(items(&header, &options()).1[0], Err(FormatError::Version { found: 3, known: 2, .. })));
}

#[tokio::test]
async fn an_import_replaces_old_source_ids_by_new_ones() {
    let new = |id: u128| Uuid::from_u128(1000 + id);
    let added_turns = json!({"session_id": new(0), "turn_ids": [new(1), new(2)], "memory_ids": [new(101), new(102)],
        "outcomes": ["existing", "created"], "repeated": false});
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
    assert_eq!((imported.added, imported.existing), (3, 1));
    assert_eq!((imported.repeated_batches, imported.sources_lost), (0, 1));
    let asked = script.asked();
    assert_eq!(
        (asked[1].method.as_str(), asked[1].uri.path()),
        ("PATCH", format!("/v1/memories/{}", new(102)).as_str())
    );
    assert_eq!(asked[2].body["memories"][0]["sources"], json!([new(1)]));
    assert_eq!(asked[3].body["memories"][0]["sources"], json!([new(200), new(102)]));
    assert_eq!(
        asked[3].body["memories"][0]["key"],
        json!(Uuid::from_u128(201)),
        "known by its id in the file"
    );
    let key = asked[1].header("idempotency-key").unwrap();
    assert!(key.starts_with(&format!("import-edit-{}-", new(102))), "{key}");
}

pub(super) fn new(id: u128) -> Uuid {
    Uuid::from_u128(1000 + id)
}

pub(super) fn linked(mut line: Value, targets: &[u128]) -> Value {
    let links =
        targets.iter().map(|&to| json!({"to": Uuid::from_u128(to), "relation": "near", "weight": 0.5}));
    line["memory"]["links"] = links.collect();
    line
}

/// Request that sets links to these new ids.
fn links(to: &[u128]) -> Value {
    to.iter().map(|&to| json!({"to": new(to), "relation": "near", "weight": 0.5})).collect()
}

/// A turn and three memories that link to each other in both directions, and out of the file.
fn export_with_links() -> String {
    let lines = [
        json!({"record": "header", "format": 1, "engrain": "0.1.0"}),
        json!({"record": "owner", "scope": {"user_id": "mara"}}),
        linked(turn_line(1, true), &[200]),
        linked(memory_line(200, &[]), &[101, 202]),
        linked(memory_line(201, &[]), &[200, 202, 999]),
        linked(memory_line(202, &[]), &[201]),
        json!({"record": "end", "records": 4}),
    ];
    lines.map(|line| line.to_string()).join("\n")
}

#[tokio::test]
async fn an_import_sets_links_once_their_targets_are_imported() {
    let added_turn =
        || json!({"session_id": new(0), "turn_ids": [new(1)], "memory_ids": [new(101)], "repeated": false});
    let added = |id| ok(json!({"memory_ids": [new(id)], "repeated": false}));
    let edited = || ok(memory_line(0, &[])["memory"].clone());
    let (mut keys, mut identities) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let answers =
            [ok(added_turn()), edited(), added(200), edited(), added(201), added(202), edited(), edited()];
        let (script, url) = Script::start(answers).await;
        let client = Client::new(url).unwrap();
        let mut import = Import::new(&client);
        for item in sound(&export_with_links()) {
            import.send(item).await.unwrap();
        }
        let imported = import.finish().await.unwrap();
        assert_eq!((imported.turns, imported.memories, imported.links_lost), (1, 3, 1));
        let asked = script.asked();
        assert_eq!(asked[1].body["links"], Value::Null, "what it links to comes later");
        assert_eq!(asked[2].body["memories"][0]["links"], links(&[101]));
        assert_eq!(asked[3].uri.path(), format!("/v1/memories/{}", new(101)), "now it has come");
        assert_eq!(asked[3].body, json!({"links": links(&[200])}));
        assert_eq!(asked[4].body["memories"][0]["links"], links(&[200]));
        assert_eq!(asked[5].body["memories"][0]["links"], links(&[201]));
        assert_eq!(asked[6].body, json!({"links": links(&[101, 202])}));
        assert_eq!(asked[7].uri.path(), format!("/v1/memories/{}", new(201)), "at the end at the latest");
        assert_eq!(asked[7].body, json!({"links": links(&[200, 202])}));
        let edits = asked.iter().filter(|asked| asked.method == "PATCH");
        let of_run = edits.map(|asked| asked.header("idempotency-key").unwrap().to_owned());
        keys.push(of_run.collect::<Vec<_>>());
        let bodies = asked.iter().filter(|asked| asked.method == "POST").map(|asked| asked.body.clone());
        identities.push(bodies.collect::<Vec<_>>());
    }
    assert_eq!((&keys[0], &identities[0]), (&keys[1], &identities[1]), "a repetition makes nothing anew");
    let different: std::collections::BTreeSet<_> = keys[0].iter().collect();
    assert_eq!(different.len(), 4);
    assert_eq!(identities[0][1]["memories"][0]["key"], json!(Uuid::from_u128(200)));
}

#[tokio::test]
async fn links_to_memories_erased_meanwhile_do_not_fail_an_import() {
    let problem = json!({"type": "x", "title": "x", "status": 404, "code": "not_found", "detail": "x", "request_id": "x"});
    let head = [("content-type", "application/problem+json")];
    let gone = (axum::http::StatusCode::NOT_FOUND, head, problem.to_string()).into_response();
    let added = |id| ok(json!({"memory_ids": [new(id)], "repeated": false}));
    let (_script, url) = Script::start([added(200), added(201), gone]).await;
    let client = Client::new(url).unwrap();
    let mut import = Import::new(&client);
    let lines = [
        json!({"record": "header", "format": 1, "engrain": "0.1.0"}),
        json!({"record": "owner", "scope": {"user_id": "mara"}}),
        linked(memory_line(200, &[]), &[201]),
        memory_line(201, &[200]),
        json!({"record": "end", "records": 2}),
    ];
    for item in sound(&lines.map(|line| line.to_string()).join("\n")) {
        import.send(item).await.unwrap();
    }
    assert_eq!(import.finish().await.unwrap().links_lost, 1);
}
