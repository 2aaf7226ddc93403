//! Rules of the access log, of settings, and of the change of embedder.

use super::{commit, loaded, log_is_sound, present};
use crate::domain::change::IndexRow;
use crate::domain::embedder::{EmbedderId, RowRecipe};
use crate::domain::id::{JobId, MemoryId, PartitionId, RecallId, TenantId};
use crate::domain::job::Job;
use crate::store::{RecallRecord, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, hit, owner, recipe, revised, rows};

/// Each partition keeps its newest records, up to the limit, and they are read newest first.
pub async fn recalls_are_bounded_per_partition(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let mut partitions = Vec::new();
    for who in ["ann", "bob"] {
        let set = fixtures.adding(&owner(who), vec![fixtures.fact("f")]);
        let created = commit(store, &set).await;
        partitions.push((created.partition, created.created.memories[0]));
    }
    let note = |(partition, memory): (PartitionId, MemoryId), minute: i64| RecallRecord {
        id: RecallId(fixtures.id()),
        partition,
        session: None,
        recalled_at: START.plus_micros(minute),
        hits: vec![hit(memory, 0.1 * 3.0)],
    };
    let of_ann: Vec<RecallRecord> = (0..7).map(|minute| note(partitions[0], minute)).collect();
    let of_bob = note(partitions[1], 9);
    store.record_recalls(&of_ann[..5], 3).await.unwrap();
    store.record_recalls(&[of_ann[5].clone(), of_bob.clone(), of_ann[6].clone()], 3).await.unwrap();
    let newest: Vec<RecallRecord> = of_ann[4..].iter().rev().cloned().collect();
    assert_eq!(store.recalls(partitions[0].0, 10).await.unwrap(), newest);
    assert_eq!(store.recalls(partitions[0].0, 2).await.unwrap(), newest[..2]);
    assert_eq!(store.recalls(partitions[1].0, 10).await.unwrap(), [of_bob]);
    store.record_recalls(&[note(partitions[0], 10)], 0).await.unwrap();
    assert_eq!(store.recalls(partitions[0].0, 10).await.unwrap(), []);
}

/// A setting has the last value written.
pub async fn settings_are_stored(store: &dyn Store) {
    assert_eq!(store.setting("a").await.unwrap(), None);
    for value in ["1", "", "größer"] {
        store.put_setting("a", value).await.unwrap();
        assert_eq!(store.setting("a").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.setting("b").await.unwrap(), None);
}

/// Rows of another embedder exist beside those in use until it is used; the others can then be deleted in batches.
pub async fn rows_of_another_embedder_replace_those_in_use(store: &dyn Store) {
    assert_eq!(store.embedder_in_use().await.unwrap(), None);
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a|b", "c"])).await;
    commit(store, &fixtures.adding(&bob, vec![fixtures.fact("d")])).await;
    let old = store.embedder_in_use().await.unwrap().unwrap();
    let new = store.register_embedder(&recipe("other"), 16, START).await.unwrap();
    assert_eq!(store.register_embedder(&recipe("other"), 16, START).await.unwrap(), new, "known already");
    assert_eq!(store.embedder_in_use().await.unwrap().unwrap(), old, "known is not in use");
    let wanting = store.unembedded(new, None, 10).await.unwrap();
    let texts: Vec<&str> = wanting.iter().map(|one| one.memory.text.as_str()).collect();
    assert_eq!(texts, ["a|b", "c", "d"], "with the words that were said");
    assert_eq!(store.unembedded(old.0, None, 10).await.unwrap(), []);
    let first = store.unembedded(new, None, 2).await.unwrap();
    let after = first.last().map(|one| (one.partition, one.memory.id));
    assert_eq!(store.unembedded(new, after, 10).await.unwrap(), wanting[2..]);
    let before = loaded(store, appended.partition).await;
    let created: Vec<_> = wanting
        .iter()
        .map(|one| {
            (one.partition, one.memory.id, one.memory.version, of_16_components(rows("one row of the other")))
        })
        .collect();
    store.put_rows(new, &created).await.unwrap();
    store.put_rows(new, &created).await.unwrap();
    assert_eq!(store.unembedded(new, None, 10).await.unwrap(), []);
    assert_eq!(loaded(store, appended.partition).await, before, "what is not in use is not seen");
    store.use_embedder(new).await.unwrap();
    assert_eq!(store.embedder_in_use().await.unwrap(), Some((new, recipe("other"))));
    assert_eq!(store.dimension().await.unwrap(), 16);
    assert!(loaded(store, appended.partition).await.1.iter().all(|one| one.rows.len() == 1));
    let mut dropped = Vec::new();
    let mut from = None;
    loop {
        let some = store.drop_other_rows(from, 3).await.unwrap();
        dropped.push(some.rows);
        from = some.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(dropped, [3, 1, 0]);
    assert_eq!(store.unembedded(old.0, None, 10).await.unwrap().len(), 3);
    log_is_sound(store, appended.partition).await;
}

/// The rows with vectors of 16 components.
fn of_16_components(mut rows: Vec<IndexRow>) -> Vec<IndexRow> {
    for row in &mut rows {
        let components = row.vector.iter().flat_map(|vector| vector.iter().copied());
        let padded: Vec<half::f16> = components.chain(std::iter::repeat(half::f16::ZERO)).take(16).collect();
        row.vector = row.vector.is_some().then(|| padded.into());
    }
    rows
}

/// Recipes that differ in the embedder, the tokenizer or the key recipe have numbers of their own, and each number has its
/// own rows.
pub async fn rows_of_recipes_are_kept_apart(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (old, in_use) = store.embedder_in_use().await.unwrap().unwrap();
    assert_eq!(in_use, recipe("contract"));
    let appended = commit(store, &fixtures.saying(&owner("ann"), "s", &["a|b"])).await;
    let before = loaded(store, appended.partition).await;
    let others = [
        RowRecipe { tokenizer: "other words".to_owned(), ..in_use.clone() },
        RowRecipe { key_recipe: 2, ..in_use.clone() },
        RowRecipe { tokenizer: String::new(), key_recipe: 0, ..in_use.clone() },
    ];
    let mut numbers = vec![old];
    for other in &others {
        let number = store.register_embedder(other, 8, START).await.unwrap();
        assert!(!numbers.contains(&number), "{other:?} has a number of its own");
        assert_eq!(store.register_embedder(other, 8, START).await.unwrap(), number, "known already");
        assert_eq!(store.unembedded(number, None, 10).await.unwrap().len(), 1, "no rows are shared");
        numbers.push(number);
    }
    assert_eq!(store.register_embedder(&in_use, 8, START).await.unwrap(), old);
    let made = [(appended.partition, appended.created.memories[0], 1, rows("one row"))];
    store.put_rows(numbers[1], &made).await.unwrap();
    assert_eq!(loaded(store, appended.partition).await, before, "rows of another recipe are not seen");
    assert_eq!(store.unembedded(numbers[2], None, 10).await.unwrap().len(), 1);
    store.use_embedder(numbers[1]).await.unwrap();
    assert_eq!(store.embedder_in_use().await.unwrap(), Some((numbers[1], others[0].clone())));
    let rows: Vec<usize> =
        loaded(store, appended.partition).await.1.iter().map(|one| one.rows.len()).collect();
    assert_eq!(rows, [1], "and those of the former are not seen any more");
}

/// Rows for a version that is no longer the present one, or for an erased memory, are skipped.
pub async fn rows_of_a_stale_version_are_skipped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a", "b", "c"])).await;
    let new: EmbedderId = store.register_embedder(&recipe("other"), 8, START).await.unwrap();
    let [edited, erased, kept] = appended.created.memories[..] else { panic!("three memories") };
    let created: Vec<_> = [edited, erased, kept].map(|id| (appended.partition, id, 1, rows("x"))).to_vec();
    let memory = present(store, edited).await;
    commit(store, &fixtures.revising(&ann, revised(&memory, Some("edited")))).await;
    commit(store, &fixtures.erasing(&ann, vec![erased])).await;
    store.put_rows(new, &created).await.unwrap();
    let wanting = async || -> Vec<MemoryId> {
        store.unembedded(new, None, 10).await.unwrap().iter().map(|one| one.memory.id).collect()
    };
    assert_eq!(wanting().await, [edited]);
    let memory = present(store, kept).await;
    commit(store, &fixtures.revising(&ann, revised(&memory, Some("another text")))).await;
    assert_eq!(wanting().await, [edited, kept], "a new text takes the rows of all embedders with it");
    log_is_sound(store, appended.partition).await;
}

/// The change of embedder that is a job's work happens only while the job is its worker's.
pub async fn a_lost_lease_changes_no_embedder(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let old = store.embedder_in_use().await.unwrap();
    let new = store.register_embedder(&recipe("other"), 8, START).await.unwrap();
    let job = Job::new(JobId(fixtures.id()), TenantId::DEFAULT, "k", "{}".to_owned(), START);
    store.enqueue(job.clone()).await.unwrap();
    assert!(!store.use_embedder_for(new, job.attempt()).await.unwrap(), "it is not begun");
    let lost = store.claim(&["k"], START, 1).await.unwrap().unwrap();
    let held = store.claim(&["k"], START.plus_micros(2), 1).await.unwrap().unwrap();
    assert!(!store.use_embedder_for(new, lost.attempt()).await.unwrap());
    assert_eq!(store.embedder_in_use().await.unwrap(), old);
    assert!(store.use_embedder_for(new, held.attempt()).await.unwrap());
    assert_eq!(store.embedder_in_use().await.unwrap(), Some((new, recipe("other"))));
    store.cancel(TenantId::DEFAULT, held.id, START).await.unwrap();
    assert!(!store.use_embedder_for(new, held.attempt()).await.unwrap());
}
