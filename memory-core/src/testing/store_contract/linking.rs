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

/// A set is refused if it links to a memory that was not in the partition before it, or a memory to itself: as a
/// revision, or as a document that replaces the one it links to.
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
