//! Store contract, undo: the versions of a job, and the set that takes them back.

use std::collections::BTreeSet;

use super::{answer, commit, loaded, log_is_sound, present};
use crate::domain::change::{ChangeSet, Committed, Refusal, Retraction};
use crate::domain::derivation::Source;
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::domain::time::Interval;
use crate::domain::undo::{BuiltOn, MadeVersion, Undo, VersionId};
use crate::memories::{Named, plan_undo};
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, link, name, owner, revised, rows, touch};

async fn made_by(store: &dyn Store, partition: PartitionId, job: JobId) -> Vec<MadeVersion> {
    let mut made: Vec<MadeVersion> = Vec::new();
    loop {
        let after: Option<DerivationId> = made.last().map(|one| one.derivation);
        let page = store.made_by(partition, job, after, 2).await.unwrap();
        assert!(page.len() <= 2, "a page is bounded");
        if page.is_empty() {
            return made;
        }
        made.extend(page);
    }
}

async fn history(store: &dyn Store, partition: PartitionId, id: MemoryId) -> Vec<Memory> {
    let mut versions = store.earlier_versions(partition, id).await.unwrap();
    versions.push(present(store, id).await);
    versions
}

/// Plan of the undo of a job.
async fn undo(store: &dyn Store, partition: PartitionId, job: JobId) -> Undo {
    plan_undo(store, partition, Named::Job(job), 100, START.plus_days(1)).await.unwrap()
}

async fn take_back(store: &dyn Store, mut set: ChangeSet, undo: Undo) -> Committed {
    undo.add_to(&mut set, |memory| rows(&memory.text), |_| Vec::new());
    commit(store, &set).await
}

/// Content of a version: all but its number, its recording time and the strength.
fn content(memory: &Memory) -> Memory {
    Memory { version: 0, recorded_at: START, ..memory.clone() }
}

/// A note that is new, and the evolution of a fact and of a document by it.
async fn evolve(store: &dyn Store, fixtures: &Fixtures, job: JobId) -> (Committed, Vec<MemoryId>) {
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a turn"])).await;
    let source = [Source::Turn(said.created.turns[0])];
    let mut fact = fixtures.made_of(fixtures.fact("as it was|then"), &source);
    fact.memory.tags = vec![name("before")];
    let ornate = fixtures.ornate().memory;
    (fact.memory.statement, fact.memory.audience) = (ornate.statement, ornate.audience);
    fact.memory.links = vec![link(said.created.memories[0], "of", 0.5)];
    fact.memory.valid = Interval { start: Some(START), end: None };
    let before = vec![fact, fixtures.document("n", "k", "document"), fixtures.fact("bystander")];
    let ids = commit(store, &fixtures.adding(&ann, before)).await.created.memories;
    let note = fixtures.made_of(fixtures.fact("a note"), &source);
    let second = fixtures.made_of(fixtures.fact("a second note"), &source);
    let (note_id, second_id) = (note.memory.id, second.memory.id);
    let mut edit = revised(&present(store, ids[0]).await, Some("as evolved"));
    edit.memory.tags = vec![name("evolved")];
    (edit.memory.statement, edit.memory.audience) = (None, vec![name("evolved")]);
    edit.memory.links = vec![link(note_id, "evolved by", 1.0)];
    edit.memory.valid.end = Some(START.plus_days(1));
    let edit = fixtures.revised_from(edit, &source);
    let mut again = revised(&edit.memory, None);
    again.memory.tags = vec![name("evolved twice")];
    let again = fixtures.revised_from(again, &source);
    let mut set = fixtures.revising(&ann, edit);
    set.revisions.push(again);
    let mut linking = vec![note, second, fixtures.made_of(fixtures.document("n", "k", "rewritten"), &source)];
    linking[0].memory.links = vec![link(ids[0], "a", 1.0), link(second_id, "b", 1.0)];
    set.memories = linking;
    let done = commit(store, &fixtures.made_by(job, set)).await;
    (done, vec![ids[0], ids[1], ids[2], note_id, second_id])
}

/// The versions that a job made are found by it, in pages and in its partition: new memories, revisions and documents
/// replaced by name, present or not. Versions that keep a derivation are not listed again.
pub async fn versions_are_found_by_their_job(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (job, other) = (JobId(fixtures.id()), JobId(fixtures.id()));
    let (done, ids) = evolve(store, &fixtures, job).await;
    let derivation = store.derivation(done.partition, ids[3]).await.unwrap().unwrap();
    assert_eq!(derivation.job, Some(job));
    let mut tagged = revised(&present(store, ids[0]).await, None);
    tagged.memory.derivation = present(store, ids[0]).await.derivation;
    commit(store, &fixtures.revising(&owner("ann"), tagged)).await;
    let mut made: Vec<_> =
        made_by(store, done.partition, job).await.iter().map(|one| (one.memory, one.version)).collect();
    made.sort_unstable();
    let mut expected = vec![(ids[0], 2), (ids[0], 3), (ids[1], 2), (ids[3], 1), (ids[4], 1)];
    expected.sort_unstable();
    assert_eq!(made, expected);
    assert_eq!(made_by(store, done.partition, other).await, []);
    let bob = commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.fact("bob's")])).await;
    assert_eq!(made_by(store, bob.partition, job).await, []);
}

/// The undo of a job restores texts, statements, audiences, tags, links and validity of the revised memories as new versions, with their
/// derivations, and erases the memories that the job created. The history keeps what the job made. A second undo
/// changes nothing.
pub async fn an_undo_restores_what_was_and_erases_what_was_created(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, job) = (owner("ann"), JobId(fixtures.id()));
    let (done, ids) = evolve(store, &fixtures, job).await;
    let bystander = present(store, ids[2]).await;
    let undo_once = undo(store, done.partition, job).await;
    assert_eq!(undo_once.restored.iter().map(|one| one.has_other_text).collect::<Vec<_>>(), [true, true]);
    assert_eq!(undo_once.left, []);
    let taken = take_back(store, fixtures.set(&ann), undo_once).await;
    assert_eq!(BTreeSet::from_iter(taken.created.erased), BTreeSet::from([ids[3], ids[4]]));
    for (id, version) in [(ids[0], 4), (ids[1], 3)] {
        let versions = history(store, done.partition, id).await;
        let (first, last) = (&versions[0], versions.last().unwrap());
        assert_eq!((content(last), last.version), (content(first), version));
        assert_eq!(last.recorded_at, START.plus_days(1));
        let loaded = loaded(store, done.partition).await.1;
        let stored = loaded.iter().find(|one| one.memory.id == id).unwrap();
        assert_eq!(stored.rows, rows(&first.text), "the rows are those of the restored text");
        let record = store.derivation(done.partition, id).await.unwrap();
        assert_eq!(record.map(|record| record.id), first.derivation);
    }
    assert_eq!(history(store, done.partition, ids[0]).await[1].text, "as evolved");
    assert_eq!(present(store, ids[2]).await, bystander);
    log_is_sound(store, done.partition).await;

    let again = undo(store, done.partition, job).await;
    assert_eq!(again, Undo::default());
    let turn = present(store, ids[0]).await.links[0].to;
    let erased = commit(store, &fixtures.erasing(&ann, vec![turn])).await.created.erased;
    assert_eq!(
        BTreeSet::from_iter(erased),
        BTreeSet::from([turn, ids[0], ids[1]]),
        "provenance survives an undo"
    );
    log_is_sound(store, done.partition).await;
}

/// Uses, pins and records of forgetting change nothing that an undo depends on: it is not refused for them, and is for any other
/// change, also one between touches or in the same transaction.
pub async fn an_undo_is_not_outdated_by_uses(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let created = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("a"), fixtures.fact("b")])).await;
    let (partition, ids) = (created.partition, created.created.memories);
    let prepared_at = store.last_change(partition).await.unwrap();
    let prepared = |set: ChangeSet| ChangeSet { prepared_at: Some(prepared_at), ..set };
    for days in 1..=3 {
        let touches = ids.iter().map(|id| touch(*id, days)).collect();
        commit(store, &fixtures.touching(&ann, touches)).await;
    }
    assert_eq!(store.last_change(partition).await.unwrap(), prepared_at + 6);
    let tag = |id| async move {
        let memory = present(store, id).await;
        let mut edit = revised(&memory, None);
        edit.memory.tags = vec![name("undone")];
        edit
    };
    let undo = prepared(fixtures.revising(&ann, tag(ids[0]).await));
    let used = present(store, ids[0]).await.strength;
    let together = [undo.clone(), fixtures.touching(&ann, vec![touch(ids[1], 4)]), undo];
    let answers = store.commit(&together).await.unwrap();
    assert!(matches!(answers[..], [Ok(_), Ok(_), Err(Refusal::Outdated)]), "{answers:?}");
    assert_eq!((present(store, ids[0]).await.strength, present(store, ids[0]).await.version), (used, 2));
    let later = prepared(fixtures.revising(&ann, tag(ids[1]).await));
    assert_eq!(answer(store, &later).await, Err(Refusal::Outdated), "another change lies between");
    let nowhere = ChangeSet { prepared_at: Some(1), ..fixtures.touching(&owner("nobody"), Vec::new()) };
    assert_eq!(answer(store, &nowhere).await, Err(Refusal::Outdated));
    let ahead = ChangeSet { prepared_at: Some(1_000), ..fixtures.touching(&ann, vec![touch(ids[1], 5)]) };
    assert_eq!(answer(store, &ahead).await, Err(Refusal::Outdated), "of another store");
    log_is_sound(store, partition).await;
}

/// A memory changed after the job is named as a dependent and taken back with it; an erased one is nothing to take
/// back. An undo that was planned before another change of the partition is refused.
pub async fn an_undo_takes_back_what_was_changed_since(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, job) = (owner("ann"), JobId(fixtures.id()));
    let (done, ids) = evolve(store, &fixtures, job).await;
    let mut stale = fixtures.set(&ann);
    stale.prepared_at = Some(store.last_change(done.partition).await.unwrap());
    undo(store, done.partition, job).await.add_to(&mut stale, |memory| rows(&memory.text), |_| Vec::new());
    for id in [ids[0], ids[3]] {
        let memory = present(store, id).await;
        let mut edit = revised(&memory, None);
        edit.memory.derivation = memory.derivation;
        edit.memory.tags = vec![name("by the caller")];
        commit(store, &fixtures.revising(&ann, edit)).await;
    }
    assert_eq!(answer(store, &stale).await, Err(Refusal::Outdated));
    commit(store, &fixtures.erasing(&ann, vec![ids[4]])).await;
    let late = undo(store, done.partition, job).await;
    let mut expected =
        vec![VersionId { memory: ids[0], version: 4 }, VersionId { memory: ids[3], version: 2 }];
    expected.sort_unstable();
    assert_eq!((&late.dependents, &late.erasures), (&expected, &vec![ids[3]]));
    take_back(store, fixtures.set(&ann), late).await;
    assert_eq!(present(store, ids[0]).await.tags, [name("before")]);
    assert_eq!(present(store, ids[1]).await.text, "document");
    log_is_sound(store, done.partition).await;
}

/// A memory that was revised with a created one in view is restored and stays when that one is erased: the versions that
/// had it in view leave the history, with their derivations and links.
pub async fn an_undo_keeps_memories_revised_with_its_creations_in_view(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, job) = (owner("ann"), JobId(fixtures.id()));
    let facts = ["revised", "source", "linked"].map(|text| fixtures.fact(text)).to_vec();
    let ids = commit(store, &fixtures.adding(&ann, facts)).await.created.memories;
    let notes =
        ["seen", "unseen"].map(|text| fixtures.made_of(fixtures.fact(text), &[Source::Memory(ids[1])]));
    let created = fixtures.made_by(job, fixtures.adding(&ann, notes.to_vec()));
    let notes = commit(store, &created).await.created.memories;
    let mut edit = revised(&present(store, ids[0]).await, Some("evolved"));
    edit.memory.links = vec![link(ids[2], "by", 1.0), link(notes[0], "by", 1.0)];
    let edit = fixtures.revised_from(edit, &[Source::Memory(notes[0])]);
    let evolution = edit.memory.derivation.unwrap();
    let partition = commit(store, &fixtures.revising(&ann, edit)).await.partition;
    let built = store.built_on(partition, &[Source::Memory(notes[0])], 9).await.unwrap();
    let expected = BuiltOn { source: Source::Memory(notes[0]), derivation: evolution, memory: ids[0] };
    assert_eq!(built, [expected]);
    let undo = undo(store, partition, job).await;
    assert_eq!((&undo.erasures, &undo.dependents), (&notes, &vec![VersionId { memory: ids[0], version: 2 }]));
    let done = take_back(store, fixtures.set(&ann), undo).await;
    assert_eq!(BTreeSet::from_iter(done.created.erased), BTreeSet::from_iter(notes));
    let versions = history(store, partition, ids[0]).await;
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(content(&versions[1]), content(&versions[0]));
    assert_eq!(commit(store, &fixtures.erasing(&ann, vec![ids[0]])).await.created.erased, [ids[0]]);
    log_is_sound(store, partition).await;
}

/// The derivation of a present version cannot be retracted.
pub async fn a_present_version_is_not_retracted(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let source =
        commit(store, &fixtures.adding(&ann, vec![fixtures.fact("source")])).await.created.memories[0];
    let made = fixtures.made_of(fixtures.fact("made"), &[Source::Memory(source)]);
    let derivation = made.memory.derivation.unwrap();
    let memory = commit(store, &fixtures.adding(&ann, vec![made])).await.created.memories[0];
    let mut set = fixtures.set(&ann);
    set.retractions = vec![Retraction { memory, derivation }];
    assert_eq!(answer(store, &set).await, Err(Refusal::NotFound(derivation.0)));
}

/// The partitions of a job are found with their owners, in its tenant. Versions are numbered in the order of their
/// commits.
pub async fn partitions_of_a_job_and_the_order_of_versions_are_found(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let job = JobId(fixtures.id());
    let (done, ids) = evolve(store, &fixtures, job).await;
    let found = store.partitions_of_job(TenantId::DEFAULT, job, 9).await.unwrap();
    assert_eq!(found, [(done.partition, owner("ann"))]);
    let other = TenantId(fixtures.id());
    assert_eq!(store.partitions_of_job(other, job, 9).await.unwrap(), []);
    assert_eq!(store.partitions_of_job(TenantId::DEFAULT, JobId(fixtures.id()), 9).await.unwrap(), []);
    let numbers = store.change_numbers(done.partition, &ids[..2]).await.unwrap();
    let number = |id: MemoryId, version: u32| {
        numbers.iter().find(|(of, at, _)| (*of, *at) == (id, version)).map(|(.., number)| *number).unwrap()
    };
    assert_eq!(numbers.len(), 5, "three versions and two");
    assert!(number(ids[0], 1) < number(ids[1], 1));
    assert!(number(ids[1], 1) < number(ids[0], 2) && number(ids[0], 2) < number(ids[0], 3));
    assert_eq!(store.last_change(done.partition).await.unwrap(), number(ids[0], 3));
}
