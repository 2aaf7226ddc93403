//! Top-k of groups, each by its best row.
//!
//! A heap with the worst group on top gives the threshold; a table holds each group's best row. When a group improves, its
//! old entry stays in the heap until it reaches the top, where the table shows that it is stale. Invariant: of all rows
//! offered, exactly the `k` best groups are held, by score descending, then tie key ascending; of equal rows of a group
//! the lowest is kept.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
};

use super::LexicalHit;

/// Collector of the top `k` groups. Reused from one query to the next.
#[derive(Debug, Default)]
pub(super) struct TopGroups {
    k: usize,
    /// The worst group on top.
    heap: BinaryHeap<Entry>,
    best_rows: HashMap<u32, LexicalHit>,
}

impl TopGroups {
    /// Empties the collector and sets its `k`.
    pub(super) fn reset(&mut self, k: usize) {
        self.k = k;
        self.heap.clear();
        self.best_rows.clear();
    }

    /// The number of groups to collect.
    pub(super) fn k(&self) -> usize {
        self.k
    }

    /// The score below which no group is taken; `None` while fewer than `k` are held.
    pub(super) fn threshold(&self) -> Option<f32> {
        if self.best_rows.len() < self.k { None } else { self.heap.peek().map(|worst| worst.score) }
    }

    /// Offers a row.
    pub(super) fn offer(&mut self, hit: LexicalHit, tie_key: impl Fn(u32) -> u128) {
        if let Some(best) = self.best_rows.get_mut(&hit.group) {
            if hit.score > best.score {
                *best = hit;
                self.heap.push(Entry::new(&hit, tie_key(hit.group)));
                self.drop_stale();
            } else if hit.score == best.score {
                best.row = best.row.min(hit.row);
            }
            return;
        }
        let is_full = self.best_rows.len() >= self.k;
        if is_full && self.heap.peek().is_none_or(|worst| hit.score < worst.score) {
            return;
        }
        let entry = Entry::new(&hit, tie_key(hit.group));
        if is_full {
            match self.heap.peek() {
                Some(worst) if entry < *worst => {
                    self.best_rows.remove(&worst.group);
                    self.heap.pop();
                }
                _ => return,
            }
        }
        self.best_rows.insert(hit.group, hit);
        self.heap.push(entry);
        self.drop_stale();
    }

    /// Writes the groups held to `out`, best first.
    pub(super) fn write_to(&mut self, out: &mut Vec<LexicalHit>) {
        out.clear();
        // Ascending is best first in the order of entries.
        for entry in std::mem::take(&mut self.heap).into_sorted_vec() {
            match self.best_rows.get(&entry.group) {
                Some(hit) if hit.score == entry.score => out.push(*hit),
                _ => {}
            }
        }
    }

    /// Removes stale entries from the top. Only entries worse than the top are removed, so that a group that left the table
    /// has no entry left that could be taken for a later one.
    fn drop_stale(&mut self) {
        while let Some(worst) = self.heap.peek() {
            let is_stale = self.best_rows.get(&worst.group).is_none_or(|hit| hit.score != worst.score);
            if !is_stale {
                break;
            }
            self.heap.pop();
        }
    }
}

/// A group in the heap; the greater, the worse.
#[derive(Debug, Clone, Copy)]
struct Entry {
    score: f32,
    tie_key: u128,
    group: u32,
}

impl Entry {
    fn new(hit: &LexicalHit, tie_key: u128) -> Self {
        Self { score: hit.score, tie_key, group: hit.group }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = other.score.total_cmp(&self.score);
        by_score.then(self.tie_key.cmp(&other.tie_key)).then(self.group.cmp(&other.group))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Reversed, so that the test can tell the tie key from the group.
    fn tie_key(group: u32) -> u128 {
        u128::from(u32::MAX - group)
    }

    proptest! {
        #[test]
        fn exactly_the_top_k_groups_are_held(
            offers in proptest::collection::vec((0_u32..12, 1_u32..6), 0..80),
            k in 0_usize..8,
        ) {
            let mut top = TopGroups::default();
            top.reset(k);
            let mut best: BTreeMap<u32, LexicalHit> = BTreeMap::new();
            for (&(group, score), row) in offers.iter().zip(0..) {
                let hit = LexicalHit { row, group, score: score as f32 };
                top.offer(hit, tie_key);
                let known = best.entry(group).or_insert(hit);
                if hit.score > known.score {
                    *known = hit;
                }
                let mut scores: Vec<f32> = best.values().map(|hit| hit.score).collect();
                scores.sort_by(|left, right| right.total_cmp(left));
                if k > 0 {
                    prop_assert_eq!(top.threshold(), scores.get(k - 1).copied());
                }
            }
            let mut expected: Vec<LexicalHit> = best.into_values().collect();
            expected.sort_by(|left, right| {
                right.score.total_cmp(&left.score).then(tie_key(left.group).cmp(&tie_key(right.group)))
            });
            expected.truncate(k);
            let mut found = Vec::new();
            top.write_to(&mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
