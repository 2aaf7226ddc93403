//! Rules of cold memories: out of the resident index, found by queries that ask for them, restored and erased at once.

use std::sync::Arc;

use super::{PARTITION, Subject, any_query, fact, query};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::MemoryId;
use crate::domain::memory::Strength;
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::index::{Forgetting, Index, IndexQuery, View};
use crate::retention::{Policy, Rule};
use crate::store::{Indexed, Retained};
use crate::testing::START;
use crate::testing::corpus;
use crate::testing::memory_source::MemorySource;
use crate::testing::rng::Rng;

/// Time of the queries, after that of the records.
fn now() -> Timestamp {
    START.plus_days(2)
}

fn evicted(effect: Effect, since: Timestamp) -> Forgotten {
    Forgotten {
        since,
        recorded_at: since,
        reason: Reason::Evicted,
        effect,
        curve: "lru".to_owned(),
        retention: 0.1,
        threshold: 0.2,
    }
}

fn id(number: u128) -> MemoryId {
    MemoryId(uuid::Uuid::from_u128(number))
}

fn retained(number: u128, forgotten: Option<Forgotten>) -> Retained {
    Retained { memory: id(number), strength: Strength::new(0.5, 1.0, START), forgotten }
}

/// A view under a policy whose quota alone forgets.
fn view(effect: Option<Effect>, includes_forgotten: bool, now: Timestamp) -> View {
    let policy = Arc::new(Policy { effect, rule: Rule::QuotaAlone, ..Policy::default() });
    View { forgetting: Some(Forgetting { policy, includes_forgotten }), ..View::present(now) }
}

fn asked(view: View) -> IndexQuery {
    IndexQuery { view, ..query("beagle", 64) }
}

/// The memories that a search under a view finds, by number.
async fn found(index: &dyn Index, view: View) -> Vec<u128> {
    let answer = index.search(PARTITION, &asked(view)).await.unwrap();
    assert!(answer.memories >= answer.candidates.len() as u64);
    let mut found: Vec<u128> = answer.candidates.iter().map(|one| one.memory.0.as_u128()).collect();
    found.sort_unstable();
    found
}

/// Memories found without and with the forgotten memories.
async fn both(index: &dyn Index) -> (Vec<u128>, Vec<u128>) {
    let effect = Some(Effect::Cold);
    (found(index, view(effect, false, now())).await, found(index, view(effect, true, now())).await)
}

/// A source with the facts 1 to 4, of which the first two are cold.
fn half_cold() -> Arc<MemorySource> {
    let source = Arc::new(MemorySource::default());
    let mut all: Vec<Indexed> = (1..=4).map(|number| fact(number, "beagle")).collect();
    for (one, effect) in all.iter_mut().zip([Effect::Cold, Effect::Delete]) {
        one.memory.forgotten = Some(evicted(effect, START.plus_days(1)));
    }
    source.write(PARTITION, all, Vec::new());
    source
}

/// A cold memory is found by a query that includes forgotten memories and by no other; a restoration and a use bring it back,
/// and an erasure takes it from both tiers at once. It is so before and after the partition is read anew.
pub async fn a_cold_memory_is_found_when_asked_for_until_it_is_restored_or_erased(
    subject: &Subject<'_>,
    _: u64,
) {
    let source = half_cold();
    let index = subject.over(&source);
    let expect = async |resident: &[u128], all: &[u128]| {
        for step in ["at once", "read anew"] {
            assert_eq!(both(&*index).await, (resident.to_vec(), all.to_vec()), "{step}");
            assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
            index.clear_cache().await;
        }
        both(&*index).await;
    };
    expect(&[3, 4], &[1, 2, 3, 4]).await;
    let inspected = index.inspect(PARTITION, id(1), &asked(view(Some(Effect::Cold), false, now()))).await;
    assert!(inspected.unwrap().unwrap().forgotten, "an inspection knows the cold ones");
    index.apply(PARTITION, source.touch(PARTITION, vec![retained(1, None)])).await.unwrap();
    expect(&[1, 3, 4], &[1, 2, 3, 4]).await;
    let cold = retained(3, Some(evicted(Effect::Cold, START.plus_days(1))));
    index.apply(PARTITION, source.touch(PARTITION, vec![cold.clone()])).await.unwrap();
    expect(&[1, 4], &[1, 2, 3, 4]).await;
    index.apply(PARTITION, source.write(PARTITION, Vec::new(), vec![id(2)])).await.unwrap();
    expect(&[1, 4], &[1, 3, 4]).await;
    let mut pinned = cold;
    pinned.strength.pinned = true;
    index.apply(PARTITION, source.touch(PARTITION, vec![pinned])).await.unwrap();
    expect(&[1, 3, 4], &[1, 3, 4]).await;
}

/// A query as of a moment before the eviction finds the memory that is cold since, and so does one under a policy without
/// an effect.
pub async fn a_cold_memory_is_found_at_the_moments_at_which_it_was_not_forgotten(
    subject: &Subject<'_>,
    _: u64,
) {
    let index = subject.over(&half_cold());
    let since = START.plus_days(1);
    let effect = Some(Effect::Cold);
    assert_eq!(found(&*index, view(effect, false, since.plus_micros(-1))).await, [1, 2, 3, 4]);
    assert_eq!(found(&*index, view(effect, false, since)).await, [3, 4]);
    for effect in [None, Some(Effect::Demote)] {
        assert_eq!(found(&*index, view(effect, false, now())).await, [1, 2, 3, 4], "{effect:?}");
    }
}

/// A restoration during a load is in the answer of the query that waits for the load.
pub async fn a_restoration_during_a_load_is_kept(subject: &Subject<'_>, _: u64) {
    let source = half_cold();
    let index = subject.over(&source);
    let held = source.hold_reads().await;
    let waiting = {
        let index = index.clone();
        tokio::spawn(async move { both(&*index).await })
    };
    while source.reads_begun() == 0 {
        tokio::task::yield_now().await;
    }
    index.apply(PARTITION, source.touch(PARTITION, vec![retained(1, None)])).await.unwrap();
    drop(held);
    assert_eq!(waiting.await.unwrap(), (vec![1, 3, 4], vec![1, 2, 3, 4]));
    assert_eq!(both(&*index).await, (vec![1, 3, 4], vec![1, 2, 3, 4]));
}

/// A view without a policy, such as that of thinking, asks for no cold memory.
pub async fn thinking_sees_no_cold_memory(subject: &Subject<'_>, _: u64) {
    let index = subject.over(&half_cold());
    assert_eq!(found(&*index, View::present(now())).await, [3, 4]);
    let view = View::present(now());
    let vector = asked(view.clone()).vector.unwrap();
    let near = index.nearest(PARTITION, &[vector], &view, 9).await.unwrap();
    let mut near: Vec<MemoryId> = near.concat().iter().map(|one| one.memory).collect();
    near.sort_unstable();
    assert_eq!(near, [id(3), id(4)]);
}

/// A random retention: forgotten with any effect or restored, pinned or not, with a use or without.
fn any_retention(rng: &mut Rng, one: &Indexed) -> Retained {
    let mut strength = one.memory.strength.clone();
    strength.pinned = rng.chance(10);
    if rng.chance(20) {
        let at = strength.refreshed_at().plus_days(1);
        strength.uses.record(Use { at, kind: UseKind::Confirmed }, 0);
    }
    let since = corpus::moment(rng);
    let forgotten = rng
        .chance(60)
        .then(|| Forgotten { reason: *rng.pick(&Reason::ALL), ..evicted(*rng.pick(&Effect::ALL), since) });
    Retained { memory: one.memory.id, strength, forgotten }
}

/// After any sequence of forgetting, restoring, uses, pins, edits and erasures, queries under any policy and clock are answered
/// like the reference, before and after the partition is read anew, and while it is loaded.
pub async fn any_sequence_of_forgetting_and_restoring_is_answered_like_the_reference(
    subject: &Subject<'_>,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, (0..30).map(|number| corpus::memory(&mut rng, number)).collect(), Vec::new());
    let index = subject.over(&source);
    for step in 0..16_u128 {
        let present = source.memories(PARTITION);
        let some = present.iter().filter(|_| rng.chance(25)).cloned().collect::<Vec<_>>();
        let touched = some.iter().map(|one| any_retention(&mut rng, one)).collect();
        index.apply(PARTITION, source.touch(PARTITION, touched)).await.unwrap();
        let mut put = vec![corpus::memory(&mut rng, 100 + step)];
        put.push(corpus::edited(&mut rng, &present[0]));
        let erased = rng.chance(50).then(|| rng.pick(&present[1..]).memory.id);
        let update = source.write(PARTITION, put, erased.into_iter().collect());
        index.apply(PARTITION, update).await.unwrap();
        let mut query = any_query(&mut rng);
        query.view.forgetting = rng.chance(85).then(|| corpus::forgetting(&mut rng));
        subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}, step {step}")).await;
        assert_eq!(index.differences(PARTITION).await.unwrap(), 0, "seed {seed}, step {step}");
        if rng.chance(25) {
            index.clear_cache().await;
        }
    }
}
