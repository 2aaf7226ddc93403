//! Tests of the parsers: each rule with its code, and thousands of mutated replies.

use proptest::prelude::*;

use super::*;

const HEADS: [&str; 4] = ["Ann", "the sister", "Ann's", "Bob"];

fn forget_code(reply: &str) -> &'static str {
    parse_forget(reply, 3).map_or_else(|bad| bad.code, |_| "accepted")
}

fn merge_code(reply: &str) -> &'static str {
    parse_merge(reply, &HEADS).map_or_else(|bad| bad.code, |_| "accepted")
}

#[test]
fn a_valid_reply_of_forgetting_is_accepted() {
    let reply = r#"{"drop":[{"id":1,"reason":"contradiction","against":3},{"id":2,"reason":"counterfactual","against":1}]}"#;
    let expected = [
        Dropped { id: 1, reason: DropReason::Contradiction, against: 3 },
        Dropped { id: 2, reason: DropReason::Counterfactual, against: 1 },
    ];
    assert_eq!(parse_forget(reply, 3).unwrap().drops, expected);
    assert_eq!(parse_forget(r#" {"drop": []} "#, 0), Ok(ForgetReply::default()));
}

#[test]
fn a_reply_of_forgetting_that_breaks_a_rule_is_refused_whole() {
    let valid = r#"{"id":1,"reason":"contradiction","against":3}"#;
    for (drops, code) in [
        (r#"{"id":4,"reason":"contradiction","against":1}"#, "unknown_handle"),
        (r#"{"id":0,"reason":"contradiction","against":1}"#, "unknown_handle"),
        (r#"{"id":18446744073709551615,"reason":"contradiction","against":1}"#, "unknown_handle"),
        (r#"{"id":2,"reason":"contradiction","against":9}"#, "unknown_handle"),
        (r#"{"id":1,"reason":"contradiction","against":2}"#, "repeated_handle"),
        (r#"{"id":2,"reason":"contradiction","against":null}"#, "against_missing"),
        (r#"{"id":2,"reason":"contradiction"}"#, "against_missing"),
        (r#"{"id":2,"reason":"counterfactual","against":null}"#, "counterfactual_without_evidence"),
        (r#"{"id":2,"reason":"contradiction","against":2}"#, "against_itself"),
        (r#"{"id":3,"reason":"contradiction","against":1}"#, "circular"),
        (r#"{"id":-1,"reason":"contradiction","against":1}"#, "wrong_shape"),
        (r#"{"id":2.0,"reason":"contradiction","against":1}"#, "wrong_shape"),
        (r#"{"id":"2","reason":"contradiction","against":1}"#, "wrong_shape"),
        (r#"{"id":2,"reason":"boredom","against":1}"#, "wrong_shape"),
        (r#"{"id":2,"id":3,"reason":"contradiction","against":1}"#, "wrong_shape"),
        (r#"{"id":2,"reason":"contradiction","against":1,"erase":true}"#, "wrong_shape"),
    ] {
        assert_eq!(forget_code(&format!(r#"{{"drop":[{valid},{drops}]}}"#)), code, "{drops}");
    }
    let all = (1..=3).map(|id| format!(r#"{{"id":{id},"reason":"contradiction","against":{}}}"#, id % 3 + 1));
    assert_eq!(forget_code(&format!(r#"{{"drop":[{}]}}"#, all.collect::<Vec<_>>().join(","))), "drops_all");
    for (reply, code) in [
        ("", "not_json"),
        ("{\"drop\":[", "not_json"),
        ("{\"drop\":[]} Done!", "not_json"),
        ("drop everything", "not_json"),
        ("[]", "wrong_shape"),
        ("null", "wrong_shape"),
        ("{}", "wrong_shape"),
        ("{\"drop\":\"all\"}", "wrong_shape"),
        ("{\"drop\":[],\"merges\":[]}", "wrong_shape"),
    ] {
        assert_eq!(forget_code(reply), code, "{reply}");
    }
    assert_eq!(forget_code(&" ".repeat(MAX_REPLY_BYTES + 1)), "too_long");
    assert_ne!(forget_code(&"[".repeat(MAX_REPLY_BYTES)), "accepted");
}

#[test]
fn a_valid_reply_of_merging_is_accepted() {
    let reply = r#"{"merges":[{"ids":[3,1],"head":"ann","text":" Ann sings. "},{"ids":[2,4],"head":"Bob","text":"x"}]}"#;
    let expected = [
        Merged { ids: vec![1, 3], head: "ann".to_owned(), text: "Ann sings.".to_owned() },
        Merged { ids: vec![2, 4], head: "Bob".to_owned(), text: "x".to_owned() },
    ];
    assert_eq!(parse_merge(reply, &HEADS).unwrap().merges, expected);
    assert_eq!(parse_merge(r#"{"merges":[]}"#, &[]), Ok(MergeReply::default()));
}

#[test]
fn a_reply_of_merging_that_breaks_a_rule_is_refused_whole() {
    let long_text =
        format!(r#"{{"ids":[2,4],"head":"Bob","text":"{}"}}"#, "x".repeat(MAX_MERGED_TEXT_BYTES + 1));
    let long_head = format!(r#"{{"ids":[2,4],"head":"{}","text":"x"}}"#, "B".repeat(MAX_HEAD_BYTES + 1));
    for (merge, code) in [
        (r#"{"ids":[2,5],"head":"Bob","text":"x"}"#, "unknown_handle"),
        (r#"{"ids":[2,2],"head":"sister","text":"x"}"#, "repeated_handle"),
        (r#"{"ids":[3,4],"head":"Bob","text":"x"}"#, "handle_in_two_merges"),
        (r#"{"ids":[4],"head":"Bob","text":"x"}"#, "too_few"),
        (r#"{"ids":[],"head":"Bob","text":"x"}"#, "too_few"),
        (r#"{"ids":[2,4],"head":"Bob","text":" \n "}"#, "empty_text"),
        (r#"{"ids":[2,4],"head":"Bob","text":"x\u0000y"}"#, "control_character"),
        (r#"{"ids":[2,4],"head":"Bob\n","text":"x"}"#, "control_character"),
        (r#"{"ids":[2,4],"head":"Eve","text":"x"}"#, "foreign_head"),
        (r#"{"ids":[2,4],"head":"Ann","text":"x"}"#, "foreign_head"),
        (r#"{"ids":[2,4],"head":"","text":"x"}"#, "foreign_head"),
        (r#"{"ids":[2,4],"text":"x"}"#, "wrong_shape"),
        (&long_text, "text_too_long"),
        (&long_head, "head_too_long"),
    ] {
        let reply = format!(r#"{{"merges":[{{"ids":[1,3],"head":"Ann","text":"x"}},{merge}]}}"#);
        assert_eq!(merge_code(&reply), code, "{merge}");
    }
}

#[test]
fn an_error_has_no_text_of_the_reply() {
    for reply in [
        r#"{"drop":[],"secret":1}"#,
        r#"{"drop":["secret"]}"#,
        "secret",
        r#"{"merges":[{"ids":[1,2],"head":"secret","text":"secret"}]}"#,
    ] {
        for bad in [parse_forget(reply, 3).err(), parse_merge(reply, &HEADS).err()] {
            let bad = bad.unwrap();
            assert!(!format!("{} {}", bad.code, bad.detail).contains("secret"), "{reply}");
        }
    }
}

#[test]
fn schemas_name_every_field_and_allow_no_other() {
    for (schema, list, fields) in [
        (forget_schema(), "drop", ["against", "id", "reason"]),
        (merge_schema(), "merges", ["head", "ids", "text"]),
    ] {
        let item = &schema["properties"][list]["items"];
        let mut required: Vec<&str> =
            item["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        required.sort_unstable();
        assert_eq!(required, fields);
        assert_eq!(
            (&schema["additionalProperties"], &item["additionalProperties"]),
            (&json!(false), &json!(false))
        );
    }
}

/// A reply of one of the two kinds, in JSON, right or wrong.
fn any_reply() -> impl Strategy<Value = String> {
    let id = || prop_oneof![6 => (0_u64..6).prop_map(|id| json!(id)), 1 => Just(json!(null)), 1 => Just(json!("1"))];
    let reason =
        prop_oneof![4 => Just("contradiction"), 2 => Just("counterfactual"), 1 => Just("delete everything")];
    let drop = (id(), reason, id())
        .prop_map(|(id, reason, against)| json!({ "id": id, "reason": reason, "against": against }));
    let drops = proptest::collection::vec(drop, 0..5).prop_map(|drops| json!({ "drop": drops }).to_string());
    let head = prop_oneof!["Ann|Bob|the Sister|ANN's", "\\PC{0,3}"];
    let merge = (proptest::collection::vec(id(), 0..4), head, "\\PC{0,6}")
        .prop_map(|(ids, head, text)| json!({ "ids": ids, "head": head, "text": text }));
    let merges =
        proptest::collection::vec(merge, 0..3).prop_map(|merges| json!({ "merges": merges }).to_string());
    prop_oneof![drops, merges]
}

/// The reply with pieces cut out, doubled or replaced.
fn mutated(reply: &str, cuts: &[(prop::sample::Index, prop::sample::Index, u8)]) -> String {
    let mut letters: Vec<char> = reply.chars().collect();
    for (from, to, kind) in cuts {
        let (from, to) = (from.index(letters.len() + 1), to.index(letters.len() + 1));
        let piece = from.min(to)..from.max(to);
        let copy: Vec<char> = letters[piece.clone()].to_vec();
        match kind % 4 {
            0 => drop(letters.drain(piece)),
            1 if copy.len() < 64 => drop(letters.splice(piece.end..piece.end, copy)),
            2 => letters.truncate(piece.end),
            _ => drop(letters.splice(piece.start..(piece.start + 1).min(letters.len()), ['9'])),
        }
    }
    letters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn no_reply_panics_and_an_accepted_one_keeps_the_rules(
        reply in any_reply(),
        cuts in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index, u8)>(), 0..4),
        shown in 0_usize..5,
    ) {
        let reply = mutated(&reply, &cuts);
        if let Ok(accepted) = parse_forget(&reply, shown) {
            let ids: BTreeSet<usize> = accepted.drops.iter().map(|drop| drop.id).collect();
            prop_assert_eq!(ids.len(), accepted.drops.len());
            prop_assert!(ids.len() < shown.max(1), "a thought is left");
            prop_assert!(accepted.drops.iter().all(|drop| (1..=shown).contains(&drop.id)));
            prop_assert!(accepted.drops.iter().all(|drop| (1..=shown).contains(&drop.against) && drop.against != drop.id));
        }
        let heads = &HEADS[..shown];
        if let Ok(accepted) = parse_merge(&reply, heads) {
            let ids: Vec<usize> = accepted.merges.iter().flat_map(|merge| merge.ids.clone()).collect();
            prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
            prop_assert!(ids.iter().all(|id| (1..=shown).contains(id)));
            prop_assert!(accepted.merges.iter().all(|merge| merge.ids.len() >= 2 && !merge.text.trim().is_empty()));
        }
    }

    #[test]
    fn no_text_at_all_panics(reply in "\\PC{0,64}") {
        let _ = (parse_forget(&reply, 3), parse_merge(&reply, &HEADS));
    }
}
