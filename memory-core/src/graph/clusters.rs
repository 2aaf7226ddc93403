//! Clusters of linked memories, pure: label propagation (Raghavan, Albert and Kumara, 2007, doi:
//! 10.1103/PhysRevE.76.036106), made deterministic, then divided into connected parts.
//!
//! Connected components alone would be no clusters: a few links between topics make one component of everything. A memory
//! takes the label with the greatest sum of weights around it, in the order of ids, each at once; of equal labels its own,
//! else the smallest. Weights are summed as integers, so that the order of edges does not matter.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;

use super::node::EdgeKind;
use super::partition_graph::Seen;
use super::spread::{WHOLE_WEIGHT, fixed};
use crate::domain::id::MemoryId;

/// Rounds of propagation at most.
const ROUNDS_AT_MOST: usize = 20;

/// Memories that are linked more with each other than with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Number of memories, at least 2.
    pub size: usize,
    /// Memories, those with the greatest sum of weights within the cluster first, then by id.
    pub memories: Vec<MemoryId>,
}

/// Clusters of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Clusters, the largest first, then by their smallest id.
    pub clusters: Vec<Cluster>,
    /// Number of all clusters, those beyond the limit too.
    pub total: usize,
    /// Number of visible memories in no cluster.
    pub unclustered: usize,
}

/// The clusters of visible memories: at most `limit`, with at most `members` memories of each.
pub fn clusters(seen: &Seen<'_>, limit: usize, members: usize) -> Clusters {
    let near = Adjacency::of(seen);
    let labels = near.propagated();
    let mut parts = near.connected(&labels);
    parts.retain(|part| part.len() > 1);
    // A part is in the order of ids.
    parts.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.first().cmp(&other.first())));
    let total = parts.len();
    let unclustered = near.ids.len() - parts.iter().map(Vec::len).sum::<usize>();
    let part_of = near.part_of(&parts);
    let clusters = parts
        .iter()
        .take(limit)
        .map(|part| Cluster { size: part.len(), memories: near.most_connected(part, &part_of, members) });
    Clusters { clusters: clusters.collect(), total, unclustered }
}

/// Visible memories by their rank in the order of ids, with their edges.
struct Adjacency {
    ids: Vec<MemoryId>,
    /// Neighbours and weights of each, in no order.
    near: Vec<Vec<(u32, u64)>>,
}

impl Adjacency {
    fn of(seen: &Seen<'_>) -> Self {
        let mut visible = seen.graph.in_order();
        visible.retain(|(_, index)| seen.has_at(*index));
        let ranks: HashMap<NodeIndex, u32> = visible.iter().map(|(_, index)| *index).zip(0..).collect();
        let near = visible.iter().map(|(_, index)| {
            let edges = seen.graph.around(*index).filter(|(_, _, edge, _)| edge.kind != EdgeKind::About);
            let weighed = edges.filter_map(|(other, _, edge, _)| {
                let weight = fixed(f64::from(edge.weight), WHOLE_WEIGHT);
                (weight > 0).then_some((*ranks.get(&other)?, weight))
            });
            weighed.collect()
        });
        Self { near: near.collect(), ids: visible.into_iter().map(|(id, _)| id).collect() }
    }

    fn ranks(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    fn near(&self, rank: u32) -> &[(u32, u64)] {
        get(&self.near, rank).map_or(&[], Vec::as_slice)
    }

    /// Label of each memory.
    fn propagated(&self) -> Vec<u32> {
        let mut labels: Vec<u32> = self.ranks().collect();
        let mut sums = vec![0_u64; self.ids.len()];
        let mut touched = Vec::new();
        for _ in 0..ROUNDS_AT_MOST {
            let mut has_changed = false;
            for rank in self.ranks() {
                for (other, weight) in self.near(rank) {
                    let label = get(&labels, *other).copied().unwrap_or(*other);
                    if let Some(sum) = get_mut(&mut sums, label) {
                        if *sum == 0 {
                            touched.push(label);
                        }
                        *sum += weight;
                    }
                }
                let Some(own) = get_mut(&mut labels, rank) else { continue };
                let sum_of = |label: u32| get(&sums, label).copied().unwrap_or(0);
                let best = touched.iter().copied().max_by(|one, other| {
                    let own_last = (*one == *own).cmp(&(*other == *own));
                    sum_of(*one).cmp(&sum_of(*other)).then(own_last).then(other.cmp(one))
                });
                if let Some(best) = best.filter(|best| best != own) {
                    *own = best;
                    has_changed = true;
                }
                for label in touched.drain(..) {
                    if let Some(sum) = get_mut(&mut sums, label) {
                        *sum = 0;
                    }
                }
            }
            if !has_changed {
                break;
            }
        }
        labels
    }

    /// Connected parts of the memories of each label, each in the order of ids.
    fn connected(&self, labels: &[u32]) -> Vec<Vec<u32>> {
        let mut is_taken = vec![false; self.ids.len()];
        let mut parts = Vec::new();
        let mut take =
            |rank: u32| get_mut(&mut is_taken, rank).is_some_and(|taken| !std::mem::replace(taken, true));
        for first in self.ranks() {
            if !take(first) {
                continue;
            }
            let mut part = vec![first];
            let mut next = 0;
            while let Some(rank) = part.get(next).copied() {
                next += 1;
                for (other, _) in self.near(rank) {
                    if get(labels, *other) == get(labels, rank) && take(*other) {
                        part.push(*other);
                    }
                }
            }
            part.sort_unstable();
            parts.push(part);
        }
        parts
    }

    /// Number of the part of each memory that is in one.
    fn part_of(&self, parts: &[Vec<u32>]) -> Vec<Option<usize>> {
        let mut part_of = vec![None; self.ids.len()];
        for (number, part) in parts.iter().enumerate() {
            for rank in part {
                if let Some(of) = get_mut(&mut part_of, *rank) {
                    *of = Some(number);
                }
            }
        }
        part_of
    }

    fn most_connected(&self, part: &[u32], part_of: &[Option<usize>], limit: usize) -> Vec<MemoryId> {
        let strength = |rank: u32| {
            let own = get(part_of, rank);
            let within = self.near(rank).iter().filter(|(other, _)| get(part_of, *other) == own);
            within.map(|(_, weight)| weight).sum::<u64>()
        };
        let mut ranked: Vec<(std::cmp::Reverse<u64>, u32)> =
            part.iter().map(|rank| (std::cmp::Reverse(strength(*rank)), *rank)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(limit).filter_map(|(_, rank)| get(&self.ids, rank).copied()).collect()
    }
}

fn get<T>(values: &[T], rank: u32) -> Option<&T> {
    values.get(usize::try_from(rank).ok()?)
}

fn get_mut<T>(values: &mut [T], rank: u32) -> Option<&mut T> {
    values.get_mut(usize::try_from(rank).ok()?)
}
