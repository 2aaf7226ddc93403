//! Store contract, erasure: cascades, isolation, and the removal of every trace.

use super::{answer, commit, loaded, log_is_sound, present};
use crate::domain::change::{ErasureBounds, Outcome, Refusal, Retraction};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, RecallId, TenantId};
use crate::store::{RecallRecord, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, hit, owner, revised};

/// Erasing a turn erases the memories derived from it, transitively, for inputs that were evidence or only in the
/// context, and for the turn or its memory as the source.
pub async fn derived_memories_are_erased_too(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await.created;
    let of_turn = fixtures.made_of(fixtures.fact("of a turn"), &[Source::Turn(appended.turns[0])]);
    let of_memory = fixtures.made_of(
        fixtures.fact("of its memory, in view only"),
        &[Source::Memory(appended.memories[1]), Source::Memory(appended.memories[0])],
    );
    let first = commit(store, &fixtures.adding(&ann, vec![of_turn, of_memory])).await.created.memories;
    let of_fact = fixtures.made_of(fixtures.fact("of a fact"), &[Source::Memory(first[0])]);
    let second = commit(store, &fixtures.adding(&ann, vec![of_fact])).await;
    let erasure = commit(store, &fixtures.erasing(&ann, vec![appended.memories[0]])).await;
    let mut expected = vec![appended.memories[0], first[0], first[1], second.created.memories[0]];
    expected.sort_unstable();
    let mut erased = erasure.created.erased.clone();
    erased.sort_unstable();
    assert_eq!(erased, expected);
    let left: Vec<MemoryId> =
        loaded(store, erasure.partition).await.1.iter().map(|one| one.memory.id).collect();
    assert_eq!(left, [appended.memories[1]]);
    assert!(
        store.turns_by_id(erasure.partition, &appended.turns).await.unwrap().len() == 1,
        "the turn goes too"
    );
    log_is_sound(store, erasure.partition).await;
}

/// A memory derived from two that are erased together is erased once, as is a root that is named twice or reached from
/// another root.
pub async fn a_memory_reached_twice_is_erased_once(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let root = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("root")])).await.created.memories[0];
    let sides = ["left", "right"].map(|text| fixtures.made_of(fixtures.fact(text), &[Source::Memory(root)]));
    let sides = commit(store, &fixtures.adding(&ann, sides.to_vec())).await.created.memories;
    let tip = fixtures.made_of(fixtures.fact("tip"), &[Source::Memory(sides[0]), Source::Memory(sides[1])]);
    let tip = commit(store, &fixtures.adding(&ann, vec![tip])).await.created.memories[0];
    let erasure = commit(store, &fixtures.erasing(&ann, vec![root, tip, root])).await;
    let mut erased = erasure.created.erased.clone();
    erased.sort_unstable();
    let mut expected = vec![root, sides[0], sides[1], tip];
    expected.sort_unstable();
    assert_eq!(erased, expected);
    assert_eq!(erasure.seq_after - erasure.seq_before, 4);
    assert_eq!(store.owners(TenantId::DEFAULT, None, 1).await.unwrap(), [], "nothing is left of the owner");
    log_is_sound(store, erasure.partition).await;
}

/// A document is erased if one of its earlier versions was derived from an erased memory, even if the present one was
/// not.
pub async fn erasure_follows_earlier_versions(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["secret"])).await.created;
    let derived = fixtures.made_of(fixtures.document("n", "k", "secret"), &[Source::Turn(appended.turns[0])]);
    let id = commit(store, &fixtures.adding(&ann, vec![derived])).await.created.memories[0];
    commit(store, &fixtures.adding(&ann, vec![fixtures.document("n", "k", "harmless")])).await;
    assert_eq!(present(store, id).await.derivation, None);
    let of_document = fixtures.made_of(fixtures.fact("of the document"), &[Source::Memory(id)]);
    let third = commit(store, &fixtures.adding(&ann, vec![of_document])).await.created.memories[0];
    let erasure = commit(store, &fixtures.erasing(&ann, appended.memories.clone())).await;
    assert_eq!(erasure.created.erased, [appended.memories[0], id, third]);
    assert_eq!(store.earlier_versions(erasure.partition, id).await.unwrap(), []);
    assert!(loaded(store, erasure.partition).await.1.is_empty());
    let again = commit(store, &fixtures.adding(&ann, vec![fixtures.document("n", "k", "anew")])).await;
    assert_eq!(present(store, again.created.memories[0]).await.version, 1, "the name is free again");
    log_is_sound(store, erasure.partition).await;
}

/// Erased memories are removed from the access log, and a session without turns is deleted; its key may be reused.
pub async fn erasure_leaves_no_trace(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let kept = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("kept")])).await.created.memories[0];
    let (partition, ids) = (appended.partition, appended.created.memories.clone());
    let id = RecallId(fixtures.id());
    let hits = vec![hit(ids[0], 0.75), hit(kept, 0.5), hit(ids[1], 0.25)];
    store
        .record_recalls(&[RecallRecord { id, partition, session: None, recalled_at: START, hits }], 10)
        .await
        .unwrap();
    commit(store, &fixtures.erasing(&ann, vec![ids[0]])).await;
    assert_eq!(store.sessions(partition, 0, 10).await.unwrap().len(), 1, "a turn is left");
    commit(store, &fixtures.erasing(&ann, vec![ids[1]])).await;
    assert_eq!(store.sessions(partition, 0, 10).await.unwrap(), []);
    assert_eq!(store.session(TenantId::DEFAULT, appended.created.session.unwrap()).await.unwrap(), None);
    assert_eq!(store.recalls(partition, 10).await.unwrap()[0].hits, [hit(kept, 0.5)]);
    let late = RecallRecord {
        id: RecallId(fixtures.id()),
        partition,
        session: None,
        recalled_at: START,
        hits: vec![hit(ids[0], 1.0), hit(kept, 0.5)],
    };
    store.record_recalls(&[late], 10).await.unwrap();
    let hits = store.recalls(partition, 1).await.unwrap()[0].hits.clone();
    assert_eq!(hits, [hit(kept, 0.5)], "a note that comes late brings nothing back");
    let new_session = commit(store, &fixtures.saying(&ann, "s", &["c"])).await.appended.unwrap();
    assert_eq!(
        (new_session.session_ordinal, new_session.first_seq),
        (1, 0),
        "an ordinal is never given twice"
    );
    log_is_sound(store, partition).await;
}

/// Ids outside the partition are refused, including those of another owner or tenant.
pub async fn erasure_of_unknown_ids_is_refused(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let of_ann = commit(store, &fixtures.saying(&ann, "s", &["a"])).await.created;
    commit(store, &fixtures.adding(&bob, vec![fixtures.fact("bob's")])).await;
    let id = of_ann.memories[0];
    let refusal = Err(Refusal::NotFound(id.0));
    assert_eq!(answer(store, &fixtures.erasing(&bob, vec![id])).await, refusal);
    assert_eq!(answer(store, &fixtures.erasing(&owner("new"), vec![id])).await, refusal);
    let mut elsewhere = fixtures.erasing(&ann, vec![id]);
    elsewhere.tenant = TenantId(fixtures.id());
    assert_eq!(answer(store, &elsewhere).await, refusal);
    let memory = present(store, id).await;
    assert_eq!(answer(store, &fixtures.revising(&bob, revised(&memory, None))).await, refusal);
    for source in [Source::Memory(id), Source::Turn(of_ann.turns[0])] {
        let created = fixtures.made_of(fixtures.fact("x"), &[source]);
        assert!(matches!(
            answer(store, &fixtures.adding(&bob, vec![created])).await,
            Err(Refusal::NotFound(_))
        ));
    }
    commit(store, &fixtures.erasing(&ann, vec![id])).await;
    assert_eq!(answer(store, &fixtures.erasing(&ann, vec![id])).await, refusal);
}

/// Other partitions keep all their memories, even identical ones.
pub async fn erasure_keeps_other_partitions(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut partitions = Vec::new();
    for who in ["ann", "bob"] {
        let who = owner(who);
        let appended = commit(store, &fixtures.saying(&who, "s", &["a"])).await;
        let fact = fixtures.made_of(fixtures.fact("f"), &[Source::Turn(appended.created.turns[0])]);
        commit(store, &fixtures.adding(&who, vec![fact])).await;
        partitions.push((appended.partition, appended.created.memories[0]));
    }
    let before = loaded(store, partitions[1].0).await;
    commit(store, &fixtures.erasing(&owner("ann"), vec![partitions[0].1])).await;
    assert!(loaded(store, partitions[0].0).await.1.is_empty());
    assert_eq!(loaded(store, partitions[1].0).await, before);
    assert_eq!(store.sessions(partitions[1].0, 0, 10).await.unwrap().len(), 1);
}

/// Additions, revisions and erasures in one set, and in the sets of one call, have the same result as one after the
/// other.
pub async fn erasure_is_consistent_with_other_writes_of_its_set(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let base = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let root = base.created.memories[0];
    let mut mixed = fixtures.saying(&ann, "s", &["c"]);
    mixed.memories.push(fixtures.made_of(fixtures.fact("doomed"), &[Source::Memory(root)]));
    mixed.memories.push(fixtures.fact("kept"));
    mixed.revisions.push(revised(&present(store, root).await, Some("edited, then erased")));
    mixed.erasures.push(root);
    let doomed = mixed.memories[0].memory.id;
    let gone_already = fixtures.made_of(fixtures.fact("too late"), &[Source::Memory(root)]);
    let sets = [mixed, fixtures.adding(&ann, vec![gone_already]), fixtures.saying(&ann, "s", &["d"])];
    let answers = store.commit(&sets).await.unwrap();
    let Ok(Outcome::Committed(mixed)) = &answers[0] else { panic!("refused: {answers:?}") };
    assert_eq!(mixed.created.erased, [root, doomed]);
    assert_eq!(answers[1], Err(Refusal::NotFound(root.0)), "a source that has just gone");
    assert_eq!(loaded(store, base.partition).await.1.len(), 4);
    let turns = store.turns(base.created.session.unwrap(), 0, 10).await.unwrap();
    assert_eq!(turns.iter().map(|turn| turn.seq).collect::<Vec<_>>(), [1, 2, 3]);
    log_is_sound(store, base.partition).await;
}

/// The closure of an erasure is what the erasure takes, read without a change: transitively, over turns and over earlier
/// versions, without what is not there, and not beyond its bound.
pub async fn a_closure_announces_what_an_erasure_takes(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b", "c"])).await;
    let (partition, said) = (said.partition, said.created);
    let of_turn = fixtures.made_of(fixtures.fact("of a turn"), &[Source::Turn(said.turns[0])]);
    let of_turn = commit(store, &fixtures.adding(&ann, vec![of_turn])).await.created.memories[0];
    let document = fixtures.made_of(fixtures.document("n", "k", "derived"), &[Source::Memory(of_turn)]);
    let document = commit(store, &fixtures.adding(&ann, vec![document])).await.created.memories[0];
    commit(store, &fixtures.adding(&ann, vec![fixtures.document("n", "k", "own")])).await;
    let before = loaded(store, partition).await;
    let unknown = MemoryId(fixtures.id());
    let roots = [said.memories[1], unknown, said.memories[0], said.memories[1]];
    let closure = store.erasure_closure(partition, &roots, &[], 4).await.unwrap();
    assert_eq!(closure, Some(vec![said.memories[1], said.memories[0], of_turn, document]));
    assert_eq!(store.erasure_closure(partition, &roots, &[], 3).await.unwrap(), None, "four are too many");
    assert_eq!(store.erasure_closure(partition, &[], &[], 0).await.unwrap(), Some(Vec::new()));
    assert_eq!(loaded(store, partition).await, before, "nothing is erased");
    let made = store.derivation(partition, of_turn).await.unwrap().unwrap().id;
    let retraction = Retraction { memory: of_turn, derivation: made };
    let spared = store.erasure_closure(partition, &roots[2..3], &[retraction], 9).await.unwrap();
    assert_eq!(spared, Some(vec![said.memories[0]]), "a retracted derivation does not count");
    let erased = commit(store, &fixtures.erasing(&ann, vec![said.memories[0]])).await.created;
    assert_eq!(erased.erased, [said.memories[0], of_turn, document]);
    assert_eq!(erased.matched, 1);
    log_is_sound(store, partition).await;
}

/// An erasure that would take other memories than those that were confirmed, or more than it may, is refused in its own
/// transaction, and nothing is erased.
pub async fn an_erasure_takes_what_was_confirmed_or_nothing(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let (partition, root) = (said.partition, said.created.memories[0]);
    let mut set = fixtures.erasing(&ann, vec![root]);
    set.erasure_bounds = Some(ErasureBounds { exactly: Some(vec![root]), at_most: 10 });
    let derived = fixtures.made_of(fixtures.fact("derived since"), &[Source::Memory(root)]);
    let adding = fixtures.adding(&ann, vec![derived]);
    let derived = adding.memories[0].memory.id;
    // Both in one transaction: the look is at the state that the erasure finds.
    let answers = store.commit(&[adding, set.clone()]).await.unwrap();
    assert_eq!(answers[1], Err(Refusal::OtherErasures));
    set.erasure_bounds = Some(ErasureBounds { exactly: None, at_most: 1 });
    assert_eq!(answer(store, &set).await, Err(Refusal::TooManyErasures { limit: 1 }));
    assert_eq!(loaded(store, partition).await.1.len(), 3, "nothing is erased");
    set.erasure_bounds = Some(ErasureBounds { exactly: Some(vec![root, derived]), at_most: 2 });
    assert_eq!(commit(store, &set).await.created.erased, [root, derived]);
    log_is_sound(store, partition).await;
}
