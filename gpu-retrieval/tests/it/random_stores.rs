//! Random stores and questions for the tests of exactness: what they contain, and strategies that shrink.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::ops::Range;

use gpu_retrieval::{Decay, Rows, Weights, unit_fp16};
use half::f16;
use proptest::prelude::*;

use crate::oracle::Twin;
use crate::split_mix;

/// A store to be built, small enough to shrink.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) dims: usize,
    pub(crate) seed: u64,
    /// Directions that rows share: few of them make duplicates and ties.
    pub(crate) centres: usize,
    /// Distance of a row from its centre; 0 makes exact duplicates.
    pub(crate) spread: f32,
    /// Share of one direction in rows and queries: it squeezes their cosines into a narrow band.
    pub(crate) squeeze: f32,
    pub(crate) rows: usize,
    pub(crate) rows_per_group: usize,
    /// Of every hundred rows, how many are deleted.
    pub(crate) dead_percent: u64,
    pub(crate) with_decay: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) seed: u64,
    pub(crate) k: usize,
    pub(crate) weights: Weights,
    /// Of every hundred rows, how many are allowed; above 100 means no mask.
    pub(crate) mask_percent: u64,
    pub(crate) ranges: Option<Vec<(u32, u32)>>,
    pub(crate) column: Column,
}

/// Source of the retention of a question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// The decays of the rows.
    Absent,
    /// A column that holds what the decays give, with numbers beyond the last row that no query accepts.
    OfDecays,
    /// A column of random numbers, among them many 0 and 1.
    Random,
    /// The same number for every row: all ties stay ties.
    Constant,
}

/// Random numbers of a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    /// In [−1, 1).
    pub(crate) fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn direction(&mut self, dims: usize) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..dims).map(|_| self.signed()).collect();
        vector[0] += if vector.iter().all(|value| *value == 0.0) { 1.0 } else { 0.0 };
        vector
    }

    /// A direction that leans towards one of all rows and queries.
    pub(crate) fn leaning(&mut self, dims: usize, squeeze: f32) -> Vec<f32> {
        let own = self.direction(dims);
        own.iter().zip(Self(1).direction(dims)).map(|(own, shared)| own + squeeze * shared).collect()
    }

    pub(crate) fn decay(&mut self) -> Decay {
        let pick = self.next() % 8;
        Decay {
            // Around `now`, so that some rows come from the future, and far from it.
            t0_us: if pick == 0 { self.next().cast_signed() } else { self.next().cast_signed() >> 24 },
            rate_per_us: [0.0, 1e-12, 1e-11, 1e-9, 1e30, f32::MAX, 3e-12, 1e-10][(self.next() % 8) as usize],
            shape: [0.0, 0.0, 0.0, 0.5, 1.0, 2.5, 1e-30, 40.0][(self.next() % 8) as usize],
            importance: [0.0, 0.5, 1.0, -1.0][(self.next() % 4) as usize],
        }
    }
}

pub(crate) fn build(store: &Store) -> Twin {
    let mut random = Random(store.seed);
    let mut twin = Twin::over(Rows::new(store.dims).unwrap());
    let centres: Vec<Vec<f32>> =
        (0..store.centres).map(|_| random.leaning(store.dims, store.squeeze)).collect();
    for row in 0..store.rows {
        if row % store.rows_per_group == 0 {
            // Ids in an order of their own.
            let id = u128::from(random.next() % 1000) << 64 | row as u128;
            twin.add_group(id);
        }
        let groups = twin.group_ids.len() as u64;
        // Mostly the newest group, but groups return later too.
        let group = if random.percent(80) { groups - 1 } else { random.next() % groups } as u32;
        let centre = &centres[(random.next() % centres.len() as u64) as usize];
        let stray: Vec<f32> = centre.iter().map(|value| value + store.spread * random.signed()).collect();
        let vector: Vec<f16> = unit_fp16(&stray).or_else(|_| unit_fp16(centre)).unwrap();
        let decay = if store.with_decay { random.decay() } else { Decay::default() };
        let ordinal = (random.next() % 3) as u32;
        twin.push(vector, group, ordinal, decay);
    }
    for row in 0..store.rows as u32 {
        if random.percent(store.dead_percent) {
            twin.delete(row);
        } else if store.with_decay && random.percent(5) {
            twin.set_decay(row, random.decay());
        }
    }
    twin
}

pub(crate) fn mask(question: &Question, rows: usize) -> Option<Vec<u64>> {
    let mut random = Random(question.seed ^ 0xabcd);
    let word = |random: &mut Random| {
        (0..64).fold(0u64, |word, bit| word | u64::from(random.percent(question.mask_percent)) << bit)
    };
    // Now and then a word short, since rows may have been added after the mask was made.
    let words = rows.div_ceil(64).saturating_sub(usize::from(question.seed.is_multiple_of(4)));
    (question.mask_percent <= 100).then(|| (0..words).map(|_| word(&mut random)).collect())
}

pub(crate) fn column(question: &Question, twin: &Twin, now_us: i64) -> Option<Vec<f32>> {
    let mut random = Random(question.seed ^ 0x5eed);
    let rows = twin.kept.len();
    match question.column {
        Column::Absent => None,
        Column::OfDecays => Some(twin.retentions(now_us).into_iter().chain([f32::NAN, 2.0]).collect()),
        Column::Random => {
            let share = |_| match random.next() % 8 {
                0 => 0.0,
                1 => 1.0,
                _ => (random.next() >> 40) as f32 / (1u64 << 24) as f32,
            };
            Some((0..rows).map(share).collect())
        }
        Column::Constant => Some(vec![0.25; rows]),
    }
}

pub(crate) fn ranges(question: &Question) -> Option<Vec<Range<u32>>> {
    let mut end = 0;
    let range = |(gap, length): &(u32, u32)| {
        let start = end + gap;
        end = start + length;
        start..end
    };
    question.ranges.as_ref().map(|pairs| pairs.iter().map(range).collect())
}

pub(crate) fn weights() -> impl Strategy<Value = Weights> {
    let weight = || prop_oneof![Just(0.0f32), Just(1.0f32), 0.0f32..2.0];
    (weight(), weight(), weight()).prop_map(|(similarity, retention, importance)| Weights {
        similarity,
        retention,
        importance,
    })
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let k = prop_oneof![Just(1usize), 2usize..20, Just(1024usize)];
    let mask_percent = prop_oneof![Just(101u64), Just(0u64), 1u64..10, 10u64..=100];
    let ranges = prop::option::of(prop::collection::vec((0u32..200, 0u32..200), 0..5));
    let weights = prop_oneof![Just(Weights::SIMILARITY), weights()];
    let column = prop_oneof![
        3 => Just(Column::Absent), 2 => Just(Column::OfDecays), 3 => Just(Column::Random), 1 => Just(Column::Constant)
    ];
    (any::<u64>(), k, weights, mask_percent, ranges, column).prop_map(
        |(seed, k, weights, mask_percent, ranges, column)| Question {
            seed,
            k,
            weights,
            mask_percent,
            ranges,
            column,
        },
    )
}

pub(crate) fn store(dims: impl Strategy<Value = usize>, rows: Range<usize>) -> impl Strategy<Value = Store> {
    let spread = prop_oneof![Just(0.0f32), Just(1e-3f32), 0.1f32..1.0];
    let dead_percent = prop_oneof![3 => Just(0u64), 3 => 1u64..60, 1 => Just(100u64)];
    let rows_per_group = prop_oneof![Just(1usize), 2usize..10, Just(1000usize)];
    let shape = (1usize..30, spread, prop_oneof![Just(0.0f32), 0.5f32..4.0]);
    (dims, any::<u64>(), shape, rows, rows_per_group, dead_percent, any::<bool>()).prop_map(
        |(dims, seed, (centres, spread, squeeze), rows, rows_per_group, dead_percent, with_decay)| Store {
            dims,
            seed,
            centres,
            spread,
            squeeze,
            rows,
            rows_per_group,
            dead_percent,
            with_decay,
        },
    )
}
