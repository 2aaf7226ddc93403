//! Tests of the extraction: accepted and refused forms, and mutated replies.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fault(reply: &str) -> JsonFault {
    object_in(reply).unwrap_err()
}

#[test]
fn an_object_is_found_amid_fences_prose_and_thoughts() {
    let expected = json!({ "facts": [{ "text": "a } in [ a \"string\"" }] });
    let object = r#"{"facts":[{"text":"a } in [ a \"string\""}]}"#;
    for reply in [
        object.to_owned(),
        format!("```json\n{object}\n```"),
        format!("Here you are [1], as {{name}} asked:\n{object}\nIs that \"all\"?"),
        format!("\n<think>A draft: {{\"facts\": [ </ {{ </think>\n{object}"),
        format!("{object}\nOnce more:\n{object}"),
    ] {
        assert_eq!(object_in(&reply).unwrap(), expected, "{reply}");
    }
}

#[test]
fn trailing_commas_are_dropped_outside_of_strings_only() {
    assert_eq!(object_in("{\"a\": [1, 2 ,\n], \"b\": \",]\" , }").unwrap(), json!({"a": [1, 2], "b": ",]"}));
    assert_eq!(fault("{\"a\": [1,,]}"), JsonFault::NotJson);
    assert_eq!(fault("{\"a\": [,]}"), JsonFault::NotJson);
}

#[test]
fn ambiguous_replies_are_refused() {
    assert_eq!(fault(r#"{"a":1} or rather {"a":2}"#), JsonFault::TwoObjects);
    assert_eq!(fault(r#"{"a":1,"a":2}"#), JsonFault::DuplicateField);
    assert_eq!(fault(r#"{"b":[{"a":1,"a":1}]}"#), JsonFault::DuplicateField);
    assert_eq!(fault(r#"[{"a":1},{"a":1}]"#), JsonFault::NotAnObject);
    // The draft is not told from the reply where the template has left out `<think>`.
    assert_eq!(fault(r#"a draft {"a":1} </think> {"a":2}"#), JsonFault::TwoObjects);
}

#[test]
fn a_truncated_reply_never_yields_an_object_within_it() {
    assert_eq!(fault(r#"{"facts":[{"text":"a"},{"text":"#), JsonFault::Truncated);
    assert_eq!(fault(r#"{"facts": oops, "inner": {"text":"a"}}"#), JsonFault::NotJson);
    assert_eq!(fault("<think> without an end {}"), JsonFault::Truncated);
}

#[test]
fn hostile_replies_are_refused_in_bounded_time() {
    assert_eq!(fault(""), JsonFault::NotJson);
    assert_eq!(fault(&"{\"a\":".repeat(20_000)), JsonFault::TooDeep);
    assert_eq!(fault(&"[".repeat(100_000)), JsonFault::NotJson);
    assert_eq!(fault(&"{".repeat(100_000)), JsonFault::TooDeep);
    assert_eq!(fault(&"{}".repeat(100_000)), JsonFault::NotJson);
    assert_eq!(fault(&" ".repeat(REPLY_BYTES_AT_MOST + 1)), JsonFault::TooLarge);
    assert_eq!(fault(r#"{"a":1e999}"#), JsonFault::NotJson);
    assert_eq!(fault(r#"{"a":"\u0000"}"#), JsonFault::Nul);
    assert_eq!(fault("{\"a\":\"\0\"}"), JsonFault::NotJson);
    assert_eq!(fault(r#"{"a":"\ud800"}"#), JsonFault::NotJson);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn objects() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z \"{}\\[\\],\\\\äß🚲]{0,12}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"{]{0,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-z\"{]{0,4}", value, 0..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_object_is_found_in_any_prose_without_brackets(
        object in objects(), before in "[^{\\[<]{0,20}", after in "[^{\\[]{0,20}",
    ) {
        prop_assert_eq!(object_in(&format!("{before}{object}{after}")), Ok(object.clone()));
        prop_assert_eq!(object_in(&format!("```json\n{object:#}\n```")), Ok(object));
    }

    #[test]
    fn a_cut_object_is_never_accepted(object in objects(), share in 0.0f64..1.0) {
        let text = object.to_string();
        let cut = text.floor_char_boundary((text.len() as f64 * share) as usize);
        prop_assert!(object_in(&text[..cut]).is_err());
    }

    #[test]
    fn mutated_replies_give_an_object_or_a_fault(
        object in objects(), flips in prop::collection::vec((any::<usize>(), 0u8..8), 0..6), twice in any::<bool>(),
    ) {
        let mut bytes = object.to_string().into_bytes();
        for (at, bit) in flips {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        let once = String::from_utf8_lossy(&bytes).into_owned();
        let reply = if twice { format!("{once}\n{once}") } else { once };
        if let Ok(found) = object_in(&reply) {
            prop_assert!(found.is_object() && depth(&found) <= DEPTH_AT_MOST);
        }
    }

    #[test]
    fn any_text_gives_an_object_or_a_fault(reply in "[{}\\[\\]\",:\\\\a1 \\x00<>/think-]{0,80}") {
        let _ = object_in(&reply);
    }
}
