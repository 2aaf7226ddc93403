//! Requests on existing memories: list, edit, erase.

use crate::domain::change::Idempotency;
use crate::domain::filter::Filter;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Memory, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;

/// Request to list the memories of a scope, page by page.
#[derive(Clone, Debug)]
pub struct ListMemories {
    /// Scope of the memories.
    pub scope: Scope,
    /// Filter that every listed memory passes.
    pub filter: Filter,
    /// True for newest first, false for oldest first.
    pub newest_first: bool,
    /// Maximum number of memories returned.
    pub limit: u32,
    /// Last memory of the previous page; `None` for the first page.
    pub after: Option<MemoryId>,
}

/// Page of memories.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPage {
    /// The memories.
    pub memories: Vec<Memory>,
    /// Number of matching memories on all pages.
    pub total: u64,
    /// True if there is another page.
    pub has_more: bool,
}

/// Edit of a memory. A field that is `None` leaves the value unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Expected present version; another one is a conflict. `None` to edit any version.
    pub if_version: Option<u32>,
    /// The new text.
    pub text: Option<String>,
    /// The new tags.
    pub tags: Option<Vec<Name>>,
    /// The new subjects.
    pub subjects: Option<Vec<Name>>,
    /// The new list of conversation partners to whom it may be told.
    pub audience: Option<Vec<Name>>,
    /// The new structured content; `Some(None)` clears it. A new text without one clears it too, because the present one
    /// describes the old text.
    pub statement: Option<Option<Statement>>,
    /// The new links, replacing the present ones.
    pub links: Option<Vec<Link>>,
    /// The new metadata.
    pub metadata: Option<Metadata>,
    /// Time of the events in the text.
    pub happened_at: Option<Timestamp>,
    /// Start of the interval in which the text held true; `Some(None)` clears it.
    pub valid_from: Option<Option<Timestamp>>,
    /// End of the interval in which the text held true; `Some(None)` clears it.
    pub valid_to: Option<Option<Timestamp>>,
    /// Time from which it is no longer recalled; `Some(None)` clears it.
    pub expires_at: Option<Option<Timestamp>>,
    /// Importance, 0 to 1.
    pub importance: Option<f64>,
    /// Visibility.
    pub visibility: Option<Visibility>,
}

/// Confirmation of a previewed erasure.
#[derive(Clone, Debug)]
pub struct Confirmed<'a> {
    /// Confirmation token from the preview.
    pub confirmation: &'a str,
    /// Idempotency key and hash of the request.
    pub idempotency: Option<Idempotency>,
}

/// Preview of an erasure by filter.
#[derive(Clone, Debug, PartialEq)]
pub struct ErasurePreview {
    /// Number of matching memories.
    pub matched: u64,
    /// Sample of them, newest first.
    pub sample: Vec<Memory>,
    /// Token that confirms the erasure of exactly these memories.
    pub confirmation: String,
}
