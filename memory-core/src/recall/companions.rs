//! Companions of recalled memories: the other sides of undecided contradictions, which come back together with their
//! dates. `contradictions.rs` decides the order.

use std::collections::{HashMap, HashSet};

use super::contradictions::{is_undecided, paired, together};
use super::fuse::Fused;
use super::load::TEXTS_PER_READ;
use super::loaded::{Loaded, TextNeeds};
use super::response::Explanation;
use super::text_room::TextRoom;
use crate::domain::id::MemoryId;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{ValidTime, View};
use crate::scope::SearchTargets;

/// Contradictions among ranked memories, with the memories of the other sides.
pub(super) struct Companions {
    pairs: Vec<(MemoryId, MemoryId)>,
    others: Loaded,
}

impl Engine {
    /// Undecided contradictions of the first `limit` ranked memories.
    pub(super) async fn companions(
        &self,
        targets: &SearchTargets,
        limit: usize,
        fused: &[Fused],
        loaded: &Loaded,
        needs: &TextNeeds,
    ) -> Result<Companions, Error> {
        let mut companions = Companions { pairs: Vec::new(), others: Loaded::default() };
        let mut room = TextRoom::new(self.limits.page_text_bytes, limit);
        for (partition, view) in &targets.partitions {
            let ranked = fused.iter().take(limit).filter(|one| one.partition == *partition);
            let ranked: Vec<MemoryId> = ranked.map(|one| one.memory).collect();
            // A memory that has ended is no side of an undecided contradiction.
            let valid = ValidTime { hides_ended: true, ..view.valid };
            let view = View { valid, ..view.clone() };
            let found = self.index.contradictions(*partition, &ranked, &view).await?;
            let missing: HashSet<MemoryId> =
                found.iter().map(|(_, other)| *other).filter(|other| !loaded.contains_key(other)).collect();
            let missing: Vec<MemoryId> = missing.into_iter().take(limit).collect();
            for some in missing.chunks(TEXTS_PER_READ) {
                let others = self.load_visible(*partition, some, &view, HashMap::new()).await?;
                let others = others.into_iter().map(|(memory, _)| memory);
                others.for_each(|memory| companions.others.add(memory, None, &mut room, needs));
            }
            let text_of = |id: &MemoryId| loaded.get(id).or_else(|| companions.others.get(id));
            companions.pairs.extend(found.into_iter().filter(|(one, other)| {
                let sides = text_of(one).zip(text_of(other));
                sides.is_some_and(|(one, other)| is_undecided(one, other, view.valid.at))
            }));
        }
        Ok(companions)
    }
}

impl Companions {
    /// Cuts the ranked memories to `limit`, with the contradicting ones right behind those that they contradict. Returns
    /// the memories of contradictions.
    pub(super) fn add_to(
        self,
        limit: usize,
        fused: &mut Vec<Fused>,
        loaded: &mut Loaded,
    ) -> HashSet<MemoryId> {
        let Self { pairs, others } = self;
        loaded.extend(others);
        if pairs.is_empty() {
            fused.truncate(limit);
            return HashSet::new();
        }
        let ranked: Vec<MemoryId> = fused.iter().map(|one| one.memory).collect();
        let places = together(&ranked, &pairs, limit);
        let by_id: HashMap<MemoryId, Fused> = fused.drain(..).map(|one| (one.memory, one)).collect();
        for place in &places {
            let own = by_id.get(&place.memory).cloned();
            let of_other = |id: MemoryId| {
                let explain = Explanation::default();
                let other = by_id.get(&id)?.clone();
                Some(Fused { memory: place.memory, position: None, explain, ..other })
            };
            fused.extend(own.or_else(|| place.follows.and_then(of_other)));
        }
        paired(&places)
    }
}
