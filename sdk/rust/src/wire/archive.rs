//! Exports and their import: what is needed to make the same store again (export format 2, ADR 0041).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::forgetting::ForgettingPolicy;
use super::memory::{Memory, Scope};
use super::operations::Turn;
use super::provenance::DerivationRecord;
use super::remember::ItemOutcome;
use super::thinking::ThinkingProfile;
use super::{is_default, null_as_default};

/// Version of the export format that this release writes. It reads all earlier ones too.
pub const EXPORT_FORMAT: u32 = 2;

/// Line of `GET /v1/export`, which writes one JSON object per line. `engrain import` reads them back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "lines are read and written one at a time")]
pub enum ExportLine {
    /// First line.
    Header {
        /// Version of the export format: [`EXPORT_FORMAT`], or 1 in the files of earlier releases.
        format: u32,
        /// Version of the server that wrote the export.
        engrain: String,
    },
    /// Owner of all records up to the next owner line.
    Owner(ExportedOwner),
    /// Turn with its memory.
    Turn {
        /// The turn, verbatim.
        turn: Turn,
        /// Current version of the turn's memory.
        memory: Memory,
        /// Other parts of the memory; empty in format 1.
        #[serde(default, skip_serializing_if = "is_default")]
        history: MemoryHistory,
    },
    /// Memory that does not belong to a turn.
    Memory {
        /// Current version of the memory.
        memory: Memory,
        /// Ids of the turns and memories that it is based on: the evidence of its current version.
        sources: Vec<Uuid>,
        /// Other parts of the memory; empty in format 1.
        #[serde(default, skip_serializing_if = "is_default")]
        history: MemoryHistory,
    },
    /// Last line. An export without it is incomplete.
    End {
        /// Number of turns and memories in the export.
        records: u64,
        /// Number of memories that were left out because they cannot be read or decoded; see `engrain doctor`.
        #[serde(default, skip_serializing_if = "is_default")]
        unreadable: u64,
        /// Code of the failure because of which further owners or memories are missing, such as `store_damaged`; none for
        /// an export that went to its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incomplete: Option<String>,
    },
}

/// Owner of records of an export, with the settings of its own. In format 1 there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExportedOwner {
    /// Scope that owns the memories.
    pub scope: Scope,
    /// Profile of thinking. Absent if the owner has that of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingProfile>,
    /// Time zone. Absent if the owner has that of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Forgetting policy. Absent if the owner has that of the server, and in exports of releases that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting: Option<ForgettingPolicy>,
    /// Moment of the last complete sweep of the owner under the rule `conditional_draw` (RFC 3339), from which the next one
    /// draws. Absent if there was none, and in exports of releases that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting_checked_at: Option<String>,
}

impl ExportedOwner {
    /// The owner without settings of its own.
    #[must_use]
    pub fn without_settings(&self) -> Self {
        Self { scope: self.scope.clone(), ..Self::default() }
    }
}

/// Parts of a memory besides its current version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryHistory {
    /// Key that the memory was added with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Initial strength, a factor on that of the forgetting curve. Default: that of a new memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
    /// Cosine to the nearest memory that the owner had when it was learned, -1 to 1. Absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_cosine: Option<f32>,
    /// Time at which it was learned (RFC 3339). Default: the time of the event. Exports of releases without uses name it
    /// `refreshed_at`.
    #[serde(default, alias = "refreshed_at", skip_serializing_if = "Option::is_none")]
    pub learned_at: Option<String>,
    /// Uses of the memory. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<MemoryUses>,
    /// True for a memory that is never to be forgotten.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub pinned: bool,
    /// Record of its forgetting; absent for a memory that is not forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<ForgottenRecord>,
    /// Times of the session of a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionTimes>,
    /// True for a turn that waits to be thought about.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub waits: bool,
    /// Versions before the current one, oldest first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Memory>,
    /// Derivations of all versions that were derived.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub derivations: Vec<VersionDerivation>,
}

/// Uses of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryUses {
    /// Number of uses before the newest ones.
    pub earlier: u32,
    /// Newest uses, at most 64, oldest first, at ascending times.
    pub newest: Vec<MemoryUse>,
}

/// Use of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryUse {
    /// Time (RFC 3339).
    pub at: String,
    /// Kind: `returned`, `in_context`, `cited`, `confirmed` or `contradicted`.
    pub kind: String,
}

/// Record of a forgotten memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForgottenRecord {
    /// Moment at which its retention fell below the threshold, of its eviction, or of the sweep that drew it (RFC 3339).
    pub since: String,
    /// Time at which the sweep that found it was requested (RFC 3339).
    pub recorded_at: String,
    /// Reason: `faded`, `evicted` or `drawn`.
    pub reason: String,
    /// Effect: `demote`, `exclude`, `cold` or `delete`.
    pub effect: String,
    /// Name of the curve, or of the order of eviction.
    pub curve: String,
    /// Retention when it was found, 0 to 1.
    pub retention: f64,
    /// Threshold below which it was forgotten, 0 to 1.
    pub threshold: f64,
}

/// Times of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionTimes {
    /// Time at which its first turn was said (RFC 3339).
    pub started_at: String,
    /// Time at which the session was created in the store (RFC 3339).
    pub recorded_at: String,
}

/// Derivation with the versions that it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VersionDerivation {
    /// Id of the derivation.
    pub id: Uuid,
    /// Versions of the memory with this derivation. A version that restores the content of another one has its
    /// derivation.
    pub versions: Vec<u32>,
    /// Maker, time and inputs.
    pub record: DerivationRecord,
}

/// Body of `POST /v1/import`: write records of an export with their ids, times, versions and derivations, in one
/// transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportRecords {
    /// Scope that names the owner, by exactly one id.
    pub scope: Scope,
    /// Profile of thinking to give to the owner. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingProfile>,
    /// Time zone to give to the owner: a name in the IANA time-zone database, or an offset from UTC. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Forgetting policy to give to the owner; with the effect `delete` the right to delete is needed. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting: Option<ForgettingPolicy>,
    /// Moment of the last complete sweep under the rule `conditional_draw` in the exported store (RFC 3339), not in the future. The
    /// next sweep of the owner draws from it, unless the owner has a later one. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting_checked_at: Option<String>,
    /// Records to write, 1 to 1,000.
    pub records: Vec<ImportRecord>,
    /// Write records again that were erased. Default: false; then they are left out.
    #[serde(default, deserialize_with = "null_as_default")]
    pub again: bool,
}

/// Record of an export: a memory, with its turn if it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportRecord {
    /// The turn, for a memory of kind `turn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Current version of the memory.
    pub memory: Memory,
    /// Other parts of the memory.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: MemoryHistory,
}

/// Response to [`ImportRecords`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportedRecords {
    /// One entry per record, in the order of the request.
    pub records: Vec<ImportedRecord>,
}

/// Result of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportedRecord {
    /// Outcome.
    pub outcome: ItemOutcome,
    /// Id of the memory in this store; absent for one that was left out. It is another one than that of the record if
    /// the store had the item under another id, or the id belongs to another owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_id: Option<Uuid>,
    /// Id of the turn in this store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<Uuid>,
    /// Number of inputs of derivations and of links whose target is not in the store. They are left out; sending the
    /// record again adds those whose targets have arrived.
    pub missing: u32,
}
