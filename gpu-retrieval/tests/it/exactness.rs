//! Exactness: every pass on every instruction set returns what the oracle returns, bit for bit.
//!
//! Random stores are small and cover the edge cases: ties, duplicates, several blocks, deletions, masks, ranges, rows
//! from the future, and every dimension from 1 to 130 besides the usual ones.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::ops::Range;

use crate::oracle::Twin;
use gpu_retrieval::{
    Answer, Batch, Decay, InstructionSet, Pass, PassChoice, Query, Rows, SearchOptions, Weights, unit_fp16,
};
use half::f16;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// A store to be built, small enough to shrink.
#[derive(Debug, Clone)]
struct Store {
    dims: usize,
    seed: u64,
    /// Directions that rows share: few of them make duplicates and ties.
    centres: usize,
    /// Distance of a row from its centre; 0 makes exact duplicates.
    spread: f32,
    /// Share of one direction in rows and queries: it squeezes their cosines into a narrow band.
    squeeze: f32,
    rows: usize,
    rows_per_group: usize,
    /// Of every hundred rows, how many are deleted.
    dead_percent: u64,
    with_decay: bool,
}

#[derive(Debug, Clone)]
struct Question {
    seed: u64,
    k: usize,
    weights: Weights,
    /// Of every hundred rows, how many are allowed; above 100 means no mask.
    mask_percent: u64,
    ranges: Option<Vec<(u32, u32)>>,
}

/// SplitMix64: the tests need reproducible numbers, not good ones.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// In [−1, 1).
    fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn direction(&mut self, dims: usize) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..dims).map(|_| self.signed()).collect();
        vector[0] += if vector.iter().all(|value| *value == 0.0) { 1.0 } else { 0.0 };
        vector
    }

    /// A direction that leans towards one of all rows and queries.
    fn leaning(&mut self, dims: usize, squeeze: f32) -> Vec<f32> {
        let own = self.direction(dims);
        own.iter().zip(Self(1).direction(dims)).map(|(own, shared)| own + squeeze * shared).collect()
    }

    fn decay(&mut self) -> Decay {
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

fn build(store: &Store) -> Twin {
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

fn mask(question: &Question, rows: usize) -> Option<Vec<u64>> {
    let mut random = Random(question.seed ^ 0xabcd);
    let word = |random: &mut Random| {
        (0..64).fold(0u64, |word, bit| word | u64::from(random.percent(question.mask_percent)) << bit)
    };
    // Now and then a word short, since rows may have been added after the mask was made.
    let words = rows.div_ceil(64).saturating_sub(usize::from(question.seed.is_multiple_of(4)));
    (question.mask_percent <= 100).then(|| (0..words).map(|_| word(&mut random)).collect())
}

fn ranges(question: &Question) -> Option<Vec<Range<u32>>> {
    let mut end = 0;
    let range = |(gap, length): &(u32, u32)| {
        let start = end + gap;
        end = start + length;
        start..end
    };
    question.ranges.as_ref().map(|pairs| pairs.iter().map(range).collect())
}

fn ways() -> Vec<SearchOptions> {
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    let choices = [PassChoice::Auto, PassChoice::Forced(Pass::Exact), PassChoice::Forced(Pass::Certified)];
    sets.flat_map(|instruction_set| choices.map(|pass| SearchOptions { instruction_set, pass })).collect()
}

fn bits(answer: &Answer) -> Vec<(u32, u32, u128, u32, u32, u32)> {
    let bits = |hit: &gpu_retrieval::Hit| {
        let (score, similarity) = (hit.score.to_bits(), hit.similarity.to_bits());
        (hit.row, hit.group, hit.group_id, score, similarity, hit.retention.to_bits())
    };
    answer.hits.iter().map(bits).collect()
}

/// Results of three threads that share a search.
fn shared(rows: &Rows, batch: &Batch<'_>) -> Vec<Answer> {
    let search = rows.share(batch).unwrap();
    std::thread::scope(|threads| {
        (0..2).for_each(|_| drop(threads.spawn(|| search.join())));
        search.join();
    });
    search.finish()
}

/// Asks all questions in one batch, in every way, and compares with the oracle.
fn check(store: &Store, questions: &[Question], now_us: i64) {
    let twin = build(store);
    let direction = |q: &Question| Random(q.seed).leaning(store.dims, store.squeeze);
    let vectors: Vec<Vec<f32>> = questions.iter().map(direction).collect();
    let masks: Vec<Option<Vec<u64>>> = questions.iter().map(|q| mask(q, twin.kept.len())).collect();
    let ranges: Vec<Option<Vec<Range<u32>>>> = questions.iter().map(ranges).collect();
    let query = |at: usize| Query {
        vector: &vectors[at],
        k: questions[at].k,
        weights: questions[at].weights,
        mask: masks[at].as_deref(),
        ranges: ranges[at].as_deref(),
    };
    let queries: Vec<Query<'_>> = (0..questions.len()).map(query).collect();
    let batch = Batch { now_us, queries: &queries };
    for (answer, query) in shared(&twin.rows, &batch).iter().zip(&queries) {
        let (hits, rows_scanned) = twin.expected(query, now_us);
        assert_eq!(bits(answer), bits(&Answer { hits, ..answer.clone() }));
        assert_eq!(answer.rows_scanned, rows_scanned);
    }
    for options in ways() {
        let answers = twin.rows.search_with(&batch, &options).unwrap();
        assert_eq!(answers.len(), queries.len());
        for (answer, query) in answers.iter().zip(&queries) {
            let (hits, rows_scanned) = twin.expected(query, now_us);
            let expected = Answer { hits, ..answer.clone() };
            assert_eq!(bits(answer), bits(&expected), "{options:?}");
            assert_eq!(answer.rows_scanned, rows_scanned, "{options:?}");
            assert!(answer.rows_rescored <= rows_scanned);
            if options.pass == PassChoice::Forced(Pass::Exact) {
                assert_eq!(answer.rows_rescored, rows_scanned);
            }
            let rows: Vec<u32> = answer.hits.iter().map(|hit| hit.row).collect();
            let scored = twin.rows.score_rows(query.vector, query.weights, now_us, &rows).unwrap();
            for (scored, hit) in scored.iter().zip(&answer.hits) {
                assert_eq!((scored.row, scored.score.to_bits()), (hit.row, hit.score.to_bits()));
                assert_eq!(scored.similarity.to_bits(), hit.similarity.to_bits());
            }
        }
    }
}

fn weights() -> impl Strategy<Value = Weights> {
    let weight = || prop_oneof![Just(0.0f32), Just(1.0f32), 0.0f32..2.0];
    (weight(), weight(), weight()).prop_map(|(similarity, retention, importance)| Weights {
        similarity,
        retention,
        importance,
    })
}

fn question() -> impl Strategy<Value = Question> {
    let k = prop_oneof![Just(1usize), 2usize..20, Just(1024usize)];
    let mask_percent = prop_oneof![Just(101u64), Just(0u64), 1u64..10, 10u64..=100];
    let ranges = prop::option::of(prop::collection::vec((0u32..200, 0u32..200), 0..5));
    (any::<u64>(), k, prop_oneof![Just(Weights::SIMILARITY), weights()], mask_percent, ranges).prop_map(
        |(seed, k, weights, mask_percent, ranges)| Question { seed, k, weights, mask_percent, ranges },
    )
}

fn store(dims: impl Strategy<Value = usize>, rows: Range<usize>) -> impl Strategy<Value = Store> {
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

/// So many cases, their failures kept beside those of `src`: proptest's default finds no place for a file of `tests`.
fn cases(cases: u32) -> ProptestConfig {
    let failures = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/tests/exactness.txt");
    let failures = FileFailurePersistence::Direct(failures);
    ProptestConfig { cases, failure_persistence: Some(Box::new(failures)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn every_way_is_the_oracles_at_short_dimensions(
        store in store(1usize..=130, 0..700), questions in prop::collection::vec(question(), 1..5),
        now_us in prop_oneof![Just(0i64), any::<i64>(), (-1i64 << 41)..(1i64 << 41)],
    ) {
        check(&store, &questions, now_us);
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn every_way_is_the_oracles_at_the_usual_dimensions(
        store in store(prop::sample::select(vec![384usize, 768, 1024, 1536]), 100..400),
        questions in prop::collection::vec(question(), 1..4), now_us in (-1i64 << 41)..(1i64 << 41),
    ) {
        check(&store, &questions, now_us);
    }

    #[test]
    fn compaction_changes_numbers_only(store in store(1usize..=70, 0..600), question in question()) {
        let mut twin = build(&store);
        let vector = Random(question.seed).direction(store.dims);
        let query = Query {
            vector: &vector, k: question.k, weights: question.weights, mask: None, ranges: None,
        };
        let batch = Batch { now_us: 0, queries: &[query] };
        let before = twin.rows.search(&batch).unwrap().remove(0);
        let live = twin.rows.live();
        let map = twin.rows.compact();
        prop_assert_eq!((twin.rows.live(), twin.rows.len()), (live, live));
        let after = twin.rows.search(&batch).unwrap().remove(0);
        let renumbered = Answer {
            hits: before.hits.iter().map(|hit| gpu_retrieval::Hit {
                row: map.rows[hit.row as usize], group: map.groups[hit.group as usize], ..*hit
            }).collect(),
            ..before
        };
        prop_assert_eq!(bits(&after), bits(&renumbered));
        for (old, kept) in twin.kept.iter().enumerate().filter(|(_, kept)| kept.is_alive) {
            let new = map.rows[old];
            prop_assert_eq!(twin.rows.vector(new), Some(kept.vector.as_slice()));
            prop_assert_eq!(twin.rows.decay(new), Some(kept.decay));
            let id = twin.group_ids[kept.group as usize];
            prop_assert_eq!(twin.rows.group(new), Some((map.groups[kept.group as usize], id)));
        }
    }
}

/// Over blocks of eight sizes, and with an adversary's order: every row better than all before it.
#[test]
fn rising_scores_are_answered_exactly() {
    for falls in [false, true] {
        let mut twin = Twin::over(Rows::new(64).unwrap());
        for row in 0..9000u32 {
            let step = if falls { row } else { 9000 - row };
            let angle = step as f32 / 9000.0;
            let mut direction = vec![0.0; 64];
            (direction[3], direction[40]) = (angle.cos(), angle.sin());
            let group = twin.add_group(u128::from(row));
            twin.push(unit_fp16(&direction).unwrap(), group, 0, Decay::default());
        }
        let mut vector = vec![0.0; 64];
        vector[3] = 1.0;
        for k in [1, 10, 1000] {
            let query = Query { vector: &vector, k, weights: Weights::SIMILARITY, mask: None, ranges: None };
            for options in ways() {
                let batch = Batch { now_us: 0, queries: &[query] };
                let answer = twin.rows.search_with(&batch, &options).unwrap().remove(0);
                assert_eq!(answer.hits, twin.expected(&query, 0).0, "{options:?}");
            }
        }
    }
}
