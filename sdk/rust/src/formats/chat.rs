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
//! | `content` | `text`, `value` | string or number, part `{"text": ...}`, or list of them, joined by line breaks |
//! | `name` | `author` | name of the speaker |
//! | `timestamp` | `created_at`, `said_at`, `time`, `date` | time of the turn; default: the time of its conversation, otherwise of the import |
//! | `session` | `session_id`, `conversation_id`, and `id` of a conversation | session; default: `default` for turns, the record number for a conversation |
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
//! A message with another role, or with a time that is none, is skipped; the other messages of its conversation are
//! imported. A conversation whose own time is none is skipped, since its messages would get a wrong one.

use serde_json::Value;

use super::ImportOptions;
use super::batch::{Batcher, Conversation};
use super::error::{FormatError, SourceLocation};
use super::fields::{
    Fields, first, id_of, list_of, metadata_of, moment_of, role_of, scope_of, shown, text_of, wrong,
};
use super::record_reader::RecordReader;
use super::repair::parse;
use crate::wire::{NewTurn, Scope};

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
        let session = id_of(fields, &["session", "session_id", "conversation_id", "id"]);
        let session = session.unwrap_or_else(|| format!("conversation-{}", location.record));
        let scope = scope_of(fields, &self.scope, location)?;
        let conversation = Conversation { scope, session: Some(session), visibility: None };
        let said_at = said_at(fields, location)?;
        batcher.close();
        for (seq, message) in list_of(messages).iter().enumerate() {
            let location = location.at(format!("messages[{seq}]"));
            let turn = match message {
                Value::Null => continue,
                Value::Object(message) => turn_of(message, &location),
                _ => Err(wrong(&location, "", "must be an object")),
            };
            match turn {
                Ok(mut turn) => {
                    turn.said_at = turn.said_at.or_else(|| said_at.clone());
                    turn.position = u32::try_from(seq).ok();
                    batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
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
        if let Some(messages) = first(&fields, &["messages", "conversations"]) {
            return self.conversation(&fields, messages, location, batcher);
        }
        let scope = scope_of(&fields, &self.scope, location).inspect_err(|_| batcher.pass_turn(None))?;
        let session = id_of(&fields, &["session", "session_id", "conversation_id"]);
        let conversation = Conversation { scope, session, visibility: None };
        let turn = turn_of(&fields, location).inspect_err(|_| batcher.pass_turn(Some(&conversation)))?;
        batcher.turn(location, &conversation, || format!("record {}", location.record), turn)
    }

    fn lost(&mut self, batcher: &mut Batcher) {
        batcher.pass_turn(None);
    }
}

fn turn_of(fields: &Fields, location: &SourceLocation) -> Result<NewTurn, FormatError> {
    let author = first(fields, &["author"]).and_then(Value::as_object);
    let role = first(fields, &["role", "from"]).or_else(|| author?.get("role")).unwrap_or(&Value::Null);
    let Some(role) = role.as_str().and_then(role_of) else {
        return Err(wrong(location, "role", &format!("{} is not a role", shown(role))));
    };
    let Some(text) = text_of(first(fields, &["content", "text", "value"])) else {
        return Err(wrong(location, "content", "must be a text, or a list of parts"));
    };
    Ok(NewTurn {
        key: id_of(fields, &["key", "id", "message_id"]),
        author: id_of(fields, &["name", "author"]).or_else(|| id_of(author?, &["name"])),
        said_at: said_at(fields, location)?,
        metadata: metadata_of(fields),
        ..NewTurn::new(role, text)
    })
}

fn said_at(fields: &Fields, location: &SourceLocation) -> Result<Option<String>, FormatError> {
    moment_of(fields, &["timestamp", "created_at", "said_at", "time", "date"], location)
}
