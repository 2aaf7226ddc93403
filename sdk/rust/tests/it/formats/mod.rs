//! The readers of conversation files, on small files with the traps of the real ones, and the import of what they read.
//! Every conversation here is invented.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod archive;
mod archives;
mod chatgpt_trees;
mod identities;
mod losses;
mod own_export;
mod tolerant;

use std::io::{Cursor, Write};
use std::path::Path;

use engrain::formats::{
    Batch, Format, FormatError, ImportItem, ImportOptions, locomo, longmemeval, open, read,
};
use engrain::wire::{AddTurns, Kind, Role, Scope};
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

const LONGMEMEVAL: &str = include_str!("../../fixtures/longmemeval.json");
const LOCOMO: &str = include_str!("../../fixtures/locomo.json");
const CHATGPT: &str = include_str!("../../fixtures/chatgpt.json");

fn options() -> ImportOptions {
    ImportOptions { scope: Scope::user("mara"), ..ImportOptions::default() }
}

/// Items and detected format of `text`.
fn items(text: &str, options: &ImportOptions) -> (Format, Vec<Result<ImportItem, FormatError>>) {
    let items = read(Cursor::new(text.as_bytes().to_vec()), "test", options).unwrap();
    (items.format(), items.collect())
}

/// Items of a valid text.
fn sound(text: &str) -> Vec<ImportItem> {
    items(text, &options()).1.into_iter().collect::<Result<_, _>>().unwrap()
}

fn turns(item: &ImportItem) -> &AddTurns {
    match &item.batch {
        Batch::Turns(turns) => turns,
        Batch::Memories(memories) => panic!("not turns: {memories:?}"),
    }
}

fn texts(turns: &AddTurns) -> Vec<&str> {
    turns.turns.iter().map(|turn| turn.text.as_str()).collect()
}

#[test]
fn longmemeval_becomes_sessions_without_labels() {
    let (format, items) = items(LONGMEMEVAL, &ImportOptions::default());
    assert_eq!(format, Format::LongMemEval);
    let batches: Vec<_> = items.iter().filter_map(|item| item.as_ref().ok()).collect();
    assert_eq!(batches.len(), 4, "three sessions and one; the third question has a day that never was");

    let first = turns(batches[0]);
    assert_eq!(first.session.as_deref(), Some("session-0000"));
    assert_eq!(first.turns[1].role, Role::Assistant);
    assert_eq!(first.turns[1].said_at.as_deref(), Some("2023-05-20T02:21:00Z"));
    assert_eq!(first.turns[1].key.as_deref(), Some("session-0000:1"));
    assert_eq!(
        texts(turns(batches[1])),
        ["I have adopted a tortoise, Magellan."],
        "blank turns are left out"
    );
    assert_ne!(turns(batches[2]).session, first.session, "an id that occurs twice is two sessions");
    assert_ne!(turns(batches[3]).scope, first.scope, "each question has a memory of its own");

    for item in batches {
        let sent = format!("{} {}", item.key, serde_json::to_string(turns(item)).unwrap());
        for label in ["answer", "_abs", "q1", "q2", "has_", "What is my tortoise", "filler_1"] {
            assert!(!sent.contains(label), "{label} in {sent}");
        }
    }
    let error = items[4].as_ref().unwrap_err();
    assert!(error.is_of_one_record());
    let told = error.to_string();
    assert!(
        told.starts_with("test, record 3 (line ") && told.contains("haystack_dates[0]: `2023/02/30"),
        "{told}"
    );
}

#[test]
fn longmemeval_session_names_map_back_to_ids() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), LONGMEMEVAL).unwrap();
    let options = ImportOptions { user_prefix: "run7-".into(), ..ImportOptions::default() };
    let questions: Vec<_> =
        longmemeval::questions(file.path(), &options).unwrap().collect::<Result<_, _>>().unwrap();
    let (question, place) = &questions[0];
    let names = question.session_names(&options);
    let batches = question.batches(&options, place).unwrap();
    let sessions: Vec<_> = batches.iter().map(|item| turns(item).session.clone().unwrap()).collect();
    assert_eq!(names, sessions);
    assert_eq!(turns(&batches[0]).scope, question.scope(&options));
    assert!(question.scope(&options).user_id.unwrap().starts_with("run7-question-"));
    assert_eq!(question.asked_at().as_deref(), Some("2023-05-28T23:59:59Z"));
    assert!(question.has_marked_user_turn() && !question.is_abstention());
    assert!(!questions[1].0.has_marked_user_turn() && questions[1].0.is_abstention());

    // Another edition of the benchmark asks the same of another haystack.
    let mut other = question.clone();
    other.haystack_session_ids.pop();
    assert_ne!(other.scope(&options), question.scope(&options));

    let plain = ImportOptions { hide_labels: false, ..ImportOptions::default() };
    assert_eq!(question.session_names(&plain), ["filler_1", "answer_77", "filler_1"]);
    assert_eq!(question.scope(&plain), Scope::user("q1"));
}

#[test]
fn locomo_keeps_speakers_keys_times_and_captions() {
    let (format, items) = items(LOCOMO, &ImportOptions::default());
    assert_eq!(format, Format::Locomo);
    let items: Vec<_> = items.into_iter().map(Result::unwrap).collect();
    let (second, tenth) = (turns(&items[0]), turns(&items[1]));
    assert_eq!(items.len(), 2, "a date without a session is none");
    assert_eq!(
        (second.session.as_deref(), tenth.session.as_deref()),
        (Some("session_2"), Some("session_10"))
    );
    assert_eq!(second.scope, Scope::user("talk-1"));
    assert_eq!(
        texts(second),
        ["Look at this!\n[image: a photo of a red boat]", "[image: a photo of an oar]"]
    );
    let turn = &second.turns[0];
    assert_eq!((turn.author.as_deref(), turn.key.as_deref()), (Some("Tomas"), Some("D2:1")));
    assert_eq!(turn.said_at.as_deref(), Some("2023-05-08T13:56:00Z"));
    assert_eq!(tenth.turns[0].said_at.as_deref(), Some("2023-09-13T00:09:00Z"));
}

#[test]
fn locomo_questions_are_read_for_scoring() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), LOCOMO).unwrap();
    let mut conversations = locomo::conversations(file.path(), &ImportOptions::default()).unwrap();
    let (conversation, _) = conversations.next().unwrap().unwrap();
    assert_eq!(conversation.qa[0].evidence, ["D1:2"]);
    assert!(conversations.next().is_none());
}

#[test]
fn turns_in_lines_are_grouped_by_session() {
    let lines = [
        json!({"role": "user", "content": "Tea, please.", "name": "Mara", "timestamp": 1_700_000_000, "session": "a"}),
        json!({"from": "gpt", "value": "Green or black?", "session": "a", "created_at": null}),
        json!({"role": "user", "content": [{"type": "text", "text": "Green."}, {"type": "image"}], "session": "b", "id": 5}),
        json!({"role": "user", "text": "Mine is black.", "user_id": "tom", "metadata": {"mood": "calm"}}),
    ];
    let items = sound(&lines.map(|line| line.to_string()).join("\r\n"));
    assert_eq!(items.len(), 3);
    assert_eq!(texts(turns(&items[0])), ["Tea, please.", "Green or black?"]);
    let first = &turns(&items[0]).turns[0];
    assert_eq!(first.said_at.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(first.author.as_deref(), Some("Mara"));
    assert_eq!(turns(&items[1]).turns[0].key.as_deref(), Some("5"));
    assert_eq!(texts(turns(&items[1])), ["Green."]);
    assert_eq!(turns(&items[2]).scope, Scope::user("tom"));
    assert_eq!(turns(&items[2]).turns[0].metadata["mood"], "calm");
    assert_eq!((items[2].location.record, items[2].location.line), (4, 4));
}

#[test]
fn a_conversation_per_line_is_one_session() {
    let lines = [
        json!({"messages": [{"role": "human", "content": "One"}, {"role": "assistant", "content": null}],
               "date": "2024-05-01", "agent_id": "chef"}),
        json!({"conversations": [{"from": "human", "value": "Two", "time": "2024-05-02T10:00:00+02:00"}], "id": "second"}),
        json!({"messages": [{"role": "user", "content": "Three"}, {"role": "wizard", "content": "Four"}]}),
        json!({"messages": [{"role": "user", "content": "Five"}]}),
    ];
    let (_, items) = items(&lines.map(|line| line.to_string()).join("\n"), &options());
    let first = turns(items[0].as_ref().unwrap());
    let named: Vec<_> =
        [0, 2, 4].map(|at| turns(items[at].as_ref().unwrap()).session.clone().unwrap()).into();
    assert!(named.iter().all(|name| name.starts_with("conversation-")), "{named:?}");
    assert!(named[0] != named[1] && named[1] != named[2] && named[0] != named[2], "{named:?}");
    assert_eq!(first.scope, Scope { agent_id: Some("chef".into()), ..Scope::user("mara") });
    assert_eq!(first.turns[0].said_at.as_deref(), Some("2024-05-01T00:00:00Z"));
    let second = turns(items[1].as_ref().unwrap());
    assert_eq!(second.session.as_deref(), Some("second"));
    assert_eq!(second.turns[0].said_at.as_deref(), Some("2024-05-02T10:00:00+02:00"));
    assert_eq!(texts(turns(items[2].as_ref().unwrap())), ["Three"], "one bad message is one message lost");
    let told = items[3].as_ref().unwrap_err().to_string();
    assert_eq!(told, "test, record 3 (line 3), messages[1].role: \"wizard\" is not a role");
    assert_eq!(texts(turns(items[4].as_ref().unwrap())), ["Five"], "and what follows is read");
    assert_eq!(items.len(), 5);
}

#[test]
fn chatgpt_is_read_along_the_branch_in_view() {
    let (format, items) = items(CHATGPT, &options());
    assert_eq!(format, Format::ChatGpt);
    let bread = turns(items[0].as_ref().unwrap());
    assert_eq!(bread.session.as_deref(), Some("c-bread"));
    assert_eq!(texts(bread), ["Is this bread done?", "core = 96", "Yes: 96 degrees inside."]);
    let told: Vec<_> = bread.turns.iter().map(|turn| turn.said_at.as_deref().unwrap()).collect();
    assert_eq!(told, ["2023-11-14T22:13:20.25Z", "2023-11-14T22:13:40Z", "2023-11-14T22:13:40Z"]);
    assert_eq!(bread.turns[1].role, Role::Tool);
    assert_eq!(bread.turns[1].author.as_deref(), Some("oven"));
    assert_eq!(bread.turns[0].metadata["title"], "Bread");
    let told = items[1].as_ref().unwrap_err().to_string();
    assert!(told.ends_with("mapping: a node is its own ancestor"), "{told}");
}

#[test]
fn mem0_becomes_facts_with_their_own_times() {
    let record = json!({
        "id": "m-1", "memory": "Prefers tea", "user_id": "mara", "categories": ["drinks"], "metadata": {"source": "app"},
        "created_at": "2024-07-20T01:30:36.275141-07:00", "updated_at": null, "expiration_date": "2030-01-01",
    });
    let listed = sound(&json!([record]).to_string());
    let wrapped = sound(&json!({"results": [record]}).to_string());
    let Batch::Memories(batch) = &listed[0].batch else { panic!("not memories") };
    let memory = &batch.memories[0];
    assert_eq!((memory.kind, memory.text.as_str()), (Some(Kind::Fact), "Prefers tea"));
    assert_eq!(memory.happened_at.as_deref(), Some("2024-07-20T01:30:36.275141-07:00"));
    assert_eq!(memory.expires_at.as_deref(), Some("2030-01-01T00:00:00Z"));
    assert_eq!(memory.tags, ["drinks"]);
    assert_eq!(Value::from(memory.metadata.clone()), json!({"source": "app", "mem0_id": "m-1"}));
    assert_eq!((&listed[0].key, &listed[0].batch), (&wrapped[0].key, &wrapped[0].batch));
}

#[test]
fn gzip_is_decoded_and_keys_do_not_depend_on_compression() {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(LOCOMO.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let keys = |items: Vec<ImportItem>| items.into_iter().map(|item| item.key).collect::<Vec<_>>();
    let unpacked = read(Cursor::new(packed.clone()), "x.gz", &options()).unwrap();
    assert_eq!(keys(unpacked.collect::<Result<_, _>>().unwrap()), keys(sound(LOCOMO)));
    let cut = read(Cursor::new(packed[..packed.len() / 2].to_vec()), "x.gz", &options());
    let cut = cut.and_then(|items| items.collect::<Result<Vec<_>, _>>());
    assert!(matches!(cut, Err(FormatError::Read { .. })));
}

#[test]
fn a_malformed_file_is_refused_with_its_location() {
    let error = |text: &str| read(Cursor::new(text.to_owned()), "test", &options()).err().unwrap();
    assert!(matches!(error(" \n "), FormatError::Empty { .. }));
    assert!(matches!(error("[]"), FormatError::Empty { .. }));
    assert!(matches!(error("hello"), FormatError::Shape { .. } | FormatError::UnknownFormat { .. }));
    assert_eq!(
        error("[{\"b\": 1, \"a\": 2}]").to_string(),
        "test, record 1 (line 1): unknown format; the record has the fields: a, b"
    );
    let missing = open(Path::new("no/such/file.json"), &options()).err().unwrap();
    assert!(missing.to_string().contains("no/such/file.json"));
}

#[test]
fn a_record_without_an_owner_is_an_error() {
    for text in [r#"{"role": "user", "content": "x"}"#, r#"{"memory": "x"}"#, CHATGPT] {
        let (_, items) = items(text, &ImportOptions::default());
        assert!(matches!(&items[0], Err(FormatError::Value { .. })), "{text}");
    }
}

#[test]
fn batches_are_bounded_and_a_too_long_text_is_an_error() {
    let line = |text: &str| json!({"role": "user", "content": text}).to_string();
    let text = [line(&"a".repeat(600)), line(&"b".repeat(600)), line("c"), line(&"d".repeat((1 << 20) + 1))]
        .join("\n");
    let options = ImportOptions { batch_bytes: 1000, ..options() };
    let (_, items) = items(&text, &options);
    let lengths: Vec<_> = items.iter().map(|item| item.as_ref().map_or(0, |item| item.batch.len())).collect();
    assert_eq!(lengths, [1, 0, 2], "the open batch comes after the error, and is not lost");
    assert!(matches!(&items[1], Err(FormatError::TextTooLong { bytes: 1_048_577, .. })));
}

#[test]
fn the_same_text_at_two_positions_has_two_keys() {
    let line = json!({"role": "user", "content": "ok"}).to_string();
    let text = format!("{line}\n{line}\n");
    let options = ImportOptions { batch_items: 1, ..options() };
    let keys = || items(&text, &options).1.into_iter().map(|item| item.unwrap().key).collect::<Vec<_>>();
    assert_ne!(keys()[0], keys()[1]);
    assert_eq!(keys(), keys());
}

/// Failures are kept beside those of `src`: proptest's default would put them into `tests`.
fn keeping_failures() -> ProptestConfig {
    let failures = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/tests/formats.txt");
    let failures = FileFailurePersistence::Direct(failures);
    ProptestConfig { failure_persistence: Some(Box::new(failures)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(keeping_failures())]

    #[test]
    fn no_file_makes_a_reader_panic(
        format in 0_usize..6, cut in 0_usize..4000, at in 0_usize..4000, byte: u8, which in 0_usize..4,
    ) {
        let export = own_export::export(json!({"record": "end", "records": 4}));
        let whole = [LONGMEMEVAL, LOCOMO, CHATGPT, &export][which].as_bytes();
        let mut bytes = whole[..cut.min(whole.len())].to_vec();
        if let Some(spoilt) = bytes.get_mut(at) {
            *spoilt = byte;
        }
        let options = ImportOptions { format: Some(Format::ALL[format]), ..options() };
        if let Ok(items) = read(Cursor::new(bytes), "test", &options) {
            let read: Vec<_> = items.take(1000).collect();
            prop_assert!(read.len() < 1000, "reading ends");
            prop_assert!(read.into_iter().flatten().all(|item| !item.batch.is_empty()));
        }
    }
}
