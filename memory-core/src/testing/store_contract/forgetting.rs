//! Store contract, forgetting: records beside the memories, pins, and what sweeps read.

use super::{commit, loaded, log_is_sound, present};
use crate::domain::change::{ChangeSet, Forgetting, OwnerErasure, Pin};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use crate::domain::job::{Job, JobAttempt};
use crate::domain::memory::{DocumentName, Kind};
use crate::store::{ChangeOp, ForgottenFilter, ForgottenPlace, Indexed, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, forgotten, name, owner, revised, touch};

fn forgetting(memory: MemoryId, effect: Effect, days: i64) -> Forgetting {
    Forgetting { memory, record: forgotten(effect, days) }
}

fn place((memory, record): &(MemoryId, Forgotten)) -> ForgottenPlace {
    ForgottenPlace { recorded_at: record.recorded_at, memory: *memory }
}

/// A forgotten memory keeps its text, its versions and its rows. It has the record until it is restored, and is as before
/// then; a revision keeps the record.
pub async fn a_forgotten_memory_is_listed_and_restored_as_it_was(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = (0..70).map(|at| fixtures.fact(&format!("fact {at}"))).collect();
    let created = commit(store, &fixtures.adding(&ann, facts)).await;
    let (partition, ids) = (created.partition, created.created.memories);
    let before = loaded(store, partition).await.1;
    let unknown = MemoryId(fixtures.id());
    let some = || ids[..66].iter().copied().chain([unknown]);
    let forgettings = some().map(|id| forgetting(id, Effect::Exclude, 5)).collect();
    let done = commit(store, &ChangeSet { forgettings, ..fixtures.set(&ann) }).await;
    assert_eq!((&done.touched[..], done.seq_after - done.seq_before), (&ids[..66], 66));
    let log = store.changes(partition, done.seq_before, 100).await.unwrap();
    assert!(log.iter().all(|entry| entry.op == ChangeOp::Touch));
    assert_eq!(store.forgotten_count(partition).await.unwrap(), 66);
    for (one, was) in loaded(store, partition).await.1.iter().zip(&before) {
        let is_forgotten = one.memory.id <= ids[65];
        assert_eq!(one.memory.forgotten, is_forgotten.then(|| forgotten(Effect::Exclude, 5)));
        assert_eq!(one.rows, was.rows);
    }
    commit(store, &fixtures.revising(&ann, revised(&present(store, ids[0]).await, Some("edited")))).await;
    assert_eq!(present(store, ids[0]).await.forgotten, Some(forgotten(Effect::Exclude, 5)));
    let rememberings = some().skip(1).collect();
    let done = commit(store, &ChangeSet { rememberings, ..fixtures.set(&ann) }).await;
    assert_eq!(done.touched, ids[1..66]);
    let after = loaded(store, partition).await.1;
    assert_eq!(after[1..], before[1..]);
    log_is_sound(store, partition).await;
}

/// Pins are committed before the forgettings of their set; a pin that is there already changes nothing.
pub async fn a_pinned_memory_is_not_forgotten(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = ["pinned", "other"].map(|text| fixtures.fact(text)).to_vec();
    let created = commit(store, &fixtures.adding(&ann, facts)).await;
    let ids = created.created.memories;
    let mut set = fixtures.set(&ann);
    set.pins = vec![
        Pin { memory: ids[1], pinned: true },
        Pin { memory: ids[0], pinned: true },
        Pin { memory: ids[1], pinned: false },
        Pin { memory: MemoryId(fixtures.id()), pinned: true },
    ];
    set.forgettings = ids.iter().map(|id| forgetting(*id, Effect::Cold, 5)).collect();
    let done = commit(store, &set).await;
    assert_eq!((&done.touched, done.seq_after - done.seq_before), (&ids, 2));
    let [pinned, other] = [present(store, ids[0]).await, present(store, ids[1]).await];
    assert_eq!((pinned.strength.pinned, pinned.forgotten), (true, None));
    assert_eq!((other.strength.pinned, other.forgotten.map(|it| it.effect)), (false, Some(Effect::Cold)));
    let again = commit(store, &set).await;
    assert_eq!((again.touched, again.seq_after), (vec![], done.seq_after));
    let pins = vec![Pin { memory: ids[0], pinned: false }];
    let released = commit(store, &ChangeSet { pins, ..fixtures.set(&ann) }).await;
    assert_eq!((released.touched, present(store, ids[0]).await.strength.pinned), (vec![ids[0]], false));
    log_is_sound(store, created.partition).await;
}

/// Sweeps may run as often as they like: what is forgotten already keeps its first record, unless the effect changes.
pub async fn a_record_of_forgetting_is_replaced_by_another_effect_alone(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let created = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("old")])).await;
    let id = created.created.memories[0];
    let mut last = created.seq_after;
    for (effect, days, kept, entries) in [
        (Effect::Demote, 5, 5, 1),
        (Effect::Demote, 9, 5, 0),
        (Effect::Delete, 12, 12, 1),
        (Effect::Delete, 13, 12, 0),
    ] {
        let forgettings = vec![forgetting(id, effect, days)];
        let done = commit(store, &ChangeSet { forgettings, ..fixtures.set(&ann) }).await;
        assert_eq!(present(store, id).await.forgotten, Some(forgotten(effect, kept)));
        assert_eq!(done.seq_after - last, entries);
        last = done.seq_after;
    }
    log_is_sound(store, created.partition).await;
}

/// An erasure removes the record, also in the set that writes it.
pub async fn records_of_forgetting_go_with_their_memory(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = ["erased", "erased at once", "kept"].map(|text| fixtures.fact(text)).to_vec();
    let created = commit(store, &fixtures.adding(&ann, facts)).await;
    let (partition, ids) = (created.partition, created.created.memories);
    let forgettings = vec![forgetting(ids[0], Effect::Delete, 1), forgetting(ids[2], Effect::Delete, 1)];
    commit(store, &ChangeSet { forgettings, ..fixtures.set(&ann) }).await;
    let mut set = fixtures.erasing(&ann, ids[..2].to_vec());
    set.forgettings = vec![forgetting(ids[1], Effect::Delete, 2)];
    let done = commit(store, &set).await;
    assert_eq!((done.touched, done.created.erased.len()), (vec![], 2));
    let listed = store.forgotten_page(partition, ForgottenFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[2]]);
    let bob = owner("bob");
    let of_bob = commit(store, &fixtures.adding(&bob, vec![fixtures.fact("bob's")])).await;
    let rememberings = vec![ids[2]];
    let done = commit(store, &ChangeSet { rememberings, ..fixtures.set(&bob) }).await;
    assert_eq!(done.touched, [], "another owner's record stays");
    assert_eq!(store.forgotten_count(of_bob.partition).await.unwrap(), 0);
    assert_eq!(store.forgotten_count(partition).await.unwrap(), 1);
    log_is_sound(store, partition).await;
}

/// Pages cover every memory once, in the order of ids; forgotten ones are listed those found last first.
pub async fn retention_is_read_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut new: Vec<_> = (0..9).map(|at| fixtures.fact(&format!("fact {at}"))).collect();
    new.push(fixtures.ornate());
    let created = commit(store, &fixtures.adding(&ann, new)).await;
    let (partition, ids) = (created.partition, created.created.memories);
    commit(store, &fixtures.touching(&ann, vec![touch(ids[1], 2)])).await;
    let days = |at: usize| [3, 1, 2, 2][at % 4];
    let forgettings = ids[..8].iter().enumerate();
    let forgettings = forgettings.map(|(at, id)| forgetting(*id, Effect::Cold, days(at))).collect();
    commit(store, &ChangeSet { forgettings, ..fixtures.set(&ann) }).await;

    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = store.retention_page(partition, after, 3).await.unwrap();
        assert!(page.rows.len() <= 3);
        rows.extend(page.rows);
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    let all = loaded(store, partition).await.1;
    assert_eq!(rows.len(), all.len());
    for (row, Indexed { memory, .. }) in rows.iter().zip(&all) {
        assert_eq!((row.memory, row.kind, row.version), (memory.id, memory.kind, memory.version));
        assert_eq!((row.tokens, &row.strength), (memory.tokens, &memory.strength));
        assert_eq!(row.forgotten, memory.forgotten);
    }
    let retained = store.retained(partition, &[ids[1], MemoryId(fixtures.id())]).await.unwrap();
    assert_eq!((retained.len(), &retained[0].strength), (1, &rows[1].strength));

    let mut expected: Vec<_> =
        all.into_iter().filter_map(|it| Some((it.memory.id, it.memory.forgotten?))).collect();
    expected.sort_by_key(|one| std::cmp::Reverse((one.1.recorded_at, one.0)));
    assert_eq!(store.forgotten_count(partition).await.unwrap(), expected.len() as u64);
    for limit in [1, 4, 100] {
        let mut listed: Vec<(MemoryId, Forgotten)> = Vec::new();
        loop {
            let after = listed.last().map(place);
            let all = ForgottenFilter::default();
            let page = store.forgotten_page(partition, all, after, limit).await.unwrap();
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, expected, "pages of {limit}");
    }
}

/// A filter by reason and effect leaves out records and changes neither the order nor the places of pages.
pub async fn forgotten_memories_are_listed_by_reason_and_effect(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let new = (0..24).map(|at| fixtures.fact(&format!("fact {at}"))).collect();
    let created = commit(store, &fixtures.adding(&ann, new)).await;
    let forgettings = created.created.memories.iter().enumerate().map(|(at, memory)| Forgetting {
        memory: *memory,
        record: Forgotten {
            reason: Reason::ALL[at % 3],
            ..forgotten(Effect::ALL[at / 3 % 3], [2, 1, 3][at % 5 % 3])
        },
    });
    let forgettings = forgettings.collect();
    commit(store, &ChangeSet { forgettings, ..fixtures.set(&ann) }).await;
    let listed = async |filter: ForgottenFilter, limit: u32| {
        let mut listed: Vec<(MemoryId, Forgotten)> = Vec::new();
        loop {
            let after = listed.last().map(place);
            let page = store.forgotten_page(created.partition, filter, after, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                return listed;
            }
            listed.extend(page);
        }
    };
    let all = listed(ForgottenFilter::default(), 100).await;
    assert_eq!(all.len(), 24);
    for reason in Reason::ALL.map(Some).into_iter().chain([None]) {
        for effect in Effect::ALL.map(Some).into_iter().chain([None]) {
            let passes = |record: &Forgotten| {
                reason.is_none_or(|reason| record.reason == reason)
                    && effect.is_none_or(|effect| record.effect == effect)
            };
            let expected: Vec<_> = all.iter().filter(|(_, record)| passes(record)).cloned().collect();
            assert_eq!(expected.is_empty(), effect == Some(Effect::Delete));
            for limit in [1, 3, 100] {
                let found = listed(ForgottenFilter { reason, effect }, limit).await;
                assert_eq!(found, expected, "{reason:?}, {effect:?}, pages of {limit}");
            }
        }
    }
}

/// A document that replaces another one has no uses and is not forgotten; it keeps the pin, which is of its name.
pub async fn a_replacing_document_is_learned_anew_and_keeps_its_pin(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let document = |text: &str| {
        let mut new = fixtures.fact(text);
        new.memory.kind = Kind::Document;
        new.memory.document = Some(DocumentName { namespace: name("n"), key: name("k") });
        new
    };
    let created = commit(store, &fixtures.adding(&ann, vec![document("first")])).await;
    let id = created.created.memories[0];
    let mut set = fixtures.touching(&ann, vec![touch(id, 1)]);
    set.forgettings = vec![forgetting(id, Effect::Exclude, 5)];
    commit(store, &set).await;
    let pins = vec![Pin { memory: id, pinned: true }];
    commit(store, &ChangeSet { pins, ..fixtures.set(&ann) }).await;
    let done = commit(store, &fixtures.adding(&ann, vec![document("second")])).await;
    let now = present(store, id).await;
    assert_eq!((now.strength.uses.count(), &now.forgotten), (0, &None));
    assert!(now.strength.pinned);
    assert_eq!(done.replaced, [Some(now)]);
    log_is_sound(store, created.partition).await;
}

/// The cosine to the nearest memory is of the learning: neither a revision nor the replacement of a document changes it, and all
/// reads have it, also those of its absence.
pub async fn the_nearest_cosine_stays_as_it_was_learned(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let with = |text: &str, is_document: bool, cosine: Option<f32>| {
        let mut new = if is_document { fixtures.document("n", "k", text) } else { fixtures.fact(text) };
        new.memory.strength.nearest_cosine = cosine;
        new
    };
    let expected = [Some(0.1), Some(-1.0), Some(1.005), None, Some(0.7)];
    let facts = expected[..4].iter().map(|cosine| with("fact", false, *cosine));
    let all = facts.chain([with("first", true, expected[4])]).collect();
    let created = commit(store, &fixtures.adding(&ann, all)).await;
    let (partition, ids) = (created.partition, created.created.memories);
    commit(store, &fixtures.adding(&ann, vec![with("second", true, Some(0.2))])).await;
    for id in &ids[..4] {
        let mut revision = revised(&present(store, *id).await, Some("edited"));
        revision.memory.strength.nearest_cosine = Some(0.3);
        commit(store, &fixtures.revising(&ann, revision)).await;
    }
    let page = store.retention_page(partition, None, 10).await.unwrap();
    let retained = store.retained(partition, &ids).await.unwrap();
    let indexed = loaded(store, partition).await.1;
    for (id, cosine) in ids.iter().zip(expected) {
        let of_page = page.rows.iter().find(|row| row.memory == *id).map(|row| row.strength.nearest_cosine);
        let touched = retained.iter().find(|one| one.memory == *id).map(|one| one.strength.nearest_cosine);
        let of_load =
            indexed.iter().find(|one| one.memory.id == *id).map(|one| one.memory.strength.nearest_cosine);
        assert_eq!([of_page, touched, of_load], [Some(cosine); 3]);
        assert_eq!(present(store, *id).await.strength.nearest_cosine, cosine);
    }
    log_is_sound(store, partition).await;
}

/// Lease of the jobs of the rules below.
const LEASE_US: i64 = 1_000;

/// A fact of Ann, and the attempt at a job of hers.
async fn checking(store: &dyn Store, fixtures: &Fixtures) -> (PartitionId, JobAttempt) {
    let ann = owner("ann");
    let partition = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("f")])).await.partition;
    let job = Job::new(JobId(fixtures.id()), TenantId::DEFAULT, "check", "{}".to_owned(), START);
    store.enqueue(Job { owner: Some(ann), ..job }).await.unwrap();
    (partition, store.claim(&["check"], START, LEASE_US).await.unwrap().unwrap().attempt())
}

/// The moment of the last check of a partition is the latest that a holder of its job has noted.
pub async fn the_moment_of_a_check_is_noted_by_the_holder_of_its_job_alone(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (partition, lost) = checking(store, &fixtures).await;
    assert_eq!(store.checked_at(partition).await.unwrap(), None);
    for (noted, kept) in [(3, 3), (5, 5), (4, 5), (5, 5)] {
        assert!(store.note_check(partition, START.plus_days(noted), lost).await.unwrap());
        assert_eq!(store.checked_at(partition).await.unwrap(), Some(START.plus_days(kept)));
    }
    let later = START.plus_micros(LEASE_US + 1);
    let held = store.claim(&["check"], later, LEASE_US).await.unwrap().unwrap().attempt();
    assert!(!store.note_check(partition, START.plus_days(9), lost).await.unwrap());
    assert_eq!(store.checked_at(partition).await.unwrap(), Some(START.plus_days(5)));
    assert!(store.note_check(partition, START.plus_days(9), held).await.unwrap());
    assert_eq!(store.checked_at(PartitionId(partition.0 + 1)).await.unwrap(), None, "of another partition");
}

/// The erasure of an owner takes the moment of its last check with it, and a job that was at work then notes none.
pub async fn the_moment_of_a_check_goes_with_its_owner(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (partition, attempt) = checking(store, &fixtures).await;
    assert!(store.note_check(partition, START, attempt).await.unwrap());
    let extent = store.owner_extent(TenantId::DEFAULT, &owner("ann")).await.unwrap().unwrap();
    let (memories, newest) = (extent.memories, extent.newest);
    let erasure = OwnerErasure { memories, newest, job: JobId(fixtures.id()), settings: Vec::new() };
    commit(store, &ChangeSet { erases_owner: Some(erasure), ..fixtures.set(&owner("ann")) }).await;
    assert_eq!(store.checked_at(partition).await.unwrap(), None);
    assert!(!store.note_check(partition, START, attempt).await.unwrap());
    assert_eq!(store.checked_at(partition).await.unwrap(), None);
}

/// The moment of the last check comes with restored memories, in their transaction, and never moves back.
pub async fn the_moment_of_a_check_comes_with_restored_memories(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    for (restored, kept) in [(Some(3), 3), (None, 3), (Some(5), 5), (Some(4), 5)] {
        let restored_check = restored.map(|days| START.plus_days(days));
        let set = ChangeSet { restored_check, ..fixtures.adding(&ann, vec![fixtures.fact("f")]) };
        let partition = commit(store, &set).await.partition;
        assert_eq!(store.checked_at(partition).await.unwrap(), Some(START.plus_days(kept)));
    }
}
