//! Adjacent turns of recalled turns, for the context block. The answer to a query is often in the turn next to the one
//! that matched.

use std::collections::{HashMap, HashSet};

use super::fuse::Fused;
use super::loaded::Loaded;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::TurnPosition;
use crate::scope::SearchTargets;

impl Engine {
    /// Memories of the turns adjacent to candidates, visible and not candidates themselves, with their positions, per
    /// partition. The neighbours of the best candidates come first.
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
            let positions: Vec<TurnPosition> =
                found.flat_map(|position| adjacent(position, radius)).collect();
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

/// Turn adjacent to a recalled turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    pub(super) partition: PartitionId,
    pub(super) position: TurnPosition,
    pub(super) memory: MemoryId,
}

/// Neighbours of the final result, in order of priority.
pub(super) fn by_rank<'a>(
    fused: &[Fused],
    neighbours: &[Neighbour],
    radius: u32,
    loaded: &'a Loaded,
) -> Vec<&'a Memory> {
    let by_position: HashMap<(PartitionId, TurnPosition), MemoryId> =
        neighbours.iter().map(|one| ((one.partition, one.position), one.memory)).collect();
    fused
        .iter()
        .filter_map(|one| Some((one.partition, one.position?)))
        .flat_map(|(partition, position)| {
            adjacent(position, radius).map(move |position| (partition, position))
        })
        .filter_map(|position| loaded.get(by_position.get(&position)?))
        .collect()
}

/// Adjacent positions, nearest first. At equal distance the next turn precedes the previous one, because a reply
/// follows its question.
fn adjacent(TurnPosition { session, seq }: TurnPosition, radius: u32) -> impl Iterator<Item = TurnPosition> {
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
    fn the_next_turn_precedes_the_previous_one() {
        let positions: Vec<u32> =
            adjacent(TurnPosition { session: 3, seq: 5 }, 2).map(|position| position.seq).collect();
        assert_eq!(positions, [6, 4, 7, 3]);
        assert_eq!(
            adjacent(TurnPosition { session: 3, seq: 0 }, 1).map(|position| position.seq).collect::<Vec<_>>(),
            [1]
        );
    }
}
