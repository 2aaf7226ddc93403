//! Store contract, records of requests with idempotency keys: they go with what their requests made.

use super::{answer, commit, present};
use crate::domain::change::{ChangeSet, Operation, Outcome};
use crate::domain::id::TenantId;
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, owner, revised};

fn keyed(mut set: ChangeSet, operation: Operation, key: &str, hash: u8) -> ChangeSet {
    set.idempotency = Some(keyed_request(operation, key, hash));
    set
}

/// With any memory that a request made or edited, its record is erased, and those of other requests are not: a
/// repetition is a new request.
pub async fn a_record_goes_with_what_its_request_made(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said =
        || keyed(fixtures.saying(&ann, "s", &["My PIN is 4711", "Noted"]), Operation::AddTurns, "t", 1);
    let added = keyed(fixtures.adding(&ann, vec![fixtures.fact("x")]), Operation::AddMemories, "m", 2);
    let first = commit(store, &said()).await.created;
    let other = commit(store, &added).await.created;
    let edit =
        |present| keyed(fixtures.revising(&ann, revised(present, Some("y"))), Operation::EditMemory, "e", 3);
    let present_memory = present(store, other.memories[0]).await;
    commit(store, &edit(&present_memory)).await;
    assert!(matches!(answer(store, &edit(&present_memory)).await, Ok(Outcome::Repeated(_))));
    commit(store, &fixtures.erasing(&ann, vec![first.memories[0]])).await;
    let turns = keyed_request(Operation::AddTurns, "t", 1);
    assert_eq!(store.earlier(TenantId::DEFAULT, Some(&ann), &turns).await.unwrap(), None);
    assert_eq!(store.earlier(TenantId::DEFAULT, None, &turns).await.unwrap(), None);
    assert_eq!(answer(store, &added).await, Ok(Outcome::Repeated(other.clone())));
    assert!(matches!(answer(store, &said()).await, Ok(Outcome::Committed(_))));
    commit(store, &fixtures.erasing(&ann, other.memories.clone())).await;
    for request in
        [keyed_request(Operation::AddMemories, "m", 2), keyed_request(Operation::EditMemory, "e", 3)]
    {
        assert_eq!(store.earlier(TenantId::DEFAULT, Some(&ann), &request).await.unwrap(), None);
    }
    assert_eq!(store.check(false).await.unwrap(), [], "nothing is left of the records");
}

/// The record of an erasure has made nothing that could be erased: a repetition gets the first answer, with the owner
/// and, since the memory is gone, without.
pub async fn the_record_of_an_erasure_stays(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let made = keyed(fixtures.adding(&ann, vec![fixtures.fact("x")]), Operation::AddMemories, "m", 1);
    let made = commit(store, &made).await.created;
    let erasing = keyed(fixtures.erasing(&ann, made.memories.clone()), Operation::DeleteMemory, "d", 2);
    let erased = commit(store, &erasing).await.created;
    assert_eq!(erased.erased, made.memories);
    assert_eq!(answer(store, &erasing).await, Ok(Outcome::Repeated(erased.clone())));
    let request = keyed_request(Operation::DeleteMemory, "d", 2);
    assert_eq!(store.earlier(TenantId::DEFAULT, None, &request).await.unwrap(), Some(Ok(erased)));
    assert_eq!(store.forget_requests(START.plus_days(1)).await.unwrap(), 1, "only the record of the erasure");
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// A set that erases a part of what it writes keeps its record until the rest is erased, too; an expired record leaves
/// nothing behind.
pub async fn a_record_is_of_all_memories_that_are_left(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let old =
        commit(store, &fixtures.adding(&ann, vec![fixtures.fact("a"), fixtures.fact("b")])).await.created;
    let mut both = fixtures.revising(&ann, revised(&present(store, old.memories[0]).await, Some("c")));
    both.memories.push(fixtures.fact("d"));
    both.erasures.push(old.memories[0]);
    let both = keyed(both, Operation::UndoJob, "u", 1);
    let done = commit(store, &both).await.created;
    assert_eq!(answer(store, &both).await, Ok(Outcome::Repeated(done.clone())));
    let added = done.memories.iter().find(|id| !done.erased.contains(id)).copied().unwrap();
    commit(store, &fixtures.erasing(&ann, vec![added])).await;
    let request = keyed_request(Operation::UndoJob, "u", 1);
    assert_eq!(store.earlier(TenantId::DEFAULT, Some(&ann), &request).await.unwrap(), None);
    commit(store, &keyed(fixtures.adding(&ann, vec![fixtures.fact("e")]), Operation::AddMemories, "m", 2))
        .await;
    assert_eq!(store.forget_requests(START.plus_days(1)).await.unwrap(), 1);
    assert_eq!(store.check(false).await.unwrap(), []);
}
