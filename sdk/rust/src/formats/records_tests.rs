//! Unit tests of the splitter of records: layouts, locations, cut-off records, arbitrary bytes.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The records of `text`, read in pieces of `piece_bytes`.
fn records(text: &[u8], piece_bytes: usize, limit_bytes: usize) -> Result<Vec<Vec<u8>>, FormatError> {
    let mut records = Records::new(BufReader::with_capacity(piece_bytes, text), "test", limit_bytes);
    let (mut found, mut record) = (Vec::new(), Vec::new());
    while records.next(&mut record)? {
        found.push(record.clone());
    }
    Ok(found)
}

fn texts(text: &str) -> Vec<String> {
    let found = records(text.as_bytes(), 3, 1000).unwrap();
    found.into_iter().map(|record| String::from_utf8(record).unwrap()).collect()
}

#[test]
fn arrays_and_sequences_are_split() {
    assert_eq!(texts(r#" [{"a": "]\"}"}, [1, [2]] ,3] "#), [r#"{"a": "]\"}"}"#, "[1, [2]]", "3"]);
    assert_eq!(texts("{\"a\": 1}\n\n{\"a\":\n 2}\r\n"), ["{\"a\": 1}", "{\"a\":\n 2}"]);
    assert_eq!(texts("\u{feff}[\"x\"]"), ["\"x\""]);
    assert_eq!(texts("true"), ["true"]);
    assert!(texts(" \n").is_empty() && texts("[ ]").is_empty());
}

#[test]
fn an_error_names_its_location() {
    let wrong = |text: &str| records(text.as_bytes(), 4, 1000).unwrap_err().to_string();
    assert_eq!(
        wrong("[{},\n{\"a\": 1"),
        "test, record 2 (line 2): the file is incomplete: the record has no end; the 7 bytes from byte 5 on cannot be read"
    );
    assert_eq!(
        wrong("[{}\n{}]"),
        "test, record 1 (line 1), line 2: not JSON: a comma is missing between two elements"
    );
    assert_eq!(wrong("[{},]"), "test, record 2 (line 1), line 1: not JSON: a value is missing");
    assert_eq!(wrong("[1"), "test, record 1 (line 1): the file is incomplete: the array has no end");
    assert_eq!(wrong("[1] 2"), "test, record 1 (line 1), line 1: not JSON: something follows the array");
    assert!(wrong("{\"a\": \"b\n\"}").ends_with("line 1: not JSON: a text is not closed on its line"));
}

#[test]
fn a_record_beyond_the_bound_is_refused() {
    let text = format!("[1, \"{}\"]", "x".repeat(100));
    assert!(matches!(
        records(text.as_bytes(), 8, 50),
        Err(FormatError::RecordTooLong { limit_bytes: 50, .. })
    ));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[\\[\\]{}\",\\\\\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,4}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn elements_come_back_as_they_were(
        values in prop::collection::vec(any_json(), 0..5), pretty: bool, piece_bytes in 1_usize..20,
    ) {
        let text = if pretty {
            serde_json::to_string_pretty(&values).unwrap()
        } else {
            json!(values).to_string()
        };
        let found = records(text.as_bytes(), piece_bytes, 1 << 20).unwrap();
        let found: Vec<Value> =
            found.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
        prop_assert_eq!(found, values);
    }

    #[test]
    fn arbitrary_input_never_panics(bytes: Vec<u8>, piece_bytes in 1_usize..20) {
        let records = records(&bytes, piece_bytes, 64);
        prop_assert!(records.is_err() || records.is_ok_and(|found| found.len() <= bytes.len()));
    }
}
