//! The turns beside recalled ones: an answer often stands next to the words that matched.

use std::collections::{HashMap, HashSet};

use super::fuse::Fused;
use super::scope::Reach;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::Place;

impl Engine {
    /// The memories of turns beside those that were found, in view and not found themselves: per partition, with the
    /// place of each. Those of the best come first.
    pub(super) async fn neighbours(&self, reach: &Reach, fused: &[Fused]) -> Result<Vec<Neighbour>, Error> {
        let radius = self.recall_settings.neighbouring_turns;
        let mut neighbours = Vec::new();
        let mut known: HashSet<MemoryId> = fused.iter().map(|one| one.memory).collect();
        for (partition, view) in &reach.partitions {
            let found = fused.iter().filter(|one| one.partition == *partition).filter_map(|one| one.place);
            let places: Vec<Place> = found.flat_map(|place| around(place, radius)).collect();
            if places.is_empty() {
                continue;
            }
            for (place, memory) in self.index.at_places(*partition, &places, view).await? {
                if known.insert(memory) {
                    neighbours.push(Neighbour { partition: *partition, place, memory });
                }
            }
        }
        Ok(neighbours)
    }
}

/// A turn beside a recalled one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    pub(super) partition: PartitionId,
    pub(super) place: Place,
    pub(super) memory: MemoryId,
}

/// The neighbours of what came back at last, the most wanted first.
pub(super) fn beside<'a>(
    fused: &[Fused],
    neighbours: &[Neighbour],
    radius: u32,
    loaded: &'a HashMap<MemoryId, Memory>,
) -> Vec<&'a Memory> {
    let by_place: HashMap<(PartitionId, Place), MemoryId> =
        neighbours.iter().map(|one| ((one.partition, one.place), one.memory)).collect();
    fused
        .iter()
        .filter_map(|one| Some((one.partition, one.place?)))
        .flat_map(|(partition, place)| around(place, radius).map(move |place| (partition, place)))
        .filter_map(|place| loaded.get(by_place.get(&place)?))
        .collect()
}

/// The places around one, the nearest first, what follows before what precedes: a reply follows its question.
fn around(Place { session, seq }: Place, radius: u32) -> impl Iterator<Item = Place> {
    (1..=radius).flat_map(move |step| {
        [seq.checked_add(step), seq.checked_sub(step)]
            .into_iter()
            .flatten()
            .map(move |seq| Place { session, seq })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_comes_first() {
        let places: Vec<u32> = around(Place { session: 3, seq: 5 }, 2).map(|place| place.seq).collect();
        assert_eq!(places, [6, 4, 7, 3]);
        assert_eq!(around(Place { session: 3, seq: 0 }, 1).map(|place| place.seq).collect::<Vec<_>>(), [1]);
    }
}
