//! Store contract, reads: exact values, order, pages, and isolation of tenants.

use super::{answer, commit, loaded, present};
use crate::domain::change::{ChangeSet, NewMemory, Outcome};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::{Memory, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::scope::OwnerKind;
use crate::domain::turn::Turn;
use crate::store::{ChangeOp, Indexed, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, name, owner, revised};

/// Every field of a memory, a turn and a derivation is returned as it was written, set or unset.
pub async fn fields_are_returned_exactly(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut set = fixtures.saying(&ann, "Sitzung ß/1", &["plain", "Größe\r\n\u{0}🦀|ornate"]);
    let ornate = fixtures.ornate();
    if let Some((turn, new)) = set.turns.as_mut().and_then(|turns| turns.turns.last_mut()) {
        adorn(turn, new, &ornate.memory);
    }
    set.memories = vec![ornate, fixtures.fact("bare"), fixtures.document("n/ü", "k", "document")];
    let expected = set.clone();
    let committed = commit(store, &set).await;
    for (id, new) in committed.created.memories[2..].iter().zip(&expected.memories) {
        assert_eq!(present(store, *id).await, new.memory);
    }
    let turns = expected.turns.unwrap().turns;
    let at = committed.appended.unwrap();
    for (id, (turn, new)) in committed.created.memories.iter().zip(&turns) {
        let mut memory = Memory { text: turn.text.clone(), ..new.memory.clone() };
        if let Some(origin) = &mut memory.origin {
            (origin.session, origin.session_ordinal) = (at.session, at.session_ordinal);
        }
        assert_eq!(present(store, *id).await, memory);
    }
    let kept = store.turns(at.session, 0, 10).await.unwrap();
    assert_eq!(kept, turns.into_iter().map(|(turn, _)| turn).collect::<Vec<_>>());
    let sources = [Source::Turn(kept[0].id), Source::Memory(committed.created.memories[1])];
    let created = fixtures.made_of(fixtures.fact("derived"), &sources);
    let derived = commit(store, &fixtures.adding(&ann, vec![created.clone()])).await.created.memories[0];
    let mut derivation = store.derivation(committed.partition, derived).await.unwrap().unwrap();
    let mut written = created.derivation.unwrap();
    derivation.inputs.sort_by_key(|input| format!("{input:?}"));
    written.inputs.sort_by_key(|input| format!("{input:?}"));
    assert_eq!(derivation, written);
    assert_eq!(store.derivation(committed.partition, committed.created.memories[0]).await.unwrap(), None);
    let kept = store.memory(TenantId::DEFAULT, derived).await.unwrap().unwrap();
    assert_eq!((kept.partition, kept.owner), (committed.partition, ann));
}

fn adorn(turn: &mut Turn, new: &mut NewMemory, like: &Memory) {
    turn.key = Some(name("turn-key"));
    turn.author = Some(name("Ö. Author"));
    turn.said_at = like.happened.at;
    turn.participants = vec![name("x"), name("ÿ")];
    turn.place = Some(name("Ærø"));
    turn.metadata = like.metadata.clone();
    let memory = &mut new.memory;
    memory.happened.at = turn.said_at;
    memory.metadata = turn.metadata.clone();
    memory.tags.clone_from(&like.tags);
    (memory.expires_at, memory.strength, memory.visibility) =
        (like.expires_at, like.strength.clone(), like.visibility);
    memory.forgotten.clone_from(&like.forgotten);
    (memory.agent, memory.app, memory.run) = (like.agent.clone(), like.app.clone(), like.run.clone());
    if let Some(origin) = &mut memory.origin {
        (origin.author, origin.turn_key) = (turn.author.clone(), turn.key.clone());
    }
}

/// Numbers in metadata are returned to the last bit, over the whole range of doubles.
pub async fn numbers_in_metadata_are_returned_exactly(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
    let mut numbers = serde_json::Map::new();
    while numbers.len() < 400 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if let Some(number) = serde_json::Number::from_f64(f64::from_bits(bits.rotate_left(17))) {
            numbers.insert(format!("n{}", numbers.len()), number.into());
        }
    }
    let mut fact = fixtures.fact("numbers");
    fact.memory.metadata = Metadata::new(numbers).unwrap();
    let expected = fact.memory.metadata.clone();
    let id = commit(store, &fixtures.adding(&owner("ann"), vec![fact])).await.created.memories[0];
    assert_eq!(present(store, id).await.metadata, expected);
}

/// Loaded memories, memories looked up for the index, and committed memories are equal: in the order of ids without
/// their texts, rows with every byte.
pub async fn loaded_indexed_and_committed_memories_are_equal(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    assert_eq!(store.dimension().await.unwrap(), crate::testing::fixtures::DIMENSION);
    let facts: Vec<NewMemory> = (0..2_500).map(|at| fixtures.fact(&format!("fact {at}|part"))).collect();
    let mut set = fixtures.adding(&ann, facts);
    set.memories.insert(1_000, fixtures.ornate());
    let mut expected: Vec<Indexed> = set.memories.iter().map(as_indexed).collect();
    expected.sort_by_key(|one| one.memory.id);
    let committed = commit(store, &set).await;
    let (seq, all) = loaded(store, committed.partition).await;
    assert_eq!(seq, 2_501);
    assert!(all == expected, "what is loaded is not what was committed");
    let mut requested: Vec<MemoryId> = committed.created.memories.iter().step_by(7).copied().collect();
    requested.push(MemoryId(fixtures.id()));
    let mut single = store.indexed(committed.partition, &requested).await.unwrap();
    single.sort_by_key(|one| one.memory.id);
    expected.retain(|one| requested.contains(&one.memory.id));
    assert!(single == expected, "what is looked up singly is not what was committed");
    let nobody = PartitionId(committed.partition.0 + 1);
    assert_eq!(loaded(store, nobody).await, (0, Vec::new()));
    assert_eq!(store.indexed(nobody, &requested).await.unwrap(), []);
    let backwards: Vec<MemoryId> = requested.iter().rev().copied().collect();
    let memories = store.memories(committed.partition, &backwards).await.unwrap();
    let ids: Vec<MemoryId> = memories.iter().map(|memory| memory.id).collect();
    assert_eq!(ids, backwards[1..], "memories come in the order in which they were asked for");
}

fn as_indexed(new: &NewMemory) -> Indexed {
    Indexed { memory: Memory { text: String::new(), ..new.memory.clone() }, rows: new.rows.clone() }
}

/// Change-log entries are returned after a number, in order, up to the limit.
pub async fn changes_are_returned_in_order(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let created = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let memory = present(store, created.created.memories[1]).await;
    commit(store, &fixtures.revising(&ann, revised(&memory, Some("c")))).await;
    commit(store, &fixtures.erasing(&ann, vec![created.created.memories[0]])).await;
    let ids = &created.created.memories;
    let expected = [
        (1, ChangeOp::Put, ids[0]),
        (2, ChangeOp::Put, ids[1]),
        (3, ChangeOp::Put, ids[1]),
        (4, ChangeOp::Erase, ids[0]),
    ];
    for after in 0..5u64 {
        for limit in [1, 2, 10] {
            let entries = store.changes(created.partition, after, limit).await.unwrap();
            let seen: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.op, entry.memory)).collect();
            let expected_page: Vec<_> =
                expected.iter().filter(|(seq, ..)| *seq > after).take(limit as usize).copied().collect();
            assert_eq!(seen, expected_page, "after {after}, at most {limit}");
        }
    }
}

/// The same owner in two tenants has two partitions, and nothing is found through the other tenant.
pub async fn tenants_are_isolated(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let other = TenantId(fixtures.id());
    let agent = |set: ChangeSet| {
        let mut set = set;
        let memory = &mut set.turns.as_mut().unwrap().turns[0].1.memory;
        memory.agent = Some(name("guide"));
        memory.visibility = Visibility::Shared;
        set
    };
    let ours = commit(store, &agent(fixtures.saying(&ann, "s", &["ours"]))).await;
    let theirs = ChangeSet { tenant: other, ..agent(fixtures.saying(&ann, "s", &["theirs"])) };
    let theirs = commit(store, &theirs).await;
    assert_ne!(ours.partition, theirs.partition);
    assert_eq!(store.partition_of(other, &ann).await.unwrap(), Some(theirs.partition));
    assert_eq!(store.memory(other, ours.created.memories[0]).await.unwrap(), None);
    assert_eq!(store.session(other, ours.created.session.unwrap()).await.unwrap(), None);
    let reach = store.partitions_with(other, &[(OwnerKind::Agent, name("guide"))], 10).await.unwrap();
    assert_eq!(reach.partitions, [theirs.partition]);
    let owners = store.owners(other, None, 10).await.unwrap();
    assert_eq!(owners.iter().map(|owner| owner.partition).collect::<Vec<_>>(), [theirs.partition]);
    assert_eq!(store.memories(theirs.partition, &ours.created.memories).await.unwrap(), []);
    assert_eq!(store.turns_by_id(theirs.partition, &ours.created.turns).await.unwrap(), []);
    assert_eq!(store.earlier_versions(theirs.partition, ours.created.memories[0]).await.unwrap(), []);
}

/// Owners are listed page by page in the order of partitions, each once, with their number of memories.
pub async fn owners_are_listed_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    for at in 0..5i64 {
        let facts = (0..=at).map(|_| fixtures.fact("f")).collect();
        let mut set = fixtures.adding(&owner(&format!("o{at}")), facts);
        set.now = START.plus_days(at);
        commit(store, &set).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.owners(TenantId::DEFAULT, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.partition);
        seen.extend(page);
    }
    let summary: Vec<_> =
        seen.iter().map(|one| (one.owner.to_string(), one.memory_count, one.created_at)).collect();
    let expected: Vec<_> = (0..5u32)
        .map(|at| (format!("user:o{at}"), u64::from(at) + 1, START.plus_days(i64::from(at))))
        .collect();
    assert_eq!(summary, expected);
}

/// Owners of all tenants are listed with their tenants, and none that was erased.
pub async fn owners_of_all_tenants_are_listed_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut expected = Vec::new();
    for tenant in [TenantId::DEFAULT, TenantId(fixtures.id()), TenantId(fixtures.id())] {
        for id in ["ann", "bob"] {
            let set = ChangeSet { tenant, ..fixtures.adding(&owner(id), vec![fixtures.fact("f")]) };
            let partition = commit(store, &set).await.partition;
            expected.push((tenant, partition, owner(id)));
        }
    }
    let mut gone = fixtures.adding(&owner("gone"), vec![fixtures.fact("f")]);
    gone.tenant = expected[2].0;
    let ids = commit(store, &gone).await.created.memories;
    commit(store, &ChangeSet { tenant: gone.tenant, ..fixtures.erasing(&owner("gone"), ids) }).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.owners_of_all_tenants(after, 4).await.unwrap();
        let Some((_, last)) = page.last() else { break };
        assert!(page.len() <= 4);
        after = Some(last.partition);
        seen.extend(page.into_iter().map(|(tenant, one)| (tenant, one.partition, one.owner)));
    }
    assert_eq!(seen, expected);
}

/// Sessions are listed from an ordinal and turns from an ordinal, up to the limit.
pub async fn sessions_and_turns_are_listed_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut last = None;
    for session in ["a", "b", "c"] {
        last = Some(commit(store, &fixtures.saying(&ann, session, &["0", "1", "2"])).await);
    }
    let last = last.unwrap();
    let keys = async |from, limit| -> Vec<String> {
        let sessions = store.sessions(last.partition, from, limit).await.unwrap();
        sessions.iter().map(|session| session.key.to_string()).collect()
    };
    assert_eq!(keys(0, 2).await, ["a", "b"]);
    assert_eq!(keys(1, 9).await, ["b", "c"]);
    assert_eq!(keys(3, 9).await, Vec::<String>::new());
    let session = last.created.session.unwrap();
    let texts = async |from, limit| -> Vec<String> {
        store.turns(session, from, limit).await.unwrap().into_iter().map(|turn| turn.text).collect()
    };
    assert_eq!(texts(0, 2).await, ["0", "1"]);
    assert_eq!(texts(2, 9).await, ["2"]);
    let (partition, found) = store.session(TenantId::DEFAULT, session).await.unwrap().unwrap();
    assert_eq!((partition, found.turn_count, found.started_at), (last.partition, 3, START));
}

/// An edit of a turn's memory changes neither the turn nor version 1.
pub async fn an_edit_of_a_turns_memory_keeps_the_turn(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["as said"])).await;
    let id = appended.created.memories[0];
    let first = present(store, id).await;
    let edit = fixtures.revising(&ann, revised(&first, Some("as edited")));
    assert!(matches!(answer(store, &edit).await, Ok(Outcome::Committed(_))));
    assert_eq!(present(store, id).await.text, "as edited");
    assert_eq!(
        store.turns_by_id(appended.partition, &appended.created.turns).await.unwrap()[0].text,
        "as said"
    );
    assert_eq!(store.earlier_versions(appended.partition, id).await.unwrap(), [first]);
}
