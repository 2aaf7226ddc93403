//! Store contract, links: their versions, their targets, and their removal with the target.

use super::{answer, commit, loaded, log_is_sound, present};
use crate::domain::change::{ChangeSet, NewMemory, Refusal};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, TenantId};
use crate::domain::link::Link;
use crate::store::{ChangeOp, Store};
use crate::testing::fixtures::{Fixtures, link, name, owner, revised};

fn linking(mut new: NewMemory, links: Vec<Link>) -> NewMemory {
    new.memory.links = links;
    new
}

async fn add(store: &dyn Store, fixtures: &Fixtures, new: NewMemory) -> MemoryId {
    commit(store, &fixtures.adding(&owner("ann"), vec![new])).await.created.memories[0]
}

/// Links are returned exactly by every read. A new version has its own, and the earlier versions keep theirs. A
/// document that is replaced by name has the links of its new version.
pub async fn links_belong_to_their_version(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a"])).await;
    let (turn, fact) = (appended.created.memories[0], add(store, &fixtures, fixtures.fact("f")).await);
    let both = vec![link(turn, "größer \"als\"\u{200b}", 0.1), link(fact, "b", 1.0), link(turn, "b", 0.0)];
    let id = add(store, &fixtures, linking(fixtures.ornate(), both.clone())).await;
    let first = present(store, id).await;
    assert_eq!(first.links, both);
    assert_eq!(store.memories(appended.partition, &[id]).await.unwrap().first(), Some(&first));
    let whole = loaded(store, appended.partition).await.1;
    assert_eq!(whole.iter().find(|one| one.memory.id == id).unwrap().memory.links, both);
    assert_eq!(store.indexed(appended.partition, &[id]).await.unwrap()[0].memory.links, both);

    let mut second = revised(&first, Some("another text"));
    second.memory.links = vec![link(fact, "c", f32::MIN_POSITIVE)];
    commit(store, &fixtures.revising(&ann, second.clone())).await;
    let mut third = revised(&second.memory, None);
    third.memory.links = Vec::new();
    commit(store, &fixtures.revising(&ann, third.clone())).await;
    assert_eq!(present(store, id).await, third.memory);
    assert_eq!(store.earlier_versions(appended.partition, id).await.unwrap(), [first, second.memory]);

    let one =
        add(store, &fixtures, linking(fixtures.document("n", "k", "1"), vec![link(turn, "a", 0.5)])).await;
    let replacing = linking(fixtures.document("n", "k", "2"), vec![link(fact, "a", 0.25)]);
    let replaced = commit(store, &fixtures.adding(&ann, vec![replacing])).await;
    assert_eq!(present(store, one).await.links, [link(fact, "a", 0.25)]);
    assert_eq!(replaced.replaced[0].as_ref().unwrap().links, [link(fact, "a", 0.25)]);
    let earlier = store.earlier_versions(appended.partition, one).await.unwrap();
    assert_eq!(earlier[0].links, [link(turn, "a", 0.5)]);
    log_is_sound(store, appended.partition).await;
}

/// A set is refused if it links to a memory that is neither in the partition before it nor new in it, or a memory to
/// itself: as a new memory, as a revision, or as a document that replaces the one it links to.
pub async fn unknown_targets_are_refused(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let of_bob = commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.fact("bob's")])).await.created;
    let both = vec![fixtures.document("n", "k", "d"), fixtures.fact("other")];
    let of_ann = commit(store, &fixtures.adding(&ann, both)).await;
    let (id, other) = (of_ann.created.memories[0], of_ann.created.memories[1]);
    let to = |to: MemoryId| vec![link(id, "ok", 1.0), link(to, "a", 1.0)];
    for nobody in [of_bob.memories[0], MemoryId(fixtures.id())] {
        let refusal = Err(Refusal::NotFound(nobody.0));
        let added = linking(fixtures.fact("x"), to(nobody));
        let elsewhere = linking(fixtures.fact("x"), vec![link(nobody, "a", 1.0)]);
        assert_eq!(answer(store, &fixtures.adding(&owner("new"), vec![elsewhere])).await, refusal);
        let set = fixtures.adding(&ann, vec![fixtures.fact("never kept"), added]);
        assert_eq!(answer(store, &set).await, refusal);
        let mut edit = revised(&present(store, other).await, None);
        edit.memory.links = to(nobody);
        assert_eq!(answer(store, &fixtures.revising(&ann, edit)).await, refusal);
    }
    let mut edit = revised(&present(store, id).await, None);
    edit.memory.links = vec![link(id, "a", 1.0)];
    assert_eq!(answer(store, &fixtures.revising(&ann, edit)).await, Err(Refusal::LinkToItself(id)));
    let replacing = linking(fixtures.document("n", "k", "e"), vec![link(id, "a", 1.0)]);
    assert_eq!(answer(store, &fixtures.adding(&ann, vec![replacing])).await, Err(Refusal::LinkToItself(id)));
    let mut itself = fixtures.fact("itself");
    itself.memory.links = vec![link(itself.memory.id, "a", 1.0)];
    for who in [&ann, &owner("new")] {
        let refusal = Err(Refusal::LinkToItself(itself.memory.id));
        assert_eq!(answer(store, &fixtures.adding(who, vec![itself.clone()])).await, refusal);
    }
    assert_eq!(loaded(store, of_ann.partition).await.0, 2, "nothing of what was refused is there");
    assert_eq!(store.partition_of(TenantId::DEFAULT, &owner("new")).await.unwrap(), None);
    let first = fixtures.adding(&ann, vec![fixtures.fact("first")]);
    let links = vec![link(first.memories[0].memory.id, "a", 1.0)];
    let second = fixtures.adding(&ann, vec![linking(fixtures.fact("second"), links)]);
    let answers = store.commit(&[first, second]).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "what an earlier set of the call wrote is there: {answers:?}");
    log_is_sound(store, of_ann.partition).await;
}

/// The erasure of a memory removes links to it from the present and earlier versions of the remaining memories, without
/// a new version and with one change-log entry each. A memory that only links to it is not erased.
pub async fn links_are_removed_with_their_target(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["secret"])).await;
    let (turn, partition) = (appended.created.memories[0], appended.partition);
    let derived = fixtures.made_of(fixtures.fact("derived"), &[Source::Turn(appended.created.turns[0])]);
    let derived = add(store, &fixtures, derived).await;
    let kept = add(store, &fixtures, fixtures.fact("kept")).await;
    let to_kept = link(kept, "a", 0.5);
    let links = vec![link(turn, "a", 1.0), to_kept.clone(), link(derived, "b", 1.0)];
    let now = add(store, &fixtures, linking(fixtures.fact("now"), links.clone())).await;
    let before = add(store, &fixtures, linking(fixtures.fact("before"), links)).await;
    let mut edit = revised(&present(store, before).await, None);
    edit.memory.links = vec![to_kept.clone()];
    commit(store, &fixtures.revising(&ann, edit)).await;
    add(store, &fixtures, linking(fixtures.fact("untouched"), vec![to_kept.clone()])).await;

    let gone = commit(store, &fixtures.erasing(&ann, vec![turn])).await;
    assert_eq!(gone.created.erased, [turn, derived]);
    assert_eq!(gone.seq_after - gone.seq_before, 4, "two went, two lost links");
    let log = store.changes(partition, gone.seq_before, 10).await.unwrap();
    let put: Vec<MemoryId> =
        log.iter().filter(|entry| entry.op == ChangeOp::Put).map(|entry| entry.memory).collect();
    assert_eq!(put, [now, before]);
    for (id, version) in [(now, 1), (before, 2)] {
        let memory = present(store, id).await;
        assert_eq!((memory.version, &memory.links), (version, &vec![to_kept.clone()]));
    }
    assert_eq!(store.earlier_versions(partition, before).await.unwrap()[0].links, [to_kept]);
    log_is_sound(store, partition).await;
    let last = commit(store, &fixtures.erasing(&ann, vec![kept])).await;
    assert_eq!(last.seq_after - last.seq_before, 4, "one went, three lost links");
    assert!(loaded(store, partition).await.1.iter().all(|one| one.memory.links.is_empty()));
    log_is_sound(store, partition).await;
}

/// A revision with `keeps_links` keeps the links at commit time, whatever was read before: links removed by an erasure
/// do not return, and do not make the revision fail.
pub async fn a_revision_that_keeps_links_keeps_the_remaining_ones(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let doomed = add(store, &fixtures, fixtures.fact("doomed")).await;
    let kept = add(store, &fixtures, fixtures.fact("kept")).await;
    let links = vec![link(doomed, "a", 1.0), link(kept, "a", 0.5)];
    let id = add(store, &fixtures, linking(fixtures.fact("x"), links)).await;
    let mut edit = revised(&present(store, id).await, None);
    edit.keeps_links = true;
    let gone = commit(store, &fixtures.erasing(&ann, vec![doomed])).await;
    commit(store, &fixtures.revising(&ann, revised(&present(store, id).await, None))).await;
    edit.memory.version += 1;
    commit(store, &fixtures.revising(&ann, edit)).await;
    let memory = present(store, id).await;
    assert_eq!((memory.version, memory.links), (3, vec![link(kept, "a", 0.5)]));
    let last = commit(store, &fixtures.erasing(&ann, vec![kept])).await;
    assert_eq!(last.seq_after - last.seq_before, 2, "one went, one lost links");
    let versions = store.earlier_versions(gone.partition, id).await.unwrap();
    assert!(versions.iter().all(|version| version.links.is_empty()));
    log_is_sound(store, gone.partition).await;
}

/// A set may link to a memory that it erases itself, and an erasure may include both ends of a link: the answer equals
/// the stored state.
pub async fn links_and_erasures_of_one_set_agree(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let doomed = add(store, &fixtures, fixtures.fact("doomed")).await;
    let kept = add(store, &fixtures, fixtures.fact("kept")).await;
    let document = add(store, &fixtures, fixtures.document("n", "k", "one")).await;
    let links = vec![link(doomed, "a", 1.0), link(kept, "a", 1.0)];
    let mut set = ChangeSet { erasures: vec![doomed], ..fixtures.set(&ann) };
    set.memories = vec![
        linking(fixtures.fact("new"), links.clone()),
        linking(fixtures.document("n", "k", "two"), links.clone()),
    ];
    let mut edit = revised(&present(store, kept).await, None);
    edit.memory.links = vec![link(doomed, "b", 1.0)];
    edit.memory.tags = vec![name("edited")];
    set.revisions.push(edit);
    let done = commit(store, &set).await;
    assert_eq!(done.created.erased, [doomed]);
    let answered = done.replaced[1].clone().unwrap();
    assert_eq!((answered.id, &answered.links), (document, &vec![link(kept, "a", 1.0)]));
    assert_eq!(present(store, document).await, answered);
    assert_eq!(present(store, done.created.memories[0]).await.links, [link(kept, "a", 1.0)]);
    let edited = present(store, kept).await;
    assert_eq!((edited.version, edited.tags, edited.links), (2, vec![name("edited")], vec![]));
    log_is_sound(store, done.partition).await;
    let both = commit(store, &fixtures.erasing(&ann, vec![document, kept])).await;
    assert_eq!(both.seq_after - both.seq_before, 3, "two went, one lost a link");
    log_is_sound(store, done.partition).await;
}

/// New memories of a set may link to each other, forwards, backwards and in cycles, and revisions to them, in a new
/// partition too. The links are removed with their targets like all others.
pub async fn new_memories_of_a_set_link_to_each_other(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut set = fixtures.saying(&ann, "s", &["a turn"]);
    set.memories = ["one", "two"].map(|text| fixtures.fact(text)).to_vec();
    let [one, two] = [0, 1].map(|at| set.memories[at].memory.id);
    let said = &mut set.turns.as_mut().unwrap().turns[0].1.memory;
    let turn = said.id;
    said.links = vec![link(two, "a", 0.5)];
    set.memories[0].memory.links = vec![link(two, "a", 1.0), link(turn, "b", 0.25)];
    set.memories[1].memory.links = vec![link(one, "a", 1.0)];
    let done = commit(store, &set).await;
    assert_eq!(present(store, turn).await.links, [link(two, "a", 0.5)]);
    assert_eq!(present(store, one).await.links, [link(two, "a", 1.0), link(turn, "b", 0.25)]);
    assert_eq!(present(store, two).await.links, [link(one, "a", 1.0)]);

    let three = fixtures.fact("three");
    let mut edit = revised(&present(store, one).await, None);
    edit.memory.links = vec![link(three.memory.id, "c", 1.0)];
    let mut evolving = fixtures.revising(&ann, edit);
    evolving.memories = vec![linking(three, vec![link(one, "d", 1.0)])];
    let three = commit(store, &evolving).await.created.memories[0];
    assert_eq!(present(store, one).await.links, [link(three, "c", 1.0)]);
    assert_eq!(present(store, three).await.links, [link(one, "d", 1.0)]);
    log_is_sound(store, done.partition).await;

    let gone = commit(store, &fixtures.erasing(&ann, vec![two, three])).await;
    assert_eq!(gone.seq_after - gone.seq_before, 4, "two went, two lost links");
    assert!(present(store, turn).await.links.is_empty());
    assert!(present(store, one).await.links.is_empty());
    log_is_sound(store, done.partition).await;
}

/// A document that takes the place of another keeps the earlier id. Links of its set to the provisional id lead to the
/// kept one, whether the earlier document was in the partition or comes earlier in the set.
pub async fn links_to_a_replacing_document_lead_to_the_kept_one(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let stored = add(store, &fixtures, fixtures.document("n", "stored", "1")).await;
    let plain = add(store, &fixtures, fixtures.fact("plain")).await;
    let again = fixtures.document("n", "stored", "2");
    let (first, second) = (fixtures.document("n", "new", "1"), fixtures.document("n", "new", "2"));
    let (again_id, first_id, second_id) = (again.memory.id, first.memory.id, second.memory.id);
    let links = |to: [MemoryId; 3]| to.map(|to| link(to, "a", 0.5)).to_vec();
    let mut edit = revised(&present(store, plain).await, None);
    edit.memory.links = links([again_id, stored, second_id]);
    let mut set = fixtures.revising(&ann, edit);
    set.memories = vec![
        linking(fixtures.fact("before"), links([again_id, second_id, plain])),
        linking(again, vec![link(second_id, "b", 1.0)]),
        first,
        linking(second, vec![link(again_id, "c", 1.0)]),
    ];
    let done = commit(store, &set).await;
    assert_eq!(done.created.memories[1..4], [stored, first_id, first_id]);
    assert_eq!(present(store, done.created.memories[0]).await.links, links([stored, first_id, plain]));
    assert_eq!(present(store, plain).await.links, links([stored, first_id, plain])[..2]);
    assert_eq!(present(store, stored).await.links, [link(first_id, "b", 1.0)]);
    assert_eq!(done.replaced[1], Some(present(store, stored).await));
    assert_eq!(done.replaced[3], Some(present(store, first_id).await));
    assert_eq!(present(store, first_id).await.links, [link(stored, "c", 1.0)]);
    log_is_sound(store, done.partition).await;

    let (one, two) = (fixtures.document("n", "x", "1"), fixtures.document("n", "x", "2"));
    let id = one.memory.id;
    let itself = linking(one, vec![link(two.memory.id, "a", 1.0)]);
    for who in [&ann, &owner("new")] {
        let set = fixtures.adding(who, vec![itself.clone(), two.clone()]);
        assert_eq!(answer(store, &set).await, Err(Refusal::LinkToItself(id)), "they are one document");
    }
    let gone = commit(store, &fixtures.erasing(&ann, vec![stored])).await;
    assert_eq!(gone.seq_after - gone.seq_before, 4, "one went, three lost links");
    log_is_sound(store, done.partition).await;
}
