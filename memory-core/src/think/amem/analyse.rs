//! Contract of the first call of A-MEM: turns to keywords, tags and contexts (paper, section 3.1). Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{NoteFields, RawFields, names_schema, object_schema, place, read};
use crate::model::language_model::ask::{BadReply, Contract};

/// Name and version of the prompt, as derivations record them.
pub(super) const VERSION: &str = "analyse.v1";
/// Instructions of the prompt.
pub(super) const INSTRUCTIONS: &str = include_str!("prompts/analyse.v1.md");

/// Contract for the turns of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnalyseContract {
    /// Number of turns shown, with the handles t1 to tn.
    pub(super) turns: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    notes: Vec<RawNote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNote {
    id: String,
    keywords: Vec<String>,
    tags: Vec<String>,
    context: String,
}

impl Contract for AnalyseContract {
    /// Fields of each turn; `None` for one that was left out.
    type Reply = Vec<Option<NoteFields>>;

    fn name(&self) -> &'static str {
        "analyse"
    }

    fn prompt_version(&self) -> &'static str {
        VERSION
    }

    fn schema(&self) -> Value {
        let note = object_schema(&json!({
            "id": { "type": "string" },
            "keywords": names_schema(),
            "tags": names_schema(),
            "context": { "type": "string" },
        }));
        object_schema(&json!({ "notes": { "type": "array", "items": note } }))
    }

    fn parse(&self, json: Value) -> Result<Self::Reply, BadReply> {
        let raw: Raw = read(json, "{\"notes\": [{\"id\", \"keywords\", \"tags\", \"context\"}]}")?;
        let mut notes: Self::Reply = vec![None; self.turns];
        for RawNote { id, keywords, tags, context } in raw.notes {
            let at = place('t', &id, self.turns)?;
            let fields = RawFields { keywords, tags, context }.checked()?;
            let note = notes.get_mut(at).filter(|note| note.is_none());
            let Some(note) = note else {
                return Err(BadReply::new(BadReply::CONTRADICTORY, "a handle is described twice"));
            };
            *note = Some(fields);
        }
        Ok(notes)
    }
}
