//! Batching of imported turns and memories, each with its identity, and with an idempotency key per batch for those that
//! have none.
//!
//! Invariant: identities and keys depend only on the content of the file, and the key of a batch on its content and its
//! position in the conversation. So the same file gives the same ones every time, an interrupted import can be resumed,
//! and a conversation in two files is imported once.

use std::collections::VecDeque;

use uuid::Uuid;

use super::blank::is_blank;
use super::error::{FormatError, SourceLocation};
pub(super) use super::identity::{Conversation, digest};
use super::identity::{Positions, give_key};
use super::{Batch, Edit, Format, ImportItem, ImportOptions, LeftOut, MAX_TEXT_BYTES};
use crate::wire::{AddMemories, AddTurns, NewMemory, NewTurn, Scope};

/// Maximum number of faults of one record that are named; the others are counted.
const MAX_SKIPS_HELD: usize = 1_000;

/// Ids of a turn and a memory in the store they were exported from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OldIds {
    pub(super) turn: Option<Uuid>,
    pub(super) memory: Option<Uuid>,
}

/// Collector of turns and memories into batches.
pub(super) struct Batcher {
    format: Format,
    max_items: usize,
    max_bytes: usize,
    ready: VecDeque<ImportItem>,
    open: Option<Open>,
    left_out: LeftOut,
    positions: Positions,
    /// True to fail at the first fault.
    strict: bool,
    skips: VecDeque<FormatError>,
    /// Number of faults beyond those in `skips`, and the location of the first.
    unnamed: Option<(SourceLocation, u64)>,
}

/// Batch being filled.
struct Open {
    location: SourceLocation,
    /// Distinction of this batch from another one with the same content.
    salt: String,
    bytes: usize,
    content: Content,
    locations: Vec<SourceLocation>,
    old_ids: Vec<OldIds>,
    edits: Vec<Edit>,
}

enum Content {
    Turns(Conversation, Vec<NewTurn>),
    Memories(Scope, Vec<NewMemory>),
}

impl Batcher {
    pub(super) fn new(format: Format, options: &ImportOptions) -> Self {
        Self {
            format,
            max_items: options.batch_items.clamp(1, 1000),
            max_bytes: options.batch_bytes,
            ready: VecDeque::new(),
            open: None,
            left_out: LeftOut::default(),
            positions: Positions::default(),
            strict: options.strict,
            skips: VecDeque::new(),
            unnamed: None,
        }
    }

    /// Takes the oldest complete batch.
    pub(super) fn next(&mut self) -> Option<ImportItem> {
        self.ready.pop_front()
    }

    /// Parts left out on purpose so far.
    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Counts a hidden message.
    pub(super) fn leave_out_hidden(&mut self) {
        self.left_out.hidden_messages += 1;
    }

    /// Counts a message of a tool.
    pub(super) fn leave_out_tool(&mut self) {
        self.left_out.tool_messages += 1;
    }

    /// Counts a turn that cannot be read, so that those after it keep their positions. Without a conversation, it is taken
    /// for one of the latest turn's.
    pub(super) fn pass_turn(&mut self, conversation: Option<&Conversation>) {
        self.positions.pass(conversation);
    }

    /// Skips a part of a record.
    ///
    /// # Errors
    /// The fault itself, if it is not of one record or reading is strict.
    pub(super) fn skip(&mut self, error: FormatError) -> Result<(), FormatError> {
        if self.strict || !error.is_of_one_record() {
            return Err(error);
        }
        if self.skips.len() < MAX_SKIPS_HELD {
            self.skips.push_back(error);
        } else {
            let location = super::skipped::Skipped::from(&error).location;
            self.unnamed.get_or_insert((location.at(""), 0)).1 += 1;
        }
        Ok(())
    }

    /// Takes the oldest skipped part.
    pub(super) fn next_skip(&mut self) -> Option<FormatError> {
        let unnamed = |(location, count)| FormatError::Unnamed { location, count };
        self.skips.pop_front().or_else(|| self.unnamed.take().map(unnamed))
    }

    /// True if the batch being filled has an item with one of these old ids.
    pub(super) fn holds_any(&self, ids: &[Uuid]) -> bool {
        let open = self.open.iter().flat_map(|open| &open.old_ids);
        open.flat_map(|old| [old.turn, old.memory]).flatten().any(|id| ids.contains(&id))
    }

    /// Completes the batch being filled; the next item begins a new one.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.ready.push_back(open.finish(self.format));
        }
    }

    /// Adds a turn. `salt` distinguishes batches with the same content; it is evaluated where a batch begins.
    pub(super) fn turn(
        &mut self,
        location: &SourceLocation,
        conversation: &Conversation,
        salt: impl FnOnce() -> String,
        turn: NewTurn,
    ) -> Result<(), FormatError> {
        self.turn_with_history(location, conversation, salt, (turn, OldIds::default(), None))
    }

    /// Adds a turn that has ids in another store, and perhaps was edited there.
    pub(super) fn turn_with_history(
        &mut self,
        location: &SourceLocation,
        conversation: &Conversation,
        salt: impl FnOnce() -> String,
        (mut turn, old_ids, edit): (NewTurn, OldIds, Option<crate::wire::EditMemory>),
    ) -> Result<(), FormatError> {
        self.positions.give(conversation, &mut turn);
        match self.has_words(location, &turn.text) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return self.skip(error),
        }
        let fits = self.open.as_ref().is_some_and(|open| {
            matches!(&open.content, Content::Turns(present, _) if present == conversation)
                && self.has_room(open, turn.text.len())
        });
        if !fits {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| {
            Open::new(location, salt(), Content::Turns(conversation.clone(), Vec::new()))
        });
        open.bytes += turn.text.len();
        open.edits.extend(edit.map(|edit| Edit { index: open.old_ids.len(), edit }));
        open.old_ids.push(old_ids);
        open.locations.push(location.clone());
        if let Content::Turns(_, turns) = &mut open.content {
            turns.push(turn);
        }
        Ok(())
    }

    /// Adds a finished memory.
    pub(super) fn memory(
        &mut self,
        location: &SourceLocation,
        scope: &Scope,
        salt: impl FnOnce() -> String,
        (mut memory, old_ids): (NewMemory, OldIds),
    ) -> Result<(), FormatError> {
        give_key(scope, &mut memory, old_ids.memory);
        match self.has_words(location, &memory.text) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return self.skip(error),
        }
        let fits = self.open.as_ref().is_some_and(|open| {
            matches!(&open.content, Content::Memories(present, _) if present == scope)
                && self.has_room(open, memory.text.len())
        });
        if !fits {
            self.close();
        }
        let open = self
            .open
            .get_or_insert_with(|| Open::new(location, salt(), Content::Memories(scope.clone(), Vec::new())));
        open.bytes += memory.text.len();
        open.old_ids.push(old_ids);
        open.locations.push(location.clone());
        if let Content::Memories(_, memories) = &mut open.content {
            memories.push(memory);
        }
        Ok(())
    }

    fn has_room(&self, open: &Open, bytes: usize) -> bool {
        open.old_ids.len() < self.max_items && open.bytes + bytes <= self.max_bytes
    }

    fn has_words(&mut self, location: &SourceLocation, text: &str) -> Result<bool, FormatError> {
        if text.len() > MAX_TEXT_BYTES {
            let (location, bytes) = (location.clone(), text.len());
            return Err(FormatError::TextTooLong { location, bytes, limit_bytes: MAX_TEXT_BYTES });
        }
        let blank = is_blank(text);
        self.left_out.blank_texts += u64::from(blank);
        Ok(!blank)
    }
}

impl Open {
    fn new(location: &SourceLocation, salt: String, content: Content) -> Self {
        Self {
            location: location.at(""),
            salt,
            bytes: 0,
            content,
            locations: Vec::new(),
            old_ids: Vec::new(),
            edits: Vec::new(),
        }
    }

    fn finish(self, format: Format) -> ImportItem {
        let batch = match self.content {
            Content::Turns(Conversation { scope, session, visibility }, turns) => {
                Batch::Turns(AddTurns { scope, session, turns, visibility, wait: false, again: false })
            }
            Content::Memories(scope, memories) => {
                Batch::Memories(AddMemories { scope, memories, ..AddMemories::default() })
            }
        };
        let digest = match &batch {
            Batch::Turns(turns) => digest(&self.salt, turns),
            Batch::Memories(memories) => digest(&self.salt, memories),
        };
        let (old_turn_ids, old_memory_ids) = self.old_ids.iter().map(|ids| (ids.turn, ids.memory)).unzip();
        ImportItem {
            key: format!("import-{}-{digest}", format.name()),
            location: self.location,
            locations: self.locations,
            batch,
            old_turn_ids,
            old_memory_ids,
            edits: self.edits,
        }
    }
}
