//! Faces of one item, pure: a note and the turn that it annotates say the same, and are one result of a recall. The better
//! placed of the two stays.

use std::collections::{HashMap, HashSet};

use super::fuse::Fused;
use super::loaded::Loaded;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::Kind;

/// Maximum number of times that further candidates are loaded in the place of worse faces.
pub(super) const REFILLS_AT_MOST: usize = 4;

/// Removes the worse placed of a note and its turn, where both are ranked; returns how many were removed.
pub(super) fn drop_worse(fused: &mut Vec<Fused>, loaded: &Loaded) -> usize {
    let ranks: HashMap<MemoryId, usize> =
        fused.iter().enumerate().map(|(rank, one)| (one.memory, rank)).collect();
    let mut worse: HashSet<MemoryId> = HashSet::new();
    for (rank, one) in fused.iter().enumerate() {
        let Some(note) = loaded.get(&one.memory).filter(|memory| memory.kind == Kind::Note) else { continue };
        for link in note.links.iter().filter(|link| link.relation.as_str() == Link::ANNOTATES) {
            if let Some(of_turn) = ranks.get(&link.to) {
                worse.insert(if *of_turn < rank { one.memory } else { link.to });
            }
        }
    }
    fused.retain(|one| !worse.contains(&one.memory));
    worse.len()
}
