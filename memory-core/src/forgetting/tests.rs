//! Properties of the judgement of sweeps over generated memories, uses and policies.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::evictions::Evictions;
use super::plan::{Judge, Subject, change};
use super::sweep::Writes;
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{MemoryId, TenantId};
use crate::domain::memory::{Kind, Strength};
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::retention::{CurveId, Eviction, Policy, Rule};
use crate::store::RetentionRow;

const LEARNED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const HOUR_US: i64 = 3_600_000_000;
const WEEKS: i64 = 8;
const HOURS: i64 = WEEKS * 7 * 24;

#[derive(Clone, Debug)]
struct Known {
    kind: Kind,
    strength: Strength,
    /// Uses to come, by their hours.
    uses: BTreeSet<i64>,
    record: Option<Forgotten>,
}

type Store = BTreeMap<MemoryId, Known>;

fn hour(number: i64) -> Timestamp {
    LEARNED.plus_micros(number * HOUR_US)
}

fn subject<'a>(memory: MemoryId, known: &'a Known) -> Subject<'a> {
    Subject { memory, kind: known.kind, strength: &known.strength, forgotten: known.record.as_ref() }
}

/// A sweep of a store in memory; returns the number of changes.
fn sweep(store: &mut Store, policy: &Policy, now: Timestamp) -> usize {
    sweep_after(store, policy, None, now)
}

/// The same after a check of conditional draws.
fn sweep_after(store: &mut Store, policy: &Policy, checked_at: Option<Timestamp>, now: Timestamp) -> usize {
    sweep_by(store, Judge { policy, now, requested_at: now, checked_at })
}

/// The same as of a moment that need not be that of the request.
fn sweep_by(store: &mut Store, judge: Judge<'_>) -> usize {
    let Judge { policy, now, .. } = judge;
    let mut evicted = Vec::new();
    if let Some(quota) = policy.quota_memories {
        let mut evictions = Evictions::new(quota, store.len() as u64);
        for (id, known) in store.iter().filter(|(id, known)| judge.faded(subject(**id, known)).is_none()) {
            let rank = || policy.eviction_rank(*id, known.kind, &known.strength, now);
            evictions.count(*id, (!known.strength.pinned).then(rank));
        }
        evicted = evictions.evicted();
    }
    let mut changes = 0;
    for (id, known) in store.iter_mut() {
        let asked = subject(*id, known);
        let evict = || evicted.binary_search(id).ok().and_then(|_| judge.evicted(asked));
        let wanted = judge.faded(asked).or_else(evict);
        changes += usize::from(change(known.record.as_ref(), wanted.as_ref()).is_some());
        known.record = wanted;
    }
    changes
}

/// Weeks of use with sweeps every so many hours, and one at the end.
fn lived(mut store: Store, policy: &Policy, every: i64) -> Store {
    for now in 0..=HOURS {
        for known in store.values_mut() {
            if known.uses.contains(&now) {
                known.strength.uses.record(Use { at: hour(now), kind: UseKind::Cited }, 0);
            }
        }
        if now % every == 0 || now == HOURS {
            sweep(&mut store, policy, hour(now));
        }
    }
    store
}

fn known() -> impl Strategy<Value = Known> {
    let kinds = proptest::sample::select(Kind::ALL.to_vec());
    let uses = proptest::collection::btree_set(1..HOURS, 0..5);
    (kinds, uses, 0..HOURS, 0.0..1.0f64, proptest::bool::weighted(0.1)).prop_map(
        |(kind, uses, learned, importance, pinned)| {
            let strength = Strength { pinned, ..Strength::new(importance, 1.0, hour(learned)) };
            let uses = uses.into_iter().filter(|at| *at > learned).collect();
            Known { kind, strength, uses, record: None }
        },
    )
}

fn stores() -> impl Strategy<Value = Store> {
    proptest::collection::btree_map(
        any::<u128>().prop_map(|id| MemoryId(uuid::Uuid::from_u128(id))),
        known(),
        0..40,
    )
}

fn policies() -> impl Strategy<Value = Policy> {
    let curves = proptest::sample::select(CurveId::ALL.to_vec());
    let effects = proptest::sample::select(Effect::ALL.to_vec());
    let orders = proptest::sample::select(Eviction::ALL.to_vec());
    (curves, effects, orders, proptest::option::of(1..40u64)).prop_map(
        |(curve, effect, eviction, quota_memories)| Policy {
            curve,
            effect: Some(effect),
            eviction,
            quota_memories,
            ..Policy::default()
        },
    )
}

fn forgotten(store: &Store) -> BTreeMap<MemoryId, Timestamp> {
    store.iter().filter_map(|(id, known)| Some((*id, known.record.as_ref()?.since))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sweeps_of_every_hour_day_and_week_forget_the_same_memories_since_the_same_times(
        store in stores(), policy in policies(),
    ) {
        let policy = Policy { quota_memories: None, ..policy };
        let hourly = lived(store.clone(), &policy, 1);
        for every in [24, 7 * 24, HOURS] {
            prop_assert_eq!(forgotten(&lived(store.clone(), &policy, every)), forgotten(&hourly), "{}", every);
        }
    }

    #[test]
    fn a_second_sweep_as_of_the_same_time_changes_nothing(store in stores(), policy in policies(), at in 0..HOURS) {
        let mut store = lived(store, &policy, 7 * 24);
        sweep(&mut store, &policy, hour(HOURS + at));
        prop_assert_eq!(sweep(&mut store, &policy, hour(HOURS + at)), 0);
    }

    #[test]
    fn a_second_sweep_as_of_any_moment_changes_nothing_however_much_later_it_is_requested(
        store in stores(), policy in policies(), as_of in 0..HOURS, later in 0..HOURS, every in 1..200i64,
    ) {
        let mut store = lived(store, &policy, every);
        for requested in [0, later] {
            let requested_at = hour(HOURS + requested);
            let judge = Judge { policy: &policy, now: hour(as_of), requested_at, checked_at: None };
            sweep_by(&mut store, judge);
            let again = Judge { requested_at: hour(2 * HOURS + requested), ..judge };
            prop_assert_eq!(sweep_by(&mut store, again), 0);
        }
    }

    #[test]
    fn sweeps_as_of_any_past_moments_erase_nothing_before_the_grace_period_has_passed_by_the_clock(
        store in stores(),
        policy in policies(),
        sweeps in proptest::collection::vec((0..200i64, prop_oneof![Just(0), 0..HOURS]), 1..20),
        grace_days in 0..20u32,
        rule in proptest::sample::select(vec![Rule::FixedThreshold, Rule::QuotaAlone, Rule::ConditionalDraw]),
    ) {
        let policy = Policy { effect: Some(Effect::Delete), grace_days, rule, ..policy };
        let (mut store, mut clock) = (store, 0);
        let mut found_at: BTreeMap<MemoryId, i64> = BTreeMap::new();
        for (pause, ago) in sweeps {
            clock += pause;
            for known in store.values_mut() {
                for at in known.uses.iter().filter(|at| (clock - pause..clock).contains(*at)) {
                    known.strength.uses.record(Use { at: hour(*at), kind: UseKind::Cited }, 0);
                }
            }
            let judge =
                Judge { policy: &policy, now: hour(clock - ago), requested_at: hour(clock), checked_at: None };
            sweep_by(&mut store, judge);
            found_at.retain(|id, _| store.get(id).is_some_and(|known| known.record.is_some()));
            for (id, known) in &store {
                let Some(record) = &known.record else { continue };
                let found = *found_at.entry(*id).or_insert(clock);
                let passed = clock - found >= i64::from(grace_days) * 24;
                prop_assert!(passed || !judge.is_due(record), "found at {}, swept at {}, {} ago", found, clock, ago);
            }
            store.retain(|_, known| known.record.as_ref().is_none_or(|record| !judge.is_due(record)));
        }
    }

    #[test]
    fn the_quota_is_exact_and_pinned_memories_are_never_forgotten(store in stores(), policy in policies()) {
        let mut store = store;
        sweep(&mut store, &policy, hour(HOURS));
        for known in store.values().filter(|known| known.strength.pinned) {
            prop_assert_eq!(&known.record, &None);
        }
        let Some(quota) = policy.quota_memories else { return Ok(()) };
        let live: Vec<_> = store.iter().filter(|(_, known)| known.record.is_none()).collect();
        let pinned = live.iter().filter(|(_, known)| known.strength.pinned).count() as u64;
        let is_evicted = |known: &Known| known.record.as_ref().is_some_and(|it| it.reason == Reason::Evicted);
        let evicted: Vec<_> = store.iter().filter(|(_, known)| is_evicted(known)).collect();
        prop_assert!(live.len() as u64 <= quota.max(pinned));
        prop_assert!(evicted.is_empty() || live.len() as u64 == quota.max(pinned));
        let rank = |(id, known): &(&MemoryId, &Known)| {
            (policy.eviction_rank(**id, known.kind, &known.strength, hour(HOURS)), **id)
        };
        for gone in &evicted {
            for kept in live.iter().filter(|(_, known)| !known.strength.pinned) {
                prop_assert!(rank(gone) < rank(kept), "one that ranks higher was evicted");
            }
        }
    }

    #[test]
    fn a_sweep_that_draws_decides_the_same_when_it_is_interrupted_and_nothing_when_it_is_repeated(
        store in stores(), policy in policies(), done in 0..40usize, at in 1..HOURS,
    ) {
        let policy = Policy { rule: Rule::ConditionalDraw, quota_memories: None, ..policy };
        let mut store = store;
        sweep_after(&mut store, &policy, None, hour(at));
        let (before, now) = (Some(hour(at)), hour(HOURS));
        let mut whole = store.clone();
        sweep_after(&mut whole, &policy, before, now);
        // The first attempt came so far; the check before is the same for the second.
        let first: Vec<MemoryId> = store.keys().take(done).copied().collect();
        let mut begun: Store = first.iter().filter_map(|id| store.remove_entry(id)).collect();
        sweep_after(&mut begun, &policy, before, now);
        store.append(&mut begun);
        sweep_after(&mut store, &policy, before, now);
        let records = |store: &Store| store.values().map(|known| known.record.clone()).collect::<Vec<_>>();
        prop_assert_eq!(records(&store), records(&whole));
        prop_assert_eq!(sweep_after(&mut store, &policy, Some(now), now), 0, "again as of the same moment");
        prop_assert_eq!(sweep_after(&mut store, &policy, Some(now), hour(HOURS - 1)), 0, "as of an earlier one");
        for known in whole.values().filter(|known| known.record.is_some()) {
            let record = known.record.as_ref().expect("a record");
            prop_assert!(record.reason == Reason::Drawn && !known.strength.pinned && known.strength.learned_at < now);
            prop_assert!(record.retention < record.threshold || record.retention == 0.0, "{:?}", record);
        }
    }

    #[test]
    fn a_policy_that_forgets_nothing_remembers_what_has_faded(store in stores(), policy in policies()) {
        let policy = Policy { quota_memories: None, ..policy };
        let mut store = lived(store, &policy, 24);
        let drawing = Policy { rule: Rule::ConditionalDraw, ..policy.clone() };
        sweep(&mut store, &drawing, hour(HOURS));
        sweep(&mut store, &Policy { effect: None, ..policy }, hour(HOURS));
        prop_assert_eq!(forgotten(&store).len(), 0);
    }
}

/// Within four standard deviations of the binomial distribution of the memories that were not used. The ids are fixed.
#[test]
fn hourly_daily_and_weekly_sweeps_that_draw_leave_a_share_of_the_retention() {
    const MEMORIES: u32 = 8_000;
    let policy = Policy {
        curve: CurveId::MemoryBankIntended,
        effect: Some(Effect::Exclude),
        rule: Rule::ConditionalDraw,
        ..Policy::default()
    };
    let strength = Strength::new(0.5, 1.0, LEARNED);
    let expected = policy.curve.curve().retention(&policy.trace(Kind::Turn, &strength), hour(168));
    let deviation = (expected * (1.0 - expected) / f64::from(MEMORIES)).sqrt();
    for every in [1, 24, 168] {
        let new = |number: u32| {
            let id = MemoryId(uuid::Uuid::from_u128(
                0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number),
            ));
            (id, Known { kind: Kind::Turn, strength: strength.clone(), uses: BTreeSet::new(), record: None })
        };
        let mut store: Store = (0..MEMORIES).map(new).collect();
        let mut checked_at = None;
        for now in (every..=168).step_by(usize::try_from(every).expect("a few")).map(hour) {
            sweep_after(&mut store, &policy, checked_at, now);
            checked_at = Some(now);
        }
        let left = store.values().filter(|known| known.record.is_none()).count();
        let share = f64::from(u32::try_from(left).expect("a count")) / f64::from(MEMORIES);
        assert!((share - expected).abs() < 4.0 * deviation, "every {every} h: {share} for {expected}");
    }
}

#[test]
fn a_memory_that_was_used_after_the_moment_of_a_sweep_is_not_drawn() {
    let policy = Policy { effect: Some(Effect::Exclude), rule: Rule::ConditionalDraw, ..Policy::default() };
    let (memory, now) = (MemoryId(uuid::Uuid::nil()), LEARNED.plus_days(1_000));
    let drawn = |strength: &Strength| {
        let asked = Subject { memory, kind: Kind::Turn, strength, forgotten: None };
        Judge { policy: &policy, now, requested_at: now, checked_at: None }.faded(asked).is_some()
    };
    let mut strength = Strength::new(0.5, 1.0, LEARNED);
    assert!(drawn(&strength));
    strength.uses.record(Use { at: now.plus_micros(1), kind: UseKind::Confirmed }, 0);
    assert!(!drawn(&strength));
}

#[test]
fn a_memory_is_due_once_its_grace_period_after_the_sweep_that_found_it_is_over() {
    let policy = Policy { effect: Some(Effect::Delete), grace_days: 2, ..Policy::default() };
    let strength = Strength::new(0.5, 1.0, LEARNED);
    let asked = Subject {
        memory: MemoryId(uuid::Uuid::nil()),
        kind: Kind::Turn,
        strength: &strength,
        forgotten: None,
    };
    let found_at = LEARNED.plus_days(1_000);
    // It was found by a sweep as of a past moment.
    let judge = Judge { policy: &policy, now: found_at, requested_at: found_at, checked_at: None };
    let past = Judge { now: LEARNED.plus_days(900), ..judge };
    let record = past.faded(asked).expect("it has faded");
    assert_eq!(record.recorded_at, found_at);
    assert!(record.since < LEARNED.plus_days(100));
    let at = |days, requested| {
        let (now, requested_at) = (found_at.plus_days(days), found_at.plus_days(requested));
        Judge { now, requested_at, ..judge }
    };
    assert_eq!([0, 1, 2].map(|days| at(days, days).is_due(&record)), [false, false, true]);
    assert!(!at(1, 2).is_due(&record), "as of a moment within the period");
    assert!(!at(2, 1).is_due(&record), "the period is not over by the clock");
    let exclude = Policy { effect: Some(Effect::Exclude), ..policy.clone() };
    assert!(!Judge { policy: &exclude, ..at(2, 2) }.is_due(&record));
}

#[test]
fn an_eviction_gets_another_effect_in_one_set_so_that_no_crash_between_two_loses_it() {
    let strength = Strength::new(0.5, 1.0, LEARNED);
    let record = |effect, reason| Forgotten {
        since: LEARNED,
        recorded_at: LEARNED,
        reason,
        effect,
        curve: "lru".to_owned(),
        retention: 1.0,
        threshold: 0.5,
    };
    let owner = Owner { kind: OwnerKind::User, id: Name::new("ann").expect("a name") };
    let sets = |effect, reason| {
        let present = record(effect, reason);
        let row = RetentionRow {
            memory: MemoryId(uuid::Uuid::nil()),
            kind: Kind::Turn,
            version: 1,
            tokens: 1,
            strength: strength.clone(),
            forgotten: Some(present),
        };
        let policy = Policy { effect: Some(Effect::Exclude), ..Policy::default() };
        let now = LEARNED.plus_days(1_000);
        let judge = Judge { policy: &policy, now, requested_at: now, checked_at: None };
        let wanted = judge.faded(Subject::from(&row));
        let mut writes = Writes::default();
        writes.add(&row, wanted);
        let sets = writes.sets((TenantId::DEFAULT, &owner), LEARNED);
        sets.iter().map(|set| (set.rememberings.len(), set.forgettings.len())).collect::<Vec<_>>()
    };
    assert_eq!(sets(Effect::Cold, Reason::Evicted), [(0, 1)]);
    assert_eq!(sets(Effect::Cold, Reason::Faded), [(0, 1)]);
    // It has faded again, which the next attempt finds as well.
    assert_eq!(sets(Effect::Exclude, Reason::Faded), [(1, 0), (0, 1)]);
}
