//! Parsing of JSON bodies to requests: strict, bounded in memory, with the path of the first invalid field.

mod messages;
mod strict;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path as FieldPath, Segment};

use self::strict::{Budget, MEMORY_BASE, MEMORY_PER_BYTE, Strict};
use crate::problem::{Code, Problem};

/// Parses a request from JSON.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::MalformedJson, "the body is empty"));
    }
    let budget = Budget::of_body(bytes.len());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let request = serde_path_to_error::deserialize(Strict::new(&mut reader, &budget)).map_err(|error| {
        let path = error.path().clone();
        if budget.is_exhausted() {
            return Problem::at(Code::OverLimit, dotted(&path, None), too_many_values());
        }
        let error = error.into_inner();
        let message = error.to_string();
        if message.starts_with("number out of range") {
            // The JSON is valid; the number is out of range for every field.
            Problem::at(Code::InvalidRequest, dotted(&path, None), "the number is out of range")
        } else if error.is_data() {
            refused(&path, &message)
        } else {
            malformed(&error)
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(request)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson, error.to_string())
}

fn too_many_values() -> String {
    let base = MEMORY_BASE >> 20;
    format!(
        "the values must take at most {base} MiB and {MEMORY_PER_BYTE} times the length of the body; send less at once"
    )
}

/// Derives code and field from serde's message, whose wording is the same for every format.
pub(crate) fn refused(path: &FieldPath, message: &str) -> Problem {
    // The position in the JSON text is dropped: the client program wrote fields, not lines.
    let message = without_position(message);
    let named = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = named("missing field `") {
        let detail = format!("`{name}` is missing");
        return Problem::at(Code::MissingField, dotted(path, Some(name)), detail);
    }
    if let Some(name) = named("unknown field `") {
        let ends_with_it = matches!(path.iter().next_back(), Some(Segment::Map { key }) if key == name);
        let field = dotted(path, (!ends_with_it).then_some(name));
        return Problem::at(Code::UnknownField, field, message);
    }
    if let Some(name) = named("duplicate field `") {
        return Problem::at(Code::WrongType, dotted(path, Some(name)), message);
    }
    Problem::at(Code::WrongType, dotted(path, None), messages::plain(message))
}

/// A message without the ` at line 1 column 7` at its end. What it quotes may have these words too.
fn without_position(message: &str) -> &str {
    let is_position =
        |tail: &str| tail.bytes().all(|byte| byte.is_ascii_digit() || b" column".contains(&byte));
    message.rsplit_once(" at line ").filter(|(_, tail)| is_position(tail)).map_or(message, |(head, _)| head)
}

/// Path such as `turns[3].said_at`, extended by `last`.
fn dotted(path: &FieldPath, last: Option<&str>) -> String {
    let mut text = String::new();
    let push_name = |text: &mut String, name: &str| {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
    };
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } => push_name(&mut text, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if let Some(name) = last {
        push_name(&mut text, name);
    }
    if text.is_empty() { "body".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use engrain::wire;

    use super::*;

    fn problem_of<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (Code, String) {
        let problem = parse::<T>(body.as_bytes()).expect_err(body);
        (problem.code, problem.field.unwrap_or_default())
    }

    #[test]
    fn an_invalid_body_is_refused_with_code_and_field() {
        let turn = |inside: &str| format!(r#"{{"scope":{{"user_id":"u"}},"turns":[{{{inside}}}]}}"#);
        let cases = [
            (String::new(), Code::MalformedJson, ""),
            ("{".to_owned(), Code::MalformedJson, ""),
            (r#"{"scope":{},"turns":[]} x"#.to_owned(), Code::MalformedJson, ""),
            (turn(r#""role":"user","text":NaN"#), Code::MalformedJson, ""),
            (
                turn(r#""role":"user","text":"a","importance":1e999"#),
                Code::InvalidRequest,
                "turns[0].importance",
            ),
            (turn("\"role\":\"user\",\"text\":\"\u{0}\""), Code::MalformedJson, ""),
            (turn(r#""role":"user","text":"\ud800""#), Code::MalformedJson, ""),
            ("[]".to_owned(), Code::WrongType, "body"),
            ("7".to_owned(), Code::WrongType, "body"),
            ("{}".to_owned(), Code::MissingField, "scope"),
            (r#"{"scope":{"user":"u"},"turns":[]}"#.to_owned(), Code::UnknownField, "scope.user"),
            (r#"{"scope":{},"turns":{}}"#.to_owned(), Code::WrongType, "turns"),
            (turn(r#""text":"a""#), Code::MissingField, "turns[0].role"),
            (turn(r#""role":"robot","text":"a""#), Code::WrongType, "turns[0].role"),
            (turn(r#""role":"user","text":7"#), Code::WrongType, "turns[0].text"),
            (turn(r#""role":"user","text":"a","when":"now""#), Code::UnknownField, "turns[0].when"),
            (turn(r#""role":"user","text":"a","tags":["x",7]"#), Code::WrongType, "turns[0].tags[1]"),
            (turn(r#""role":"user","text":"a","text":"b""#), Code::WrongType, "turns[0].text"),
        ];
        for (body, code, field) in cases {
            let found = problem_of::<wire::AddTurns>(&body);
            assert_eq!((found.0, found.1.as_str()), (code, field), "{body}");
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_is_told_what_it_must_be_without_the_names_of_rust_types() {
        let detail = |body: &str| parse::<wire::PreviewSweep>(body.as_bytes()).expect_err(body).detail;
        let policy = |inside: &str| detail(&format!(r#"{{"scope":{{}},"policy":{inside}}}"#));
        assert_eq!(policy("[]"), "must be an object");
        assert_eq!(policy(r#"{"initial_strengths":7}"#), "must be an object");
        assert_eq!(policy(r#"{"weight":"much at line 3"}"#), "must be a number");
        assert_eq!(policy(r#"{"grace_days":1.5}"#), "must be a whole number");
        assert_eq!(policy(r#"{"grace_days":-1}"#), "must be a whole number from 0 to 4294967295");
        assert_eq!(policy(r#"{"curve":null}"#), "must be a string");
        assert_eq!(detail("7"), "must be an object");
        let ids = parse::<wire::RestoreForgotten>(br#"{"scope":{},"memory_ids":["x"]}"#).expect_err("an id");
        assert_eq!((ids.field.as_deref(), ids.detail.as_str()), (Some("memory_ids[0]"), "must be a UUID"));
        let turn = |role: &str| {
            let body = format!(r#"{{"scope":{{}},"turns":[{{"role":{role},"text":"a"}}]}}"#);
            parse::<wire::AddTurns>(body.as_bytes()).expect_err(role).detail
        };
        for role in ["7", r#""robot""#, r#"{"user":null}"#] {
            assert_eq!(turn(role), "must be one of user, assistant, system, tool", "{role}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_recursing_into_it() {
        let deep = format!(r#"{{"scope":{{}},"query":"q","filter":{}"#, r#"{"not":"#.repeat(100_000));
        assert_eq!(problem_of::<wire::RecallRequest>(&deep).0, Code::MalformedJson);
    }

    #[test]
    fn a_body_of_many_tiny_values_is_refused_before_it_takes_much_memory() {
        let many = |value: &str, bytes: usize| vec![value; bytes / (value.len() + 1)].join(",");
        let megabytes = 15 << 20;
        let recall =
            |inside: String| format!(r#"{{"scope":{{"user_id":"u"}},"query":"q","filter":{inside}}}"#);
        let wide = recall(format!(r#"{{"and":[{}]}}"#, many(r#"{"and":[]}"#, megabytes)));
        let (code, field) = problem_of::<wire::RecallRequest>(&wide);
        assert_eq!(code, Code::OverLimit);
        assert!(field.starts_with("filter.and["), "{field}");
        let texts = format!(r#"{{"scope":{{}},"memories":[{}]}}"#, many(r#"{"text":""}"#, megabytes));
        assert_eq!(problem_of::<wire::AddMemories>(&texts).0, Code::OverLimit);
        let entries = format!(
            r#"{{"scope":{{}},"memories":[{{"text":"a","metadata":{{"a":[{}]}}}}]}}"#,
            many(r#"{"a":1}"#, megabytes)
        );
        assert_eq!(problem_of::<wire::AddMemories>(&entries).0, Code::OverLimit);
    }

    #[test]
    fn an_integer_may_be_written_with_a_fraction_of_zero_or_an_exponent() {
        let limit = |number: &str| {
            let body = format!(r#"{{"scope":{{}},"query":"q","limit":{number}}}"#);
            parse::<wire::RecallRequest>(body.as_bytes())
                .map(|request| request.limit)
                .map_err(|problem| problem.code)
        };
        let cases = [
            ("197", 197),
            ("197.0", 197),
            ("1e2", 100),
            ("1.5E1", 15),
            ("-0.0", 0),
            ("4294967295.0", u32::MAX),
        ];
        for (written, number) in cases {
            assert_eq!(limit(written), Ok(Some(number)), "{written}");
        }
        for written in ["1.5", "-1", "-1.0", "4294967296", "4294967296.0", "9007199254740993.0", "1e20"] {
            assert_eq!(limit(written), Err(Code::WrongType), "{written}");
        }
        assert_eq!(limit("1e999"), Err(Code::InvalidRequest));
    }

    #[test]
    fn every_integer_of_a_request_may_be_written_with_a_fraction_of_zero() {
        let edit: wire::EditMemory = parse(br#"{"if_version":2.0}"#).expect("a version");
        assert_eq!(edit.if_version, Some(2));
        let undo: wire::UndoChange = parse(br#"{"version":3.0}"#).expect("a version");
        assert_eq!(undo.version, Some(3));
        let turns: wire::AddTurns =
            parse(br#"{"scope":{},"turns":[{"role":"user","text":"a","position":65330882.0}]}"#)
                .expect("a position");
        assert_eq!(turns.turns[0].position, Some(65_330_882));
        let filter: wire::Filter = parse(br#"{"field":"version","eq":2.0}"#).expect("a filter");
        assert_eq!(filter.eq, Some(serde_json::json!(2.0)), "a number of a filter stays as it is written");
    }

    #[test]
    fn a_large_body_of_the_usual_kind_is_read() {
        let numbers = vec!["0.123456"; 1_024].join(",");
        let memory =
            format!(r#"{{"text":"a","tags":["x","y"],"metadata":{{"n":[1,2,3]}},"vector":[{numbers}]}}"#);
        let body = format!(r#"{{"scope":{{}},"memories":[{}]}}"#, vec![memory.as_str(); 1_000].join(","));
        let read: wire::AddMemories = parse(body.as_bytes()).expect("within the bounds");
        assert_eq!(read.memories.len(), 1_000);
    }

    #[test]
    fn an_array_is_no_object_and_an_object_no_name_at_any_depth() {
        let cases = [
            (r#"[["u"],null,[["user","x"]],null]"#, "body"),
            (r#"{"scope":["u"],"turns":[]}"#, "scope"),
            (r#"{"scope":{},"turns":[["user","x"]]}"#, "turns[0]"),
            (r#"{"scope":{},"turns":[{"role":{"user":null},"text":"a"}]}"#, "turns[0].role"),
        ];
        for (body, field) in cases {
            assert_eq!(problem_of::<wire::AddTurns>(body), (Code::WrongType, field.to_owned()), "{body}");
        }
        let filter = r#"{"scope":{},"query":"q","filter":{"not":[null,null,null,"kind"]}}"#;
        assert_eq!(problem_of::<wire::RecallRequest>(filter), (Code::WrongType, "filter.not".to_owned()));
    }
}
