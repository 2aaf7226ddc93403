//! How long a search takes, by rows, mask, batch and terms, and how many rows the int8 pass leaves to rescore.
//!
//! Vectors resemble sentence embeddings, since uniform noise would flatter the first pass: a common direction with
//! a few large elements, a thousand centres, and noise of varying strength, so that the best cosines are 0.6 to 0.9
//! above a dense middle. Everything is seeded. Names read `rows/mask/batch/terms/pass`.
//!
//! `cargo bench -p gpu-retrieval -- '10k/'` runs a part; a line per store tells the survivors.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where something is wrong")]
#![expect(clippy::print_stdout, reason = "survivors have no place in criterion's report")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gpu_retrieval::{Batch, Pass, PassChoice, Query, Row, Rows, SearchOptions, Terms, Weights, unit_fp16};

const DIMS: usize = 384;
const CENTRES: usize = 1000;
const ROWS_PER_GROUP: u32 = 3;
const K: usize = 10;
const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 365 * DAY_US;

const PLAIN: Weights = Weights::SIMILARITY;
const FUSED: Weights = Weights { similarity: 1.0, retention: 0.3, importance: 0.2 };

/// SplitMix64, so that a run can be repeated without a dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// In [0, 1).
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Nearly normal (four uniform numbers), standard deviation 1 / √DIMS.
    fn noise(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * (3.0 / DIMS as f32).sqrt()
    }

    fn direction(&mut self) -> Vec<f32> {
        (0..DIMS).map(|_| self.noise()).collect()
    }
}

/// The source of rows and queries alike.
struct Embeddings {
    common: Vec<f32>,
    centres: Vec<Vec<f32>>,
    random: Random,
}

impl Embeddings {
    fn new() -> Self {
        let mut random = Random(7);
        let mut common = random.direction();
        for outlier in [17, 130, 301] {
            common[outlier] += 0.35;
        }
        let centres = (0..CENTRES).map(|_| random.direction()).collect();
        Self { common, centres, random }
    }

    fn draw(&mut self) -> Vec<f32> {
        let centre = &self.centres[self.random.below(CENTRES as u64) as usize];
        let strength = 0.4 + 0.8 * self.random.unit();
        let parts = self.common.iter().zip(centre);
        parts.map(|(common, centre)| 0.5 * common + centre + strength * self.random.noise()).collect()
    }
}

struct Corpus {
    name: &'static str,
    rows: Rows,
    queries: Vec<Vec<f32>>,
    /// By percent of rows allowed.
    masks: Vec<(u64, Option<Vec<u64>>)>,
}

impl Corpus {
    fn new(name: &'static str, count: u32) -> Self {
        let mut source = Embeddings::new();
        let mut rows = Rows::new(DIMS).unwrap();
        for row in 0..count {
            if row % ROWS_PER_GROUP == 0 {
                rows.add_group(u128::from(source.random.next())).unwrap();
            }
            let terms = Terms {
                t0_us: i64::from(row) * (NOW_US / i64::from(count)),
                rate_per_us: 1.0 / (DAY_US as f32 * (1.0 + 60.0 * source.random.unit())),
                shape: if row % 2 == 0 { 0.0 } else { 0.5 },
                importance: source.random.unit(),
            };
            let vector = unit_fp16(&source.draw()).unwrap();
            let (group, ordinal) = (row / ROWS_PER_GROUP, row % ROWS_PER_GROUP);
            rows.push(&Row { vector: &vector, group, ordinal, terms }).unwrap();
        }
        let queries = (0..64).map(|_| source.draw()).collect();
        let masks = [100, 10, 1].map(|percent| {
            let word = |random: &mut Random| {
                (0..64).fold(0, |w, bit| w | u64::from(random.below(100) < percent) << bit)
            };
            let words = rows.slots().div_ceil(64);
            (percent, (percent < 100).then(|| (0..words).map(|_| word(&mut source.random)).collect()))
        });
        Self { name, rows, queries, masks: masks.into() }
    }

    /// `size` queries beginning with the `first`, around the end.
    fn batch<'a>(
        &'a self,
        first: usize,
        size: usize,
        mask: Option<&'a [u64]>,
        weights: Weights,
    ) -> Vec<Query<'a>> {
        let vectors = self.queries.iter().cycle().skip(first % self.queries.len()).take(size);
        vectors.map(|vector| Query { vector, k: K, weights, mask, ranges: None }).collect()
    }

    fn describe(&self) {
        let queries = self.batch(0, self.queries.len(), None, PLAIN);
        let answers = self.rows.search(&Batch { now_us: NOW_US, queries: &queries }).unwrap();
        let mut cosines: Vec<f32> = answers.iter().map(|answer| answer.hits[0].similarity).collect();
        cosines.sort_by(f32::total_cmp);
        let (low, middle, high) = (cosines[6], cosines[cosines.len() / 2], cosines[cosines.len() - 7]);
        println!(
            "{}: best cosine {low:.2} / {middle:.2} / {high:.2} (10th, 50th, 90th percentile)",
            self.name
        );
        println!("{}: {} MiB", self.name, self.rows.bytes() >> 20);
        for (percent, mask) in &self.masks {
            for (terms, weights) in [("plain", PLAIN), ("fused", FUSED)] {
                let queries = self.batch(0, self.queries.len(), mask.as_deref(), weights);
                let answers = self.rows.search(&Batch { now_us: NOW_US, queries: &queries }).unwrap();
                let mut rescored: Vec<u64> = answers.iter().map(|answer| answer.rows_rescored).collect();
                rescored.sort_unstable();
                let (middle, most) = (rescored[rescored.len() / 2], rescored[rescored.len() - 1]);
                let scanned = answers[0].rows_scanned;
                println!("{}/{percent}%/{terms}: {middle} of {scanned} rescored, at most {most}", self.name);
            }
        }
    }
}

fn scan(criterion: &mut Criterion) {
    let certified = SearchOptions::default();
    let exact = SearchOptions { pass: PassChoice::Forced(Pass::Exact), ..certified };
    for (name, count) in [("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)] {
        let corpus = Corpus::new(name, count);
        corpus.describe();
        let mut group = criterion.benchmark_group(name);
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1));
        for (percent, mask) in &corpus.masks {
            for size in [1, 4, 16] {
                for (terms, weights) in [("plain", PLAIN), ("fused", FUSED)] {
                    for (pass, options) in [("certified", certified), ("exact", exact)] {
                        if pass == "exact" && size > 1 {
                            continue;
                        }
                        let id = BenchmarkId::from_parameter(format!("{percent}%/{size}/{terms}/{pass}"));
                        group.bench_function(id, |bencher| {
                            let mut first = 0;
                            bencher.iter(|| {
                                first += size;
                                let queries = corpus.batch(first, size, mask.as_deref(), weights);
                                let batch = Batch { now_us: NOW_US, queries: &queries };
                                black_box(corpus.rows.search_with(&batch, &options).unwrap())
                            });
                        });
                    }
                }
            }
        }
        group.finish();
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
