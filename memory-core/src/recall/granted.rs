//! Memories of a recall that were read through grants: whose they are, and what the audit log notes, pure.

use std::collections::{BTreeMap, BTreeSet};

use super::fuse::Fused;
use super::loaded::Loaded;
use super::neighbours::Neighbour;
use super::response::{Context, GrantRead, GrantedBy};
use crate::domain::id::{GrantId, MemoryId, PartitionId};
use crate::scope::SearchTargets;

/// Memories that were read through grants, each with its grant.
#[derive(Debug, Default)]
pub(super) struct Granted {
    by_memory: BTreeMap<MemoryId, (PartitionId, GrantedBy)>,
}

impl Granted {
    /// Grants of the ranked memories and their neighbours, as far as they are loaded.
    pub(super) fn of(
        targets: &SearchTargets,
        fused: &[Fused],
        neighbours: &[Neighbour],
        loaded: &Loaded,
    ) -> Self {
        if targets.givers.is_empty() {
            return Self::default();
        }
        let ranked = fused.iter().map(|one| (one.partition, one.memory));
        let beside = neighbours.iter().map(|one| (one.partition, one.memory));
        let granted = ranked.chain(beside).filter_map(|(partition, id)| {
            let (owner, grant) = targets.grant_for(partition, loaded.get(&id)?)?;
            Some((id, (partition, GrantedBy { grant, owner: owner.clone() })))
        });
        Self { by_memory: granted.collect() }
    }

    /// Grant of a memory.
    pub(super) fn of_memory(&self, id: MemoryId) -> Option<&GrantedBy> {
        self.by_memory.get(&id).map(|(_, granted)| granted)
    }

    /// All memories with their grants.
    pub(super) fn all(&self) -> BTreeMap<MemoryId, GrantedBy> {
        self.by_memory.iter().map(|(id, (_, granted))| (*id, granted.clone())).collect()
    }

    /// Number of memories of an answer by grant: those that are returned, and those in the context block.
    pub(super) fn reads(
        &self,
        returned: impl IntoIterator<Item = MemoryId>,
        context: &Context,
    ) -> Vec<GrantRead> {
        let read: BTreeSet<MemoryId> = returned.into_iter().chain(context.memories.iter().copied()).collect();
        let mut reads: BTreeMap<(PartitionId, GrantId), u32> = BTreeMap::new();
        for (partition, granted) in read.iter().filter_map(|id| self.by_memory.get(id)) {
            *reads.entry((*partition, granted.grant)).or_default() += 1;
        }
        let reads = reads.into_iter();
        reads.map(|((partition, grant), memories)| GrantRead { partition, grant, memories }).collect()
    }
}
