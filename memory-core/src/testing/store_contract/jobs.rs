//! Rules of durable jobs: who gets which, whose writes are taken, and how one ends.

use super::{answer, commit, log_is_sound};
use crate::domain::change::{Operation, Outcome, Refusal};
use crate::domain::derivation::Source;
use crate::domain::id::{JobId, MemoryId, TenantId};
use crate::domain::job::{Job, JobCount, JobFilter, JobState};
use crate::domain::time::Timestamp;
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, owner};

const LEASE_US: i64 = 1_000;
/// The kinds that the rules below claim.
const KINDS: [&str; 4] = ["k", "first", "second", "later"];

fn job(fixtures: &Fixtures, kind: &str, created_at: Timestamp) -> Job {
    let id = JobId(fixtures.id());
    Job { total: 7, ..Job::new(id, TenantId::DEFAULT, kind, r#"{"n":1}"#.to_owned(), created_at) }
}

async fn claim(store: &dyn Store, now: Timestamp) -> Option<Job> {
    store.claim(&KINDS, now, LEASE_US).await.unwrap()
}

/// Jobs are claimed oldest first, not before they are due, each by one worker.
pub async fn the_oldest_job_comes_first(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let now = START.plus_days(1);
    for (kind, days) in [("second", 0), ("first", -1), ("later", 2)] {
        store.enqueue(job(&fixtures, kind, START.plus_days(days))).await.unwrap();
    }
    let mut kinds = Vec::new();
    while let Some(claimed) = claim(store, now).await {
        assert_eq!((claimed.state, claimed.attempts), (JobState::Running, 1));
        kinds.push(claimed.kind);
    }
    assert_eq!(kinds, ["first", "second"]);
}

/// A job whose lease has run out is claimed again, not before; progress extends the lease.
pub async fn a_lease_runs_out(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let asked = store.enqueue(job(&fixtures, "k", START)).await.unwrap();
    let mut held = claim(store, START).await.unwrap();
    assert_eq!(claim(store, START.plus_micros(LEASE_US)).await, None);
    (held.done, held.position) = (3, Some("here".to_owned()));
    assert!(store.progress(&held, START.plus_micros(LEASE_US), LEASE_US).await.unwrap());
    assert_eq!(claim(store, START.plus_micros(LEASE_US + 1)).await, None);
    let again = claim(store, START.plus_micros(2 * LEASE_US + 1)).await.unwrap();
    assert_eq!((again.id, again.attempts, again.done), (asked.id, 2, 3));
    assert_eq!(again.position.as_deref(), Some("here"));
}

/// Whoever lost a job to another can neither move nor end it. What a job ends as is kept; one that is to be tried
/// again waits until it is due.
pub async fn only_the_holder_moves_a_job(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let id = store.enqueue(job(&fixtures, "k", START)).await.unwrap().id;
    let mut lost = claim(store, START).await.unwrap();
    let later = START.plus_micros(LEASE_US + 1);
    let mut held = claim(store, later).await.unwrap();
    assert!(!store.progress(&lost, later, LEASE_US).await.unwrap());
    lost.state = JobState::Failed;
    store.finish(&lost, later, later).await.unwrap();
    let kept = async || store.job(TenantId::DEFAULT, id).await.unwrap().unwrap();
    assert_eq!(kept().await.state, JobState::Running);
    (held.state, held.error) = (JobState::Waiting, Some("busy".to_owned()));
    store.finish(&held, later, later.plus_micros(10)).await.unwrap();
    assert_eq!(kept().await.error.as_deref(), Some("busy"));
    assert_eq!(claim(store, later).await, None);
    let mut last = claim(store, later.plus_micros(10)).await.unwrap();
    assert_eq!(last.attempts, 3);
    assert_eq!(last.result, None);
    (last.state, last.result) = (JobState::Done, Some(r#"{"faded":7}"#.to_owned()));
    store.finish(&last, later, later).await.unwrap();
    assert_eq!((kept().await.state, kept().await.result), (JobState::Done, last.result.clone()));
    assert!(!store.progress(&last, later, LEASE_US).await.unwrap(), "a job that is over does not move");
    assert_eq!(claim(store, START.plus_days(9)).await, None);
    assert_eq!(store.job(TenantId(fixtures.id()), id).await.unwrap(), None, "jobs have a tenant");
}

/// While a job with a key waits or runs, asking again answers it; when it is over, a new one is made.
pub async fn a_unique_key_makes_one_job(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let keyed = || Job { unique_key: Some("only".to_owned()), ..job(&fixtures, "k", START) };
    let first = store.enqueue(keyed()).await.unwrap();
    assert_eq!(store.enqueue(keyed()).await.unwrap().id, first.id);
    for end in [JobState::Done, JobState::Failed] {
        let mut held = claim(store, START).await.unwrap();
        assert_eq!(store.enqueue(keyed()).await.unwrap().id, held.id);
        held.state = end;
        store.finish(&held, START, START).await.unwrap();
        let next = store.enqueue(keyed()).await.unwrap();
        assert_ne!(next.id, held.id, "{end:?}");
    }
}

/// The jobs of a set are there when the set is: a refused one and a repeated one write none, and one whose unique key
/// waits or runs is left out, within a set as well.
pub async fn a_job_comes_with_its_set_or_not_at_all(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let named = |payload: &str, unique_key: Option<&str>| {
        let (payload, unique_key) = (payload.to_owned(), unique_key.map(str::to_owned));
        Job { payload, unique_key, ..job(&fixtures, "k", START) }
    };
    let asking = |payload: &str, unique_key: Option<&str>| {
        let mut set = fixtures.adding(&ann, vec![fixtures.fact(payload)]);
        set.jobs = vec![named(payload, unique_key)];
        set
    };
    let mut refused = asking("refused", None);
    refused.erasures.push(MemoryId(fixtures.id()));
    let mut keyed = asking("keyed", Some("only"));
    keyed.jobs.push(named("left out", Some("only")));
    keyed.jobs.push(named("also", None));
    keyed.idempotency = Some(keyed_request(Operation::AddMemories, "k", 1));
    let mut repeated = asking("repeated", None);
    repeated.idempotency.clone_from(&keyed.idempotency);
    let sets = [refused, keyed.clone(), repeated, asking("left out", Some("only"))];
    let taken: Vec<bool> = store.commit(&sets).await.unwrap().iter().map(Result::is_ok).collect();
    assert_eq!(taken, [false, true, true, true]);
    assert_eq!(store.enqueue(keyed.jobs[1].clone()).await.unwrap(), keyed.jobs[0], "as it was asked for");
    let mut claimed = Vec::new();
    while let Some(job) = claim(store, START).await {
        claimed.push(job);
    }
    let mut payloads: Vec<&str> = claimed.iter().map(|job| job.payload.as_str()).collect();
    payloads.sort_unstable();
    assert_eq!(payloads, ["also", "keyed"]);
    commit(store, &asking("left out", Some("only"))).await;
    assert_eq!(claim(store, START).await, None, "the one with the key runs still");
    let mut over = claimed.into_iter().find(|job| job.payload == "keyed").unwrap();
    over.state = JobState::Done;
    store.finish(&over, START, START).await.unwrap();
    commit(store, &asking("next", Some("only"))).await;
    assert_eq!(claim(store, START).await.unwrap().payload, "next");
}

/// A worker gets jobs of the kinds that it asks for; all others wait untouched.
pub async fn only_kinds_asked_for_are_claimed(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let unknown = store.enqueue(job(&fixtures, "unknown", START)).await.unwrap();
    let known = store.enqueue(job(&fixtures, "known", START.plus_micros(1))).await.unwrap();
    let now = START.plus_days(1);
    assert_eq!(store.claim(&[], now, LEASE_US).await.unwrap(), None);
    assert_eq!(store.claim(&["known", "other"], now, LEASE_US).await.unwrap().unwrap().id, known.id);
    assert_eq!(store.claim(&["known", "other"], now, LEASE_US).await.unwrap(), None);
    assert_eq!(store.job(TenantId::DEFAULT, unknown.id).await.unwrap().unwrap(), unknown);
    let count = |kind: &str, state| JobCount { kind: kind.to_owned(), state, count: 1 };
    let counted = store.count_jobs().await.unwrap();
    assert_eq!(counted, [count("known", JobState::Running), count("unknown", JobState::Waiting)]);
}

/// A unique key is its tenant's own, and for one kind.
pub async fn a_unique_key_is_for_one_tenant_and_kind(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let keyed = |kind: &str, tenant| {
        let unique_key = Some("only".to_owned());
        Job { unique_key, tenant, ..job(&fixtures, kind, START) }
    };
    let other = TenantId(fixtures.id());
    let mut ids = Vec::new();
    for (kind, tenant) in [("a", TenantId::DEFAULT), ("b", TenantId::DEFAULT), ("a", other)] {
        let first = store.enqueue(keyed(kind, tenant)).await.unwrap();
        assert_eq!(store.enqueue(keyed(kind, tenant)).await.unwrap().id, first.id);
        ids.push(first.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

/// A store that one process has releases the jobs of a dead worker: they are claimed at once, as a further attempt, with
/// the progress that was noted; writes of the dead worker are refused. A store that several processes share releases
/// none, and their lease has to expire. Jobs that wait or are over stay as they are.
pub async fn what_a_dead_worker_left_is_given_back(store: &dyn Store) {
    let fixtures = Fixtures::default();
    store.enqueue(job(&fixtures, "k", START)).await.unwrap();
    let mut left = claim(store, START).await.unwrap();
    left.done = 3;
    assert!(store.progress(&left, START, LEASE_US).await.unwrap());
    let waiting = store.enqueue(job(&fixtures, "k", START.plus_days(1))).await.unwrap();
    let at = match store.release_left(START).await.unwrap() {
        0 => {
            assert_eq!(claim(store, START).await, None, "the lease holds");
            START.plus_micros(LEASE_US + 1)
        }
        released => {
            assert_eq!(released, 1);
            assert!(!store.extend(left.attempt(), START, LEASE_US).await.unwrap());
            START
        }
    };
    let again = claim(store, at).await.unwrap();
    assert!(!store.finish(&Job { state: JobState::Done, ..left.clone() }, START, START).await.unwrap());
    assert_eq!((again.id, again.attempts, again.failures, again.done), (left.id, 2, 0, 3));
    assert_eq!(claim(store, at).await, None);
    assert_eq!(store.job(TenantId::DEFAULT, waiting.id).await.unwrap().unwrap(), waiting);
}

/// A lease that is extended does not run out; an expired worker whose job another one has can extend, note and end
/// nothing, and what it would commit as the end of the job is refused whole.
pub async fn an_expired_worker_writes_nothing(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    store.enqueue(job(&fixtures, "k", START)).await.unwrap();
    let lost = claim(store, START).await.unwrap();
    assert!(store.extend(lost.attempt(), START.plus_micros(LEASE_US), LEASE_US).await.unwrap());
    assert_eq!(claim(store, START.plus_micros(LEASE_US + 1)).await, None);
    let later = START.plus_micros(2 * LEASE_US + 1);
    let held = claim(store, later).await.unwrap();
    assert!(!store.extend(lost.attempt(), later, LEASE_US).await.unwrap());
    assert!(!store.progress(&Job { done: 9, ..lost.clone() }, later, LEASE_US).await.unwrap());
    assert!(!store.finish(&Job { state: JobState::Done, ..lost.clone() }, later, later).await.unwrap());
    assert_eq!(store.job(TenantId::DEFAULT, held.id).await.unwrap().unwrap(), held);
    let mut set = fixtures.adding(&ann, vec![fixtures.fact("made by the job")]);
    set.finishes = Some(lost.attempt());
    assert_eq!(answer(store, &set).await, Err(Refusal::LeaseLost(lost.id)));
    assert_eq!(store.partition_of(TenantId::DEFAULT, &ann).await.unwrap(), None, "nothing was written");
}

/// A set that is the work of a job ends it in the same transaction: both are there or neither. The same attempt cannot
/// commit twice, and no set ends a job of another tenant.
pub async fn a_job_is_done_with_its_set(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let id = store.enqueue(job(&fixtures, "k", START)).await.unwrap().id;
    let held = claim(store, START).await.unwrap();
    let ending = |text: &str| {
        let mut set = fixtures.adding(&ann, vec![fixtures.fact(text)]);
        set.finishes = Some(held.attempt());
        set
    };
    let mut of_another = ending("of another tenant");
    of_another.tenant = TenantId(fixtures.id());
    assert_eq!(answer(store, &of_another).await, Err(Refusal::LeaseLost(id)));
    let mut refused = ending("refused for its own sake");
    refused.erasures.push(MemoryId(fixtures.id()));
    let kept = async || store.job(TenantId::DEFAULT, id).await.unwrap().unwrap();
    assert!(matches!(answer(store, &refused).await, Err(Refusal::NotFound(_))));
    assert_eq!(kept().await.state, JobState::Running);
    let answers = store.commit(&[ending("first"), ending("second")]).await.unwrap();
    let Ok(Outcome::Committed(first)) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(answers[1], Err(Refusal::LeaseLost(id)), "one attempt, one end");
    assert_eq!(kept().await.state, JobState::Done);
    assert!(!store.finish(&Job { state: JobState::Failed, ..held }, START, START).await.unwrap());
    log_is_sound(store, first.partition).await;
}

/// A job that waits or runs can be cancelled: its worker has lost it, nobody claims it, its key is free. What is over,
/// or another tenant's, is not cancelled.
pub async fn a_cancelled_job_is_nobodys(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let keyed = || Job { unique_key: Some("only".to_owned()), ..job(&fixtures, "k", START) };
    let cancel = async |id| store.cancel(TenantId::DEFAULT, id, START.plus_micros(5)).await.unwrap();
    let waiting = store.enqueue(keyed()).await.unwrap();
    assert_eq!(store.cancel(TenantId(fixtures.id()), waiting.id, START).await.unwrap(), None);
    let cancelled = cancel(waiting.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.updated_at), (JobState::Cancelled, START.plus_micros(5)));
    assert_eq!(claim(store, START.plus_days(1)).await, None);
    let next = store.enqueue(keyed()).await.unwrap();
    assert_ne!(next.id, waiting.id, "the key is free");
    let held = claim(store, START).await.unwrap();
    assert_eq!(cancel(held.id).await.unwrap().state, JobState::Cancelled);
    assert!(!store.extend(held.attempt(), START, LEASE_US).await.unwrap());
    assert!(!store.finish(&Job { state: JobState::Done, ..held }, START, START).await.unwrap());
    assert_eq!(claim(store, START.plus_days(1)).await, None);
    let done = store.enqueue(keyed()).await.unwrap();
    let held = claim(store, START).await.unwrap();
    assert!(store.finish(&Job { state: JobState::Done, ..held }, START, START).await.unwrap());
    assert_eq!(cancel(done.id).await.unwrap().state, JobState::Done, "what is over stays as it is");
    assert_eq!(cancel(JobId(fixtures.id())).await, None);
}

/// A job that is to be tried again comes when it is due, before and after others by that moment and not by its age.
pub async fn a_job_put_off_comes_when_it_is_due(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let oldest = store.enqueue(job(&fixtures, "k", START)).await.unwrap().id;
    let held = claim(store, START).await.unwrap();
    let error = Some("busy".to_owned());
    let again = Job { state: JobState::Waiting, failures: 1, error, ..held };
    assert!(store.finish(&again, START, START.plus_micros(20)).await.unwrap());
    let younger = store.enqueue(job(&fixtures, "k", START.plus_micros(10))).await.unwrap().id;
    let youngest = store.enqueue(job(&fixtures, "k", START.plus_micros(30))).await.unwrap().id;
    let mut order = Vec::new();
    while let Some(job) = claim(store, START.plus_micros(30)).await {
        order.push((job.id, job.failures));
    }
    assert_eq!(order, [(younger, 0), (oldest, 1), (youngest, 0)]);
}

/// Jobs are listed newest first, page by page, by state and kind, and never those of another tenant.
pub async fn jobs_come_in_pages(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let mut ids = Vec::new();
    for kind in ["a", "b", "a", "a"] {
        ids.push(store.enqueue(job(&fixtures, kind, START)).await.unwrap().id);
    }
    let other = Job { tenant: TenantId(fixtures.id()), ..job(&fixtures, "a", START) };
    store.enqueue(other).await.unwrap();
    store.cancel(TenantId::DEFAULT, ids[3], START).await.unwrap();
    let list = async |state, kind: Option<&str>, after, limit| -> Vec<JobId> {
        let filter = JobFilter { state, kind: kind.map(str::to_owned) };
        let jobs = store.jobs(TenantId::DEFAULT, &filter, after, limit).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect()
    };
    assert_eq!(list(None, None, None, 10).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(None, None, None, 2).await, [ids[3], ids[2]]);
    assert_eq!(list(None, None, Some(ids[2]), 2).await, [ids[1], ids[0]]);
    assert_eq!(list(None, Some("a"), None, 10).await, [ids[3], ids[2], ids[0]]);
    assert_eq!(list(Some(JobState::Waiting), Some("a"), None, 10).await, [ids[2], ids[0]]);
    assert_eq!(list(Some(JobState::Done), None, None, 10).await, []);
}

/// A job with `releases_key` has its key until it is first claimed. Then a second one can wait while it runs, and stays
/// the only one that waits; the first does not take the key back when it is repeated.
pub async fn a_key_may_be_released_by_the_claim(store: &dyn Store) {
    let fixtures = Fixtures::default();
    let asked =
        || Job { unique_key: Some("only".to_owned()), releases_key: true, ..job(&fixtures, "k", START) };
    let first = store.enqueue(asked()).await.unwrap();
    assert!(first.releases_key);
    assert_eq!(store.enqueue(asked()).await.unwrap(), first);
    let held = claim(store, START).await.unwrap();
    assert_eq!((held.id, held.unique_key.as_deref(), held.releases_key), (first.id, None, true));
    let second = store.enqueue(asked()).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(store.enqueue(asked()).await.unwrap(), second);
    assert!(store.finish(&Job { state: JobState::Waiting, ..held }, START, START).await.unwrap());
    assert_eq!(store.enqueue(asked()).await.unwrap(), second, "it waits still");
    let ids = [claim(store, START).await.unwrap().id, claim(store, START).await.unwrap().id];
    assert_eq!(ids, [first.id, second.id]);
    assert_eq!(claim(store, START).await, None);
}

/// A set ends its job before it enqueues others, so that the next one may have the same key.
pub async fn a_job_enqueues_its_successor_as_it_ends(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let keyed = || Job { unique_key: Some("only".to_owned()), ..job(&fixtures, "k", START) };
    let first = store.enqueue(keyed()).await.unwrap();
    let held = claim(store, START).await.unwrap();
    let mut set = fixtures.adding(&owner("ann"), vec![fixtures.fact("made by the job")]);
    (set.finishes, set.jobs) = (Some(held.attempt()), vec![keyed(), keyed()]);
    let successor = set.jobs[0].id;
    commit(store, &set).await;
    assert_eq!(store.job(TenantId::DEFAULT, first.id).await.unwrap().unwrap().state, JobState::Done);
    let next = claim(store, START).await.unwrap();
    assert_eq!((next.id, next.unique_key.as_deref()), (successor, Some("only")));
    assert_eq!(claim(store, START).await, None, "the key admits one of the two");
}

/// Jobs that were done or cancelled before a time and made nothing are dropped, oldest first up to the limit. All others
/// stay: those that a derivation names, that failed, or that wait or run.
pub async fn finished_jobs_without_results_are_dropped(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let source =
        commit(store, &fixtures.adding(&ann, vec![fixtures.fact("source")])).await.created.memories[0];
    let mut ids = Vec::new();
    for state in [JobState::Done, JobState::Done, JobState::Done, JobState::Failed] {
        ids.push(store.enqueue(job(&fixtures, "k", START)).await.unwrap().id);
        let held = claim(store, START).await.unwrap();
        let held = Job { state, ..held };
        assert!(store.finish(&held, START, START).await.unwrap());
    }
    let made = fixtures.made_of(fixtures.fact("made"), &[Source::Memory(source)]);
    commit(store, &fixtures.made_by(ids[1], fixtures.adding(&ann, vec![made]))).await;
    for _ in 0..3 {
        ids.push(store.enqueue(job(&fixtures, "k", START)).await.unwrap().id);
    }
    claim(store, START).await.unwrap();
    store.cancel(TenantId::DEFAULT, ids[6], START).await.unwrap();
    let later = START.plus_micros(1);
    assert_eq!(store.drop_finished_jobs(START, 10).await.unwrap(), 0, "they are not older");
    let left = async || -> Vec<JobId> {
        let all = store.jobs(TenantId::DEFAULT, &JobFilter::default(), None, 99).await.unwrap();
        all.iter().rev().map(|job| job.id).collect()
    };
    assert_eq!(store.drop_finished_jobs(later, 1).await.unwrap(), 1);
    assert_eq!(left().await, ids[1..]);
    assert_eq!(store.drop_finished_jobs(later, 10).await.unwrap(), 2);
    assert_eq!(left().await, [ids[1], ids[3], ids[4], ids[5]]);
    assert_eq!(store.drop_finished_jobs(later, 10).await.unwrap(), 0);
}
