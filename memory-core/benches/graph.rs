//! Graph of 100,000 memories with ten links each, over SQLite: load, one change, neighbours, paths, clusters, walks.
//!
//! `cargo bench -p memory-core --features sqlite,testing --bench graph`. Links lead to random other memories with random
//! weights, so that there is no locality and every search fans out as fast as it can; every memory is about one of 1,000
//! entities. Invariant: the same seed, the same graph.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use memory_core::domain::change::ChangeSet;
use memory_core::domain::group::GroupKey;
use memory_core::domain::id::{MemoryId, PartitionId, TenantId};
use memory_core::graph::{
    EDGE_BYTES, Follow, GraphView, NeighbourSearch, PageRankSettings, PartitionGraph, Seen, VERTEX_BYTES,
    WalkSettings, clusters, neighbours, personalised_pagerank, shortest_path, walk,
};
use memory_core::index::View;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::store::Memories;
use memory_core::testing::fixtures::{DIMENSION, Fixtures, link, owner, revised};
use memory_core::testing::rng::Rng;
use memory_core::testing::{CALLER, START, TestEngine};
use tokio::runtime::Runtime;

criterion_group!(benches, all);
criterion_main!(benches);

const MEMORIES: usize = 100_000;
const LINKS: usize = 10;
const ENTITIES: usize = 1_000;
const PER_SET: usize = 1_000;

struct Corpus {
    _directory: tempfile::TempDir,
    runtime: Runtime,
    test: TestEngine,
    partition: PartitionId,
    ids: Vec<MemoryId>,
}

impl Corpus {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let embedder = Arc::new(HashingEmbedder::new(DIMENSION));
        let test = runtime.block_on(TestEngine::open_with(directory.path(), embedder, 64 << 20));
        let test = test.expect("an engine");
        let (fixtures, mut rng) = (Fixtures::default(), Rng::new(1));
        let mut ids = Vec::with_capacity(MEMORIES);
        for _ in 0..MEMORIES / PER_SET {
            let mut memories: Vec<_> = (0..PER_SET).map(|at| fixtures.fact(&format!("fact {at}"))).collect();
            ids.extend(memories.iter().map(|new| new.memory.id));
            for new in &mut memories {
                new.groups.extend(GroupKey::entity(&format!("entity {}", rng.below(ENTITIES))));
                for _ in 0..LINKS {
                    let to = *rng.pick(&ids);
                    if to != new.memory.id && new.memory.links.iter().all(|link| link.to != to) {
                        let weight = (1 + rng.below(100)) as f32 / 100.0;
                        new.memory.links.push(link(to, "about", weight));
                    }
                }
            }
            let set = ChangeSet { memories, ..ChangeSet::new(TenantId::DEFAULT, owner("ann"), START) };
            runtime.block_on(test.commit(set)).expect("a commit");
        }
        let partition = runtime.block_on(test.store.partition_of(TenantId::DEFAULT, &owner("ann")));
        let partition = partition.expect("a store").expect("a partition");
        Self { _directory: directory, runtime, test, partition, ids }
    }

    fn graph(&self) -> Arc<PartitionGraph> {
        self.runtime.block_on(self.test.engine.graph_of(self.partition)).expect("a graph")
    }

    /// Time until the graph has a new version of a memory.
    fn one_change(&self, rng: &mut Rng) -> Duration {
        let id = *rng.pick(&self.ids);
        let present = self.runtime.block_on(self.test.engine.memory(&CALLER, id)).expect("a memory").memory;
        let mut revision = revised(&present, None);
        if let Some(first) = revision.memory.links.first_mut() {
            first.weight = 1.0 - first.weight;
        }
        let revisions = vec![revision];
        let set = ChangeSet { revisions, ..ChangeSet::new(TenantId::DEFAULT, owner("ann"), START) };
        self.runtime.block_on(self.test.commit(set)).expect("a commit");
        let begun = Instant::now();
        black_box(self.graph());
        begun.elapsed()
    }
}

fn all(criterion: &mut Criterion) {
    let corpus = Corpus::new();
    let graph = corpus.graph();
    eprintln!(
        "{} memories, {} edges: {} bytes; {VERTEX_BYTES} a vertex, {EDGE_BYTES} an edge",
        graph.memories(),
        graph.edges(),
        graph.bytes()
    );
    let mut bench = criterion.benchmark_group("graph");
    bench.sample_size(20);
    let mut rng = Rng::new(2);
    let view = GraphView::from(&View::present(START));
    {
        let seen = graph.seen_by(&view);
        for hops in 1..=3 {
            bench.bench_function(format!("neighbours/{hops} hops"), |bencher| {
                bencher.iter(|| near(&seen, *rng.pick(&corpus.ids), hops));
            });
        }
        bench.bench_function("path/6 hops", |bencher| {
            bencher.iter(|| {
                let (from, to) = (*rng.pick(&corpus.ids), *rng.pick(&corpus.ids));
                black_box(shortest_path(&seen, from, to, 6).weight)
            });
        });
        let seeds: Vec<(MemoryId, f32)> = (0..10).map(|_| (*rng.pick(&corpus.ids), 1.0)).collect();
        bench.bench_function("walk/10 seeds, 2 hops", |bencher| {
            bencher.iter(|| black_box(walk(&seen, &seeds, &WalkSettings::default()).len()));
        });
        bench.bench_function("pagerank/10 seeds", |bencher| {
            let settings = PageRankSettings::default();
            bencher.iter(|| black_box(personalised_pagerank(&seen, &seeds, &settings).len()));
        });
        bench.sample_size(10);
        bench.bench_function("clusters", |bencher| {
            bencher.iter(|| black_box(clusters(&seen, 100, 100).total));
        });
    }
    drop(graph);
    bench.bench_function("use without a change", |bencher| bencher.iter(|| corpus.graph()));
    bench.bench_function("one change", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| corpus.one_change(&mut rng)).sum());
    });
    bench.bench_function("load", |bencher| {
        bencher.iter(|| {
            corpus.test.engine.drop_graph(corpus.partition);
            corpus.graph()
        });
    });
    bench.finish();
}

fn near(seen: &Seen<'_>, from: MemoryId, hops: u8) -> usize {
    let search = NeighbourSearch { hops, relations: None, follow: Follow::Both, limit: 100 };
    black_box(neighbours(seen, from, &search).found.len())
}
