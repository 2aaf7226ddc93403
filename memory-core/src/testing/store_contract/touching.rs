//! Store contract, touches: uses without versions, and what happens to touches of memories that are not there.

use super::{commit, loaded, log_is_sound, present};
use crate::domain::change::Touch;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Memory, Strength};
use crate::domain::uses::{MAX_USES, Use, UseKind};
use crate::store::{ChangeOp, Store};
use crate::testing::fixtures::{Fixtures, owner, revised, touch};

fn touched(memory: &Memory, touches: &[Touch]) -> Memory {
    let mut memory = memory.clone();
    for touch in touches {
        memory.strength.uses.record(touch.one, touch.refractory_us);
    }
    memory
}

/// A touch adds a use, and changes nothing else: no version, no rows. Every touched memory
/// has one entry in the log, whatever the number of memories.
pub async fn a_touch_records_a_use_without_a_version(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut new = (0..100).map(|at| fixtures.fact(&format!("fact|{at}"))).collect::<Vec<_>>();
    new.push(fixtures.fact("edited later"));
    let created = commit(store, &fixtures.adding(&ann, new)).await;
    let (partition, ids) = (created.partition, created.created.memories);
    let edited = revised(&present(store, ids[100]).await, Some("edited"));
    commit(store, &fixtures.revising(&ann, edited)).await;
    let history = store.earlier_versions(partition, ids[100]).await.unwrap();
    let before = loaded(store, partition).await.1;

    let mut touches: Vec<Touch> = ids[1..].iter().map(|id| touch(*id, 3)).collect();
    touches.insert(0, touch(ids[99], 2));
    let done = commit(store, &fixtures.touching(&ann, touches)).await;
    assert_eq!(done.touched, ids[1..]);
    assert_eq!((done.created.memories, done.created.erased), (vec![], vec![]));
    assert_eq!(done.seq_after - done.seq_before, 100, "one entry for each memory");
    let log = store.changes(partition, done.seq_before, 1_000).await.unwrap();
    assert!(log.iter().all(|entry| entry.op == ChangeOp::Touch));
    assert_eq!(log.iter().map(|entry| entry.memory).collect::<Vec<_>>(), ids[1..]);

    for (one, was) in loaded(store, partition).await.1.iter().zip(&before) {
        let id = one.memory.id;
        let touches = [touch(id, 2), touch(id, 3)];
        let touches = if id == ids[0] { &[] } else { &touches[usize::from(id != ids[99])..] };
        let expected = touched(&was.memory, touches);
        assert_eq!((&one.memory, &one.rows), (&expected, &was.rows));
    }
    let now = store.earlier_versions(partition, ids[100]).await.unwrap();
    assert_eq!(now.iter().map(|it| (it.version, &it.text)).collect::<Vec<_>>(), [(1, &history[0].text)]);
    log_is_sound(store, partition).await;
}

/// Memories that were erased, that never were, or that lie in another partition are skipped, and the others are touched.
pub async fn touches_of_what_is_not_there_are_skipped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let of_bob = commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.fact("bob's")])).await;
    let facts = ["gone", "kept"].map(|text| fixtures.fact(text)).to_vec();
    let ids = commit(store, &fixtures.adding(&ann, facts)).await.created.memories;
    commit(store, &fixtures.erasing(&ann, vec![ids[0]])).await;
    let others = [ids[0], of_bob.created.memories[0], MemoryId(fixtures.id()), ids[1]];
    let touches = others.iter().map(|id| touch(*id, 1)).collect();
    let done = commit(store, &fixtures.touching(&ann, touches)).await;
    assert_eq!((done.touched, done.seq_after - done.seq_before), (vec![ids[1]], 1));
    assert_eq!(present(store, of_bob.created.memories[0]).await.strength.uses.count(), 0);
    let nothing = commit(store, &fixtures.touching(&ann, vec![touch(ids[0], 1)])).await;
    assert_eq!((nothing.touched, nothing.seq_after), (vec![], done.seq_after));
    log_is_sound(store, done.partition).await;
    log_is_sound(store, of_bob.partition).await;
}

/// A set may touch what it adds or revises; what it erases is not reported as touched. A revision keeps the strength
/// at commit time, whatever was read before.
pub async fn touches_agree_with_other_writes_of_their_set(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = ["edited", "erased"].map(|text| fixtures.fact(text)).to_vec();
    let ids = commit(store, &fixtures.adding(&ann, facts)).await.created.memories;
    let read_before = present(store, ids[0]).await;
    let mut set = fixtures.adding(&ann, vec![fixtures.fact("new")]);
    set.revisions.push(revised(&read_before, Some("as edited")));
    set.erasures.push(ids[1]);
    let new = set.memories[0].memory.id;
    set.touches = vec![touch(new, 1), touch(ids[0], 2), touch(ids[1], 3)];
    let done = commit(store, &set).await;
    assert_eq!(done.touched, [ids[0], new]);
    assert_eq!(present(store, new).await.strength.uses.newest(), [touch(new, 1).one]);
    let edited = present(store, ids[0]).await;
    assert_eq!((edited.version, edited.text.as_str()), (2, "as edited"));
    assert_eq!(edited.strength.uses.newest(), [touch(ids[0], 2).one]);

    let mut stale = revised(&edited, None);
    stale.memory.strength = Strength { importance: 0.75, ..read_before.strength.clone() };
    commit(store, &fixtures.revising(&ann, stale)).await;
    let kept = present(store, ids[0]).await.strength;
    assert_eq!(kept, Strength { importance: 0.75, ..edited.strength.clone() });
    log_is_sound(store, done.partition).await;
}

/// Retention runs from the time at which a memory happened until the first refresh, and from the last refresh after it.
pub async fn a_revision_that_moves_what_happened_moves_the_clock_of_a_memory_never_refreshed(
    store: &dyn Store,
) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = ["never refreshed", "refreshed"].map(|text| fixtures.fact(text)).to_vec();
    let ids = commit(store, &fixtures.adding(&ann, facts)).await.created.memories;
    commit(store, &fixtures.touching(&ann, vec![touch(ids[1], 5)])).await;
    for id in &ids {
        let before = present(store, *id).await;
        let mut moved = revised(&before, None);
        moved.memory.happened.at = before.happened.at.plus_days(-30);
        let strength = before.strength.clone().moved(before.happened.at, moved.memory.happened.at);
        commit(store, &fixtures.revising(&ann, moved)).await;
        assert_eq!(present(store, *id).await.strength, strength);
    }
    let [never, once] = [present(store, ids[0]).await, present(store, ids[1]).await];
    assert_eq!(never.strength.refreshed_at(), never.happened.at);
    assert!(once.strength.refreshed_at() > once.happened.at.plus_days(30));
}

/// The same use again, and one before the newest, change nothing and leave no entry in the log. A stronger use within the
/// refractory interval raises the kind of the newest.
pub async fn the_same_touch_again_changes_nothing(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let ids = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("used")])).await.created.memories;
    let first = commit(store, &fixtures.touching(&ann, vec![touch(ids[0], 3)])).await;
    for again in [touch(ids[0], 3), touch(ids[0], 2)] {
        let nothing = commit(store, &fixtures.touching(&ann, vec![again])).await;
        assert_eq!((nothing.touched, nothing.seq_after), (vec![], first.seq_after));
    }
    let mut soon = touch(ids[0], 4);
    soon.one.kind = UseKind::Cited;
    soon.refractory_us = 2 * 86_400_000_000;
    commit(store, &fixtures.touching(&ann, vec![soon])).await;
    let uses = present(store, ids[0]).await.strength.uses;
    assert_eq!(uses.newest(), [Use { kind: UseKind::Cited, ..touch(ids[0], 3).one }]);
    log_is_sound(store, first.partition).await;
}

/// Uses of one memory are recorded in the order of their times, whatever that of the list, and the oldest are counted
/// beyond the bound.
pub async fn uses_of_one_set_are_recorded_in_the_order_of_their_times(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let ids = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("used")])).await.created.memories;
    let touches: Vec<Touch> = (1..=70).rev().map(|day| touch(ids[0], day)).collect();
    let done = commit(store, &fixtures.touching(&ann, touches)).await;
    let uses = present(store, ids[0]).await.strength.uses;
    assert_eq!((uses.earlier() as usize, uses.newest().len()), (70 - MAX_USES, MAX_USES));
    assert_eq!(uses.newest().last(), Some(&touch(ids[0], 70).one));
    assert_eq!((done.touched, done.seq_after - done.seq_before), (ids, 1));
}
