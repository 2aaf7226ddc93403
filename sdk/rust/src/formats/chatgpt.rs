//! Reader of ChatGPT's export, `conversations.json`. Every conversation is a tree of messages, with a branch for each
//! edit of a prompt and each regenerated answer. The imported branch is the one last in view, from `current_node` up
//! to the root; without that field, the branch of the newest message.
//!
//! Hidden messages and messages without text (pictures, tool calls) are left out. A message without a time has that of
//! the previous one, or of the conversation. The session is the conversation's id; its title goes into every turn's
//! metadata.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::batch::{Batcher, Conversation};
use super::chat::{role_of, text_of_parts, wrong};
use super::error::{FormatError, SourceLocation};
use super::record_reader::RecordReader;
use super::{ImportOptions, timestamp};
use crate::wire::{NewTurn, Scope};

pub(super) struct ChatGptReader {
    scope: Scope,
}

impl ChatGptReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone() }
    }
}

#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    create_time: Option<f64>,
    #[serde(default)]
    current_node: Option<String>,
    mapping: HashMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: Option<String>,
    author: Author,
    #[serde(default)]
    create_time: Option<f64>,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    metadata: Option<Visibility>,
}

#[derive(Deserialize)]
struct Author {
    role: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Option<Vec<Value>>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Visibility {
    #[serde(default)]
    is_visually_hidden_from_conversation: Option<bool>,
}

impl RecordReader for ChatGptReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let export: Export = serde_json::from_slice(record)
            .map_err(|source| FormatError::Shape { location: location.clone(), source })?;
        if self.scope == Scope::default() {
            return Err(wrong(location, "", "the export names no owner; give a scope"));
        }
        let session = export.conversation_id.clone().or_else(|| export.id.clone());
        let session = session.unwrap_or_else(|| format!("conversation-{}", location.record));
        let conversation =
            Conversation { scope: self.scope.clone(), session: Some(session), visibility: None };
        let mut metadata = Map::new();
        metadata.extend(export.title.clone().map(|title| ("title".to_owned(), Value::from(title))));

        let mut said_at = moment_of(export.create_time, location, "create_time")?;
        let mut turns = Vec::new();
        for (node_id, message) in export.branch(location)? {
            let part = format!("mapping.{node_id}.message");
            let own = moment_of(message.create_time, location, &format!("{part}.create_time"))?;
            said_at = own.or(said_at);
            if message.is_hidden() {
                continue;
            }
            let Some(role) = role_of(&message.author.role) else {
                let detail = format!("`{}` is not a role", message.author.role);
                return Err(wrong(location, &format!("{part}.author.role"), &detail));
            };
            let turn = NewTurn {
                key: Some(message.id.clone().unwrap_or_else(|| node_id.to_owned())),
                author: message.author.name.clone(),
                said_at: said_at.clone(),
                metadata: metadata.clone(),
                ..NewTurn::new(role, message.text())
            };
            turns.push((location.at(part), turn));
        }
        batcher.close();
        for (seq, (location, turn)) in turns.into_iter().enumerate() {
            batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
        }
        batcher.close();
        Ok(())
    }
}

impl Export {
    /// Messages of the branch in view, first to last, each with its node's id.
    fn branch(&self, location: &SourceLocation) -> Result<Vec<(&str, &Message)>, FormatError> {
        let mut branch = Vec::new();
        let mut next = self.current_node.as_deref().or_else(|| self.newest());
        for _ in 0..=self.mapping.len() {
            let Some(id) = next else {
                branch.reverse();
                return Ok(branch);
            };
            let Some((id, node)) = self.mapping.get_key_value(id) else {
                return Err(wrong(location, "mapping", &format!("there is no node `{id}`")));
            };
            branch.extend(node.message.as_ref().map(|message| (id.as_str(), message)));
            next = node.parent.as_deref();
        }
        Err(wrong(location, "mapping", "a node is its own ancestor"))
    }

    /// Node with the newest message; ties go to the greatest id.
    fn newest(&self) -> Option<&str> {
        let time = |node: &Node| node.message.as_ref().and_then(|message| message.create_time).unwrap_or(0.0);
        let newest = self
            .mapping
            .iter()
            .max_by(|(a_id, a), (b_id, b)| time(a).total_cmp(&time(b)).then_with(|| a_id.cmp(b_id)));
        newest.map(|(id, _)| id.as_str())
    }
}

impl Message {
    fn is_hidden(&self) -> bool {
        let hidden =
            self.metadata.as_ref().and_then(|metadata| metadata.is_visually_hidden_from_conversation);
        hidden == Some(true)
    }

    fn text(&self) -> String {
        let parts = self.content.parts.as_deref().map(text_of_parts);
        parts.or_else(|| self.content.text.clone()).unwrap_or_default()
    }
}

fn moment_of(
    time: Option<f64>,
    location: &SourceLocation,
    field: &str,
) -> Result<Option<String>, FormatError> {
    let Some(time) = time else { return Ok(None) };
    let moment = timestamp::from_number(time);
    moment.map(Some).ok_or_else(|| wrong(location, field, &format!("{time} is not a time")))
}
