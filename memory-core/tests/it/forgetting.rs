//! Forgetting through the engine: a sweep forgets what its preview has shown, restores and pins bring memories back, and the
//! deletion after the grace period takes nothing that is not due itself.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use memory_core::Error;
use memory_core::domain::change::{ChangeSet, NewMemory, Outcome};
use memory_core::domain::clock::Clock as _;
use memory_core::domain::derivation::Source;
use memory_core::domain::forgotten::{Effect, Reason};
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::job::JobState;
use memory_core::domain::memory::Strength;
use memory_core::domain::scope::{Caller, Rights, Scope};
use memory_core::forgetting::plan::Change;
use memory_core::forgetting::request::{PreviewSweep, PreviewedSweep, RestoreForgotten, SweptMemory};
use memory_core::retention::{CurveId, Eviction, Policy, Rule};
use memory_core::store::{ForgottenFilter, IndexSource as _, Memories as _, Retention as _};
use memory_core::testing::fixtures::{Fixtures, owner};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, user};

const DAY_US: i64 = 86_400_000_000;

struct Bench {
    _directory: tempfile::TempDir,
    test: TestEngine,
    ann: Scope,
}

impl Bench {
    /// An engine with so many facts of Ann, which have just been learned.
    async fn with(facts: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let bench = Self { _directory: directory, test, ann: user("ann").unwrap() };
        let texts: Vec<String> = (0..facts).map(|number| format!("Ann counts to {number}")).collect();
        for some in texts.chunks(50) {
            let request = memories(&bench.ann, some.iter().map(|text| fact(text)).collect());
            bench.test.engine.remember_memories(&CALLER, request).await.unwrap();
        }
        bench
    }

    fn days_pass(&self, days: i64) {
        self.test.clock.advance_micros(days * DAY_US);
    }

    async fn use_policy(&self, policy: &Policy) {
        self.test.engine.set_forgetting_policy(&CALLER, &self.ann, Some(policy.clone())).await.unwrap();
    }

    async fn sweep(&self) {
        let job = self.test.engine.request_sweep(&CALLER, &self.ann, None, true).await.unwrap();
        assert_eq!((job.state, job.error), (JobState::Done, None));
    }

    async fn preview_page(&self, policy: Option<&Policy>, after: Option<MemoryId>) -> PreviewedSweep {
        let (scope, policy) = (self.ann.clone(), policy.cloned());
        let request = PreviewSweep { scope, policy, now: None, limit: 7, after };
        self.test.engine.preview_sweep(&CALLER, request).await.unwrap()
    }

    /// Preview, with the entries of all pages.
    async fn preview(&self, policy: Option<&Policy>) -> PreviewedSweep {
        let mut all = self.preview_page(policy, None).await;
        while all.has_more {
            let next = self.preview_page(policy, all.entries.last().map(|entry| entry.memory)).await;
            assert_eq!(next.counts, all.counts);
            all.entries.extend(next.entries);
            all.has_more = next.has_more;
        }
        all
    }

    async fn forgotten(&self) -> BTreeSet<MemoryId> {
        let listed = self
            .test
            .engine
            .forgotten(&CALLER, &self.ann, ForgottenFilter::default(), None, 1_000)
            .await
            .unwrap();
        listed.into_iter().map(|one| one.memory).collect()
    }

    async fn restore(&self, memories: Option<Vec<MemoryId>>) -> Vec<MemoryId> {
        self.restore_with(memories, true).await
    }

    async fn restore_with(&self, memories: Option<Vec<MemoryId>>, reinforce: bool) -> Vec<MemoryId> {
        let request = RestoreForgotten { scope: self.ann.clone(), memories, now: None, reinforce };
        self.test.engine.restore_forgotten(&CALLER, request).await.unwrap().restored
    }

    async fn last_seq(&self) -> u64 {
        let partition = self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
        self.test.store.extent(partition.unwrap()).await.unwrap().last_seq
    }

    async fn ids(&self) -> Vec<MemoryId> {
        let partition = self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
        let page = self.test.store.retention_page(partition.unwrap(), None, 10_000).await.unwrap();
        page.rows.into_iter().map(|row| row.memory).collect()
    }
}

fn excluding() -> Policy {
    Policy { effect: Some(Effect::Exclude), ..Policy::default() }
}

fn of(change: Change, entries: &[SweptMemory]) -> BTreeSet<MemoryId> {
    entries.iter().filter(|entry| entry.change == change).map(|entry| entry.memory).collect()
}

#[tokio::test]
async fn a_sweep_forgets_exactly_what_its_preview_has_shown_and_a_second_one_changes_nothing() {
    let bench = Bench::with(40).await;
    let policies = [
        excluding(),
        Policy { curve: CurveId::Wixted, effect: Some(Effect::Demote), ..excluding() },
        Policy { quota_memories: Some(11), eviction: Eviction::Random, ..excluding() },
        Policy { quota_memories: Some(3), rule: Rule::QuotaAlone, eviction: Eviction::Fifo, ..excluding() },
        Policy { curve: CurveId::None, ..excluding() },
    ];
    for policy in policies {
        bench.days_pass(1);
        let before = bench.forgotten().await;
        let preview = bench.preview(Some(&policy)).await;
        assert_eq!(bench.forgotten().await, before, "a preview changes nothing");
        bench.use_policy(&policy).await;
        assert_eq!(bench.preview(None).await, preview, "the stored policy has the same preview");
        bench.sweep().await;
        let after = bench.forgotten().await;
        let forget = of(Change::Forget, &preview.entries);
        let remember = of(Change::Remember, &preview.entries);
        assert_eq!(after.difference(&before).copied().collect::<BTreeSet<_>>(), forget);
        assert_eq!(before.difference(&after).copied().collect::<BTreeSet<_>>(), remember);
        let counts = &preview.counts;
        assert_eq!(counts.faded + counts.evicted, forget.len() as u64);
        assert_eq!(counts.by_kind.iter().map(|(_, count)| count).sum::<u64>(), forget.len() as u64);
        assert_eq!((counts.memories, counts.live), (40, 40 - after.len() as u64));
        if let Some(quota) = policy.quota_memories {
            assert!(counts.live <= quota);
        }
        let seq = bench.last_seq().await;
        bench.sweep().await;
        assert_eq!(bench.last_seq().await, seq, "a second sweep changes nothing");
        assert_eq!(bench.preview(None).await.entries, []);
    }
}

#[tokio::test]
async fn a_restored_memory_is_not_forgotten_again_at_once_and_a_pinned_one_never() {
    let bench = Bench::with(20).await;
    bench.use_policy(&excluding()).await;
    bench.days_pass(60);
    bench.sweep().await;
    let forgotten: Vec<MemoryId> = bench.forgotten().await.into_iter().collect();
    assert_eq!(forgotten.len(), 20);
    let (restored, pinned) = (vec![forgotten[0], forgotten[1]], forgotten[2]);
    assert_eq!(bench.restore(Some(restored.clone())).await, restored);
    assert_eq!(bench.restore(Some(restored.clone())).await, [], "they are not forgotten");
    bench.test.engine.pin(&CALLER, pinned, true).await.unwrap();
    assert!(!bench.forgotten().await.contains(&pinned), "a pin restores");
    bench.sweep().await;
    assert_eq!(bench.forgotten().await, forgotten[3..].iter().copied().collect());
    bench.days_pass(600);
    bench.sweep().await;
    assert_eq!(bench.forgotten().await.len(), 19);
    bench.test.engine.pin(&CALLER, pinned, false).await.unwrap();
    bench.sweep().await;
    assert_eq!(bench.forgotten().await.len(), 20);
    assert_eq!(bench.restore(None).await.len(), 20);
    assert_eq!(bench.forgotten().await.len(), 0);
    let nobody = bench.test.engine.pin(&CALLER, MemoryId(uuid::Uuid::nil()), true).await;
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_memory_that_faded_since_the_last_sweep_is_restored_by_its_id() {
    let bench = Bench::with(3).await;
    bench.use_policy(&excluding()).await;
    bench.days_pass(60);
    let ids = bench.ids().await;
    assert_eq!(bench.restore(Some(vec![ids[1]])).await, [ids[1]]);
    bench.sweep().await;
    assert_eq!(bench.forgotten().await, BTreeSet::from([ids[0], ids[2]]));
}

#[tokio::test]
async fn a_restoration_without_a_use_leaves_an_evicted_memory_as_it_was() {
    let bench = Bench::with(6).await;
    bench.use_policy(&Policy { quota_memories: Some(2), rule: Rule::QuotaAlone, ..excluding() }).await;
    bench.sweep().await;
    let evicted = bench.forgotten().await;
    assert_eq!(bench.restore_with(None, false).await, Vec::from_iter(evicted.clone()));
    let memories = bench.ids().await;
    let read = bench.test.engine.memory(&CALLER, memories[0]).await.unwrap().memory;
    assert_eq!((read.strength.uses.count(), bench.forgotten().await.len()), (0, 0));
    bench.sweep().await;
    assert_eq!(bench.forgotten().await, evicted, "the same are evicted again");
}

#[tokio::test]
async fn evicted_memories_stay_forgotten_until_they_are_restored() {
    let bench = Bench::with(10).await;
    let quota = Policy { quota_memories: Some(4), rule: Rule::QuotaAlone, ..excluding() };
    bench.use_policy(&quota).await;
    bench.sweep().await;
    let evicted = bench.forgotten().await;
    assert_eq!(evicted.len(), 6);
    let listed =
        bench.test.engine.forgotten(&CALLER, &bench.ann, ForgottenFilter::default(), None, 2).await.unwrap();
    assert!(listed.iter().all(|one| one.record.reason == Reason::Evicted && !one.excerpt.is_empty()));
    bench.use_policy(&Policy { quota_memories: None, effect: Some(Effect::Cold), ..quota }).await;
    bench.sweep().await;
    assert_eq!(bench.forgotten().await, evicted);
    let listed =
        bench.test.engine.forgotten(&CALLER, &bench.ann, ForgottenFilter::default(), None, 10).await.unwrap();
    assert!(listed.iter().all(|one| one.record.effect == Effect::Cold));
    assert_eq!(bench.restore(None).await.into_iter().collect::<BTreeSet<_>>(), evicted);
}

#[tokio::test]
async fn a_deletion_after_grace_takes_what_its_preview_has_shown_and_nothing_that_is_not_due() {
    let bench = Bench::with(6).await;
    let ids = bench.ids().await;
    let fixtures = Fixtures::default();
    // The engine counts its ids from 0 too.
    (0..1_000).for_each(|_| {
        fixtures.id();
    });
    let derived = |text: &str, from: MemoryId| -> NewMemory {
        let mut new = fixtures.made_of(fixtures.fact(text), &[Source::Memory(from)]);
        new.rows.iter_mut().for_each(|row| row.vector = None);
        new.memory.strength = Strength::new(0.5, 1.0, START);
        new
    };
    let (kept, gone) = (derived("kept", ids[0]), derived("gone", ids[1]));
    let (kept_id, gone_id) = (kept.memory.id, gone.memory.id);
    let set =
        ChangeSet { memories: vec![kept, gone], ..ChangeSet::new(TenantId::DEFAULT, owner("ann"), START) };
    assert!(matches!(bench.test.commit(set).await.unwrap(), Outcome::Committed(_)));
    bench.test.engine.pin(&CALLER, kept_id, true).await.unwrap();
    bench.test.engine.pin(&CALLER, ids[2], true).await.unwrap();
    let deleting = Policy { effect: Some(Effect::Delete), grace_days: 10, ..Policy::default() };
    bench.use_policy(&deleting).await;
    bench.days_pass(100);
    bench.sweep().await;
    assert_eq!(bench.ids().await.len(), 8, "the grace period begins with the sweep");
    bench.days_pass(10);
    let preview = bench.preview(None).await;
    let expected: BTreeSet<MemoryId> = [ids[1], ids[3], ids[4], ids[5], gone_id].into();
    assert_eq!(of(Change::Erase, &preview.entries), expected);
    assert_eq!(preview.counts.erased, 5);
    bench.sweep().await;
    let left: BTreeSet<MemoryId> = bench.ids().await.into_iter().collect();
    assert_eq!(left, [ids[0], ids[2], kept_id].into(), "what the pinned fact was made of waits");
    assert_eq!(bench.forgotten().await, [ids[0]].into());
    bench.sweep().await;
    assert_eq!(bench.ids().await.len(), 3);
}

#[tokio::test]
async fn a_sweep_as_of_the_past_begins_the_grace_period_and_shortens_none() {
    let bench = Bench::with(20).await;
    bench.use_policy(&Policy { effect: Some(Effect::Delete), ..Policy::default() }).await;
    bench.days_pass(100);
    let engine = &bench.test.engine;
    let present = bench.test.clock.now();
    let past = Some(present.plus_days(-35));
    let job = engine.request_sweep(&CALLER, &bench.ann, past, true).await.unwrap();
    assert_eq!((job.state, job.error), (JobState::Done, None));
    let found = bench.forgotten().await;
    assert!(found.len() > 10, "{} are found", found.len());
    let listed =
        engine.forgotten(&CALLER, &bench.ann, ForgottenFilter::default(), None, 1_000).await.unwrap();
    assert!(listed.iter().all(|one| one.record.recorded_at == present && one.record.since < present));
    bench.sweep().await;
    bench.days_pass(29);
    assert_eq!(bench.preview(None).await.counts.erased, 0);
    bench.sweep().await;
    assert_eq!(bench.ids().await.len(), 20, "nothing is erased within 30 days of the request");
    bench.days_pass(1);
    let job = engine.request_sweep(&CALLER, &bench.ann, past, true).await.unwrap();
    assert_eq!((job.state, bench.ids().await.len()), (JobState::Done, 20), "nor as of the past");
    assert!(bench.preview(None).await.counts.erased >= found.len() as u64);
    bench.sweep().await;
    assert!(bench.forgotten().await.is_disjoint(&found), "what was found is erased");
}

#[tokio::test]
async fn deleting_needs_the_right_to_delete() {
    let bench = Bench::with(1).await;
    let writer = Caller { rights: Rights { delete: false, ..Rights::ALL }, ..CALLER };
    let deleting = Policy { effect: Some(Effect::Delete), ..Policy::default() };
    let engine = &bench.test.engine;
    let refused = engine.set_forgetting_policy(&writer, &bench.ann, Some(deleting.clone())).await;
    assert!(matches!(refused, Err(Error::Forbidden { right: "delete" })));
    let refused = engine.may_set_forgetting_policy(&writer, &deleting, "forgetting");
    assert!(matches!(refused, Err(Error::Forbidden { right: "delete" })), "nor by an import");
    bench.use_policy(&deleting).await;
    let refused = engine.request_sweep(&writer, &bench.ann, None, false).await;
    assert!(matches!(refused, Err(Error::Forbidden { right: "delete" })));
}

#[tokio::test]
async fn an_owner_that_is_erased_while_a_sweep_waits_comes_back_with_nothing() {
    let bench = Bench::with(100).await;
    bench.use_policy(&excluding()).await;
    bench.days_pass(60);
    let engine = &bench.test.engine;
    let preview = engine.preview_owner_erasure(&CALLER, &bench.ann).await.unwrap();
    engine.request_sweep(&CALLER, &bench.ann, None, false).await.unwrap();
    engine.erase_owner(&CALLER, &bench.ann, &preview.confirmation, None).await.unwrap();
    for _ in 0..200 {
        let jobs = engine.jobs(&CALLER, &Default::default(), None, 10).await.unwrap();
        if jobs.iter().all(|job| job.state.is_over()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let jobs = engine.jobs(&CALLER, &Default::default(), None, 10).await.unwrap();
    assert!(jobs.iter().all(|job| job.kind != "forget" && job.state == JobState::Done), "{jobs:?}");
    assert_eq!(bench.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap(), None);
    assert!(!engine.forgetting_policy(&CALLER, &bench.ann).unwrap().is_own);
}

#[tokio::test]
async fn sweeps_are_requested_once_in_their_interval_for_owners_whose_policy_forgets() {
    let bench = Bench::with(3).await;
    let request = memories(&user("bob").unwrap(), vec![fact("Bob forgets nothing")]);
    bench.test.engine.remember_memories(&CALLER, request).await.unwrap();
    let due = async || bench.test.engine.request_due_sweeps(24).await.unwrap();
    bench.use_policy(&excluding()).await;
    assert_eq!(due().await, 1);
    assert_eq!(due().await, 0, "the interval is not over");
    bench.days_pass(1);
    assert_eq!(due().await, 1);
    bench.days_pass(60);
    bench.sweep().await;
    bench.use_policy(&Policy::default()).await;
    assert_eq!(due().await, 1, "what was forgotten is remembered");
    bench.sweep().await;
    bench.days_pass(1);
    assert_eq!((due().await, bench.forgotten().await.len()), (0, 0));
}
