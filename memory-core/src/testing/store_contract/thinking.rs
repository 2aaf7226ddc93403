//! Rules of thinking: statements, the queues of turns, groups, evidence, reads of the past, and the account of models.

use super::{answer, commit, log_is_sound, present};
use crate::domain::change::{
    ChangeSet, Committed, MAX_GROUPS_PER_MEMORY, NewMemory, Refusal, Revision, ThoughtAbout,
};
use crate::domain::derivation::Source;
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::scope::Owner;
use crate::store::{PendingPartition, PendingTurn, Store, Usage, UsageEntry};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, link, name, owner, revised};

/// Statement and audience belong to their version, and every kind is returned as it was written.
pub async fn statements_and_kinds_are_returned_with_their_version(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut new = fixtures.ornate();
    new.memory.kind = Kind::Thought;
    let id = commit(store, &fixtures.adding(&ann, vec![new.clone()])).await.created.memories[0];
    assert_eq!(present(store, id).await, new.memory);
    let mut edit = revised(&new.memory, None);
    edit.memory.audience = vec![name("only her")];
    edit.memory.statement = edit.memory.statement.map(|mut it| {
        (it.object, it.relation, it.attribute, it.confidence) = (None, None, None, 1.0);
        it
    });
    let partition = commit(store, &fixtures.revising(&ann, edit.clone())).await.partition;
    let mut last = revised(&edit.memory, None);
    (last.memory.statement, last.memory.audience) = (None, Vec::new());
    commit(store, &fixtures.revising(&ann, last.clone())).await;
    assert_eq!(present(store, id).await, last.memory);
    assert_eq!(store.earlier_versions(partition, id).await.unwrap(), [new.memory, edit.memory]);
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Turn) {
        let mut new = fixtures.fact("of any kind");
        new.memory.kind = kind;
        let id = commit(store, &fixtures.adding(&ann, vec![new])).await.created.memories[0];
        assert_eq!(present(store, id).await.kind, kind);
    }
}

fn saying(fixtures: &Fixtures, who: &Owner, texts: &[&str], queue_for: &[&'static str]) -> ChangeSet {
    ChangeSet { queue_for: queue_for.to_vec(), ..fixtures.saying(who, "s", texts) }
}

fn thinking(fixtures: &Fixtures, who: &Owner, mechanism: &'static str, turns: &[MemoryId]) -> ChangeSet {
    let thought_about = Some(ThoughtAbout { mechanism, turns: turns.to_vec() });
    ChangeSet { thought_about, ..fixtures.set(who) }
}

async fn pending(store: &dyn Store, partition: PartitionId, mechanism: &str) -> Vec<PendingTurn> {
    store.pending_turns(partition, mechanism, 100).await.unwrap()
}

async fn pending_ids(store: &dyn Store, partition: PartitionId, mechanism: &str) -> Vec<MemoryId> {
    pending(store, partition, mechanism).await.iter().map(|turn| turn.memory.id).collect()
}

/// Each new turn of a set waits for each mechanism that the set names, in the order of the change log, with all that
/// was said about it. Other memories of the set do not wait.
pub async fn new_turns_wait_for_each_mechanism(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    assert_eq!(store.count_pending().await.unwrap(), []);
    let mut first = saying(&fixtures, &ann, &["one", "two"], &["a", "b", "a"]);
    first.memories = vec![fixtures.fact("a fact")];
    if let Some((turn, new)) = first.turns.as_mut().and_then(|turns| turns.turns.first_mut()) {
        turn.participants = vec![name("Bob")];
        new.memory.audience = vec![name("Carol")];
    }
    let first = commit(store, &first).await;
    let second = commit(store, &saying(&fixtures, &ann, &["three"], &["a"])).await;
    commit(store, &saying(&fixtures, &ann, &["nobody's"], &[])).await;
    let of_bob = commit(store, &saying(&fixtures, &bob, &["four"], &["b"])).await;
    let partition = first.partition;
    let [one, two] = first.created.memories[..2] else { panic!("two turns") };
    let three = second.created.memories[0];
    assert_eq!(pending_ids(store, partition, "a").await, [one, two, three]);
    assert_eq!(pending_ids(store, partition, "b").await, [one, two]);
    assert_eq!(pending_ids(store, partition, "c").await, []);
    let page = store.pending_turns(partition, "a", 2).await.unwrap();
    assert_eq!(page[..], pending(store, partition, "a").await[..2]);
    let memory = present(store, one).await;
    assert_eq!((memory.text.as_str(), &memory.audience[..]), ("one", &[name("Carol")][..]));
    let expected = PendingTurn { memory, said_at: START, utc_offset: None, participants: vec![name("Bob")] };
    assert_eq!(page[0], expected);
    let edit = revised(&page[1].memory, Some("as edited"));
    commit(store, &fixtures.revising(&ann, edit)).await;
    assert_eq!(pending(store, partition, "a").await[1].memory.text, "as edited");

    assert_eq!(store.count_pending().await.unwrap(), [("a".to_owned(), 3), ("b".to_owned(), 3)]);
    let at = |partition, owner: &Owner| PendingPartition {
        tenant: TenantId::DEFAULT,
        partition,
        owner: owner.clone(),
    };
    let both = [at(partition, &ann), at(of_bob.partition, &bob)];
    assert_eq!(store.partitions_with_pending("b", None, 9).await.unwrap(), both);
    assert_eq!(store.partitions_with_pending("b", None, 1).await.unwrap(), both[..1]);
    assert_eq!(store.partitions_with_pending("b", Some(partition), 9).await.unwrap(), both[1..]);
    assert_eq!(store.partitions_with_pending("a", None, 9).await.unwrap(), both[..1]);
    assert_eq!(store.partitions_with_pending("c", None, 9).await.unwrap(), []);
    assert_eq!(store.owner_of(partition).await.unwrap(), Some((TenantId::DEFAULT, ann)));
    assert_eq!(store.owner_of(PartitionId(i64::MAX)).await.unwrap(), None);
    log_is_sound(store, partition).await;
}

/// A turn leaves the queue of a mechanism with the set that was made of it. A set about a turn that does not wait is
/// refused whole: no turn is thought about twice.
pub async fn a_turn_is_thought_about_once(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &saying(&fixtures, &ann, &["one", "two", "three"], &["a", "b"])).await;
    let partition = said.partition;
    let [one, two, three] = said.created.memories[..] else { panic!("three turns") };
    let about = |mechanism, turns: &[MemoryId]| ChangeSet {
        memories: vec![fixtures.fact("made")],
        ..thinking(&fixtures, &ann, mechanism, turns)
    };
    let sets = [about("a", &[two, one]), about("a", &[three, one]), about("b", &[one, one])];
    let answers = store.commit(&sets).await.unwrap();
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(answers[1], Err(Refusal::NotQueued(one)));
    assert_eq!(pending_ids(store, partition, "a").await, [three], "a refused set removes nothing");
    assert_eq!(pending_ids(store, partition, "b").await, [two, three]);
    let Ok(page) = store.owners(TenantId::DEFAULT, None, 1).await else { panic!("unreadable") };
    assert_eq!(page[0].memory_count, 5, "and adds nothing");
    for (who, mechanism, turns) in [
        (&ann, "c", vec![three]),
        (&ann, "a", vec![MemoryId(fixtures.id())]),
        (&owner("bob"), "a", vec![three]),
    ] {
        let refused = answer(store, &thinking(&fixtures, who, mechanism, &turns)).await;
        assert_eq!(refused, Err(Refusal::NotQueued(turns[0])));
    }
    commit(store, &thinking(&fixtures, &ann, "a", &[])).await;
    let mut both = saying(&fixtures, &ann, &["four"], &["a"]);
    both.thought_about = Some(ThoughtAbout { mechanism: "a", turns: vec![three] });
    let four = commit(store, &both).await.created.memories[0];
    assert_eq!(pending_ids(store, partition, "a").await, [four], "one goes and one comes in one set");
    let edit = revised(&present(store, four).await, None);
    commit(store, &fixtures.revising(&ann, edit)).await;
    assert_eq!(pending_ids(store, partition, "a").await, [four], "a new version does not wait once more");
    log_is_sound(store, partition).await;
}

/// A set may put turns back into a queue, behind those that wait: once each, turns that are there and are not erased by the
/// set. The memories that have links to a turn are found by it.
pub async fn a_turn_may_be_thought_about_again(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &saying(&fixtures, &ann, &["one", "two", "three"], &["a"])).await;
    let partition = said.partition;
    let [one, two, three] = said.created.memories[..] else { panic!("three turns") };
    let mut note = fixtures.fact("no turn");
    note.memory.links = vec![link(one, "annotates", 1.0)];
    let note = commit(store, &fixtures.adding(&ann, vec![note])).await.created.memories[0];
    assert_eq!(store.linked_from(partition, &[one, two], 10).await.unwrap(), [(one, note)]);
    assert_eq!(store.linked_from(partition, &[one], 0).await.unwrap(), []);
    commit(store, &thinking(&fixtures, &ann, "a", &[one, two])).await;
    let again = |turns: Vec<MemoryId>| ChangeSet {
        queued_again: vec![ThoughtAbout { mechanism: "a", turns }],
        ..fixtures.set(&ann)
    };
    let nobody = MemoryId(fixtures.id());
    commit(store, &again(vec![one, three, one, note, nobody])).await;
    assert_eq!(pending_ids(store, partition, "a").await, [three, one]);
    let erases = ChangeSet { erasures: vec![two], ..again(vec![two]) };
    commit(store, &erases).await;
    assert_eq!(pending_ids(store, partition, "a").await, [three, one]);
    commit(store, &thinking(&fixtures, &ann, "a", &[one])).await;
    assert_eq!(pending_ids(store, partition, "a").await, [three]);
    log_is_sound(store, partition).await;
}

fn entity(text: &str) -> GroupKey {
    GroupKey::entity(text).unwrap()
}

fn grouped(new: NewMemory, groups: &[&str]) -> NewMemory {
    NewMemory { groups: groups.iter().map(|text| entity(text)).collect(), ..new }
}

async fn members(store: &dyn Store, partition: PartitionId, key: &str) -> Vec<MemoryId> {
    let found = store.in_groups(partition, &[entity(key)], 100).await.unwrap();
    found.into_iter().map(|(_, memory)| memory).collect()
}

/// A memory is in the groups of its present version, which a new version keeps or replaces; a document takes those of
/// its replacement. Groups are listed newest first, bounded, in the order of the keys.
pub async fn groups_belong_to_the_present_version(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let new = |groups: &[&str]| grouped(fixtures.fact("f"), groups);
    let facts = vec![new(&["ann", "rome", "ann"]), new(&["ann"]), new(&["rome"])];
    let document = grouped(fixtures.document("n", "k", "one"), &["rome"]);
    let Committed { partition, created, .. } =
        commit(store, &fixtures.adding(&ann, [facts, vec![document]].concat())).await;
    let [one, two, three, document] = created.memories[..] else { panic!("four memories") };
    let keys = ["rome", "nothing", "ann", "rome"].map(entity);
    let found = store.in_groups(partition, &keys, 2).await.unwrap();
    let expected = [("rome", document), ("rome", three), ("ann", two), ("ann", one)];
    assert_eq!(found, expected.map(|(key, memory)| (entity(key), memory)));
    assert_eq!(store.in_groups(partition, &[], 2).await.unwrap(), []);
    assert_eq!(store.in_groups(PartitionId(partition.0 + 1), &keys, 2).await.unwrap(), []);

    let kept = revised(&present(store, one).await, Some("kept"));
    commit(store, &fixtures.revising(&ann, kept)).await;
    let edit = Revision {
        groups: Some(vec![entity("rome"), entity("paris")]),
        ..revised(&present(store, two).await, None)
    };
    let none = Revision { groups: Some(Vec::new()), ..revised(&present(store, three).await, None) };
    let mut set = fixtures.revising(&ann, edit);
    set.revisions.push(none);
    set.memories = vec![grouped(fixtures.document("n", "k", "two"), &["paris"])];
    commit(store, &set).await;
    assert_eq!(members(store, partition, "ann").await, [one]);
    assert_eq!(members(store, partition, "rome").await, [two, one]);
    assert_eq!(members(store, partition, "paris").await, [document, two]);

    let many: Vec<String> = (0..=MAX_GROUPS_PER_MEMORY).map(|at| format!("many {at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = answer(store, &fixtures.adding(&ann, vec![new(&many)])).await;
    assert!(matches!(refused, Err(Refusal::Full { limit, .. }) if limit == MAX_GROUPS_PER_MEMORY as u64));
    let all = commit(store, &fixtures.adding(&ann, vec![new(&many[1..])])).await.created.memories[0];
    let keys: Vec<GroupKey> = many.iter().map(|key| entity(key)).collect();
    let found = store.in_groups(partition, &keys, 1).await.unwrap();
    let expected: Vec<_> = keys[1..].iter().map(|key| (key.clone(), all)).collect();
    assert_eq!(found, expected, "more keys than fit into a statement");
    log_is_sound(store, partition).await;
}

/// An erased memory is in no group and in no queue any more; its turns cannot be thought about.
pub async fn erasure_empties_queues_and_groups(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &saying(&fixtures, &ann, &["one", "two"], &["a", "b"])).await;
    let [one, two] = said.created.memories[..] else { panic!("two turns") };
    let derived = fixtures.made_of(fixtures.fact("of one"), &[Source::Turn(said.created.turns[0])]);
    let facts = vec![grouped(derived, &["ann"]), grouped(fixtures.fact("stays"), &["ann"])];
    let facts = commit(store, &fixtures.adding(&ann, facts)).await.created.memories;
    commit(store, &fixtures.erasing(&ann, vec![one])).await;
    assert_eq!(members(store, said.partition, "ann").await, [facts[1]]);
    for mechanism in ["a", "b"] {
        assert_eq!(pending_ids(store, said.partition, mechanism).await, [two]);
    }
    let refused = answer(store, &thinking(&fixtures, &ann, "a", &[one, two])).await;
    assert_eq!(refused, Err(Refusal::NotQueued(one)));
    let mut both = thinking(&fixtures, &ann, "a", &[two]);
    both.erasures = vec![two];
    commit(store, &both).await;
    assert_eq!(store.count_pending().await.unwrap(), []);
    log_is_sound(store, said.partition).await;
}

/// Turns are looked up in a queue, and their memories by the turns.
pub async fn turns_are_looked_up_in_queues_and_by_id(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &saying(&fixtures, &ann, &["one", "two"], &["a"])).await;
    let (partition, created) = (said.partition, &said.created);
    let [first, second] = [0, 1].map(|at| created.memories[at]);
    assert!(store.are_queued(partition, "a", &[first, second]).await.unwrap());
    assert!(!store.are_queued(partition, "b", &[first, second]).await.unwrap());
    assert!(!store.are_queued(partition, "a", &[]).await.unwrap());
    commit(store, &thinking(&fixtures, &ann, "a", &[first])).await;
    assert!(!store.are_queued(partition, "a", &[first]).await.unwrap());
    assert!(store.are_queued(partition, "a", &[first, second]).await.unwrap());
    let found = store.memories_of_turns(partition, &created.turns).await.unwrap();
    let mut ids: Vec<MemoryId> = found.iter().map(|memory| memory.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, created.memories);
    assert_eq!(store.memories_of_turns(PartitionId(partition.0 + 1), &created.turns).await.unwrap(), []);
}

/// The derivations of the present versions of many memories are read together.
pub async fn evidence_of_many_memories_is_read_together(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["one", "two"])).await;
    let sources: Vec<Source> = said.created.turns.iter().map(|turn| Source::Turn(*turn)).collect();
    let new: Vec<NewMemory> = (0..700)
        .map(|at| match at % 3 {
            0 => fixtures.fact("plain"),
            1 => fixtures.made_of(fixtures.fact("of one"), &sources[..1]),
            _ => fixtures.made_of(fixtures.fact("of two"), &sources),
        })
        .collect();
    let expected: Vec<_> =
        new.iter().rev().filter_map(|new| Some((new.memory.id, new.derivation.clone()?))).collect();
    let ids = commit(store, &fixtures.adding(&ann, new)).await.created.memories;
    let backwards: Vec<MemoryId> = ids.iter().rev().copied().collect();
    assert!(store.evidence(said.partition, &backwards).await.unwrap() == expected);
    let edit = revised(&present(store, ids[1]).await, None);
    let edit = fixtures.revised_from(edit, &[Source::Memory(ids[0])]);
    commit(store, &fixtures.revising(&ann, edit.clone())).await;
    let found = store.evidence(said.partition, &[ids[0], ids[1]]).await.unwrap();
    assert_eq!(found, [(ids[1], edit.derivation.unwrap())]);
    assert_eq!(store.evidence(PartitionId(said.partition.0 + 1), &ids).await.unwrap(), []);
}

/// Each memory is read as it was recorded at a time; one that was created later is omitted.
pub async fn versions_are_read_as_of_a_time(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut set = fixtures.saying(&ann, "s", &["as said"]);
    set.memories = vec![fixtures.ornate(), fixtures.fact("unchanged")];
    set.memories[0].memory.recorded_at = START;
    let said = commit(store, &set).await;
    let ids = said.created.memories;
    let later = |memory: &Memory, text: &str, days| {
        let mut edit = revised(memory, Some(text));
        edit.memory.recorded_at = START.plus_days(days);
        edit
    };
    let mut expected: Vec<Vec<Memory>> = vec![store.memories(said.partition, &ids).await.unwrap()];
    for days in [1, 3] {
        for id in &ids[..2] {
            let mut edit = later(&present(store, *id).await, &format!("at {days}"), days);
            (edit.memory.statement, edit.memory.audience) = (None, vec![name("x")]);
            commit(store, &fixtures.revising(&ann, edit)).await;
        }
        expected.push(store.memories(said.partition, &ids).await.unwrap());
    }
    let at = async |time| store.versions_at(said.partition, &ids, time).await.unwrap();
    for (time, state) in [
        (START, 0),
        (START.plus_days(1).plus_micros(-1), 0),
        (START.plus_days(1), 1),
        (START.plus_days(2), 1),
        (START.plus_days(3), 2),
        (START.plus_days(9), 2),
    ] {
        assert_eq!(at(time).await, expected[state]);
    }
    assert_eq!(at(START.plus_micros(-1)).await, [], "nothing was recorded yet");
    let nobody = PartitionId(said.partition.0 + 1);
    assert_eq!(store.versions_at(nobody, &ids, START).await.unwrap(), []);
}

/// The use of models adds up by partition, day, task and model, and is read for one partition or the whole tenant.
pub async fn usage_of_models_adds_up(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut partitions = Vec::new();
    for who in ["ann", "bob"] {
        let set = fixtures.adding(&owner(who), vec![fixtures.fact("f")]);
        partitions.push(commit(store, &set).await.partition);
    }
    let entry = |day, task: &str, times: u64| UsageEntry {
        day,
        task: task.to_owned(),
        model: "m/1".to_owned(),
        usage: Usage {
            calls: times,
            refused_replies: 2 * times,
            failures: 3 * times,
            prompt_tokens: 1_000_000 * times,
            reply_tokens: 5 * times,
            cost_micros: 6 * times,
        },
    };
    store.add_usage(partitions[0], &[]).await.unwrap();
    store.add_usage(partitions[0], &[entry(2, "extract", 1), entry(1, "extract", 1)]).await.unwrap();
    store.add_usage(partitions[0], &[entry(2, "extract", 2), entry(2, "digest", 1)]).await.unwrap();
    store.add_usage(partitions[1], &[entry(2, "extract", 10)]).await.unwrap();
    let usage = async |partition, day| store.usage(TenantId::DEFAULT, partition, day).await.unwrap();
    let of_ann = [entry(2, "digest", 1), entry(2, "extract", 3), entry(1, "extract", 1)];
    assert_eq!(usage(Some(partitions[0]), 0).await, of_ann);
    assert_eq!(usage(Some(partitions[0]), 2).await, of_ann[..2]);
    assert_eq!(usage(None, 2).await, [entry(2, "digest", 1), entry(2, "extract", 13)]);
    assert_eq!(store.usage(TenantId(fixtures.id()), None, 0).await.unwrap(), []);
    let mut huge = entry(3, "extract", 0);
    huge.usage.calls = u64::MAX;
    for _ in 0..3 {
        store.add_usage(partitions[0], std::slice::from_ref(&huge)).await.unwrap();
    }
    assert!(usage(None, 3).await[0].usage.calls > 1 << 40, "a large number is capped and does not overflow");
}
