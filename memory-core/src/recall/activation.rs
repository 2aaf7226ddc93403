//! Spreading activation among the candidates of a query, pure: the best ones activate those that they are associated with
//! (Collins and Loftus 1975; over passages and terms as in HippoRAG, arXiv 2405.14831, without its language model).
//!
//! A seed has its fused score by that of the best seed. Along similarity it divides itself among its ten nearest candidates
//! in proportion to the cosine; turns right beside it are left out, since they have a signal of their own. Along shared
//! terms it gives each candidate its share of a random walk of two steps. Along links, evidence and entities it walks the
//! stored graph (`graph/spread.rs`). Each kind of edge is scaled to 1 for the most activated candidate; the kinds are added
//! with their weights.

use std::collections::HashMap;

use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{Association, TurnPosition};

/// Number of nearest candidates among which a seed divides itself.
const NEAREST: usize = 10;

/// Weighted activation of candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Activation(HashMap<(PartitionId, MemoryId), f32>);

impl Activation {
    /// Activation of a candidate.
    pub(super) fn of(&self, partition: PartitionId, memory: MemoryId) -> f32 {
        if self.0.is_empty() { 0.0 } else { self.0.get(&(partition, memory)).copied().unwrap_or(0.0) }
    }
}

/// Seed with its score, above 0, and its position if it is a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seed {
    pub(super) partition: PartitionId,
    pub(super) memory: MemoryId,
    pub(super) score: f32,
}

/// Edges of the seeds of one partition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edges {
    pub(super) partition: PartitionId,
    pub(super) associations: Vec<Association>,
    /// Activation along links, evidence and entities.
    pub(super) linked: Vec<(MemoryId, f32)>,
}

/// Weights of the kinds of edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EdgeWeights {
    /// Of similarity and of shared terms, each.
    pub(super) associations: f32,
    /// Of links, evidence and entities.
    pub(super) links: f32,
}

/// Activation by `seeds` along `edges`. `position` is the position of a candidate that is a turn.
pub(super) fn activation(
    seeds: &[Seed],
    edges: &[Edges],
    weights: EdgeWeights,
    position: impl Fn(PartitionId, MemoryId) -> Option<TurnPosition>,
) -> Activation {
    let best = seeds.iter().map(|seed| seed.score).fold(f32::MIN_POSITIVE, f32::max);
    let (mut similarity, mut terms, mut links) = (Step::default(), Step::default(), Step::default());
    for Edges { partition, associations, linked } in edges {
        linked.iter().for_each(|(to, mass)| links.add((*partition, *to), *mass));
        let is_beside = |one: MemoryId, other: MemoryId| {
            let pair = position(*partition, one).zip(position(*partition, other));
            pair.is_some_and(|(one, other)| one.session == other.session && one.seq.abs_diff(other.seq) <= 1)
        };
        for seed in seeds.iter().filter(|seed| seed.partition == *partition) {
            let mass = (seed.score / best).max(0.0);
            let own = || associations.iter().filter(|edge| edge.from == seed.memory);
            for edge in own() {
                terms.add((*partition, edge.to), mass * edge.shared_terms);
            }
            let mut near: Vec<(MemoryId, f32)> = own()
                .filter(|edge| !is_beside(seed.memory, edge.to))
                .filter_map(|edge| Some((edge.to, edge.similarity.filter(|cosine| *cosine > 0.0)?)))
                .collect();
            near.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
            near.truncate(NEAREST);
            let whole: f32 = near.iter().map(|(_, cosine)| cosine).sum();
            for (to, cosine) in near {
                similarity.add((*partition, to), mass * cosine / whole.max(f32::MIN_POSITIVE));
            }
        }
    }
    let mut sum = HashMap::new();
    for (step, weight) in
        [(similarity, weights.associations), (terms, weights.associations), (links, weights.links)]
    {
        step.add_scaled_to(&mut sum, weight);
    }
    Activation(sum)
}

/// Activation along one kind of edge.
#[derive(Default)]
struct Step(HashMap<(PartitionId, MemoryId), f32>);

impl Step {
    fn add(&mut self, at: (PartitionId, MemoryId), mass: f32) {
        if mass > 0.0 {
            *self.0.entry(at).or_default() += mass;
        }
    }

    fn add_scaled_to(self, sum: &mut HashMap<(PartitionId, MemoryId), f32>, weight: f32) {
        let most = self.0.values().copied().fold(0.0, f32::max);
        if most > 0.0 && weight > 0.0 {
            self.0.into_iter().for_each(|(at, mass)| *sum.entry(at).or_default() += weight * mass / most);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: PartitionId = PartitionId(1);

    fn id(number: u128) -> MemoryId {
        MemoryId(uuid::Uuid::from_u128(number))
    }

    fn seed(number: u128, score: f32) -> Seed {
        Seed { partition: HERE, memory: id(number), score }
    }

    fn edge(from: u128, to: u128, similarity: f32, shared_terms: f32) -> Association {
        Association { from: id(from), to: id(to), similarity: Some(similarity), shared_terms }
    }

    const WEIGHTS: EdgeWeights = EdgeWeights { associations: 1.0, links: 0.5 };

    fn spread(seeds: &[Seed], associations: Vec<Association>) -> Activation {
        let edges = [Edges { partition: HERE, associations, linked: Vec::new() }];
        activation(seeds, &edges, WEIGHTS, |_, _| None)
    }

    #[test]
    fn links_are_scaled_and_weighted_on_their_own() {
        let linked = vec![(id(3), 8.0), (id(4), 2.0)];
        let edges = [Edges { partition: HERE, associations: vec![edge(1, 3, 0.5, 0.0)], linked }];
        let activation = activation(&[seed(1, 1.0)], &edges, WEIGHTS, |_, _| None);
        assert!(close(activation.of(HERE, id(3)), 1.5), "{activation:?}");
        assert!(close(activation.of(HERE, id(4)), 0.125), "{activation:?}");
    }

    fn close(one: f32, other: f32) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn a_candidate_near_to_good_matches_is_activated_by_each_of_them() {
        let edges = vec![edge(1, 3, 0.6, 0.0), edge(1, 4, 0.2, 0.1), edge(2, 3, 0.5, 0.2)];
        let activation = spread(&[seed(1, 4.0), seed(2, 2.0)], edges);
        // Along similarity: 3 has 1 * .6 / .8 + .5 * 1 = 1.25, 4 has .25. Along terms: 3 has .1, 4 has .1.
        assert!(close(activation.of(HERE, id(3)), 2.0), "{activation:?}");
        assert!(close(activation.of(HERE, id(4)), 0.2 + 1.0), "{activation:?}");
        assert_eq!(activation.of(HERE, id(1)), 0.0);
        assert_eq!(activation.of(PartitionId(2), id(3)), 0.0, "another owner's");
    }

    #[test]
    fn a_turn_right_beside_a_seed_is_not_activated_by_similarity() {
        let at = |number: u32| Some(TurnPosition { session: 0, seq: number });
        let position = |_, memory: MemoryId| at(u32::try_from(memory.0.as_u128()).expect("small"));
        let associations = vec![edge(1, 2, 0.9, 0.0), edge(1, 5, 0.3, 0.0)];
        let edges = [Edges { partition: HERE, associations, linked: Vec::new() }];
        let activation = activation(&[seed(1, 1.0)], &edges, WEIGHTS, position);
        assert_eq!((activation.of(HERE, id(2)), activation.of(HERE, id(5))), (0.0, 1.0));
    }

    #[test]
    fn nothing_is_activated_without_an_edge() {
        assert_eq!(spread(&[seed(1, 1.0)], Vec::new()), Activation::default());
        assert_eq!(spread(&[], vec![edge(1, 2, 0.5, 0.5)]), Activation::default());
        assert_eq!(spread(&[seed(1, 1.0)], vec![edge(1, 2, -0.5, 0.0)]), Activation::default());
    }

    proptest! {
        #[test]
        fn activation_is_bounded_and_independent_of_the_order_of_edges(
            edges in prop::collection::vec((0_u128..6, 6_u128..30, -1.0_f32..1.0, 0.0_f32..1.0), 0..60),
            scores in prop::collection::vec(0.01_f32..5.0, 6),
        ) {
            let mut edges: Vec<Association> = edges.into_iter().map(|(from, to, similarity, terms)| edge(from, to, similarity, terms)).collect();
            edges.sort_by_key(|edge| (edge.from, edge.to));
            edges.dedup_by_key(|edge| (edge.from, edge.to));
            let seeds: Vec<Seed> = (0..).zip(scores).map(|(number, score)| seed(number, score)).collect();
            let first = spread(&seeds, edges.clone());
            edges.reverse();
            let second = spread(&seeds, edges.clone());
            for number in 0..30 {
                let (one, other) = (first.of(HERE, id(number)), second.of(HERE, id(number)));
                prop_assert!((0.0..=2.0001).contains(&one) && (one - other).abs() < 1e-5);
            }
        }
    }
}
