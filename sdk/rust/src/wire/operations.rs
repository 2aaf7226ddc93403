//! Requests and responses on stored memories, sessions, owners, exports and the store.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::filter::Filter;
use super::memory::{Kind, Link, Memory, Origin, Scope, Statement, Visibility};
use super::null_as_default;
use super::purge::Purge;

/// Body of `POST /v1/memories/list`: list the memories of a scope by page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ListMemories {
    /// Scope that owns the memories.
    pub scope: Scope,
    /// Filter that every listed memory passes. Default: all memories of the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Order of the list. Default: `newest_first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ListOrder>,
    /// Maximum number of memories on the page, 1 to 1,000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Order of a list by the time at which the memories were first recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Page of memories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryPage {
    /// Memories on the page.
    pub memories: Vec<Memory>,
    /// Number of memories on all pages.
    pub total: u64,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Number of memories that were left out because they cannot be decoded; absent if there is none. They are those of
    /// the page, and with a filter that the database does not evaluate those of the whole scope.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Body of `PATCH /v1/memories/{id}`: create a new version of a memory. An absent field keeps its value, and at least one
/// besides `if_version` is required; `null` clears `valid_from`, `valid_to`, `expires_at` and `statement`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EditMemory {
    /// Version that the edit is based on. If the current version is another one, the edit fails with
    /// `version_conflict`. Default: the current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u32>,
    /// New text, 1 byte to 1 MiB, with a visible character and without U+0000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// New list of tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// New list of subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<String>>,
    /// New list of conversation partners to whom the memory may be told; empty for anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
    /// New structured content. A new text without a statement clears the present one, which described the old text.
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Statement>))]
    pub statement: Option<Option<Statement>>,
    /// New list of links; it replaces the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<Link>>,
    /// New metadata, at most 16 KiB and 8 levels deep, without U+0000 in keys and texts; it replaces the whole object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Time of the event (RFC 3339; a date is the beginning of that day in the owner's time zone). An offset other than
    /// `Z`, or that of a date's zone, tells the local day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<String>,
    /// Start of the period in which the statement holds (RFC 3339; a date is the beginning of that day in the owner's time
    /// zone).
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub valid_from: Option<Option<String>>,
    /// End of the period in which the statement holds, exclusive (RFC 3339; a date is the beginning of that day in the
    /// owner's time zone).
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub valid_to: Option<Option<String>>,
    /// Time from which the memory is not recalled (RFC 3339; a date is the beginning of that day in the owner's time zone).
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub expires_at: Option<Option<String>>,
    /// Importance, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Visibility of the memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// Distinction between a field that is `null` (cleared) and one that is absent (unchanged).
mod clearable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(from).map(Some)
    }
}

/// Response of `GET /v1/memories/{id}/history`: a page of the versions of a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// Versions, oldest first; the last one of the last page is the current one.
    pub versions: Vec<Memory>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Response of `DELETE /v1/memories/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Erased {
    /// Ids of the erased memories, including those derived from the erased one.
    pub memory_ids: Vec<Uuid>,
    /// Place of their bytes.
    pub purge: Purge,
}

/// Body of `POST /v1/memories/delete`: erase the memories that match a filter, in two calls. The first one, without
/// `confirmation`, returns a preview and erases nothing. The second one carries the `confirmation` of the preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteMatching {
    /// Scope that owns the memories. Memories of other owners are never erased.
    pub scope: Scope,
    /// Filter that selects the memories. There is no default; `{"and": []}` selects all.
    pub filter: Filter,
    /// Confirmation from the preview. If the erasure would take other memories by now, nothing is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

/// Response to [`DeleteMatching`]: a preview or the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeletedMatching {
    /// True if the memories were erased, false for a preview.
    pub done: bool,
    /// Number of memories that match the filter.
    pub matched: u64,
    /// Number of memories that the erasure takes: those that match, and all that are derived from them.
    #[serde(default)]
    pub with_derived: u64,
    /// Sample of the memories that the erasure takes, derived ones included, newest first, at most 20; only in a preview. Of
    /// each text at most the first 500 bytes are given; `tokens` counts all of it, and `GET /v1/memories/{id}` has all of it.
    pub sample: Vec<Memory>,
    /// Confirmation for the erasure of exactly these memories, derived ones included; only in a preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Number of erased memories, including derived ones; 0 in a preview.
    pub erased: u64,
    /// Place of their bytes; absent from a preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// Session: a conversation of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// Id.
    pub id: Uuid,
    /// Name of the session.
    pub session: String,
    /// Number of its turns. Erased ones do not count; the place of a turn (`seq`) may therefore be greater.
    pub turns: u32,
    /// Time at which its first turn was said (RFC 3339).
    pub started_at: String,
    /// Time at which the session was created in the store (RFC 3339).
    pub recorded_at: String,
    /// Time at which it was closed (RFC 3339); absent while it is open. A new turn opens it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
}

/// Response of `GET /v1/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionPage {
    /// Sessions, in the order of their creation.
    pub sessions: Vec<Session>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Turn, verbatim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Turn {
    /// Place of the turn in its session.
    #[serde(flatten)]
    pub origin: Origin,
    /// Position in the conversation that the turn was added with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Text of the turn.
    pub text: String,
    /// Time at which the turn was said (RFC 3339).
    pub said_at: String,
    /// Offset from UTC, in minutes, of the speaker's local time at `said_at`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_minutes: Option<i16>,
    /// Time at which the turn was recorded (RFC 3339).
    pub recorded_at: String,
    /// Names of the other people present.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<String>,
    /// Place: a channel, a room, a city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Application data stored with the turn.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// Response of `GET /v1/sessions/{id}/turns`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TurnPage {
    /// Turns, in the order of the session.
    pub turns: Vec<Turn>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Body of `POST /v1/admin/reindex`: embed all memories again with another embedder, without interruption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReindexRequest {
    /// Name of the new embedder, as in the configuration.
    pub embedder: String,
}

/// Body of `POST /v1/admin/check`: compare the index with the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Repair of the findings that can be repaired without loss. Default: false.
    #[serde(default, deserialize_with = "null_as_default")]
    pub repair: bool,
}

/// Response of `POST /v1/admin/check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CheckReport {
    /// True if no fault remains (after the repair, if requested).
    pub healthy: bool,
    /// Number of partitions checked.
    pub partitions: u64,
    /// Number of memories checked.
    pub memories: u64,
    /// Faults found, repaired ones included.
    pub findings: Vec<Finding>,
}

/// Fault found by a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Kind of the fault: `missing_vector`, `missing_row`, `orphan_row`, `orphan_link`, `gap_in_log`, `index_differs`,
    /// `database`.
    pub code: String,
    /// Description of the fault.
    pub detail: String,
    /// Number of occurrences.
    pub count: u64,
    /// True if the fault was repaired.
    pub repaired: bool,
}

/// Kinds of memory that an application may add; `digest` as a statement of the portrait alone.
pub const ADDABLE_KINDS: [Kind; 4] = [Kind::Fact, Kind::Note, Kind::Document, Kind::Digest];
