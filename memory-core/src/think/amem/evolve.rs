//! Contract of the second call of A-MEM: links from new notes, and new descriptions of earlier ones (paper, sections 3.2
//! and 3.3, in one call). Pure. A reply names the handles that it changes, and is accepted whole or refused whole.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{NoteFields, RawFields, names_schema, object_schema, place, read, sentence};
use crate::domain::link::Link;
use crate::model::language_model::ask::{BadReply, Contract};

/// Name and version of the prompt, as derivations record them.
pub(super) const VERSION: &str = "evolve.v1";
/// Instructions of the prompt.
pub(super) const INSTRUCTIONS: &str = include_str!("prompts/evolve.v1.md");
/// Maximum number of links from one note.
pub(super) const LINKS_PER_NOTE: usize = 10;
/// Maximum number of notes that one call changes.
pub(super) const EDITS_PER_CALL: usize = 16;
/// Relations of links between notes.
pub(super) const RELATIONS: [&str; 5] = ["supports", "contradicts", "elaborates", "same_entity", "follows"];

/// Contract for the notes of one call: the new ones have the first handles.
#[derive(Clone, Copy, Debug)]
pub(super) struct EvolveContract {
    /// Number of new notes.
    pub(super) new: usize,
    /// Number of all notes shown.
    pub(super) shown: usize,
}

/// Accepted reply; notes are named by their places among those shown, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evolution {
    /// Links from new notes.
    pub(super) links: Vec<NoteLink>,
    /// New fields of earlier notes, each named once.
    pub(super) edits: Vec<(usize, NoteFields)>,
}

/// Link between two notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoteLink {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) relation: &'static str,
    pub(super) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    links: Vec<RawLink>,
    edits: Vec<RawEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    from: String,
    to: String,
    r#type: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdit {
    id: String,
    context: String,
    tags: Vec<String>,
    keywords: Vec<String>,
}

impl Contract for EvolveContract {
    type Reply = Evolution;

    fn name(&self) -> &'static str {
        "evolve"
    }

    fn prompt_version(&self) -> &'static str {
        VERSION
    }

    fn schema(&self) -> Value {
        let text = json!({ "type": "string" });
        let link = object_schema(&json!({
            "from": text, "to": text, "type": { "type": "string", "enum": RELATIONS }, "why": text,
        }));
        let edit = object_schema(&json!({
            "id": text, "context": text, "tags": names_schema(), "keywords": names_schema(),
        }));
        object_schema(&json!({
            "links": { "type": "array", "items": link },
            "edits": { "type": "array", "items": edit },
        }))
    }

    fn parse(&self, json: Value) -> Result<Evolution, BadReply> {
        let shape = "{\"links\": [{\"from\", \"to\", \"type\", \"why\"}], \
                     \"edits\": [{\"id\", \"context\", \"tags\", \"keywords\"}]}";
        let Raw { links: raw_links, edits: raw_edits } = read(json, shape)?;
        let mut links: Vec<NoteLink> = Vec::new();
        for raw in raw_links {
            let link = self.link(&raw)?;
            let same = |other: &&NoteLink| other.from == link.from;
            if links.iter().filter(same).count() >= LINKS_PER_NOTE {
                let detail = format!("at most {LINKS_PER_NOTE} links from one note are allowed");
                return Err(BadReply::new(BadReply::OVER_LIMIT, detail));
            }
            let is_there = |other: &NoteLink| {
                (other.from, other.to, other.relation) == (link.from, link.to, link.relation)
            };
            if links.iter().any(is_there) {
                return Err(BadReply::new(BadReply::CONTRADICTORY, "a link is named twice"));
            }
            links.push(link);
        }
        if raw_edits.len() > EDITS_PER_CALL {
            let detail = format!("at most {EDITS_PER_CALL} edits are allowed");
            return Err(BadReply::new(BadReply::OVER_LIMIT, detail));
        }
        let (mut edits, mut edited) = (Vec::new(), BTreeSet::new());
        for RawEdit { id, context, tags, keywords } in raw_edits {
            let note = place('n', &id, self.shown)?;
            if note < self.new {
                return Err(BadReply::new(BadReply::CONTRADICTORY, "an edit names a new note"));
            }
            if !edited.insert(note) {
                return Err(BadReply::new(BadReply::CONTRADICTORY, "a note is edited twice"));
            }
            edits.push((note, RawFields { keywords, tags, context }.checked()?));
        }
        Ok(Evolution { links, edits })
    }
}

impl EvolveContract {
    fn link(&self, raw: &RawLink) -> Result<NoteLink, BadReply> {
        let (from, to) = (place('n', &raw.from, self.shown)?, place('n', &raw.to, self.shown)?);
        if from >= self.new {
            return Err(BadReply::new(BadReply::CONTRADICTORY, "a link begins at an earlier note"));
        }
        if from == to {
            return Err(BadReply::new(BadReply::CONTRADICTORY, "a link leads from a note to itself"));
        }
        let relation = RELATIONS.into_iter().find(|relation| *relation == raw.r#type);
        let unknown = || BadReply::new(BadReply::WRONG_TYPE, "the type of a link is none of those allowed");
        let relation = relation.ok_or_else(unknown)?;
        let why = sentence("why", &raw.why, Link::REASON_BYTES_AT_MOST)?;
        Ok(NoteLink { from, to, relation, why })
    }
}
