//! Undo over the API: after it, the canonical export equals that of a store in which the job never ran, for random work
//! of a job among random work of others. `make test-long` tries more seeds.

use std::collections::BTreeSet;

use engrain::formats::CanonicalExport;
use engrain::wire::{Problem, Undone};
use memory_core::domain::change::{ChangeSet, NewMemory, Outcome};
use memory_core::domain::derivation::Source;
use memory_core::domain::id::{JobId, MemoryId, TenantId};
use memory_core::domain::job::Job;
use memory_core::domain::link::Link;
use memory_core::domain::memory::Memory;
use memory_core::store::{Jobs, Memories};
use memory_core::testing::START;
use memory_core::testing::fixtures::{Fixtures, link, name, owner, revised};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use serde_json::json;

use super::support::TestServer;

async fn canonical(server: &TestServer) -> String {
    let export = server.get("/v1/export").await;
    let mut canonical = CanonicalExport::default();
    for line in String::from_utf8(export.body).expect("text").lines() {
        canonical.push(serde_json::from_str(line).expect("a line")).expect("short");
    }
    canonical.finish()
}

fn set() -> ChangeSet {
    ChangeSet::new(TenantId::DEFAULT, owner("ann"), START)
}

/// Two stores with the same work of others. The job works in the first one only.
struct Pair {
    with_job: TestServer,
    without: TestServer,
    fixtures: Fixtures,
    job: JobId,
    all: Vec<MemoryId>,
    /// Memories that the job made or changed, and those built on them.
    affected: BTreeSet<MemoryId>,
    /// Pieces of work of others that were built on the job's.
    dependents: usize,
}

impl Pair {
    async fn new() -> Self {
        let (with_job, without) = (TestServer::working().await, TestServer::working().await);
        let fixtures = Fixtures::default();
        let job = JobId(fixtures.id());
        let store = &with_job.test_engine().store;
        store
            .enqueue(Job::new(job, TenantId::DEFAULT, "think", "{}".to_owned(), START))
            .await
            .expect("a job");
        store.cancel(TenantId::DEFAULT, job, START).await.expect("over");
        Self { with_job, without, fixtures, job, all: vec![], affected: BTreeSet::new(), dependents: 0 }
    }

    async fn commit(&self, server: &TestServer, set: ChangeSet) {
        let outcome = server.test_engine().commit(set).await.expect("committed");
        assert!(matches!(outcome, Outcome::Committed(_)));
    }

    /// New memory made of others, or by the caller if there are none.
    fn made_of(&self, text: &str, of: &[MemoryId]) -> NewMemory {
        let mut new = self.fixtures.fact(text);
        new.rows.iter_mut().for_each(|row| row.vector = None);
        let sources: Vec<Source> = of.iter().copied().map(Source::Memory).collect();
        if sources.is_empty() { new } else { self.fixtures.made_of(new, &sources) }
    }

    fn some(&self, rng: &mut Rng) -> Vec<MemoryId> {
        let count = 1 + rng.below(2);
        let some: BTreeSet<MemoryId> = (0..count).map(|_| *rng.pick(&self.all)).collect();
        some.into_iter().collect()
    }

    fn links(&self, rng: &mut Rng, from: MemoryId) -> Vec<Link> {
        let to = self.some(rng).into_iter().filter(|to| *to != from);
        to.map(|to| link(to, "about", 0.5)).collect()
    }

    async fn present(server: &TestServer, id: MemoryId) -> Memory {
        let found = server.test_engine().store.memory(TenantId::DEFAULT, id).await.expect("a store");
        found.expect("the memory is there").memory
    }

    /// Adds a memory: the job's, or another's, which is built on the job's work if one of its sources is.
    async fn add(&mut self, rng: &mut Rng, at: usize, is_jobs: bool) {
        let sources =
            if self.all.is_empty() || (!is_jobs && rng.below(2) == 0) { vec![] } else { self.some(rng) };
        let mut new = self.made_of(&format!("memory {at}"), &sources);
        new.memory.tags = vec![name("new")];
        let id = new.memory.id;
        let is_built_on = sources.iter().any(|id| self.affected.contains(id));
        if is_jobs && !self.all.is_empty() {
            new.memory.links = self.links(rng, id);
        }
        let set = ChangeSet { memories: vec![new], ..set() };
        if is_jobs {
            self.commit(&self.with_job, self.fixtures.made_by(self.job, set)).await;
        } else {
            self.commit(&self.with_job, set.clone()).await;
            if !is_built_on {
                self.commit(&self.without, set).await;
            }
        }
        self.all.push(id);
        self.note(id, is_jobs, is_built_on);
    }

    fn note(&mut self, id: MemoryId, is_jobs: bool, is_built_on: bool) {
        if is_jobs || is_built_on {
            self.affected.insert(id);
        }
        self.dependents += usize::from(!is_jobs && is_built_on);
    }

    /// Revises a memory: by the job, by another maker with memories in view, or by the caller.
    async fn revise(&mut self, rng: &mut Rng, at: usize, is_jobs: bool) {
        let id = *rng.pick(&self.all);
        let in_view = if !is_jobs && rng.below(2) == 0 { vec![] } else { self.some(rng) };
        let text = (rng.below(2) == 0).then(|| format!("text {at}"));
        let closes = rng.below(2) == 0;
        let links = (rng.below(2) == 0).then(|| self.links(rng, id));
        let links =
            links.filter(|links| is_jobs || links.iter().all(|link| !self.affected.contains(&link.to)));
        let is_built_on = self.affected.contains(&id) || in_view.iter().any(|id| self.affected.contains(id));
        let sources: Vec<Source> = in_view.iter().copied().map(Source::Memory).collect();
        for server in [&self.with_job, &self.without] {
            if std::ptr::eq(server, &self.without) && (is_jobs || is_built_on) {
                continue;
            }
            let mut revision = revised(&Self::present(server, id).await, text.as_deref());
            revision.rows.iter_mut().flatten().for_each(|row| row.vector = None);
            revision.memory.tags = vec![name(&format!("tag {at}"))];
            if closes {
                revision.memory.valid.end = Some(START.plus_days(1));
            }
            revision.memory.links = links.clone().unwrap_or(revision.memory.links);
            if !sources.is_empty() {
                revision = self.fixtures.revised_from(revision, &sources);
            }
            let set = ChangeSet { revisions: vec![revision], ..set() };
            let set = if is_jobs { self.fixtures.made_by(self.job, set) } else { set };
            self.commit(server, set).await;
        }
        self.note(id, is_jobs, is_built_on);
    }

    async fn work(&mut self, rng: &mut Rng, steps: usize) {
        for at in 0..steps {
            let is_jobs = at > 4 && rng.below(3) == 0;
            if at < 3 || rng.below(2) == 0 {
                self.add(rng, at, is_jobs).await;
            } else {
                self.revise(rng, at, is_jobs).await;
            }
        }
    }
}

#[tokio::test]
async fn after_an_undo_the_canonical_export_is_that_of_a_store_without_the_job() {
    for seed in seeds(8, 400) {
        let mut rng = Rng::new(seed);
        let mut pair = Pair::new().await;
        let steps = 6 + rng.below(20);
        pair.work(&mut rng, steps).await;
        let path = format!("/v1/jobs/{}/undo", pair.job);
        let before = canonical(&pair.with_job).await;
        let dry = pair.with_job.post(&path, &json!({"dry_run": true})).await;
        let planned: Undone = serde_json::from_slice(&dry.body).expect("an effect");
        assert_eq!(pair.dependents > 0, !planned.dependents.is_empty(), "seed {seed}: {planned:?}");
        if pair.dependents > 0 {
            let refused = pair.with_job.post(&path, &json!({})).await;
            assert_eq!(
                refused.problem(),
                (409, "undo_has_dependents".to_owned(), String::new()),
                "seed {seed}"
            );
            let problem: Problem = serde_json::from_slice(&refused.body).expect("a problem");
            let dependents: BTreeSet<_> = planned.dependents.iter().map(|one| one.memory_id).collect();
            assert_eq!(problem.memory_ids, Vec::from_iter(dependents), "seed {seed}");
        }
        assert_eq!(canonical(&pair.with_job).await, before, "seed {seed}: nothing has changed yet");
        let done = pair.with_job.post(&path, &json!({"with_dependents": true})).await;
        let undone: Undone = serde_json::from_slice(&done.body).expect("an effect");
        assert_eq!(undone.purge.is_some(), undone.done, "seed {seed}");
        assert_eq!(
            undone,
            Undone { done: undone.done, purge: undone.purge, ..planned },
            "seed {seed}: as planned"
        );
        assert_eq!(canonical(&pair.with_job).await, canonical(&pair.without).await, "seed {seed}");
        let again = pair.with_job.post(&path, &json!({"with_dependents": true})).await;
        let again: Undone = serde_json::from_slice(&again.body).expect("an effect");
        assert_eq!(again, Undone::default(), "seed {seed}");
        let check = pair.with_job.post("/v1/admin/check", &json!({})).await.json();
        let findings = check["findings"].as_array().expect("findings");
        assert!(findings.iter().all(|one| one["code"] == "missing_vector"), "seed {seed}: {check}");
    }
}

#[tokio::test]
async fn a_job_that_waits_is_not_undone() {
    let server = TestServer::working().await;
    server.stop_jobs().await;
    let job = server.post("/v1/admin/reindex", &json!({"embedder": "hashing-96"})).await.json();
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    let refused = server.post(&format!("{path}/undo"), &json!({})).await;
    assert_eq!(refused.problem(), (409, "job_not_over".to_owned(), String::new()));
    server.post(&format!("{path}/cancel"), &json!({})).await;
    let undone = server.post(&format!("{path}/undo"), &json!({})).await;
    assert_eq!(undone.json()["done"], false, "it made no memories");
    let unknown = server.post("/v1/jobs/01890a5d-ac96-774b-bcce-b30209900003/undo", &json!({})).await;
    assert_eq!(unknown.problem().1, "not_found");
}
