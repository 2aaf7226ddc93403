//! Conversion of the effect of an undo to its wire response.

use engrain::wire;
use memory_core::domain::undo::VersionId;
use memory_core::memories::request::Undone;
use memory_core::store::Purge;

use super::responses;

/// Effect of an undo on the wire, with the place of the bytes of what it took back.
pub(crate) fn undone(undone: Undone, purge: Purge) -> wire::Undone {
    wire::Undone {
        done: undone.is_done,
        restored: versions(undone.restored),
        erased: undone.erased.into_iter().map(|id| id.0).collect(),
        left: undone.left.into_iter().map(|id| id.0).collect(),
        dependents: versions(undone.dependents),
        derivation_ids: undone.derivations.into_iter().map(|id| id.0).collect(),
        repeated: undone.is_repeated,
        purge: undone.is_done.then(|| responses::purge(purge)),
    }
}

fn versions(versions: Vec<VersionId>) -> Vec<wire::MemoryVersion> {
    let convert = |one: VersionId| wire::MemoryVersion { memory_id: one.memory.0, version: one.version };
    versions.into_iter().map(convert).collect()
}
