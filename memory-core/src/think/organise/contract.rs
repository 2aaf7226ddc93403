//! Contract of organising a group of facts in one call: contradictions and merges together. Pure.
//!
//! Think-in-Memory as published asks twice, for forgetting and for merging ([`crate::think::tim`]); the default profile asks
//! once, by the same rules of the two parts, so that an exchange costs at most two calls.

use serde_json::{Value, json};

use crate::domain::id::MemoryId;
use crate::model::language_model::ask::{BadReply, Contract};
use crate::think::tim::organise::{Shown, ThoughtEdit};
use crate::think::tim::profile::Profile;
use crate::think::tim::replies::{forget_schema, merge_schema};

/// Name and version of the prompt, as derivations record them.
pub(super) const VERSION: &str = "organise.v1";
/// Instructions of the prompt.
pub(super) const INSTRUCTIONS: &str = include_str!("prompts/organise.v1.md");

/// Part of organising that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Contradictions, as published.
    Forget,
    /// Merges, as published.
    Merge,
    /// Both, in one call.
    Both,
}

/// Contract for one group as shown.
#[derive(Debug)]
pub(super) struct OrganiseContract<'a> {
    pub(super) shown: &'a Shown,
    pub(super) profile: Profile,
    pub(super) part: Part,
}

impl Contract for OrganiseContract<'_> {
    type Reply = Vec<ThoughtEdit>;

    fn name(&self) -> &'static str {
        match self.part {
            Part::Forget => "forget",
            Part::Merge => "merge",
            Part::Both => "organise",
        }
    }

    fn prompt_version(&self) -> &'static str {
        use crate::think::tim::organise::{FORGET_PROMPT_VERSION, MERGE_PROMPT_VERSION};

        match self.part {
            Part::Forget => FORGET_PROMPT_VERSION,
            Part::Merge => MERGE_PROMPT_VERSION,
            Part::Both => VERSION,
        }
    }

    fn schema(&self) -> Value {
        let part = |schema: Value, name: &str| schema.pointer(&format!("/properties/{name}")).cloned();
        match self.part {
            Part::Forget => forget_schema(),
            Part::Merge => merge_schema(),
            Part::Both => json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["drop", "merges"],
                "properties": {
                    "drop": part(forget_schema(), "drop"),
                    "merges": part(merge_schema(), "merges"),
                },
            }),
        }
    }

    fn parse(&self, json: Value) -> Result<Vec<ThoughtEdit>, BadReply> {
        match self.part {
            Part::Forget => self.shown.forget(self.profile, &json.to_string()),
            Part::Merge => self.shown.merge(&json.to_string()),
            Part::Both => self.both(&json),
        }
    }
}

impl OrganiseContract<'_> {
    fn both(&self, json: &Value) -> Result<Vec<ThoughtEdit>, BadReply> {
        let Some(object) = json.as_object() else {
            return Err(BadReply::new(BadReply::WRONG_TYPE, "the reply is one object with drop and merges"));
        };
        if let Some(other) = object.keys().find(|name| !matches!(name.as_str(), "drop" | "merges")) {
            let detail = format!("the field {} is not asked for", other.chars().take(40).collect::<String>());
            return Err(BadReply::new(BadReply::WRONG_TYPE, detail));
        }
        let part = |name: &str| match object.get(name) {
            Some(list) => Ok(json!({ name: list }).to_string()),
            None => Err(BadReply::new(BadReply::MISSING_FIELD, format!("the field {name} is missing"))),
        };
        let mut edits = self.shown.forget(self.profile, &part("drop")?)?;
        let merges = self.shown.merge(&part("merges")?)?;
        let ended: Vec<MemoryId> = edits
            .iter()
            .filter_map(|edit| match edit {
                ThoughtEdit::Supersede { old, .. } => Some(*old),
                ThoughtEdit::Drop { memory, .. } => Some(*memory),
                ThoughtEdit::Merge { .. } => None,
            })
            .collect();
        let overlaps = merges.iter().any(|edit| match edit {
            ThoughtEdit::Merge { ids, .. } => ids.iter().any(|id| ended.contains(id)),
            _ => false,
        });
        if overlaps {
            let detail = "a thought is both dropped and merged: do one of the two";
            return Err(BadReply::new(BadReply::CONTRADICTORY, detail));
        }
        edits.extend(merges);
        Ok(edits)
    }
}
