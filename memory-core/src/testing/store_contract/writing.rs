//! Store contract, commits: atomicity, sequence numbers, idempotency, versions, documents, sessions.

use super::{answer, commit, loaded, log_is_sound, present};
use crate::domain::change::{ChangeSet, Idempotency, Operation, Outcome, Refusal};
use crate::domain::derivation::Source;
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{CallerId, MemoryId, TenantId};
use crate::domain::scope::{Owner, OwnerKind};
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, link, name, owner, revised};

/// A set is committed or refused as a whole, and a refused one does not affect the others of the call.
pub async fn a_set_is_committed_or_refused_as_a_whole(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let first = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("one")])).await;
    let nobody = MemoryId(fixtures.id());
    let mut refused = fixtures.saying(&ann, "s", &["never said"]);
    refused.memories.push(fixtures.fact("never kept"));
    refused.erasures.push(nobody);
    let mut refused_new = fixtures.adding(&bob, vec![fixtures.fact("never kept")]);
    refused_new.erasures.push(nobody);
    let orphan = fixtures.made_of(fixtures.fact("never kept"), &[Source::Memory(nobody)]);
    let sets = [
        fixtures.adding(&ann, vec![fixtures.fact("two")]),
        refused,
        refused_new,
        fixtures.adding(&ann, vec![orphan]),
        fixtures.adding(&ann, vec![fixtures.fact("three")]),
    ];
    let answers = store.commit(&sets).await.unwrap();
    let taken: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, false, false, true]);
    assert_eq!(answers[1], Err(Refusal::NotFound(nobody.0)));
    let (seq, all) = loaded(store, first.partition).await;
    assert_eq!((seq, all.len()), (3, 3));
    assert!(store.sessions(first.partition, 0, 10).await.unwrap().is_empty());
    assert_eq!(
        store.partition_of(TenantId::DEFAULT, &bob).await.unwrap(),
        None,
        "a refused set created an owner"
    );
    log_is_sound(store, first.partition).await;
}

/// Each memory written or erased takes the next sequence number of its partition, for any mix of sets and calls; the
/// answer to a set has the numbers that it took.
pub async fn the_log_has_no_gaps(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let owners = [owner("ann"), owner("bob")];
    let mut next = [0u64; 2];
    let mut last_added: [Option<MemoryId>; 2] = [None; 2];
    for round in 0..6usize {
        let mut sets = Vec::new();
        for step in 0..4usize {
            let who = (round + step) % 2;
            let mut set = match (round + step) % 3 {
                0 => fixtures.saying(&owners[who], "s", &["a", "b"]),
                1 => fixtures.adding(&owners[who], vec![fixtures.document("n", "k", "d")]),
                _ => fixtures.adding(&owners[who], vec![fixtures.fact("f")]),
            };
            if let Some(gone) = last_added[who].take() {
                set.erasures.push(gone);
            }
            last_added[who] =
                set.memories.iter().find(|new| new.memory.document.is_none()).map(|new| new.memory.id);
            sets.push((who, set));
        }
        let only_sets: Vec<ChangeSet> = sets.iter().map(|(_, set)| set.clone()).collect();
        for ((who, _), answer) in sets.iter().zip(store.commit(&only_sets).await.unwrap()) {
            let Ok(Outcome::Committed(committed)) = answer else { panic!("refused: {answer:?}") };
            let writes = committed.created.memories.len() + committed.created.erased.len();
            assert_eq!(committed.seq_before, next[*who]);
            assert_eq!(committed.seq_after, next[*who] + writes as u64);
            next[*who] = committed.seq_after;
        }
    }
    for owner in &owners {
        let partition = store.partition_of(TenantId::DEFAULT, owner).await.unwrap().unwrap();
        log_is_sound(store, partition).await;
    }
}

/// The same key with the same request returns the result of the first one, within one call and later; with another
/// request it is refused. Tenants have separate keys.
pub async fn a_repeated_request_writes_nothing_twice(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let keyed = |hash: u8| {
        let mut set = fixtures.saying(&ann, "s", &["tea"]);
        set.idempotency = Some(keyed_request(Operation::AddTurns, "k", hash));
        set
    };
    let answers = store.commit(&[keyed(1), keyed(1), keyed(2)]).await.unwrap();
    let Ok(Outcome::Committed(first)) = &answers[0] else { panic!("refused: {answers:?}") };
    assert_eq!(answers[1], Ok(Outcome::Repeated(first.created.clone())));
    assert_eq!(answers[2], Err(Refusal::IdempotencyKeyReused));
    assert_eq!(answer(store, &keyed(1)).await, Ok(Outcome::Repeated(first.created.clone())));
    assert_eq!(answer(store, &keyed(3)).await, Err(Refusal::IdempotencyKeyReused));
    assert_eq!(loaded(store, first.partition).await.1.len(), 1);
    let elsewhere = ChangeSet { tenant: TenantId(fixtures.id()), ..keyed(9) };
    assert!(matches!(answer(store, &elsewhere).await, Ok(Outcome::Committed(_))));
    let mut refused = fixtures.erasing(&ann, vec![MemoryId(fixtures.id())]);
    refused.idempotency = Some(keyed_request(Operation::DeleteMemory, "r", 1));
    assert!(answer(store, &refused).await.is_err());
    refused.erasures = first.created.memories.clone();
    assert!(
        matches!(answer(store, &refused).await, Ok(Outcome::Committed(_))),
        "a refused request holds no key"
    );
}

/// A key is specific to its caller, owner and operation. Without an owner, only the identical request is found, for any
/// owner.
pub async fn a_key_is_for_one_caller_owner_and_operation(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, ben) = (owner("ann"), owner("ben"));
    let asking = |owner: &Owner, idempotency: Idempotency| {
        let mut set = fixtures.adding(owner, vec![fixtures.fact("tea")]);
        set.idempotency = Some(idempotency);
        set
    };
    let first = keyed_request(Operation::AddMemories, "msg-1", 1);
    let other_caller = Idempotency { caller: CallerId(fixtures.id()), ..first.clone() };
    let other_operation = keyed_request(Operation::AddTurns, "msg-1", 2);
    let app = Owner { kind: OwnerKind::App, ..ann.clone() };
    let sets = [
        asking(&ann, first.clone()),
        asking(&ben, keyed_request(Operation::AddMemories, "msg-1", 3)),
        asking(&app, keyed_request(Operation::AddMemories, "msg-1", 4)),
        asking(&ann, other_operation.clone()),
        asking(&ann, other_caller.clone()),
    ];
    let answers = store.commit(&sets).await.unwrap();
    let mut created = Vec::new();
    for (set, committed) in sets.iter().zip(&answers) {
        let Ok(Outcome::Committed(committed)) = committed else { panic!("refused: {committed:?}") };
        assert_eq!(answer(store, set).await, Ok(Outcome::Repeated(committed.created.clone())));
        created.push(committed.created.clone());
    }
    assert_eq!(
        answer(store, &asking(&ann, keyed_request(Operation::AddMemories, "msg-1", 5))).await,
        Err(Refusal::IdempotencyKeyReused)
    );
    let tenant = TenantId::DEFAULT;
    let earlier = store.earlier(tenant, Some(&ann), &first).await.unwrap();
    assert_eq!(earlier, Some(Ok(created[0].clone())));
    let reused = store.earlier(tenant, Some(&ben), &first).await.unwrap();
    assert_eq!(reused, Some(Err(Refusal::IdempotencyKeyReused)));
    assert_eq!(store.earlier(tenant, Some(&owner("cleo")), &first).await.unwrap(), None);
    for (idempotency, created) in
        [(first, &created[0]), (other_operation, &created[3]), (other_caller, &created[4])]
    {
        assert_eq!(store.earlier(tenant, None, &idempotency).await.unwrap(), Some(Ok(created.clone())));
    }
    let unasked = keyed_request(Operation::AddMemories, "msg-1", 9);
    assert_eq!(store.earlier(tenant, None, &unasked).await.unwrap(), None);
}

/// Only keys older than the given moment are deleted.
pub async fn idempotency_keys_are_deleted_by_age(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let keyed = |key: &str, days: i64| {
        let mut set = fixtures.adding(&owner("ann"), vec![fixtures.fact("x")]);
        set.now = START.plus_days(days);
        set.idempotency = Some(keyed_request(Operation::AddMemories, key, 0));
        set
    };
    commit(store, &keyed("old", 0)).await;
    commit(store, &keyed("new", 2)).await;
    assert_eq!(store.forget_requests(START.plus_days(1)).await.unwrap(), 1);
    assert!(matches!(answer(store, &keyed("old", 3)).await, Ok(Outcome::Committed(_))));
    assert!(matches!(answer(store, &keyed("new", 3)).await, Ok(Outcome::Repeated(_))));
}

/// A revision writes the next version and keeps the earlier ones, except for their rows.
pub async fn a_new_version_keeps_the_earlier_ones(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let created = commit(store, &fixtures.adding(&ann, vec![fixtures.ornate()])).await;
    let id = created.created.memories[0];
    let first = present(store, id).await;
    commit(store, &fixtures.revising(&ann, revised(&first, Some("the second|text")))).await;
    let second = present(store, id).await;
    assert_eq!((second.version, second.text.as_str()), (2, "the second|text"));
    let mut tagged = revised(&second, None);
    tagged.memory.tags = vec![name("only")];
    tagged.memory.expires_at = None;
    commit(store, &fixtures.revising(&ann, tagged.clone())).await;
    assert_eq!(present(store, id).await, tagged.memory);
    assert_eq!(store.earlier_versions(created.partition, id).await.unwrap(), [first, second]);
    let (_, all) = loaded(store, created.partition).await;
    assert_eq!(all[0].rows.len(), 2, "the rows are those of the present text");
    log_is_sound(store, created.partition).await;
}

/// A revision is based on the present version: two revisions in one set, or one with a replacement of the document,
/// cannot both write the next one. In one set, revisions may be based on each other.
pub async fn a_version_is_written_once(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let created = commit(store, &fixtures.adding(&ann, vec![fixtures.document("n", "k", "one")])).await;
    let id = created.created.memories[0];
    let first = present(store, id).await;
    let conflict = Err(Refusal::VersionConflict { id, expected: 1, present: 2 });
    let mut twice = fixtures.revising(&ann, revised(&first, Some("two")));
    twice.revisions.push(revised(&first, Some("also two")));
    assert_eq!(answer(store, &twice).await, conflict);
    let mut with_replacement = fixtures.revising(&ann, revised(&first, Some("two")));
    with_replacement.memories.push(fixtures.document("n", "k", "replaced"));
    assert_eq!(answer(store, &with_replacement).await, conflict);
    let stale = fixtures.revising(&ann, revised(&revised(&first, None).memory, None));
    assert_eq!(answer(store, &stale).await, Err(Refusal::VersionConflict { id, expected: 2, present: 1 }));
    let second = revised(&first, Some("two"));
    let mut chain = fixtures.revising(&ann, second.clone());
    chain.revisions.push(revised(&second.memory, Some("three")));
    commit(store, &chain).await;
    assert_eq!(present(store, id).await.text, "three");
    assert_eq!(store.earlier_versions(created.partition, id).await.unwrap(), [first, second.memory]);
    let unknown = plain_revision(&fixtures);
    assert!(matches!(answer(store, &fixtures.revising(&ann, unknown)).await, Err(Refusal::NotFound(_))));
    log_is_sound(store, created.partition).await;
}

/// A set may write a memory with its second version; both are in the history, each with its derivation and links. A revision
/// that does not follow the first version, or of a memory that nobody adds, is refused with all of the set.
pub async fn a_set_may_revise_a_memory_that_it_adds(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let source = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("source")])).await;
    let sources = [Source::Memory(source.created.memories[0])];
    let new = fixtures.made_of(fixtures.fact("one"), &sources);
    let mut second = fixtures.revised_from(revised(&new.memory, Some("two")), &sources);
    second.memory.links = vec![link(source.created.memories[0], "supports", 0.5)];
    let mut set = fixtures.adding(&ann, vec![new.clone()]);
    set.revisions = vec![second.clone()];
    let mut skips = set.clone();
    skips.revisions[0].memory.version = 3;
    let conflict = Refusal::VersionConflict { id: new.memory.id, expected: 2, present: 1 };
    assert_eq!(answer(store, &skips).await, Err(conflict));
    let alone = ChangeSet { memories: Vec::new(), ..set.clone() };
    assert_eq!(answer(store, &alone).await, Err(Refusal::NotFound(new.memory.id.0)));
    assert_eq!(loaded(store, source.partition).await.1.len(), 1, "what is refused leaves nothing");
    commit(store, &set).await;
    let stored = present(store, new.memory.id).await;
    assert_eq!((stored.version, stored.text.as_str(), &stored.links), (2, "two", &second.memory.links));
    let earlier = store.earlier_versions(source.partition, new.memory.id).await.unwrap();
    assert_eq!(earlier.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["one"]);
    let (_, all) = loaded(store, source.partition).await;
    let found = all.iter().find(|one| one.memory.id == new.memory.id).unwrap();
    assert_eq!(Some(&found.rows), second.rows.as_ref(), "found by the second text alone");
    let erased = commit(store, &fixtures.erasing(&ann, source.created.memories)).await;
    assert_eq!(erased.created.erased.len(), 2, "the source takes both versions along");
    log_is_sound(store, source.partition).await;
}

fn plain_revision(fixtures: &Fixtures) -> crate::domain::change::Revision {
    revised(&fixtures.fact("nobody").memory, None)
}

/// A document replaces the one of the same name as a new version under the same id, even twice in one set. Namespace
/// and key together are the name, and each partition has its own names.
pub async fn a_document_replaces_the_one_of_its_name(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let twice = vec![fixtures.document("n", "k", "one"), fixtures.document("n", "k", "two")];
    let created = commit(store, &fixtures.adding(&ann, twice)).await;
    assert_eq!(created.created.memories[0], created.created.memories[1]);
    let others = vec![
        fixtures.document("n", "other", "o"),
        fixtures.document("m", "k", "o"),
        fixtures.document("n", "k", "three"),
    ];
    let more = commit(store, &fixtures.adding(&ann, others)).await;
    commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.document("n", "k", "bob's")])).await;
    let id = created.created.memories[0];
    assert_eq!(more.created.memories[2], id);
    let kept = present(store, id).await;
    assert_eq!((kept.version, kept.text.as_str()), (3, "three"));
    let earlier = store.earlier_versions(created.partition, id).await.unwrap();
    assert_eq!(earlier.iter().map(|memory| memory.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(loaded(store, created.partition).await.1.len(), 3);
    let owners = store.owners(TenantId::DEFAULT, None, 10).await.unwrap();
    assert_eq!(owners.iter().map(|owner| owner.memory_count).collect::<Vec<_>>(), [3, 1]);
    log_is_sound(store, created.partition).await;
}

/// The answer to the replacement of a document equals the stored memory in every field, because the index is updated
/// from it.
pub async fn the_answer_to_a_replacement_equals_the_stored_document(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    commit(store, &fixtures.adding(&ann, vec![fixtures.document("n", "k", "one")])).await;
    let mut ornate = fixtures.ornate();
    ornate.memory.kind = crate::domain::memory::Kind::Document;
    ornate.memory.document = fixtures.document("n", "k", "").memory.document;
    let replaced = commit(store, &fixtures.adding(&ann, vec![ornate])).await;
    let answered = replaced.replaced[0].clone().unwrap();
    assert_eq!(answered.version, 2);
    assert_eq!(present(store, answered.id).await, answered);
}

/// Sessions are numbered in order of creation. Turns are appended at the end of the session, over calls, over sets of
/// one call, and after erasures. The answer to a commit has their positions.
pub async fn sessions_keep_their_order(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let sets = [
        fixtures.saying(&ann, "monday", &["a", "b"]),
        fixtures.saying(&ann, "tuesday", &["c"]),
        fixtures.saying(&ann, "monday", &["d", "e"]),
    ];
    let mut places = Vec::new();
    let mut erased = None;
    for answer in store.commit(&sets).await.unwrap() {
        let Ok(Outcome::Committed(committed)) = answer else { panic!("refused: {answer:?}") };
        let at = committed.appended.unwrap();
        places.push((at.session_ordinal, at.first_seq));
        erased = Some(committed.created.memories[1.min(committed.created.memories.len() - 1)]);
    }
    commit(store, &fixtures.erasing(&ann, vec![erased.unwrap()])).await;
    let last = commit(store, &fixtures.saying(&ann, "monday", &["f"])).await;
    let at = last.appended.unwrap();
    places.push((at.session_ordinal, at.first_seq));
    assert_eq!(places, [(0, 0), (1, 0), (0, 2), (0, 4)], "a place is never given twice");
    let sessions = store.sessions(last.partition, 0, 10).await.unwrap();
    let seen: Vec<_> = sessions.iter().map(|it| (it.key.as_str(), it.ordinal, it.turn_count)).collect();
    assert_eq!(seen, [("monday", 0, 4), ("tuesday", 1, 1)], "the erased turn is not counted");
    let turns = store.turns(at.session, 0, 10).await.unwrap();
    let seen: Vec<_> = turns.iter().map(|turn| (turn.seq, turn.text.as_str())).collect();
    assert_eq!(seen, [(0, "a"), (1, "b"), (2, "d"), (4, "f")]);
    let origin = present(store, last.created.memories[0]).await.origin.unwrap();
    assert_eq!((origin.session, origin.session_ordinal, origin.seq), (at.session, 0, 4));
    log_is_sound(store, last.partition).await;
}

/// A set with rows of an embedder that is not in use is refused.
pub async fn an_embedder_not_in_use_is_refused(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut set = fixtures.adding(&ann, vec![fixtures.fact("x")]);
    set.embedder = set.embedder.map(|id| EmbedderId(id.0 + 1));
    assert_eq!(answer(store, &set).await, Err(Refusal::EmbedderChanged));
    set.embedder = None;
    assert!(answer(store, &set).await.is_ok(), "a set without vectors names no embedder");
}
