//! Reads of retention: the curve of a memory under every curve, and memories that are about to fade.

use std::collections::BTreeMap;

use memory_core::Error;
use memory_core::domain::change::{ChangeSet, Forgetting, Pin, Touch};
use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::UseKind;
use memory_core::memories::fading::{ReadFading, WORTH_IMPORTANCE, WORTH_USES};
use memory_core::memories::retention::{MemoryRetention, ReadRetention};
use memory_core::retention::{Curve as _, CurveId, Policy, Trace, forgotten_at, threshold};
use memory_core::store::Memories as _;
use memory_core::testing::fixtures::{forgotten, owner};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use memory_core::testing::{CALLER, START, fact, memories};

use super::{Bench, scope, use_at};

const DEFAULT: ReadRetention = ReadRetention { curve: None, from: None, to: None, points: 96, now: None };

fn set() -> ChangeSet {
    ChangeSet::new(TenantId::DEFAULT, owner("ann"), START)
}

async fn use_on_days(bench: &Bench, id: MemoryId, days: &[i64]) {
    let touches = days.iter().map(|days| Touch {
        memory: id,
        one: use_at(START.plus_days(*days), UseKind::Cited),
        refractory_us: 0,
    });
    bench.test.commit(ChangeSet { touches: touches.collect(), ..set() }).await.unwrap();
}

async fn read(bench: &Bench, id: MemoryId, request: ReadRetention) -> Result<MemoryRetention, Error> {
    bench.test.engine.memory_retention(&CALLER, id, request).await
}

#[tokio::test]
async fn the_curve_of_a_memory_is_exact_under_every_curve_at_every_moment() {
    let bench = Bench::new().await;
    let id = bench.facts("ann", &["ann drinks tea"]).await[0];
    use_on_days(&bench, id, &[1, 4, 5, 20]).await;
    let strength = bench.test.store.memory(TenantId::DEFAULT, id).await.unwrap().unwrap().memory.strength;
    let trace = Trace::of(&strength);
    for curve in CurveId::ALL {
        for days in [-1, 0, 2, 5, 19, 21, 400] {
            let now = START.plus_days(days);
            let request = ReadRetention { curve: Some(curve), now: Some(now), points: 33, ..DEFAULT };
            let found = read(&bench, id, request).await.unwrap();
            let expected = curve.retention(&trace, now);
            assert!((found.retention - expected).abs() < 1e-12, "{curve:?} at {days}: {found:?}");
            assert_eq!((found.points.len(), found.points[0].at), (33, strength.learned_at));
            assert_eq!(found.points[32].at, now.max(START.plus_days(20)).plus_days(30));
            for point in &found.points {
                assert_eq!(point.retention, curve.retention(&trace, point.at), "{curve:?} at {}", point.at);
            }
            assert_eq!((found.strength.uses.count(), found.threshold), (4, threshold(id)));
            if let (Some(fades), 20..) = (found.fades_at, days) {
                let at = |at| curve.retention(&trace, at);
                assert!(at(fades) < threshold(id), "{curve:?}");
                assert!(
                    fades == START.plus_days(20) || at(fades.plus_micros(-1)) >= threshold(id),
                    "{curve:?}"
                );
            }
        }
    }
    assert_eq!(read(&bench, id, DEFAULT).await.unwrap().curve, CurveId::default());
    bench.set_policy("ann", Policy { curve: CurveId::Hlr, ..Policy::default() }).await;
    assert_eq!(read(&bench, id, DEFAULT).await.unwrap().curve, CurveId::Hlr, "that of the owner");
}

#[tokio::test]
async fn a_pinned_memory_fades_never() {
    let bench = Bench::new().await;
    let id = bench.facts("ann", &["ann drinks tea"]).await[0];
    assert!(read(&bench, id, DEFAULT).await.unwrap().fades_at.is_some());
    bench.test.commit(ChangeSet { pins: vec![Pin { memory: id, pinned: true }], ..set() }).await.unwrap();
    let far = ReadRetention { now: Some(Timestamp::MAX), ..DEFAULT };
    let found = read(&bench, id, far).await;
    assert_eq!(found.map(|found| (found.retention, found.fades_at)).ok(), Some((1.0, None)));
}

#[tokio::test]
async fn points_and_intervals_out_of_their_bounds_are_refused() {
    let bench = Bench::new().await;
    let id = bench.facts("ann", &["ann drinks tea"]).await[0];
    let day = |days| Some(START.plus_days(days));
    let cases = [
        (ReadRetention { points: 1, ..DEFAULT }, "points"),
        (ReadRetention { points: 513, ..DEFAULT }, "points"),
        (ReadRetention { from: day(3), to: day(3), ..DEFAULT }, "to"),
        (ReadRetention { from: day(4), to: day(3), ..DEFAULT }, "to"),
        (ReadRetention { from: Some(Timestamp::MAX), ..DEFAULT }, "to"),
    ];
    for (request, expected) in cases {
        match read(&bench, id, request).await.unwrap_err() {
            Error::Invalid { field, .. } | Error::OverLimit { field, .. } => assert_eq!(field, expected),
            other => panic!("{other}"),
        }
    }
    let before = read(&bench, id, ReadRetention { to: day(-9), points: 2, ..DEFAULT }).await.unwrap();
    assert_eq!(
        before.points.iter().map(|point| point.at).collect::<Vec<_>>(),
        [START.plus_days(-39), START.plus_days(-9)]
    );
    let unknown = MemoryId(uuid::Uuid::from_u128(1));
    assert_eq!(read(&bench, unknown, DEFAULT).await.unwrap_err().code(), "not_found");
}

/// The list equals that of a naive look at every memory, for any curve, window and limit.
#[tokio::test]
async fn fading_memories_are_those_of_a_naive_look_at_all() {
    for seed in seeds(4, 30) {
        let mut rng = Rng::new(seed);
        let bench = Bench::new().await;
        let facts = (0..60).map(|at| {
            let mut fact = fact(&format!("fact {at}"));
            fact.importance = Some(*rng.pick(&[0.1, 0.5, 0.7, 0.9]));
            fact
        });
        let facts = facts.collect();
        let added =
            bench.test.engine.remember_memories(&CALLER, memories(&scope("ann"), facts)).await.unwrap();
        for id in &added.memories {
            let mut days: Vec<i64> =
                (0..rng.below(4)).map(|_| i64::try_from(rng.below(12)).unwrap()).collect();
            days.sort_unstable();
            use_on_days(&bench, *id, &days).await;
        }
        let (pinned, gone) = (added.memories[0], added.memories[1]);
        let pins = vec![Pin { memory: pinned, pinned: true }];
        let forgettings = vec![Forgetting { memory: gone, record: forgotten(Effect::Exclude, 1) }];
        bench.test.commit(ChangeSet { pins, forgettings, ..set() }).await.unwrap();
        bench.pass_hours(24 * 12);
        for curve in CurveId::ALL {
            let policy = Policy { curve, ..Policy::default() };
            bench.set_policy("ann", policy.clone()).await;
            let within_days = u32::try_from(1 + rng.below(400)).unwrap();
            let until = bench.now().plus_days(within_days.into());
            let mut expected = BTreeMap::new();
            for id in &added.memories {
                let memory = bench.test.store.memory(TenantId::DEFAULT, *id).await.unwrap().unwrap().memory;
                let strength = &memory.strength;
                let is_worth = strength.importance >= WORTH_IMPORTANCE || strength.uses.count() >= WORTH_USES;
                let trace = policy.trace(memory.kind, strength);
                let fades = forgotten_at(curve.curve(), &trace, threshold(*id));
                if let Some(fades) =
                    fades.filter(|at| *at > bench.now() && *at <= until && is_worth && *id != gone)
                {
                    expected.insert((fades, *id), curve.retention(&trace, bench.now()));
                }
            }
            for limit in [1, 5, 1_000] {
                let request = ReadFading { scope: scope("ann"), within_days, limit, now: None };
                let found = bench.test.engine.fading(&CALLER, request).await.unwrap();
                let listed: Vec<_> = found
                    .memories
                    .iter()
                    .map(|one| ((one.fades_at.unwrap(), one.memory), one.retention))
                    .collect();
                let first: Vec<_> = expected.clone().into_iter().take(limit as usize).collect();
                assert_eq!(listed, first, "seed {seed}, {curve:?}, {within_days} days, {limit}");
                assert_eq!((found.total, found.until), (expected.len() as u64, until));
            }
        }
    }
}

#[tokio::test]
async fn a_fading_window_out_of_its_bounds_is_refused_and_nobody_has_nothing() {
    let bench = Bench::new().await;
    let asked = |within_days, limit| ReadFading { scope: scope("nobody"), within_days, limit, now: None };
    let engine = &bench.test.engine;
    assert_eq!(engine.fading(&CALLER, asked(7, 20)).await.unwrap().memories, []);
    for (within_days, limit) in [(0, 20), (36_501, 20), (7, 0), (7, 1_001)] {
        let refused = engine.fading(&CALLER, asked(within_days, limit)).await;
        assert!(refused.is_err(), "{within_days} days, {limit} memories");
    }
}
