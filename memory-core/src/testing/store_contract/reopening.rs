//! Rules of erasure for what the erased memories had ended: validity, and recall.

use super::{commit, log_is_sound, present};
use crate::domain::change::NewMemory;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, link, owner, revised};

/// The erasure of a memory opens the validity of those that it had superseded, in their present version and without a
/// new one. A memory that another one supersedes too, and one that another relation leads from, stay as they are.
pub async fn erasure_reopens_what_was_superseded(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let newer = ["second", "third"].map(|text| fixtures.fact(text)).to_vec();
    let newer = commit(store, &fixtures.adding(&ann, newer)).await.created.memories;
    let ended = |new: NewMemory, links: &[(MemoryId, &str)]| {
        let mut new = new;
        new.memory.links = links.iter().map(|(to, relation)| link(*to, relation, 1.0)).collect();
        (new.memory.valid.start, new.memory.valid.end) = (Some(START), Some(START.plus_days(1)));
        new
    };
    let (by, other) = (Link::SUPERSEDED_BY, "related");
    let older = vec![
        ended(fixtures.fact("once"), &[(newer[0], by), (newer[0], other)]),
        ended(fixtures.fact("twice"), &[(newer[0], by), (newer[1], by)]),
        ended(fixtures.fact("related"), &[(newer[0], other), (newer[1], by)]),
        ended(fixtures.fact("before"), &[(newer[0], by)]),
        ended(fixtures.document("n", "k", "replaced"), &[]),
    ];
    let older = commit(store, &fixtures.adding(&ann, older)).await;
    let (partition, older) = (older.partition, older.created.memories);
    let mut edit = revised(&present(store, older[3]).await, None);
    edit.memory.links = Vec::new();
    commit(store, &fixtures.revising(&ann, edit)).await;
    let mut set = fixtures.erasing(&ann, vec![newer[0]]);
    set.memories = vec![ended(fixtures.document("n", "k", "again"), &[(newer[0], by)])];
    let gone = commit(store, &set).await;
    assert_eq!(gone.reopened, [older[0], older[4]]);
    assert_eq!(gone.replaced, [Some(present(store, older[4]).await)]);
    let changed = store.changes(partition, gone.seq_before, 99).await.unwrap();
    let changed: Vec<MemoryId> = changed.iter().map(|entry| entry.memory).collect();
    let (replaced, mended) = (older[4], &older[..]);
    assert_eq!(changed, [&[replaced, newer[0]], mended].concat(), "the index learns of all of them");
    for (at, end) in [(0, None), (1, Some(1)), (2, Some(1)), (3, Some(1)), (4, None)] {
        let memory = present(store, older[at]).await;
        let end = end.map(|days| START.plus_days(days));
        assert_eq!((memory.valid.start, memory.valid.end), (Some(START), end), "{}", memory.text);
    }
    assert_eq!(present(store, older[0]).await.version, 1);
    let last = commit(store, &fixtures.erasing(&ann, vec![newer[1]])).await;
    assert_eq!(last.reopened, [older[1], older[2]]);
    log_is_sound(store, partition).await;
}

/// The erasure of a memory ends the expiry of those that were merged into it or dropped for it, in their present version. One
/// that lost its place to another memory too stays out of recall, as does one that expires by itself.
pub async fn erasure_recalls_what_was_merged_or_dropped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let targets = ["merged", "other"].map(|text| fixtures.fact(text)).to_vec();
    let targets = commit(store, &fixtures.adding(&ann, targets)).await.created.memories;
    let expired = |text: &str, links: &[(MemoryId, &str)]| {
        let mut new = fixtures.fact(text);
        new.memory.links = links.iter().map(|(to, relation)| link(*to, relation, 1.0)).collect();
        new.memory.expires_at = Some(START);
        new
    };
    let parts = vec![
        expired("part", &[(targets[0], Link::MERGED_INTO)]),
        expired("dropped", &[(targets[0], Link::DROPPED_FOR)]),
        expired("twice", &[(targets[0], Link::MERGED_INTO), (targets[1], Link::DROPPED_FOR)]),
        expired("by itself", &[(targets[0], "related")]),
    ];
    let parts = commit(store, &fixtures.adding(&ann, parts)).await;
    let (partition, parts) = (parts.partition, parts.created.memories);
    let gone = commit(store, &fixtures.erasing(&ann, vec![targets[0]])).await;
    assert_eq!(gone.reopened, parts[..2]);
    for (at, expires_at) in [(0, None), (1, None), (2, Some(START)), (3, Some(START))] {
        let memory = present(store, parts[at]).await;
        assert_eq!((memory.expires_at, memory.version), (expires_at, 1), "{}", memory.text);
    }
    log_is_sound(store, partition).await;
}
