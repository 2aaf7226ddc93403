//! Reader of ChatGPT's export, `conversations.json`. Every conversation is a tree of messages, with a branch for each
//! edit of a prompt and each regenerated answer. The imported branch is the one last in view, from `current_node` up
//! to the root. Without that field, or where it names no node, it is the branch of the newest leaf. A parent that does
//! not exist is the end of the branch; so is a node that came before, which is reported as well.
//!
//! Hidden messages and messages without text (pictures) are left out. A message without a time has that of the previous
//! one, or of the conversation. The session is the conversation's id; its title goes into every turn's metadata.
//!
//! Tool traffic is nothing that somebody said, and is left out and counted (with [`ImportOptions::tool_messages`] it is
//! imported with the role `tool`): messages to a `recipient` other than `all`; the content types `code`,
//! `execution_output`, `tether_*`, `system_error`, `computer_output`, `thoughts`, `reasoning_recap`,
//! `user_editable_context` and `model_editable_context`; the roles `critic` and `discriminator`. What a tool itself says
//! as text, code or output is a turn with the role `tool`.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::batch::{Batcher, Conversation};
use super::error::{FormatError, SourceLocation};
use super::fields::{Fields, first, id_of, moment_of, role_of, shown, text_of, wrong};
use super::record_reader::RecordReader;
use super::repair::parse;
use super::{ImportOptions, timestamp};
use crate::wire::{NewTurn, Role, Scope};

/// Maximum number of nodes of a conversation.
const MAX_NODES: usize = 200_000;

/// Maximum number of ancestors in which the time of a leaf is sought.
const MAX_TIME_ANCESTORS: usize = 32;

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
}

impl ChatGptReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone(), tool_messages: options.tool_messages }
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
        let session = id_of(&export, &["conversation_id", "id"]);
        let session = session.unwrap_or_else(|| format!("conversation-{}", location.record));
        let conversation =
            Conversation { scope: self.scope.clone(), session: Some(session), visibility: None };
        let mut metadata = Map::new();
        metadata.extend(id_of(&export, &["title"]).map(|title| ("title".to_owned(), Value::from(title))));

        let mut said_at = export.get("create_time").and_then(timestamp::of_value);
        batcher.close();
        let branch = branch(mapping, first(&export, &["current_node"]).and_then(Value::as_str));
        for (seq, (node_id, message)) in branch.messages.into_iter().enumerate() {
            let location = location.at(format!("mapping.{node_id}.message"));
            match self.turn(node_id, message, &location, &mut said_at) {
                Ok(Reading::Turn(turn)) => {
                    let position = u32::try_from(seq).ok();
                    let turn = NewTurn { metadata: metadata.clone(), position, ..*turn };
                    batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
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
        Ok(())
    }
}

/// Message, read.
enum Reading {
    Turn(Box<NewTurn>),
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
        let content = message.get("content").unwrap_or(&Value::Null);
        let Some(role) = self.role(role, message, content, location)? else {
            return Ok(Reading::OfTool);
        };
        let turn = NewTurn {
            key: Some(id_of(message, &["id"]).unwrap_or_else(|| node_id.to_owned())),
            author: author.as_object().and_then(|author| id_of(author, &["name"])),
            said_at: said_at.clone(),
            ..NewTurn::new(role, text_of_content(content))
        };
        Ok(Reading::Turn(Box::new(turn)))
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

/// Text of a content: a string, or `{content_type, parts}`, or `{content_type, text}` and its kin.
fn text_of_content(content: &Value) -> String {
    let Some(fields) = content.as_object() else { return text_of(Some(content)).unwrap_or_default() };
    let inner = first(fields, &["parts", "text", "result", "content"]);
    text_of(inner).unwrap_or_default()
}

/// Messages of a branch, first to last, each with its node's id.
struct Branch<'a> {
    messages: Vec<(&'a str, &'a Fields)>,
    /// True if a node of the branch is its own ancestor.
    is_circle: bool,
}

fn branch<'a>(mapping: &'a Fields, current: Option<&'a str>) -> Branch<'a> {
    let mut messages = Vec::new();
    let mut next = current.filter(|id| mapping.contains_key(*id)).or_else(|| newest_leaf(mapping));
    let mut seen = HashSet::new();
    while let Some((id, node)) = next.and_then(|id| mapping.get_key_value(id)) {
        if !seen.insert(id.as_str()) {
            messages.reverse();
            return Branch { messages, is_circle: true };
        }
        messages.extend(message_of(node).map(|message| (id.as_str(), message)));
        next = parent_of(node);
    }
    messages.reverse();
    Branch { messages, is_circle: false }
}

fn parent_of(node: &Value) -> Option<&str> {
    node.get("parent")?.as_str()
}

fn message_of(node: &Value) -> Option<&Fields> {
    node.get("message")?.as_object()
}

/// Leaf with the newest message; ties go to the greatest id. A leaf without a time has that of its nearest ancestor.
fn newest_leaf(mapping: &Fields) -> Option<&str> {
    let parents: HashSet<&str> = mapping.values().filter_map(parent_of).collect();
    let mut times: HashMap<&str, f64> = HashMap::new();
    let mut newest: Option<(f64, &str)> = None;
    // A leaf without a message is no branch. Without a leaf, all nodes are in circles, and any of them will do.
    let is_leaf =
        |(id, node): &(&String, &Value)| !parents.contains(id.as_str()) && message_of(node).is_some();
    let has_leaf = mapping.iter().any(|entry| is_leaf(&entry));
    for (id, _) in mapping.iter().filter(|entry| !has_leaf || is_leaf(entry)) {
        let id = id.as_str();
        let time = time_of(mapping, id, &mut times);
        let is_newer = newest.is_none_or(|(newest_time, newest_id)| {
            time.total_cmp(&newest_time).then_with(|| id.cmp(newest_id)).is_gt()
        });
        if is_newer {
            newest = Some((time, id));
        }
    }
    newest.map(|(_, id)| id)
}

/// Time of a node or of its nearest ancestor with one, in seconds since 1970; before all times without any.
fn time_of<'a>(mapping: &'a Fields, id: &'a str, times: &mut HashMap<&'a str, f64>) -> f64 {
    let (mut next, mut found) = (Some(id), f64::NEG_INFINITY);
    for _ in 0..MAX_TIME_ANCESTORS {
        let Some(node) = next.and_then(|id| mapping.get(id)) else { break };
        if let Some(time) = next.and_then(|id| times.get(id)) {
            found = *time;
            break;
        }
        let time =
            message_of(node).and_then(|message| timestamp::seconds_of_value(message.get("create_time")?));
        if let Some(time) = time {
            found = time;
            break;
        }
        next = parent_of(node);
    }
    times.insert(id, found);
    found
}
