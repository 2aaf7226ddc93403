//! Links through the engine: storage and refusal of links, and, for random sequences of additions, edits, replacements
//! and erasures, agreement of all versions with a simple model and with the rules of store and index. `make test-long`
//! tries more seeds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use memory_core::Error;
use memory_core::domain::id::MemoryId;
use memory_core::domain::link::Link;
use memory_core::domain::memory::{DocumentName, Kind};
use memory_core::domain::scope::Scope;
use memory_core::memories::request::Edit;
use memory_core::testing::fixtures::{link, name};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use memory_core::testing::{CALLER, TestEngine, fact, memories, question, user};

/// Model: links of all versions of all memories, oldest first, and the sources of each memory.
#[derive(Default)]
struct Model {
    versions: BTreeMap<MemoryId, Vec<Vec<Link>>>,
    made_of: BTreeMap<MemoryId, BTreeSet<MemoryId>>,
}

impl Model {
    fn some_links(&self, rng: &mut Rng, not_to: Option<MemoryId>) -> Vec<Link> {
        let ids: Vec<MemoryId> = self.versions.keys().copied().filter(|id| Some(*id) != not_to).collect();
        let mut links: Vec<Link> = Vec::new();
        for _ in 0..rng.below(4) {
            if ids.is_empty() {
                break;
            }
            let new = link(*rng.pick(&ids), rng.pick::<&str>(&["a", "b"]), rng.below(5) as f32 / 4.0);
            if links.iter().all(|old| (old.to, &old.relation) != (new.to, &new.relation)) {
                links.push(new);
            }
        }
        links
    }

    fn erase(&mut self, root: MemoryId) -> BTreeSet<MemoryId> {
        let mut gone = BTreeSet::from([root]);
        while let Some(next) = self.made_of.iter().find_map(|(id, sources)| {
            (!gone.contains(id) && sources.iter().any(|source| gone.contains(source))).then_some(*id)
        }) {
            gone.insert(next);
        }
        for id in &gone {
            self.versions.remove(id);
            self.made_of.remove(id);
        }
        for links in self.versions.values_mut().flatten() {
            links.retain(|link| !gone.contains(&link.to));
        }
        gone
    }
}

async fn step(test_engine: &TestEngine, scope: &Scope, model: &mut Model, rng: &mut Rng, at: usize) {
    let engine = &test_engine.engine;
    let ids: Vec<MemoryId> = model.versions.keys().copied().collect();
    match rng.below(6) {
        0..=2 => {
            let mut new = fact(&format!("memory {at}"));
            new.links = model.some_links(rng, None);
            if !ids.is_empty() && rng.below(4) == 0 {
                new.sources = vec![rng.pick(&ids).0];
            } else if rng.below(3) == 0 {
                new.kind = Kind::Document;
                new.document = Some(DocumentName { namespace: name("n"), key: name("k") });
            }
            let (links, sources) = (new.links.clone(), new.sources.clone());
            match engine.remember_memories(&CALLER, memories(scope, vec![new])).await {
                Ok(made) => {
                    model.versions.entry(made.memories[0]).or_default().push(links);
                    let sources = sources.into_iter().map(MemoryId);
                    model.made_of.entry(made.memories[0]).or_default().extend(sources);
                }
                // A document that would link to the one it replaces.
                Err(error) => assert!(matches!(error, Error::Invalid { .. }), "{error:?}"),
            }
        }
        3 | 4 if !ids.is_empty() => {
            let id = *rng.pick(&ids);
            let links = (rng.below(3) > 0).then(|| model.some_links(rng, Some(id)));
            let edit = Edit { links: links.clone(), importance: Some(0.25), ..Edit::default() };
            let edited = engine.edit(&CALLER, id, edit, None).await.unwrap().memory;
            let versions = model.versions.get_mut(&id).unwrap();
            versions.push(links.unwrap_or_else(|| versions.last().unwrap().clone()));
            assert_eq!(&edited.links, versions.last().unwrap());
        }
        _ if !ids.is_empty() => {
            let id = *rng.pick(&ids);
            let gone: BTreeSet<MemoryId> =
                engine.erase(&CALLER, id, None).await.unwrap().into_iter().collect();
            assert_eq!(gone, model.erase(id));
        }
        _ => {}
    }
}

#[tokio::test]
async fn links_agree_with_a_simple_model() {
    for seed in seeds(4, 40) {
        let directory = tempfile::tempdir().unwrap();
        let test_engine = TestEngine::open(directory.path()).await.unwrap();
        let scope = user("ann").unwrap();
        let (mut model, mut rng) = (Model::default(), Rng::new(seed));
        for at in 0..60 {
            step(&test_engine, &scope, &mut model, &mut rng, at).await;
            let answer = test_engine.engine.recall(&CALLER, question(&scope, "memory")).await.unwrap();
            assert_eq!(answer.searched_memories, model.versions.len() as u64, "seed {seed}, step {at}");
            for (id, versions) in &model.versions {
                let kept = test_engine.engine.history(&CALLER, *id).await.unwrap();
                let kept: Vec<Vec<Link>> = kept.into_iter().map(|version| version.links).collect();
                assert_eq!(&kept, versions, "seed {seed}, step {at}");
            }
        }
        assert_eq!(test_engine.engine.check(&CALLER, false).await.unwrap().damage, []);
    }
}

#[tokio::test]
async fn links_belong_to_their_version_and_are_removed_with_their_target() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let facts = ["Ann has a beagle", "b", "c", "Clara lives in Lisbon"].map(fact).to_vec();
    let ids = test_engine.engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap().memories;
    let mut note = fact("Ann's household");
    note.links = vec![link(ids[0], "about", 0.75), link(ids[3], "about", 1.0)];
    let note = test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![note])).await.unwrap();
    let id = note.memories[0];
    let linking = |links| Edit { links: Some(links), ..Edit::default() };
    for (bad, field) in [
        (vec![link(id, "a", 1.0)], "links[0].to"),
        (vec![link(ids[0], "a", 1.0), link(ids[0], "a", 0.5)], "links[1]"),
        (vec![link(ids[0], "a", 1.5)], "links[0].weight"),
    ] {
        let refused = test_engine.engine.edit(&CALLER, id, linking(bad), None).await;
        assert!(matches!(&refused, Err(Error::Invalid { field: at, .. }) if at == field), "{refused:?}");
    }
    let many = (0..65).map(|at| link(ids[0], &at.to_string(), 1.0)).collect();
    let refused = test_engine.engine.edit(&CALLER, id, linking(many), None).await;
    assert!(matches!(refused, Err(Error::OverLimit { limit: 64, .. })));
    let edited = test_engine.engine.edit(&CALLER, id, linking(vec![link(ids[3], "of", 0.5)]), None).await;
    assert_eq!(edited.unwrap().memory.version, 2);
    test_engine.engine.erase(&CALLER, ids[0], None).await.unwrap();
    let history = test_engine.engine.history(&CALLER, id).await.unwrap();
    let links: Vec<_> = history.into_iter().map(|version| version.links).collect();
    assert_eq!(links, [vec![link(ids[3], "about", 1.0)], vec![link(ids[3], "of", 0.5)]]);
    let gone = test_engine.engine.edit(&CALLER, id, linking(vec![link(ids[0], "of", 0.5)]), None).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "household")).await.unwrap();
    assert_eq!(answer.memories[0].memory.links, [link(ids[3], "of", 0.5)]);
    assert_eq!(test_engine.engine.check(&CALLER, false).await.unwrap().damage, []);
}

/// An edit that names no links succeeds even if a link it has read was removed by an erasure before its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_concurrent_with_erasures_of_link_targets_succeed() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    let facts = (0..48).map(|at| fact(&format!("fact {at}"))).collect();
    let ids = test_engine.engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap().memories;
    let mut note = fact("note");
    note.links = ids.iter().map(|id| link(*id, "a", 1.0)).collect();
    let note = test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![note])).await.unwrap();
    let (engine, note) = (test_engine.engine.clone(), note.memories[0]);
    let editing = tokio::spawn(async move {
        for at in 0..48u8 {
            let edit = Edit { importance: Some(f64::from(at) / 48.0), ..Edit::default() };
            engine.edit(&CALLER, note, edit, None).await.unwrap();
        }
    });
    for id in &ids {
        test_engine.engine.erase(&CALLER, *id, None).await.unwrap();
    }
    editing.await.unwrap();
    let history = test_engine.engine.history(&CALLER, note).await.unwrap();
    assert_eq!(history.len(), 49);
    assert!(history.iter().all(|version| version.links.is_empty()), "a link to what is gone");
    assert_eq!(test_engine.engine.check(&CALLER, false).await.unwrap().damage, []);
}
