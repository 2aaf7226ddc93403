//! Benchmark of search latency by rows, mask, batch and score, and of the number of rows that the int8 pass leaves to
//! rescore.
//!
//! Vectors are those of `embeddings/`. Names read `vectors-rows/mask/k/batch/score/pass`.
//!
//! `cargo bench -p gpu-retrieval -- 'squeezed-10k/'` runs a part; a line per store tells the survivors.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where something is wrong")]
#![expect(clippy::print_stdout, reason = "survivors have no place in criterion's report")]

mod embeddings;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gpu_retrieval::{Batch, Decay, Pass, PassChoice, Query, Row, Rows, SearchOptions, Weights, unit_fp16};

use embeddings::{DIMS, Embeddings, Random, SHAPES, Shape};

const ROWS_PER_GROUP: u32 = 3;
/// Result counts: that of a caller, and that of a service which filters the results by its own rules afterwards.
const KS: [usize; 2] = [10, 50];
const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 365 * DAY_US;

const PLAIN: Weights = Weights::SIMILARITY;
const FUSED: Weights = Weights { similarity: 1.0, retention: 0.3, importance: 0.2 };
const SCORES: [(&str, Weights); 2] = [("plain", PLAIN), ("fused", FUSED)];

struct Corpus {
    name: String,
    rows: Rows,
    queries: Vec<Vec<f32>>,
    /// By percent of rows allowed.
    masks: Vec<(u64, Option<Vec<u64>>)>,
}

impl Corpus {
    fn new(shape: Shape, size: &str, count: u32) -> Self {
        let mut source = Embeddings::new(shape);
        let mut rows = Rows::new(DIMS).unwrap();
        for row in 0..count {
            if row % ROWS_PER_GROUP == 0 {
                rows.add_group(u128::from(source.random.next())).unwrap();
            }
            let decay = Decay {
                t0_us: i64::from(row) * (NOW_US / i64::from(count)),
                rate_per_us: 1.0 / (DAY_US as f32 * (1.0 + 60.0 * source.random.unit())),
                shape: if row % 2 == 0 { 0.0 } else { 0.5 },
                importance: source.random.unit(),
            };
            let vector = unit_fp16(&source.draw()).unwrap();
            let (group, ordinal) = (row / ROWS_PER_GROUP, row % ROWS_PER_GROUP);
            rows.push(&Row { vector: &vector, group, ordinal, decay }).unwrap();
        }
        let queries = (0..64).map(|_| source.draw()).collect();
        let masks = [100, 50, 1].map(|percent| {
            let word = |random: &mut Random| {
                (0..64).fold(0, |w, bit| w | u64::from(random.below(100) < percent) << bit)
            };
            let words = rows.len().div_ceil(64);
            (percent, (percent < 100).then(|| (0..words).map(|_| word(&mut source.random)).collect()))
        });
        Self { name: format!("{}-{size}", shape.name), rows, queries, masks: masks.into() }
    }

    /// `size` queries beginning with the `first`, around the end.
    fn batch<'a>(
        &'a self,
        first: usize,
        size: usize,
        k: usize,
        mask: Option<&'a [u64]>,
        weights: Weights,
    ) -> Vec<Query<'a>> {
        let vectors = self.queries.iter().cycle().skip(first % self.queries.len()).take(size);
        vectors.map(|vector| Query { vector, k, weights, retention: None, mask, ranges: None }).collect()
    }

    fn describe(&self) {
        let name = &self.name;
        let ask = |k, mask, weights| {
            let queries = self.batch(0, self.queries.len(), k, mask, weights);
            self.rows.search(&Batch { now_us: NOW_US, queries: &queries }).unwrap()
        };
        let mut cosines: Vec<f32> =
            ask(1, None, PLAIN).iter().map(|answer| answer.hits[0].similarity).collect();
        cosines.sort_by(f32::total_cmp);
        let (low, middle, high) = (cosines[6], cosines[cosines.len() / 2], cosines[cosines.len() - 7]);
        println!("{name}: best cosine {low:.2} / {middle:.2} / {high:.2} (10th, 50th, 90th percentile)");
        let rows: Vec<u32> = (0..1000).collect();
        let scored = self.rows.score_rows(&self.queries[0], PLAIN, NOW_US, &rows, None).unwrap();
        let mean = scored.iter().map(|row| row.similarity).sum::<f32>() / scored.len() as f32;
        println!("{name}: mean cosine {mean:.2}; {} MiB", self.rows.bytes() >> 20);
        for (percent, mask) in &self.masks {
            for (k, (score, weights)) in KS.into_iter().flat_map(|k| SCORES.map(|score| (k, score))) {
                let answers = ask(k, mask.as_deref(), weights);
                let mut rescored: Vec<u64> = answers.iter().map(|answer| answer.rows_rescored).collect();
                rescored.sort_unstable();
                let (middle, most) = (rescored[rescored.len() / 2], rescored[rescored.len() - 1]);
                let scanned = answers[0].rows_scanned;
                println!("{name}/{percent}%/k{k}/{score}: {middle} of {scanned} rescored, at most {most}");
            }
        }
    }

    fn measure(&self, criterion: &mut Criterion) {
        let certified = SearchOptions::default();
        let exact = SearchOptions { pass: PassChoice::Forced(Pass::Exact), ..certified };
        let mut group = criterion.benchmark_group(&self.name);
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1));
        for (percent, mask) in &self.masks {
            for (k, size, pass, options) in [
                (KS[0], 1, "certified", certified),
                (KS[1], 1, "certified", certified),
                (KS[0], 16, "certified", certified),
                (KS[0], 1, "exact", exact),
            ] {
                for (score, weights) in SCORES {
                    let id = BenchmarkId::from_parameter(format!("{percent}%/k{k}/{size}/{score}/{pass}"));
                    group.bench_function(id, |bencher| {
                        let mut first = 0;
                        bencher.iter(|| {
                            first += size;
                            let queries = self.batch(first, size, k, mask.as_deref(), weights);
                            let batch = Batch { now_us: NOW_US, queries: &queries };
                            black_box(self.rows.search_with(&batch, &options).unwrap())
                        });
                    });
                }
            }
        }
        group.finish();
    }
}

fn scan(criterion: &mut Criterion) {
    for shape in SHAPES {
        for (size, count) in [("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)] {
            let corpus = Corpus::new(shape, size, count);
            corpus.describe();
            corpus.measure(criterion);
        }
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
