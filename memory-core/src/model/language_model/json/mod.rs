//! Extraction of the JSON object from a reply: the only tolerance towards models without structured output.
//!
//! Accepted around the object: one leading `<think>` block, Markdown fences and prose. Accepted within: commas before a
//! closing bracket. Everything else is refused, two different objects above all: a guess between them would let a turn
//! that the model quotes choose what is stored. Time is linear in the reply, apart from a bounded number of rescans of
//! brackets that open no object.

use serde_json::Value;
use thiserror::Error;

use super::REPLY_BYTES_AT_MOST;
use super::bad_reply::BadReply;

mod strict;

/// Maximum nesting of objects and arrays.
pub const DEPTH_AT_MOST: usize = 32;
/// Maximum number of opening brackets outside of objects that are tried.
const STARTS_AT_MOST: usize = 256;

/// Reason for the refusal of a reply as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// More than [`REPLY_BYTES_AT_MOST`] bytes.
    #[error("the reply is too long")]
    TooLarge,
    /// No JSON object.
    #[error("the reply has no valid JSON object")]
    NotJson,
    /// An object without an end.
    #[error("the JSON object has no end")]
    Truncated,
    /// More than [`DEPTH_AT_MOST`] levels.
    #[error("the JSON object is nested too deeply")]
    TooDeep,
    /// An array at the top level.
    #[error("the reply is a JSON array instead of one object")]
    NotAnObject,
    /// Two different objects.
    #[error("the reply has two different JSON objects")]
    TwoObjects,
    /// Two fields of one name in an object.
    #[error("the JSON object has a field twice")]
    DuplicateField,
    /// A NUL character in a text, which not every store can keep.
    #[error("the JSON object has a text with a NUL character")]
    Nul,
}

impl JsonFault {
    /// Stable name, as in [`BadReply::code`].
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => BadReply::TOO_LARGE,
            Self::NotJson => BadReply::NOT_JSON,
            Self::Truncated => BadReply::TRUNCATED,
            Self::TooDeep => BadReply::TOO_DEEP,
            Self::NotAnObject | Self::Nul => BadReply::WRONG_TYPE,
            Self::TwoObjects | Self::DuplicateField => BadReply::AMBIGUOUS,
        }
    }
}

/// The one JSON object of a reply. It may be repeated, if all repetitions are equal.
///
/// # Errors
/// [`JsonFault`]; see the head of this file.
pub fn object_in(reply: &str) -> Result<Value, JsonFault> {
    if reply.len() > REPLY_BYTES_AT_MOST {
        return Err(JsonFault::TooLarge);
    }
    let mut rest = after_thoughts(reply)?;
    let mut found: Option<Value> = None;
    for _ in 0..STARTS_AT_MOST {
        let Some(start) = rest.find(['{', '[']) else { return found.ok_or(JsonFault::NotJson) };
        let from_start = &rest[start..];
        if let Some(behind) = from_start.strip_prefix('[') {
            if is_array_of_objects(from_start) {
                return Err(JsonFault::NotAnObject);
            }
            // A bracket of prose, such as "[1]".
            rest = behind;
            continue;
        }
        let span = &from_start[..closed_at(from_start)?];
        rest = &from_start[span.len()..];
        match parsed(span) {
            Ok(object) if found.as_ref().is_some_and(|first| *first != object) => {
                return Err(JsonFault::TwoObjects);
            }
            Ok(object) => found = Some(object),
            // Braces of prose, such as "{name}". They are skipped with their contents: an object within an invalid one
            // is not the reply.
            Err(JsonFault::NotJson) => {}
            Err(other) => return Err(other),
        }
    }
    Err(JsonFault::NotJson)
}

/// The reply after a leading `<think>` block, in which reasoning models draft.
fn after_thoughts(reply: &str) -> Result<&str, JsonFault> {
    const OPEN: &str = "<think>";
    const CLOSE: &str = "</think>";
    let trimmed = reply.trim_start();
    match trimmed.strip_prefix(OPEN) {
        None => Ok(trimmed),
        Some(thoughts) => match thoughts.find(CLOSE) {
            None => Err(JsonFault::Truncated),
            Some(end) => Ok(&thoughts[end + CLOSE.len()..]),
        },
    }
}

/// True for an array that holds an object at its top level.
fn is_array_of_objects(text: &str) -> bool {
    let Ok(end) = closed_at(text) else { return false };
    let has_object = |value: &Value| value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    parsed(&text[..end]).is_ok_and(|value| has_object(&value))
}

/// End of the bracketed text that begins here, by counting the brackets outside of strings.
fn closed_at(text: &str) -> Result<usize, JsonFault> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_AT_MOST {
                    return Err(JsonFault::TooDeep);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
    }
    Err(JsonFault::Truncated)
}

fn parsed(span: &str) -> Result<Value, JsonFault> {
    match strict::value(span) {
        Err(JsonFault::NotJson) => strict::value(&without_trailing_commas(span)),
        result => result,
    }
}

/// The text without commas that a closing bracket follows, outside of strings.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    // Length of `kept` before a comma after which nothing but white space came.
    let mut comma: Option<usize> = None;
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        match letter {
            // Not a comma without a value before it.
            ',' if !in_string && !kept.trim_end().ends_with(['[', '{', ',', ':']) => comma = Some(kept.len()),
            '}' | ']' if !in_string => {
                if let Some(at) = comma.take() {
                    kept.truncate(at);
                }
            }
            blank if blank.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        kept.push(letter);
    }
    kept
}

#[cfg(test)]
mod tests;
