//! The turns beside recalled ones: an answer often stands next to the words that matched.

use std::collections::{HashMap, HashSet};

use super::fuse::Fused;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::TurnPosition;
use crate::scope::SearchTargets;

impl Engine {
    /// The memories of turns beside those that were found, in view and not found themselves: per partition, with the
    /// place of each. Those of the best come first.
    pub(super) async fn neighbours(
        &self,
        targets: &SearchTargets,
        fused: &[Fused],
    ) -> Result<Vec<Neighbour>, Error> {
        let radius = self.recall_settings.neighbouring_turns;
        let mut neighbours = Vec::new();
        let mut known: HashSet<MemoryId> = fused.iter().map(|one| one.memory).collect();
        for (partition, view) in &targets.partitions {
            let found = fused.iter().filter(|one| one.partition == *partition).filter_map(|one| one.position);
            let positions: Vec<TurnPosition> = found.flat_map(|position| around(position, radius)).collect();
            if positions.is_empty() {
                continue;
            }
            for (position, memory) in self.index.turns_at(*partition, &positions, view).await? {
                if known.insert(memory) {
                    neighbours.push(Neighbour { partition: *partition, position, memory });
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
    pub(super) position: TurnPosition,
    pub(super) memory: MemoryId,
}

/// The neighbours of what came back at last, the most wanted first.
pub(super) fn beside<'a>(
    fused: &[Fused],
    neighbours: &[Neighbour],
    radius: u32,
    loaded: &'a HashMap<MemoryId, Memory>,
) -> Vec<&'a Memory> {
    let by_position: HashMap<(PartitionId, TurnPosition), MemoryId> =
        neighbours.iter().map(|one| ((one.partition, one.position), one.memory)).collect();
    fused
        .iter()
        .filter_map(|one| Some((one.partition, one.position?)))
        .flat_map(|(partition, position)| around(position, radius).map(move |position| (partition, position)))
        .filter_map(|position| loaded.get(by_position.get(&position)?))
        .collect()
}

/// The places around one, the nearest first, what follows before what precedes: a reply follows its question.
fn around(TurnPosition { session, seq }: TurnPosition, radius: u32) -> impl Iterator<Item = TurnPosition> {
    (1..=radius).flat_map(move |step| {
        [seq.checked_add(step), seq.checked_sub(step)]
            .into_iter()
            .flatten()
            .map(move |seq| TurnPosition { session, seq })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_comes_first() {
        let positions: Vec<u32> =
            around(TurnPosition { session: 3, seq: 5 }, 2).map(|position| position.seq).collect();
        assert_eq!(positions, [6, 4, 7, 3]);
        assert_eq!(
            around(TurnPosition { session: 3, seq: 0 }, 1).map(|position| position.seq).collect::<Vec<_>>(),
            [1]
        );
    }
}
