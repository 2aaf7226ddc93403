//! Spreading activation, pure: the memories that seeds lead to within some hops (Collins and Loftus, 1975, doi:
//! 10.1037/0033-295X.82.6.407). What a memory passes on is divided among its edges by their weights, so that each gets the
//! less the more there are (the fan effect: Anderson, 1983, doi: 10.1016/S0022-5371(83)90201-3).
//!
//! Amounts are fixed-point integers, whose sums do not depend on their order: the same store gives the same numbers, in
//! whatever order its graph was loaded.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;

use super::node::Vertex;
use super::partition_graph::Seen;
use crate::domain::id::MemoryId;

/// Activation of all seeds together. Times [`WHOLE_WEIGHT`] it stays below 2^64.
pub(super) const WHOLE: u64 = 1 << 40;
/// Weight 1.
pub(super) const WHOLE_WEIGHT: u64 = 1 << 20;
/// Hops that a walk makes at most.
pub const HOPS_AT_MOST: u8 = 3;
/// Members of an entity above which a walk does not pass through it: it says too little about each.
pub const MEMBERS_AT_MOST: u32 = 1_024;
/// Edges of a memory above which a walk does not pass through it.
pub const FAN_AT_MOST: usize = 4_096;

/// Extent of a walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WalkSettings {
    /// Hops over edges, at most [`HOPS_AT_MOST`]. From a memory to another by way of an entity are two.
    pub hops: u8,
    /// Share of the activation that a hop passes on, 0 to 1.
    pub decay: f32,
    /// Vertices whose edges are followed at most; those with the greatest activation come first.
    pub visited_at_most: usize,
}

impl Default for WalkSettings {
    fn default() -> Self {
        Self { hops: 2, decay: 0.5, visited_at_most: 4_096 }
    }
}

/// Activation that reaches visible memories from weighted seeds, best first, then by id. Seeds are among them only with
/// what comes back to them from others; seeds that are hidden or not in the graph, and weights that are not positive, are
/// ignored. The sum is at most `decay + decay² + …`, also around cycles.
pub fn walk(seen: &Seen<'_>, seeds: &[(MemoryId, f32)], settings: &WalkSettings) -> Vec<(MemoryId, f32)> {
    let decay = fixed(f64::from(settings.decay.clamp(0.0, 1.0)), WHOLE_WEIGHT);
    let mut frontier = seeded(seen, seeds);
    let mut arrived: HashMap<NodeIndex, u64> = HashMap::new();
    let (mut left, mut shares) = (settings.visited_at_most, Vec::new());
    for _ in 0..settings.hops.min(HOPS_AT_MOST) {
        let mut next: HashMap<NodeIndex, u64> = HashMap::new();
        for (index, amount) in strongest(seen, frontier, left) {
            left = left.saturating_sub(1);
            let passed = amount * decay / WHOLE_WEIGHT;
            let total = shares_of(seen, index, &mut shares);
            for (target, weight) in &shares {
                // Weights of positive sum: `shares` is empty otherwise.
                *next.entry(*target).or_default() += passed * weight / total.max(1);
            }
        }
        for (index, amount) in &next {
            *arrived.entry(*index).or_default() += amount;
        }
        frontier = next;
    }
    ranked(seen, &arrived)
}

/// A number from 0 to 1 in units of `whole`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 to 2^40"
)]
pub(super) fn fixed(number: f64, whole: u64) -> u64 {
    (number * whole as f64).round() as u64
}

/// Seeds with their shares of [`WHOLE`].
pub(super) fn seeded(seen: &Seen<'_>, seeds: &[(MemoryId, f32)]) -> HashMap<NodeIndex, u64> {
    let mut known: Vec<(MemoryId, NodeIndex, f64)> = Vec::with_capacity(seeds.len());
    for (id, weight) in seeds {
        let Some(index) = seen.graph.index_of(*id) else { continue };
        if weight.is_finite() && *weight > 0.0 && seen.has_at(index) {
            known.push((*id, index, f64::from(*weight)));
        }
    }
    known.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(one.2.total_cmp(&other.2)));
    let total: f64 = known.iter().map(|(_, _, weight)| weight).sum();
    let mut shares: HashMap<NodeIndex, u64> = HashMap::with_capacity(known.len());
    for (_, index, weight) in known {
        *shares.entry(index).or_default() += fixed(weight / total, WHOLE);
    }
    shares
}

/// The vertices with the greatest amounts, at most `limit`, greatest first.
pub(super) fn strongest(
    seen: &Seen<'_>,
    amounts: HashMap<NodeIndex, u64>,
    limit: usize,
) -> Vec<(NodeIndex, u64)> {
    let mut all: Vec<(NodeIndex, u64)> = amounts.into_iter().filter(|(_, amount)| *amount > 0).collect();
    if all.len() > limit {
        all.sort_unstable_by(|one, other| {
            other.1.cmp(&one.1).then_with(|| key(seen, one.0).cmp(&key(seen, other.0)))
        });
        all.truncate(limit);
    }
    all
}

/// Order of vertices that does not depend on their indices.
fn key<'a>(seen: &'a Seen<'_>, index: NodeIndex) -> (Option<MemoryId>, Option<&'a str>) {
    match seen.graph.graph.node_weight(index) {
        Some(Vertex::Memory(memory)) => (Some(memory.id), None),
        Some(Vertex::Entity { key, .. }) => (None, Some(key.as_str())),
        None => (None, None),
    }
}

/// Fills in the vertices that a walk may go on to, with the weights of the edges, and returns the sum of the weights. An
/// edge is followed in both directions. Hidden memories and their edges do not count, so that scores tell nothing of them.
pub(super) fn shares_of(seen: &Seen<'_>, index: NodeIndex, shares: &mut Vec<(NodeIndex, u64)>) -> u64 {
    shares.clear();
    let mut total = 0;
    for (target, _, edge, _) in seen.graph.around(index).take(FAN_AT_MOST + 1) {
        let weight = fixed(f64::from(edge.weight), WHOLE_WEIGHT);
        let may_enter = match seen.graph.graph.node_weight(target) {
            Some(Vertex::Entity { members, .. }) => (2..=MEMBERS_AT_MOST).contains(members),
            _ => seen.has_at(target),
        };
        if may_enter && weight > 0 {
            total += weight;
            shares.push((target, weight));
        }
    }
    if seen.graph.around(index).nth(FAN_AT_MOST).is_some() {
        shares.clear();
        return 0;
    }
    total
}

/// Amounts of memories as shares of 1, greatest first, then by id.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a score of single precision"
)]
pub(super) fn ranked(seen: &Seen<'_>, amounts: &HashMap<NodeIndex, u64>) -> Vec<(MemoryId, f32)> {
    let memories = amounts
        .iter()
        .filter(|(_, amount)| **amount > 0)
        .filter_map(|(index, amount)| Some((seen.graph.memory_at(*index)?.id, *amount)));
    let mut memories: Vec<(MemoryId, u64)> = memories.collect();
    memories.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    memories.into_iter().map(|(id, amount)| (id, (amount as f64 / WHOLE as f64) as f32)).collect()
}
