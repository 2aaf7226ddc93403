//! Store contract, reach of agents, apps and runs: partitions of other owners with something shared.

use std::collections::BTreeMap;

use super::{commit, loaded, present};
use crate::domain::change::NewMemory;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::Visibility;
use crate::domain::scope::{Owner, OwnerKind};
use crate::store::{SharedPartitions, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, name, owner, revised};
use crate::testing::seeds::seeds;

async fn found(store: &dyn Store, ids: &[(OwnerKind, &str)], limit: u32) -> SharedPartitions {
    let ids: Vec<_> = ids.iter().map(|(kind, id)| (*kind, name(id))).collect();
    store.partitions_with(TenantId::DEFAULT, &ids, limit).await.unwrap()
}

fn shared(mut new: NewMemory) -> NewMemory {
    new.memory.visibility = Visibility::Shared;
    new
}

/// Partitions of other owners are found through each agent, app and run of a shared memory in them. An owner's own
/// partition is not among them, and neither is one with private memories alone.
pub async fn reachable_partitions_are_listed(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut partitions = Vec::new();
    for who in ["ann", "bob", "cem"] {
        let mut fact = shared(fixtures.fact("f"));
        (fact.memory.agent, fact.memory.run) = (Some(name("guide")), Some(name(who)));
        let mut appended = fixtures.saying(&owner(who), "s", &["a"]);
        let turn = &mut appended.turns.as_mut().unwrap().turns[0].1.memory;
        (turn.app, turn.visibility) = (Some(name("app")), Visibility::Shared);
        appended.memories.push(fact);
        partitions.insert(0, commit(store, &appended).await.partition);
    }
    let mut private = fixtures.fact("private");
    (private.memory.agent, private.memory.app) = (Some(name("guide")), Some(name("app")));
    commit(store, &fixtures.adding(&owner("dan"), vec![private])).await;
    let own = Owner { kind: OwnerKind::Agent, id: name("guide") };
    let mut of_its_own = shared(fixtures.fact("own"));
    of_its_own.memory.agent = Some(name("guide"));
    commit(store, &fixtures.adding(&own, vec![of_its_own])).await;
    let guide = (OwnerKind::Agent, "guide");
    let all = SharedPartitions { partitions: partitions.clone(), total: 3 };
    assert_eq!(found(store, &[guide], 10).await, all);
    assert_eq!(found(store, &[guide], 3).await, all);
    assert_eq!(
        found(store, &[guide], 2).await,
        SharedPartitions { partitions: partitions[..2].to_vec(), total: 3 }
    );
    assert_eq!(found(store, &[(OwnerKind::App, "app")], 10).await, all);
    let bobs = SharedPartitions { partitions: partitions[1..2].to_vec(), total: 1 };
    assert_eq!(found(store, &[(OwnerKind::Run, "bob")], 10).await, bobs);
    assert_eq!(found(store, &[guide, (OwnerKind::Run, "bob")], 10).await, bobs, "by all of its ids");
    assert_eq!(found(store, &[guide, (OwnerKind::Run, "dan")], 10).await, SharedPartitions::default());
    assert_eq!(found(store, &[(OwnerKind::Agent, "bob")], 10).await, SharedPartitions::default());
    assert_eq!(found(store, &[], 10).await, SharedPartitions::default());
}

/// The order is that of the latest shared memory: a private one moves nothing, and what is no longer shared or erased
/// takes its partition out.
pub async fn what_is_shared_last_comes_first(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let write = async |who: &str, day: i64, visibility: Visibility| {
        let mut fact = fixtures.fact("f");
        (fact.memory.agent, fact.memory.visibility) = (Some(name("guide")), visibility);
        fact.memory.recorded_at = START.plus_days(day);
        commit(store, &fixtures.adding(&owner(who), vec![fact])).await
    };
    let guide = [(OwnerKind::Agent, "guide")];
    let ann = write("ann", 1, Visibility::Shared).await;
    let bob = write("bob", 2, Visibility::Shared).await;
    let order = async || found(store, &guide, 10).await.partitions;
    assert_eq!(order().await, [bob.partition, ann.partition]);
    write("ann", 3, Visibility::Owner).await;
    assert_eq!(order().await, [bob.partition, ann.partition]);
    let second = write("ann", 3, Visibility::Shared).await;
    assert_eq!(order().await, [ann.partition, bob.partition]);
    let mut hidden = revised(&present(store, bob.created.memories[0]).await, None);
    hidden.memory.visibility = Visibility::Owner;
    commit(store, &fixtures.revising(&owner("bob"), hidden)).await;
    assert_eq!(order().await, [ann.partition]);
    let mut shown = revised(&present(store, bob.created.memories[0]).await, None);
    (shown.memory.visibility, shown.memory.recorded_at) = (Visibility::Shared, START.plus_days(4));
    commit(store, &fixtures.revising(&owner("bob"), shown)).await;
    assert_eq!(order().await, [bob.partition, ann.partition]);
    let both = vec![ann.created.memories[0], second.created.memories[0]];
    commit(store, &fixtures.erasing(&owner("ann"), both)).await;
    assert_eq!(order().await, [bob.partition]);
    assert_eq!(store.check(false).await.unwrap(), []);
}

const OWNERS: [&str; 4] = ["ann", "bob", "cem", "dan"];
const AGENTS: [Option<&str>; 3] = [None, Some("guide"), Some("cook")];

/// Random additions, documents that replace others, edits and erasures: after each, every agent and app finds the
/// partitions that a look at all memories finds, in the order of their latest shared versions.
pub async fn counts_of_what_is_shared_agree_with_the_memories(store: &dyn Store) {
    const STEPS: u64 = 60;
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut latest: BTreeMap<(&str, PartitionId), i64> = BTreeMap::new();
    let mut partitions: BTreeMap<&str, PartitionId> = BTreeMap::new();
    for seed in seeds(1, 20) {
        for step in 0..STEPS {
            let random = xxhash_rust::xxh3::xxh3_64(&[seed.to_le_bytes(), step.to_le_bytes()].concat());
            let pick = |shift: u32, of: usize| usize::try_from(random >> shift & 0xFF).unwrap() % of;
            let who = OWNERS[pick(0, OWNERS.len())];
            let visibility = if pick(8, 2) == 0 { Visibility::Shared } else { Visibility::Owner };
            let recorded_at = START.plus_micros(i64::try_from(seed % 1_000 * STEPS + step).unwrap() + 1);
            let ids = match partitions.get(who) {
                Some(partition) => {
                    loaded(store, *partition).await.1.iter().map(|one| one.memory.id).collect()
                }
                None => Vec::<MemoryId>::new(),
            };
            let agent = AGENTS[pick(16, AGENTS.len())].map(name);
            let set = match (pick(24, 4), ids.is_empty()) {
                (3, false) => fixtures.erasing(&owner(who), vec![ids[pick(32, ids.len())]]),
                (2, false) => {
                    let mut edit = revised(&present(store, ids[pick(32, ids.len())]).await, None);
                    (edit.memory.visibility, edit.memory.agent) = (visibility, agent);
                    edit.memory.recorded_at = recorded_at;
                    fixtures.revising(&owner(who), edit)
                }
                (kind, _) => {
                    let new = if kind == 1 { fixtures.document("n", "k", "d") } else { fixtures.fact("f") };
                    let mut new = NewMemory { ..new };
                    (new.memory.visibility, new.memory.agent) = (visibility, agent);
                    (new.memory.app, new.memory.recorded_at) = (Some(name("app")), recorded_at);
                    fixtures.adding(&owner(who), vec![new])
                }
            };
            let partition = commit(store, &set).await.partition;
            partitions.insert(who, partition);
            agree(store, &partitions, &mut latest, partition).await;
        }
    }
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// Compares what is found with a naive count. `latest` has the recording time of the latest version that was shared.
async fn agree<'a>(
    store: &dyn Store,
    partitions: &BTreeMap<&'a str, PartitionId>,
    latest: &mut BTreeMap<(&'a str, PartitionId), i64>,
    written: PartitionId,
) {
    let memories = loaded(store, written).await.1;
    for (kind, id) in [(OwnerKind::Agent, "guide"), (OwnerKind::Agent, "cook"), (OwnerKind::App, "app")] {
        let is_of = |memory: &&crate::domain::memory::Memory| {
            let named = if kind == OwnerKind::Agent { &memory.agent } else { &memory.app };
            memory.visibility == Visibility::Shared && named.as_ref().is_some_and(|name| name.as_str() == id)
        };
        let newest = memories.iter().map(|one| &one.memory).filter(is_of);
        match newest.map(|memory| memory.recorded_at.as_micros()).max() {
            Some(newest) => {
                let known = latest.entry((id, written)).or_insert(newest);
                *known = newest.max(*known);
            }
            None => drop(latest.remove(&(id, written))),
        }
        let mut expected: Vec<(i64, PartitionId)> = partitions
            .values()
            .filter_map(|partition| Some((*latest.get(&(id, *partition))?, *partition)))
            .collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        let expected: Vec<PartitionId> = expected.into_iter().map(|(_, partition)| partition).collect();
        let total = expected.len() as u64;
        assert_eq!(
            found(store, &[(kind, id)], 10).await,
            SharedPartitions { partitions: expected, total },
            "{id}"
        );
    }
}
