//! Order of contradictory memories in a result, pure: the other side of an undecided contradiction comes right behind the
//! first one, so that a reader never gets only one of two statements of which either may be true.

use std::collections::{HashMap, HashSet};

use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;

/// Maximum number of contradicting memories that one memory brings along.
const MAX_PER_MEMORY: usize = 4;

/// Memory in its place of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Memory.
    pub(super) memory: MemoryId,
    /// Memory of a better rank that it contradicts and therefore follows.
    pub(super) follows: Option<MemoryId>,
}

/// The ranked memories with the contradicting ones right behind each, at most `limit`. `pairs` has each ranked memory with
/// those that it contradicts. The last memories without a contradiction give way; the first memory never does, and a
/// contradiction that has no room beside it is cut.
pub(super) fn together(ranked: &[MemoryId], pairs: &[(MemoryId, MemoryId)], limit: usize) -> Vec<Place> {
    let mut others: HashMap<MemoryId, Vec<MemoryId>> = HashMap::new();
    for (one, other) in pairs {
        others.entry(*one).or_default().push(*other);
    }
    let mut places: Vec<Place> = Vec::new();
    let mut placed = HashSet::new();
    for memory in ranked.iter().take(limit) {
        if !placed.insert(*memory) {
            continue;
        }
        places.push(Place { memory: *memory, follows: None });
        for other in others.get(memory).into_iter().flatten().take(MAX_PER_MEMORY) {
            if placed.insert(*other) {
                places.push(Place { memory: *other, follows: Some(*memory) });
            }
        }
    }
    while places.len() > limit {
        let paired = paired(&places);
        let alone = places.iter().skip(1).rposition(|place| !paired.contains(&place.memory));
        places.remove(alone.map_or(places.len() - 1, |at| at + 1));
    }
    places
}

/// Memories that follow another one, and those that they follow.
pub(super) fn paired(places: &[Place]) -> HashSet<MemoryId> {
    places.iter().filter_map(|place| Some([place.memory, place.follows?])).flatten().collect()
}

/// True if a contradiction between two memories is undecided: one of them is linked to the other by it, and the validity
/// of neither has ended.
pub(super) fn is_undecided(one: &Memory, other: &Memory, valid_at: Timestamp) -> bool {
    let contradicts = |from: &Memory, to: &Memory| {
        from.links.iter().any(|link| link.to == to.id && link.relation.as_str() == Link::CONTRADICTS)
    };
    let holds = |memory: &Memory| memory.valid.end.is_none_or(|end| end > valid_at);
    holds(one) && holds(other) && (contradicts(one, other) || contradicts(other, one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn ids(numbers: &[u128]) -> Vec<MemoryId> {
        numbers.iter().map(|number| MemoryId(Uuid::from_u128(*number))).collect()
    }

    fn order(ranked: &[u128], pairs: &[(u128, u128)], limit: usize) -> Vec<u128> {
        let id = |number: u128| MemoryId(Uuid::from_u128(number));
        let pairs: Vec<_> = pairs.iter().map(|(one, other)| (id(*one), id(*other))).collect();
        together(&ids(ranked), &pairs, limit).iter().map(|place| place.memory.0.as_u128()).collect()
    }

    #[test]
    fn the_other_side_of_a_contradiction_comes_right_behind_the_first() {
        assert_eq!(order(&[1, 2, 3], &[(2, 9)], 10), [1, 2, 9, 3]);
        assert_eq!(order(&[1, 2, 3], &[(1, 3), (3, 1)], 10), [1, 3, 2], "a ranked one moves up");
        assert_eq!(order(&[1, 2, 3], &[], 2), [1, 2]);
    }

    #[test]
    fn the_last_memory_without_a_contradiction_gives_way() {
        assert_eq!(order(&[1, 2, 3], &[(1, 9)], 3), [1, 9, 2]);
        assert_eq!(order(&[1, 2, 3], &[(3, 9)], 3), [1, 3, 9]);
        assert_eq!(order(&[1, 2], &[(2, 9)], 2), [1, 2], "there is no room beside the best one");
        assert_eq!(order(&[1], &[(1, 9)], 1), [1]);
    }

    proptest! {
        #[test]
        fn the_best_memory_stays_and_none_is_listed_twice(
            ranked in proptest::collection::vec(0_u128..12, 1..10),
            pairs in proptest::collection::vec((0_u128..12, 0_u128..16), 0..10),
            limit in 1_usize..10,
        ) {
            let found = order(&ranked, &pairs, limit);
            let distinct: HashSet<_> = found.iter().collect();
            prop_assert_eq!(distinct.len(), found.len());
            prop_assert!(found.len() <= limit);
            prop_assert_eq!(found[0], ranked[0]);
            let known: HashSet<_> = ranked.iter().chain(pairs.iter().map(|(_, other)| other)).collect();
            prop_assert!(found.iter().all(|memory| known.contains(memory)));
        }
    }
}
