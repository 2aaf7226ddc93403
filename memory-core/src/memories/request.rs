//! Requests on existing memories: list, edit, erase, undo.

use crate::domain::change::Idempotency;
use crate::domain::filter::Filter;
use crate::domain::id::{DerivationId, MemoryId};
use crate::domain::link::Link;
use crate::domain::memory::{Memory, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;
use crate::domain::undo::VersionId;
use crate::domain::zone::UtcOffset;

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
    /// Cursor of the next page: the last memory that the page covers, also if it was left out or erased meanwhile.
    pub last: Option<MemoryId>,
    /// Number of memories that were left out because they cannot be decoded: those of the page, and with a filter that the
    /// database does not evaluate those of the whole scope.
    pub unreadable: u64,
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
    /// Offset of the local time there; `None` keeps that of the version before.
    pub utc_offset: Option<UtcOffset>,
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
    /// Number of memories that the erasure takes: those that match, and all that are derived from them.
    pub with_derived: u64,
    /// Sample of the memories that it takes, newest first.
    pub sample: Vec<Memory>,
    /// Token that confirms the erasure of exactly these memories, derived ones included.
    pub confirmation: String,
}

/// Request to take changes back.
#[derive(Clone, Debug, Default)]
pub struct UndoRequest {
    /// True to answer what the undo would do, and to change nothing.
    pub dry_run: bool,
    /// True to take back what was built on the changes too. If false, an undo with dependents is refused.
    pub with_dependents: bool,
    /// Idempotency key and hash of the request.
    pub idempotency: Option<Idempotency>,
}

/// Effect of an undo, or of a dry run of one. All lists are empty if there was nothing to take back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// True if the store was changed by this request or, with the same idempotency key, by an earlier one.
    pub is_done: bool,
    /// Memories with the content of an earlier version, and the numbers of the new versions. In the answer to a repeated
    /// request: their present versions.
    pub restored: Vec<VersionId>,
    /// Erased memories: those whose first version was taken back.
    pub erased: Vec<MemoryId>,
    /// Memories that stay as they are, because the version to restore is not in the history.
    pub left: Vec<MemoryId>,
    /// Versions taken back because they were built on those that the request names: derived with one of them in view, or
    /// made of the same memory later.
    pub dependents: Vec<VersionId>,
    /// Derivations of the versions taken back.
    pub derivations: Vec<DerivationId>,
    /// True if an earlier request with the same idempotency key made the undo. `dependents`, `left` and `derivations`
    /// are empty then.
    pub is_repeated: bool,
}
