//! Recall and cost of LSH as `TiM` uses it, beside exact search: the evidence for ADR 0023.
//!
//! `cargo run --release -p memory-core --no-default-features --example measure_lsh [-- ROWS...]`. Prints a table for each
//! number of rows (default 10 000 and 100 000). One thread.
//!
//! Vectors have 384 components and the cosines of a sentence encoder: .2 to any other, .55 to one of the same of a thousand
//! topics, and .55 plus .45 of what a question has in common with its own thought. Recall is the share of the exact top 5
//! that is found, and of questions whose own thought is found among five. Both searches score fp16 rows by the same
//! kernel. Invariant: the same seed, the same rows.
#![expect(clippy::print_stdout, clippy::expect_used, clippy::indexing_slicing, reason = "a measurement")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use gpu_retrieval::{Batch, Decay, Query, Row, Rows, Weights, unit_fp16};
use memory_core::domain::split_mix;
use memory_core::think::tim::lsh::{Lsh, LshParameters};

const DIMENSION: usize = 384;
const TOPICS: usize = 1_000;
const QUESTIONS: usize = 200;
const K: usize = 5;
/// Share that a question has in common with its own thought beyond the topic: a cosine of .73.
const OWN_SHARE: f64 = 0.4;
/// Questions of one exact batch.
const BATCH: usize = 50;

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    for size in sizes {
        measure(size);
    }
}

/// Draws of the standard normal by Box and Muller over `SplitMix64`.
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        (split_mix::next(&mut self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn vector(&mut self) -> Vec<f64> {
        let normal = |one: f64, other: f64| {
            (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
                / (DIMENSION as f64).sqrt()
        };
        (0..DIMENSION).map(|_| normal(self.unit(), self.unit())).collect()
    }
}

/// The weighted sum of vectors; a weight is a share of the squared length.
fn mix(parts: &[(f64, &[f64])]) -> Vec<f32> {
    let component = |at: usize| parts.iter().map(|(share, part)| share.sqrt() * part[at]).sum::<f64>();
    (0..DIMENSION).map(|at| component(at) as f32).collect()
}

struct Corpus {
    rows: Rows,
    vectors: Vec<Vec<f32>>,
    /// Number of its own thought, and vector.
    questions: Vec<(u32, Vec<f32>)>,
}

fn corpus(size: usize) -> Corpus {
    let mut draws = Draws(1);
    let common = draws.vector();
    let topics: Vec<Vec<f64>> = (0..TOPICS).map(|_| draws.vector()).collect();
    let mut rows = Rows::new(DIMENSION).expect("the dimension is in range");
    let mut vectors = Vec::with_capacity(size);
    let mut questions = Vec::new();
    for number in 0..size {
        let topic = &topics[(draws.unit() * TOPICS as f64) as usize];
        let own = draws.vector();
        let vector = mix(&[(0.2, &common), (0.35, topic), (0.45, &own)]);
        let group = rows.add_group(number as u128).expect("there is room");
        let fp16 = unit_fp16(&vector).expect("it has a direction");
        let row = Row { vector: &fp16, group, ordinal: 0, decay: Decay::default() };
        rows.push(&row).expect("there is room");
        if number % (size / QUESTIONS).max(1) == 0 {
            let shares = [
                (0.45 * OWN_SHARE * OWN_SHARE, &own),
                (0.45 * (1.0 - OWN_SHARE * OWN_SHARE), &draws.vector()),
            ];
            let [(own_share, own), (rest, fresh)] = shares;
            questions.push((
                number as u32,
                mix(&[(0.2, &common), (0.35, topic), (own_share, own), (rest, fresh)]),
            ));
        }
        vectors.push(vector);
    }
    Corpus { rows, vectors, questions }
}

fn query(vector: &[f32]) -> Query<'_> {
    Query { vector, k: K, weights: Weights::SIMILARITY, retention: None, mask: None, ranges: None }
}

fn measure(size: usize) {
    let Corpus { rows, vectors, questions } = corpus(size);
    let search = |vectors: &[(u32, Vec<f32>)]| -> Vec<Vec<u32>> {
        let queries: Vec<Query<'_>> = vectors.iter().map(|(_, vector)| query(vector)).collect();
        let answers = rows.search(&Batch { now_us: 0, queries: &queries }).expect("queries are valid");
        answers.iter().map(|answer| answer.hits.iter().map(|hit| hit.row).collect()).collect()
    };
    let exact: Vec<Vec<u32>> = questions.iter().flat_map(|one| search(std::slice::from_ref(one))).collect();
    let alone_us = median_us(&questions, |one| black_box(search(std::slice::from_ref(one))).len());
    let batches: Vec<&[(u32, Vec<f32>)]> = questions.chunks(BATCH).collect();
    let batched_us = median_us(&batches, |batch| black_box(search(batch)).len()) / BATCH as f64;
    let own = |found: &[Vec<u32>]| {
        found.iter().zip(&questions).filter(|(found, (own, _))| found.contains(own)).count() as f64
            / questions.len() as f64
    };
    println!("{size} rows, {} questions\n", questions.len());
    println!("| search | recall@{K} | own thought | rows scored | us a question |\n|---|---|---|---|---|");
    println!("| exact, one question | 1.000 | {:.3} | {size} | {alone_us:.0} |", own(&exact));
    println!("| exact, {BATCH} a batch | 1.000 | {:.3} | {size} | {batched_us:.0} |", own(&exact));
    for buckets in [8, 32, 128] {
        for tables in [1, 16] {
            let parameters = LshParameters { buckets, tables, ..LshParameters::default() };
            let lsh = Lsh::new(parameters, DIMENSION).expect("parameters are in range");
            let begun = Instant::now();
            let index = Buckets::of(&lsh, &vectors);
            let insert_us = begun.elapsed().as_secs_f64() * 1e6 / size as f64;
            for probes in [1, 2, 4] {
                let found: Vec<(Vec<u32>, usize)> =
                    questions.iter().map(|(_, vector)| index.search(&lsh, &rows, vector, probes)).collect();
                let time_us =
                    median_us(&questions, |(_, vector)| index.search(&lsh, &rows, vector, probes).1);
                let scored = found.iter().map(|(_, scored)| *scored).sum::<usize>() / found.len();
                let found: Vec<Vec<u32>> = found.into_iter().map(|(found, _)| found).collect();
                let hits = found
                    .iter()
                    .zip(&exact)
                    .flat_map(|(found, exact)| exact.iter().filter(|one| found.contains(one)));
                let recall = hits.count() as f64 / (K * questions.len()) as f64;
                println!(
                    "| LSH b {buckets}, {tables} tables, {probes} probes | {recall:.3} | {:.3} | {scored} | {time_us:.0} |",
                    own(&found)
                );
            }
            println!("| (insert, b {buckets}, {tables} tables) | | | | {insert_us:.1} |");
        }
    }
    println!();
}

/// Rows by table and bucket.
struct Buckets(Vec<HashMap<u32, Vec<u32>>>);

impl Buckets {
    fn of(lsh: &Lsh, vectors: &[Vec<f32>]) -> Self {
        let table = |table| {
            let mut buckets: HashMap<u32, Vec<u32>> = HashMap::new();
            for (vector, row) in vectors.iter().zip(0..) {
                let bucket = lsh.bucket(table, vector).expect("it has a direction");
                buckets.entry(bucket).or_default().push(row);
            }
            buckets
        };
        Self((0..lsh.parameters().tables).map(table).collect())
    }

    /// The best rows among those of the probed buckets, and the number of rows scored.
    fn search(&self, lsh: &Lsh, rows: &Rows, vector: &[f32], probes: usize) -> (Vec<u32>, usize) {
        let mut candidates: Vec<u32> = Vec::new();
        for (buckets, table) in self.0.iter().zip(0..) {
            let probed = lsh.probes(table, vector, probes).expect("it has a direction");
            candidates.extend(probed.iter().filter_map(|bucket| buckets.get(bucket)).flatten());
        }
        if self.0.len() > 1 {
            candidates.sort_unstable();
            candidates.dedup();
        }
        let mut scored =
            rows.score_rows(vector, Weights::SIMILARITY, 0, &candidates, None).expect("the rows are there");
        let kept = K.min(scored.len());
        if kept < scored.len() {
            scored.select_nth_unstable_by(kept, |one, other| other.score.total_cmp(&one.score));
        }
        (scored[..kept].iter().map(|one| one.row).collect(), candidates.len())
    }
}

/// Median time of `work` over pieces, in microseconds.
fn median_us<T>(pieces: &[T], work: impl Fn(&T) -> usize) -> f64 {
    let time = |piece: &T| {
        let begun = Instant::now();
        black_box(work(piece));
        begun.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = pieces.iter().map(time).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
