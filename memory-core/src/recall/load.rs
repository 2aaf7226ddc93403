//! Loading of memories with their texts, in their version at the record time. Every memory is judged once more by the
//! view of its partition, because it may have been edited after the search: nobody is told a text that the view hides.

use std::collections::HashMap;

use futures::future::try_join_all;

use super::fuse::Fused;
use super::neighbours::Neighbour;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::View;
use crate::scope::SearchTargets;

impl Engine {
    /// Memories of the candidates and their neighbours, with one read per partition. Candidates that were erased or
    /// hidden since the search are removed. `versions` are known versions at the record time.
    pub(super) async fn load(
        &self,
        targets: &SearchTargets,
        fused: &mut Vec<Fused>,
        neighbours: &[Neighbour],
        mut versions: HashMap<MemoryId, Memory>,
    ) -> Result<HashMap<MemoryId, Memory>, Error> {
        let mut by_partition: HashMap<PartitionId, Vec<MemoryId>> = HashMap::new();
        let found = fused.iter().map(|one| (one.partition, one.memory));
        for (partition, memory) in found.chain(neighbours.iter().map(|one| (one.partition, one.memory))) {
            by_partition.entry(partition).or_default().push(memory);
        }
        let loads = targets.partitions.iter().filter_map(|(partition, view)| {
            let ids = by_partition.get(partition)?;
            let known = ids.iter().filter_map(|id| versions.remove_entry(id)).collect();
            Some(self.load_visible(*partition, ids, view, known))
        });
        let mut loaded = HashMap::new();
        for (memory, is_present_text) in try_join_all(loads).await?.into_iter().flatten() {
            if !is_present_text && let Some(one) = fused.iter_mut().find(|one| one.memory == memory.id) {
                // The span is one of the present text.
                one.explain.best_span = None;
            }
            loaded.insert(memory.id, memory);
        }
        fused.retain(|one| loaded.contains_key(&one.memory));
        Ok(loaded)
    }

    /// The visible ones of these memories, each with whether its text is the present one. `known` has versions at the
    /// record time that were read before.
    pub(super) async fn load_visible(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        view: &View,
        mut known: HashMap<MemoryId, Memory>,
    ) -> Result<Vec<(Memory, bool)>, Error> {
        let present = self.store.memories(partition, ids).await?;
        let is_later = |memory: &Memory| view.known_at.is_some_and(|known_at| memory.recorded_at > known_at);
        if let Some(known_at) = view.known_at {
            let unread = present.iter().filter(|memory| is_later(memory) && !known.contains_key(&memory.id));
            let unread: Vec<MemoryId> = unread.map(|memory| memory.id).collect();
            let versions = self.versions_as_recorded(partition, &unread, known_at).await?;
            known.extend(versions.into_iter().map(|version| (version.id, version)));
        }
        let mut loaded = Vec::with_capacity(present.len());
        for memory in present {
            if !is_later(&memory) {
                loaded.push((memory, true));
            } else if let Some(version) = known.remove(&memory.id) {
                let is_present_text = version.text == memory.text;
                loaded.push((version, is_present_text));
            }
        }
        loaded.retain(|(memory, _)| view.hides(memory).is_none());
        Ok(loaded)
    }
}
