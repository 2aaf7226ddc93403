//! Store contract, restorations: memories of an archive are written as they were, once, and refer only to what their owner
//! has.

use std::collections::BTreeSet;

use super::{commit, log_is_sound};
use crate::domain::change::{ChangeSet, NewMemory};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::memory::Memory;
use crate::domain::restoration::{Restoration, RestoredTurn};
use crate::domain::scope::Owner;
use crate::store::Store;
use crate::testing::fixtures::{Fixtures, link, owner, revised, rows};

/// A turn, a fact of it with a second version that is made of a note, and the note, which is linked to the turn.
async fn story(store: &dyn Store, fixtures: &Fixtures, ann: &Owner) -> (PartitionId, Vec<MemoryId>) {
    let said = commit(store, &fixtures.saying(ann, "s", &["tea", "or coffee"])).await;
    let fact = fixtures.made_of(fixtures.fact("likes tea"), &[Source::Turn(said.created.turns[0])]);
    let fact = commit(store, &fixtures.adding(ann, vec![fact])).await.created.memories[0];
    let mut note = fixtures.made_of(fixtures.fact("a note"), &[Source::Memory(fact)]);
    note.memory.links = vec![link(said.created.memories[0], "about", 0.5)];
    let note = commit(store, &fixtures.adding(ann, vec![note])).await.created.memories[0];
    let mut revision = revised(&super::present(store, fact).await, Some("likes green tea"));
    revision.memory.links = vec![link(note, "see", 1.0)];
    let revision = fixtures.revised_from(revision, &[Source::Memory(note)]);
    commit(store, &fixtures.revising(ann, revision)).await;
    (said.partition, vec![said.created.memories[0], fact, note])
}

/// Archive of memories.
async fn archive(store: &dyn Store, partition: PartitionId, ids: &[MemoryId]) -> Vec<Restoration> {
    let mut archive = Vec::new();
    let parts = store.parts(partition, ids).await.unwrap();
    for memory in store.memories(partition, ids).await.unwrap() {
        let earlier = store.earlier_versions(partition, memory.id).await.unwrap();
        let made: Vec<_> = earlier.iter().chain([&memory]).filter_map(|version| version.derivation).collect();
        let mut derivations = store.derivations_by_id(partition, &made).await.unwrap();
        derivations.sort_by_key(|derivation| derivation.id);
        let turn = match &memory.origin {
            None => None,
            Some(origin) => {
                let turn = store.turns_by_id(partition, &[origin.turn]).await.unwrap().remove(0);
                let (_, session) = store.session(TenantId::DEFAULT, origin.session).await.unwrap().unwrap();
                Some(RestoredTurn {
                    turn,
                    session_key: session.key,
                    session: session.id,
                    started_at: session.started_at,
                    session_recorded_at: session.recorded_at,
                    is_pending: false,
                })
            }
        };
        let present = NewMemory {
            key: parts.keys.get(&memory.id).cloned(),
            rows: rows(&memory.text),
            derivation: None,
            groups: Vec::new(),
            memory,
        };
        archive.push(Restoration { present, turn, earlier, derivations });
    }
    archive
}

fn restoring(fixtures: &Fixtures, owner: &Owner, restorations: Vec<Restoration>) -> ChangeSet {
    ChangeSet { restorations, ..fixtures.set(owner) }
}

/// Parts of an archive that are compared.
fn told(archive: &[Restoration]) -> Vec<String> {
    let told = |one: &Restoration| {
        format!("{:?} {:?} {:?} {:?}", one.present.memory, one.turn, one.earlier, one.derivations)
    };
    archive.iter().map(told).collect()
}

/// Memories whose owner was erased are restored with their ids, versions, derivations and links, in any order, and the
/// erasure of a source takes the same memories. A repetition writes nothing.
pub async fn an_archive_is_restored_with_its_ids_and_its_history(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let (partition, ids) = story(store, &fixtures, &ann).await;
    let archived = archive(store, partition, &ids).await;
    let closure = store.erasure_closure(partition, &ids[..1], &[], 10).await.unwrap().unwrap();
    let page = crate::store::IdPage { after: None, newest_first: false, limit: 10 };
    let everything = crate::domain::filter::Filter::everything();
    let all = store.matching_ids(partition, &everything, page).await.unwrap().ids;
    commit(store, &fixtures.erasing(&ann, all)).await;

    // The last comes first, alone: it refers to what is not there yet.
    let mut missing = 0;
    for one in archived.iter().rev() {
        let set = ChangeSet { again: true, ..restoring(&fixtures, &ann, vec![one.clone()]) };
        let restored = commit(store, &set).await.restored;
        assert_eq!(restored[0].outcome, ItemOutcome::Created);
        assert_eq!(restored[0].memory, Some(one.present.memory.id));
        missing += restored[0].missing;
    }
    assert_eq!(missing, 3);
    let completed = commit(store, &restoring(&fixtures, &ann, archived.clone())).await;
    assert!(completed.restored.iter().all(|it| it.outcome == ItemOutcome::Existing && it.missing == 0));
    assert_eq!(told(&archive(store, completed.partition, &ids).await), told(&archived));
    let again = commit(store, &restoring(&fixtures, &ann, archived)).await;
    assert_eq!((again.seq_before, again.restored.iter().any(|it| it.is_changed)), (again.seq_after, false));
    log_is_sound(store, completed.partition).await;
    let erased = commit(store, &fixtures.erasing(&ann, ids[..1].to_vec())).await.created.erased;
    assert_eq!(BTreeSet::from_iter(erased), BTreeSet::from_iter(closure));
}

/// An archive that is restored for an owner while another one has its ids gets ids of its own, the same ones each time.
/// References stay within the owner.
pub async fn an_archive_restored_for_another_owner_has_ids_of_its_own(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let (partition, ids) = story(store, &fixtures, &ann).await;
    let archived = archive(store, partition, &ids).await;
    let copied = commit(store, &restoring(&fixtures, &bob, archived.clone())).await;
    assert!(copied.restored.iter().all(|it| it.outcome == ItemOutcome::Created && it.missing == 0));
    let new: Vec<MemoryId> = copied.restored.iter().filter_map(|it| it.memory).collect();
    assert!(new.iter().all(|id| !ids.contains(id)));
    let again = commit(store, &restoring(&fixtures, &bob, archived.clone())).await;
    assert_eq!(again.restored.iter().filter_map(|it| it.memory).collect::<Vec<_>>(), new);
    let copies = store.memories(copied.partition, &new).await.unwrap();
    let texts = |memories: &[Memory]| memories.iter().map(|it| it.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&copies), texts(&store.memories(partition, &ids).await.unwrap()));
    assert_eq!((copies[1].links[0].to, copies[2].links[0].to), (new[2], new[0]));
    log_is_sound(store, copied.partition).await;
    let erased = commit(store, &fixtures.erasing(&bob, new[..1].to_vec())).await.created.erased;
    assert_eq!(BTreeSet::from_iter(erased), BTreeSet::from_iter(new));
    assert_eq!(told(&archive(store, partition, &ids).await), told(&archived));
    log_is_sound(store, partition).await;
}

/// A restoration without index rows is refused if it has to be written, and the set changes nothing.
pub async fn a_restoration_without_rows_is_never_written(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let (partition, ids) = story(store, &fixtures, &ann).await;
    let archived = archive(store, partition, &ids).await;
    let mut set = restoring(&fixtures, &bob, archived.clone());
    set.unprepared = BTreeSet::from([1]);
    let refused = super::answer(store, &set).await;
    assert_eq!(refused, Err(crate::domain::change::Refusal::Outdated));
    let there = ChangeSet { unprepared: BTreeSet::from([0, 1, 2]), ..restoring(&fixtures, &ann, archived) };
    assert_eq!(store.restored(&there).await.unwrap(), there.unprepared);
    assert_eq!(commit(store, &there).await.restored.len(), 3);
}
