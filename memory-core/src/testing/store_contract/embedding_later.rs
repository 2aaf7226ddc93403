//! Rules of rows whose vectors are written later.

use std::sync::Arc;

use half::f16;

use super::{commit, loaded, log_is_sound, present};
use crate::domain::change::{NewMemory, OwnerErasure};
use crate::domain::id::{JobId, MemoryId, PartitionId, TenantId};
use crate::domain::job::{Job, JobAttempt};
use crate::store::{MadeVector, PutVectors, RowToEmbed, Store, VectorsPut, VectorsToPut};
use crate::testing::START;
use crate::testing::fixtures::{DIMENSION, Fixtures, owner, recipe, revised, rows};

/// Fact whose rows have no vectors; chunks are separated by `|`.
fn without_vectors(fixtures: &Fixtures, text: &str) -> NewMemory {
    let mut new = fixtures.fact(text);
    new.rows.iter_mut().for_each(|row| row.vector = None);
    new
}

/// A running attempt at a job.
async fn attempt(store: &dyn Store, fixtures: &Fixtures) -> JobAttempt {
    let job = Job::new(JobId(fixtures.id()), TenantId::DEFAULT, "embed", "{}".to_owned(), START);
    store.enqueue(job).await.unwrap();
    store.claim(&["embed"], START, 1_000_000).await.unwrap().unwrap().attempt()
}

async fn waiting(store: &dyn Store) -> Vec<RowToEmbed> {
    store.rows_to_embed(TenantId::DEFAULT, None, 100).await.unwrap()
}

async fn made(store: &dyn Store, rows: &[RowToEmbed], attempt: JobAttempt) -> VectorsToPut {
    let unit = std::iter::once(f16::ONE).chain(std::iter::repeat(f16::ZERO));
    let vector: Arc<[f16]> = unit.take(DIMENSION).collect();
    let mut vectors = Vec::new();
    for row in rows {
        let version = present(store, row.memory).await.version;
        vectors.push(MadeVector { row: *row, version, vector: vector.clone() });
    }
    let embedder = store.embedder_in_use().await.unwrap().unwrap().0;
    VectorsToPut { partition: rows[0].partition, embedder, attempt, now: START, vectors }
}

async fn put(store: &dyn Store, made: &VectorsToPut) -> VectorsPut {
    match store.put_vectors(made).await.unwrap() {
        PutVectors::Done(put) => put,
        PutVectors::LeaseLost => panic!("the attempt holds its lease"),
    }
}

async fn have_vectors(store: &dyn Store, partition: PartitionId, id: MemoryId) -> Vec<bool> {
    let indexed = store.indexed(partition, &[id]).await.unwrap().remove(0);
    indexed.rows.iter().map(|row| row.vector.is_some()).collect()
}

/// Rows without vectors are listed in order, and leave the list with their vectors. Each memory that got one has an entry
/// in the change log, and no new version.
pub async fn vectors_come_after_their_rows(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let news =
        vec![without_vectors(&fixtures, "a|b|c"), fixtures.fact("complete"), without_vectors(&fixtures, "d")];
    let written = commit(store, &fixtures.adding(&ann, news)).await;
    let (partition, ids) = (written.partition, written.created.memories);
    let rows = waiting(store).await;
    let places: Vec<_> = rows.iter().map(|row| (row.memory, row.chunk)).collect();
    assert_eq!(places, [(ids[0], 0), (ids[0], 1), (ids[0], 2), (ids[2], 0)]);
    assert_eq!(store.rows_to_embed(TenantId::DEFAULT, Some(rows[0]), 2).await.unwrap(), rows[1..3]);
    assert_eq!(
        store.rows_to_embed(TenantId(fixtures.id()), None, 9).await.unwrap(),
        [],
        "of no other tenant"
    );
    assert_eq!(store.count_rows_to_embed(100).await.unwrap(), 4);
    assert_eq!(store.count_rows_to_embed(3).await.unwrap(), 3, "up to the bound");
    assert_eq!(store.tenants_to_embed(9).await.unwrap(), [TenantId::DEFAULT]);
    assert_eq!(store.without_vectors(partition, &ids).await.unwrap(), [ids[0], ids[2]]);

    let attempt = attempt(store, &fixtures).await;
    let some = made(store, &rows[1..], attempt).await;
    let effect = put(store, &some).await;
    assert_eq!((effect.seq_after - effect.seq_before, &effect.memories), (2, &vec![ids[0], ids[2]]));
    assert_eq!(waiting(store).await, rows[..1]);
    assert_eq!(have_vectors(store, partition, ids[0]).await, [false, true, true]);
    assert_eq!(present(store, ids[0]).await.version, 1);
    log_is_sound(store, partition).await;
    let again = put(store, &some).await;
    assert_eq!((again.seq_before, again.memories), (effect.seq_after, vec![]), "a repetition writes nothing");

    put(store, &made(store, &rows[..1], attempt).await).await;
    assert_eq!((waiting(store).await, store.count_rows_to_embed(9).await.unwrap()), (vec![], 0));
    assert_eq!(store.tenants_to_embed(9).await.unwrap(), []);
    assert_eq!(store.without_vectors(partition, &ids).await.unwrap(), []);
    let (seq, _) = loaded(store, partition).await;
    assert_eq!(store.extent(partition).await.unwrap().last_seq, seq);
}

/// Vectors of a text that was edited or erased meanwhile are not written.
pub async fn vectors_of_another_text_are_not_written(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let news = vec![without_vectors(&fixtures, "a"), without_vectors(&fixtures, "b"), fixtures.fact("kept")];
    let written = commit(store, &fixtures.adding(&ann, news)).await;
    let (partition, ids) = (written.partition, written.created.memories);
    let attempt = attempt(store, &fixtures).await;
    let late = made(store, &waiting(store).await, attempt).await;
    let mut edit = revised(&present(store, ids[0]).await, Some("other|words"));
    edit.rows = Some(
        rows("other|words")
            .into_iter()
            .map(|mut row| {
                row.vector = None;
                row
            })
            .collect(),
    );
    commit(store, &fixtures.revising(&ann, edit)).await;
    commit(store, &fixtures.erasing(&ann, vec![ids[1]])).await;
    assert_eq!(put(store, &late).await.memories, []);
    let left: Vec<_> = waiting(store).await.iter().map(|row| (row.memory, row.chunk)).collect();
    assert_eq!(
        left,
        [(ids[0], 0), (ids[0], 1)],
        "the rows of the new text wait; those of the erased one are gone"
    );
    log_is_sound(store, partition).await;
}

/// A worker without its lease, and one whose owner was erased, write nothing.
pub async fn vectors_of_a_lost_lease_or_an_erased_owner_are_not_written(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let written = commit(store, &fixtures.adding(&ann, vec![without_vectors(&fixtures, "a")])).await;
    let lost = attempt(store, &fixtures).await;
    let late = made(store, &waiting(store).await, lost).await;
    store.cancel(TenantId::DEFAULT, lost.job, START).await.unwrap();
    assert_eq!(store.put_vectors(&late).await.unwrap(), PutVectors::LeaseLost);
    assert_eq!(waiting(store).await.len(), 1);

    let held = VectorsToPut { attempt: attempt(store, &fixtures).await, ..late };
    let mut set = fixtures.set(&ann);
    let newest = Some(written.created.memories[0]);
    let job = JobId(fixtures.id());
    set.erases_owner = Some(OwnerErasure { memories: 1, newest, job, settings: Vec::new() });
    commit(store, &set).await;
    assert_eq!(waiting(store).await, [], "nobody makes vectors for what is erased");
    assert_eq!(store.tenants_to_embed(9).await.unwrap(), []);
    while !store.erase_detached(written.partition, START).await.unwrap().is_done {}
    assert_eq!(put(store, &held).await, VectorsPut::default());
}

/// Only the rows in use wait for vectors: a change of embedder leaves those of the other behind.
pub async fn only_rows_in_use_wait_for_vectors(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let written = commit(store, &fixtures.adding(&owner("ann"), vec![without_vectors(&fixtures, "a")])).await;
    let late = made(store, &waiting(store).await, attempt(store, &fixtures).await).await;
    let new = store.register_embedder(&recipe("other"), 8, START).await.unwrap();
    let of_new = [(written.partition, written.created.memories[0], 1, rows("a"))];
    store.put_rows(new, &of_new).await.unwrap();
    store.use_embedder(new).await.unwrap();
    assert_eq!((waiting(store).await, store.count_rows_to_embed(9).await.unwrap()), (vec![], 0));
    let before = store.indexed(written.partition, &written.created.memories).await.unwrap();
    store.drop_other_rows(None, 9).await.unwrap();
    assert_eq!(put(store, &late).await.memories, []);
    assert_eq!(store.indexed(written.partition, &written.created.memories).await.unwrap(), before);
}
