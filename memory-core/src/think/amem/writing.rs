//! Writes of notes: new notes and new versions as parts of a change set, without their index rows. Pure apart from ids.

use super::decide::{Decision, KnownNote, evidence, is_allowed, union};
use super::fields::NoteFields;
use crate::domain::change::Revision;
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::id::{DerivationId, JobId, MemoryId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory, Strength};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};
use crate::store::PendingTurn;
use crate::text::count_tokens;

/// Record of a derivation but for its id and inputs.
pub(super) struct Made<'a> {
    pub(super) maker: &'a Maker,
    pub(super) job: JobId,
    pub(super) now: Timestamp,
}

impl Made<'_> {
    /// Derivation of these inputs.
    pub(super) fn of(&self, id: DerivationId, inputs: Vec<Input>) -> Derivation {
        Derivation { id, maker: self.maker.clone(), job: Some(self.job), inputs, made_at: self.now }
    }
}

/// First version of the note of a turn: the speaker's name and the text, with its description.
pub(super) fn new_note(id: MemoryId, turn: &PendingTurn, fields: NoteFields, now: Timestamp) -> Memory {
    let of = &turn.memory;
    let text = of.author().map(Name::heading).unwrap_or_default() + &of.text;
    Memory {
        id,
        version: 1,
        kind: Kind::Note,
        tokens: count_tokens(&text),
        text,
        agent: of.agent.clone(),
        app: of.app.clone(),
        run: of.run.clone(),
        visibility: of.visibility,
        subjects: Vec::new(),
        audience: of.audience.clone(),
        statement: None,
        annotation: Some(fields.annotation),
        tags: fields.tags,
        links: annotates(of.id).into_iter().collect(),
        metadata: Metadata::default(),
        document: None,
        origin: None,
        derivation: None,
        happened: of.happened,
        recorded_at: now,
        created_at: now,
        valid: Interval::default(),
        expires_at: of.expires_at,
        strength: Strength::new(of.strength.importance, Strength::INITIAL, turn.said_at),
        forgotten: None,
    }
}

/// Next version of a note that an erasure left without a description.
pub(super) fn described_note(bare: &Memory, fields: NoteFields, now: Timestamp) -> Memory {
    Memory {
        version: bare.version.saturating_add(1),
        annotation: Some(fields.annotation),
        tags: fields.tags,
        recorded_at: now,
        ..bare.clone()
    }
}

/// Link of a note to its turn.
fn annotates(turn: MemoryId) -> Option<Link> {
    link(turn, Link::ANNOTATES, None)
}

fn link(to: MemoryId, relation: &str, reason: Option<String>) -> Option<Link> {
    let relation = Name::new(relation).ok()?;
    Some(Link { to, relation, weight: Link::DEFAULT_WEIGHT, reason })
}

/// Notes of one call: new ones with the inputs of their analysis, then known ones.
pub(super) struct Shown<'a> {
    pub(super) new: &'a [(Memory, Vec<Input>)],
    pub(super) known: &'a [KnownNote],
    /// True if known notes were shown in their present version, and not by their texts alone.
    pub(super) is_present: bool,
}

impl Shown<'_> {
    /// All inputs of what is shown.
    pub(super) fn inputs(&self, evidence: &[Source], further: &[Input]) -> Vec<Input> {
        let new = self.new.iter().flat_map(|(_, inputs)| inputs);
        let known = self.known.iter().flat_map(|note| note.inputs_shown(self.is_present));
        union(new.chain(known).chain(further), evidence)
    }

    fn id(&self, place: usize) -> Option<MemoryId> {
        match self.new.get(place) {
            Some((memory, _)) => Some(memory.id),
            None => Some(self.known.get(place.checked_sub(self.new.len())?)?.memory.id),
        }
    }

    /// New versions that a decision makes: of new notes with links, then of known notes with another description. Their
    /// rows are to be made where the description changes; those have `rows: Some` of nothing.
    pub(super) fn revisions(
        &self,
        decision: &Decision,
        made: &Made<'_>,
        (edits_per_day, mut next_id): (usize, impl FnMut() -> DerivationId),
    ) -> Vec<Revision> {
        let mut revisions = Vec::new();
        for (place, (memory, inputs)) in self.new.iter().enumerate() {
            let of_note = decision.links.iter().filter(|link| link.from == place);
            let links: Vec<Link> = of_note
                .filter_map(|found| link(self.id(found.to)?, found.relation, Some(found.why.clone())))
                .collect();
            let own_tags = decision.own_tags.as_ref().filter(|tags| place == 0 && **tags != memory.tags);
            if links.is_empty() && own_tags.is_none() {
                continue;
            }
            let derivation = made.of(next_id(), self.inputs(&evidence(inputs), &[]));
            let memory = Memory {
                version: memory.version.saturating_add(1),
                tags: own_tags.unwrap_or(&memory.tags).clone(),
                links: memory.links.iter().cloned().chain(links).collect(),
                derivation: Some(derivation.id),
                ..memory.clone()
            };
            let rows = own_tags.map(|_| Vec::new());
            revisions.push(Revision {
                memory,
                derivation: Some(derivation),
                rows,
                groups: None,
                keeps_links: false,
            });
        }
        for (place, fields) in &decision.edits {
            let note = place.checked_sub(self.new.len()).and_then(|at| self.known.get(at));
            let Some(note) = note.filter(|note| is_allowed(note, fields, edits_per_day)) else { continue };
            // The version carries the links of the one before, and so all that they were made of.
            let inputs = self.inputs(&evidence(&note.own_turn), &note.link_inputs);
            let derivation = made.of(next_id(), inputs);
            let memory = Memory {
                version: note.memory.version.saturating_add(1),
                tags: fields.tags.clone(),
                annotation: Some(fields.annotation.clone()),
                derivation: Some(derivation.id),
                recorded_at: made.now,
                ..note.memory.clone()
            };
            let rows = Some(Vec::new());
            revisions.push(Revision {
                memory,
                derivation: Some(derivation),
                rows,
                groups: None,
                keeps_links: true,
            });
        }
        revisions
    }
}
