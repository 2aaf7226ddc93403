//! Store contract, derivations of versions: which record belongs to which version, and the erasure that follows them.

use super::{answer, commit, loaded, log_is_sound, present};
use crate::domain::change::Refusal;
use crate::domain::derivation::Source;
use crate::domain::id::{DerivationId, MemoryId};
use crate::store::Store;
use crate::testing::fixtures::{Fixtures, owner, revised};

/// A revision is written with its derivation, which is then the one of the memory. A revision without one has none, and
/// the earlier versions keep theirs. A revision may name the derivation of an earlier version again.
pub async fn a_version_has_its_own_derivation(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let turns = said.created.turns.iter().map(|id| Source::Turn(*id)).collect::<Vec<_>>();
    let new = fixtures.made_of(fixtures.fact("first"), &turns[..1]);
    let id = commit(store, &fixtures.adding(&ann, vec![new.clone()])).await.created.memories[0];
    let first = present(store, id).await;

    let second = fixtures.revised_from(revised(&first, Some("second")), &turns[1..]);
    commit(store, &fixtures.revising(&ann, second.clone())).await;
    assert_eq!(present(store, id).await, second.memory);
    assert_eq!(store.derivation(said.partition, id).await.unwrap(), second.derivation);
    assert_eq!(
        store.indexed(said.partition, &[id]).await.unwrap()[0].memory.derivation,
        second.memory.derivation
    );

    let third = revised(&second.memory, Some("by the caller"));
    commit(store, &fixtures.revising(&ann, third.clone())).await;
    assert_eq!(present(store, id).await, third.memory);
    assert_eq!(store.derivation(said.partition, id).await.unwrap(), None);

    let mut fourth = revised(&third.memory, Some("first"));
    fourth.memory.derivation = first.derivation;
    commit(store, &fixtures.revising(&ann, fourth.clone())).await;
    assert_eq!(store.derivation(said.partition, id).await.unwrap(), new.derivation);
    let earlier = store.earlier_versions(said.partition, id).await.unwrap();
    assert_eq!(earlier, [first, second.memory, third.memory]);
    assert_eq!(present(store, id).await, fourth.memory);
    log_is_sound(store, said.partition).await;
}

/// The erasure of a source that was in view of a present or an earlier version erases the memory with all of its
/// derivations, and what was derived from it. A source that is not in the partition is refused.
pub async fn sources_of_versions_are_erased_with_them(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "secret", "c"])).await;
    let secret = [Source::Turn(said.created.turns[0]), Source::Turn(said.created.turns[1])];
    let facts = ["present", "earlier", "untouched"].map(|text| fixtures.fact(text));
    let ids = commit(store, &fixtures.adding(&ann, facts.to_vec())).await.created.memories;
    for id in &ids[..2] {
        let edit = fixtures.revised_from(revised(&present(store, *id).await, Some("told")), &secret);
        commit(store, &fixtures.revising(&ann, edit)).await;
    }
    commit(store, &fixtures.revising(&ann, revised(&present(store, ids[1]).await, Some("harmless")))).await;
    let derived = fixtures.made_of(fixtures.fact("derived"), &[Source::Memory(ids[1])]);
    let derived = commit(store, &fixtures.adding(&ann, vec![derived])).await.created.memories[0];

    let mut erased =
        commit(store, &fixtures.erasing(&ann, vec![said.created.memories[1]])).await.created.erased;
    erased.sort_unstable();
    let mut expected = vec![said.created.memories[1], ids[0], ids[1], derived];
    expected.sort_unstable();
    assert_eq!(erased, expected);
    let left: Vec<MemoryId> = loaded(store, said.partition).await.1.iter().map(|one| one.memory.id).collect();
    assert_eq!(left, [said.created.memories[0], said.created.memories[2], ids[2]]);
    log_is_sound(store, said.partition).await;

    let edit = fixtures.revised_from(revised(&present(store, ids[2]).await, None), &secret);
    let refusal = Err(Refusal::NotFound(said.created.turns[1].0));
    assert_eq!(answer(store, &fixtures.revising(&ann, edit)).await, refusal);
    assert_eq!(present(store, ids[2]).await.version, 1);
}

/// A revision without a record of its own is refused if it names the derivation of another memory, or one that is not
/// there: an erasure could not tell the two memories apart.
pub async fn a_derivation_belongs_to_one_memory(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a"])).await;
    let new = fixtures.made_of(fixtures.fact("derived"), &[Source::Turn(said.created.turns[0])]);
    let derivation = new.memory.derivation.unwrap();
    let ids = commit(store, &fixtures.adding(&ann, vec![new, fixtures.fact("plain")])).await.created.memories;
    let plain = present(store, ids[1]).await;
    for foreign in [derivation, DerivationId(fixtures.id())] {
        let mut edit = revised(&plain, None);
        edit.memory.derivation = Some(foreign);
        let refusal = Err(Refusal::NotFound(foreign.0));
        assert_eq!(answer(store, &fixtures.revising(&ann, edit)).await, refusal);
    }
    let second = fixtures.revised_from(revised(&plain, None), &[Source::Memory(ids[0])]);
    let mut third = revised(&second.memory, None);
    third.memory.derivation = second.memory.derivation;
    let mut chain = fixtures.revising(&ann, second);
    chain.revisions.push(third.clone());
    commit(store, &chain).await;
    assert_eq!(present(store, ids[1]).await, third.memory);
    log_is_sound(store, said.partition).await;
}
