//! Reader of plain JSON chats, in either of two shapes.
//!
//! **A turn per record**, consecutive turns of one session going together:
//!
//! ```json
//! {"role": "user", "content": "Tea, please.", "name": "Mara", "timestamp": "2024-05-01T09:00:00Z", "session": "breakfast", "user_id": "mara"}
//! ```
//!
//! **A conversation per record**, whose own fields hold for all of its messages:
//!
//! ```json
//! {"session": "breakfast", "user_id": "mara", "messages": [{"role": "user", "content": "Tea, please."}]}
//! ```
//!
//! | field | also called | meaning |
//! |---|---|---|
//! | `role` | `from` | `user` (`human`), `assistant` (`ai`, `bot`, `gpt`, `model`), `system` (`developer`), `tool` (`function`) |
//! | `content` | `text`, `value` | string, or list of strings and parts `{"text": ...}`, joined by line breaks |
//! | `name` | `author` | name of the speaker |
//! | `timestamp` | `created_at`, `said_at`, `time`, `date` | time of the turn; default: the time of its conversation, otherwise of the import |
//! | `session` | `session_id`, `conversation_id`, and `id` of a conversation | session; default: `default` for turns, the record number for a conversation |
//! | `key` | `id`, `message_id` | key of the turn |
//! | `user_id`, `agent_id`, `app_id`, `run_id` | | scope; default: [`ImportOptions::scope`] |
//! | `metadata` | | object to store with the turn |
//! | `messages` | `conversations` | turns of a conversation |

use serde_json::{Map, Value};

use super::batch::{Batcher, Conversation};
use super::error::{FormatError, SourceLocation};
use super::record_reader::RecordReader;
use super::{ImportOptions, timestamp};
use crate::wire::{NewTurn, Role, Scope};

type Fields = Map<String, Value>;

pub(super) struct ChatReader {
    scope: Scope,
}

impl ChatReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone() }
    }

    fn conversation(
        &self,
        fields: &Fields,
        messages: &Value,
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let Some(messages) = messages.as_array() else {
            return Err(wrong(location, "messages", "must be a list"));
        };
        let session = id_of(fields, &["session", "session_id", "conversation_id", "id"]);
        let session = session.unwrap_or_else(|| format!("conversation-{}", location.record));
        let scope = scope_of(fields, &self.scope, location)?;
        let conversation = Conversation { scope, session: Some(session), visibility: None };
        let said_at = said_at(fields, location)?;
        // Every message is parsed before one is added, so that no conversation is imported in part.
        let mut turns = Vec::with_capacity(messages.len());
        for (seq, message) in messages.iter().enumerate() {
            let location = location.at(format!("messages[{seq}]"));
            let Some(message) = message.as_object() else {
                return Err(wrong(&location, "", "must be an object"));
            };
            let mut turn = turn_of(message, &location)?;
            turn.said_at = turn.said_at.or_else(|| said_at.clone());
            turn.position = u32::try_from(seq).ok();
            turns.push((location, turn));
        }
        batcher.close();
        for (seq, (location, turn)) in turns.into_iter().enumerate() {
            batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
        }
        batcher.close();
        Ok(())
    }
}

impl RecordReader for ChatReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let fields: Fields = serde_json::from_slice(record)
            .map_err(|source| FormatError::Shape { location: location.clone(), source })?;
        if let Some(messages) = first(&fields, &["messages", "conversations"]) {
            return self.conversation(&fields, messages, location, batcher);
        }
        let conversation = Conversation {
            scope: scope_of(&fields, &self.scope, location)?,
            session: id_of(&fields, &["session", "session_id", "conversation_id"]),
            visibility: None,
        };
        let salt = || format!("record {}", location.record);
        batcher.turn(location, &conversation, salt, turn_of(&fields, location)?)
    }
}

/// Role named by a word.
pub(super) fn role_of(word: &str) -> Option<Role> {
    match word.to_ascii_lowercase().as_str() {
        "user" | "human" => Some(Role::User),
        "assistant" | "ai" | "bot" | "gpt" | "model" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        "tool" | "function" => Some(Role::Tool),
        _ => None,
    }
}

/// Scope of a record: its own ids, otherwise `default`.
pub(super) fn scope_of(
    fields: &Fields,
    default: &Scope,
    location: &SourceLocation,
) -> Result<Scope, FormatError> {
    let named = Scope {
        user_id: id_of(fields, &["user_id"]),
        agent_id: id_of(fields, &["agent_id"]),
        app_id: id_of(fields, &["app_id"]),
        run_id: id_of(fields, &["run_id"]),
    };
    let scope = if named == Scope::default() { default.clone() } else { named };
    if scope == Scope::default() {
        return Err(wrong(location, "user_id", "the record names no owner; give a scope"));
    }
    Ok(scope)
}

/// Value of the first of `names` that is not null.
pub(super) fn first<'a>(fields: &'a Fields, names: &[&str]) -> Option<&'a Value> {
    names.iter().filter_map(|name| fields.get(*name)).find(|value| !value.is_null())
}

/// Id from the first of `names` that has a value: a string or a number.
pub(super) fn id_of(fields: &Fields, names: &[&str]) -> Option<String> {
    match first(fields, names)? {
        Value::String(id) if !id.trim().is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Time from the first of `names` that has a value.
pub(super) fn moment_of(
    fields: &Fields,
    names: &[&str],
    location: &SourceLocation,
) -> Result<Option<String>, FormatError> {
    let Some(value) = first(fields, names) else { return Ok(None) };
    let moment = timestamp::of_value(value);
    moment.map(Some).ok_or_else(|| wrong(location, names[0], &format!("{} is not a time", shown(value))))
}

pub(super) fn wrong(location: &SourceLocation, field: &str, detail: &str) -> FormatError {
    let part = match (location.part.as_str(), field) {
        (part, "") => part.to_owned(),
        ("", field) => field.to_owned(),
        (part, field) => format!("{part}.{field}"),
    };
    FormatError::Value { location: location.at(part), detail: detail.to_owned() }
}

fn turn_of(fields: &Fields, location: &SourceLocation) -> Result<NewTurn, FormatError> {
    let role = first(fields, &["role", "from"]).unwrap_or(&Value::Null);
    let Some(role) = role.as_str().and_then(role_of) else {
        return Err(wrong(location, "role", &format!("{} is not a role", shown(role))));
    };
    let Some(text) = text_of(first(fields, &["content", "text", "value"])) else {
        return Err(wrong(location, "content", "must be a text, or a list of parts"));
    };
    let metadata = match first(fields, &["metadata"]) {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => return Err(wrong(location, "metadata", "must be an object")),
    };
    Ok(NewTurn {
        key: id_of(fields, &["key", "id", "message_id"]),
        author: id_of(fields, &["name", "author"]),
        said_at: said_at(fields, location)?,
        metadata,
        ..NewTurn::new(role, text)
    })
}

fn said_at(fields: &Fields, location: &SourceLocation) -> Result<Option<String>, FormatError> {
    moment_of(fields, &["timestamp", "created_at", "said_at", "time", "date"], location)
}

/// Text of a message content; empty for content without text (a picture, a tool call).
fn text_of(content: Option<&Value>) -> Option<String> {
    match content {
        None => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(parts)) => Some(text_of_parts(parts)),
        Some(_) => None,
    }
}

/// Texts among the parts of a message, joined by line breaks.
pub(super) fn text_of_parts(parts: &[Value]) -> String {
    let texts = parts.iter().filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()));
    texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Beginning of a value, for an error message.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}
