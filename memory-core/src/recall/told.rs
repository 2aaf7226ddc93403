//! Digests that tell nothing new in a context block, pure: all that they cover stands in the block itself.

use std::collections::{HashMap, HashSet};

use crate::domain::consolidation::SESSION_DIGESTS;
use crate::domain::derivation::Source;
use crate::domain::digest::Level;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Memory};

/// All that each digest covers.
pub(crate) type Coverage = HashMap<MemoryId, HashSet<Source>>;

/// True for a digest of the events of a day, of all days or of a session. What a day says of a personality, and a statement of the
/// portrait, do not tell what happened.
pub(crate) fn sums_up(digest: &Memory) -> bool {
    let is_of_session =
        || digest.document.as_ref().is_some_and(|name| name.namespace.as_str() == SESSION_DIGESTS);
    digest.kind == Kind::Digest
        && match Level::of(digest) {
            Some((level, _)) => matches!(level, Level::EventsOfDay | Level::EventsOfAll),
            None => is_of_session(),
        }
}

/// A block without the digests that tell nothing new. `build` makes a block that leaves these digests out, `memories_of` tells
/// what is in it. Where the room that a digest leaves goes to what pushes a covered memory out, the block keeps the digest.
pub(crate) fn without_told<'m, T>(
    coverage: &Coverage,
    build: impl Fn(&HashSet<MemoryId>) -> T,
    memories_of: impl Fn(&T) -> Vec<&'m Memory>,
) -> T {
    let whole = build(&HashSet::new());
    let sources = sources(memories_of(&whole));
    // A digest of digests is told by them, and they by their turns.
    let is_told = |(digest, covered): &(&MemoryId, &HashSet<Source>)| {
        sources.contains(&Source::Memory(**digest)) && !covered.is_empty() && covered.is_subset(&sources)
    };
    let told: HashSet<MemoryId> = coverage.iter().filter(is_told).map(|(digest, _)| *digest).collect();
    if told.is_empty() {
        return whole;
    }
    let rest = build(&told);
    let mut left = self::sources(memories_of(&rest));
    left.extend(told.iter().map(|digest| Source::Memory(*digest)));
    let stays_told = |digest| coverage.get(digest).is_some_and(|covered| covered.is_subset(&left));
    if told.iter().all(stays_told) { rest } else { whole }
}

/// Memories of a block as sources, with the turns that they are of.
fn sources<'m>(block: impl IntoIterator<Item = &'m Memory>) -> HashSet<Source> {
    let of_memory = |memory: &'m Memory| {
        let turn = memory.origin.as_ref().map(|origin| Source::Turn(origin.turn));
        turn.into_iter().chain([Source::Memory(memory.id)])
    };
    block.into_iter().flat_map(of_memory).collect()
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::testing::fixtures::plain;

    fn memory(id: u128) -> Memory {
        plain(MemoryId(Uuid::from_u128(id)), Kind::Digest, "text")
    }

    fn coverage(of: &[(u128, &[u128])]) -> Coverage {
        let source = |id: &u128| Source::Memory(MemoryId(Uuid::from_u128(*id)));
        let one = |(digest, covered): &(u128, &[u128])| {
            (MemoryId(Uuid::from_u128(*digest)), covered.iter().map(source).collect())
        };
        of.iter().map(one).collect()
    }

    /// The first `room` of these memories that are not left out.
    fn block(memories: &[Memory], room: usize, coverage: &Coverage) -> Vec<u128> {
        let build = |left: &HashSet<MemoryId>| -> Vec<usize> {
            let kept = memories.iter().enumerate().filter(|(_, memory)| !left.contains(&memory.id));
            kept.map(|(at, _)| at).take(room).collect()
        };
        let of = |places: &Vec<usize>| places.iter().filter_map(|at| memories.get(*at)).collect();
        without_told(coverage, build, of).into_iter().map(|at| memories[at].id.0.as_u128()).collect()
    }

    #[test]
    fn a_digest_is_left_out_only_if_all_that_it_covers_is_in_the_block() {
        let memories: Vec<Memory> = [9, 1, 2, 3].map(memory).into();
        assert_eq!(block(&memories, 4, &coverage(&[(9, &[1, 2, 3])])), [1, 2, 3]);
        assert_eq!(block(&memories, 3, &coverage(&[(9, &[1, 2, 3])])), [9, 1, 2]);
        assert_eq!(block(&memories, 3, &coverage(&[(9, &[1, 2])])), [1, 2, 3], "its room is used");
        assert_eq!(block(&memories, 4, &coverage(&[(9, &[])])), [9, 1, 2, 3]);
    }

    #[test]
    fn a_digest_of_digests_is_told_by_their_turns() {
        let memories: Vec<Memory> = [8, 9, 1, 2].map(memory).into();
        assert_eq!(block(&memories, 4, &coverage(&[(8, &[9]), (9, &[1, 2])])), [1, 2]);
        assert_eq!(block(&memories, 3, &coverage(&[(8, &[9]), (9, &[1, 2])])), [9, 1, 2]);
    }

    proptest! {
        #[test]
        fn what_a_left_out_digest_covers_is_in_the_block(
            covered in proptest::collection::vec(proptest::collection::vec(0_u128..8, 0..4), 3), room in 0_usize..12
        ) {
            let memories: Vec<Memory> = [100, 0, 1, 101, 2, 3, 4, 102, 5, 6, 7].map(memory).into();
            let of: Vec<(u128, &[u128])> = (100..).zip(covered.iter().map(Vec::as_slice)).collect();
            let before = block(&memories, room, &Coverage::new());
            let after = block(&memories, room, &coverage(&of));
            for gone in before.iter().filter(|id| !after.contains(id)) {
                let (_, covered) = of.iter().find(|(digest, _)| digest == gone).expect("a digest");
                prop_assert!(covered.iter().all(|id| after.contains(id)));
            }
        }
    }
}
