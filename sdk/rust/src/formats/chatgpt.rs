//! Reader of ChatGPT's export, `conversations.json`. Every conversation is a tree of messages, with a branch for each
//! edit of a prompt and each regenerated answer. The imported branch is the one last in view, from `current_node` up
//! to the root. Without that field, or where it names no node, it is the branch of the newest leaf. Broken links are
//! mended, as [`super::chatgpt_tree`] says; messages that hang on no branch are skipped and named. Those of other branches
//! are left out on purpose.
//!
//! Hidden messages and messages without text (pictures) are left out. A message without a time has that of the previous
//! one, or of the conversation. The session is the conversation's id; its title goes into every turn's metadata.
//!
//! Tool traffic is nothing that somebody said, and is left out and counted (with [`ImportOptions::tool_messages`] it is
//! imported with the role `tool`): messages to a `recipient` other than `all`; the content types `code`,
//! `execution_output`, `tether_*`, `system_error`, `computer_output`, `thoughts`, `reasoning_recap`,
//! `user_editable_context` and `model_editable_context`; the roles `critic` and `discriminator`. What a tool itself says
//! as text, code or output is a turn with the role `tool`.

use serde_json::{Map, Value};

use super::batch::{Batcher, Conversation};
use super::blank::is_blank;
use super::chatgpt_tree::{Branch, branch};
use super::content::content_of;
use super::error::{FormatError, SourceLocation};
use super::fields::{Fields, first, id_of, is_absent, moment_of, role_of, shown, wrong};
use super::identity::Names;
use super::record_reader::RecordReader;
use super::repair::parse;
use super::{ImportOptions, timestamp};
use crate::wire::{NewTurn, Role, Scope};

/// Maximum number of nodes of a conversation.
const MAX_NODES: usize = 200_000;

/// Content types of tool traffic, whoever is their author.
const TOOL_CONTENT: [&str; 6] = [
    "system_error",
    "computer_output",
    "thoughts",
    "reasoning_recap",
    "user_editable_context",
    "model_editable_context",
];

/// Content types of tool traffic, unless their author is a tool.
const TOOL_CONTENT_OF_OTHERS: [&str; 2] = ["code", "execution_output"];

pub(super) struct ChatGptReader {
    scope: Scope,
    tool_messages: bool,
    names: Names,
}

impl ChatGptReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone(), tool_messages: options.tool_messages, names: Names::default() }
    }
}

impl RecordReader for ChatGptReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let export: Fields = parse(record, location)?;
        if self.scope == Scope::default() {
            return Err(wrong(location, "", "the export names no owner; give a scope"));
        }
        let Some(mapping) = first(&export, &["mapping"]).and_then(Value::as_object) else {
            return Err(wrong(location, "mapping", "the conversation has no messages"));
        };
        if mapping.len() > MAX_NODES {
            let detail = format!("{} nodes; a conversation has at most {MAX_NODES}", mapping.len());
            return Err(wrong(location, "mapping", &detail));
        }
        let branch = branch(mapping, first(&export, &["current_node"]).and_then(Value::as_str));
        let session = id_of(&export, &["conversation_id", "id"]);
        let session = session.unwrap_or_else(|| self.names.next(&beginning(&export, &branch)));
        let conversation =
            Conversation { scope: self.scope.clone(), session: Some(session), visibility: None };
        let mut metadata = Map::new();
        metadata.extend(id_of(&export, &["title"]).map(|title| ("title".to_owned(), Value::from(title))));

        let created_at = export.get("create_time").filter(|time| !is_absent(time));
        let mut said_at = created_at.and_then(timestamp::of_value);
        // A message without a time would get that of the import in place of one that cannot be read.
        let has_wrong_time = created_at.is_some() && said_at.is_none();
        batcher.close();
        for (seq, (node_id, message)) in branch.messages.iter().enumerate() {
            let location = location.at(format!("mapping.{node_id}.message"));
            match self.turn(node_id, message, &location, &mut said_at) {
                Ok(Reading::Turn(turn, _)) if has_wrong_time && turn.said_at.is_none() => {
                    let time = created_at.map(shown).unwrap_or_default();
                    let detail = format!("no time, and {time} of the conversation is not a time");
                    batcher.skip(wrong(&location, "create_time", &detail))?;
                }
                Ok(Reading::Turn(turn, unread)) => {
                    let position = u32::try_from(seq).ok();
                    let turn = NewTurn { metadata: metadata.clone(), position, ..*turn };
                    batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
                    unread.map_or(Ok(()), |fault| batcher.skip(fault))?;
                }
                Ok(Reading::Hidden) => batcher.leave_out_hidden(),
                Ok(Reading::OfTool) => batcher.leave_out_tool(),
                Err(error) => batcher.skip(error)?,
            }
        }
        batcher.close();
        if branch.is_circle {
            batcher.skip(wrong(location, "mapping", "a node is its own ancestor"))?;
        }
        for node_id in branch.loose {
            let location = location.at(format!("mapping.{node_id}.message"));
            batcher.skip(wrong(&location, "", "it hangs on no branch of the conversation"))?;
        }
        for node_id in branch.odd {
            let location = location.at(format!("mapping.{node_id}.message"));
            batcher.skip(wrong(&location, "", "must be an object"))?;
        }
        Ok(())
    }
}

/// Message, read.
enum Reading {
    /// Turn, with the fault of a part of its content that cannot be read.
    Turn(Box<NewTurn>, Option<FormatError>),
    Hidden,
    OfTool,
}

impl ChatGptReader {
    /// Reads a message. `said_at` is the time of the message before it, and becomes that of this one.
    fn turn(
        &self,
        node_id: &str,
        message: &Fields,
        location: &SourceLocation,
        said_at: &mut Option<String>,
    ) -> Result<Reading, FormatError> {
        let own = moment_of(message, &["create_time"], location)?;
        *said_at = own.or_else(|| said_at.take());
        let metadata = message.get("metadata");
        if metadata.and_then(|metadata| metadata.get("is_visually_hidden_from_conversation")?.as_bool())
            == Some(true)
        {
            return Ok(Reading::Hidden);
        }
        let author = message.get("author").unwrap_or(&Value::Null);
        let role = author.get("role").or_else(|| message.get("role")).unwrap_or(author);
        let Some(content) = ["content", "parts", "text"].iter().find_map(|name| message.get(*name)) else {
            return Err(wrong(
                location,
                "content",
                "the message has no content, or has it in an unknown field",
            ));
        };
        let Some(role) = self.role(role, message, content, location)? else {
            return Ok(Reading::OfTool);
        };
        let (text, unread) = text_of_content(content, location)?;
        let turn = NewTurn {
            key: Some(id_of(message, &["id"]).unwrap_or_else(|| node_id.to_owned())),
            author: author.as_object().and_then(|author| id_of(author, &["name"])),
            said_at: said_at.clone(),
            ..NewTurn::new(role, text)
        };
        Ok(Reading::Turn(Box::new(turn), unread))
    }

    /// Role of a message; none if it is to be left out as tool traffic.
    fn role(
        &self,
        role: &Value,
        message: &Fields,
        content: &Value,
        location: &SourceLocation,
    ) -> Result<Option<Role>, FormatError> {
        let traffic = self.tool_messages.then_some(Role::Tool);
        let word = role.as_str().unwrap_or_default().trim().to_lowercase();
        if matches!(word.as_str(), "critic" | "discriminator") {
            return Ok(traffic);
        }
        let Some(known) = role_of(&word) else {
            return Err(wrong(location, "author.role", &format!("{} is not a role", shown(role))));
        };
        let recipient = message.get("recipient").and_then(Value::as_str).unwrap_or_default().trim();
        let to_a_tool = !recipient.is_empty() && recipient != "all";
        let kind = content.get("content_type").and_then(Value::as_str).unwrap_or_default();
        let is_traffic = TOOL_CONTENT.contains(&kind)
            || kind.starts_with("tether_")
            || (known != Role::Tool && (to_a_tool || TOOL_CONTENT_OF_OTHERS.contains(&kind)));
        Ok(if is_traffic { traffic } else { Some(known) })
    }
}

/// Beginning of a conversation: the time of its creation, and the id and text of its first message.
fn beginning(export: &Fields, branch: &Branch<'_>) -> Value {
    let first_message = branch.messages.first().map(|(_, message)| *message);
    let id = first_message.and_then(|message| id_of(message, &["id"]));
    let text =
        first_message.and_then(|message| message.get("content")).map(|content| content_of(content).text);
    serde_json::json!([first(export, &["create_time"]), id, text])
}

/// Text of a content: a string, or `{content_type, parts}`, or `{content_type, text}` and its kin; and the fault of a part
/// of it that cannot be read.
fn text_of_content(
    content: &Value,
    location: &SourceLocation,
) -> Result<(String, Option<FormatError>), FormatError> {
    let inner = content.as_object().and_then(|fields| first(fields, &["parts", "text", "result", "content"]));
    let read = content_of(inner.unwrap_or(content));
    let fault = || {
        let detail = format!("{} with a part that is no known form of text", shown(content));
        wrong(location, "content", &detail)
    };
    match (read.has_unread, is_blank(&read.text)) {
        (true, true) => Err(fault()),
        (true, false) => Ok((read.text, Some(fault()))),
        (false, _) => Ok((read.text, None)),
    }
}
