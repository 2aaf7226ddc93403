//! BM25 over short rows of Zipf-distributed words: the cost of a query and of an insert.
//!
//! `cargo bench -p memory-core --no-default-features --bench lexical`. Rows have 12 to 34 words of a
//! vocabulary of 20 000, three rows per group; queries have 6 to 10 words, two of them among the 20 most
//! frequent, more than a query without stop words has. Invariant: the same seed, the same corpus.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use memory_core::{
    domain::split_mix,
    index::embedded::lexical::{LexicalHit, LexicalIndex, LexicalQuery, LexicalScratch, Windows},
    text::{Language, QueryTerms, TermVector},
};

criterion_group!(benches, search, masked_search, only_frequent_words, scores_of, insert);
criterion_main!(benches);

fn search(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("search");
    for rows in [100_000, 1_000_000] {
        let corpus = Corpus::new(rows);
        let queries = corpus.queries(64, 2);
        for k in [10, 100] {
            let mut run = Run::default();
            let mut next = (0..queries.len()).cycle();
            bench.bench_function(BenchmarkId::new(format!("k={k}"), rows), |bencher| {
                bencher.iter(|| {
                    let terms = &queries[next.next().unwrap_or(0)];
                    run.search(&corpus.index, &LexicalQuery { terms, mask: None, k })
                });
            });
        }
    }
    bench.finish();
}

/// A mask with one visible row in 100.
fn masked_search(criterion: &mut Criterion) {
    let corpus = Corpus::new(100_000);
    let queries = corpus.queries(64, 2);
    let mut mask = vec![0_u64; 100_000 / 64 + 1];
    (0..100_000).step_by(100).for_each(|row| mask[row / 64] |= 1 << (row % 64));
    let mut run = Run::default();
    let mut next = (0..queries.len()).cycle();
    criterion.bench_function("masked_search/100000", |bencher| {
        bencher.iter(|| {
            let terms = &queries[next.next().unwrap_or(0)];
            run.search(&corpus.index, &LexicalQuery { terms, mask: Some(&mask), k: 10 })
        });
    });
}

/// The worst query: eight of the twenty most frequent words, which MaxScore hardly prunes.
fn only_frequent_words(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("only_frequent_words");
    for rows in [100_000, 1_000_000] {
        let corpus = Corpus::new(rows);
        let queries = corpus.queries(64, 8);
        let mut run = Run::default();
        let mut next = (0..queries.len()).cycle();
        bench.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter(|| {
                let terms = &queries[next.next().unwrap_or(0)];
                run.search(&corpus.index, &LexicalQuery { terms, mask: None, k: 10 })
            });
        });
    }
    bench.finish();
}

fn scores_of(criterion: &mut Criterion) {
    let corpus = Corpus::new(100_000);
    let queries = corpus.queries(64, 2);
    let rows: Vec<u32> = (0..100).map(|row| row * 997).collect();
    let mut scratch = LexicalScratch::new();
    let mut scores = Vec::new();
    let mut next = (0..queries.len()).cycle();
    criterion.bench_function("scores_of/100 rows", |bencher| {
        bencher.iter(|| {
            corpus.index.scores_of(
                &queries[next.next().unwrap_or(0)],
                &Windows::single(&rows),
                &mut scratch,
                &mut scores,
            );
            black_box(scores.len())
        });
    });
}

fn insert(criterion: &mut Criterion) {
    let mut words = Words::new();
    let documents: Vec<TermVector> = (0..10_000).map(|_| words.document()).collect();
    let mut bench = criterion.benchmark_group("insert");
    bench.throughput(Throughput::Elements(10_000)).sample_size(10);
    bench.bench_function("10000 rows", |bencher| bencher.iter(|| index_of(documents.iter().cloned()).len()));
    bench.finish();
}

#[derive(Default)]
struct Run {
    scratch: LexicalScratch,
    hits: Vec<LexicalHit>,
}

impl Run {
    fn search(&mut self, index: &LexicalIndex, query: &LexicalQuery<'_>) -> usize {
        index.search(query, u128::from, &mut self.scratch, &mut self.hits);
        black_box(self.hits.len())
    }
}

struct Corpus {
    index: LexicalIndex,
}

impl Corpus {
    fn new(rows: usize) -> Self {
        let mut words = Words::new();
        Self { index: index_of((0..rows).map(|_| words.document())) }
    }

    /// Queries of 6 to 10 words, `frequent` of them (or all) among the 20 most frequent.
    fn queries(&self, count: usize, frequent: usize) -> Vec<QueryTerms> {
        let mut words = Words::new();
        words.state ^= 0x5EED;
        let query = |_: usize| {
            let length = 6 + words.below(5);
            let ranks: Vec<usize> = (0..length)
                .map(|position| if position < frequent { words.below(20) } else { 20 + words.spread_rank() })
                .collect();
            QueryTerms::from_words(ranks.into_iter().map(|rank| vec![hash_of(rank)]))
        };
        (0..count).map(query).collect()
    }
}

fn index_of(documents: impl Iterator<Item = TermVector>) -> LexicalIndex {
    let mut index = LexicalIndex::default();
    for (document, row) in documents.zip(0..) {
        let inserted = index.insert(row, row / 3, &document);
        assert_eq!(inserted, Ok(()));
    }
    index
}

const VOCABULARY: usize = 20_000;

/// Draws words by Zipf's law: the word of rank `r` with probability in proportion to `1 / r`.
struct Words {
    state: u64,
    cumulated: Vec<f64>,
}

impl Words {
    fn new() -> Self {
        let mut total = 0.0;
        let cumulated = (1..=VOCABULARY)
            .map(|rank| {
                total += 1.0 / rank as f64;
                total
            })
            .collect();
        Self { state: 1, cumulated }
    }

    fn document(&mut self) -> TermVector {
        let length = 12 + self.below(23);
        TermVector::from_hashes((0..length).map(|_| hash_of(self.zipf_rank())).collect(), Language::English)
    }

    fn zipf_rank(&mut self) -> usize {
        let total = self.cumulated[VOCABULARY - 1];
        let drawn = self.unit() * total;
        self.cumulated.partition_point(|cumulated| *cumulated < drawn).min(VOCABULARY - 1)
    }

    /// A rank, log-uniform, as query words are.
    fn spread_rank(&mut self) -> usize {
        ((self.unit() * (VOCABULARY as f64 / 2.0).ln()).exp() as usize).min(VOCABULARY - 21)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (split_mix::next(&mut self.state) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn hash_of(rank: usize) -> u32 {
    (rank as u32).wrapping_mul(2_654_435_769)
}
