//! Store contract, other services: jobs, access log, settings, and the change of embedder.

use super::{commit, loaded, log_is_sound, present};
use crate::domain::change::Operation;
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{JobId, MemoryId, PartitionId, RecallId, TenantId};
use crate::domain::job::{Job, JobState};
use crate::domain::time::Timestamp;
use crate::store::{RecallRecord, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, owner, revised, rows};

const LEASE_US: i64 = 1_000;

fn job(fixtures: &Fixtures, kind: &str, created_at: Timestamp) -> Job {
    Job {
        id: JobId(fixtures.id()),
        tenant: TenantId::DEFAULT,
        kind: kind.to_owned(),
        unique_key: None,
        payload: r#"{"n":1}"#.to_owned(),
        state: JobState::Waiting,
        attempts: 0,
        done: 0,
        total: 7,
        position: None,
        error: None,
        created_at,
        updated_at: created_at,
    }
}

/// Jobs are claimed oldest first, not before they are due, each by one worker.
pub async fn the_oldest_due_job_is_claimed_first(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let now = START.plus_days(1);
    for (kind, days) in [("second", 0), ("first", -1), ("later", 2)] {
        store.enqueue(job(&fixtures, kind, START.plus_days(days))).await.unwrap();
    }
    let mut kinds = Vec::new();
    while let Some(claimed) = store.claim(now, LEASE_US).await.unwrap() {
        assert_eq!((claimed.state, claimed.attempts), (JobState::Running, 1));
        kinds.push(claimed.kind);
    }
    assert_eq!(kinds, ["first", "second"]);
}

/// A job is claimed again after its lease has expired, not before; progress extends the lease.
pub async fn a_job_with_an_expired_lease_is_claimed_again(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let enqueued = store.enqueue(job(&fixtures, "k", START)).await.unwrap();
    let mut held = store.claim(START, LEASE_US).await.unwrap().unwrap();
    assert_eq!(store.claim(START.plus_micros(LEASE_US), LEASE_US).await.unwrap(), None);
    (held.done, held.position) = (3, Some("here".to_owned()));
    assert!(store.progress(&held, START.plus_micros(LEASE_US), LEASE_US).await.unwrap());
    assert_eq!(store.claim(START.plus_micros(LEASE_US + 1), LEASE_US).await.unwrap(), None);
    let again = store.claim(START.plus_micros(2 * LEASE_US + 1), LEASE_US).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.done), (enqueued.id, 2, 3));
    assert_eq!(again.position.as_deref(), Some("here"));
}

/// A worker that has lost its lease can neither update nor end the job. The final state of a job is kept; a job to be
/// retried waits until it is due.
pub async fn only_the_lease_holder_updates_a_job(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let id = store.enqueue(job(&fixtures, "k", START)).await.unwrap().id;
    let mut lost = store.claim(START, LEASE_US).await.unwrap().unwrap();
    let later = START.plus_micros(LEASE_US + 1);
    let mut held = store.claim(later, LEASE_US).await.unwrap().unwrap();
    assert!(!store.progress(&lost, later, LEASE_US).await.unwrap());
    lost.state = JobState::Failed;
    store.finish(&lost, later, later).await.unwrap();
    let kept = async || store.job(TenantId::DEFAULT, id).await.unwrap().unwrap();
    assert_eq!(kept().await.state, JobState::Running);
    (held.state, held.error) = (JobState::Waiting, Some("busy".to_owned()));
    store.finish(&held, later, later.plus_micros(10)).await.unwrap();
    assert_eq!(kept().await.error.as_deref(), Some("busy"));
    assert_eq!(store.claim(later, LEASE_US).await.unwrap(), None);
    let mut last = store.claim(later.plus_micros(10), LEASE_US).await.unwrap().unwrap();
    assert_eq!(last.attempts, 3);
    last.state = JobState::Done;
    store.finish(&last, later, later).await.unwrap();
    assert_eq!(kept().await.state, JobState::Done);
    assert!(!store.progress(&last, later, LEASE_US).await.unwrap(), "a job that is over does not move");
    assert_eq!(store.claim(START.plus_days(9), LEASE_US).await.unwrap(), None);
    assert_eq!(store.job(TenantId(fixtures.id()), id).await.unwrap(), None, "jobs have a tenant");
}

/// A request for a job whose unique key waits or runs returns that job; after its end, a new one is made.
pub async fn a_unique_key_has_one_unfinished_job(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let keyed = || Job { unique_key: Some("only".to_owned()), ..job(&fixtures, "k", START) };
    let first = store.enqueue(keyed()).await.unwrap();
    assert_eq!(store.enqueue(keyed()).await.unwrap().id, first.id);
    for end in [JobState::Done, JobState::Failed] {
        let mut held = store.claim(START, LEASE_US).await.unwrap().unwrap();
        assert_eq!(store.enqueue(keyed()).await.unwrap().id, held.id);
        held.state = end;
        store.finish(&held, START, START).await.unwrap();
        let next = store.enqueue(keyed()).await.unwrap();
        assert_ne!(next.id, held.id, "{end:?}");
    }
}

/// The jobs of a set are enqueued with it: a refused or repeated set enqueues none, and a job whose unique key waits or
/// runs is skipped, within a set as well.
pub async fn jobs_are_enqueued_with_their_set_or_not_at_all(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let asking = |kind: &str, unique_key: Option<&str>| {
        let unique_key = unique_key.map(str::to_owned);
        let mut set = fixtures.adding(&ann, vec![fixtures.fact(kind)]);
        set.jobs = vec![Job { unique_key, ..job(&fixtures, kind, START) }];
        set
    };
    let mut refused = asking("refused", None);
    refused.erasures.push(MemoryId(fixtures.id()));
    let mut keyed = asking("keyed", Some("only"));
    keyed.jobs.push(Job { unique_key: Some("only".to_owned()), ..job(&fixtures, "left out", START) });
    keyed.jobs.push(job(&fixtures, "also", START));
    keyed.idempotency = Some(keyed_request(Operation::AddMemories, "k", 1));
    let mut repeated = asking("repeated", None);
    repeated.idempotency.clone_from(&keyed.idempotency);
    let sets = [refused, keyed.clone(), repeated, asking("left out", Some("only"))];
    let taken: Vec<bool> = store.commit(&sets).await.unwrap().iter().map(Result::is_ok).collect();
    assert_eq!(taken, [false, true, true, true]);
    assert_eq!(store.enqueue(keyed.jobs[1].clone()).await.unwrap(), keyed.jobs[0], "as it was asked for");
    let mut claimed = Vec::new();
    while let Some(job) = store.claim(START, LEASE_US).await.unwrap() {
        claimed.push(job);
    }
    let mut kinds: Vec<&str> = claimed.iter().map(|job| job.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["also", "keyed"]);
    commit(store, &asking("left out", Some("only"))).await;
    assert_eq!(store.claim(START, LEASE_US).await.unwrap(), None, "the one with the key runs still");
    let mut over = claimed.into_iter().find(|job| job.kind == "keyed").unwrap();
    over.state = JobState::Done;
    store.finish(&over, START, START).await.unwrap();
    commit(store, &asking("next", Some("only"))).await;
    assert_eq!(store.claim(START, LEASE_US).await.unwrap().unwrap().kind, "next");
}

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
        recalled_at: START.plus_micros(minute),
        hits: vec![(memory, 0.1 * 3.0)],
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
    let new = store.register_embedder("other", 16, START).await.unwrap();
    assert_eq!(store.register_embedder("other", 16, START).await.unwrap(), new, "known already");
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
        .map(|one| (one.partition, one.memory.id, one.memory.version, rows("one row of the other")))
        .collect();
    store.put_rows(new, &created).await.unwrap();
    store.put_rows(new, &created).await.unwrap();
    assert_eq!(store.unembedded(new, None, 10).await.unwrap(), []);
    assert_eq!(loaded(store, appended.partition).await, before, "what is not in use is not seen");
    store.use_embedder(new).await.unwrap();
    assert_eq!(store.embedder_in_use().await.unwrap(), Some((new, "other".to_owned())));
    assert_eq!(store.dimension().await.unwrap(), 16);
    assert!(loaded(store, appended.partition).await.1.iter().all(|one| one.rows.len() == 1));
    assert_eq!(store.drop_other_rows(3).await.unwrap(), 3);
    assert_eq!(store.drop_other_rows(3).await.unwrap(), 1);
    assert_eq!(store.drop_other_rows(3).await.unwrap(), 0);
    assert_eq!(store.unembedded(old.0, None, 10).await.unwrap().len(), 3);
    log_is_sound(store, appended.partition).await;
}

/// Rows for a version that is no longer the present one, or for an erased memory, are skipped.
pub async fn rows_of_a_stale_version_are_skipped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let appended = commit(store, &fixtures.saying(&ann, "s", &["a", "b", "c"])).await;
    let new: EmbedderId = store.register_embedder("other", 8, START).await.unwrap();
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
