//! Benchmark of what retention adds to a scan: cosine alone, retention by decays, and by a column, in alternation.
//!
//! A busy machine shifts all times by more than the difference that is sought. Each round therefore runs every score once
//! for the same queries, in a rotating order, and the table gives medians of the times and of the ratios within a
//! round to cosine alone on the same rows. `fresh` rows were learned over the year before the query with half-lives of 1
//! to 61 days; `old` means the same rows three years later, when similarity alone decides. With two threads the start of
//! the second is part of every time.
//!
//! `cargo bench -p gpu-retrieval --bench retention`

#![expect(clippy::unwrap_used, reason = "a benchmark stops where something is wrong")]
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod embeddings;

use std::hint::black_box;
use std::time::Instant;

use embeddings::{DIMS, Embeddings, Random, SHAPES, Shape};
use gpu_retrieval::{Batch, Decay, Query, Row, Rows, Weights, elapsed_us, retention, unit_fp16};

const ROWS: u32 = 100_000;
const ROWS_PER_GROUP: u32 = 3;
const K: usize = 10;
const ROUNDS: usize = 151;
const BATCHES: [usize; 2] = [1, 8];
const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 365 * DAY_US;
const OLD_US: i64 = 4 * NOW_US;

const COSINE: Weights = Weights::SIMILARITY;
const RETENTION: Weights = Weights { retention: 0.3, ..COSINE };
const FUSED: Weights = Weights { importance: 0.2, ..RETENTION };

/// The rows of one family of curves.
struct Store {
    rows: Rows,
    decays: Vec<Decay>,
}

impl Store {
    fn new(shape: Shape, of_curve: f32) -> Self {
        let mut source = Embeddings::new(shape);
        let mut random = Random(11);
        let mut rows = Rows::new(DIMS).unwrap();
        let mut decays = Vec::new();
        for row in 0..ROWS {
            if row % ROWS_PER_GROUP == 0 {
                rows.add_group(u128::from(row)).unwrap();
            }
            let decay = Decay {
                t0_us: i64::from(row) * (NOW_US / i64::from(ROWS)),
                rate_per_us: 1.0 / (DAY_US as f32 * (1.0 + 60.0 * random.unit())),
                shape: of_curve,
                importance: random.unit(),
            };
            let vector = unit_fp16(&source.draw()).unwrap();
            let (group, ordinal) = (row / ROWS_PER_GROUP, row % ROWS_PER_GROUP);
            rows.push(&Row { vector: &vector, group, ordinal, decay }).unwrap();
            decays.push(decay);
        }
        Self { rows, decays }
    }

    fn column(&self, now_us: i64) -> Vec<f32> {
        let of_row =
            |decay: &Decay| retention(elapsed_us(now_us, decay.t0_us), decay.rate_per_us, decay.shape);
        self.decays.iter().map(of_row).collect()
    }
}

/// A score to be measured beside the cosine alone on the same rows.
struct Variant<'a> {
    name: &'static str,
    rows: &'a Rows,
    now_us: i64,
    weights: Weights,
    column: Option<&'a [f32]>,
    /// The place of the cosine alone.
    baseline: usize,
}

impl Variant<'_> {
    /// Milliseconds, and rows rescored for the first query.
    fn measure(&self, vectors: &[Vec<f32>], threads: usize) -> (f64, u64) {
        let queries: Vec<Query<'_>> = vectors
            .iter()
            .map(|vector| Query {
                vector,
                k: K,
                weights: self.weights,
                retention: self.column,
                mask: None,
                ranges: None,
            })
            .collect();
        let start = Instant::now();
        let search = self.rows.share(&Batch { now_us: self.now_us, queries: &queries }).unwrap();
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| search.join())));
            search.join();
        });
        let answers = black_box(search.finish());
        (start.elapsed().as_secs_f64() * 1e3, answers[0].rows_rescored)
    }
}

fn median<T: Copy>(values: &mut [T], order: impl FnMut(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_unstable_by(order);
    values[values.len() / 2]
}

fn compare(name: &str, variants: &[Variant<'_>], queries: &[Vec<f32>], threads: usize, size: usize) {
    let mut taken = vec![Vec::new(); variants.len()];
    for round in 0..ROUNDS {
        let first = round * size % (queries.len() - size + 1);
        for place in 0..variants.len() {
            let chosen = (place + round) % variants.len();
            taken[chosen].push(variants[chosen].measure(&queries[first..first + size], threads));
        }
    }
    for (variant, times) in variants.iter().zip(&taken) {
        let of_baseline = &taken[variant.baseline];
        let mut ratios: Vec<f64> = times.iter().zip(of_baseline).map(|(own, base)| own.0 / base.0).collect();
        let (mut rescored, mut times) = (
            times.iter().map(|taken| taken.1).collect::<Vec<_>>(),
            times.iter().map(|taken| taken.0).collect::<Vec<_>>(),
        );
        println!(
            "| {name} | {threads} | {size} | {} | {:.2} | {:.2} | {:+.1} % | {} |",
            variant.name,
            median(&mut times, f64::total_cmp),
            times[0],
            (median(&mut ratios, f64::total_cmp) - 1.0) * 100.0,
            median(&mut rescored, u64::cmp),
        );
    }
}

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    println!("| vectors | threads | batch | score | median ms | least ms | over cosine | rescored |");
    println!("|---|---|---|---|---|---|---|---|");
    for shape in SHAPES {
        let (exponential, power) = (Store::new(shape, 0.0), Store::new(shape, 0.5));
        let columns = [exponential.column(NOW_US), exponential.column(OLD_US), power.column(NOW_US)];
        let mut source = Embeddings::new(shape);
        source.random = Random(99);
        let queries: Vec<Vec<f32>> = (0..64).map(|_| source.draw()).collect();
        let of = |name, store: usize, now_us, weights, column: Option<usize>| Variant {
            name,
            rows: if store == 0 { &exponential.rows } else { &power.rows },
            now_us,
            weights,
            column: column.map(|column| columns[column].as_slice()),
            baseline: store,
        };
        let variants = [
            of("cosine (rows of exponential)", 0, NOW_US, COSINE, None),
            of("cosine (rows of power law)", 1, NOW_US, COSINE, None),
            of("exponential, fresh", 0, NOW_US, RETENTION, None),
            of("exponential, old", 0, OLD_US, RETENTION, None),
            of("power law, fresh", 1, NOW_US, RETENTION, None),
            of("power law, old", 1, OLD_US, RETENTION, None),
            of("column, fresh", 0, NOW_US, RETENTION, Some(0)),
            of("column, old", 0, NOW_US, RETENTION, Some(1)),
            of("column, power law", 1, NOW_US, RETENTION, Some(2)),
            of("exponential and importance", 0, NOW_US, FUSED, None),
        ];
        for size in BATCHES {
            for threads in [1, all] {
                compare(shape.name, &variants, &queries, threads, size);
            }
        }
    }
}
