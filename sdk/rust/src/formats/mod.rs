//! Readers of conversation files of other programs, as a stream of batches to add.
//!
//! [`open`] detects the format from the content, decodes gzip, and returns an iterator of [`ImportItem`]s that holds
//! one record at a time. With the feature `client`, [`Import`] sends them to a server.
//!
//! | format | file | becomes |
//! |---|---|---|
//! | [`Format::LongMemEval`] | `longmemeval_s.json` and its kin | a user per question, with its haystack's sessions |
//! | [`Format::Locomo`] | `locomo10.json` | a user per conversation; speakers as authors, `dia_id`s as turn keys |
//! | [`Format::Chat`] | lines `{role, content}`, or `{messages: [...]}` | turns; see [`chat`] for the fields |
//! | [`Format::ChatGpt`] | `conversations.json` of a ChatGPT export | the present branch of every conversation |
//! | [`Format::Mem0`] | a list of `{memory, user_id, ...}` | finished memories with their own times |
//! | [`Format::Engrain`] | `GET /v1/export`, format 1 | turns and memories as they were; format 2: see [`archive`] |
//!
//! Each file is one JSON array or a sequence of JSON values (JSON lines), plain or gzip.
//!
//! [`inputs()`] lists what is to be read below a path: a file, the files of a folder, the members of a ZIP archive.
//!
//! Invariants: no file makes a reader panic; every error names file, record and line; an odd record never takes others
//! along: it is one error ([`FormatError::is_of_one_record`]), and reading goes on; blank texts and tool traffic are left
//! out and counted ([`LeftOut`]); every turn has a key or its position in the file's conversation, and every memory a key,
//! by which a server recognises them when the file is imported again; labels of a benchmark never reach the memory system; times without a zone are UTC.

pub mod archive;
mod batch;
mod blank;
mod canonical;
pub mod chat;
mod chatgpt;
mod chatgpt_tree;
mod content;
#[cfg(feature = "client")]
mod deferred_links;
mod detect;
mod engrain;
mod error;
mod expansion;
mod export_tally;
mod fields;
mod identity;
#[cfg(feature = "client")]
mod import;
#[cfg(feature = "client")]
mod import_error;
#[cfg(feature = "client")]
mod imported;
mod inputs;
mod layout;
mod lenient;
mod local_instant;
pub mod locomo;
pub mod longmemeval;
mod mem0;
#[cfg(feature = "client")]
mod new_ids;
mod reader;
mod record_reader;
mod records;
mod recovery;
#[cfg(feature = "client")]
mod refusal;
mod repair;
mod scan;
mod skipped;
mod source;
mod timestamp;
mod timestamp_text;
mod utf16;
mod zip_names;

use uuid::Uuid;

pub use blank::is_blank;
pub use canonical::{CanonicalError, CanonicalExport};
pub use error::{FormatError, SourceLocation};
#[cfg(feature = "client")]
pub use import::Import;
#[cfg(feature = "client")]
pub use import_error::ImportError;
#[cfg(feature = "client")]
pub use imported::Imported;
pub use inputs::{Input, Inputs, inputs};
pub use reader::{ImportItems, open, read};
pub use skipped::{LeftOut, Skipped};

use crate::wire::{AddMemories, AddTurns, EditMemory, Scope};

/// Maximum length of a text of a turn or memory, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Batch to add in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportItem {
    /// Key of the batch: the same for the same content at the same position of a conversation.
    pub key: String,
    /// Beginning of the batch in the file.
    pub location: SourceLocation,
    /// Locations of the turns or memories in the file, in the order of the batch.
    pub locations: Vec<SourceLocation>,
    /// Turns or memories to add.
    pub batch: Batch,
    /// Old ids of the turns, in the order of the batch; only for an Engrain export.
    pub old_turn_ids: Vec<Option<Uuid>>,
    /// Old ids of the memories, in the order of the batch; only for an Engrain export. The `sources` and `links` of
    /// memories, and the `links` of edits, have such old ids, to be replaced by the new ones. A link may refer to a
    /// memory of a later batch.
    pub old_memory_ids: Vec<Option<Uuid>>,
    /// Edits of the batch's memories, to be made after it is added.
    pub edits: Vec<Edit>,
}

/// Content of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Turns of one session.
    Turns(AddTurns),
    /// Finished memories of one scope.
    Memories(AddMemories),
}

impl Batch {
    /// Number of turns or memories.
    pub fn len(&self) -> usize {
        match self {
            Self::Turns(batch) => batch.turns.len(),
            Self::Memories(batch) => batch.memories.len(),
        }
    }

    /// True without turns and memories; no reader returns such a batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Edit of a memory that a batch adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Position of the memory in the batch, from 0.
    pub index: usize,
    /// Change to make.
    pub edit: EditMemory,
}

/// Format of conversation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The LongMemEval benchmark (arXiv 2410.10813).
    LongMemEval,
    /// The LoCoMo benchmark (arXiv 2402.17753).
    Locomo,
    /// Plain JSON turns or conversations.
    Chat,
    /// Export of ChatGPT.
    ChatGpt,
    /// Export of mem0.
    Mem0,
    /// Export of Engrain.
    Engrain,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::LongMemEval, Self::Locomo, Self::Chat, Self::ChatGpt, Self::Mem0, Self::Engrain];

    /// Name in command lines and keys, such as `longmemeval`.
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

/// Options of reading.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Format of the file. Default: detected from the content.
    pub format: Option<Format>,
    /// Ids of records without them, field by field. Default: none; then a record without any id is an error. An Engrain
    /// export states its owners whole, and benchmarks make a user per conversation: they take no user from here.
    pub scope: Scope,
    /// Prefix of the user ids made for benchmarks. Default: empty.
    pub user_prefix: String,
    /// Neutral names for LongMemEval's sessions and users, so that ids do not reveal the evidence. Default: true.
    pub hide_labels: bool,
    /// Maximum number of turns or memories in a batch, 1 to 1,000. Default: 100.
    pub batch_items: usize,
    /// Maximum length of the texts of a batch, in bytes; one longer text is a batch of its own. Default: 256 KiB.
    pub batch_bytes: usize,
    /// Maximum size of a record, in bytes. Default: 64 MiB.
    pub max_record_bytes: usize,
    /// End reading at the first fault, instead of going on with the next record. What was read before it is returned
    /// first. Default: false.
    pub strict: bool,
    /// Import calls of tools and their output in ChatGPT exports, with the role `tool`. Default: false; then they are
    /// left out and counted.
    pub tool_messages: bool,
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
            strict: false,
            tool_messages: false,
        }
    }
}
