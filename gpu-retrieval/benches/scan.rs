//! Benchmark of search latency by rows, mask, batch and score, and of the number of rows that the int8 pass leaves to
//! rescore.
//!
//! Vectors resemble sentence embeddings, since uniform noise would flatter the first pass: a common direction with
//! a few large elements, a thousand centres, and noise. Two sorts: `spread` has noise of varying strength, best
//! cosines of 0.6 to 0.9 and a middle near 0.2; `squeezed` has a strong common direction, a middle of 0.5 and best
//! cosines near 0.8, as bge-small's vectors of sentences lie. Everything is seeded. Names read
//! `vectors-rows/mask/k/batch/score/pass`.
//!
//! `cargo bench -p gpu-retrieval -- 'squeezed-10k/'` runs a part; a line per store tells the survivors.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where something is wrong")]
#![expect(clippy::print_stdout, reason = "survivors have no place in criterion's report")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gpu_retrieval::{Batch, Decay, Pass, PassChoice, Query, Row, Rows, SearchOptions, Weights, unit_fp16};

const DIMS: usize = 384;
const CENTRES: usize = 1000;
const ROWS_PER_GROUP: u32 = 3;
/// Result counts: that of a caller, and that of a service which filters the results by its own rules afterwards.
const KS: [usize; 2] = [10, 50];
const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 365 * DAY_US;

const PLAIN: Weights = Weights::SIMILARITY;
const FUSED: Weights = Weights { similarity: 1.0, retention: 0.3, importance: 0.2 };
const SCORES: [(&str, Weights); 2] = [("plain", PLAIN), ("fused", FUSED)];

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

/// Distribution of the vectors: the weights of their components, each of about unit length.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    common: f32,
    /// Added to three elements of the common direction.
    outliers: f32,
    centre: f32,
    /// From the least to the most.
    noise: (f32, f32),
}

const SHAPES: [Shape; 2] = [
    Shape { name: "spread", common: 0.5, outliers: 0.35, centre: 1.0, noise: (0.4, 1.2) },
    Shape { name: "squeezed", common: 0.7, outliers: 0.35, centre: 0.45, noise: (0.5, 0.5) },
];

/// The source of rows and queries alike.
struct Embeddings {
    shape: Shape,
    common: Vec<f32>,
    centres: Vec<Vec<f32>>,
    random: Random,
}

impl Embeddings {
    fn new(shape: Shape) -> Self {
        let mut random = Random(7);
        let mut common = random.direction();
        for outlier in [17, 130, 301] {
            common[outlier] += shape.outliers;
        }
        let centres = (0..CENTRES).map(|_| random.direction()).collect();
        Self { shape, common, centres, random }
    }

    fn draw(&mut self) -> Vec<f32> {
        let Shape { common, centre, noise: (least, most), .. } = self.shape;
        let chosen = &self.centres[self.random.below(CENTRES as u64) as usize];
        let noise = least + (most - least) * self.random.unit();
        let parts = self.common.iter().zip(chosen);
        parts.map(|(shared, own)| common * shared + centre * own + noise * self.random.noise()).collect()
    }
}

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
        vectors.map(|vector| Query { vector, k, weights, mask, ranges: None }).collect()
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
        let scored = self.rows.score_rows(&self.queries[0], PLAIN, NOW_US, &rows).unwrap();
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
