//! Conditional draws through the engine: a preview as of a moment and the sweep as of it agree, repeated sweeps change nothing,
//! recalls hide what was drawn until it is restored, and an erased owner leaves nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use memory_core::Engine;
use memory_core::domain::clock::{Clock as _, FrozenClock};
use memory_core::domain::forgotten::{Effect, Reason};
use memory_core::domain::id::{CountingIds, MemoryId, PartitionId, TenantId};
use memory_core::domain::job::{JobFilter, JobState};
use memory_core::domain::scope::{Caller, Scope};
use memory_core::domain::time::Timestamp;
use memory_core::engine::Parts;
use memory_core::error::Error;
use memory_core::forgetting::plan::Change;
use memory_core::forgetting::request::{PreviewSweep, PreviewedSweep, RestoreForgotten};
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use memory_core::limits::Limits;
use memory_core::memories::fading::{LOW_RETENTION, ReadFading};
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::request::Recall;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::{CurveId, Policy, Rule};
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{ForgottenFilter, Memories as _, Retention as _};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, user};
use memory_core::think::settings::ThinkingSettings;

const FACTS: usize = 40;

struct Bench {
    _directory: tempfile::TempDir,
    test: TestEngine,
    ann: Scope,
}

fn drawing(effect: Effect) -> Policy {
    Policy {
        curve: CurveId::MemoryBankIntended,
        effect: Some(effect),
        rule: Rule::ConditionalDraw,
        ..Policy::default()
    }
}

impl Bench {
    /// An engine with facts of Ann that are learned at the start, under a policy that draws.
    async fn with(effect: Effect) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let bench = Self { _directory: directory, test, ann: user("ann").unwrap() };
        let facts = (0..FACTS).map(|number| fact(&format!("Ann counts to {number}"))).collect();
        bench.test.engine.remember_memories(&CALLER, memories(&bench.ann, facts)).await.unwrap();
        bench.use_policy(drawing(effect)).await;
        bench
    }

    async fn use_policy(&self, policy: Policy) {
        self.test.engine.set_forgetting_policy(&CALLER, &self.ann, Some(policy)).await.unwrap();
    }

    /// Sweeps as of a moment, which comes first if it is in the future.
    async fn sweep(&self, now: Timestamp) {
        let ahead = now.as_micros() - self.test.clock.now().as_micros();
        self.test.clock.advance_micros(ahead.max(0));
        let job = self.test.engine.request_sweep(&CALLER, &self.ann, Some(now), true).await.unwrap();
        assert_eq!((job.state, job.error), (JobState::Done, None));
    }

    async fn preview(&self, now: Option<Timestamp>) -> PreviewedSweep {
        let request = PreviewSweep { scope: self.ann.clone(), policy: None, now, limit: 100, after: None };
        self.test.engine.preview_sweep(&CALLER, request).await.unwrap()
    }

    async fn forgotten(&self) -> BTreeSet<MemoryId> {
        let listed = self
            .test
            .engine
            .forgotten(&CALLER, &self.ann, ForgottenFilter::default(), None, 1_000)
            .await
            .unwrap();
        assert!(listed.iter().all(|one| one.record.reason == Reason::Drawn), "{listed:?}");
        listed.into_iter().map(|one| one.memory).collect()
    }

    async fn recalled(&self, now: Timestamp, include_forgotten: bool) -> BTreeSet<MemoryId> {
        let asked = question(&self.ann, "Ann counts");
        let asked = Recall { now: Some(now), include_forgotten, limit: 50, ..asked };
        let recalled = self.test.engine.recall(&CALLER, asked).await.unwrap();
        recalled.memories.iter().map(|one| one.memory.id).collect()
    }

    async fn partition(&self) -> Option<PartitionId> {
        self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap()
    }
}

fn day(number: i64) -> Timestamp {
    START.plus_days(number)
}

#[tokio::test]
async fn a_sweep_draws_what_the_preview_as_of_its_moment_has_shown_and_a_repeated_one_changes_nothing() {
    let bench = Bench::with(Effect::Exclude).await;
    let partition = bench.partition().await.unwrap();
    let mut before = BTreeSet::new();
    for number in [1, 2, 5, 9] {
        let preview = bench.preview(Some(day(number))).await;
        bench.sweep(day(number)).await;
        let after = bench.forgotten().await;
        let shown: BTreeSet<MemoryId> = preview.entries.iter().map(|entry| entry.memory).collect();
        assert_eq!(after.difference(&before).copied().collect::<BTreeSet<_>>(), shown, "day {number}");
        assert!(preview.entries.iter().all(|entry| entry.change == Change::Forget));
        assert!(preview.entries.iter().all(|entry| entry.retention < entry.threshold));
        assert!(before.is_subset(&after), "what was drawn stays so");
        assert_eq!((preview.counts.drawn, preview.counts.faded), (shown.len() as u64, 0));
        assert_eq!(preview.counts.live, (FACTS - after.len()) as u64);
        assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), Some(day(number)));
        for again in [day(number), day(number).plus_micros(-1), day(0)] {
            assert_eq!(bench.preview(Some(again)).await.entries, []);
            bench.sweep(again).await;
            assert_eq!(bench.forgotten().await, after, "day {number}, again as of {again}");
        }
        assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), Some(day(number)));
        before = after;
    }
    assert!((1..FACTS).contains(&before.len()), "{} are drawn", before.len());
}

#[tokio::test]
async fn a_drawn_memory_is_hidden_from_the_moment_of_its_sweep_until_it_is_restored_or_pinned() {
    for effect in [Effect::Exclude, Effect::Cold, Effect::Delete] {
        let bench = Bench::with(effect).await;
        bench.sweep(day(4)).await;
        let drawn = bench.forgotten().await;
        assert!(drawn.len() > 2, "{} are drawn", drawn.len());
        let all = bench.recalled(day(4), true).await;
        assert_eq!(all.len(), FACTS);
        let left: BTreeSet<MemoryId> = all.difference(&drawn).copied().collect();
        assert_eq!(bench.recalled(day(4), false).await, left, "{effect:?}");
        assert_eq!(bench.recalled(day(4).plus_micros(-1), false).await, all, "{effect:?}: a moment before");
        // Another rule leaves it as it is.
        let mut others = Policy { rule: Rule::QuotaAlone, ..drawing(effect) };
        bench.use_policy(others.clone()).await;
        bench.sweep(day(5)).await;
        assert_eq!(
            (bench.forgotten().await, bench.recalled(day(5), false).await),
            (drawn.clone(), left.clone())
        );
        let [restored, pinned] = [drawn.first(), drawn.last()].map(|id| *id.unwrap());
        let request = RestoreForgotten {
            scope: bench.ann.clone(),
            memories: Some(vec![restored]),
            now: Some(day(5)),
            reinforce: true,
        };
        assert_eq!(bench.test.engine.restore_forgotten(&CALLER, request).await.unwrap().restored, [restored]);
        bench.test.engine.pin(&CALLER, pinned, true).await.unwrap();
        bench.use_policy(drawing(effect)).await;
        bench.sweep(day(5)).await;
        let recalled = bench.recalled(day(5), false).await;
        assert!(recalled.contains(&restored) && recalled.contains(&pinned), "{effect:?}");
        others.effect = None;
        bench.use_policy(others).await;
        assert_eq!(
            bench.recalled(day(6), false).await,
            all,
            "{effect:?}: nothing is forgotten without an effect"
        );
        bench.sweep(day(6)).await;
        assert_eq!(bench.forgotten().await, BTreeSet::new());
    }
}

#[tokio::test]
async fn a_drawn_memory_is_erased_after_the_grace_period() {
    let bench = Bench::with(Effect::Delete).await;
    bench.use_policy(Policy { grace_days: 3, ..drawing(Effect::Delete) }).await;
    bench.sweep(day(4)).await;
    let drawn = bench.forgotten().await;
    bench.sweep(day(6)).await;
    let of_both = bench.forgotten().await;
    assert!(drawn.is_subset(&of_both));
    assert_eq!(bench.preview(Some(day(7))).await.counts.erased, drawn.len() as u64);
    bench.sweep(day(7)).await;
    assert!(bench.forgotten().await.is_disjoint(&drawn));
    assert!(bench.recalled(day(7), true).await.is_disjoint(&drawn));
}

#[tokio::test]
async fn a_sweep_as_of_the_future_is_refused_and_draws_go_on() {
    let bench = Bench::with(Effect::Exclude).await;
    let partition = bench.partition().await.unwrap();
    let engine = &bench.test.engine;
    for now in [START.plus_micros(60_000_001), day(30), Timestamp::MAX] {
        let refused = engine.request_sweep(&CALLER, &bench.ann, Some(now), true).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field, .. } if field == "now"), "{refused}");
        bench.preview(Some(now)).await;
    }
    assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), None);
    let skewed = Some(START.plus_micros(60_000_000));
    let job = engine.request_sweep(&CALLER, &bench.ann, skewed, true).await.unwrap();
    assert_eq!(job.state, JobState::Done, "the clocks of callers differ");
    bench.sweep(day(9)).await;
    assert!(!bench.forgotten().await.is_empty());
}

#[tokio::test]
async fn an_erased_owner_leaves_no_moment_of_a_check_and_a_sweep_of_it_is_done_at_once() {
    let bench = Bench::with(Effect::Exclude).await;
    bench.sweep(day(1)).await;
    let partition = bench.partition().await.unwrap();
    assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), Some(day(1)));
    let engine = &bench.test.engine;
    let preview = engine.preview_owner_erasure(&CALLER, &bench.ann).await.unwrap();
    engine.erase_owner(&CALLER, &bench.ann, &preview.confirmation, None).await.unwrap();
    assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), None);
    for waits in [false, true] {
        let job = engine.request_sweep(&CALLER, &bench.ann, None, waits).await.unwrap();
        assert_eq!(job.state, JobState::Done);
    }
    let jobs = engine.jobs(&CALLER, &Default::default(), None, 10).await.unwrap();
    assert!(jobs.iter().all(|job| job.kind == "erase_owner" && job.owner.is_none()), "{jobs:?}");
    engine.remember_memories(&CALLER, memories(&bench.ann, vec![fact("Ann is back")])).await.unwrap();
    let partition = bench.partition().await.unwrap();
    assert_eq!(bench.test.store.checked_at(partition).await.unwrap(), None, "a new beginning");
}

/// Nobody knows when a memory will be drawn, so that the list has no moments.
#[tokio::test]
async fn the_list_of_fading_memories_has_those_of_low_retention_under_draws() {
    let bench = Bench::with(Effect::Exclude).await;
    let mut important = fact("Ann is allergic to nuts");
    important.importance = Some(0.9);
    bench.test.engine.remember_memories(&CALLER, memories(&bench.ann, vec![important])).await.unwrap();
    let listed = async |within_days, now| {
        let scope = bench.ann.clone();
        let request = ReadFading { scope, within_days, limit: 10, now: Some(now) };
        bench.test.engine.fading(&CALLER, request).await.unwrap()
    };
    assert_eq!(listed(3, day(0)).await.memories, [], "e^(-3/5) is more than a half");
    let found = listed(4, day(0)).await;
    let [one] = found.memories.as_slice() else { panic!("one is worth refreshing: {found:?}") };
    assert_eq!((found.total, one.fades_at), (1, None));
    assert!(listed(1, day(9)).await.memories[0].retention < LOW_RETENTION);
    assert_eq!(one.excerpt, "Ann is allergic to nuts");
}

#[tokio::test]
async fn interval_sweeps_under_the_default_policy_cover_the_owners_of_all_tenants() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap());
    let options = EmbeddedIndexOptions { budget_bytes: 64 << 20, threads: 1, inline_rows: 1_000 };
    let parts = Parts {
        store: store.clone(),
        index: Arc::new(EmbeddedIndex::new(store.clone(), Arc::default(), options)),
        embedder: Arc::new(HashingEmbedder::new(64)),
        reranker: None,
        forgetting: drawing(Effect::Exclude),
        clock: Arc::new(FrozenClock::at(START)),
        ids: Arc::new(CountingIds::default()),
        limits: Limits::default(),
        recall: RecallSettings::default(),
        thinking: ThinkingSettings::default(),
    };
    let engine = Engine::start(parts).await.unwrap();
    let elsewhere = Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), ..CALLER };
    for (caller, name) in [(&CALLER, "ann"), (&elsewhere, "ann"), (&elsewhere, "bob")] {
        let request = memories(&user(name).unwrap(), vec![fact("Tea is green")]);
        engine.remember_memories(caller, request).await.unwrap();
    }
    let own = Policy { effect: None, ..Policy::default() };
    engine.set_forgetting_policy(&elsewhere, &user("bob").unwrap(), Some(own)).await.unwrap();
    assert_eq!(engine.request_due_sweeps(24).await.unwrap(), 2, "both called Ann; Bob forgets nothing");
    for caller in [&CALLER, &elsewhere] {
        let jobs = engine.jobs(caller, &JobFilter::default(), None, 10).await.unwrap();
        assert_eq!(jobs.iter().filter(|job| job.kind == "forget").count(), 1);
    }
}
