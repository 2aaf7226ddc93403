//! Top-k collector over groups: the best k groups, each represented by its best row.
//!
//! Invariant: after any sequence of offered rows, in any order, it holds the k best groups in final order. Rows pass a
//! score threshold before they are offered, so insertions are rare and a sorted vector is faster than a heap.

use std::cmp::Ordering;

/// A row with its canonical score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: f32,
    pub(super) similarity: f32,
    pub(super) group_id: u128,
    pub(super) group: u32,
    pub(super) ordinal: u32,
    pub(super) row: u32,
}

impl Candidate {
    /// `Less` if this group ranks first. Scores are never NaN and never −0.
    fn group_order(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.group_id.cmp(&other.group_id))
            .then(self.group.cmp(&other.group))
    }

    /// True if this row represents the group rather than another of it.
    fn represents_before(&self, other: &Self) -> bool {
        let order = other.score.total_cmp(&self.score);
        order.then((self.ordinal, self.row).cmp(&(other.ordinal, other.row))).is_lt()
    }
}

#[derive(Debug, Default)]
pub(super) struct TopGroups {
    k: usize,
    best_first: Vec<Candidate>,
    /// The groups alone, in the same order: a lookup among a thousand reads 4 KB instead of 48.
    groups: Vec<u32>,
}

impl TopGroups {
    /// Clears it for another query.
    pub(super) fn reset(&mut self, k: usize) {
        self.k = k;
        self.best_first.clear();
        self.groups.clear();
    }

    /// The score below which a row changes nothing; `None` while there is room for any group.
    pub(super) fn threshold(&self) -> Option<f32> {
        self.best_first.get(self.k.checked_sub(1)?).map(|last| last.score)
    }

    pub(super) fn offer(&mut self, candidate: Candidate) {
        let is_full = self.best_first.len() >= self.k;
        if is_full && self.best_first.last().is_some_and(|last| candidate.group_order(last).is_gt()) {
            return;
        }
        match self.groups.iter().position(|held| *held == candidate.group) {
            Some(place) if candidate.represents_before(&self.best_first[place]) => {
                self.best_first.remove(place);
                self.groups.remove(place);
            }
            Some(_) => return,
            None if is_full => {
                self.best_first.pop();
                self.groups.pop();
            }
            None => {}
        }
        let place = self.best_first.partition_point(|held| held.group_order(&candidate).is_lt());
        self.best_first.insert(place, candidate);
        self.groups.insert(place, candidate.group);
    }

    /// Bytes allocated, kept for the next query.
    pub(super) fn kept_bytes(&self) -> usize {
        self.best_first.capacity() * size_of::<Candidate>() + self.groups.capacity() * size_of::<u32>()
    }

    pub(super) fn best_first(&self) -> &[Candidate] {
        &self.best_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(score: u8, group: u32, ordinal: u32, row: u32) -> Candidate {
        // Ids run against the numbers, so that the two cannot be confused.
        let group_id = u128::from(u32::MAX - group);
        Candidate { score: f32::from(score), similarity: 0.0, group_id, group, ordinal, row }
    }

    proptest! {
        #[test]
        fn holds_what_sorting_everything_gives(
            rows in prop::collection::vec((0u8..6, 0u32..12, 0u32..3), 0..200), k in 1usize..14
        ) {
            let mut top = TopGroups::default();
            top.reset(k);
            let mut all = Vec::new();
            for (row, (score, group, ordinal)) in (0u32..).zip(rows) {
                let candidate = candidate(score, group, ordinal, row);
                if top.threshold().is_none_or(|threshold| candidate.score >= threshold) {
                    top.offer(candidate);
                }
                all.push(candidate);
            }
            all.sort_by(|a, b| {
                a.group_order(b).then((a.ordinal, a.row).cmp(&(b.ordinal, b.row)))
            });
            let mut seen = std::collections::HashSet::new();
            all.retain(|row| seen.insert(row.group));
            all.truncate(k);
            prop_assert_eq!(top.best_first(), all.as_slice());
        }
    }
}
