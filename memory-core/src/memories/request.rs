//! What can be asked of memories that are there.

use crate::domain::change::Idempotency;
use crate::domain::filter::Filter;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Memory, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;

/// The memories of a scope, page by page.
#[derive(Clone, Debug)]
pub struct ListMemories {
    /// Whose.
    pub scope: Scope,
    /// Which of them.
    pub filter: Filter,
    /// Newest first, or oldest first.
    pub newest_first: bool,
    /// How many at most.
    pub limit: u32,
    /// The last memory of the page before.
    pub after: Option<MemoryId>,
}

/// A page of memories.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPage {
    /// The memories.
    pub memories: Vec<Memory>,
    /// How many there are in all.
    pub total: u64,
    /// Whether there are more after the last one.
    pub has_more: bool,
}

/// An edit: what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// The version that the edit builds on.
    pub if_version: Option<u32>,
    /// The new text.
    pub text: Option<String>,
    /// The new labels.
    pub tags: Option<Vec<Name>>,
    /// The new subjects.
    pub subjects: Option<Vec<Name>>,
    /// The new links, all of them.
    pub links: Option<Vec<Link>>,
    /// The new metadata.
    pub metadata: Option<Metadata>,
    /// When it happened.
    pub happened_at: Option<Timestamp>,
    /// Since when it held; `Some(None)` clears.
    pub valid_from: Option<Option<Timestamp>>,
    /// Until when it held; `Some(None)` clears.
    pub valid_to: Option<Option<Timestamp>>,
    /// When it expires; `Some(None)` clears.
    pub expires_at: Option<Option<Timestamp>>,
    /// How much it matters.
    pub importance: Option<f64>,
    /// Who may recall it.
    pub visibility: Option<Visibility>,
}

/// That a preview was seen.
#[derive(Clone, Debug)]
pub struct Confirmed<'a> {
    /// What the preview answered.
    pub confirmation: &'a str,
    /// What makes a repetition harmless.
    pub idempotency: Option<Idempotency>,
}

/// What a deletion by filter would erase.
#[derive(Clone, Debug, PartialEq)]
pub struct ErasurePreview {
    /// How many memories match.
    pub matched: u64,
    /// Some of them, newest first.
    pub sample: Vec<Memory>,
    /// What confirms the erasure of exactly these.
    pub confirmation: String,
}
