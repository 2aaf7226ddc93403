//! Nothing is lost silently: what is not imported is named, and what is named is not blank.

use std::io::{Cursor, Write};

use engrain::Client;
use engrain::formats::{Import, ImportError, ImportOptions, inputs, read};
use engrain::wire::Scope;
use serde_json::{Value, json};

use super::own_export::export;
use super::tolerant::{Outcome, import, line, outcome};
use super::{items, options, turns};
use crate::script::{Script, ok};

fn counted(read: &Outcome) -> (usize, usize, u64) {
    (read.texts().len(), read.skipped.len(), read.left_out.blank_texts)
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!("deep"), |inner, _| json!([inner]))
}

#[test]
fn a_text_in_an_unexpected_place_is_read_or_named_and_never_blank() {
    for record in [
        json!({"role": "user", "message": "I am allergic to nuts"}),
        json!({"role": "user", "content": {"type": "note", "body": "my son is Tom"}}),
        json!({"role": "user", "content": "", "text": "beside a blank one"}),
        json!({"role": "user", "parts": [{"text": "of Gemini"}]}),
        json!({"role": "user", "content": nested(5)}),
    ] {
        assert_eq!(counted(&import(record.to_string())), (1, 0, 0), "{record}");
    }
    for record in [
        json!({"role": "user", "content": {"type": "note", "words": "my son is Tom"}}),
        json!({"role": "user", "content": nested(20)}),
        json!({"role": "user", "content": [{"words": "hidden"}]}),
        json!({"role": "user", "utterance": "in an unknown field"}),
        json!({"role": "user", "content": true}),
    ] {
        let text = [record.to_string(), line("good")].join("\n");
        assert_eq!(counted(&import(text)), (1, 1, 0), "{record}");
    }
    for record in [
        json!({"role": "user", "content": " \n"}),
        json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}),
        json!({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f"}}]}),
    ] {
        let text = [record.to_string(), line("good")].join("\n");
        assert_eq!(counted(&import(text)), (1, 0, 1), "{record}");
    }
}

#[test]
fn a_part_that_cannot_be_read_is_named_beside_those_that_can() {
    let read =
        import(json!({"role": "user", "content": [{"text": "read"}, {"words": "not read"}]}).to_string());
    assert_eq!((read.texts(), read.skipped.len()), (vec!["read"], 1));
}

#[test]
fn all_lists_of_a_record_are_read_or_named() {
    for export in [
        json!({"memory": [{"memory": "a"}]}),
        json!({"results": [], "memories": [{"memory": "a"}]}),
        json!({"results": [{"memory": "a"}], "memories": [{"memory": "b"}]}),
        json!({"results": [{"memory": "a"}], "items": [{"memory": "a"}, {"memory": "b"}]}),
    ] {
        let read = import(export.to_string());
        let expected = if export.to_string().contains("\"b\"") { vec!["a", "b"] } else { vec!["a"] };
        assert_eq!((read.texts(), read.skipped.len()), (expected, 0), "{export}");
    }
    let record = |name: &str| json!({name: [{"role": "user", "content": name}]});
    let mut both = record("messages");
    both["conversations"] = record("conversations")["conversations"].clone();
    let read = import(both.to_string());
    assert_eq!((read.texts(), read.skipped[0].location.part.as_str()), (vec!["messages"], "conversations"));
    let relations = json!({"results": [{"memory": "a"}], "relations": [{"source": "ann"}]});
    assert_eq!(import(relations.to_string()).skipped[0].location.part, "relations");
}

#[test]
fn turns_of_benchmarks_without_a_known_text_are_named() {
    let conversation = |session: Value| {
        json!([{"sample_id": "t", "qa": [], "conversation": {
            "session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": session}}])
    };
    for session in [json!({"turns": [{"text": "x"}]}), json!([{"speaker": "A", "words": "x"}]), json!("x")] {
        assert_eq!(counted(&import(conversation(session.clone()).to_string())), (0, 1, 0), "{session}");
    }
    let mut other = conversation(json!([{"text": "read"}]));
    other[0]["conversation"]["sessions"] = json!([[{"text": "x"}]]);
    assert_eq!(counted(&import(other.to_string())), (1, 1, 0));
    let haystack = json!([{"question_id": "q", "haystack_dates": ["2023/05/20 (Sat) 02:21"],
        "haystack_sessions": [[{"role": "user", "words": "x"}, {"role": "user", "content": {"words": "x"}}]]}]);
    assert_eq!(counted(&import(haystack.to_string())), (0, 2, 0));
}

#[test]
fn an_owner_of_a_wrong_type_is_never_somebody_else() {
    for owner in [json!({"id": "bob"}), json!(["carol"]), json!(true)] {
        for record in [
            json!({"role": "user", "content": "x", "user_id": owner}),
            json!({"messages": [{"role": "user", "content": "x"}], "agent_id": owner}),
            json!({"memory": "x", "user_id": owner}),
            json!({"role": "user", "content": "x", "session": owner}),
        ] {
            let read = import(record.to_string());
            assert_eq!(counted(&read), (0, 1, 0), "{record}");
            assert!(read.reasons()[0].ends_with("is not an id"), "{:?}", read.reasons());
        }
    }
}

#[test]
fn conversations_without_ids_are_named_by_their_beginnings() {
    let conversation = |texts: &[&str]| {
        let messages: Vec<Value> =
            texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        json!({"messages": messages}).to_string()
    };
    let names = |conversations: &[String]| {
        let read = import(conversations.join("\n"));
        read.items.iter().map(|item| turns(item).session.clone().unwrap()).collect::<Vec<_>>()
    };
    let before = names(&[conversation(&["a"]), conversation(&["b", "c"]), conversation(&["b", "d"])]);
    let after = names(&[
        conversation(&["new"]),
        conversation(&["a", "and more"]),
        conversation(&["b", "c", "e"]),
        conversation(&["b", "d"]),
    ]);
    assert_eq!(before, after[1..]);
    assert_ne!(before[1], before[2], "two that begin alike are two");
}

#[test]
fn a_cut_record_of_an_array_on_one_line_takes_no_other_along() {
    let whole = line("b of some length");
    for separator in [",", ", ", "\n, ", "\n,\n"] {
        for cut in 1..whole.len() {
            let parts = [&line("a"), &whole[..cut], &line("c"), &line("d"), &line("e")].map(str::to_owned);
            let read = import(format!("[{}]", parts.join(separator)));
            assert_eq!(read.texts(), ["a", "c", "d", "e"], "cut at {cut} before {separator:?}");
            assert_eq!(read.skipped.len(), 1, "cut at {cut}: {:?}", read.reasons());
        }
    }
}

#[test]
fn an_object_inside_of_a_cut_record_is_not_taken_for_one() {
    let record =
        |text: &str| json!({"session": "s", "messages": [{"role": "user", "content": text}]}).to_string();
    let cut =
        r#"{"session":"s","messages":[{"role":"user","content":"cut},{"role":"user","content":"inside"}]}"#;
    let read = import(format!("[{},{cut},{}]", record("a"), record("c")));
    assert_eq!((read.texts(), read.skipped.len()), (vec!["a", "c"], 1), "{:?}", read.reasons());
}

#[test]
fn many_damaged_records_are_examined_in_bounded_time() {
    let damaged = r#"{"role" 1},"#.repeat(200_000);
    let open = r#"{"role" 1,{"role":["#;
    let read = import(format!("[{},{open}{}{damaged}{}]", line("a"), "1,".repeat(1 << 20), line("z")));
    assert_eq!(read.texts(), ["a", "z"]);
    assert!(read.reasons()[0].contains("bytes from byte"), "what it took in is told: {:?}", read.reasons());
    let read = import(format!("[{},{damaged}{}]", line("a"), line("z")));
    assert_eq!((read.texts(), read.skipped.len()), (vec!["a", "z"], 200_000));
}

#[test]
fn the_length_of_a_rest_that_cannot_be_read_is_told() {
    let text = format!("[{},{{\"role\": \"user\", \"content\": [{{\"x\": {}", line("a"), "[".repeat(30));
    let read = import(&text);
    assert_eq!((read.texts(), read.skipped.len()), (vec!["a"], 1));
    let start = line("a").len() + 2;
    assert_eq!(read.skipped[0].rest_bytes, Some((text.len() - start) as u64));
    assert!(
        read.reasons()[0].contains(&format!("from byte {start} on cannot be read")),
        "{:?}",
        read.reasons()
    );
}

#[test]
fn exports_one_after_another_are_read_as_all_of_them() {
    let one = export(json!({"record": "end", "records": 4}));
    let both = format!("{one}\n{one}\n");
    let read = outcome(read(Cursor::new(both), "test", &options()).unwrap());
    assert_eq!(counted(&read), (8, 0, 0), "{:?}", read.reasons());
    let wrong = export(json!({"record": "end", "records": 5}));
    let read = import(format!("{wrong}\n{one}"));
    assert_eq!(counted(&read), (8, 1, 0));
    assert!(read.reasons()[0].contains("it has 4 records instead of 5"), "{:?}", read.reasons());
    let unended: Vec<&str> = one.lines().take(6).collect();
    let read = import(format!("{}\n{one}", unended.join("\n")));
    assert_eq!(counted(&read), (8, 1, 0));
    let read = import(format!("{one}\n{}", line("something else")));
    assert!(read.reasons()[0].contains("is not read"), "{:?}", read.reasons());
}

#[test]
fn an_expiration_in_the_year_9999_means_never() {
    for never in [json!("9999-12-31"), json!("9999-12-31T23:59:59-05:00"), json!(253402214400_i64)] {
        let read = import(json!([{"memory": "x", "expiration_date": never}]).to_string());
        assert_eq!(counted(&read), (1, 0, 0), "{never}");
        let engrain::formats::Batch::Memories(batch) = &read.items[0].batch else { panic!("not memories") };
        assert_eq!(batch.memories[0].expires_at, None);
    }
}

#[test]
fn members_of_one_name_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("one.json", "first"), ("two.json", "second"), ("three.json", "third")] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(line(text).as_bytes()).unwrap();
    }
    let mut bytes = archive.finish().unwrap().into_inner();
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"two.json")).collect();
    for at in places {
        bytes[at..at + 8].copy_from_slice(b"one.json");
    }
    std::fs::write(&path, bytes).unwrap();
    let found = inputs(&path).unwrap();
    assert_eq!((found.found.len(), found.skipped.len()), (2, 1));
    assert!(found.skipped[0].to_string().contains("a.zip/one.json: more than one member has this name"));
}

#[tokio::test]
async fn a_changed_record_is_named_with_its_place_and_key() {
    let file =
        json!([{"id": "1", "memory": "lives in Rome"}, {"id": "2", "memory": "lives in Oslo"}]).to_string();
    let id = uuid::Uuid::nil();
    let answer =
        || ok(json!({"memory_ids": [id], "outcomes": ["existing", "conflicting"], "repeated": false}));
    for strict in [false, true] {
        let (_script, url) = Script::start([answer()]).await;
        let client = Client::new(url).unwrap();
        let mut importing = Import::new(&client).strict(strict);
        let options = ImportOptions { scope: Scope::user("ann"), ..options() };
        let item = items(&file, &options).1.remove(0).unwrap();
        let sent = importing.send(item).await;
        if strict {
            let Err(ImportError::Conflicting { location, .. }) = sent else { panic!("{sent:?}") };
            assert_eq!(location.record, 2);
            continue;
        }
        assert_eq!(sent.unwrap().conflicting, 1);
        let skipped = importing.take_skipped();
        assert_eq!((skipped.len(), skipped[0].location.record), (1, 2));
        assert!(skipped[0].reason.contains("under its key `2`"), "{}", skipped[0].reason);
    }
}
