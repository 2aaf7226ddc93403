//! Personalised PageRank, pure: the share of time that a random walk spends at each memory if it starts anew at the seeds
//! with a fixed probability at every step (Haveliwala, 2002, doi: 10.1145/511446.511513). Computed near the seeds alone, by
//! forward push (Andersen, Chung and Lang, 2006, doi: 10.1109/FOCS.2006.44), in rounds: all vertices of a round push at once.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;

use super::partition_graph::Seen;
use super::spread::{WHOLE, WHOLE_WEIGHT, fixed, ranked, seeded, shares_of, strongest};
use crate::domain::id::MemoryId;

/// Rounds at most.
const ROUNDS_AT_MOST: usize = 64;

/// Parameters of a personalised PageRank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageRankSettings {
    /// Probability of a new start at each step, 0 to 1.
    pub restart: f32,
    /// Amount at a vertex, as a share of all, that is left where it is.
    pub tolerance: f32,
    /// Vertices whose edges are followed at most, each as often as it pushes; those with the greatest amounts come first.
    pub pushes_at_most: usize,
}

impl Default for PageRankSettings {
    fn default() -> Self {
        Self { restart: 0.15, tolerance: 1e-5, pushes_at_most: 20_000 }
    }
}

/// Personalised PageRank of visible memories for weighted seeds, best first, then by id: the seeds too, with the time that
/// is spent at them. Seeds that are hidden or not in the graph, and weights that are not positive, are ignored. The sum is
/// at most 1; what is missing is at entities, or was left where it was at the bound.
pub fn personalised_pagerank(
    seen: &Seen<'_>,
    seeds: &[(MemoryId, f32)],
    settings: &PageRankSettings,
) -> Vec<(MemoryId, f32)> {
    let restart = fixed(f64::from(settings.restart.clamp(0.0, 1.0)), WHOLE_WEIGHT);
    let tolerance = fixed(f64::from(settings.tolerance.clamp(0.0, 1.0)), WHOLE).max(1);
    let mut rank: HashMap<NodeIndex, u64> = HashMap::new();
    let mut residual = seeded(seen, seeds);
    let (mut left, mut shares) = (settings.pushes_at_most, Vec::new());
    for _ in 0..ROUNDS_AT_MOST {
        let large: HashMap<NodeIndex, u64> =
            residual.iter().filter(|(_, amount)| **amount >= tolerance).map(|(at, it)| (*at, *it)).collect();
        let pushing = strongest(seen, large, left);
        if pushing.is_empty() {
            break;
        }
        left = left.saturating_sub(pushing.len());
        for (index, _) in &pushing {
            residual.remove(index);
        }
        for (index, amount) in pushing {
            let total = shares_of(seen, index, &mut shares);
            if total == 0 {
                // Nowhere to go: it stays.
                *rank.entry(index).or_default() += amount;
                continue;
            }
            let kept = amount * restart / WHOLE_WEIGHT;
            *rank.entry(index).or_default() += kept;
            for (target, weight) in &shares {
                *residual.entry(*target).or_default() += amount.saturating_sub(kept) * weight / total;
            }
        }
    }
    ranked(seen, &rank)
}
