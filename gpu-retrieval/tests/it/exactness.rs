//! Exactness: every pass on every instruction set returns what the oracle returns, bit for bit.
//!
//! Random stores are small and cover the edge cases: ties, duplicates, several blocks, deletions, masks, ranges, rows
//! from the future, and every dimension from 1 to 130 besides the usual ones.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::ops::Range;

use crate::oracle::Twin;
use crate::random_stores::{Column, Question, Random, Store, build, column, mask, question, ranges, store};
use gpu_retrieval::{
    Answer, Batch, Decay, InstructionSet, Pass, PassChoice, Query, Rows, SearchOptions, Weights, unit_fp16,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

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
    let columns: Vec<Option<Vec<f32>>> = questions.iter().map(|q| column(q, &twin, now_us)).collect();
    let query = |at: usize| Query {
        vector: &vectors[at],
        k: questions[at].k,
        weights: questions[at].weights,
        retention: columns[at].as_deref(),
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
    for (question, query) in questions.iter().zip(&queries) {
        if let Column::OfDecays = question.column {
            let by_decays = twin.expected(&Query { retention: None, ..*query }, now_us);
            assert_eq!(twin.expected(query, now_us), by_decays);
        }
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
            let given: Option<Vec<f32>> =
                query.retention.map(|column| rows.iter().map(|row| column[*row as usize]).collect());
            let scored =
                twin.rows.score_rows(query.vector, query.weights, now_us, &rows, given.as_deref()).unwrap();
            for (scored, hit) in scored.iter().zip(&answer.hits) {
                assert_eq!((scored.row, scored.score.to_bits()), (hit.row, hit.score.to_bits()));
                assert_eq!(scored.similarity.to_bits(), hit.similarity.to_bits());
                assert_eq!(scored.retention.to_bits(), hit.retention.to_bits());
            }
        }
    }
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
            vector: &vector, k: question.k, weights: question.weights, retention: None, mask: None, ranges: None,
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

/// Enough rows that the certified pass prunes, and a weight that lets retention decide between unlike vectors.
#[test]
fn top_k_weighted_by_retention_is_that_of_sorting_all_scores() {
    let (dims, now_us) = (48, 1i64 << 41);
    let store = Store {
        dims,
        seed: 24,
        centres: 40,
        spread: 0.8,
        squeeze: 1.0,
        rows: 6000,
        rows_per_group: 3,
        dead_percent: 10,
        with_decay: true,
    };
    let questions: Vec<Question> = [Column::Absent, Column::OfDecays, Column::Random, Column::Constant]
        .into_iter()
        .flat_map(|column| {
            [(10, 0.3, 101), (10, 2.0, 101), (100, 0.3, 50), (10, 1.0, 5)].map(|asked| (column, asked))
        })
        .zip(100u64..)
        .map(|((column, (k, retention, mask_percent)), seed)| Question {
            seed,
            k,
            weights: Weights {
                retention,
                importance: if seed % 2 == 0 { 0.0 } else { 0.2 },
                ..Weights::SIMILARITY
            },
            mask_percent,
            ranges: (seed % 3 == 0).then(|| vec![(70, 4000), (3, 500)]),
            column,
        })
        .collect();
    check(&store, &questions, now_us);
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
            let query = Query {
                vector: &vector,
                k,
                weights: Weights::SIMILARITY,
                retention: None,
                mask: None,
                ranges: None,
            };
            for options in ways() {
                let batch = Batch { now_us: 0, queries: &[query] };
                let answer = twin.rows.search_with(&batch, &options).unwrap().remove(0);
                assert_eq!(answer.hits, twin.expected(&query, 0).0, "{options:?}");
            }
        }
    }
}
