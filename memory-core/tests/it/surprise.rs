//! Surprise through the engine: how near a new memory is to what its owner has is measured where the policy makes use of it, and
//! only there; what is unlike the rest outlives a repetition.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::{CountingIds, MemoryId, TenantId};
use memory_core::domain::memory::{DocumentName, Kind};
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::engine::{Engine, Parts};
use memory_core::forgetting::plan::Change;
use memory_core::forgetting::request::PreviewSweep;
use memory_core::index::IndexError;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::limits::Limits;
use memory_core::memories::request::Edit;
use memory_core::memories::retention::ReadRetention;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::remember::request::MemoryToRemember;
use memory_core::retention::{Policy, Rule};
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Memories as _, Retention as _};
use memory_core::testing::fixtures::{name, owner};
use memory_core::testing::hooked_index::{HookedIndex, Hooks};
use memory_core::testing::{CALLER, START, fact, memories, turn, turns, user};
use memory_core::think::settings::ThinkingSettings;

const DIMENSION: usize = 64;
const DAY_US: i64 = 86_400_000_000;

/// Behaviour of [`Nearests`].
const ANSWERS: usize = 0;
const FAILS: usize = 1;
const HANGS: usize = 2;

/// Counter of the calls for nearest memories, which may be left without an answer.
#[derive(Debug, Default)]
struct Nearests {
    behaviour: AtomicUsize,
    calls: AtomicUsize,
}

#[async_trait]
impl Hooks for Nearests {
    async fn before_nearest(&self) -> Result<(), IndexError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.behaviour.load(Ordering::SeqCst) {
            FAILS => Err(IndexError::Abandoned),
            HANGS => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

struct Bench {
    _directory: tempfile::TempDir,
    engine: Arc<Engine>,
    store: Arc<SqlStore>,
    index: Arc<HookedIndex<EmbeddedIndex, Nearests>>,
    clock: Arc<FrozenClock>,
}

impl Bench {
    /// An engine in which surprise has this gain for all owners.
    async fn with_gain(surprise_gain: f64) -> Self {
        Self::open(Policy { surprise_gain, ..Policy::default() }, Limits::default()).await
    }

    async fn open(forgetting: Policy, limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap());
        let inline_rows = EmbeddedIndexOptions::INLINE_ROWS;
        let options = EmbeddedIndexOptions { budget_bytes: 64 << 20, threads: 1, inline_rows };
        let inner = Arc::new(EmbeddedIndex::new(store.clone(), Arc::new(forgetting.clone()), options));
        let index = Arc::new(HookedIndex { inner, hooks: Nearests::default() });
        let clock = Arc::new(FrozenClock::at(START));
        let engine = Engine::start(Parts {
            store: store.clone(),
            index: index.clone(),
            embedder: Arc::new(HashingEmbedder::new(DIMENSION)),
            reranker: None,
            forgetting,
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            limits,
            recall: RecallSettings::default(),
            thinking: ThinkingSettings::default(),
        })
        .await
        .unwrap();
        Self { _directory: directory, engine, store, index, clock }
    }

    async fn learn(&self, of: &str, new: Vec<MemoryToRemember>) -> Vec<MemoryId> {
        let request = memories(&scope(of), new);
        self.engine.remember_memories(&CALLER, request).await.unwrap().memories
    }

    /// Stored cosines of the memories of an owner, in the order of `ids`.
    async fn cosines(&self, of: &str, ids: &[MemoryId]) -> Vec<Option<f32>> {
        let partition = self.store.partition_of(TenantId::DEFAULT, &owner(of)).await.unwrap().unwrap();
        let page = self.store.retention_page(partition, None, 2_000).await.unwrap();
        let of_id = |id: &MemoryId| page.rows.iter().find(|row| row.memory == *id).unwrap();
        ids.iter().map(|id| of_id(id).strength.nearest_cosine).collect()
    }

    /// Strength of a memory that was never used, under the policy of its owner.
    async fn strength(&self, id: MemoryId) -> f64 {
        let request = ReadRetention { curve: None, from: None, to: None, points: 2, now: None };
        self.engine.memory_retention(&CALLER, id, request).await.unwrap().curve_strength
    }

    /// Memories of Ann that a sweep under this policy would forget.
    async fn forgotten_by(&self, policy: Policy) -> BTreeSet<MemoryId> {
        let (scope, policy) = (scope("ann"), Some(policy));
        let request = PreviewSweep { scope, policy, now: None, limit: 1_000, after: None };
        let preview = self.engine.preview_sweep(&CALLER, request).await.unwrap();
        let forgotten = preview.entries.into_iter().filter(|entry| entry.change == Change::Forget);
        forgotten.map(|entry| entry.memory).collect()
    }

    fn calls(&self) -> usize {
        self.index.hooks.calls.load(Ordering::SeqCst)
    }
}

fn scope(of: &str) -> Scope {
    user(of).unwrap()
}

/// A fact whose vector has these components, and 0 for the others.
fn at(components: &[(usize, f32)]) -> MemoryToRemember {
    let mut vector = vec![0.0; DIMENSION];
    for (place, component) in components {
        vector[*place] = *component;
    }
    MemoryToRemember { vector: Some(vector), ..fact("it is so") }
}

fn assert_near(found: &[Option<f32>], expected: &[Option<f32>]) {
    let is_near = |(found, expected): (&Option<f32>, &Option<f32>)| match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 2e-3,
        (found, expected) => found == expected,
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_near),
        "{found:?} {expected:?}"
    );
}

#[tokio::test]
async fn a_policy_without_a_gain_by_surprise_measures_nothing() {
    let bench = Bench::with_gain(1.0).await;
    let mut ids = bench.learn("ann", vec![at(&[(0, 1.0)]), at(&[(1, 1.0)])]).await;
    ids.extend(bench.learn("ann", vec![at(&[(0, 1.0)])]).await);
    let said = turns(&scope("ann"), "s", vec![turn(Role::User, "the beagle sleeps", START)]).unwrap();
    ids.extend(bench.engine.remember_turns(&CALLER, said).await.unwrap().memories);
    assert_eq!(bench.cosines("ann", &ids).await, vec![None; 4]);
    assert_eq!(bench.calls(), 0, "the index was not asked");
}

#[tokio::test]
async fn the_nearest_memory_is_of_the_same_owner_and_was_there_before() {
    let bench = Bench::with_gain(4.0).await;
    let bobs = bench.learn("bob", vec![at(&[(1, 1.0)])]).await;
    let first = bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    assert_eq!(bench.calls(), 0, "neither had anything before");
    let then = vec![at(&[(0, 0.6), (1, 0.8)]), at(&[(1, 1.0)]), at(&[(2, -1.0)]), at(&[(0, 1.0), (3, 0.01)])];
    let later = bench.learn("ann", then).await;
    assert_eq!(bench.calls(), 1);
    assert_near(&bench.cosines("ann", &first).await, &[None]);
    assert_near(&bench.cosines("ann", &later).await, &[Some(0.6), Some(0.8), Some(0.0), Some(1.0)]);
    assert_near(&bench.cosines("bob", &bobs).await, &[None]);
    let said = ["the beagle is called Biscuit", "the beagle is called Biscuit", "taxes are due in spring"];
    let said = said.map(|text| turn(Role::User, text, START)).to_vec();
    let said = turns(&scope("mara"), "s", said).unwrap();
    let said = bench.engine.remember_turns(&CALLER, said).await.unwrap().memories;
    let cosines = bench.cosines("mara", &said).await;
    assert_near(&cosines[..2], &[None, Some(1.0)]);
    assert!(cosines[2].is_some_and(|cosine| cosine < 0.6), "{cosines:?}");
}

#[tokio::test]
async fn memories_of_one_request_are_measured_like_those_of_many() {
    let bench = Bench::with_gain(4.0).await;
    let new: Vec<MemoryToRemember> = (0..100_usize)
        .map(|number| {
            at(&[(number % 7, 1.0), (7 + number % 11, 0.5), (20 + number % 13, 0.25 + number as f32 / 100.0)])
        })
        .collect();
    let together = bench.learn("ann", new.clone()).await;
    let mut apart = Vec::new();
    for some in new.chunks(9) {
        apart.extend(bench.learn("bob", some.to_vec()).await);
    }
    let (together, apart) = (bench.cosines("ann", &together).await, bench.cosines("bob", &apart).await);
    assert!(together[1..].iter().all(Option::is_some), "{together:?}");
    assert_eq!(together, apart);
}

#[tokio::test]
async fn what_lies_beyond_the_bound_of_a_request_is_not_known() {
    let bench = Bench::with_gain(4.0).await;
    bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    let ids = bench.learn("ann", vec![at(&[(0, 1.0)]); 300]).await;
    assert_eq!(bench.calls(), 4);
    let cosines = bench.cosines("ann", &ids).await;
    assert!(cosines[..256].iter().all(Option::is_some) && cosines[256..].iter().all(Option::is_none));
}

#[tokio::test]
async fn an_index_that_fails_or_does_not_answer_fails_no_write() {
    let bench = Bench::with_gain(4.0).await;
    bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    for behaviour in [FAILS, HANGS] {
        bench.index.hooks.behaviour.store(behaviour, Ordering::SeqCst);
        let ids = bench.learn("ann", vec![at(&[(0, 1.0)]), at(&[(0, 1.0)])]).await;
        assert_eq!(bench.cosines("ann", &ids).await, [None, None]);
    }
    bench.index.hooks.behaviour.store(ANSWERS, Ordering::SeqCst);
    let ids = bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    assert_near(&bench.cosines("ann", &ids).await, &[Some(1.0)]);
}

#[tokio::test]
async fn memories_whose_vectors_are_made_later_stay_without_a_cosine() {
    let limits = Limits { chunks_embedded_at_once: 0, ..Limits::default() };
    let bench = Bench::open(Policy { surprise_gain: 4.0, ..Policy::default() }, limits).await;
    bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    let ids = bench.learn("ann", vec![fact("the beagle sleeps")]).await;
    assert_eq!((bench.cosines("ann", &ids).await, bench.calls()), (vec![None], 0));
}

#[tokio::test]
async fn a_memory_unlike_the_rest_outlives_a_repetition_under_a_quota_and_by_fading() {
    let bench = Bench::with_gain(4.0).await;
    bench.learn("ann", vec![at(&[(0, 1.0)])]).await;
    let unlike = bench.learn("ann", (1..31).map(|place| at(&[(place, 1.0)])).collect()).await;
    let repeated = bench.learn("ann", vec![at(&[(0, 1.0)]); 30]).await;
    bench.clock.advance_micros(2 * DAY_US);
    let fading = Policy { effect: Some(Effect::Exclude), surprise_gain: 4.0, ..Policy::default() };
    let forgotten = bench.forgotten_by(fading.clone()).await;
    let count = |ids: &[MemoryId]| ids.iter().filter(|id| forgotten.contains(id)).count();
    // R is e^-8 of a repetition after two days, and e^-0.5 of what is unlike the rest.
    assert!(count(&repeated) >= 29 && count(&unlike) <= 22, "{} {}", count(&repeated), count(&unlike));
    let quota = Policy { rule: Rule::QuotaAlone, quota_memories: Some(31), ..fading };
    assert_eq!(bench.forgotten_by(quota).await, repeated.iter().copied().collect());
}

#[tokio::test]
async fn a_policy_that_is_set_later_evaluates_what_was_measured() {
    let bench = Bench::with_gain(4.0).await;
    let first = bench.learn("ann", vec![at(&[(0, 1.0)])]).await[0];
    let other = bench.learn("ann", vec![at(&[(0, 0.5), (1, 0.75_f32.sqrt())])]).await[0];
    // A cosine of 0.5 is twice as far as the midpoint of 0.75, and half as far as that of 0.
    let cases = [
        (None, 4.0),
        (Some((1.0, 0.75)), 1.0),
        (Some((9.0, 0.0)), 1.0 / 3.0),
        (Some((9.0, 0.5)), 1.0),
        (Some((0.25, 0.75)), 0.25),
    ];
    for (gains, expected) in cases {
        let policy = gains.map(|(surprise_gain, surprise_midpoint)| Policy {
            surprise_gain,
            surprise_midpoint,
            ..Policy::default()
        });
        bench.engine.set_forgetting_policy(&CALLER, &scope("ann"), policy).await.unwrap();
        let found = bench.strength(other).await;
        assert!((found - expected).abs() < 0.02, "{found} {expected}");
        assert!((bench.strength(first).await - 1.0).abs() < 1e-9, "not known: no factor");
    }
}

#[tokio::test]
async fn the_cosine_stays_when_the_memory_changes_comes_again_or_its_nearest_is_erased() {
    let bench = Bench::with_gain(4.0).await;
    let nearest = bench.learn("ann", vec![at(&[(0, 1.0)])]).await[0];
    let keyed = MemoryToRemember { key: Some(name("k")), ..at(&[(0, 0.6), (1, 0.8)]) };
    let document = DocumentName { namespace: name("n"), key: name("k") };
    let document =
        MemoryToRemember { kind: Kind::Document, document: Some(document), ..at(&[(2, 0.8), (1, 0.6)]) };
    let ids = bench.learn("ann", vec![keyed.clone(), document.clone()]).await;
    let expected = [Some(0.6), Some(0.48)];
    assert_near(&bench.cosines("ann", &ids).await, &expected);
    let again = bench.learn("ann", vec![keyed, document]).await;
    assert_eq!(again, ids, "neither is new");
    assert_near(&bench.cosines("ann", &ids).await, &expected);
    let edit = Edit { text: Some("it was otherwise".to_owned()), ..Edit::default() };
    bench.engine.edit(&CALLER, ids[0], edit, None).await.unwrap();
    bench.engine.erase(&CALLER, nearest, None).await.unwrap();
    assert_near(&bench.cosines("ann", &ids).await, &expected);
}
