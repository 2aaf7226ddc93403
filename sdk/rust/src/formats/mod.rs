//! Readers of conversation files: what other programs have kept becomes a stream of batches to add.
//!
//! [`open`] finds out the format from the content, unpacks gzip, and gives an iterator of [`ImportItem`]s; it holds
//! one record at a time, however long the file is. With the feature `client`, [`Import`] sends them to a server.
//!
//! | format | file | becomes |
//! |---|---|---|
//! | [`Format::LongMemEval`] | `longmemeval_s.json` and its kin | a user per question, with its haystack's sessions |
//! | [`Format::Locomo`] | `locomo10.json` | a user per conversation; speakers as authors, `dia_id`s as turn keys |
//! | [`Format::Chat`] | lines `{role, content}`, or `{messages: [...]}` | turns; see [`chat`] for the fields |
//! | [`Format::ChatGpt`] | `conversations.json` of a ChatGPT export | the present branch of every conversation |
//! | [`Format::Mem0`] | a list of `{memory, user_id, ...}` | finished memories with their own times |
//! | [`Format::Engrain`] | `GET /v1/export` | turns and memories as they were |
//!
//! Each may be one JSON array or JSON values one after the other (JSON lines), packed by gzip or not.
//!
//! Invariants: nothing in a file makes a reader panic; every error names file, record and line; a text without words is
//! left out and counted; labels of a benchmark never reach the memory system; times without a zone are UTC.

mod batch;
pub mod chat;
mod chatgpt;
#[cfg(feature = "client")]
mod deferred_links;
mod detect;
mod engrain;
mod error;
#[cfg(feature = "client")]
mod import;
pub mod locomo;
pub mod longmemeval;
mod mem0;
mod reader;
mod record_reader;
mod records;
mod source;
mod timestamp;

use uuid::Uuid;

pub use error::{FormatError, SourceLocation};
#[cfg(feature = "client")]
pub use import::{Import, ImportError, Imported};
pub use reader::{ImportItems, open, read};

use crate::wire::{AddMemories, AddTurns, EditMemory, Scope};

/// The longest text of a turn or memory, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// A batch to add, in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportItem {
    /// The idempotency key to add it under: the same for the same content at the same place of a conversation.
    pub key: String,
    /// Where in the file it begins.
    pub location: SourceLocation,
    /// What to add.
    pub batch: Batch,
    /// For an export of our own: the id that each turn had, in the order of the batch.
    pub old_turn_ids: Vec<Option<Uuid>>,
    /// For an export of our own: the id that each memory had, in the order of the batch. The `sources` and `links` of
    /// memories, and the `links` of edits, name such old ids, to be replaced by the new ones; a link may name a memory
    /// that is in a later batch.
    pub old_memory_ids: Vec<Option<Uuid>>,
    /// What to edit in the memories that the batch makes, after it is added.
    pub edits: Vec<Edit>,
}

/// What a batch adds.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Turns of one session.
    Turns(AddTurns),
    /// Finished memories of one scope.
    Memories(AddMemories),
}

impl Batch {
    /// How many turns or memories it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Turns(batch) => batch.turns.len(),
            Self::Memories(batch) => batch.memories.len(),
        }
    }

    /// Whether it has none; no reader gives such a batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An edit of a memory that a batch makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The memory's place in the batch, from 0.
    pub index: usize,
    /// What to change.
    pub edit: EditMemory,
}

/// A format of conversation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The LongMemEval benchmark (arXiv 2410.10813).
    LongMemEval,
    /// The LoCoMo benchmark (arXiv 2402.17753).
    Locomo,
    /// Turns or conversations as plain JSON.
    Chat,
    /// ChatGPT's export.
    ChatGpt,
    /// mem0's export.
    Mem0,
    /// Our own export.
    Engrain,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::LongMemEval, Self::Locomo, Self::Chat, Self::ChatGpt, Self::Mem0, Self::Engrain];

    /// The name for command lines and keys, such as `longmemeval`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LongMemEval => "longmemeval",
            Self::Locomo => "locomo",
            Self::Chat => "chat",
            Self::ChatGpt => "chatgpt",
            Self::Mem0 => "mem0",
            Self::Engrain => "engrain",
        }
    }
}

/// How to read.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The format. Default: found out from the content.
    pub format: Option<Format>,
    /// Whose memories they are where the file does not say. Default: nobody; then a record that does not say is an
    /// error.
    pub scope: Scope,
    /// What is put before the user ids that a benchmark's reader makes. Default: empty.
    pub user_prefix: String,
    /// Whether LongMemEval's sessions and questions get names that do not give away which hold the evidence.
    /// Default: true.
    pub hide_labels: bool,
    /// How many turns or memories a batch has at most, 1 to 1,000. With 1, a conversation that has grown since it was
    /// imported can be imported again without doubling what was there; that is slower. Default: 100.
    pub batch_items: usize,
    /// How many bytes of text a batch has at most; one longer text is a batch of its own. Default: 256 KiB.
    pub batch_bytes: usize,
    /// How long a record may be. Default: 64 MiB.
    pub max_record_bytes: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            format: None,
            scope: Scope::default(),
            user_prefix: String::new(),
            hide_labels: true,
            batch_items: 100,
            batch_bytes: 256 << 10,
            max_record_bytes: 64 << 20,
        }
    }
}
