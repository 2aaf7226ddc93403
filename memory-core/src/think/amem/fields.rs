//! Described fields of a note in the replies of a language model: keywords K, tags G and context X of the paper, checked
//! against their bounds. Pure. No detail of a refusal contains text of the reply: it may be a memory's.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::annotation::Annotation;
use crate::domain::name::Name;
use crate::model::language_model::ask::BadReply;

/// Maximum number of tags of a note.
pub(super) const TAGS_AT_MOST: usize = 16;

/// Keywords, tags and context of a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoteFields {
    pub(super) annotation: Annotation,
    pub(super) tags: Vec<Name>,
}

/// The same as a reply has them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RawFields {
    pub(super) keywords: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) context: String,
}

impl RawFields {
    /// Checked fields.
    pub(super) fn checked(self) -> Result<NoteFields, BadReply> {
        let keywords = names("keywords", &self.keywords, Annotation::KEYWORDS_AT_MOST)?;
        let tags = names("tags", &self.tags, TAGS_AT_MOST)?;
        let context = sentence("context", &self.context, Annotation::CONTEXT_BYTES_AT_MOST)?;
        Ok(NoteFields { annotation: Annotation { keywords, context: Some(context) }, tags })
    }
}

/// Names without repetitions, in their order.
pub(super) fn names(field: &str, texts: &[String], most: usize) -> Result<Vec<Name>, BadReply> {
    if texts.len() > most {
        return Err(BadReply::new(BadReply::OVER_LIMIT, format!("{field}: at most {most} are allowed")));
    }
    let mut names: Vec<Name> = Vec::with_capacity(texts.len());
    for text in texts {
        let name = Name::new(text.trim())
            .map_err(|error| BadReply::new(BadReply::WRONG_TYPE, format!("{field}: each {error}")))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Text of one line, with a visible character.
pub(super) fn sentence(field: &str, text: &str, most: usize) -> Result<String, BadReply> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(BadReply::new(BadReply::WRONG_TYPE, format!("{field}: must be a text of one line")));
    }
    if text.len() > most {
        return Err(BadReply::new(
            BadReply::OVER_LIMIT,
            format!("{field}: at most {most} bytes are allowed"),
        ));
    }
    Ok(text.to_owned())
}

/// A reply of the expected shape.
pub(super) fn read<T: serde::de::DeserializeOwned>(reply: Value, shape: &str) -> Result<T, BadReply> {
    serde_json::from_value(reply)
        .map_err(|_| BadReply::new(BadReply::WRONG_TYPE, format!("the reply must have the shape {shape}")))
}

/// Place of a handle `PREFIXn` among `shown`, from 0.
pub(super) fn place(prefix: char, handle: &str, shown: usize) -> Result<usize, BadReply> {
    let number = handle.strip_prefix(prefix).filter(|digits| !digits.starts_with(['0', '+']));
    let number = number.and_then(|digits| digits.parse::<usize>().ok());
    let place = number.filter(|number| (1..=shown).contains(number)).and_then(|number| number.checked_sub(1));
    let detail = || format!("the handles are {prefix}1 to {prefix}{shown}");
    place.ok_or_else(|| BadReply::new(BadReply::UNKNOWN_HANDLE, detail()))
}

/// JSON schema of a list of short texts.
pub(super) fn names_schema() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

/// JSON schema of an object of these properties, all of them required.
pub(super) fn object_schema(properties: &Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(|object| object.keys()).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}
