//! Decisions about notes, pure: material of the calls, what one call may be shown, and the guards of accepted replies.

use std::collections::HashMap;

use serde_json::json;

use super::evolve::{Evolution, NoteLink};
use super::fields::NoteFields;
use super::paper::PaperEvolution;
use crate::domain::annotation::Annotation;
use crate::domain::derivation::{Input, Source};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::zone::Zone;
use crate::text::count_tokens;

/// Maximum number of inputs of what one call is shown; a note that would exceed it is not shown.
pub(super) const INPUTS_AT_MOST: usize = 1_024;
/// Maximum number of versions of one note on one day (UTC) after which the mechanism by default does not change it.
pub(super) const EDITS_PER_DAY: usize = 4;
/// Maximum length of the text of a note in a prompt, in bytes; the rest is not shown.
const TEXT_BYTES_AT_MOST: usize = 2 * 1_024;
/// Relation of the links of the published mechanism, which has no types.
const RELATED: &str = "related";
/// Reason of a link of the published mechanism, which gives none.
const SUGGESTED: &str = "suggested connection";

/// Note that was there before a run.
#[derive(Clone, Debug)]
pub(super) struct KnownNote {
    /// Present version.
    pub(super) memory: Memory,
    /// The turn of the note, as the evidence of that version.
    pub(super) own_turn: Vec<Input>,
    /// Inputs of the present version.
    pub(super) present_inputs: Vec<Input>,
    /// Inputs of the version that made the present links.
    pub(super) link_inputs: Vec<Input>,
    /// Number of versions made on the day of the run.
    pub(super) changed_today: usize,
    /// True if a caller changed the description: it is kept.
    pub(super) is_by_hand: bool,
}

impl KnownNote {
    /// Inputs of what a call shows of the note: of its present version, or of its text alone.
    pub(super) fn inputs_shown(&self, is_present: bool) -> &[Input] {
        if is_present { &self.present_inputs } else { &self.own_turn }
    }
}

/// Accepted changes, by the places of notes among those shown: new ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) links: Vec<NoteLink>,
    pub(super) edits: Vec<(usize, NoteFields)>,
    /// Tags of the first new note, if it gets others.
    pub(super) own_tags: Option<Vec<Name>>,
}

impl From<Evolution> for Decision {
    fn from(evolution: Evolution) -> Self {
        Self { links: evolution.links, edits: evolution.edits, own_tags: None }
    }
}

impl Decision {
    /// Decision of the published mechanism about one new note and the neighbours behind it.
    pub(super) fn as_published(reply: PaperEvolution, known: &[KnownNote]) -> Self {
        let link = |neighbour: usize| NoteLink {
            from: 0,
            to: neighbour.saturating_add(1),
            relation: RELATED,
            why: SUGGESTED.to_owned(),
        };
        let edit = |(at, ((context, tags), note)): (usize, ((String, Vec<Name>), &KnownNote))| {
            let keywords = note.memory.annotation.as_ref().map(|it| it.keywords.clone()).unwrap_or_default();
            (
                at.saturating_add(1),
                NoteFields { annotation: Annotation { keywords, context: Some(context) }, tags },
            )
        };
        Self {
            links: reply.links.into_iter().map(link).collect(),
            edits: reply.neighbours.into_iter().zip(known).enumerate().map(edit).collect(),
            own_tags: reply.own_tags,
        }
    }
}

/// True if an edit of a known note is allowed and changes something.
pub(super) fn is_allowed(note: &KnownNote, fields: &NoteFields, edits_per_day: usize) -> bool {
    let present = (note.memory.annotation.as_ref(), &note.memory.tags);
    !note.is_by_hand
        && note.changed_today < edits_per_day
        && present != (Some(&fields.annotation), &fields.tags)
}

/// Union of inputs, in the order in which they come; evidence if they are among `evidence`.
pub(super) fn union<'i>(inputs: impl IntoIterator<Item = &'i Input>, evidence: &[Source]) -> Vec<Input> {
    let mut seen = HashMap::new();
    let mut all = Vec::new();
    for input in inputs {
        if seen.insert(input.source, ()).is_none() {
            all.push(Input { source: input.source, is_evidence: evidence.contains(&input.source) });
        }
    }
    all
}

/// Evidence among inputs.
pub(super) fn evidence(inputs: &[Input]) -> Vec<Source> {
    inputs.iter().filter(|input| input.is_evidence).map(|input| input.source).collect()
}

/// Known notes that one call is shown, the nearest first: as many as fit into `tokens` and into the bound of inputs.
pub(super) fn fitting(
    known: Vec<KnownNote>,
    inputs: impl Fn(&KnownNote) -> Vec<Input>,
    new: &[Input],
    (tokens, line): (u32, impl Fn(&KnownNote) -> String),
) -> Vec<KnownNote> {
    let mut used: u32 = 0;
    let mut all = union(new, &[]);
    let mut kept = Vec::new();
    for note in known {
        let with = union(all.iter().chain(&inputs(&note)), &[]);
        let length = used.saturating_add(count_tokens(&line(&note)));
        if with.len() <= INPUTS_AT_MOST && length <= tokens {
            (all, used) = (with, length);
            kept.push(note);
        }
    }
    kept
}

/// Part of a note that a prompt shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// New note, with its description.
    New,
    /// Earlier note, with its description.
    Described,
    /// Earlier note, by its text alone: what is made of it then depends on one turn, and not on all that were in view when
    /// it was described.
    Text,
}

/// Line of a note in a prompt. JSON strings are the fence: a text cannot end its line.
pub(super) fn line(handle: &str, (memory, face): (&Memory, Face), zone: &Zone) -> String {
    let text = memory.text.get(..memory.text.floor_char_boundary(TEXT_BYTES_AT_MOST)).unwrap_or_default();
    let names = |names: &[Name]| names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    let said_at = zone.or_own(memory.happened.offset).for_readers(memory.happened.at);
    if face == Face::Text {
        return json!({ "id": handle, "is_new": false, "said_at": said_at, "text": text }).to_string();
    }
    let annotation = memory.annotation.clone().unwrap_or_default();
    json!({
        "id": handle,
        "is_new": face == Face::New,
        "said_at": said_at,
        "text": text,
        "keywords": names(&annotation.keywords),
        "tags": names(&memory.tags),
        "context": annotation.context.unwrap_or_default(),
    })
    .to_string()
}
