//! Undo through the engine: what a job made goes, what was before comes back, and what was built on it goes with it or
//! the undo is refused. The content of the store is compared with that of one in which the job never ran.
#![expect(clippy::unwrap_used, reason = "tests")]

use memory_core::Error;
use memory_core::domain::change::{ChangeSet, Idempotency, NewMemory, Operation, Outcome};
use memory_core::domain::derivation::Source;
use memory_core::domain::id::{JobId, MemoryId, TenantId};
use memory_core::domain::job::Job;
use memory_core::domain::memory::{Memory, Strength};
use memory_core::domain::scope::{Caller, Rights};
use memory_core::domain::undo::VersionId;
use memory_core::index::Index;
use memory_core::memories::request::{Edit, UndoRequest, Undone};
use memory_core::store::{Jobs, Memories};
use memory_core::testing::fixtures::{Fixtures, keyed_request, link, name, owner, revised};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, user};

/// An engine, and sets of a job that is over.
struct Bench {
    _directory: tempfile::TempDir,
    test: TestEngine,
    fixtures: Fixtures,
    job: JobId,
}

const ALONE: UndoRequest = UndoRequest { dry_run: false, with_dependents: false, idempotency: None };
const WITH_DEPENDENTS: UndoRequest = UndoRequest { with_dependents: true, ..ALONE };
const DRY: UndoRequest = UndoRequest { dry_run: true, ..ALONE };

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let fixtures = Fixtures::default();
        // The engine counts its ids from 0 too.
        for _ in 0..1_000 {
            fixtures.id();
        }
        let job = JobId(fixtures.id());
        let bench = Self { _directory: directory, test, fixtures, job };
        bench.enqueue(job).await;
        bench.test.store.cancel(TenantId::DEFAULT, job, START).await.unwrap();
        bench
    }

    /// A job without a handler, which waits.
    async fn enqueue(&self, job: JobId) {
        let job = Job::new(job, TenantId::DEFAULT, "think", "{}".to_owned(), START);
        self.test.store.enqueue(job).await.unwrap();
    }

    async fn remember(&self, texts: &[&str]) -> Vec<MemoryId> {
        let request = memories(&user("ann").unwrap(), texts.iter().map(|text| fact(text)).collect());
        self.test.engine.remember_memories(&CALLER, request).await.unwrap().memories
    }

    fn set(&self) -> ChangeSet {
        ChangeSet::new(TenantId::DEFAULT, owner("ann"), START)
    }

    /// Fact made of memories.
    fn made_of(&self, text: &str, of: &[MemoryId]) -> NewMemory {
        let mut new = self.fixtures.fact(text);
        new.rows.iter_mut().for_each(|row| row.vector = None);
        let sources: Vec<Source> = of.iter().copied().map(Source::Memory).collect();
        self.fixtures.made_of(new, &sources)
    }

    async fn commit(&self, set: ChangeSet) {
        let outcome = self.test.commit(set).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed(_)));
    }

    /// The job's work on memories 0 and 1: a new fact that supersedes the first, and a link between the two.
    async fn think(&self, ids: &[MemoryId]) -> MemoryId {
        let mut new = self.made_of("Ann lives in Lisbon", &ids[..2]);
        new.memory.tags = vec![name("home")];
        new.memory.links = vec![link(ids[0], "supersedes", 1.0)];
        let id = new.memory.id;
        let mut closed = revised(&self.present(ids[0]).await, None);
        closed.memory.valid.end = Some(START);
        closed.memory.links = vec![link(id, "superseded by", 1.0)];
        let closed = self.fixtures.revised_from(closed, &[Source::Memory(ids[1])]);
        let set = ChangeSet { memories: vec![new], revisions: vec![closed], ..self.set() };
        self.commit(self.fixtures.made_by(self.job, set)).await;
        id
    }

    async fn present(&self, id: MemoryId) -> Memory {
        self.test.engine.memory(&CALLER, id).await.unwrap().memory
    }

    async fn undo(&self, request: UndoRequest) -> Result<Undone, Error> {
        self.test.engine.undo_job(&CALLER, self.job, request).await
    }

    /// All memories of Ann without what an audit asks for, in the order of ids.
    async fn content(&self) -> Vec<Memory> {
        let partition =
            self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap().unwrap();
        assert_eq!(
            self.test.index.differences(partition).await.unwrap(),
            0,
            "the index agrees with the store"
        );
        assert_eq!(self.test.engine.check(&CALLER, false).await.unwrap().damage, []);
        let request = memory_core::memories::request::ListMemories {
            scope: user("ann").unwrap(),
            filter: memory_core::domain::filter::Filter::everything(),
            newest_first: false,
            limit: 1_000,
            after: None,
        };
        let listed = self.test.engine.list(&CALLER, request).await.unwrap().memories;
        let strength = |memory: &Memory| Strength::new(memory.strength.importance, 1.0, START);
        listed
            .into_iter()
            .map(|memory| Memory {
                version: 1,
                recorded_at: START,
                derivation: None,
                strength: strength(&memory),
                ..memory
            })
            .collect()
    }
}

const TEXTS: [&str; 3] = ["Ann lives in Porto", "Ann moved to Lisbon", "Ann likes tea"];

fn version(memory: MemoryId, version: u32) -> VersionId {
    VersionId { memory, version }
}

#[tokio::test]
async fn an_undone_job_leaves_the_store_as_if_it_had_never_run() {
    let bench = Bench::new().await;
    let ids = bench.remember(&TEXTS).await;
    let before = bench.content().await;
    let new = bench.think(&ids).await;
    assert_ne!(bench.content().await, before);
    let planned = bench.undo(DRY).await.unwrap();
    let undone = bench.undo(ALONE).await.unwrap();
    assert_eq!(planned, Undone { is_done: false, ..undone.clone() });
    assert_eq!((undone.restored, undone.erased), (vec![version(ids[0], 3)], vec![new]));
    assert_eq!((undone.dependents, undone.left, undone.derivations.len()), (vec![], vec![], 2));
    assert_eq!(bench.content().await, before);
    assert_eq!(bench.undo(ALONE).await.unwrap(), Undone::default(), "nothing is left to take back");
    let answer = bench.test.engine.recall(&CALLER, question(&user("ann").unwrap(), "Porto")).await.unwrap();
    assert_eq!(answer.memories[0].memory.id, ids[0]);
}

#[tokio::test]
async fn later_work_is_listed_and_goes_with_it_or_the_undo_is_refused() {
    let bench = Bench::new().await;
    let ids = bench.remember(&TEXTS).await;
    let before = bench.content().await;
    let new = bench.think(&ids).await;
    // Another mechanism derives from the new fact, evolves the third one with it in view, and the caller edits the first.
    let derived = bench.made_of("Ann lives by the sea", &[new]);
    let derived_id = derived.memory.id;
    let mut evolved = revised(&bench.present(ids[2]).await, None);
    evolved.memory.tags = vec![name("Lisbon")];
    let evolved = bench.fixtures.revised_from(evolved, &[Source::Memory(derived_id)]);
    bench.commit(ChangeSet { memories: vec![derived], ..bench.set() }).await;
    bench.commit(ChangeSet { revisions: vec![evolved], ..bench.set() }).await;
    let edit = Edit { text: Some("Ann lived in Porto".to_owned()), ..Edit::default() };
    bench.test.engine.edit(&CALLER, ids[0], edit, None).await.unwrap();

    let mut expected = vec![version(ids[0], 3), version(ids[2], 2), version(derived_id, 1)];
    expected.sort_unstable();
    let changed = bench.content().await;
    match bench.undo(ALONE).await {
        Err(Error::UndoHasDependents { dependents }) => assert_eq!(dependents, expected),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.undo(DRY).await.unwrap().dependents, expected);
    assert_eq!(bench.content().await, changed, "neither a refusal nor a dry run changes anything");

    let undone = bench.undo(WITH_DEPENDENTS).await.unwrap();
    let (mut restored, mut erased) = (vec![version(ids[0], 4), version(ids[2], 3)], vec![new, derived_id]);
    restored.sort_unstable();
    erased.sort_unstable();
    assert_eq!((undone.restored, undone.erased, undone.dependents), (restored, erased, expected));
    assert_eq!(bench.content().await, before);
    assert_eq!(bench.undo(WITH_DEPENDENTS).await.unwrap(), Undone::default());
}

#[tokio::test]
async fn a_job_that_is_not_over_is_not_undone() {
    let bench = Bench::new().await;
    let waiting = JobId(bench.fixtures.id());
    bench.enqueue(waiting).await;
    let refused = bench.test.engine.undo_job(&CALLER, waiting, ALONE).await;
    assert!(matches!(&refused, Err(Error::JobNotOver { state: "waiting", .. })), "{refused:?}");
    bench.test.store.claim(&["think"], START, 1_000).await.unwrap().unwrap();
    let refused = bench.test.engine.undo_job(&CALLER, waiting, ALONE).await;
    assert!(matches!(&refused, Err(Error::JobNotOver { state: "running", .. })), "{refused:?}");
    let unknown = bench.test.engine.undo_job(&CALLER, JobId(bench.fixtures.id()), ALONE).await;
    assert!(matches!(&unknown, Err(Error::NotFound { what: "job", .. })), "{unknown:?}");
    assert_eq!(bench.undo(ALONE).await.unwrap(), Undone::default(), "it made nothing");
}

#[tokio::test]
async fn a_change_is_undone_with_the_changes_after_it() {
    let bench = Bench::new().await;
    let id = bench.remember(&TEXTS).await[0];
    let engine = &bench.test.engine;
    for text in ["second", "third"] {
        let edit = Edit { text: Some(text.to_owned()), ..Edit::default() };
        engine.edit(&CALLER, id, edit, None).await.unwrap();
    }
    for wrong in [0, 4] {
        let refused = engine.undo_change(&CALLER, id, Some(wrong), ALONE).await;
        assert!(matches!(&refused, Err(Error::Invalid { field, .. }) if field == "version"), "{refused:?}");
    }
    let undone = engine.undo_change(&CALLER, id, None, ALONE).await.unwrap();
    assert_eq!(undone.restored, [version(id, 4)]);
    assert_eq!(bench.present(id).await.text, "second");
    assert_eq!(engine.undo_change(&CALLER, id, None, ALONE).await.unwrap(), Undone::default());
    let edit = Edit { text: Some("fifth".to_owned()), ..Edit::default() };
    engine.edit(&CALLER, id, edit, None).await.unwrap();
    let refused = engine.undo_change(&CALLER, id, Some(2), ALONE).await;
    assert!(
        matches!(&refused, Err(Error::UndoHasDependents { dependents }) if *dependents == [version(id, 5)])
    );
    engine.undo_change(&CALLER, id, Some(2), WITH_DEPENDENTS).await.unwrap();
    let present = bench.present(id).await;
    assert_eq!((present.text.as_str(), present.version), (TEXTS[0], 6));
    let undone = engine.undo_change(&CALLER, id, Some(1), ALONE).await.unwrap();
    assert_eq!(undone.erased, [id]);
    let gone = engine.undo_change(&CALLER, id, Some(1), ALONE).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_repeated_undo_is_answered_like_the_first() {
    let bench = Bench::new().await;
    let id = bench.remember(&TEXTS).await[0];
    let keyed = |operation, hash| -> Option<Idempotency> { Some(keyed_request(operation, "k", hash)) };
    let request = UndoRequest { idempotency: keyed(Operation::UndoChange, 1), ..ALONE };
    let first = bench.test.engine.undo_change(&CALLER, id, None, request.clone()).await.unwrap();
    let again = bench.test.engine.undo_change(&CALLER, id, None, request).await.unwrap();
    assert_eq!((again.is_repeated, &again.erased), (true, &first.erased));
}

#[tokio::test]
async fn an_undo_needs_the_rights_of_what_it_does() {
    let bench = Bench::new().await;
    let ids = bench.remember(&TEXTS).await;
    bench.think(&ids).await;
    let none = Rights { read: false, write: false, delete: false, admin: false };
    for (rights, request, missing) in [
        (none, DRY, "read"),
        (Rights { read: true, ..none }, ALONE, "write"),
        (Rights { write: true, ..none }, ALONE, "delete"),
    ] {
        let refused = bench.test.engine.undo_job(&Caller { rights, ..CALLER }, bench.job, request).await;
        assert!(matches!(&refused, Err(Error::Forbidden { right }) if *right == missing), "{refused:?}");
    }
    let rights = Rights { write: true, delete: true, ..none };
    assert!(bench.test.engine.undo_job(&Caller { rights, ..CALLER }, bench.job, ALONE).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_among_other_writes_is_whole() {
    let bench = Bench::new().await;
    let ids = bench.remember(&TEXTS).await;
    let before = bench.present(ids[0]).await;
    let new = bench.think(&ids).await;
    let engine = bench.test.engine.clone();
    let other = ids[2];
    let editing = tokio::spawn(async move {
        for at in 0..20u8 {
            let edit = Edit { importance: Some(f64::from(at) / 20.0), ..Edit::default() };
            engine.edit(&CALLER, other, edit, None).await.unwrap();
        }
    });
    let undone = loop {
        match bench.undo(ALONE).await {
            Err(Error::ScopeChanged) => tokio::task::yield_now().await,
            outcome => break outcome.unwrap(),
        }
    };
    editing.await.unwrap();
    assert_eq!(undone.erased, [new]);
    let present = bench.present(ids[0]).await;
    assert_eq!((present.valid, present.links), (before.valid, before.links));
    assert_eq!(bench.present(other).await.version, 21);
    bench.content().await;
}
