//! Rules of filtered pages: exactly what the reference lets pass, each id once, with the count of all.

use super::commit;
use crate::domain::change::{ChangeSet, NewMemory};
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::{Kind, Memory};
use crate::store::{IdPage, MatchingIds, Store};
use crate::testing::corpus;
use crate::testing::fixtures::{Fixtures, owner};
use crate::testing::reference;
use crate::testing::rng::Rng;

/// Commits memories with random fields, a few of them turns, in partitions of two owners; answers what is in ann's.
async fn filled(store: &dyn Store, rng: &mut Rng, count: u128) -> (PartitionId, Vec<Memory>) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    for who in ["bob", "ann"] {
        let mut set = fixtures.saying(&owner(who), "s0", &["a", "b", "c", "d"]);
        for (turn, new) in set.turns.iter_mut().flat_map(|turns| &mut turns.turns) {
            dress(&mut new.memory, &corpus::memory(rng, 0).memory);
            turn.metadata = new.memory.metadata.clone();
        }
        set.memories = (0..count).map(|number| random(&fixtures, rng, number)).collect();
        store.commit(&[set]).await.unwrap().remove(0).unwrap();
    }
    let partition = store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap().unwrap();
    let mut all = Vec::new();
    store.load(partition, &mut |one| all.push(one.memory)).await.unwrap();
    assert_eq!(all.len() as u128, count + 4);
    (partition, all)
}

/// A fact or a document with random fields.
fn random(fixtures: &Fixtures, rng: &mut Rng, number: u128) -> NewMemory {
    let like = corpus::memory(rng, number).memory;
    let mut new = match like.kind {
        Kind::Document => fixtures.document("a", &format!("key {number}"), "text"),
        _ => fixtures.fact("text"),
    };
    dress(&mut new.memory, &like);
    new
}

fn dress(memory: &mut Memory, like: &Memory) {
    let own = memory.clone();
    *memory = Memory {
        id: own.id,
        version: own.version,
        kind: own.kind,
        text: own.text,
        document: own.document,
        origin: own.origin,
        happened: own.happened,
        derivation: None,
        ..like.clone()
    };
}

fn selected(filter: &Filter, all: &[Memory]) -> Vec<MemoryId> {
    all.iter().filter(|memory| reference::passes(filter, memory)).map(|memory| memory.id).collect()
}

/// Any filter selects what the reference lets pass, whatever of it the database evaluates itself.
pub async fn a_filter_selects_what_the_reference_lets_pass(store: &dyn Store) {
    let mut rng = Rng::new(17);
    let (partition, all) = filled(store, &mut rng, 90).await;
    let mut matched = 0;
    for round in 0..160 {
        let mut filter = corpus::filter(&mut rng, 4);
        if round % 2 == 0 {
            let field = [Field::Kind, Field::Agent, Field::App, Field::Run][round / 2 % 4].clone();
            let text = if field == Field::Kind { rng.pick(&Kind::ALL).as_str() } else { "a" };
            filter = Filter::And(vec![filter, Filter::Field(field, Test::Eq(Scalar::Text(text.to_owned())))]);
        }
        let expected = selected(&filter, &all);
        matched += expected.len();
        for newest_first in [false, true] {
            let page = IdPage { after: None, newest_first, limit: 1_000 };
            let found = store.matching_ids(partition, &filter, page).await.unwrap();
            let mut ids = expected.clone();
            if newest_first {
                ids.reverse();
            }
            assert_eq!(
                found,
                MatchingIds { total: ids.len() as u64, ids, has_more: false, unreadable: 0 },
                "{filter:?}"
            );
        }
    }
    assert!(matched > 160, "the filters select too little to tell anything");
}

/// Pages cover every match once in both directions, and each tells how many match in all; a cursor works after its
/// memory was erased.
pub async fn filtered_pages_cover_every_match_once(store: &dyn Store) {
    let mut rng = Rng::new(3);
    let (partition, all) = filled(store, &mut rng, 600).await;
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let agent = Filter::Field(Field::Agent, Test::Eq(Scalar::Text("a".to_owned())));
    let absent = Filter::Field(Field::Tags, Test::IsNull(true));
    for filter in [Filter::everything(), agent, absent] {
        let expected = selected(&filter, &all);
        assert!(expected.len() > 20);
        for newest_first in [false, true] {
            for limit in [7, u32::try_from(expected.len()).unwrap(), 1_000] {
                let mut page = IdPage { after: None, newest_first, limit };
                let mut seen = Vec::new();
                loop {
                    let found = store.matching_ids(partition, &filter, page).await.unwrap();
                    assert!(found.ids.len() <= limit as usize);
                    assert_eq!(found.total, expected.len() as u64);
                    seen.extend(found.ids);
                    page.after = seen.last().copied();
                    if !found.has_more {
                        break;
                    }
                }
                if newest_first {
                    seen.reverse();
                }
                assert_eq!(seen, expected, "{limit} per page of {filter:?}");
            }
        }
    }
    let erased = all[10].id;
    let set: ChangeSet = fixtures.erasing(&owner("ann"), vec![erased]);
    commit(store, &set).await;
    for (newest_first, next) in [(false, all[11].id), (true, all[9].id)] {
        let page = IdPage { after: Some(erased), newest_first, limit: 1 };
        let found = store.matching_ids(partition, &Filter::everything(), page).await.unwrap();
        assert_eq!((found.ids, found.total), (vec![next], all.len() as u64 - 1));
    }
}

/// A partition that nobody owns has no pages.
pub async fn a_partition_that_is_not_there_matches_nothing(store: &dyn Store) {
    let nobody = PartitionId(4_711);
    for filter in [Filter::everything(), Filter::Not(Box::new(Filter::everything()))] {
        let page = IdPage { after: None, newest_first: false, limit: 5 };
        assert_eq!(store.matching_ids(nobody, &filter, page).await.unwrap(), MatchingIds::default());
    }
}
