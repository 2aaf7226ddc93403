//! Groups of thoughts for organising: for each new thought its bucket and, by default, the thoughts of its head entity.
//!
//! Two statements about one entity often hash apart ("X works at A", "X moved to B"), so that a bucket alone misses the pairs
//! that merging and forgetting are for. Invariants: a thought is in one group at most, every group has a new thought and
//! another one, no group exceeds the cap, and the result does not depend on the order of the stored thoughts.

use std::collections::{BTreeMap, BTreeSet};

use super::profile::Profile;
use crate::domain::id::MemoryId;
use crate::domain::time::Timestamp;

/// Thoughts of a group at most. It bounds the prompts, since buckets grow with the store while their number is fixed.
pub const MAX_GROUP_THOUGHTS: usize = 32;
/// New thoughts that one call groups at most; further ones are left out.
pub const MAX_NEW_THOUGHTS: usize = 1_024;

/// A thought with the keys of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The memory.
    pub memory: MemoryId,
    /// Bucket of the hash; none for a thought without a vector.
    pub bucket: Option<u32>,
    /// Key of the head entity (`text::entity_key`); empty for a thought without one.
    pub entity: String,
    /// Time of recording: "newest" is by it, then by id.
    pub recorded_at: Timestamp,
}

/// Groups of stored thoughts.
#[derive(Debug)]
pub struct Grouping<'a> {
    /// Each thought once, oldest first.
    thoughts: Vec<&'a Placed>,
    buckets: BTreeMap<u32, Vec<usize>>,
    entities: BTreeMap<&'a str, Vec<usize>>,
    profile: Profile,
    /// Thoughts of a group at most, 2 to [`MAX_GROUP_THOUGHTS`].
    cap: usize,
}

impl<'a> Grouping<'a> {
    /// Groups over `thoughts`, the new ones among them; of several with one id, the first counts. `cap` is clamped to 2 to
    /// [`MAX_GROUP_THOUGHTS`].
    pub fn new(profile: Profile, thoughts: &'a [Placed], cap: usize) -> Self {
        let mut first: BTreeMap<MemoryId, &Placed> = BTreeMap::new();
        for thought in thoughts {
            first.entry(thought.memory).or_insert(thought);
        }
        let mut thoughts: Vec<&Placed> = first.into_values().collect();
        thoughts.sort_by_key(|thought| (thought.recorded_at, thought.memory));
        let mut buckets: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut entities: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, thought) in thoughts.iter().enumerate() {
            if let Some(bucket) = thought.bucket {
                buckets.entry(bucket).or_default().push(at);
            }
            if profile == Profile::Corrected && !thought.entity.is_empty() {
                entities.entry(&thought.entity).or_default().push(at);
            }
        }
        Self { thoughts, buckets, entities, profile, cap: cap.clamp(2, MAX_GROUP_THOUGHTS) }
    }

    /// The groups that new thoughts touch, in the order of `new`; the thoughts of a group oldest first.
    ///
    /// New thoughts that share a key with each other, directly or through further new ones, are one group. A stored thought
    /// that two groups could have is in the earlier one: with edits of two replies it could be ended twice. Over the cap
    /// stay, in this order: the new thoughts, in the order of `new`; then alternately the nearest to one of those and the
    /// newest. `similarity` is the cosine of two thoughts, or another finite measure; it is asked only over the cap.
    pub fn touched_by(
        &self,
        new: &[MemoryId],
        similarity: impl Fn(MemoryId, MemoryId) -> f32,
    ) -> Vec<Vec<MemoryId>> {
        let places: BTreeMap<MemoryId, usize> =
            self.thoughts.iter().enumerate().map(|(at, thought)| (thought.memory, at)).collect();
        let mut seeds: Vec<usize> = Vec::new();
        for place in new.iter().take(MAX_NEW_THOUGHTS).filter_map(|memory| places.get(memory)) {
            if !seeds.contains(place) {
                seeds.push(*place);
            }
        }
        let mut taken = BTreeSet::new();
        let mut groups = Vec::new();
        for seed in &seeds {
            if taken.contains(seed) {
                continue;
            }
            let members = self.component(*seed, &seeds, &taken);
            let kept = self.within_cap(&members, *seed, &seeds, &similarity);
            taken.extend(kept.iter().copied());
            if kept.len() > 1 {
                groups.push(kept.into_iter().map(|at| self.thoughts[at].memory).collect());
            }
        }
        groups
    }

    /// The thoughts that share a key with the seed, or with a new thought among those, without those that are in another
    /// group already.
    fn component(&self, seed: usize, seeds: &[usize], taken: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut members = BTreeSet::from([seed]);
        let (mut open, mut seen) = (vec![seed], BTreeSet::from([seed]));
        while let Some(at) = open.pop() {
            let thought = self.thoughts[at];
            let bucket = thought.bucket.and_then(|bucket| self.buckets.get(&bucket));
            let entity = match self.profile {
                Profile::Paper => None,
                Profile::Corrected => self.entities.get(thought.entity.as_str()),
            };
            for other in bucket.into_iter().chain(entity).flatten().filter(|other| !taken.contains(other)) {
                members.insert(*other);
            }
            open.extend(seeds.iter().filter(|other| members.contains(other) && seen.insert(**other)));
        }
        members
    }

    /// The members that stay under the cap, oldest first.
    fn within_cap(
        &self,
        members: &BTreeSet<usize>,
        seed: usize,
        seeds: &[usize],
        similarity: &impl Fn(MemoryId, MemoryId) -> f32,
    ) -> BTreeSet<usize> {
        if members.len() <= self.cap {
            return members.clone();
        }
        let others = seeds.iter().copied().filter(|other| *other != seed && members.contains(other));
        let kept_seeds: Vec<usize> = std::iter::once(seed).chain(others).take(self.cap).collect();
        let mut kept: BTreeSet<usize> = kept_seeds.iter().copied().collect();
        let rest: Vec<usize> = members.iter().copied().filter(|at| !seeds.contains(at)).collect();
        let nearness = |at: usize| {
            let to_seed = |seed: &usize| similarity(self.thoughts[*seed].memory, self.thoughts[at].memory);
            kept_seeds.iter().map(to_seed).fold(f32::NEG_INFINITY, f32::max)
        };
        let mut nearest: Vec<(f32, usize)> = rest.iter().map(|at| (nearness(*at), *at)).collect();
        // The newer of equally near ones first.
        nearest.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
        let (mut nearest, mut newest) = (nearest.into_iter().map(|(_, at)| at), rest.into_iter().rev());
        let mut is_turn_of_nearest = true;
        while kept.len() < self.cap {
            let next = if is_turn_of_nearest {
                nearest.find(|at| !kept.contains(at))
            } else {
                newest.find(|at| !kept.contains(at))
            };
            let Some(next) = next else { break };
            kept.insert(next);
            is_turn_of_nearest = !is_turn_of_nearest;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u128) -> MemoryId {
        MemoryId(uuid::Uuid::from_u128(number))
    }

    fn placed(number: u128, bucket: Option<u32>, entity: &str) -> Placed {
        let recorded_at = Timestamp::from_micros(i64::try_from(number).unwrap());
        Placed { memory: id(number), bucket, entity: entity.to_owned(), recorded_at }
    }

    /// Numbers whose difference is small are similar.
    fn similarity(one: MemoryId, other: MemoryId) -> f32 {
        -(one.0.as_u128().abs_diff(other.0.as_u128()) as f32)
    }

    fn groups(profile: Profile, thoughts: &[Placed], new: &[u128], cap: usize) -> Vec<Vec<u128>> {
        let new: Vec<MemoryId> = new.iter().copied().map(id).collect();
        let groups = Grouping::new(profile, thoughts, cap).touched_by(&new, similarity);
        groups.into_iter().map(|group| group.into_iter().map(|one| one.0.as_u128()).collect()).collect()
    }

    #[test]
    fn statements_about_one_entity_are_one_group_although_they_hash_apart() {
        let thoughts = [
            placed(1, Some(4), "ann"),
            placed(2, Some(9), "bob"),
            placed(3, Some(7), "ann"),
            placed(4, Some(7), "tea"),
        ];
        assert_eq!(groups(Profile::Corrected, &thoughts, &[3], 8), [[1, 3, 4]]);
        assert_eq!(groups(Profile::Paper, &thoughts, &[3], 8), [[3, 4]]);
        assert_eq!(groups(Profile::Corrected, &thoughts, &[2], 8), [[0; 0]; 0]);
    }

    #[test]
    fn thoughts_without_a_vector_or_a_head_share_no_key() {
        let thoughts =
            [placed(1, None, ""), placed(2, None, ""), placed(3, None, "ann"), placed(4, Some(1), "ann")];
        assert_eq!(groups(Profile::Corrected, &thoughts, &[1, 3], 8), [[3, 4]]);
        assert_eq!(groups(Profile::Paper, &thoughts, &[1, 3], 8), [[0; 0]; 0]);
    }

    #[test]
    fn new_thoughts_that_share_a_key_are_organised_together() {
        let thoughts = [
            placed(1, Some(1), "ann"),
            placed(2, Some(2), "bob"),
            placed(3, Some(3), "eve"),
            placed(10, Some(1), "bob"),
            placed(11, Some(5), "bob"),
            placed(12, Some(3), "sea"),
            placed(13, Some(5), "tea"),
        ];
        let new = [12, 10, 11, 13, 10, 99];
        let expected = [vec![3, 12], vec![1, 2, 10, 11, 13]];
        assert_eq!(groups(Profile::Corrected, &thoughts, &new, 8), expected);
    }

    #[test]
    fn a_thought_of_two_groups_is_in_the_earlier_one() {
        let thoughts = [placed(1, Some(1), "ann"), placed(10, Some(1), "bob"), placed(11, Some(2), "ann")];
        assert_eq!(groups(Profile::Corrected, &thoughts, &[10, 11], 8), [[1, 10]]);
        assert_eq!(groups(Profile::Corrected, &thoughts, &[11, 10], 8), [[1, 11]]);
    }

    #[test]
    fn over_the_cap_the_nearest_and_the_newest_stay() {
        let all: Vec<Placed> = (1..=100).map(|number| placed(number, Some(1), "")).collect();
        assert_eq!(groups(Profile::Paper, &all, &[50], 6), [[49, 50, 51, 52, 99, 100]]);
        assert_eq!(groups(Profile::Paper, &all, &[50, 10], 3), [[10, 50, 51]]);
    }

    #[test]
    fn new_thoughts_over_the_cap_begin_another_group() {
        let all: Vec<Placed> = (1..=5).map(|number| placed(number, Some(1), "")).collect();
        assert_eq!(groups(Profile::Paper, &all, &[1, 2, 3, 4, 5], 2), [[1, 2], [3, 4]]);
    }

    proptest! {
        #[test]
        fn groups_are_disjoint_bounded_and_independent_of_the_order(
            keys in proptest::collection::vec((proptest::option::of(0_u32..4), "[ab]?"), 1..60),
            new in proptest::collection::vec(0_u128..70, 0..12),
            cap in 0_usize..12,
            paper in any::<bool>(),
        ) {
            let profile = if paper { Profile::Paper } else { Profile::Corrected };
            let mut thoughts: Vec<Placed> =
                keys.iter().zip(0..).map(|((bucket, entity), number)| placed(number, *bucket, entity)).collect();
            let found = groups(profile, &thoughts, &new, cap);
            let all: Vec<u128> = found.concat();
            let distinct: BTreeSet<u128> = all.iter().copied().collect();
            prop_assert_eq!(all.len(), distinct.len(), "a thought is in two groups");
            for group in &found {
                prop_assert!((2..=cap.max(2)).contains(&group.len()));
                prop_assert!(group.iter().any(|one| new.contains(one)));
                prop_assert!(group.is_sorted());
            }
            thoughts.reverse();
            thoughts.extend(thoughts.clone());
            prop_assert_eq!(groups(profile, &thoughts, &new, cap), found);
        }
    }
}
