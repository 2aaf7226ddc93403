//! Exports of format 2: what a file may be, and how its records are sent.

use std::io::Cursor;

use axum::response::IntoResponse;
use engrain::Client;
use engrain::formats::archive::{ArchiveImport, ArchiveReader, ArchiveRecord};
use engrain::formats::{FormatError, ImportError, ImportOptions};
use engrain::wire::ImportRecords;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::script::{Script, ok};

const MOMENT: &str = "2024-01-02T10:00:00Z";

fn header(format: u32) -> Value {
    json!({"record": "header", "format": format, "engrain": "0.1.0"})
}

fn owner() -> Value {
    json!({"record": "owner", "scope": {"user_id": "mara"}, "thinking": "off"})
}

/// Fact that is made of other memories.
fn fact(id: u128, of: &[u128]) -> Value {
    let inputs: Vec<_> =
        of.iter().map(|id| json!({"memory_id": Uuid::from_u128(*id), "is_evidence": true})).collect();
    json!({
        "record": "memory", "sources": [],
        "memory": {
            "id": Uuid::from_u128(id), "version": 1, "kind": "fact", "text": "Prefers tea.", "tokens": 3,
            "visibility": "owner", "happened_at": MOMENT, "recorded_at": MOMENT, "created_at": MOMENT,
            "importance": 0.5,
        },
        "history": {
            "strength": 1.0, "refreshed_at": MOMENT,
            "derivations": [{
                "id": Uuid::from_u128(id + 1_000), "versions": [1],
                "record": {"maker": "facts", "made_at": MOMENT, "inputs": inputs},
            }],
        },
    })
}

fn file(lines: &[Value]) -> String {
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

fn open(text: &str) -> Result<Option<ArchiveReader>, FormatError> {
    ArchiveReader::open(Cursor::new(text.to_owned()), "file", ImportOptions::default().max_record_bytes)
}

fn records(text: &str) -> Vec<Result<ArchiveRecord, FormatError>> {
    open(text).unwrap().unwrap().collect()
}

#[test]
fn only_exports_of_format_2_are_archives() {
    assert!(open(&file(&[header(2)])).unwrap().is_some());
    for other in [
        file(&[header(1)]),
        "{\"role\": \"user\", \"content\": \"a\"}".to_owned(),
        String::new(),
        "{".to_owned(),
    ] {
        assert!(open(&other).unwrap().is_none(), "{other}");
    }
    assert!(matches!(open(&file(&[header(3)])), Err(FormatError::Version { found: 3, known: 2, .. })));
}

#[test]
fn an_incomplete_archive_is_an_error_after_its_records() {
    let end = |records: u64| json!({"record": "end", "records": records});
    let whole = records(&file(&[header(2), owner(), fact(1, &[]), fact(2, &[1]), end(2)]));
    assert_eq!(whole.iter().filter(|record| record.is_ok()).count(), 2);
    assert_eq!(whole.len(), 2);
    for (lines, good) in [
        (vec![header(2), owner(), fact(1, &[])], 1),
        (vec![header(2), owner(), fact(1, &[]), end(2)], 1),
        (vec![header(2), owner(), end(0), fact(1, &[])], 0),
    ] {
        let read = records(&file(&lines));
        assert_eq!(read.iter().filter(|record| record.is_ok()).count(), good);
        assert!(matches!(read.last(), Some(Err(FormatError::CutShort { .. }))), "{read:?}");
    }
}

#[test]
fn an_odd_record_takes_no_other_along() {
    let lines = [
        header(2),
        owner(),
        json!({"record": "memory"}),
        fact(2, &[]),
        json!({"record": "end", "records": 2}),
    ];
    let read = records(&file(&lines));
    assert_eq!(read.len(), 2);
    assert!(matches!(&read[0], Err(error) if error.is_of_one_record()));
    assert!(matches!(&read[1], Ok(record) if record.number == 1));
}

#[test]
fn records_after_an_owner_line_that_cannot_be_read_are_given_to_no_owner() {
    let of_tomorrow = json!({"effect": "exclude", "half_life_of_tomorrow": 3});
    let other =
        |forgetting: Value| json!({"record": "owner", "scope": {"user_id": "bob"}, "forgetting": forgetting});
    let end = json!({"record": "end", "records": 3});
    for line in [
        other(of_tomorrow).to_string(),
        other(json!({"quota_memories": -1})).to_string(),
        json!({"record": "owner", "scope": {"user_id": 7}}).to_string(),
        "{\"record\":\"owner\",\"scope\":{\"user_id\":\"bo".to_owned(),
    ] {
        let before = file(&[header(2), owner(), fact(1, &[])]);
        let after = file(&[fact(2, &[]), owner(), fact(3, &[]), end.clone()]);
        let read = records(&format!("{before}\n{line}\n{after}"));
        let found: Vec<bool> = read.iter().map(Result::is_ok).collect();
        assert_eq!(found, [true, false, false, true], "{read:?}");
        assert!(read[1..3].iter().flat_map(|one| one.as_ref().err()).all(FormatError::is_of_one_record));
        assert!(read[2].as_ref().unwrap_err().to_string().contains("no valid owner line"), "{read:?}");
    }
    let whole = file(&[
        header(2),
        other(json!({"effect": "exclude"})),
        fact(1, &[]),
        json!({"record": "end", "records": 1}),
    ]);
    let policy = records(&whole).remove(0).unwrap().owner.forgetting.unwrap();
    assert_eq!((policy.effect.as_str(), policy.grace_days), ("exclude", 30));
}

#[tokio::test]
async fn a_refusal_of_the_settings_of_an_owner_is_of_all_its_records_and_is_asked_for_once() {
    let problem = json!({
        "type": "https://engrain.dev/problems/invalid_request", "title": "Invalid request", "status": 422,
        "code": "invalid_request", "detail": "forgetting.effect: must be one of those known",
        "field": "forgetting.effect", "request_id": "r",
    });
    let refusal = (axum::http::StatusCode::UNPROCESSABLE_ENTITY, axum::Json(problem)).into_response();
    let (script, url) = Script::start([refusal]).await;
    let client = Client::new(url).unwrap();
    let mut import = ArchiveImport::new(&client);
    let text =
        file(&[header(2), owner(), fact(1, &[]), fact(2, &[]), json!({"record": "end", "records": 2})]);
    for record in records(&text) {
        import.add(record.unwrap()).await.unwrap();
    }
    import.finish_pass().await.unwrap();
    let skipped = import.take_skipped();
    assert_eq!((script.asked().len(), skipped.len(), import.imported().added), (1, 2, 0));
    assert!(skipped.iter().all(|one| one.reason.contains("the records of user mara: ")), "{skipped:?}");
    assert!(skipped.iter().all(|one| one.location.part == "forgetting.effect"), "{skipped:?}");
}

#[tokio::test]
async fn an_import_without_a_right_that_it_needs_fails_and_names_the_owner() {
    let problem = json!({
        "type": "https://engrain.dev/problems/forbidden", "title": "Forbidden", "status": 403, "code": "forbidden",
        "detail": "this needs the right to delete", "request_id": "r",
    });
    let refusal = (axum::http::StatusCode::FORBIDDEN, axum::Json(problem)).into_response();
    let (_script, url) = Script::start([refusal]).await;
    let client = Client::new(url).unwrap();
    let mut import = ArchiveImport::new(&client);
    for record in records(&file(&[header(2), owner(), fact(1, &[]), json!({"record": "end", "records": 1})]))
    {
        import.add(record.unwrap()).await.unwrap();
    }
    let failed = import.finish_pass().await.unwrap_err();
    assert!(matches!(&failed, ImportError::Restore { owner, .. } if owner == "user mara"), "{failed:?}");
    assert!(failed.to_string().ends_with("the records of user mara cannot be added"), "{failed}");
}

#[test]
fn a_header_begins_the_next_archive_of_a_file() {
    let end = |records: u64| json!({"record": "end", "records": records});
    let archive = |of: u64| [header(2), owner(), fact(1, &[]), end(of)];
    let read = records(&file(&[archive(1), archive(1)].concat()));
    let numbers: Vec<u64> = read.iter().map(|record| record.as_ref().unwrap().number).collect();
    assert_eq!(numbers, [0, 1]);
    let read = records(&file(&[archive(2), archive(1)].concat()));
    assert_eq!((read.len(), read.iter().filter(|record| record.is_ok()).count()), (3, 2));
    assert!(matches!(&read[1], Err(error) if error.is_of_one_record()), "{:?}", read[1]);
    let other = file(&[&archive(1)[..], &[header(1), owner()]].concat());
    let read = records(&other);
    assert!(read[1].as_ref().unwrap_err().to_string().contains("is not read"), "{read:?}");
}

#[tokio::test]
async fn a_record_in_whose_place_the_store_has_another_is_named() {
    let text = file(&[header(2), owner(), fact(1, &[]), json!({"record": "end", "records": 1})]);
    for strict in [false, true] {
        let answer = ok(json!({"records": [{"outcome": "conflicting", "missing": 0}]}));
        let (_script, url) = Script::start([answer]).await;
        let client = Client::new(url).unwrap();
        let mut import = ArchiveImport::new(&client).strict(strict);
        for record in records(&text) {
            import.add(record.unwrap()).await.unwrap();
        }
        let sent = import.finish_pass().await;
        if strict {
            assert!(matches!(sent, Err(ImportError::Conflicting { .. })), "{sent:?}");
            continue;
        }
        let skipped = import.take_skipped();
        assert_eq!((skipped.len(), skipped[0].location.record, import.imported().conflicting), (1, 3, 1));
        assert!(skipped[0].reason.contains(&Uuid::from_u128(1).to_string()), "{skipped:?}");
    }
}

fn answer(of: &[(u128, u32)]) -> axum::response::Response {
    let records: Vec<_> = of
        .iter()
        .map(|(id, missing)| json!({"outcome": "created", "memory_id": Uuid::from_u128(*id), "missing": missing}))
        .collect();
    ok(json!({"records": records}))
}

#[tokio::test]
async fn records_with_references_that_led_nowhere_are_sent_a_second_time() {
    let (script, url) = Script::start([answer(&[(1, 1), (2, 0)]), answer(&[(1, 0)])]).await;
    let client = Client::new(url).unwrap();
    let text =
        file(&[header(2), owner(), fact(1, &[2]), fact(2, &[]), json!({"record": "end", "records": 2})]);
    let mut import = ArchiveImport::new(&client);
    for _ in 0..2 {
        for record in records(&text) {
            import.add(record.unwrap()).await.unwrap();
        }
        import.finish_pass().await.unwrap();
    }
    let sent: Vec<ImportRecords> =
        script.asked().into_iter().map(|asked| serde_json::from_value(asked.body).unwrap()).collect();
    assert_eq!(sent.iter().map(|request| request.records.len()).collect::<Vec<_>>(), [2, 1]);
    let settings: Vec<bool> = sent.iter().map(|request| request.thinking.is_some()).collect();
    assert_eq!(settings, [true, false], "an owner is given its settings once");
    assert_eq!(sent[1].records[0].memory.id, Uuid::from_u128(1));
    let imported = import.imported();
    assert_eq!((imported.added, imported.memories, imported.references_lost), (2, 2, 0));
}

#[tokio::test]
async fn references_follow_items_that_the_server_has_under_other_ids_up_to_a_bound() {
    for (bound, input, lost) in [(1, 7, 0), (0, 1, 1)] {
        let (script, url) =
            Script::start([answer(&[(7, 0)]), answer(&[(2, lost)]), answer(&[(2, lost)])]).await;
        let client = Client::new(url).unwrap();
        let text =
            file(&[header(2), owner(), fact(1, &[]), fact(2, &[1]), json!({"record": "end", "records": 2})]);
        let mut import = ArchiveImport::new(&client).max_renamed(bound);
        let read = records(&text);
        for record in read {
            import.add(record.unwrap()).await.unwrap();
            import.flush().await.unwrap();
        }
        if import.finish_pass().await.unwrap() {
            for record in records(&text) {
                import.add(record.unwrap()).await.unwrap();
            }
            import.finish_pass().await.unwrap();
        }
        let request: ImportRecords = serde_json::from_value(script.asked()[1].body.clone()).unwrap();
        let made = &request.records[0].history.derivations[0].record;
        assert_eq!(made.inputs[0].memory_id, Some(Uuid::from_u128(input)));
        assert_eq!(import.imported().references_lost, u64::from(lost));
    }
}
