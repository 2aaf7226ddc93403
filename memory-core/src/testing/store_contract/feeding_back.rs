//! Store contract, feedback on recalls: outcomes in the access log, and the uses that follow from them.

use super::{commit, log_is_sound, present};
use crate::domain::change::{ChangeSet, Feedback};
use crate::domain::id::{MemoryId, RecallId};
use crate::domain::uses::{Use, UseKind};
use crate::store::{RecallHit, RecallRecord, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, hit, owner};

const HOUR_US: u64 = 3_600_000_000;

/// Feedback this many hours after [`START`].
fn feedback(recall: RecallId, memory: MemoryId, kind: UseKind, hours: i64) -> Feedback {
    let at = START.plus_micros(hours.saturating_mul(HOUR_US.cast_signed()));
    Feedback { recall, memory, one: Use { at, kind }, counts: true, refractory_us: HOUR_US }
}

/// Evidence that outweighs that of the log is written and is a use; the same again changes nothing, also much later, and so
/// does weaker evidence. What does not count is written to the log alone, without an entry of the change log.
pub async fn feedback_is_written_to_the_log_and_recorded_as_a_use_once(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let facts = vec![fixtures.fact("a"), fixtures.fact("b"), fixtures.fact("c")];
    let created = commit(store, &fixtures.adding(&ann, facts)).await;
    let (partition, ids, id) = (created.partition, created.created.memories.clone(), RecallId(fixtures.id()));
    let hits = ids.iter().map(|id| hit(*id, 0.5)).collect();
    let record = RecallRecord { id, partition, session: None, recalled_at: START, hits };
    store.record_recalls(&[record], 10).await.unwrap();
    let sent = |feedback: Vec<Feedback>| ChangeSet { feedback, ..fixtures.set(&ann) };
    let silent = Feedback { counts: false, ..feedback(id, ids[1], UseKind::Cited, 1) };
    let done = commit(store, &sent(vec![feedback(id, ids[0], UseKind::Cited, 1), silent])).await;
    assert_eq!((done.touched, done.seq_after - done.seq_before), (vec![ids[0]], 1));
    let uses = |memory| async move { present(store, memory).await.strength.uses.newest().to_vec() };
    assert_eq!(uses(ids[0]).await, [feedback(id, ids[0], UseKind::Cited, 1).one]);
    assert_eq!(uses(ids[1]).await, []);
    for (kind, hours) in [(UseKind::Cited, 1), (UseKind::Cited, 500), (UseKind::InContext, 600)] {
        let again = commit(store, &sent(vec![feedback(id, ids[0], kind, hours)])).await;
        assert_eq!((again.touched, again.seq_after - again.seq_before), (vec![], 0), "{kind:?} at {hours}");
    }
    let both =
        vec![feedback(id, ids[0], UseKind::Contradicted, 30), feedback(id, ids[0], UseKind::Confirmed, 30)];
    commit(store, &sent(both)).await;
    assert_eq!(
        uses(ids[0]).await.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [UseKind::Cited, UseKind::Contradicted]
    );
    let logged = store.recalls(partition, 1).await.unwrap().remove(0).hits;
    let outcomes: Vec<UseKind> = logged.iter().map(|hit| hit.outcome).collect();
    assert_eq!(outcomes, [UseKind::Contradicted, UseKind::Cited, UseKind::Returned]);
    log_is_sound(store, partition).await;
}

/// Feedback on a recall or a hit that is not in the log of the partition is skipped: the recall was dropped from the log, or
/// the memory was erased.
pub async fn feedback_on_what_is_not_in_the_log_is_skipped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let created = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("a"), fixtures.fact("b")])).await;
    let of_bob = commit(store, &fixtures.adding(&bob, vec![fixtures.fact("c")])).await;
    let (partition, ids, id) = (created.partition, created.created.memories.clone(), RecallId(fixtures.id()));
    let hits = vec![hit(ids[0], 0.5)];
    store
        .record_recalls(&[RecallRecord { id, partition, session: None, recalled_at: START, hits }], 10)
        .await
        .unwrap();
    let cited = |recall, memory| feedback(recall, memory, UseKind::Cited, 1);
    let skipped = vec![cited(RecallId(fixtures.id()), ids[0]), cited(id, ids[1])];
    let done = commit(store, &ChangeSet { feedback: skipped, ..fixtures.set(&ann) }).await;
    assert_eq!((done.touched, done.seq_before), (vec![], done.seq_after));
    let other = vec![cited(id, of_bob.created.memories[0]), cited(id, ids[0])];
    let done = commit(store, &ChangeSet { feedback: other, ..fixtures.set(&bob) }).await;
    assert_eq!(done.touched, [], "the recall is in the log of another partition");
    assert_eq!(store.recalls(partition, 1).await.unwrap()[0].hits, [hit(ids[0], 0.5)]);
    log_is_sound(store, partition).await;
}

/// A recall is found by partition and id, with its hits and outcomes.
pub async fn a_recall_is_read_by_its_id(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let created = commit(store, &fixtures.adding(&owner("ann"), vec![fixtures.fact("a")])).await;
    let of_bob = commit(store, &fixtures.adding(&owner("bob"), vec![fixtures.fact("b")])).await;
    let (partition, memory) = (created.partition, created.created.memories[0]);
    let records: Vec<RecallRecord> = UseKind::ALL
        .iter()
        .map(|outcome| RecallRecord {
            id: RecallId(fixtures.id()),
            partition,
            session: None,
            recalled_at: START,
            hits: vec![RecallHit { memory, score: 0.25, outcome: *outcome }; 1],
        })
        .collect();
    store.record_recalls(&records, 10).await.unwrap();
    for record in records {
        assert_eq!(store.recall_record(partition, record.id).await.unwrap(), Some(record.clone()));
        assert_eq!(store.recall_record(of_bob.partition, record.id).await.unwrap(), None);
    }
    assert_eq!(store.recall_record(partition, RecallId(fixtures.id())).await.unwrap(), None);
}
