//! Store contract, graph: what a memory is linked to, made of and about.

use super::{commit, present};
use crate::domain::derivation::Source;
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::memory::Visibility;
use crate::store::{NodeRecord, Store};
use crate::testing::fixtures::{Fixtures, link, name, owner, revised};

fn entity(text: &str) -> GroupKey {
    GroupKey::entity(text).expect("a key")
}

/// Nodes have the links, the evidence and the entities of the present version, and the attributes that views look at.
pub async fn nodes_have_what_their_present_version_has(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = fixtures.saying(&ann, "s", &["one", "two"]);
    let turns: Vec<Source> =
        said.turns.as_ref().unwrap().turns.iter().map(|(turn, _)| Source::Turn(turn.id)).collect();
    let said = commit(store, &said).await;
    let of_turns = said.created.memories.clone();
    let plain = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("plain")])).await.created.memories[0];

    let mut made = fixtures.made_of(fixtures.ornate(), &turns);
    made.memory.links = vec![link(plain, "größer", 0.1), link(of_turns[1], "b", 1.0)];
    made.memory.links[0].reason = Some("because <of> \"it\"".to_owned());
    made.groups = vec![entity("ann"), GroupKey::parse("bucket/x/1").unwrap(), entity("zoë")];
    let id = made.memory.id;
    commit(store, &fixtures.adding(&ann, vec![made.clone()])).await;
    let node = store.nodes(said.partition, &[id]).await.unwrap().remove(0);
    let memory = &made.memory;
    let expected = NodeRecord {
        id,
        kind: memory.kind,
        visibility: Visibility::Shared,
        agent: memory.agent.clone(),
        app: memory.app.clone(),
        run: memory.run.clone(),
        audience: memory.audience.clone(),
        happened_at: memory.happened.at,
        valid: memory.valid,
        expires_at: memory.expires_at,
        links: memory.links.clone(),
        // The first source is the evidence; the other was only in view.
        evidence: vec![of_turns[0]],
        entities: vec![entity("ann"), entity("zoë")],
    };
    assert_eq!(node, expected);

    // A version that is based on a memory, without links, for one partner and in another group.
    let mut edit = revised(&present(store, id).await, Some("another text"));
    (edit.memory.links, edit.memory.audience) = (Vec::new(), vec![name("Боб")]);
    edit.groups = Some(vec![entity("bob")]);
    commit(store, &fixtures.revising(&ann, fixtures.revised_from(edit, &[Source::Memory(plain)]))).await;
    let node = store.nodes(said.partition, &[id]).await.unwrap().remove(0);
    let audience = vec![name("Боб")];
    let (links, evidence, entities) = (Vec::new(), vec![plain], vec![entity("bob")]);
    assert_eq!(node, NodeRecord { links, evidence, entities, audience, ..expected });
}

/// Pages cover every memory of a partition once, in the order of ids, and equal the reads of single nodes. Nothing of
/// another partition is found, and nothing that was erased.
pub async fn nodes_are_read_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let texts = ["a", "b", "c", "d", "e"];
    let mut facts: Vec<_> = texts.iter().map(|text| fixtures.fact(text)).collect();
    facts[0].memory.links = vec![link(facts[1].memory.id, "a", 0.5)];
    facts[0].groups = vec![entity("ann")];
    let added = commit(store, &fixtures.adding(&ann, facts)).await;
    let other = commit(store, &fixtures.adding(&bob, vec![fixtures.fact("f")])).await;
    let ids = added.created.memories;
    let pages = |limit: u32| async move {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = store.node_page(added.partition, after, limit).await.unwrap();
            assert!(page.nodes.len() <= limit as usize);
            all.extend(page.nodes);
            after = page.last;
            if after.is_none() {
                return all;
            }
        }
    };
    let whole = pages(100).await;
    assert_eq!(whole.iter().map(|node| node.id).collect::<Vec<_>>(), ids);
    assert_eq!(pages(2).await, whole);
    let reversed: Vec<MemoryId> = ids.iter().rev().copied().chain(other.created.memories.clone()).collect();
    assert_eq!(store.nodes(added.partition, &reversed).await.unwrap(), whole, "in the order of ids");
    assert_eq!(store.nodes(added.partition, &[]).await.unwrap(), []);

    commit(store, &fixtures.erasing(&ann, vec![ids[1]])).await;
    let left = pages(2).await;
    assert_eq!(left.iter().map(|node| node.id).collect::<Vec<_>>(), [ids[0], ids[2], ids[3], ids[4]]);
    assert!(left[0].links.is_empty(), "no link leads to an erased memory");
}
