//! Text of a message content: a string, a part, or nested lists of parts.
//!
//! Invariant: a text in a form that is not known is never taken for a blank one. It makes its content unread, so that the
//! reader names it.

use serde_json::Value;

use super::blank::is_blank;
use super::error::{FormatError, SourceLocation};
use super::fields::{Fields, is_absent, shown, wrong};

/// Maximum nesting of lists and objects around a text.
const MAX_NESTING: u32 = 8;

/// Fields of a part that hold its text, the most usual first.
const TEXT_FIELDS: [&str; 6] = ["text", "value", "content", "parts", "message", "body"];

/// Words in the type of a part that is not made of words: media, files, calls and output of tools, reasoning.
const WORDLESS_KINDS: [&str; 11] = [
    "image", "picture", "photo", "audio", "video", "file", "document", "tool", "function", "thinking",
    "computer",
];

/// Fields of a part that is not made of words.
const WORDLESS_FIELDS: [&str; 9] =
    ["asset_pointer", "image_url", "image", "audio", "input_audio", "video", "file", "file_id", "screenshot"];

/// Fields of a message that calls tools instead of saying something.
const CALL_FIELDS: [&str; 3] = ["tool_calls", "function_call", "tool_call_id"];

/// Fields that describe a part and are no text of it.
const DESCRIPTIVE_FIELDS: [&str; 5] = ["type", "content_type", "id", "role", "mime_type"];

/// Content, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// Texts that are not blank, joined by line breaks.
    pub(super) text: String,
    /// True if the content has a part whose text, if it has one, is in an unknown place.
    pub(super) has_unread: bool,
}

impl Content {
    fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }
}

/// Text of a message content; empty for content without text (a picture, a tool call), none for what cannot be content
/// or is read in part only.
pub(super) fn text_of(content: Option<&Value>) -> Option<String> {
    let content = content.map(content_of).unwrap_or_default();
    (!content.has_unread).then_some(content.text)
}

/// Text of the first of `names` that has one, with the fault of a part that cannot be read.
///
/// # Errors
/// [`FormatError::Value`] if the record has none of the fields, or its text is in a form that is not known.
pub(super) fn read_text(
    fields: &Fields,
    names: &[&'static str],
    location: &SourceLocation,
) -> Result<(String, Option<FormatError>), FormatError> {
    let Some((name, value)) = first_filled(fields, names) else {
        let is_there = names.iter().chain(&CALL_FIELDS).any(|name| fields.contains_key(*name));
        let name = names.first().copied().unwrap_or_default();
        return match is_there {
            true => Ok((String::new(), None)),
            false => Err(wrong(location, name, "the record has no text, or has it in an unknown field")),
        };
    };
    let content = content_of(value);
    let fault =
        || wrong(location, name, &format!("{} with a part that is no known form of text", shown(value)));
    match (content.has_unread, content.is_blank()) {
        (true, true) => Err(fault()),
        (true, false) => Ok((content.text, Some(fault()))),
        (false, _) => Ok((content.text, None)),
    }
}

/// Content of a value.
pub(super) fn content_of(value: &Value) -> Content {
    if let Value::String(text) = value {
        return Content { text: text.clone(), has_unread: false };
    }
    let (mut texts, mut has_unread) = (Vec::new(), false);
    collect(value, 0, &mut texts, &mut has_unread);
    texts.retain(|text| !is_blank(text));
    Content { text: texts.join("\n"), has_unread }
}

/// First of `names` that is neither null nor blank nor an empty list.
fn first_filled<'a>(fields: &'a Fields, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    let filled = |value: &Value| !is_absent(value) && value.as_array().is_none_or(|list| !list.is_empty());
    names.iter().filter_map(|name| Some((*name, fields.get(*name)?))).find(|(_, value)| filled(value))
}

fn collect(value: &Value, depth: u32, texts: &mut Vec<String>, has_unread: &mut bool) {
    match value {
        _ if depth > MAX_NESTING => *has_unread = true,
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Null => {}
        Value::Bool(_) => *has_unread = true,
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, depth + 1, texts, has_unread)),
        Value::Object(fields) => match first_filled(fields, &TEXT_FIELDS) {
            Some((_, inner)) => collect(inner, depth + 1, texts, has_unread),
            None => *has_unread |= !is_wordless(fields),
        },
    }
}

/// True for a part that has no text: a blank one, a picture, a call of a tool.
fn is_wordless(fields: &Fields) -> bool {
    let is_of_known_kind = ["type", "content_type"].into_iter().any(|name| {
        let kind = fields.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        WORDLESS_KINDS.into_iter().any(|word| kind.contains(word))
    });
    let has = |name: &str| fields.contains_key(name);
    is_of_known_kind
        || WORDLESS_FIELDS.into_iter().any(has)
        || TEXT_FIELDS.into_iter().any(has)
        || !has_words(fields)
}

/// True if a field, at any depth, has a text.
fn has_words(fields: &Fields) -> bool {
    fn is_text(value: &Value) -> bool {
        match value {
            Value::String(text) => !is_blank(text),
            Value::Array(list) => list.iter().any(is_text),
            Value::Object(fields) => has_words(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    fields.iter().any(|(name, value)| !DESCRIPTIVE_FIELDS.contains(&name.as_str()) && is_text(value))
}
