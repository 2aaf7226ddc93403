//! Tests of the whole index against a naive BM25 that reads every document for every query.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::text::QueryTerms;

/// A document as it was inserted.
#[derive(Debug, Clone)]
struct Document {
    group: u32,
    hashes: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Step {
    Insert {
        gap: u32,
        group: u32,
        hashes: Vec<u32>,
    },
    /// Removes one of the rows inserted so far, which may be gone already.
    Remove(prop::sample::Index),
    Purge,
}

/// The index and the documents that it should have.
#[derive(Debug, Default)]
struct Pair {
    index: LexicalIndex,
    documents: BTreeMap<u32, Document>,
}

impl Pair {
    fn run(steps: &[Step]) -> Self {
        let mut pair = Self::default();
        let mut inserted: Vec<u32> = Vec::new();
        let mut next_row = 0;
        for step in steps {
            match step {
                Step::Insert { gap, group, hashes } => {
                    let row = next_row + gap;
                    let vector = TermVector::from_hashes(hashes.clone(), Language::English);
                    pair.index.insert(row, *group, &vector).unwrap();
                    pair.documents.insert(row, Document { group: *group, hashes: hashes.clone() });
                    inserted.push(row);
                    next_row = row + 1;
                }
                Step::Remove(which) => {
                    if !inserted.is_empty() {
                        let row = *which.get(&inserted);
                        assert_eq!(pair.index.remove(row), pair.documents.remove(&row).is_some());
                    }
                }
                Step::Purge => pair.index.purge(),
            }
        }
        pair
    }

    /// BM25 in double precision, by definition.
    fn naive_score(&self, row: u32, query: &QueryTerms) -> f64 {
        let n = self.documents.len() as f64;
        let total: usize = self.documents.values().map(|document| document.hashes.len()).sum();
        let average = total as f64 / n;
        let document = &self.documents[&row];
        let of_term = |hash: u32| {
            let count = document.hashes.iter().filter(|other| **other == hash).count() as f64;
            if count == 0.0 {
                return 0.0;
            }
            let df = self.documents.values().filter(|other| other.hashes.contains(&hash)).count() as f64;
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            idf * count / (count + 1.2 * (0.25 + 0.75 * document.hashes.len() as f64 / average))
        };
        let of_word =
            |alternatives: &[u32]| alternatives.iter().map(|hash| of_term(*hash)).fold(0.0, f64::max);
        query.words().iter().map(|word| of_word(word.alternatives())).sum()
    }

    /// The hits that a search must return, given the score of each row.
    fn expected(&self, scores: &HashMap<u32, f32>, mask: Option<&[u64]>, k: usize) -> Vec<LexicalHit> {
        let mut best: BTreeMap<u32, LexicalHit> = BTreeMap::new();
        for (&row, document) in &self.documents {
            let is_allowed = mask.is_none_or(|mask| {
                mask.get(row as usize / 64).is_some_and(|bits| bits & (1 << (row % 64)) != 0)
            });
            let hit = LexicalHit { row, group: document.group, score: scores[&row] };
            if is_allowed && hit.score > 0.0 {
                let known = best.entry(document.group).or_insert(hit);
                if hit.score > known.score {
                    *known = hit;
                }
            }
        }
        let mut hits: Vec<LexicalHit> = best.into_values().collect();
        hits.sort_by(|left, right| {
            right.score.total_cmp(&left.score).then(tie_key(left.group).cmp(&tie_key(right.group)))
        });
        hits.truncate(k);
        hits
    }
}

/// Another order than that of the groups, so that a confusion of the two fails.
fn tie_key(group: u32) -> u128 {
    u128::from(group.wrapping_mul(0x9E37_79B9)) << 64 | u128::from(group)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few distinct hashes, some of them common, so that documents share terms and scores tie.
    let hash = prop_oneof![0_u32..4, 0_u32..12, 0_u32..60];
    let hashes = prop_oneof![
        8 => proptest::collection::vec(hash, 0..12),
        // Counts that do not fit into a posting.
        1 => (0_u32..12, 28_usize..90).prop_map(|(hash, count)| vec![hash; count]),
    ];
    let insert = (0_u32..4, 0_u32..25, hashes).prop_map(|(gap, group, hashes)| Step::Insert {
        gap: gap * gap * 7,
        group,
        hashes,
    });
    let step = prop_oneof![
        12 => insert,
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => Just(Step::Purge),
    ];
    proptest::collection::vec(step, 0..90)
}

fn queries() -> impl Strategy<Value = QueryTerms> {
    let word = proptest::collection::vec(prop_oneof![0_u32..12, 0_u32..70], 0..4);
    proptest::collection::vec(word, 0..7).prop_map(QueryTerms::from_words)
}

fn masks() -> impl Strategy<Value = Option<Vec<u64>>> {
    proptest::option::of(proptest::collection::vec(any::<u64>(), 0..40))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Small ranges exercise on a small corpus what happens on a large one: skipped ranges, a rising threshold,
    /// terms that become non-essential.
    #[test]
    fn search_equals_a_naive_bm25(
        steps in steps(), query in queries(), mask in masks(), k in 0_usize..8, range_docs in 1_usize..24,
    ) {
        let pair = Pair::run(&steps);
        let rows: Vec<u32> = pair.documents.keys().copied().collect();
        let mut scratch = LexicalScratch::with_range(range_docs);
        let mut scores = Vec::new();
        pair.index.scores_of(&query, &Windows::single(&rows), &mut scratch, &mut scores);
        for (&row, &score) in rows.iter().zip(&scores) {
            let naive = pair.naive_score(row, &query);
            prop_assert!((f64::from(score) - naive).abs() <= 1e-5 * naive.max(1e-3), "{} for {}", score, naive);
        }
        let scores: HashMap<u32, f32> = rows.iter().copied().zip(scores).collect();
        let request = LexicalQuery { terms: &query, mask: mask.as_deref(), k };
        let expected = pair.expected(&scores, mask.as_deref(), k);
        let mut found = Vec::new();
        // Twice, since the first search must leave the scratch clean.
        for _ in 0..2 {
            pair.index.search(&request, tie_key, &mut scratch, &mut found);
            prop_assert_eq!(&found, &expected);
        }
    }

    /// Scores after any history equal those of a new index of the remaining rows.
    #[test]
    fn scores_do_not_depend_on_the_history(steps in steps(), query in queries()) {
        let mut pair = Pair::run(&steps);
        let mut fresh = LexicalIndex::default();
        for (&row, document) in &pair.documents {
            let vector = TermVector::from_hashes(document.hashes.clone(), Language::English);
            fresh.insert(row, document.group, &vector).unwrap();
        }
        let rows: Vec<u32> = pair.documents.keys().copied().collect();
        let mut scratch = LexicalScratch::new();
        let (mut lived, mut purged, mut pristine) = (Vec::new(), Vec::new(), Vec::new());
        pair.index.scores_of(&query, &Windows::single(&rows), &mut scratch, &mut lived);
        pair.index.purge();
        pair.index.scores_of(&query, &Windows::single(&rows), &mut scratch, &mut purged);
        fresh.scores_of(&query, &Windows::single(&rows), &mut scratch, &mut pristine);
        prop_assert_eq!(&lived, &pristine);
        prop_assert_eq!(&purged, &pristine);
        prop_assert_eq!((pair.index.len(), pair.index.languages()), (fresh.len(), fresh.languages()));
    }

    #[test]
    fn an_explanation_adds_up_to_the_score(steps in steps(), query in queries()) {
        let pair = Pair::run(&steps);
        let rows: Vec<u32> = pair.documents.keys().copied().collect();
        let mut scores = Vec::new();
        pair.index.scores_of(&query, &Windows::single(&rows), &mut LexicalScratch::new(), &mut scores);
        for (&row, score) in rows.iter().zip(scores) {
            let explained = pair.index.explain(&query, row).unwrap();
            prop_assert_eq!(explained.iter().map(|term| term.contribution).sum::<f32>(), score);
            let hashes = &pair.documents[&row].hashes;
            for term in explained {
                prop_assert_eq!(usize::from(term.count), hashes.iter().filter(|hash| **hash == term.hash).count());
            }
        }
    }
}

fn vector(hashes: &[u32]) -> TermVector {
    TermVector::from_hashes(hashes.to_vec(), Language::English)
}

#[test]
fn rows_must_ascend_and_a_refusal_changes_nothing() {
    let mut index = LexicalIndex::default();
    index.insert(5, 0, &vector(&[1])).unwrap();
    let refusal = index.insert(5, 1, &vector(&[2]));
    assert_eq!(refusal, Err(LexicalError::RowNotAscending { row: 5, last: 5 }));
    assert_eq!(index.len(), 1);
    assert!(index.remove(5) && !index.remove(5));
    assert!(index.is_empty() && index.insert(5, 0, &vector(&[1])).is_err());
}

#[test]
fn removals_free_memory() {
    let mut index = LexicalIndex::default();
    for row in 0..4_000 {
        index.insert(row, row, &vector(&[row, row % 50, 7])).unwrap();
    }
    let full = index.bytes();
    (0..3_900).for_each(|row| assert!(index.remove(row)));
    index.purge();
    assert_eq!(index.len(), 100);
    assert!(index.bytes() < full * 2 / 3, "{} of {full}", index.bytes());
}

#[test]
fn an_unknown_row_has_no_score_and_no_explanation() {
    let mut index = LexicalIndex::default();
    index.insert(3, 0, &vector(&[1, 2])).unwrap();
    let query = QueryTerms::from_words([vec![1]]);
    let mut scores = Vec::new();
    index.scores_of(&query, &Windows::single(&[2, 3, 4]), &mut LexicalScratch::new(), &mut scores);
    assert!(scores[0] == 0.0 && scores[1] > 0.0 && scores[2] == 0.0);
    assert!(index.explain(&query, 4).is_none());
}
