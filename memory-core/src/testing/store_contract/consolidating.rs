//! Rules of sessions: how they are closed, how digests are asked for, and what was recalled for them.

use super::{answer, commit, log_is_sound};
use crate::domain::change::ChangeSet;
use crate::domain::consolidation::{Asked, Consolidation, SESSION_DIGESTS};
use crate::domain::id::{JobId, MemoryId, PartitionId, RecallId, SessionId, TenantId};
use crate::domain::job::Job;
use crate::domain::memory::{DocumentName, Kind};
use crate::domain::turn::Session;
use crate::store::{RecallRecord, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, hit, name, owner};

/// The set, with a request for digests at every fourth turn.
fn asking(fixtures: &Fixtures, mut set: ChangeSet) -> ChangeSet {
    let id = JobId(fixtures.id());
    let job = Job::new(id, TenantId::DEFAULT, "consolidate", "{}".to_owned(), START);
    let job = Job { unique_key: Some("one".to_owned()), releases_key: true, ..job };
    set.sessions.asks = Some(Consolidation { turns: 4, job });
    set
}

async fn session(store: &dyn Store, partition: PartitionId, key: &str) -> Session {
    store.session_of_key(partition, &name(key)).await.unwrap().unwrap()
}

async fn asked(store: &dyn Store, partition: PartitionId) -> Vec<SessionId> {
    store.asked_digests(partition, 10).await.unwrap().into_iter().map(|asked| asked.session).collect()
}

async fn jobs(store: &dyn Store) -> usize {
    store.jobs(TenantId::DEFAULT, &Default::default(), None, 10).await.unwrap().len()
}

/// A session that is closed stays closed since the first time, and a new turn opens it, also in the same transaction.
pub async fn a_session_is_closed_until_its_next_turn(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let partition = said.partition;
    let id = said.created.session.unwrap();
    assert_eq!(session(store, partition, "s").await.closed_at, None);
    let closing = |minutes: i64| {
        let mut set = ChangeSet { now: START.plus_micros(minutes), ..fixtures.set(&ann) };
        set.sessions.closes = Some(id);
        set
    };
    commit(store, &closing(1)).await;
    commit(store, &closing(2)).await;
    assert_eq!(session(store, partition, "s").await.closed_at, Some(START.plus_micros(1)));
    assert_eq!(
        store.session(TenantId::DEFAULT, id).await.unwrap().unwrap().1.closed_at,
        Some(START.plus_micros(1))
    );
    assert_eq!(jobs(store).await, 0, "nobody asked for a digest");
    commit(store, &fixtures.saying(&ann, "s", &["c"])).await;
    assert_eq!(session(store, partition, "s").await.closed_at, None);
    for answer in store.commit(&[fixtures.saying(&ann, "s", &["d"]), closing(3)]).await.unwrap() {
        answer.unwrap();
    }
    assert_eq!(session(store, partition, "s").await.closed_at, Some(START.plus_micros(3)));
    for answer in store.commit(&[closing(4), fixtures.saying(&ann, "s", &["e"])]).await.unwrap() {
        answer.unwrap();
    }
    assert_eq!(session(store, partition, "s").await.closed_at, None);
    assert_eq!(session(store, partition, "s").await.turn_count, 5);
    assert_eq!(store.session_of_key(partition, &name("t")).await.unwrap(), None);
    log_is_sound(store, partition).await;
}

/// A digest is asked for with one job: by a close, by the turn that fills the session, by an erasure of its turns. An answer
/// takes the request that it answers, and no later one.
pub async fn digests_are_asked_for_and_answered(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &asking(&fixtures, fixtures.saying(&ann, "s", &["a", "b", "c"]))).await;
    let (partition, id) = (said.partition, said.created.session.unwrap());
    assert_eq!((asked(store, partition).await, jobs(store).await), (vec![], 0));
    commit(store, &fixtures.saying(&ann, "other", &["x"])).await;
    commit(store, &asking(&fixtures, fixtures.erasing(&ann, vec![said.created.memories[0]]))).await;
    assert_eq!((asked(store, partition).await, jobs(store).await), (vec![], 0), "neither closed nor full");
    commit(store, &asking(&fixtures, fixtures.saying(&ann, "s", &["d", "e"]))).await;
    assert_eq!((asked(store, partition).await, jobs(store).await), (vec![id], 1), "filled");
    let first = store.asked_digests(partition, 10).await.unwrap();
    let mut closing = asking(&fixtures, fixtures.saying(&ann, "s", &["f"]));
    closing.sessions.closes = Some(id);
    commit(store, &closing).await;
    assert_eq!(jobs(store).await, 1, "one job waits");
    let answering = |asked: Asked| {
        let mut set = fixtures.set(&ann);
        set.sessions.answers = Some(asked);
        set
    };
    commit(store, &answering(first[0])).await;
    let second = store.asked_digests(partition, 10).await.unwrap();
    assert!(second.len() == 1 && second[0].seq > first[0].seq, "a later request stays: {second:?}");
    let waiting = store.partitions_with_asked_digests(None, 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|one| (one.partition, &one.owner)).collect::<Vec<_>>(),
        [(partition, &ann)]
    );
    assert_eq!(store.partitions_with_asked_digests(Some(partition), 10).await.unwrap(), []);
    commit(store, &answering(second[0])).await;
    assert_eq!(asked(store, partition).await, []);
    commit(store, &asking(&fixtures, fixtures.erasing(&ann, vec![said.created.memories[1]]))).await;
    assert_eq!(asked(store, partition).await, [id], "its digest went with the turn");
    assert_eq!(store.partitions_with_asked_digests(None, 10).await.unwrap().len(), 1);
    log_is_sound(store, partition).await;
}

/// Turns are read from the newest on, and a digest by its name.
pub async fn newest_turns_and_named_memories_are_read(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b", "c"])).await;
    let session = said.created.session.unwrap();
    let newest = store.newest_turns(session, 2).await.unwrap();
    assert_eq!(newest, said.created.turns.iter().rev().take(2).copied().collect::<Vec<_>>());
    let mut digest = fixtures.fact("digest");
    digest.memory.kind = Kind::Digest;
    let document = DocumentName { namespace: name(SESSION_DIGESTS), key: name("s") };
    digest.memory.document = Some(document.clone());
    assert_eq!(store.named(said.partition, &document).await.unwrap(), None);
    let made = commit(store, &fixtures.adding(&ann, vec![digest])).await;
    let named = store.named(said.partition, &document).await.unwrap().unwrap();
    assert_eq!(
        (named.id, named.kind, named.text.as_str()),
        (made.created.memories[0], Kind::Digest, "digest")
    );
    let other = commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.fact("f")])).await;
    assert_eq!(store.named(other.partition, &document).await.unwrap(), None);
}

/// Recalls are found by the key of their session until its last turn is erased.
pub async fn recalls_of_a_session_go_with_it(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let said = commit(store, &fixtures.saying(&ann, "s", &["a", "b"])).await;
    let kept = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("f")])).await.created.memories[0];
    let partition = said.partition;
    let note = |key: Option<&str>, memory: MemoryId| RecallRecord {
        id: RecallId(fixtures.id()),
        partition,
        session: key.map(name),
        recalled_at: START,
        hits: vec![hit(memory, 0.5)],
    };
    let records = [note(Some("s"), kept), note(None, kept), note(Some("later"), kept), note(Some("s"), kept)];
    store.record_recalls(&records, 10).await.unwrap();
    let of_session = store.recalls_of_session(partition, &name("s"), 10).await.unwrap();
    assert_eq!(of_session, [records[3].clone(), records[0].clone()], "newest first");
    assert_eq!(store.recalls_of_session(partition, &name("s"), 1).await.unwrap().len(), 1);
    assert_eq!(store.recalls_of_session(partition, &name("later"), 9).await.unwrap().len(), 1);
    answer(store, &fixtures.erasing(&ann, vec![said.created.memories[0]])).await.unwrap();
    assert_eq!(store.recalls_of_session(partition, &name("s"), 10).await.unwrap().len(), 2);
    answer(store, &fixtures.erasing(&ann, vec![said.created.memories[1]])).await.unwrap();
    assert_eq!(store.recalls_of_session(partition, &name("s"), 10).await.unwrap(), []);
    assert_eq!(store.recalls(partition, 10).await.unwrap().len(), 4, "the memories were recalled");
}
