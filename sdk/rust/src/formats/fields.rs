//! Lenient access to the fields of a record: null means absent, numbers pass for texts and texts for numbers, and an
//! object passes for a list of one.

use serde_json::{Map, Value};

use super::error::{FormatError, SourceLocation};
use super::timestamp;
use crate::wire::{Role, Scope};

/// Fields of a record.
pub(super) type Fields = Map<String, Value>;

/// Maximum length of a value in an error message, in characters.
const MAX_SHOWN_CHARS: usize = 60;

/// Role named by a word. The table is in [`super::chat`].
pub(super) fn role_of(word: &str) -> Option<Role> {
    match word.trim().to_lowercase().as_str() {
        "user" | "human" | "customer" | "prompter" => Some(Role::User),
        "assistant" | "ai" | "bot" | "chatbot" | "gpt" | "chatgpt" | "model" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        "tool" | "function" | "ipython" | "environment" | "observation" | "tool_call" | "tool_result"
        | "tool_response" | "function_call" | "function_response" => Some(Role::Tool),
        _ => None,
    }
}

/// Scope of a record: its own ids, and for each absent one that of `default`. An id of a wrong type is not absent: what
/// belongs to somebody else would become the default owner's.
///
/// # Errors
/// [`FormatError::Value`] for such an id, and for a record without any.
pub(super) fn scope_of(
    fields: &Fields,
    default: &Scope,
    location: &SourceLocation,
) -> Result<Scope, FormatError> {
    let id = |name| stated_id(fields, &[name], location);
    let named = Scope {
        user_id: id("user_id")?,
        agent_id: id("agent_id")?,
        app_id: id("app_id")?,
        run_id: id("run_id")?,
    };
    let scope = filled(named, default);
    if scope == Scope::default() {
        return Err(wrong(location, "user_id", "the record names no owner; give a scope"));
    }
    Ok(scope)
}

/// `scope` with the ids of `default` where it has none.
pub(super) fn filled(scope: Scope, default: &Scope) -> Scope {
    Scope {
        user_id: scope.user_id.or_else(|| default.user_id.clone()),
        agent_id: scope.agent_id.or_else(|| default.agent_id.clone()),
        app_id: scope.app_id.or_else(|| default.app_id.clone()),
        run_id: scope.run_id.or_else(|| default.run_id.clone()),
    }
}

/// Value of the first of `names` that is not null.
pub(super) fn first<'a>(fields: &'a Fields, names: &[&str]) -> Option<&'a Value> {
    names.iter().filter_map(|name| fields.get(*name)).find(|value| !value.is_null())
}

/// Id from the first of `names` that has one: a string that is not blank, or a number.
pub(super) fn id_of(fields: &Fields, names: &[&str]) -> Option<String> {
    names.iter().filter_map(|name| fields.get(*name)).find_map(id_of_value)
}

/// Id from the first of `names` that has a value; `None` if none of them has. Blank texts are none.
///
/// # Errors
/// [`FormatError::Value`] if the value is no id.
pub(super) fn stated_id(
    fields: &Fields,
    names: &[&str],
    location: &SourceLocation,
) -> Result<Option<String>, FormatError> {
    let mut given = names.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let Some((name, value)) = given.find(|(_, value)| !is_absent(value)) else { return Ok(None) };
    let id = id_of_value(value);
    id.map(Some).ok_or_else(|| wrong(location, name, &format!("{} is not an id", shown(value))))
}

/// Id in a value: a string that is not blank, a number, or `$oid` of MongoDB.
pub(super) fn id_of_value(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.trim().is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        Value::Object(fields) => {
            fields.get("$oid")?.as_str().filter(|id| !id.trim().is_empty()).map(str::to_owned)
        }
        _ => None,
    }
}

/// Time from the first of `names` that has a value. A blank text is none.
pub(super) fn moment_of(
    fields: &Fields,
    names: &[&str],
    location: &SourceLocation,
) -> Result<Option<String>, FormatError> {
    let given = names.iter().filter_map(|name| Some((name, fields.get(*name)?)));
    let Some((name, value)) = given.into_iter().find(|(_, value)| !is_absent(value)) else { return Ok(None) };
    let moment = timestamp::of_value(value);
    moment.map(Some).ok_or_else(|| wrong(location, name, &format!("{} is not a time", shown(value))))
}

/// True for null and blank texts.
pub(super) fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Metadata of a record: an object, also written as a text. Other values are kept under `value`.
pub(super) fn metadata_of(fields: &Fields) -> Fields {
    match first(fields, &["metadata"]) {
        None => Fields::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(Value::Array(list)) if list.is_empty() => Fields::new(),
        Some(Value::String(text)) if text.trim().is_empty() => Fields::new(),
        Some(Value::String(text)) => serde_json::from_str(text)
            .unwrap_or_else(|_| Fields::from_iter([("value".to_owned(), Value::from(text.as_str()))])),
        Some(other) => Fields::from_iter([("value".to_owned(), other.clone())]),
    }
}

/// Elements of a list. Null has none, and anything else is a list of one.
pub(super) fn list_of(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

pub(super) fn wrong(location: &SourceLocation, field: &str, detail: &str) -> FormatError {
    let part = match (location.part.as_str(), field) {
        (part, "") => part.to_owned(),
        ("", field) => field.to_owned(),
        (part, field) => format!("{part}.{field}"),
    };
    FormatError::Value { location: location.at(part), detail: detail.to_owned() }
}

/// Beginning of a value, for an error message.
pub(super) fn shown(value: &Value) -> String {
    match value {
        // Serialising a list or object of many megabytes for a few characters would be waste.
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => {
            Value::from(text.chars().take(MAX_SHOWN_CHARS).collect::<String>()).to_string()
        }
        other => other.to_string().chars().take(MAX_SHOWN_CHARS).collect(),
    }
}
