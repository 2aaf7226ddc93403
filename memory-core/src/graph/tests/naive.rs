//! Naive versions of the algorithms: brute force on lists of edges and matrices of probabilities.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::store::NodeRecord;

pub(super) fn is_visible(record: &NodeRecord) -> bool {
    record.expires_at.is_none() && record.valid.end.is_none()
}

/// Undirected edges between memories, with their weights.
pub(super) fn edges(records: &[NodeRecord]) -> Vec<(MemoryId, MemoryId, f32)> {
    let of = |record: &NodeRecord| {
        let links = record.links.iter().map(|link| (record.id, link.to, link.weight)).collect::<Vec<_>>();
        let evidence = record.evidence.iter().map(|to| (record.id, *to, 1.0)).collect::<Vec<_>>();
        [links, evidence].concat()
    };
    records.iter().flat_map(of).collect()
}

/// Least cost of a path with at most `hops` edges from `from` to every memory, by brute force.
pub(super) fn naive_costs(records: &[NodeRecord], from: MemoryId, hops: u8) -> BTreeMap<MemoryId, (f64, u8)> {
    let visible: BTreeSet<MemoryId> =
        records.iter().filter(|record| is_visible(record)).map(|record| record.id).collect();
    let edges = edges(records);
    let mut best = BTreeMap::from([(from, (0.0, 0))]);
    for hop in 1..=hops {
        let before = best.clone();
        for (one, other, weight) in &edges {
            for (start, end) in [(one, other), (other, one)] {
                let Some((cost, _)) = before.get(start) else { continue };
                let cost = cost + 1.0 / f64::from(*weight);
                if visible.contains(end) && best.get(end).is_none_or(|(known, _)| cost < *known) {
                    best.insert(*end, (cost, hop));
                }
            }
        }
    }
    best
}

/// Random walks on a matrix of probabilities: visible memories, then entities.
pub(super) struct Naive {
    names: Vec<String>,
    memories: BTreeMap<MemoryId, usize>,
    chances: Vec<Vec<f64>>,
}

impl Naive {
    pub(super) fn of(records: &[NodeRecord]) -> Self {
        let visible: Vec<&NodeRecord> = records.iter().filter(|record| is_visible(record)).collect();
        let memories: BTreeMap<MemoryId, usize> = visible.iter().map(|record| record.id).zip(0..).collect();
        let mut names: Vec<String> = visible.iter().map(|record| record.id.to_string()).collect();
        let mut weights: Vec<(usize, usize, f64)> = edges(records)
            .into_iter()
            .filter_map(|(one, other, weight)| {
                Some((*memories.get(&one)?, *memories.get(&other)?, (f64::from(weight) * 1048576.0).round()))
            })
            .collect();
        let keys: BTreeSet<GroupKey> = records.iter().flat_map(|record| record.entities.clone()).collect();
        for key in keys {
            // Hidden members count for the size of an entity, and for nothing else.
            let members = records.iter().filter(|record| record.entities.contains(&key));
            if members.clone().count() < 2 {
                continue;
            }
            let hub = names.len();
            names.push(key.as_str().to_owned());
            weights.extend(members.filter_map(|record| Some((*memories.get(&record.id)?, hub, 1048576.0))));
        }
        let mut chances = vec![vec![0.0; names.len()]; names.len()];
        for (one, other, weight) in weights {
            chances[one][other] += weight;
            chances[other][one] += weight;
        }
        for row in &mut chances {
            let total: f64 = row.iter().sum();
            row.iter_mut().for_each(|chance| *chance /= total.max(1.0));
        }
        Self { names, memories, chances }
    }

    fn seeded(&self, seeds: &[(MemoryId, f32)]) -> Vec<f64> {
        let mut at = vec![0.0; self.names.len()];
        let known = seeds.iter().filter(|(_, weight)| weight.is_finite());
        let known: Vec<(usize, f64)> =
            known.filter_map(|(id, weight)| Some((*self.memories.get(id)?, f64::from(*weight)))).collect();
        let total: f64 = known.iter().map(|(_, weight)| weight).sum();
        known.iter().for_each(|(index, weight)| at[*index] += weight / total);
        at
    }

    fn step(&self, at: &[f64]) -> Vec<f64> {
        let count = self.names.len();
        (0..count).map(|to| (0..count).map(|from| at[from] * self.chances[from][to]).sum()).collect()
    }

    fn scores(&self, of: &[f64]) -> BTreeMap<MemoryId, f64> {
        self.memories.iter().map(|(id, index)| (*id, of[*index])).filter(|(_, score)| *score > 0.0).collect()
    }

    pub(super) fn walk(&self, seeds: &[(MemoryId, f32)], hops: u8) -> BTreeMap<MemoryId, f64> {
        let (mut at, mut sum) = (self.seeded(seeds), vec![0.0; self.names.len()]);
        for _ in 0..hops {
            at = self.step(&at).into_iter().map(|amount| amount * 0.5).collect();
            sum.iter_mut().zip(&at).for_each(|(sum, amount)| *sum += amount);
        }
        self.scores(&sum)
    }

    pub(super) fn page_rank(&self, seeds: &[(MemoryId, f32)], restart: f64) -> BTreeMap<MemoryId, f64> {
        let (mut at, mut rank) = (self.seeded(seeds), vec![0.0; self.names.len()]);
        for _ in 0..200 {
            for (index, amount) in at.iter_mut().enumerate() {
                // Nowhere to go: it stays.
                let stays = if self.chances[index].iter().sum::<f64>() == 0.0 { 1.0 } else { restart };
                rank[index] += *amount * stays;
                *amount *= 1.0 - stays;
            }
            at = self.step(&at);
        }
        self.scores(&rank)
    }
}
