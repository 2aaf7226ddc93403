//! The same search, written as plainly as possible, and random stores to run it on.
//!
//! It exists to be obviously right: every allowed live row is scored with the public functions of the contract,
//! checked against binary64, rolled up in a map and sorted. It shares no code with the scan.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::ops::Range;

use gpu_retrieval::{
    Hit, Query, Row, Rows, Terms, Weights, bias, dot, elapsed_us, fuse, retention, unit_fp16,
};
use half::f16;

/// A row as the oracle keeps it.
pub(crate) struct Kept {
    pub(crate) vector: Vec<f16>,
    pub(crate) group: u32,
    pub(crate) ordinal: u32,
    pub(crate) terms: Terms,
    pub(crate) is_alive: bool,
}

/// A store and its plain copy.
pub(crate) struct Twin {
    pub(crate) rows: Rows,
    pub(crate) kept: Vec<Kept>,
    pub(crate) group_ids: Vec<u128>,
}

impl Twin {
    pub(crate) fn new(dims: usize) -> Self {
        let rows = Rows::new(dims).unwrap();
        Self { rows, kept: Vec::new(), group_ids: Vec::new() }
    }

    pub(crate) fn add_group(&mut self, id: u128) -> u32 {
        self.group_ids.push(id);
        self.rows.add_group(id).unwrap()
    }

    pub(crate) fn push(&mut self, vector: Vec<f16>, group: u32, ordinal: u32, terms: Terms) -> u32 {
        let slot = self.rows.push(&Row { vector: &vector, group, ordinal, terms }).unwrap();
        self.kept.push(Kept { vector, group, ordinal, terms, is_alive: true });
        slot
    }

    pub(crate) fn delete(&mut self, slot: u32) {
        self.rows.delete(slot).unwrap();
        self.kept[slot as usize].is_alive = false;
    }

    pub(crate) fn set_terms(&mut self, slot: u32, terms: Terms) {
        self.rows.set_terms(slot, terms).unwrap();
        self.kept[slot as usize].terms = terms;
    }

    /// The hits that a search must return, and how many rows it must have looked at.
    pub(crate) fn expected(&self, query: &Query<'_>, now_us: i64) -> (Vec<Hit>, u64) {
        let unit = unit_fp16(query.vector).unwrap();
        let mut best: HashMap<u32, (Hit, u32)> = HashMap::new();
        let mut rows_scanned = 0;
        for (slot, row) in (0u32..).zip(&self.kept) {
            if !row.is_alive || !allows(query, slot) {
                continue;
            }
            rows_scanned += 1;
            let hit = self.score(slot, row, &unit, &query.weights, now_us);
            let held = best.entry(row.group).or_insert((hit, row.ordinal));
            if (hit.score, held.1, held.0.slot) > (held.0.score, row.ordinal, slot) {
                *held = (hit, row.ordinal);
            }
        }
        let mut hits: Vec<Hit> = best.into_values().map(|(hit, _)| hit).collect();
        hits.sort_by(|a, b| {
            b.score
                .partial_cmp(&a.score)
                .unwrap()
                .then(a.group_id.cmp(&b.group_id))
                .then(a.group.cmp(&b.group))
        });
        hits.truncate(query.k);
        (hits, rows_scanned)
    }

    fn score(&self, slot: u32, row: &Kept, unit: &[f16], weights: &Weights, now_us: i64) -> Hit {
        let similarity = dot(unit, &row.vector);
        let Terms { t0_us, rate_per_us, shape, importance } = row.terms;
        let left = retention(elapsed_us(now_us, t0_us), rate_per_us, shape);
        let score = fuse(weights, similarity, bias(weights, left, importance));
        let real = real_dot(unit, &row.vector);
        assert!((f64::from(similarity) - real).abs() < 1e-5, "{similarity} for {real}");
        let parts = [
            f64::from(weights.similarity) * real,
            f64::from(weights.retention) * real_retention(now_us, &row.terms),
            f64::from(weights.importance) * f64::from(importance),
        ];
        let (real, size) = (parts.iter().sum::<f64>(), parts.iter().map(|part| part.abs()).sum::<f64>());
        assert!((f64::from(score) - real).abs() <= 2e-5 * size.max(1.0), "{score} for {real}");
        let group_id = self.group_ids[row.group as usize];
        Hit { slot, group: row.group, group_id, score, similarity, retention: left }
    }
}

/// The retention in binary64 with its library functions.
fn real_retention(now_us: i64, terms: &Terms) -> f64 {
    let elapsed = now_us.saturating_sub(terms.t0_us).max(0) as f64;
    let (a, b) = (f64::from(terms.rate_per_us), f64::from(terms.shape));
    if b == 0.0 { (-a * elapsed).exp2() } else { (a * elapsed + 1.0).powf(-b) }
}

fn real_dot(query: &[f16], row: &[f16]) -> f64 {
    query.iter().zip(row).map(|(q, x)| q.to_f64() * x.to_f64()).sum()
}

fn allows(query: &Query<'_>, slot: u32) -> bool {
    let (word, bit) = (slot as usize / 64, slot % 64);
    let by_mask = query.mask.is_none_or(|mask| mask.get(word).is_some_and(|word| word >> bit & 1 != 0));
    let contains = |range: &Range<u32>| range.contains(&slot);
    by_mask && query.ranges.is_none_or(|ranges| ranges.iter().any(contains))
}
