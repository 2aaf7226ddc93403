//! The turns beside recalled ones: an answer often stands next to the words that matched.

use std::collections::HashMap;

use futures::future::try_join_all;

use super::fuse::Fused;
use super::scope::Reach;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::Place;

impl Engine {
    /// Neighbouring turns in view that were not recalled themselves, those of the best memories first.
    pub(super) async fn neighbours(
        &self,
        reach: &Reach,
        fused: &[Fused],
        loaded: &HashMap<MemoryId, Memory>,
    ) -> Result<Vec<Memory>, Error> {
        let radius = self.recall_settings.neighbouring_turns;
        let wanted: Vec<(PartitionId, Place)> = fused
            .iter()
            .filter_map(|one| Some((one.partition, loaded.get(&one.memory)?.origin.as_ref()?)))
            .flat_map(|(partition, origin)| {
                around(origin.session_ordinal, origin.seq, radius).map(move |place| (partition, place))
            })
            .collect();
        let loads = reach.partitions.iter().map(|(partition, view)| {
            let places: Vec<Place> =
                wanted.iter().filter(|(of, _)| of == partition).map(|(_, place)| *place).collect();
            async move {
                let found = self.index.at_places(*partition, &places, view).await?;
                let fresh: Vec<MemoryId> =
                    found.iter().map(|(_, id)| *id).filter(|id| !loaded.contains_key(id)).collect();
                Ok::<_, Error>((*partition, self.store.memories(*partition, &fresh).await?))
            }
        });
        let mut by_place = HashMap::new();
        for (partition, memories) in try_join_all(loads).await? {
            for memory in memories {
                if let Some(origin) = &memory.origin {
                    let place = Place { session: origin.session_ordinal, seq: origin.seq };
                    by_place.insert((partition, place), memory);
                }
            }
        }
        Ok(wanted.iter().filter_map(|place| by_place.remove(place)).collect())
    }
}

/// The places around one, the nearest first, what follows before what precedes: a reply follows its question.
fn around(session: u32, seq: u32, radius: u32) -> impl Iterator<Item = Place> {
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
        let places: Vec<u32> = around(3, 5, 2).map(|place| place.seq).collect();
        assert_eq!(places, [6, 4, 7, 3]);
        assert_eq!(around(3, 0, 1).map(|place| place.seq).collect::<Vec<_>>(), [1]);
    }
}
