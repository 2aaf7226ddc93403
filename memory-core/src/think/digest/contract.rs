//! Contract of digests, pure: sentences that name the handles of what they rest on. A reply is taken whole or refused whole.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::item::ShownItem;
use crate::domain::digest::Level;
use crate::model::language_model::ask::{BadReply, Contract};
use crate::think::extract::grounding::has_only_numbers_of;

/// Maximum number of sentences of one digest.
pub(super) const SENTENCES_AT_MOST: usize = 12;
/// Maximum length of a sentence or statement, in bytes.
pub(super) const SENTENCE_BYTES_AT_MOST: usize = 600;
/// Maximum number of handles of one sentence or statement.
pub(super) const EVIDENCE_AT_MOST: usize = 32;

/// Text with the places of the items that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Supported {
    pub(super) text: String,
    pub(super) evidence: BTreeSet<usize>,
}

/// Contract of a digest of these items.
#[derive(Debug)]
pub(super) struct SentencesContract<'a> {
    pub(super) level: Level,
    pub(super) shown: &'a [ShownItem<'a>],
}

impl SentencesContract<'_> {
    /// Instructions of the prompt.
    pub(super) fn instructions(&self) -> &'static str {
        match self.level {
            Level::EventsOfAll => include_str!("prompts/global.v1.md"),
            Level::PersonalityOfDay => include_str!("prompts/personality.v1.md"),
            Level::EventsOfDay | Level::Portrait => include_str!("prompts/day.v1.md"),
        }
    }
}

impl Contract for SentencesContract<'_> {
    type Reply = Vec<Supported>;

    fn name(&self) -> &'static str {
        match self.level {
            Level::EventsOfAll => "digest_global",
            Level::PersonalityOfDay => "digest_personality",
            Level::EventsOfDay | Level::Portrait => "digest_day",
        }
    }

    fn prompt_version(&self) -> &'static str {
        match self.level {
            Level::EventsOfAll => "global.v1",
            Level::PersonalityOfDay => "personality.v1",
            Level::EventsOfDay | Level::Portrait => "day.v1",
        }
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["sentences"],
            "properties": {"sentences": {
                "type": "array", "maxItems": SENTENCES_AT_MOST, "items": supported_schema(&[]),
            }},
        })
    }

    fn parse(&self, json: Value) -> Result<Vec<Supported>, BadReply> {
        let object = object(&json, &["sentences"])?;
        let sentences = list(object.get("sentences"), "sentences", SENTENCES_AT_MOST)?;
        if sentences.is_empty() && self.level != Level::PersonalityOfDay {
            return Err(BadReply::new(BadReply::MISSING_FIELD, "sentences is empty"));
        }
        let parsed = sentences.iter().map(|sentence| supported(sentence, self.shown, &["text", "evidence"]));
        parsed.collect()
    }
}

/// Schema of a text with its evidence, and these other fields.
pub(super) fn supported_schema(others: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["text", "evidence"],
        "properties": {
            "text": {"type": "string"},
            "evidence": {"type": "array", "items": {"type": "string"}},
        },
    });
    for other in others {
        if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
            properties.insert((*other).to_owned(), json!({"type": "string"}));
        }
        if let Some(required) = schema.pointer_mut("/required").and_then(Value::as_array_mut) {
            required.push(json!(other));
        }
    }
    schema
}

/// Object with no other fields than these.
pub(super) fn object<'v>(
    json: &'v Value,
    fields: &[&str],
) -> Result<&'v serde_json::Map<String, Value>, BadReply> {
    let Some(object) = json.as_object() else {
        return Err(BadReply::new(
            BadReply::WRONG_TYPE,
            format!("expected an object with {}", fields.join(", ")),
        ));
    };
    match object.keys().find(|name| !fields.contains(&name.as_str())) {
        Some(other) => {
            let name: String = other.chars().take(40).collect();
            Err(BadReply::new(BadReply::WRONG_TYPE, format!("the field {name} is not asked for")))
        }
        None => Ok(object),
    }
}

/// List of at most so many values.
pub(super) fn list<'v>(
    value: Option<&'v Value>,
    name: &str,
    at_most: usize,
) -> Result<&'v [Value], BadReply> {
    let Some(value) = value else {
        return Err(BadReply::new(BadReply::MISSING_FIELD, format!("the field {name} is missing")));
    };
    let Some(list) = value.as_array() else {
        return Err(BadReply::new(BadReply::WRONG_TYPE, format!("{name} must be a list")));
    };
    if list.len() > at_most {
        return Err(BadReply::new(BadReply::OVER_LIMIT, format!("{name} has more than {at_most} entries")));
    }
    Ok(list)
}

/// Text with evidence among the shown items. Its numbers must stand in the evidence.
pub(super) fn supported(
    json: &Value,
    shown: &[ShownItem<'_>],
    fields: &[&str],
) -> Result<Supported, BadReply> {
    let object = object(json, fields)?;
    let text = object.get("text").and_then(Value::as_str).unwrap_or_default().trim();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(BadReply::new(BadReply::MISSING_FIELD, "text must be a sentence"));
    }
    if text.len() > SENTENCE_BYTES_AT_MOST {
        let detail = format!("a text is longer than {SENTENCE_BYTES_AT_MOST} bytes");
        return Err(BadReply::new(BadReply::OVER_LIMIT, detail));
    }
    let mut evidence = BTreeSet::new();
    for handle in list(object.get("evidence"), "evidence", EVIDENCE_AT_MOST)? {
        evidence.insert(place(handle, 't', shown.len())?);
    }
    if evidence.is_empty() {
        return Err(BadReply::new(BadReply::MISSING_FIELD, "evidence must name a handle"));
    }
    let rests_on: Vec<&ShownItem<'_>> = evidence.iter().filter_map(|at| shown.get(*at)).collect();
    let texts: Vec<&str> =
        rests_on.iter().flat_map(|one| [one.text.as_str(), one.item.shown_at.as_str()]).collect();
    if !has_only_numbers_of(&text, &texts) {
        let detail = "a text has a number that its evidence does not have";
        return Err(BadReply::new(BadReply::CONTRADICTORY, detail));
    }
    Ok(Supported { text, evidence })
}

/// Place that a handle such as `t3` names.
pub(super) fn place(handle: &Value, letter: char, count: usize) -> Result<usize, BadReply> {
    let number = handle.as_str().and_then(|text| text.strip_prefix(letter)?.parse::<usize>().ok());
    match number.and_then(|number| number.checked_sub(1)).filter(|place| *place < count) {
        Some(place) => Ok(place),
        None => {
            let shown: String = handle.to_string().chars().take(24).collect();
            Err(BadReply::new(BadReply::UNKNOWN_HANDLE, format!("no handle {shown} was shown")))
        }
    }
}
