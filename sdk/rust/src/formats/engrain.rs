//! Reader of Engrain exports as conversations, one [`ExportLine`] per line: turns with their times, keys, authors and
//! sessions, and the current versions of memories.
//!
//! An import does not restore ids and times of recording, which the receiving store assigns, nor earlier versions and
//! derivations, which format 1 does not have: `archive/` imports those of format 2. A turn whose memory was edited is added
//! verbatim and then edited. An export without its end line, or with the wrong number of records, is an error; the records
//! before it are valid. A header begins another export, as in files that were written one after another.

use super::batch::{Batcher, Conversation, OldIds};
use super::error::{FormatError, SourceLocation};
use super::export_tally::{Tally, follows_the_end, is_owner_line, of_other_format};
use super::record_reader::RecordReader;
use super::repair::parse;
use super::timestamp;
use crate::wire::{
    EXPORT_FORMAT, EditMemory, ExportLine, ExportedOwner, Kind, Memory, NewMemory, NewTurn, Scope, Turn,
};

#[derive(Default)]
pub(super) struct EngrainReader {
    owner: Option<Scope>,
    tally: Tally,
    /// Format of the first export of the file.
    format: Option<u32>,
}

impl RecordReader for EngrainReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let line = parse(record, location);
        if self.tally.has_ended() && !matches!(line, Ok(ExportLine::Header { .. })) {
            return Err(follows_the_end(location));
        }
        // An invalid line is counted too: its own error reports the loss, so the end line must not report it again.
        if line.is_err() {
            // What follows an invalid owner line is not of the owner before it.
            match is_owner_line(record, location) {
                true => self.owner = None,
                false => self.tally.count += 1,
            }
        }
        match line? {
            ExportLine::Header { format, .. } if format > EXPORT_FORMAT => {
                Err(FormatError::Version { location: location.clone(), found: format, known: EXPORT_FORMAT })
            }
            ExportLine::Header { format, .. } => {
                // Formats from 2 on have another reader, which is chosen by the first header.
                let first = *self.format.get_or_insert(format);
                if (first > 1) != (format > 1) {
                    return Err(of_other_format(location, format));
                }
                self.owner = None;
                std::mem::take(&mut self.tally).end_before_another(location)
            }
            ExportLine::Owner(ExportedOwner { scope, .. }) => {
                self.owner = Some(scope);
                Ok(())
            }
            ExportLine::Turn { turn, memory, .. } => {
                self.tally.count += 1;
                let conversation = Conversation {
                    scope: self.scope_of(&memory, location)?,
                    session: Some(turn.origin.session.clone()),
                    visibility: Some(memory.visibility),
                };
                let old_ids = OldIds { turn: Some(turn.origin.turn_id), memory: Some(memory.id) };
                let (salt, edit) = (turn.origin.turn_id, edit_of(&turn, &memory));
                let turn = turn_of(turn, &memory);
                batcher.turn_with_history(location, &conversation, || salt.to_string(), (turn, old_ids, edit))
            }
            ExportLine::Memory { memory, sources, .. } => {
                self.tally.count += 1;
                let scope = self.scope_of(&memory, location)?;
                let old_ids = OldIds { turn: None, memory: Some(memory.id) };
                let salt = memory.id;
                // Sources and link targets must be added before the memory, because only then are their new ids known.
                // Links to memories later in the file are deferred.
                let targets: Vec<_> = memory.links.iter().map(|link| link.to).collect();
                if batcher.holds_any(&sources) || batcher.holds_any(&targets) {
                    batcher.close();
                }
                let memory = NewMemory { sources, ..memory_of(memory) };
                batcher.memory(location, &scope, || salt.to_string(), (memory, old_ids))
            }
            ExportLine::End { records, .. } => {
                self.tally.announced = Some(records);
                Ok(())
            }
        }
    }

    fn lost(&mut self, _batcher: &mut Batcher) {
        self.tally.count += 1;
    }

    fn finish(&mut self, location: &SourceLocation) -> Result<(), FormatError> {
        self.tally.end(location)
    }
}

impl EngrainReader {
    /// Owner, with the other ids of the memory.
    fn scope_of(&self, memory: &Memory, location: &SourceLocation) -> Result<Scope, FormatError> {
        let Some(owner) = self.owner.clone() else {
            let detail = "no valid owner line precedes the record".to_owned();
            return Err(FormatError::Value { location: location.clone(), detail });
        };
        Ok(Scope {
            user_id: owner.user_id,
            agent_id: memory.agent_id.clone().or(owner.agent_id),
            app_id: memory.app_id.clone().or(owner.app_id),
            run_id: memory.run_id.clone().or(owner.run_id),
        })
    }
}

fn turn_of(turn: Turn, memory: &Memory) -> NewTurn {
    NewTurn {
        key: turn.origin.turn_key,
        position: Some(turn.position.unwrap_or(turn.origin.seq)),
        author: turn.origin.author,
        said_at: Some(timestamp::with_offset(turn.said_at, turn.utc_offset_minutes)),
        participants: turn.participants,
        place: turn.place,
        audience: memory.audience.clone(),
        tags: memory.tags.clone(),
        metadata: turn.metadata,
        importance: Some(memory.importance),
        expires_at: memory.expires_at.clone(),
        ..NewTurn::new(turn.origin.role, turn.text)
    }
}

/// Edit for the fields of a turn's memory that adding the turn does not set.
fn edit_of(turn: &Turn, memory: &Memory) -> Option<EditMemory> {
    let edit = EditMemory {
        text: (memory.text != turn.text).then(|| memory.text.clone()),
        subjects: (!memory.subjects.is_empty()).then(|| memory.subjects.clone()),
        links: (!memory.links.is_empty()).then(|| memory.links.clone()),
        metadata: (memory.metadata != turn.metadata).then(|| memory.metadata.clone()),
        happened_at: ((&memory.happened_at, memory.utc_offset_minutes)
            != (&turn.said_at, turn.utc_offset_minutes))
            .then(|| timestamp::with_offset(memory.happened_at.clone(), memory.utc_offset_minutes)),
        valid_from: memory.valid_from.clone().map(Some),
        valid_to: memory.valid_to.clone().map(Some),
        ..EditMemory::default()
    };
    (edit != EditMemory::default()).then_some(edit)
}

fn memory_of(memory: Memory) -> NewMemory {
    NewMemory {
        key: None,
        text: memory.text,
        // The memory of a turn comes with its turn; one without a turn is kept as a note, like what thinking alone makes.
        kind: Some(match memory.kind {
            Kind::Turn | Kind::Digest => Kind::Note,
            Kind::Thought => Kind::Fact,
            kind => kind,
        }),
        document: memory.document.filter(|_| memory.kind == Kind::Document),
        subjects: memory.subjects,
        audience: memory.audience,
        statement: memory.statement,
        tags: memory.tags,
        metadata: memory.metadata,
        sources: Vec::new(),
        links: memory.links,
        happened_at: Some(timestamp::with_offset(memory.happened_at, memory.utc_offset_minutes)),
        happened_until: memory.happened_until,
        valid_from: memory.valid_from,
        valid_to: memory.valid_to,
        expires_at: memory.expires_at,
        importance: Some(memory.importance),
        visibility: Some(memory.visibility),
        vector: None,
    }
}
