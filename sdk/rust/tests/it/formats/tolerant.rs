//! Odd files and records: what is good is read, what is not is named, and nothing ends an import.

use std::io::{Cursor, Write};

use engrain::Client;
use engrain::formats::{
    Batch, FormatError, Import, ImportItem, ImportItems, ImportOptions, Skipped, inputs, read,
};
use engrain::wire::{AddTurns, Role, Scope};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{LOCOMO, keeping_failures, options, texts, turns};
use crate::script::{Script, ok};

pub(super) struct Outcome {
    pub(super) items: Vec<ImportItem>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) left_out: engrain::formats::LeftOut,
}

pub(super) fn outcome(mut items: ImportItems) -> Outcome {
    let (mut sound, mut skipped) = (Vec::new(), Vec::new());
    for item in items.by_ref() {
        match item {
            Ok(item) => sound.push(item),
            Err(error) => skipped.push(Skipped::from(&error)),
        }
    }
    Outcome { items: sound, skipped, left_out: items.left_out() }
}

pub(super) fn import(bytes: impl AsRef<[u8]>) -> Outcome {
    outcome(read(Cursor::new(bytes.as_ref().to_vec()), "test", &options()).unwrap())
}

impl Outcome {
    pub(super) fn texts(&self) -> Vec<&str> {
        self.items
            .iter()
            .flat_map(|item| match &item.batch {
                Batch::Turns(turns) => texts(turns),
                Batch::Memories(memories) => {
                    memories.memories.iter().map(|memory| memory.text.as_str()).collect()
                }
            })
            .collect()
    }

    pub(super) fn reasons(&self) -> Vec<&str> {
        self.skipped.iter().map(|skipped| skipped.reason.as_str()).collect()
    }
}

pub(super) fn line(text: &str) -> String {
    json!({"role": "user", "content": text}).to_string()
}

pub(super) fn node(parent: Value, role: &str, text: &str) -> Value {
    json!({"parent": parent, "message": {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}}})
}

#[test]
fn a_line_cut_off_in_the_middle_is_one_skipped_record() {
    for cut in [5, 9, 16, 20, 30] {
        let whole = line("a text of some length");
        let read = import(
            [&line("one"), &whole[..cut], &line("two"), &line("three")]
                .map(|line| line.to_owned())
                .join("\n"),
        );
        assert_eq!(read.texts(), ["one", "two", "three"], "cut at {cut}");
        assert_eq!((read.skipped.len(), read.skipped[0].location.line), (1, 2), "cut at {cut}");
        let first = import([&whole[..cut], &line("two"), &line("three")].map(str::to_owned).join("\n"));
        assert_eq!((first.texts(), first.skipped.len()), (vec!["two", "three"], 1), "cut at {cut}");
    }
}

#[test]
fn odd_lines_are_skipped_and_the_others_are_read() {
    let lines = [
        line("one"),
        "hello".into(),
        json!({"role": "ipython", "content": 42}).to_string(),
        "[1, 2]".into(),
        "null".into(),
        json!({"role": "wizard", "content": "x"}).to_string(),
        json!({"role": "user", "content": "y", "time": "soon"}).to_string(),
        json!({"role": "user", "content": null, "metadata": []}).to_string(),
        line("two"),
    ];
    let read = import(lines.join("\r\n"));
    assert_eq!(read.texts(), ["one", "42", "two"]);
    assert_eq!(turns(&read.items[0]).turns[1].role, Role::Tool);
    let records: Vec<u64> = read.skipped.iter().map(|skipped| skipped.location.record).collect();
    assert_eq!(records, [2, 4, 5, 6, 7], "{:?}", read.reasons());
    assert_eq!(read.reasons()[3], "\"wizard\" is not a role");
    assert_eq!(read.left_out.blank_texts, 1);
}

#[test]
fn strict_reading_ends_at_the_first_fault_with_all_before_it() {
    let text = [line("one"), "hello".into(), line("two")].join("\n");
    let strict = ImportOptions { strict: true, ..options() };
    let read = outcome(read(Cursor::new(text), "test", &strict).unwrap());
    assert_eq!((read.texts(), read.skipped.len()), (vec!["one"], 1));
}

#[test]
fn chatgpt_conversations_with_odd_trees_are_read() {
    let times = [json!("2024-05-01T09:00:00Z"), json!(1714554000), json!("1714554000.0"), Value::Null];
    for time in times {
        let mut first = node(Value::Null, "user", "Hi");
        first["message"]["create_time"] = time.clone();
        let export = json!([
            {"title": "no tree", "create_time": 1.0, "update_time": 2.0, "id": "a"},
            {"title": "null", "mapping": null, "current_node": "x"},
            {"id": "c", "current_node": "gone", "mapping": {"1": first, "2": node(json!("1"), "assistant", "Hello"), "3": null}},
            {"id": "d", "current_node": "2", "mapping": {"2": node(json!("gone"), "user", "Orphan")}},
            {"id": "e", "mapping": {"1": node(json!("2"), "user", "A"), "2": node(json!("1"), "critic", "B")}},
            {"id": "f", "current_node": "2", "mapping": {"1": node(Value::Null, "wizard", "C"), "2": node(json!("1"), "user", "D")}},
        ]);
        let read = import(export.to_string());
        assert_eq!(read.texts(), ["Hi", "Hello", "Orphan", "A", "D"], "{time}");
        let expected = if time.is_null() { None } else { Some("2024-05-01T09:00:00Z") };
        assert_eq!(turns(&read.items[0]).turns[1].said_at.as_deref(), expected);
        assert_eq!((read.skipped.len(), read.left_out.tool_messages), (4, 1), "{:?}", read.reasons());
    }
}

#[test]
fn tool_traffic_of_chatgpt_is_left_out_unless_asked_for() {
    let mut call = node(json!("1"), "assistant", "print(1)");
    call["message"]["recipient"] = json!("python");
    let mut thoughts = node(json!("2"), "assistant", "hm");
    thoughts["message"]["content"] = json!({"content_type": "thoughts", "text": "hm"});
    let mut said = node(json!("3"), "assistant", "It is 1");
    said["message"]["recipient"] = json!("all");
    let export = json!([{"id": "a", "current_node": "4", "mapping":
        {"1": node(Value::Null, "user", "Compute"), "2": call, "3": thoughts, "4": said}}]);
    let read = import(export.to_string());
    assert_eq!((read.texts(), read.left_out.tool_messages), (vec!["Compute", "It is 1"], 2));
    assert!(read.skipped.is_empty(), "nothing of it is a fault");
    let all = ImportOptions { tool_messages: true, ..options() };
    let read = outcome(engrain::formats::read(Cursor::new(export.to_string()), "test", &all).unwrap());
    let roles: Vec<Role> = turns(&read.items[0]).turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Tool, Role::Tool, Role::Assistant]);
}

#[test]
fn locomo_nulls_and_sessions_without_a_date_are_read() {
    let export = json!([{"sample_id": "t", "qa": [{"question": "?", "evidence": null, "category": "2"}], "conversation": {
        "session_1": [{"speaker": "A", "dia_id": "D1:1", "text": "undated"}],
        "session_2_date_time": "1:56 pm on 8 May, 2023",
        "session_2": [{"speaker": "A", "dia_id": "D2:1", "text": null}, {"speaker": null, "text": "one"}, 7],
        "session_3": [{"speaker": "A", "text": "two"}], "session_4": null,
    }}]);
    let read = import(export.to_string());
    assert_eq!(read.texts(), ["one", "two"]);
    assert_eq!(turns(&read.items[1]).turns[0].said_at.as_deref(), Some("2023-05-08T13:56:00Z"), "inherited");
    assert_eq!((read.skipped.len(), read.left_out.blank_texts), (2, 1), "{:?}", read.reasons());
}

#[test]
fn nested_and_paged_results_of_mem0_are_read() {
    for export in [
        json!({"results": {"results": [{"memory": "a"}, {"memory": "b"}]}}),
        json!({"results": [[{"memory": "a"}], {"memories": [{"memory": "b"}]}]}),
        json!({"count": 2, "next": null, "results": [{"memory": "a"}, 5, {"memory": "b"}]}),
        json!({"memories": {"data": {"memory": "a"}, "x": 1}, "results": [{"memory": "a"}, {"text": "b"}]}),
    ] {
        let read = import(export.to_string());
        assert_eq!(read.texts(), ["a", "b"], "{export}");
    }
}

#[test]
fn encodings_and_lone_surrogates_are_read() {
    let text = "{\"role\": \"user\", \"content\": \"Zo\u{eb} \\ud83d\"}\r\n";
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    let marked = format!("\u{feff}{text}");
    for bytes in [
        text.as_bytes().to_vec(),
        marked.clone().into_bytes(),
        utf16(&marked, true),
        utf16(&marked, false),
        utf16(text, false),
    ] {
        let read = import(bytes);
        assert_eq!((read.texts(), read.skipped.len()), (vec!["Zo\u{eb} \u{fffd}"], 0));
    }
}

#[test]
fn ids_are_filled_field_by_field() {
    let scope = Scope { user_id: Some("mara".into()), app_id: Some("web".into()), ..Scope::default() };
    let record = json!({"role": "user", "content": "x", "agent_id": "chef", "app_id": null}).to_string();
    let read = outcome(
        read(Cursor::new(record), "test", &ImportOptions { scope: scope.clone(), ..options() }).unwrap(),
    );
    assert_eq!(turns(&read.items[0]).scope, Scope { agent_id: Some("chef".into()), ..scope });
}

#[test]
fn folders_and_archives_are_read_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), line("one")).unwrap();
    std::fs::write(folder.path().join("b.json"), "{\"name\": \"a package\"}").unwrap();
    std::fs::write(folder.path().join("c.png"), "x").unwrap();
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.path().join("d.zip")).unwrap());
    for (name, text) in [
        ("user.json", "{\"id\": 1}".to_owned()),
        ("../../conversations.json", line("two")),
        ("chat.html", String::new()),
    ] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    let found = inputs(folder.path()).unwrap();
    assert_eq!((found.found.len(), found.left_out.other_files), (4, 2));
    let opened: Vec<_> =
        found.found.iter().map(|input| (input.is_member(), input.open(&options()))).collect();
    let read: Vec<String> = opened
        .into_iter()
        .flat_map(|(is_member, opened)| match opened {
            Ok(items) => outcome(items).texts().into_iter().map(str::to_owned).collect::<Vec<_>>(),
            Err(error) => vec![format!("foreign {}", is_member && error.is_of_foreign_file())],
        })
        .collect();
    assert_eq!(read, ["one", "foreign false", "two", "foreign true"]);
}

#[test]
fn a_damaged_archive_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"PK\x03\x04 and nothing more").unwrap();
    assert!(matches!(inputs(file.path()), Err(FormatError::Archive { .. })));
}

#[tokio::test]
async fn an_item_that_the_server_refuses_is_left_out_of_its_batch() {
    let refusal = json!({"type": "x", "title": "x", "status": 422, "code": "invalid_request", "detail": "no", "field": "turns[1].text", "request_id": "x"});
    let head = [("content-type", "application/problem+json")];
    let refused = axum::response::IntoResponse::into_response((
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        head,
        refusal.to_string(),
    ));
    let id = uuid::Uuid::nil();
    let added =
        ok(json!({"session_id": id, "turn_ids": [id, id], "memory_ids": [id, id], "repeated": false}));
    let (script, url) = Script::start([refused, added]).await;
    let client = Client::new(url).unwrap();
    let mut sending = Import::new(&client);
    let item = import(["one", "two", "three"].map(line).join("\n")).items.remove(0);
    assert_eq!(sending.send(item).await.unwrap().turns, 2);
    let sent: AddTurns = serde_json::from_value(script.asked()[1].body.clone()).unwrap();
    assert_eq!(texts(&sent), ["one", "three"]);
    assert_eq!(sending.take_skipped()[0].location.part, "turns[1].text");
}

proptest! {
    #![proptest_config(keeping_failures())]

    #[test]
    fn everything_before_a_cut_is_read(count in 1_usize..8, cut in 0_usize..400, array: bool, pretty: bool) {
        let records: Vec<Value> = (0..count).map(|n| json!({"role": "user", "content": format!("text {n} {{")})).collect();
        let shown = |value: &Value| if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() };
        let parts: Vec<String> = records.iter().map(shown).collect();
        let text = if array { format!("[{}]", parts.join(",\n")) } else { parts.join("\n") };
        let cut = cut.min(text.len());
        let mut whole = 0;
        let mut end = usize::from(array);
        for part in &parts {
            end += part.len();
            whole += usize::from(end <= cut);
            end += if array { 2 } else { 1 };
        }
        let bytes = text.as_bytes()[..cut].to_vec();
        match read(Cursor::new(bytes), "test", &options()) {
            Ok(items) => {
                let found = outcome(items);
                prop_assert_eq!(found.texts().len(), whole);
                prop_assert!(found.skipped.len() <= 1);
            }
            Err(_) => prop_assert_eq!(whole, 0),
        }
    }

    #[test]
    fn noise_in_a_file_never_panics(noise: Vec<u8>, at in 0_usize..2000) {
        let mut bytes = LOCOMO.as_bytes().to_vec();
        let at = at.min(bytes.len());
        bytes.splice(at..at, noise);
        if let Ok(items) = read(Cursor::new(bytes), "test", &options()) {
            prop_assert!(items.take(5000).count() < 5000);
        }
    }
}
