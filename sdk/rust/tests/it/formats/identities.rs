//! Identities of imported items where records are skipped, parts refused, and items there already.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engrain::Client;
use engrain::formats::{Batch, Import, ImportItem, ImportOptions, Imported};
use serde_json::{Value, json};
use uuid::Uuid;

use super::own_export::{linked, memory_line, new, turn_line};
use super::{items, options, turns};
use crate::script::{Asked, Script, ok};

/// Text and position of the turns of a file, some of whose records may be skipped.
fn positions(text: &str) -> Vec<(String, Option<u32>)> {
    let read = items(text, &options()).1.into_iter().flatten();
    let batches: Vec<ImportItem> = read.collect();
    let all = batches.iter().flat_map(|item| &turns(item).turns);
    all.map(|turn| (turn.text.clone(), turn.position)).collect()
}

fn said(texts: &[(&str, u32)]) -> Vec<(String, Option<u32>)> {
    texts.iter().map(|(text, position)| ((*text).to_owned(), Some(*position))).collect()
}

#[test]
fn a_skipped_message_does_not_move_those_after_it() {
    let messages = |second: Value| {
        let messages = [json!({"role": "user", "content": "one"}), second, Value::Null];
        let last = json!({"role": "user", "content": "three"});
        json!({"session": "s", "messages": [messages[0], messages[1], messages[2], last]}).to_string()
    };
    let odd = [json!(7), json!({"role": "wizard", "content": "x"}), json!({"role": "user", "content": " "})];
    for second in odd {
        assert_eq!(positions(&messages(second)), said(&[("one", 0), ("three", 3)]));
    }
}

#[test]
fn a_skipped_line_does_not_move_those_after_it() {
    let line =
        |session: &str, text: &str| json!({"role": "user", "content": text, "session": session}).to_string();
    let role = json!({"role": "wizard", "content": "x", "session": "s"}).to_string();
    let time = json!({"role": "user", "content": "x", "session": "s", "time": "soon"}).to_string();
    let blank = line("s", "  ");
    let mended = line("s", "mended");
    for odd in [role.as_str(), &time, "{\"role\": \"us", "hello", "null", "[1]", &blank, &mended] {
        let text =
            [&line("t", "zero"), &line("s", "one"), odd, &line("s", "three"), &line("t", "four")].join("\n");
        let mut read = positions(&text);
        read.retain(|(text, _)| text != "mended");
        assert_eq!(read, said(&[("zero", 0), ("one", 0), ("three", 2), ("four", 1)]), "{odd}");
    }
}

#[test]
fn hidden_and_tool_messages_do_not_move_those_after_them() {
    let message = |role: &str, parent: Value| json!({"parent": parent, "message": {"author": {"role": role}, "content": {"parts": [role]}}});
    let mut hidden = message("user", json!("1"));
    hidden["message"]["metadata"] = json!({"is_visually_hidden_from_conversation": true});
    let export = json!([{"id": "c", "current_node": "4", "mapping": {
        "1": message("user", Value::Null), "2": hidden, "3": message("critic", json!("2")),
        "4": message("assistant", json!("3")),
    }}]);
    let read = positions(&export.to_string());
    assert_eq!(read, said(&[("user", 0), ("assistant", 3)]));
}

#[test]
fn every_memory_has_a_key_that_does_not_depend_on_its_place() {
    let keys = |records: Value| {
        let mut sound = items(&records.to_string(), &options()).1.into_iter().flatten();
        let Some(Batch::Memories(batch)) = sound.next().map(|item| item.batch) else { panic!("turns") };
        batch.memories.into_iter().map(|memory| memory.key.unwrap()).collect::<Vec<_>>()
    };
    let (tea, cat) = (json!({"id": "m1", "memory": "tea"}), json!({"memory": "a cat"}));
    let one = keys(json!([tea, cat]));
    let other = keys(json!([{"memory": "new"}, 5, cat, tea]));
    assert_eq!((one[0].as_str(), &one[1]), ("m1", &other[1]));
    assert_eq!(other[2], "m1");
    assert_ne!(other[0], other[1]);
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let problem = json!({"type": "x", "title": "x", "status": status.as_u16(), "code": code, "detail": detail,
        "request_id": "x"});
    (status, [("content-type", "application/problem+json")], problem.to_string()).into_response()
}

fn refused() -> Response {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "no")
}

fn export(lines: &[Value]) -> String {
    let head = [
        json!({"record": "header", "format": 1, "engrain": "0.1.0"}),
        json!({"record": "owner", "scope": {"user_id": "mara"}}),
    ];
    let end = json!({"record": "end", "records": lines.len()});
    let all = head.iter().chain(lines).chain([&end]);
    all.map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// Imports a file into a server with these answers.
async fn run(text: &str, again: bool, answers: Vec<Response>) -> (Imported, Vec<Asked>) {
    let (script, url) = Script::start(answers).await;
    let client = Client::new(url).unwrap();
    let mut import = Import::new(&client).again(again);
    let (_, items) = items(text, &ImportOptions::default());
    for item in items {
        import.send(item.unwrap()).await.unwrap();
    }
    (import.finish().await.unwrap(), script.asked())
}

fn added_turns(ids: &[u128], outcomes: &[&str]) -> Response {
    let turn_ids: Vec<Uuid> = ids.iter().map(|&id| new(id)).collect();
    let memory_ids: Vec<Uuid> = ids.iter().map(|&id| new(100 + id)).collect();
    ok(json!({"session_id": new(0), "turn_ids": turn_ids, "memory_ids": memory_ids, "outcomes": outcomes,
        "repeated": false}))
}

fn added_memory(id: u128, outcome: &str) -> Response {
    ok(json!({"memory_ids": [new(id)], "outcomes": [outcome], "repeated": false}))
}

/// Answer to a request for a memory.
fn memory(version: u32, links: &[u128]) -> Response {
    let mut memory = memory_line(0, &[])["memory"].clone();
    memory["version"] = version.into();
    let links = links.iter().map(|&to| json!({"to": new(to), "relation": "near", "weight": 0.5}));
    memory["links"] = links.collect();
    ok(memory)
}

fn edits(asked: &[Asked]) -> Vec<&Asked> {
    asked.iter().filter(|asked| asked.method == "PATCH").collect()
}

#[tokio::test]
async fn outcomes_stay_with_their_items_when_a_refused_batch_is_divided() {
    let lines = [1, 2, 3, 4].map(|seq| turn_line(seq, false));
    let text = export(&[&lines[..], &[memory_line(200, &[1, 2, 3, 4])]].concat());
    let answers = vec![
        refused(),
        added_turns(&[1], &["erased", "existing"]),
        added_turns(&[3, 4], &["created", "conflicting"]),
        added_memory(200, "created"),
    ];
    let (imported, asked) = run(&text, false, answers).await;
    let sent = |at: usize| {
        let turns = asked[at].body["turns"].as_array().unwrap().iter();
        turns.map(|turn| turn["position"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((sent(0), sent(1), sent(2)), (vec![1, 2, 3, 4], vec![1, 2], vec![3, 4]));
    assert_eq!(
        asked[3].body["memories"][0]["sources"],
        json!([new(1), new(3), new(4)]),
        "the erased one has no id"
    );
    let expected = Imported {
        turns: 2,
        memories: 1,
        added: 2,
        existing: 1,
        erased: 1,
        conflicting: 1,
        repeated_batches: 1,
        sources_lost: 1,
        ..Imported::default()
    };
    assert_eq!(imported, expected);
}

#[tokio::test]
async fn what_was_erased_is_asked_for_again_on_request() {
    let text = export(&[turn_line(1, false), memory_line(200, &[])]);
    for again in [false, true] {
        let answers = vec![added_turns(&[1], &[]), added_memory(200, "created")];
        let (_, asked) = run(&text, again, answers).await;
        let expected = if again { json!(true) } else { Value::Null };
        assert_eq!((&asked[0].body["again"], &asked[1].body["again"]), (&expected, &expected));
        let key = asked[0].header("idempotency-key").unwrap();
        assert!(
            !key.starts_with("import-"),
            "the server knows the turns, whatever they were sent with: {key}"
        );
    }
}

#[tokio::test]
async fn a_memory_that_was_there_is_edited_only_if_it_never_was() {
    let text = export(&[turn_line(1, true), turn_line(2, true), turn_line(3, true), turn_line(4, true)]);
    let answers = vec![
        added_turns(&[1, 2, 3, 4], &["existing", "existing", "existing", "conflicting"]),
        memory(1, &[]),
        memory(2, &[]),
        memory(2, &[]),
        problem(StatusCode::NOT_FOUND, "not_found", "gone"),
    ];
    let (imported, asked) = run(&text, false, answers).await;
    let edited = edits(&asked);
    assert_eq!(edited.len(), 1);
    assert_eq!(edited[0].uri.path(), format!("/v1/memories/{}", new(101)));
    assert_eq!((imported.existing, imported.conflicting, imported.edits_lost), (3, 1, 1));
}

#[tokio::test]
async fn links_that_are_there_are_not_set_again_and_others_stay() {
    let there = || [added_memory(200, "existing"), added_memory(201, "existing")];
    let edited = || memory(2, &[]);
    for (present, set) in [
        (memory(1, &[201]), None),
        (memory(1, &[]), Some(json!([201]))),
        (memory(1, &[999]), Some(json!([999, 201]))),
        (memory(3, &[]), None),
    ] {
        let answers = there().into_iter().chain([present, edited()]).collect();
        let text = export(&[linked(memory_line(200, &[]), &[201]), memory_line(201, &[200])]);
        let (imported, asked) = run(&text, false, answers).await;
        assert_eq!((imported.links_lost, imported.existing), (0, 2));
        let links = edits(&asked).first().map(|edit| {
            let links = edit.body["links"].as_array().unwrap().iter();
            links.map(|link| link["to"].clone()).collect::<Vec<_>>()
        });
        let set = set.map(|set| {
            let ids = set.as_array().unwrap().iter();
            ids.map(|id| json!(new(id.as_u64().unwrap().into()))).collect::<Vec<_>>()
        });
        assert_eq!(links, set);
    }
    // The memory itself was erased meanwhile.
    let text = export(&[linked(memory_line(200, &[]), &[201]), memory_line(201, &[])]);
    let gone = problem(StatusCode::NOT_FOUND, "not_found", "gone");
    let answers = vec![
        ok(
            json!({"memory_ids": [new(200), new(201)], "outcomes": ["existing", "existing"], "repeated": false}),
        ),
        gone,
    ];
    let (imported, _) = run(&text, false, answers).await;
    assert_eq!((imported.links_lost, imported.existing), (1, 2));
}
