//! The graph through the engine: it follows every write, owners and partners are kept apart, and its memory is bounded.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use memory_core::Error;
use memory_core::domain::change::{ChangeSet, NewMemory};
use memory_core::domain::derivation::Source;
use memory_core::domain::group::GroupKey;
use memory_core::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::Job;
use memory_core::domain::link::Link;
use memory_core::domain::scope::Caller;
use memory_core::graph::Follow;
use memory_core::graph::request::{
    ClustersRequest, GraphOptions, NeighboursFound, NeighboursRequest, PathRequest,
};
use memory_core::limits::Limits;
use memory_core::memories::request::{Edit, UndoRequest};
use memory_core::remember::request::MemoryToRemember;
use memory_core::store::{Jobs, Memories};
use memory_core::testing::fixtures::{Fixtures, link, name, owner, revised};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, user};

struct Bench {
    _directory: tempfile::TempDir,
    test: TestEngine,
    fixtures: Fixtures,
}

impl Bench {
    async fn new() -> Self {
        Self::limited(Limits::default()).await
    }

    async fn limited(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::limited(directory.path(), limits).await.unwrap();
        let fixtures = Fixtures::default();
        // The engine counts its ids from 0 too.
        for _ in 0..100_000 {
            fixtures.id();
        }
        Self { _directory: directory, test, fixtures }
    }

    async fn add(&self, whose: &str, of: Vec<MemoryToRemember>) -> Vec<MemoryId> {
        let request = memories(&user(whose).unwrap(), of);
        self.test.engine.remember_memories(&CALLER, request).await.unwrap().memories
    }

    async fn partition(&self, whose: &str) -> PartitionId {
        self.test.store.partition_of(TenantId::DEFAULT, &owner(whose)).await.unwrap().unwrap()
    }

    async fn near(&self, id: MemoryId, hops: u8, options: GraphOptions) -> Result<NeighboursFound, Error> {
        let request =
            NeighboursRequest { id, hops, relation: None, follow: Follow::Both, limit: 100, options };
        self.test.engine.near(&CALLER, request).await
    }

    async fn ids_near(&self, id: MemoryId, hops: u8, options: GraphOptions) -> Vec<MemoryId> {
        let found = self.near(id, hops, options).await.unwrap().neighbours;
        found.into_iter().map(|neighbour| neighbour.node.id).collect()
    }

    /// The graph as it was kept up to date equals the graph as it is loaded anew.
    async fn graph_is_right(&self, whose: &str) {
        let partition = self.partition(whose).await;
        let kept = self.test.engine.graph_of(partition).await.unwrap();
        self.test.engine.drop_graph(partition);
        let anew = self.test.engine.graph_of(partition).await.unwrap();
        assert_eq!(kept.listed(), anew.listed());
        assert_eq!((kept.memories(), kept.edges(), kept.seq()), (anew.memories(), anew.edges(), anew.seq()));
    }

    /// A set of random writes to the memories of Ann.
    async fn random_set(&self, rng: &mut Rng, there: &[MemoryId]) -> ChangeSet {
        let mut set = ChangeSet::new(TenantId::DEFAULT, owner("ann"), START);
        if rng.chance(30) {
            set.turns = self.fixtures.saying(&owner("ann"), "s", &["one", "two"]).turns;
            let turns = set.turns.as_mut().unwrap();
            turns.turns.iter_mut().for_each(|(_, new)| new.rows.iter_mut().for_each(|row| row.vector = None));
        }
        for _ in 0..rng.below(3) {
            set.memories.push(self.random_fact(rng, there));
        }
        if rng.chance(50) && !there.is_empty() {
            let id = *rng.pick(there);
            let present = self.test.engine.memory(&CALLER, id).await.unwrap().memory;
            let mut revision = revised(&present, None);
            revision.memory.links = random_links(rng, there, id);
            revision.memory.audience = if rng.chance(30) { vec![name("bob")] } else { Vec::new() };
            revision.groups = rng.chance(50).then(|| random_groups(rng));
            if rng.chance(50) {
                let sources: BTreeSet<MemoryId> =
                    there.iter().copied().filter(|other| *other < id).take(2).collect();
                let sources: Vec<Source> = sources.into_iter().map(Source::Memory).collect();
                revision = self.fixtures.revised_from(revision, &sources);
            }
            set.revisions.push(revision);
        }
        set
    }

    fn random_fact(&self, rng: &mut Rng, there: &[MemoryId]) -> NewMemory {
        let mut new = self.fixtures.fact("a fact");
        new.rows.iter_mut().for_each(|row| row.vector = None);
        if rng.chance(50) && !there.is_empty() {
            new = self.fixtures.made_of(new, &[Source::Memory(*rng.pick(there))]);
        }
        new.memory.links = random_links(rng, there, new.memory.id);
        new.groups = random_groups(rng);
        new
    }

    async fn there(&self) -> Vec<MemoryId> {
        let found = self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
        let Some(partition) = found else { return Vec::new() };
        use memory_core::store::GraphSource;
        let page = self.test.store.node_page(partition, None, 10_000).await.unwrap();
        page.nodes.into_iter().map(|node| node.id).collect()
    }
}

fn random_links(rng: &mut Rng, there: &[MemoryId], from: MemoryId) -> Vec<Link> {
    let others: BTreeSet<MemoryId> =
        (0..rng.below(3)).filter_map(|_| there.get(rng.below(there.len()))).copied().collect();
    let others = others.into_iter().filter(|to| *to != from);
    others.map(|to| link(to, ["supports", "follows"][rng.below(2)], 0.5)).collect()
}

fn random_groups(rng: &mut Rng) -> Vec<GroupKey> {
    (0..rng.below(2)).filter_map(|_| GroupKey::entity(["ann", "porto"][rng.below(2)])).collect()
}

#[tokio::test]
async fn a_graph_that_follows_the_change_log_equals_one_that_is_loaded_anew() {
    for seed in seeds(4, 40) {
        let (bench, mut rng) = (Bench::new().await, Rng::new(seed));
        let mut jobs = Vec::new();
        for step in 0..30 {
            let there = bench.there().await;
            let set = bench.random_set(&mut rng, &there).await;
            if rng.chance(30) {
                let job = JobId(bench.fixtures.id());
                let asked = Job::new(job, TenantId::DEFAULT, "think", "{}".to_owned(), START);
                bench.test.store.enqueue(asked).await.unwrap();
                bench.test.store.cancel(TenantId::DEFAULT, job, START).await.unwrap();
                bench.test.commit(bench.fixtures.made_by(job, set)).await.unwrap();
                jobs.push(job);
            } else {
                bench.test.commit(set).await.unwrap();
            }
            if rng.chance(25) && there.len() > 4 {
                bench.test.engine.erase(&CALLER, *rng.pick(&there), None).await.unwrap();
            }
            if rng.chance(20) && !jobs.is_empty() {
                let undo = UndoRequest { dry_run: false, with_dependents: true, idempotency: None };
                // Nothing may be left of it.
                let _ = bench.test.engine.undo_job(&CALLER, jobs.remove(0), undo).await;
            }
            if step % 5 == 4 && !bench.there().await.is_empty() {
                bench.graph_is_right("ann").await;
            } else if rng.chance(50) && !bench.there().await.is_empty() {
                bench.test.engine.graph_of(bench.partition("ann").await).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_erasure_leaves_no_edge_and_no_memory_derived_from_it() {
    let bench = Bench::new().await;
    let first = bench.add("ann", vec![fact("one"), fact("two")]).await;
    let linked = MemoryToRemember { links: vec![link(first[0], "supports", 0.5)], ..fact("three") };
    let derived = MemoryToRemember { sources: vec![first[0].0], ..fact("four") };
    let more = bench.add("ann", vec![linked, derived]).await;
    assert_eq!(
        bench.ids_near(first[0], 1, GraphOptions::default()).await,
        [more[1], more[0]],
        "evidence is stronger"
    );
    bench.test.engine.erase(&CALLER, first[0], None).await.unwrap();
    assert!(bench.ids_near(more[0], 3, GraphOptions::default()).await.is_empty());
    assert!(matches!(bench.near(first[0], 1, GraphOptions::default()).await, Err(Error::NotFound { .. })));
    let graph = bench.test.engine.graph_of(bench.partition("ann").await).await.unwrap();
    assert_eq!((graph.memories(), graph.edges()), (2, 0));
    assert!(!graph.contains(first[0]) && !graph.contains(more[1]));
}

#[tokio::test]
async fn hidden_memories_are_no_neighbours_and_no_path_leads_through_them() {
    let bench = Bench::new().await;
    let first = bench.add("ann", vec![fact("one")]).await[0];
    let to = |id| vec![link(id, "follows", 1.0)];
    let middle = bench.add("ann", vec![MemoryToRemember { links: to(first), ..fact("two") }]).await[0];
    let last = bench.add("ann", vec![MemoryToRemember { links: to(middle), ..fact("three") }]).await[0];
    let path = |options: GraphOptions| {
        let request = PathRequest { from: first, to: last, max_hops: 6, options };
        async { bench.test.engine.path(&CALLER, request).await.unwrap() }
    };
    let none = GraphOptions::default;
    let texts = || GraphOptions { texts: true, ..none() };
    let found = path(texts()).await;
    let read: Vec<Option<&str>> = found.nodes.iter().map(|node| node.text.as_deref()).collect();
    assert_eq!((read, found.weight), (vec![Some("one"), Some("two"), Some("three")], 0.5));
    assert_eq!(bench.ids_near(first, 2, none()).await, [middle, last]);

    let edit = |edit: Edit| bench.test.engine.edit(&CALLER, middle, edit, None);
    let for_bob = || GraphOptions { partner: Some(name("bob")), ..none() };
    edit(Edit { audience: Some(vec![name("eve")]), ..Edit::default() }).await.unwrap();
    assert!(bench.ids_near(first, 2, for_bob()).await.is_empty());
    assert!(path(for_bob()).await.nodes.is_empty());
    assert!(matches!(bench.near(middle, 1, for_bob()).await, Err(Error::NotFound { .. })), "not told to bob");
    assert_eq!(path(none()).await.nodes.len(), 3, "the owner sees all");

    edit(Edit { valid_to: Some(Some(START)), ..Edit::default() }).await.unwrap();
    assert!(path(none()).await.nodes.is_empty());
    assert_eq!(path(GraphOptions { include_superseded: true, ..none() }).await.nodes.len(), 3);
    assert_eq!(bench.ids_near(middle, 1, none()).await, [first, last], "it was asked for by its id");

    edit(Edit { expires_at: Some(Some(START)), ..Edit::default() }).await.unwrap();
    assert!(path(GraphOptions { include_superseded: true, ..none() }).await.nodes.is_empty());
    let scope = user("ann").unwrap();
    let request = ClustersRequest { scope: scope.clone(), limit: 10, options: none() };
    assert_eq!(bench.test.engine.clusters(&CALLER, request).await.unwrap().unclustered, 2);
    let mut export = bench.test.engine.export_graph(&CALLER, &scope, &none()).await.unwrap();
    let (mut nodes, mut edges) = (0, 0);
    while let Some(some) = export.nodes(&bench.test.engine).await.unwrap() {
        nodes += some.len();
    }
    while let Some(some) = export.edges(&bench.test.engine).await.unwrap() {
        edges += some.len();
    }
    assert_eq!((nodes, edges), (2, 0), "an edge needs both of its ends");
}

#[tokio::test]
async fn owners_and_tenants_are_apart() {
    let bench = Bench::new().await;
    let ann = bench.add("ann", vec![fact("one"), fact("two")]).await;
    let bob = bench.add("bob", vec![fact("three")]).await[0];
    let other = Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), ..CALLER };
    let options = GraphOptions::default;
    let request = PathRequest { from: ann[0], to: bob, max_hops: 6, options: options() };
    let refused = bench.test.engine.path(&CALLER, request.clone()).await;
    assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "to"));
    let request = PathRequest { to: ann[1], ..request };
    assert!(matches!(bench.test.engine.path(&other, request).await, Err(Error::NotFound { .. })));
    let clusters = ClustersRequest { scope: user("ann").unwrap(), limit: 10, options: options() };
    assert_eq!(bench.test.engine.clusters(&other, clusters.clone()).await.unwrap().unclustered, 0);
    assert_eq!(bench.test.engine.clusters(&CALLER, clusters).await.unwrap().unclustered, 2);
}

#[tokio::test]
async fn numbers_outside_their_ranges_are_refused_with_their_fields() {
    let bench = Bench::new().await;
    let ids = bench.add("ann", vec![fact("one"), fact("two")]).await;
    for hops in [0, 4] {
        let refused = bench.near(ids[0], hops, GraphOptions::default()).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Invalid { field, .. } | Error::OverLimit { field, .. } if field == "hops"),
            "{refused}"
        );
    }
    for max_hops in [0, 7] {
        let options = GraphOptions::default();
        let request = PathRequest { from: ids[0], to: ids[1], max_hops, options };
        let refused = bench.test.engine.path(&CALLER, request).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Invalid { field, .. } | Error::OverLimit { field, .. } if field == "max_hops"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn graphs_are_evicted_under_their_budget_and_a_larger_one_is_refused() {
    let one_graph = {
        let bench = Bench::new().await;
        bench.add("ann", (0..200).map(|at| fact(&format!("fact {at}"))).collect()).await;
        bench.test.engine.graph_of(bench.partition("ann").await).await.unwrap().bytes()
    };
    let bench = Bench::limited(Limits { graph_bytes: one_graph * 5 / 2, ..Limits::default() }).await;
    for whose in ["ann", "bob", "eve"] {
        bench.add(whose, (0..200).map(|at| fact(&format!("fact {at}"))).collect()).await;
        bench.test.engine.graph_of(bench.partition(whose).await).await.unwrap();
        assert!((1..=one_graph * 5 / 2).contains(&bench.test.engine.graph_bytes()));
    }
    for whose in ["eve", "ann"] {
        let graph = bench.test.engine.graph_of(bench.partition(whose).await).await.unwrap();
        assert_eq!(graph.memories(), 200);
    }
    bench.add("bob", (0..900).map(|at| fact(&format!("more {at}"))).collect()).await;
    let refused = bench.test.engine.graph_of(bench.partition("bob").await).await;
    assert!(matches!(refused, Err(Error::OverLimit { .. })));
    let graph = bench.test.engine.graph_of(bench.partition("ann").await).await.unwrap();
    assert_eq!(graph.memories(), 200, "others are served on");
}

#[tokio::test]
async fn concurrent_callers_get_the_same_graph() {
    let bench = Bench::new().await;
    bench.add("ann", (0..500).map(|at| fact(&format!("fact {at}"))).collect()).await;
    let partition = bench.partition("ann").await;
    let engine = &bench.test.engine;
    let all = futures::future::try_join_all((0..8).map(|_| engine.graph_of(partition))).await.unwrap();
    assert!(all.iter().all(|graph| std::sync::Arc::ptr_eq(graph, &all[0])), "one load serves all");
    let held = &all[0];
    bench.add("ann", vec![fact("one more")]).await;
    let later = engine.graph_of(partition).await.unwrap();
    assert_eq!((held.memories(), later.memories()), (500, 501), "a reader keeps the graph that it has");
}
