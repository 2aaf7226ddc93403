//! Contract of the combined call as published: link generation and evolution of one new note and its k nearest neighbours
//! (paper, sections 3.2 and 3.3; output of the released code). Pure.
//!
//! Two of the released code's faults are absent: a connection names a handle and not a position in a store, and lists of
//! another length than the neighbours are refused whole, so that no context shifts to the wrong neighbour.

use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{TAGS_AT_MOST, names, names_schema, object_schema, place, read, sentence};
use crate::domain::annotation::Annotation;
use crate::domain::name::Name;
use crate::model::language_model::ask::{BadReply, Contract};

/// Name and version of the prompt, as derivations record them.
pub(super) const VERSION: &str = "amem_paper.v1";
/// Instructions of the prompt.
pub(super) const INSTRUCTIONS: &str = include_str!("prompts/paper.v1.md");

/// Contract for one new note and its neighbours, with the handles n1 to nk.
#[derive(Clone, Copy, Debug)]
pub(super) struct PaperContract {
    /// Number of neighbours shown.
    pub(super) neighbours: usize,
}

/// Accepted reply; neighbours are named by their places, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PaperEvolution {
    /// Neighbours to which the new note is linked, each once.
    pub(super) links: Vec<usize>,
    /// Tags of the new note; `None` keeps its own.
    pub(super) own_tags: Option<Vec<Name>>,
    /// Context and tags of each neighbour, in their order; empty if none is updated.
    pub(super) neighbours: Vec<(String, Vec<Name>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Strengthen,
    UpdateNeighbor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    should_evolve: bool,
    actions: Vec<Action>,
    suggested_connections: Vec<String>,
    tags_to_update: Vec<String>,
    new_context_neighborhood: Vec<String>,
    new_tags_neighborhood: Vec<Vec<String>>,
}

impl Contract for PaperContract {
    type Reply = PaperEvolution;

    fn name(&self) -> &'static str {
        "amem_paper"
    }

    fn prompt_version(&self) -> &'static str {
        VERSION
    }

    fn schema(&self) -> Value {
        object_schema(&json!({
            "should_evolve": { "type": "boolean" },
            "actions": { "type": "array", "items": { "type": "string", "enum": ["strengthen", "update_neighbor"] } },
            "suggested_connections": names_schema(),
            "tags_to_update": names_schema(),
            "new_context_neighborhood": names_schema(),
            "new_tags_neighborhood": { "type": "array", "items": names_schema() },
        }))
    }

    fn parse(&self, json: Value) -> Result<PaperEvolution, BadReply> {
        let shape = "{\"should_evolve\", \"actions\", \"suggested_connections\", \"tags_to_update\", \
                     \"new_context_neighborhood\", \"new_tags_neighborhood\"}";
        let raw: Raw = read(json, shape)?;
        let updates = raw.actions.contains(&Action::UpdateNeighbor);
        let is_fit = |len: usize| len == self.neighbours || (!updates && len == 0);
        if !is_fit(raw.new_context_neighborhood.len()) || !is_fit(raw.new_tags_neighborhood.len()) {
            let detail =
                format!("one context and one list of tags for each of the {} neighbors", self.neighbours);
            return Err(BadReply::new("wrong_length", detail));
        }
        let mut links = Vec::new();
        for handle in &raw.suggested_connections {
            let neighbour = place('n', handle, self.neighbours)?;
            if !links.contains(&neighbour) {
                links.push(neighbour);
            }
        }
        let own_tags = names("tags_to_update", &raw.tags_to_update, TAGS_AT_MOST)?;
        let mut neighbours = Vec::with_capacity(raw.new_context_neighborhood.len());
        if updates {
            for (context, tags) in raw.new_context_neighborhood.iter().zip(&raw.new_tags_neighborhood) {
                let field = "new_context_neighborhood";
                let context = sentence(field, context, Annotation::CONTEXT_BYTES_AT_MOST)?;
                neighbours.push((context, names("new_tags_neighborhood", tags, TAGS_AT_MOST)?));
            }
        }
        if !raw.should_evolve {
            return Ok(PaperEvolution::default());
        }
        let strengthens = raw.actions.contains(&Action::Strengthen);
        Ok(PaperEvolution {
            links: if strengthens { links } else { Vec::new() },
            own_tags: (strengthens && !own_tags.is_empty()).then_some(own_tags),
            neighbours,
        })
    }
}
