//! Looking after memories: list, edit, delete, and the store as a whole.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::filter::Filter;
use super::memory::{Kind, Link, Memory, Origin, Scope, Visibility};

/// `POST /v1/memories/list`: the memories of a scope, page by page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ListMemories {
    /// Whose.
    pub scope: Scope,
    /// Which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// In what order. Default: `newest_first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ListOrder>,
    /// How many at most, 1 to 1,000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on: the `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The order of a list, by when memories were first recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A page of memories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryPage {
    /// The memories.
    pub memories: Vec<Memory>,
    /// How many there are in all.
    pub total: u64,
    /// Where to go on; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `PATCH /v1/memories/{id}`: a new version. What is left out stays; `null` clears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EditMemory {
    /// The version that this edit builds on; another present version is a conflict. Default: whichever is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u32>,
    /// The new text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The new labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The new subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<String>>,
    /// The new links, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<Link>>,
    /// The new metadata, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<String>,
    /// Since when it held.
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub valid_from: Option<Option<String>>,
    /// Until when it held.
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub valid_to: Option<Option<String>>,
    /// When it stops being recalled.
    #[serde(default, with = "clearable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub expires_at: Option<Option<String>>,
    /// How much it matters, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Who may recall it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// Tells a field that is `null` (clear it) from one that is not there (leave it).
mod clearable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Option<String>>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<String>>, D::Error> {
        Option::<String>::deserialize(from).map(Some)
    }
}

/// All versions of a memory, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// The versions; the last is the present one.
    pub versions: Vec<Memory>,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Erased {
    /// The memories that were erased, those derived from them included.
    pub memory_ids: Vec<Uuid>,
}

/// `POST /v1/memories/delete`: erase what a filter matches. First without `confirmation`: nothing is erased, and the
/// answer says what would be. Then again with the confirmation of that answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteMatching {
    /// Whose. Only memories that this scope owns are erased.
    pub scope: Scope,
    /// Which of them. `{"and": []}` is all of them: there is no default.
    pub filter: Filter,
    /// What the preview answered. If other memories match by now, nothing is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

/// What [`DeleteMatching`] would erase, or has erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeletedMatching {
    /// False for a preview.
    pub done: bool,
    /// How many memories match.
    pub matched: u64,
    /// Some of them, newest first, at most 20; only in a preview.
    pub sample: Vec<Memory>,
    /// What confirms the deletion of exactly these; only in a preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// How many were erased, those derived from them included.
    pub erased: u64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Your name for it.
    pub session: String,
    /// How many turns it ever had.
    pub turns: u32,
    /// When its first turn was said.
    pub started_at: String,
    /// When it was first heard of.
    pub recorded_at: String,
}

/// `GET /v1/sessions`: a scope's sessions, in the order in which they were first heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Where to go on; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A turn as it was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Turn {
    /// Where it stands.
    #[serde(flatten)]
    pub origin: Origin,
    /// What was said.
    pub text: String,
    /// When it was said.
    pub said_at: String,
    /// When Engrain heard of it.
    pub recorded_at: String,
    /// Who else was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What you keep beside it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// `GET /v1/sessions/{id}/turns`: a session's turns, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TurnPage {
    /// The turns.
    pub turns: Vec<Turn>,
    /// Where to go on; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Someone who owns memories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnerSummary {
    /// `user`, `agent`, `app` or `run`.
    pub kind: String,
    /// Their id.
    pub id: String,
    /// How many memories they have.
    pub memories: u64,
    /// When they were first heard of.
    pub created_at: String,
}

/// `GET /v1/owners`: everyone who owns memories in this tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnerPage {
    /// The owners, oldest first.
    pub owners: Vec<OwnerSummary>,
    /// Where to go on; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A line of `GET /v1/export` (one JSON object per line), and what `engrain import` reads back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "lines are read and written one at a time")]
pub enum ExportLine {
    /// The first line.
    Header {
        /// The export's format; this is version 1.
        format: u32,
        /// The version of the server that wrote it.
        engrain: String,
    },
    /// From here on, the lines are this owner's.
    Owner {
        /// Whose.
        scope: Scope,
    },
    /// A turn, with the memory of it.
    Turn {
        /// The turn as it was said.
        turn: Turn,
        /// The memory of it in its present version.
        memory: Memory,
    },
    /// A memory that is not a turn.
    Memory {
        /// The memory in its present version.
        memory: Memory,
        /// The turns and memories it was made of.
        sources: Vec<Uuid>,
    },
    /// The last line: without it the export is cut short.
    End {
        /// How many turns and memories came before.
        records: u64,
    },
}

/// `POST /v1/admin/reindex`: embed everything anew with another embedder, while serving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReindexRequest {
    /// The embedder to change to, as the configuration names it.
    pub embedder: String,
}

/// `POST /v1/admin/check`: hold the index against the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Mend what can be mended.
    #[serde(default)]
    pub repair: bool,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CheckReport {
    /// Whether all is well (after repairs, if they were asked for).
    pub healthy: bool,
    /// Partitions looked at.
    pub partitions: u64,
    /// Memories looked at.
    pub memories: u64,
    /// What is wrong, or was.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Finding {
    /// What kind of thing: `missing_vector`, `missing_row`, `orphan_row`, `orphan_link`, `gap_in_log`,
    /// `index_differs`, `database`.
    pub code: String,
    /// In words.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// Whether it was mended.
    pub repaired: bool,
}

/// The kinds of memory that an application may add itself.
pub const ADDABLE_KINDS: [Kind; 3] = [Kind::Fact, Kind::Note, Kind::Document];
