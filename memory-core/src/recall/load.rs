//! Loading of memories with their texts, in their version at the record time. Every memory is judged once more by the
//! view of its partition, because it may have been edited after the search: nobody is told a text that the view hides.

use std::collections::HashMap;

use futures::future::try_join_all;

use super::fuse::Fused;
use super::loaded::{Loaded, TextNeeds};
use super::neighbours::Neighbour;
use super::text_room::TextRoom;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::View;
use crate::scope::SearchTargets;

/// Texts that are read at a time: a text may be a megabyte long.
pub(super) const TEXTS_PER_READ: usize = 32;

impl Engine {
    /// Memories of the candidates and their neighbours, in order of rank, some per read. Candidates that were erased or
    /// hidden since the search are removed. `versions` are known versions at the record time. A neighbour whose text is too
    /// long is left out.
    pub(super) async fn load(
        &self,
        targets: &SearchTargets,
        fused: &mut Vec<Fused>,
        neighbours: &[Neighbour],
        mut versions: HashMap<MemoryId, Memory>,
        needs: &TextNeeds,
    ) -> Result<Loaded, Error> {
        let found = fused.iter().map(|one| (one.partition, one.memory));
        let beside = neighbours.iter().map(|one| (one.partition, one.memory));
        let wanted: Vec<(PartitionId, MemoryId)> = found.chain(beside).collect();
        let ranks: HashMap<MemoryId, usize> =
            fused.iter().enumerate().map(|(rank, one)| (one.memory, rank)).collect();
        let mut loaded = Loaded::default();
        // Neighbours come last, and get what is left.
        let mut room = TextRoom::new(self.limits.page_text_bytes, fused.len());
        for some in wanted.chunks(TEXTS_PER_READ) {
            let mut read = self.load_some(targets, some, &mut versions).await?;
            for (memory, is_present_text) in some.iter().filter_map(|(_, id)| read.remove(id)) {
                let id = memory.id;
                let ranked = ranks.get(&id).and_then(|rank| fused.get_mut(*rank));
                let best_span = ranked.as_ref().and_then(|one| one.explain.best_span);
                let is_ranked = ranked.is_some();
                if !is_present_text && let Some(one) = ranked {
                    // The span is one of the present text.
                    one.explain.best_span = None;
                }
                loaded.add(memory, best_span.filter(|_| is_present_text), &mut room, needs);
                if !is_ranked && loaded.is_excerpt(&id) {
                    loaded.remove(&id);
                }
            }
        }
        fused.retain(|one| loaded.contains_key(&one.memory));
        Ok(loaded)
    }

    /// The visible ones of some memories, with one read per partition.
    async fn load_some(
        &self,
        targets: &SearchTargets,
        some: &[(PartitionId, MemoryId)],
        versions: &mut HashMap<MemoryId, Memory>,
    ) -> Result<HashMap<MemoryId, (Memory, bool)>, Error> {
        let mut by_partition: HashMap<PartitionId, Vec<MemoryId>> = HashMap::new();
        for (partition, memory) in some {
            by_partition.entry(*partition).or_default().push(*memory);
        }
        let by_partition = &by_partition;
        let loads = targets.partitions.iter().filter_map(|(partition, view)| {
            let ids = by_partition.get(partition)?;
            let known = ids.iter().filter_map(|id| versions.remove_entry(id)).collect();
            Some(self.load_visible(*partition, ids, view, known))
        });
        let read = try_join_all(loads).await?.into_iter().flatten();
        Ok(read.map(|(memory, is_present_text)| (memory.id, (memory, is_present_text))).collect())
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
