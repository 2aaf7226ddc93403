//! Recalls as uses: which of them are, of which memories, and with what evidence.

use memory_core::domain::clock::Clock as _;
use memory_core::domain::forgotten::Effect;
use memory_core::domain::grant::Selection;
use memory_core::domain::id::TenantId;
use memory_core::domain::memory::Visibility;
use memory_core::domain::scope::{Caller, Rights, Scope};
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::UseKind;
use memory_core::error::Error;
use memory_core::forgetting::request::RestoreForgotten;
use memory_core::limits::Limits;
use memory_core::recall::request::{Recall, RecallFeedback};
use memory_core::recall::signals::RequestedWeights;
use memory_core::retention::{Curve as _, MemoryBankPaper, Policy, Trace};
use memory_core::store::{AccessLog as _, Maintenance as _, Memories as _};
use memory_core::testing::fixtures::{name, owner};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question};

use super::{Bench, about_tea, scope, use_at};
use crate::grants::giving;

#[tokio::test]
async fn a_recall_is_a_use_of_what_it_puts_into_the_context() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green", "rain in Lisbon"]).await;
    let recalled = bench.recall(Recall { limit: 2, ..about_tea("ann") }).await;
    assert_eq!(recalled.context.memories.len(), 2);
    for id in &ids[..2] {
        assert_eq!(bench.uses(*id).await.newest(), [use_at(START, UseKind::InContext)]);
    }
    assert_eq!(bench.kinds(ids[2]).await, []);
    bench.pass_hours(2);
    bench.recall(Recall { budget_tokens: 0, ..about_tea("ann") }).await;
    assert_eq!(bench.kinds(ids[0]).await, [UseKind::InContext], "returned alone does not count by default");
    bench.set_policy("ann", Policy { counts_from: UseKind::Returned, ..Policy::default() }).await;
    bench.recall(Recall { budget_tokens: 0, ..about_tea("ann") }).await;
    assert_eq!(bench.kinds(ids[0]).await, [UseKind::InContext, UseKind::Returned]);
    bench.set_policy("ann", Policy { counts_from: UseKind::Cited, ..Policy::default() }).await;
    bench.pass_hours(2);
    bench.recall(about_tea("ann")).await;
    assert_eq!(bench.kinds(ids[0]).await.len(), 2, "only cited memories count");
}

#[tokio::test]
async fn recalls_within_the_refractory_interval_write_nothing() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green"]).await;
    bench.recall(about_tea("ann")).await;
    let after = bench.last_change("ann").await;
    for _ in 0..5 {
        bench.test.clock.advance_micros(60_000_000);
        bench.recall(about_tea("ann")).await;
    }
    assert_eq!(bench.last_change("ann").await, after);
    assert_eq!(bench.uses(ids[0]).await.newest(), [use_at(START, UseKind::InContext)]);
    bench.pass_hours(1);
    bench.recall(about_tea("ann")).await;
    assert_eq!(bench.uses(ids[0]).await.count(), 2);
    assert_eq!(bench.last_change("ann").await, after + 2, "one entry for each memory");
}

#[tokio::test]
async fn recalls_of_one_interval_are_one_use_and_one_entry_of_the_change_log() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    bench.set_policy("ann", Policy { refractory_seconds: 0, ..Policy::default() }).await;
    let before = bench.last_change("ann").await;
    for _ in 0..20 {
        bench.test.engine.recall(&CALLER, about_tea("ann")).await.unwrap();
        bench.test.clock.advance_micros(1);
    }
    bench.test.settle().await;
    let uses = bench.uses(ids[0]).await;
    assert_eq!(uses.count(), 20, "without an interval each is a use");
    let entries = bench.last_change("ann").await - before;
    assert!((1..=5).contains(&entries), "{entries} entries for 20 recalls");
}

#[tokio::test]
async fn a_recall_with_a_pinned_clock_is_a_use_only_if_it_says_so() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    let later = START.plus_days(3);
    bench.recall(Recall { now: Some(later), ..about_tea("ann") }).await;
    bench.recall(Recall { reinforce: Some(false), ..about_tea("ann") }).await;
    assert_eq!(bench.kinds(ids[0]).await, []);
    bench.pass_hours(100);
    bench.recall(Recall { now: Some(later), reinforce: Some(true), ..about_tea("ann") }).await;
    assert_eq!(bench.uses(ids[0]).await.newest(), [use_at(later, UseKind::InContext)]);
}

#[tokio::test]
async fn uses_in_the_future_are_refused_so_that_none_takes_the_place_of_real_ones() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    let recall = bench.recall(about_tea("ann")).await.id;
    let (before, engine) = (bench.uses(ids[0]).await, &bench.test.engine);
    for now in [START.plus_micros(60_000_001), Timestamp::MAX] {
        let asked = Recall { now: Some(now), reinforce: Some(true), ..about_tea("ann") };
        let feedback = RecallFeedback {
            scope: scope("ann"),
            used: ids.clone(),
            confirmed: Vec::new(),
            contradicted: Vec::new(),
            now: Some(now),
        };
        let restore = RestoreForgotten {
            scope: scope("ann"),
            memories: Some(ids.clone()),
            now: Some(now),
            reinforce: true,
        };
        let refusals = [
            engine.recall(&CALLER, asked.clone()).await.unwrap_err(),
            engine.recall_feedback(&CALLER, recall, feedback).await.unwrap_err(),
            engine.restore_forgotten(&CALLER, restore).await.unwrap_err(),
        ];
        for refused in refusals {
            assert!(matches!(&refused, Error::Invalid { field, .. } if field == "now"), "{refused}");
        }
        bench.recall(Recall { reinforce: None, ..asked }).await;
    }
    bench.test.settle().await;
    assert_eq!(bench.uses(ids[0]).await, before);
    bench.pass_hours(3);
    bench.recall(about_tea("ann")).await;
    assert_eq!(bench.uses(ids[0]).await.newest().len(), 2, "a real use counts");
}

#[tokio::test]
async fn a_look_at_forgotten_memories_brings_none_back_unless_it_asks_for_it() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    let policy = Policy { effect: Some(Effect::Exclude), ..Policy::default() };
    bench.set_policy("ann", policy).await;
    bench.pass_hours(24 * 1_000);
    let looked = Recall { include_forgotten: true, ..about_tea("ann") };
    let found = async |request: Recall| bench.recall(request).await.memories.len();
    for _ in 0..2 {
        assert_eq!((found(looked.clone()).await, found(about_tea("ann")).await), (1, 0));
    }
    assert_eq!(bench.kinds(ids[0]).await, []);
    found(Recall { reinforce: Some(true), ..looked }).await;
    bench.test.settle().await;
    assert_eq!(found(about_tea("ann")).await, 1);
}

#[tokio::test]
async fn a_replay_with_pinned_clocks_records_the_uses_of_the_original() {
    let (original, replay) = (Bench::new().await, Bench::new().await);
    replay.pass_hours(24);
    let texts = ["ann drinks tea", "the tea is green", "tea with milk", "no coffee"];
    let (ids, copies) = (original.facts("ann", &texts).await, replay.facts("ann", &texts).await);
    for (step, query) in ["tea", "green tea", "milk", "coffee", "tea", "green"].into_iter().enumerate() {
        original.test.clock.advance_micros(i64::try_from(step).unwrap() * 2_000_000_000);
        let request = Recall { limit: 2, ..question(&scope("ann"), query) };
        original.recall(request.clone()).await;
        let now = Some(original.now());
        replay.recall(Recall { now, reinforce: Some(true), ..request }).await;
    }
    for (id, copy) in ids.iter().zip(&copies) {
        assert_eq!(original.uses(*id).await, replay.uses(*copy).await);
    }
    assert!(original.uses(ids[0]).await.count() > 1);
}

#[tokio::test]
async fn a_caller_who_may_only_read_changes_nothing_of_the_memories() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    let reader =
        Caller { rights: Rights { write: false, delete: false, admin: false, ..Rights::ALL }, ..CALLER };
    let engine = &bench.test.engine;
    engine.recall(&reader, about_tea("ann")).await.unwrap();
    let asked = Recall { reinforce: Some(true), ..about_tea("ann") };
    assert_eq!(engine.recall(&reader, asked).await.unwrap_err().code(), "forbidden");
    bench.test.settle().await;
    assert_eq!(bench.kinds(ids[0]).await, []);
}

#[tokio::test]
async fn a_recall_of_others_is_no_use_of_granted_or_shared_memories() {
    let bench = Bench::new().await;
    let granted = bench.facts("ann", &["ann drinks tea"]).await[0];
    let own = bench.facts("bob", &["bob drinks tea"]).await[0];
    let planner = Scope { agent: Some(name("planner")), ..Scope::default() };
    let with_planner = Scope { agent: planner.agent.clone(), ..scope("ann") };
    let mut shared = fact("tea for the planner");
    shared.visibility = Visibility::Shared;
    let engine = &bench.test.engine;
    let added = engine.remember_memories(&CALLER, memories(&with_planner, vec![shared])).await.unwrap();
    let given = giving("ann", &scope("bob"), Selection::Memories(vec![granted]));
    engine.give_grant(&CALLER, given).await.unwrap();
    let recalled = bench.recall(about_tea("bob")).await;
    assert_eq!(recalled.memories.len(), 2);
    assert_eq!((bench.kinds(granted).await.len(), bench.kinds(own).await.len()), (0, 1));
    let recalled = bench.recall(question(&planner, "tea")).await;
    assert_eq!(recalled.memories.len(), 1);
    assert_eq!(bench.kinds(added.memories[0]).await, []);
    bench.recall(about_tea("ann")).await;
    assert_eq!((bench.kinds(granted).await.len(), bench.kinds(added.memories[0]).await.len()), (1, 1));
}

#[tokio::test]
async fn the_ranking_follows_a_use() {
    let bench = Bench::new().await;
    let id = bench.facts("ann", &["ann drinks tea"]).await[0];
    let weights = RequestedWeights { retention: Some(1.0), ..RequestedWeights::default() };
    let retention = async |days| {
        let now = Some(START.plus_days(days));
        let recalled = bench.recall(Recall { now, weights, ..about_tea("ann") }).await;
        recalled.memories[0].explain.retention.unwrap().retention
    };
    let before = retention(6).await;
    bench.pass_hours(5 * 24);
    bench.recall(about_tea("ann")).await;
    let strength = bench.test.store.memory(TenantId::DEFAULT, id).await.unwrap().unwrap().memory.strength;
    let expected = MemoryBankPaper.retention(&Trace::of(&strength), START.plus_days(6));
    let after = retention(6).await;
    assert!((after - expected).abs() < 1e-5 && after > before + 0.3, "{before}, then {after} for {expected}");
}

#[tokio::test]
async fn uses_that_the_commit_queue_has_no_room_for_are_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { commits_waiting: 1, ..Limits::default() };
    let test = TestEngine::limited(directory.path(), limits).await.unwrap();
    let people: Vec<String> = (0..12).map(|at| format!("user {at}")).collect();
    for who in &people {
        test.engine.remember_memories(&CALLER, memories(&scope(who), vec![fact("tea")])).await.unwrap();
    }
    for who in &people {
        assert_eq!(test.engine.recall(&CALLER, about_tea(who)).await.unwrap().memories.len(), 1);
    }
    test.settle().await;
    let mut used = 0;
    for who in &people {
        let recalled = test.engine.recall(&CALLER, Recall { reinforce: Some(false), ..about_tea(who) });
        used += recalled.await.unwrap().memories[0].memory.strength.uses.count();
    }
    assert!(
        test.engine.dropped_notes() > 0 && used > 0,
        "{} dropped, {used} written",
        test.engine.dropped_notes()
    );
    assert_eq!(test.engine.dropped_notes() + used, 12);
}

#[tokio::test]
async fn uses_of_an_owner_that_was_erased_meanwhile_bring_nothing_back() {
    let bench = Bench::new().await;
    bench.facts("ann", &["ann drinks tea"]).await;
    let engine = &bench.test.engine;
    let preview = engine.preview_owner_erasure(&CALLER, &scope("ann")).await.unwrap();
    engine.recall(&CALLER, about_tea("ann")).await.unwrap();
    engine.erase_owner(&CALLER, &scope("ann"), &preview.confirmation, None).await.unwrap();
    bench.test.settle().await;
    assert_eq!(bench.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap(), None);
    assert_eq!(bench.test.store.check(false).await.unwrap(), []);
}

/// The process ends between the answer and the write: the uses and log entries of that moment are missing, and nothing else.
#[test]
fn a_crash_after_the_answer_loses_at_most_the_uses_of_the_group() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let id = first.block_on(async {
        let test = TestEngine::open(directory.path()).await.unwrap();
        let facts = memories(&scope("ann"), vec![fact("ann drinks tea")]);
        let id = test.engine.remember_memories(&CALLER, facts).await.unwrap().memories[0];
        test.engine.recall(&CALLER, about_tea("ann")).await.unwrap();
        test.settle().await;
        test.clock.advance_micros(2 * super::HOUR_US);
        test.engine.recall(&CALLER, about_tea("ann")).await.unwrap();
        id
    });
    drop(first);
    runtime().block_on(async {
        let test = TestEngine::open(directory.path()).await.unwrap();
        let stored = test.store.memory(TenantId::DEFAULT, id).await.unwrap().unwrap();
        assert_eq!(stored.memory.text, "ann drinks tea");
        let uses = stored.memory.strength.uses;
        assert_eq!(uses.newest().first(), Some(&use_at(START, UseKind::InContext)));
        assert!(uses.count() <= 2);
        let logged = test.store.recalls(stored.partition, 10).await.unwrap();
        assert!((1..=2).contains(&logged.len()));
        assert_eq!(test.store.check(false).await.unwrap(), []);
        test.clock.advance_micros(9 * super::HOUR_US);
        test.engine.recall(&CALLER, about_tea("ann")).await.unwrap();
        test.settle().await;
        let again = test.store.memory(TenantId::DEFAULT, id).await.unwrap().unwrap().memory.strength.uses;
        assert_eq!(again.last(), Some(use_at(test.clock.now(), UseKind::InContext)));
    });
}
