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
//! | `role` | `from`, `author.role` | see below |
//! | `content` | `text`, `value`, `message`, `body`, `parts` | string or number, part `{"text": ...}`, or list of them, joined by line breaks |
//! | `name` | `author` | name of the speaker |
//! | `timestamp` | `created_at`, `said_at`, `time`, `date` | time of the turn; default: the time of its conversation, otherwise of the import |
//! | `session` | `session_id`, `conversation_id`, and `id` of a conversation | session; default: `default` for turns; for a conversation a digest of its beginning |
//! | `key` | `id`, `message_id` | key of the turn |
//! | `user_id`, `agent_id`, `app_id`, `run_id` | | scope; default: [`ImportOptions::scope`] |
//! | `metadata` | | object to store with the turn; another value is stored under `value` |
//! | `messages` | `conversations` | turns of a conversation |
//!
//! | role | words |
//! |---|---|
//! | user | `user`, `human`, `customer`, `prompter` |
//! | assistant | `assistant`, `ai`, `bot`, `chatbot`, `gpt`, `chatgpt`, `model` |
//! | system | `system`, `developer` |
//! | tool | `tool`, `function`, `ipython`, `environment`, `observation`, `tool_call`, `tool_result`, `tool_response`, `function_call`, `function_response` |
//!
//! A message with another role, with a time that is none, or without a text in a known form is skipped; the other messages of its conversation are
//! imported. A conversation whose own time is none is skipped, since its messages would get a wrong one.

use serde_json::Value;

use super::ImportOptions;
use super::batch::{Batcher, Conversation};
use super::content::read_text;
use super::error::{FormatError, SourceLocation};
use super::fields::{
    Fields, first, id_of, list_of, metadata_of, moment_of, role_of, scope_of, shown, stated_id, wrong,
};
use super::identity::Names;
use super::record_reader::RecordReader;
use super::repair::parse;
use crate::wire::{NewTurn, Scope};

/// Fields that hold the text of a message.
const TEXT: [&str; 6] = ["content", "text", "value", "message", "body", "parts"];

/// Fields that hold the messages of a conversation.
const MESSAGES: [&str; 2] = ["messages", "conversations"];

pub(super) struct ChatReader {
    scope: Scope,
    names: Names,
}

impl ChatReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone(), names: Names::default() }
    }

    fn conversation(
        &mut self,
        fields: &Fields,
        (field, messages): (&str, &Value),
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let session = stated_id(fields, &["session", "session_id", "conversation_id", "id"], location)?;
        let session = session.unwrap_or_else(|| self.names.next(&beginning(fields, messages)));
        let scope = scope_of(fields, &self.scope, location)?;
        let conversation = Conversation { scope, session: Some(session), visibility: None };
        let said_at = said_at(fields, location)?;
        batcher.close();
        for (seq, message) in list_of(messages).iter().enumerate() {
            let location = location.at(format!("{field}[{seq}]"));
            let turn = match message {
                Value::Null => continue,
                Value::Object(message) => turn_of(message, &location),
                _ => Err(wrong(&location, "", "must be an object")),
            };
            match turn {
                Ok((mut turn, unread)) => {
                    turn.said_at = turn.said_at.or_else(|| said_at.clone());
                    turn.position = u32::try_from(seq).ok();
                    batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
                    unread.map_or(Ok(()), |fault| batcher.skip(fault))?;
                }
                Err(error) => batcher.skip(error)?,
            }
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
        let fields: Fields = parse(record, location).inspect_err(|_| batcher.pass_turn(None))?;
        let lists = MESSAGES.into_iter().filter_map(|name| Some((name, fields.get(name)?)));
        let mut lists: Vec<_> = lists.filter(|(_, list)| !list.is_null()).collect();
        // A list without messages says nothing beside one that has some.
        if lists.iter().any(|(_, list)| !list_of(list).is_empty()) {
            lists.retain(|(_, list)| !list_of(list).is_empty());
        }
        if let Some((messages, others)) = lists.split_first() {
            self.conversation(&fields, *messages, location, batcher)?;
            return others.iter().try_for_each(|(name, _)| {
                batcher.skip(wrong(location, name, "a second list of messages, beside the one that is read"))
            });
        }
        let scope = scope_of(&fields, &self.scope, location).inspect_err(|_| batcher.pass_turn(None))?;
        let session = stated_id(&fields, &["session", "session_id", "conversation_id"], location)
            .inspect_err(|_| batcher.pass_turn(None))?;
        let conversation = Conversation { scope, session, visibility: None };
        let (turn, unread) =
            turn_of(&fields, location).inspect_err(|_| batcher.pass_turn(Some(&conversation)))?;
        batcher.turn(location, &conversation, || format!("record {}", location.record), turn)?;
        unread.map_or(Ok(()), |fault| batcher.skip(fault))
    }

    fn lost(&mut self, batcher: &mut Batcher) {
        batcher.pass_turn(None);
    }
}

/// Beginning of a conversation: role, text and time of its first message, and the time of its creation.
fn beginning(fields: &Fields, messages: &Value) -> Value {
    let first_message = list_of(messages).iter().find(|message| !message.is_null());
    let created_at = first(fields, &["created_at", "create_time"]);
    let Some(message) = first_message.and_then(Value::as_object) else {
        return serde_json::json!([first_message, created_at]);
    };
    let text = read_text(message, &TEXT, &SourceLocation::default()).map(|(text, _)| text).ok();
    let time = first(message, &["timestamp", "created_at", "said_at", "time", "date"]);
    serde_json::json!([first(message, &["role", "from"]), text, time, created_at])
}

/// Turn of a message, with the fault of a part of its content that cannot be read.
fn turn_of(
    fields: &Fields,
    location: &SourceLocation,
) -> Result<(NewTurn, Option<FormatError>), FormatError> {
    let author = first(fields, &["author"]).and_then(Value::as_object);
    let role = first(fields, &["role", "from"]).or_else(|| author?.get("role")).unwrap_or(&Value::Null);
    let Some(role) = role.as_str().and_then(role_of) else {
        return Err(wrong(location, "role", &format!("{} is not a role", shown(role))));
    };
    let (text, unread) = read_text(fields, &TEXT, location)?;
    let turn = NewTurn {
        key: id_of(fields, &["key", "id", "message_id"]),
        author: id_of(fields, &["name", "author"]).or_else(|| id_of(author?, &["name"])),
        said_at: said_at(fields, location)?,
        metadata: metadata_of(fields),
        ..NewTurn::new(role, text)
    };
    Ok((turn, unread))
}

fn said_at(fields: &Fields, location: &SourceLocation) -> Result<Option<String>, FormatError> {
    moment_of(fields, &["timestamp", "created_at", "said_at", "time", "date"], location)
}
