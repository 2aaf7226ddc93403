//! Undo: to take back what a job made, or one change of a memory.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::purge::Purge;

/// Body of `POST /v1/jobs/{id}/undo`: take back all that a job made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoJob {
    /// True to return the effect without changing anything. Default: false.
    #[serde(default)]
    pub dry_run: bool,
    /// True to take back later work that was built on the job's too. Otherwise such an undo fails with
    /// `undo_has_dependents`. Default: false.
    #[serde(default)]
    pub with_dependents: bool,
}

/// Body of `POST /v1/memories/{id}/undo`: take back one version of a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoChange {
    /// Version to take back. Default: the present one. To take back version 1 is to erase the memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// True to return the effect without changing anything. Default: false.
    #[serde(default)]
    pub dry_run: bool,
    /// True to take back what was built on the version too: later versions of the memory, and versions derived with it in
    /// view. Otherwise such an undo fails with `undo_has_dependents`. Default: false.
    #[serde(default)]
    pub with_dependents: bool,
}

/// Effect of an undo, or of a dry run of one. All lists are empty if there is nothing to take back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Undone {
    /// True if the undo was made; false for a dry run, and if there was nothing to take back.
    pub done: bool,
    /// Memories that have the content of an earlier version again, with the number of the new version.
    pub restored: Vec<MemoryVersion>,
    /// Ids of the erased memories: those of which the first version was taken back.
    pub erased: Vec<Uuid>,
    /// Ids of memories that stay as they are, because the version to restore is not in their history.
    pub left: Vec<Uuid>,
    /// Versions taken back because they were built on those that the request names.
    pub dependents: Vec<MemoryVersion>,
    /// Ids of the derivations of the versions taken back.
    pub derivation_ids: Vec<Uuid>,
    /// True if an earlier request with the same idempotency key made the undo. Only `restored` and `erased` are given
    /// then, `restored` with the present versions.
    pub repeated: bool,
    /// Place of the bytes of what was taken back; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// Version of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryVersion {
    /// Id of the memory.
    pub memory_id: Uuid,
    /// Number of the version, from 1.
    pub version: u32,
}
