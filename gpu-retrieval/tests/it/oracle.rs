//! The oracle: a brute-force search written as plainly as possible.
//!
//! Every allowed live row is scored with the public functions of the contract, checked against binary64, rolled up in a
//! map and sorted. It shares no code with the scan.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::ops::Range;

use gpu_retrieval::{
    Decay, Hit, Query, Row, Rows, ScanBackend, bias, dot, elapsed_us, fuse, retention, unit_fp16,
};
use half::f16;

/// A row as the oracle keeps it.
pub(crate) struct Kept {
    pub(crate) vector: Vec<f16>,
    pub(crate) group: u32,
    pub(crate) ordinal: u32,
    pub(crate) decay: Decay,
    pub(crate) is_alive: bool,
}

/// A store and its plain copy.
pub(crate) struct Twin<B = Rows> {
    pub(crate) rows: B,
    pub(crate) kept: Vec<Kept>,
    pub(crate) group_ids: Vec<u128>,
}

impl<B: ScanBackend> Twin<B> {
    /// Of an empty back end.
    pub(crate) fn over(rows: B) -> Self {
        Self { rows, kept: Vec::new(), group_ids: Vec::new() }
    }

    pub(crate) fn add_group(&mut self, id: u128) -> u32 {
        self.group_ids.push(id);
        self.rows.add_group(id).unwrap()
    }

    pub(crate) fn push(&mut self, vector: Vec<f16>, group: u32, ordinal: u32, decay: Decay) -> u32 {
        let row = self.rows.push(&Row { vector: &vector, group, ordinal, decay }).unwrap();
        self.kept.push(Kept { vector, group, ordinal, decay, is_alive: true });
        row
    }

    pub(crate) fn delete(&mut self, row: u32) {
        self.rows.delete(row).unwrap();
        self.kept[row as usize].is_alive = false;
    }

    pub(crate) fn set_decay(&mut self, row: u32, decay: Decay) {
        self.rows.set_decay(row, decay).unwrap();
        self.kept[row as usize].decay = decay;
    }

    /// The hits that a search must return, and how many rows it must have looked at.
    pub(crate) fn expected(&self, query: &Query<'_>, now_us: i64) -> (Vec<Hit>, u64) {
        let unit = unit_fp16(query.vector).unwrap();
        let mut best: HashMap<u32, (Hit, u32)> = HashMap::new();
        let mut rows_scanned = 0;
        for (row, kept) in (0u32..).zip(&self.kept) {
            if !kept.is_alive || !allows(query, row) {
                continue;
            }
            rows_scanned += 1;
            let hit = self.score(row, kept, &unit, query, now_us);
            let held = best.entry(kept.group).or_insert((hit, kept.ordinal));
            if (hit.score, held.1, held.0.row) > (held.0.score, kept.ordinal, row) {
                *held = (hit, kept.ordinal);
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

    /// The retention of every row by its decay: a column that changes nothing.
    pub(crate) fn retentions(&self, now_us: i64) -> Vec<f32> {
        let of_row = |Decay { t0_us, rate_per_us, shape, .. }| {
            retention(elapsed_us(now_us, t0_us), rate_per_us, shape)
        };
        self.kept.iter().map(|kept| of_row(kept.decay)).collect()
    }

    fn score(&self, row: u32, kept: &Kept, unit: &[f16], query: &Query<'_>, now_us: i64) -> Hit {
        let (weights, given) = (&query.weights, query.retention.map(|column| column[row as usize]));
        let similarity = dot(unit, &kept.vector);
        let Decay { t0_us, rate_per_us, shape, importance } = kept.decay;
        let left = given.unwrap_or_else(|| retention(elapsed_us(now_us, t0_us), rate_per_us, shape));
        let score = fuse(weights, similarity, bias(weights, left, importance));
        let real = real_dot(unit, &kept.vector);
        assert!((f64::from(similarity) - real).abs() < 1e-5, "{similarity} for {real}");
        let parts = [
            f64::from(weights.similarity) * real,
            f64::from(weights.retention)
                * given.map_or_else(|| real_retention(now_us, &kept.decay), f64::from),
            f64::from(weights.importance) * f64::from(importance),
        ];
        let (real, size) = (parts.iter().sum::<f64>(), parts.iter().map(|part| part.abs()).sum::<f64>());
        assert!((f64::from(score) - real).abs() <= 2e-5 * size.max(1.0), "{score} for {real}");
        let group_id = self.group_ids[kept.group as usize];
        Hit { row, group: kept.group, group_id, score, similarity, retention: left }
    }
}

/// The retention in binary64 with its library functions.
fn real_retention(now_us: i64, decay: &Decay) -> f64 {
    let elapsed = now_us.saturating_sub(decay.t0_us).max(0) as f64;
    let (a, b) = (f64::from(decay.rate_per_us), f64::from(decay.shape));
    if b == 0.0 { (-a * elapsed).exp2() } else { (a * elapsed + 1.0).powf(-b) }
}

fn real_dot(query: &[f16], row: &[f16]) -> f64 {
    query.iter().zip(row).map(|(q, x)| q.to_f64() * x.to_f64()).sum()
}

fn allows(query: &Query<'_>, row: u32) -> bool {
    let (word, bit) = (row as usize / 64, row % 64);
    let by_mask = query.mask.is_none_or(|mask| mask.get(word).is_some_and(|word| word >> bit & 1 != 0));
    let contains = |range: &Range<u32>| range.contains(&row);
    by_mask && query.ranges.is_none_or(|ranges| ranges.iter().any(contains))
}
