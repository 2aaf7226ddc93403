//! Rules of forgetting: retention in the ranking under any curve and clock, and the moment from which a memory is hidden.

use std::sync::Arc;

use super::{PARTITION, Subject, fact, query};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::MemoryId;
use crate::domain::memory::Strength;
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::index::{Forgetting, Index, IndexQuery, View};
use crate::retention::{CurveId, Policy};
use crate::store::{Indexed, Retained};
use crate::testing::START;
use crate::testing::corpus;
use crate::testing::memory_source::MemorySource;
use crate::testing::rng::Rng;

fn under(policy: Policy, now: Timestamp) -> View {
    let forgetting = Some(Forgetting { policy: Arc::new(policy), includes_forgotten: false });
    View { forgetting, ..View::present(now) }
}

/// The memories that a search under a view finds, by number.
async fn found(index: &dyn Index, view: View) -> Vec<u128> {
    let asked = IndexQuery { view, ..query("beagle", 64) };
    let answer = index.search(PARTITION, &asked).await.unwrap();
    let mut found: Vec<u128> = answer.candidates.iter().map(|one| one.memory.0.as_u128()).collect();
    found.sort_unstable();
    found
}

/// With retention in the score, the top k under each curve, with uses, pins and clocks before and after them, is that of the
/// reference, which evaluates every memory.
pub async fn decay_aware_top_k_equals_a_naive_evaluation_under_every_curve(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..40).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    for curve in CurveId::ALL {
        for now in [corpus::moment(&mut rng), START.plus_days(-30), START, START.plus_days(4_000)] {
            let effect = rng.chance(50).then_some(Effect::Exclude);
            let mut asked = query(&corpus::text(&mut rng), 1 + rng.below(6));
            asked.view = under(Policy { curve, effect, ..Policy::default() }, now);
            asked.weights.retention = *rng.pick(&[0.5, 2.0]);
            let context = format!("seed {seed}, {}, {now:?}", curve.as_str());
            subject.check(&*index, &source, PARTITION, &asked, &context).await;
        }
    }
}

/// Under each curve and each effect but `demote`, a memory is hidden from the microsecond at which it fades, and comes
/// back to a query that includes forgotten memories.
pub async fn a_memory_is_hidden_from_the_very_microsecond_at_which_it_fades(
    subject: &Subject<'_>,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let mut one = fact(1 + u128::from(seed), "beagle");
    one.memory.strength = Strength::new(0.5, 1.0, START);
    if rng.chance(50) {
        one.memory.strength.uses.record(Use { at: START.plus_days(2), kind: UseKind::Cited }, 0);
    }
    source.write(PARTITION, vec![one.clone()], Vec::new());
    let index = subject.over(&source);
    let number = vec![one.memory.id.0.as_u128()];
    for (curve, effect) in
        CurveId::ALL.into_iter().flat_map(|curve| Effect::ALL.map(|effect| (curve, effect)))
    {
        let policy = Policy { curve, effect: Some(effect), ..Policy::default() };
        let fades_at = policy.faded_at(one.memory.id, one.memory.kind, &one.memory.strength);
        let Some(fades_at) = fades_at else { continue };
        let context = format!("seed {seed}, {}, {effect:?}", curve.as_str());
        let before = under(policy.clone(), fades_at.plus_micros(-1));
        assert_eq!(found(&*index, before).await, number, "{context}: a microsecond before");
        let mut at = under(policy, fades_at);
        let left = if effect == Effect::Demote { number.clone() } else { Vec::new() };
        assert_eq!(found(&*index, at.clone()).await, left, "{context}: at that microsecond");
        at.forgetting.as_mut().unwrap().includes_forgotten = true;
        assert_eq!(found(&*index, at).await, number, "{context}: forgotten memories are asked for");
    }
}

/// A record that a memory has faded changes nothing: its retention decides. One of an eviction or a draw hides it from its moment
/// on, under each effect that hides, unless it is pinned.
pub async fn a_record_alone_hides_nothing_but_what_was_evicted_or_drawn(subject: &Subject<'_>, _: u64) {
    for reason in [Reason::Evicted, Reason::Drawn] {
        a_record_hides_what_is_not_pinned(subject, reason).await;
    }
}

async fn a_record_hides_what_is_not_pinned(subject: &Subject<'_>, reason: Reason) {
    let since = START.plus_days(1);
    let recorded = |number: u128, reason: Reason, pinned: bool| {
        let mut one = fact(number, "beagle");
        one.memory.strength = Strength { pinned, ..Strength::new(0.5, 1.0, START) };
        one.memory.forgotten = Some(Forgotten {
            since,
            recorded_at: since,
            reason,
            effect: Effect::Exclude,
            curve: "none".to_owned(),
            retention: 0.0,
            threshold: 0.5,
        });
        one
    };
    let source = Arc::new(MemorySource::default());
    let all = vec![recorded(1, Reason::Faded, false), recorded(2, reason, false), recorded(3, reason, true)];
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    let policy = |effect| Policy { curve: CurveId::None, effect, ..Policy::default() };
    for effect in [Effect::Exclude, Effect::Cold, Effect::Delete] {
        let view = |now| under(policy(Some(effect)), now);
        assert_eq!(found(&*index, view(since.plus_micros(-1))).await, [1, 2, 3], "{reason:?} {effect:?}");
        assert_eq!(found(&*index, view(since)).await, [1, 3], "{reason:?} {effect:?}");
    }
    for effect in [None, Some(Effect::Demote)] {
        assert_eq!(found(&*index, under(policy(effect), since)).await, [1, 2, 3], "{reason:?} {effect:?}");
    }
    let restored = Retained {
        memory: MemoryId(uuid::Uuid::from_u128(2)),
        strength: Strength::new(0.5, 1.0, START),
        forgotten: None,
    };
    index.apply(PARTITION, source.touch(PARTITION, vec![restored])).await.unwrap();
    let view = under(policy(Some(Effect::Exclude)), since);
    assert_eq!(found(&*index, view).await, [1, 2, 3], "{reason:?} restored");
}

/// A use makes a faded memory visible again from its moment on; a query as of an earlier moment is answered as before it.
pub async fn a_use_brings_a_faded_memory_back_and_changes_no_earlier_moment(
    subject: &Subject<'_>,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let learned = |number| {
        let mut one = fact(number, "beagle");
        one.memory.strength = Strength::new(0.5, 1.0, START);
        one
    };
    source.write(PARTITION, (1..=30).map(learned).collect(), Vec::new());
    let index = subject.over(&source);
    let curve = *rng.pick(&[CurveId::MemoryBankPaper, CurveId::Fsrs6, CurveId::ActR, CurveId::Hlr]);
    let policy = Policy { curve, effect: Some(Effect::Exclude), ..Policy::default() };
    let moments: Vec<Timestamp> = [0, 1, 3, 10, 100].map(|days| START.plus_days(days)).to_vec();
    let mut before = Vec::new();
    for now in &moments {
        before.push(found(&*index, under(policy.clone(), *now)).await);
    }
    let last = *moments.last().unwrap();
    let hidden: Vec<u128> = (1..=30).filter(|number| !before[4].contains(number)).collect();
    assert!(!hidden.is_empty(), "seed {seed}: nothing has faded");
    let used = |number: &u128| {
        let mut strength = Strength::new(0.5, 1.0, START);
        strength.uses.record(Use { at: last.plus_micros(1), kind: UseKind::Confirmed }, 0);
        Retained { memory: MemoryId(uuid::Uuid::from_u128(*number)), strength, forgotten: None }
    };
    let touched = hidden.iter().map(used).collect();
    index.apply(PARTITION, source.touch(PARTITION, touched)).await.unwrap();
    for _ in 0..2 {
        for (now, expected) in moments.iter().zip(&before) {
            let now_found = found(&*index, under(policy.clone(), *now)).await;
            assert_eq!(&now_found, expected, "seed {seed}: as of a moment before the uses");
        }
        let after = found(&*index, under(policy.clone(), last.plus_micros(1))).await;
        assert_eq!(after.len(), 30, "seed {seed}: all that faded were used");
        index.clear_cache().await;
    }
}
