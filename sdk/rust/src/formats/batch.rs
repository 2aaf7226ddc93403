//! Batching of imported turns and memories, with an idempotency key per batch.
//!
//! Invariant: the key of a batch depends only on its content and its position in the conversation. So the same file
//! gives the same keys every time, an interrupted import can be resumed, and a conversation in two files is imported
//! once.

use std::collections::VecDeque;

use uuid::Uuid;

use super::error::{FormatError, SourceLocation};
pub(super) use super::identity::{Conversation, digest};
use super::identity::{Positions, give_key};
use super::{Batch, Edit, Format, ImportItem, ImportOptions, MAX_TEXT_BYTES};
use crate::wire::{AddMemories, AddTurns, NewMemory, NewTurn, Scope};

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
    blank_texts: u64,
    positions: Positions,
}

/// Batch being filled.
struct Open {
    location: SourceLocation,
    /// Distinction of this batch from another one with the same content.
    salt: String,
    bytes: usize,
    content: Content,
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
            blank_texts: 0,
            positions: Positions::default(),
        }
    }

    /// Takes the oldest complete batch.
    pub(super) fn next(&mut self) -> Option<ImportItem> {
        self.ready.pop_front()
    }

    /// Number of texts left out because they are blank.
    pub(super) fn blank_texts(&self) -> u64 {
        self.blank_texts
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
        if !self.has_words(location, &turn.text)? {
            return Ok(());
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
        if !self.has_words(location, &memory.text)? {
            return Ok(());
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
        let blank = text.trim().is_empty();
        self.blank_texts += u64::from(blank);
        Ok(!blank)
    }
}

impl Open {
    fn new(location: &SourceLocation, salt: String, content: Content) -> Self {
        Self { location: location.at(""), salt, bytes: 0, content, old_ids: Vec::new(), edits: Vec::new() }
    }

    fn finish(self, format: Format) -> ImportItem {
        let batch = match self.content {
            Content::Turns(Conversation { scope, session, visibility }, turns) => {
                Batch::Turns(AddTurns { scope, session, turns, visibility, again: false, wait: false })
            }
            Content::Memories(scope, memories) => {
                Batch::Memories(AddMemories { scope, memories, again: false })
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
            batch,
            old_turn_ids,
            old_memory_ids,
            edits: self.edits,
        }
    }
}
