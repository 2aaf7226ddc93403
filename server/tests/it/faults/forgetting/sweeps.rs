//! Sweeps that are killed, beside those of a twin that is not; and erasures after the grace period, which take exactly
//! what their preview has shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::{ForgettingPolicy, ForgottenMemory};
use memory_core::domain::time::Timestamp;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use uuid::Uuid;

use super::super::ledger::{Ledger, PATIENCE, listed, no_trace_of, purged};
use super::super::watched::Watched;
use super::{
    add, forgotten, jobs_ended, places_with, policy, present, previewed, set_policy, sweep_of, swept, used,
};

const USER: &str = "mara";
/// Memories of the twins: more than one page of a sweep.
const MEMORIES: usize = 2_400;
/// Days of the grace period.
const GRACE: u32 = 7;
/// Days from the first sweep of the twins to the present: more than there are sweeps.
const DAYS: i64 = 200;

/// Policies of the steps, again and again. A sweep under the last one erases nothing: its grace period is long.
fn policies() -> [ForgettingPolicy; 5] {
    let quota = |effect: &str, eviction: &str| ForgettingPolicy {
        rule: "quota_alone".to_owned(),
        quota_memories: Some(900),
        eviction: eviction.to_owned(),
        ..policy(effect)
    };
    [
        policy("cold"),
        quota("exclude", "lru"),
        // Evicted memories stay so with another effect.
        ForgettingPolicy { curve: "wixted".to_owned(), ..policy("demote") },
        ForgettingPolicy { rule: "quota_alone".to_owned(), ..policy("cold") },
        ForgettingPolicy { grace_days: 36_500, ..quota("delete", "random") },
    ]
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Store with memories and their uses of a moment, and pins, whose server has been stopped.
#[cfg(unix)]
async fn filled(data: &Path, at: Timestamp) {
    let server = Watched::start(data, "hashing").await;
    let mut ledger = Ledger::telling_of(at.to_string());
    let ids = ledger.write(&server.client, USER, MEMORIES).await;
    for id in ids.iter().step_by(MEMORIES / 40) {
        used(&server.client, USER, &ledger.kept[id].1, Some(at)).await.unwrap();
    }
    for id in ids.iter().skip(7).step_by(MEMORIES / 20) {
        server.client.pin_memory(*id, true).await.unwrap();
    }
    jobs_ended(&server.client, "filled").await;
    server.stop().await;
}

async fn state(client: &Client) -> (BTreeMap<Uuid, ForgottenMemory>, BTreeSet<Uuid>) {
    (forgotten(client, USER).await, listed(client, USER).await.into_keys().collect())
}

/// Records with the number of the sweep in the place of the time at which it was requested, which differs between twins.
fn numbered(
    records: BTreeMap<Uuid, ForgottenMemory>,
    requested_at: &[String],
) -> BTreeMap<Uuid, ForgottenMemory> {
    let of_sweep = |(id, one): (Uuid, ForgottenMemory)| {
        let number = requested_at.iter().position(|at| *at == one.recorded_at);
        (id, ForgottenMemory { recorded_at: number.expect("the time of a sweep").to_string(), ..one })
    };
    records.into_iter().map(of_sweep).collect()
}

/// Waits until a sweep is about to write about a page, or is over.
async fn page_begun(client: &Client, job: Uuid) {
    let (began, seen) = (Instant::now(), client.job(job).await.unwrap().done);
    loop {
        let job = client.job(job).await.unwrap();
        if job.done != seen || job.state.is_over() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{job:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn killed_sweeps_end_with_the_records_of_sweeps_that_are_never_killed() {
    let kills = if is_long_form() { 100 } else { 10 };
    let seed = first_seed().wrapping_add(111);
    println!("faults: seed {seed}");
    let mut rng = Rng::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let (quiet, killed) = (folder.path().join("quiet"), folder.path().join("killed"));
    let base = present().plus_days(-DAYS);
    filled(&quiet, base).await;
    copied(&quiet, &killed);
    let twin = Watched::start(&quiet, "auto").await;
    let mut server = Watched::start(&killed, "auto").await;
    let (mut of_twin, mut of_killed) = (Vec::new(), Vec::new());
    let (mut done, mut step, mut changed) = (0, 0, 0);
    while done < kills {
        let mut now = base.plus_days(1 + step);
        let policies = policies();
        let policy = &policies[usize::try_from(step).unwrap() % policies.len()];
        let context = format!("seed {seed}, step {step}, {done} kills, {policy:?}");
        set_policy(&twin.client, USER, policy.clone()).await;
        set_policy(&server.client, USER, policy.clone()).await;
        // Once in a while as of a time before the last one.
        if rng.chance(15) {
            now = now.plus_days(-2);
        }
        let began = Instant::now();
        of_twin.push(swept(&twin.client, USER, Some(now), &context).await.created_at);
        let takes = began.elapsed();
        let job = server.client.sweep_memories(&sweep_of(USER, Some(now), false)).await.unwrap();
        of_killed.push(job.created_at.clone());
        for _ in 0..1 + rng.below(3) {
            if rng.chance(60) {
                page_begun(&server.client, job.id).await;
                tokio::time::sleep(Duration::from_millis(rng.below(12) as u64)).await;
            } else {
                let percent = u32::try_from(rng.below(110)).unwrap();
                tokio::time::sleep(takes * percent / 100).await;
            }
            server.kill();
            server = Watched::start(&killed, "auto").await;
            done += 1;
        }
        jobs_ended(&server.client, &context).await;
        let job = server.client.job(job.id).await.unwrap();
        assert_eq!((job.state.as_str(), job.failures), ("done", 0), "{context}: {job:?}");
        let (expected, actual) = (state(&twin.client).await, state(&server.client).await);
        assert_eq!(actual.1, expected.1, "{context}");
        let (expected, actual) = (numbered(expected.0, &of_twin), numbered(actual.0, &of_killed));
        let differ = |id: &&Uuid| actual.get(*id) != expected.get(*id);
        let either: BTreeSet<&Uuid> = actual.keys().chain(expected.keys()).collect();
        let differing: Vec<_> =
            either.into_iter().filter(differ).map(|id| (actual.get(id), expected.get(id))).collect();
        assert!(differing.is_empty(), "{context}: {} differ: {:?}", differing.len(), differing[0]);
        let (again, _) = previewed(&server.client, USER, now).await;
        assert_eq!(again.changes, [], "{context}");
        changed += expected.len();
        step += 1;
    }
    assert!(changed > MEMORIES, "{changed} records in {step} steps");
    let report = server.client.check(&engrain::wire::CheckRequest::default()).await.unwrap();
    assert!(report.healthy, "{:?}", report.findings);
}

/// Sweeps under a grace period; returns what is erased once it has passed. The period counts from the request, whatever moment the
/// sweep is as of.
async fn swept_with_grace(client: &Client, context: &str) -> BTreeSet<Uuid> {
    set_policy(client, USER, ForgettingPolicy { grace_days: GRACE, ..policy("delete") }).await;
    let (found_at, grace) = (present(), i64::from(GRACE));
    let (shown, erased) = previewed(client, USER, found_at).await;
    assert!(shown.counts.erased == 0 && erased.is_empty() && shown.counts.faded > 60, "{context}: {shown:?}");
    swept(client, USER, Some(found_at), context).await;
    let recorded_at = present();
    assert_eq!(previewed(client, USER, found_at.plus_days(grace)).await.0.counts.erased, 0, "{context}");
    previewed(client, USER, recorded_at.plus_days(grace)).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_after_the_grace_period_takes_what_its_preview_shows_and_leaves_nothing_of_it() {
    let seed = first_seed().wrapping_add(112);
    println!("faults: seed {seed}");
    let mut rng = Rng::new(seed);
    for round in 0..if is_long_form() { 10 } else { 2 } {
        let context = format!("seed {seed}, round {round}");
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut server = Watched::start(&data, "hashing").await;
        let at = present().plus_days(-3);
        let mut ledger = Ledger::telling_of(at.to_string());
        let client = &server.client;
        // Sources with what was made of them, and of that; some of it is used or pinned, so that its sources wait.
        let first = add((&mut ledger, client), USER, ("first", 90), &[]).await;
        let second = add((&mut ledger, client), USER, ("second", 60), &first[..60]).await;
        let third = add((&mut ledger, client), USER, ("third", 30), &second[..30]).await;
        ledger.write(client, "lena", 40).await;
        let pinned = [first[3], second[5], second[50], third[1], third[9]];
        for id in pinned {
            client.pin_memory(id, true).await.unwrap();
        }
        for id in [second[40], third[20], first[80]] {
            used(client, USER, &ledger.kept[&id].1, Some(at)).await.unwrap();
        }
        let ahead = swept_with_grace(client, &context).await;
        // No clock of a server process can be put forward: the period becomes shorter instead.
        set_policy(client, USER, policy("delete")).await;
        let due_at = present();
        let (shown, mut erased) = previewed(client, USER, due_at).await;
        assert_eq!(erased, ahead, "{context}");
        assert_eq!(shown.counts.erased, erased.len() as u64, "{context}");
        assert!(erased.len() > 30 && pinned.iter().all(|id| !erased.contains(id)), "{context}");
        let kept = |source: Uuid, made: Uuid| erased.contains(&made) || !erased.contains(&source);
        let made = first.iter().zip(&second).chain(second.iter().zip(&third));
        for (source, made) in made {
            assert!(kept(*source, *made), "{context}: {source} goes, and {made}, made of it, stays");
        }
        let before: BTreeSet<Uuid> = listed(client, USER).await.into_keys().collect();
        client.sweep_memories(&sweep_of(USER, Some(due_at), false)).await.unwrap();
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(rng.below(300) as u64)).await;
            server.kill();
            server = Watched::start(&data, "auto").await;
        }
        jobs_ended(&server.client, &context).await;
        let after: BTreeSet<Uuid> = listed(&server.client, USER).await.into_keys().collect();
        assert_eq!(before.difference(&after).copied().collect::<BTreeSet<_>>(), erased, "{context}");
        let doubted: Vec<_> = erased.iter().map(|id| ledger.doubt(*id)).collect();
        ledger.erased.extend(doubted);
        ledger.verify(&server, &data, &context).await;

        // The rest of the owner goes with it, its policy and its records of forgetting.
        erased.extend(after);
        let rest: Vec<_> = erased.iter().filter(|id| ledger.kept.contains_key(id)).copied().collect();
        super::erasures::erase_owner(&server.client, USER, &context).await;
        let doubted: Vec<_> = rest.iter().map(|id| ledger.doubt(*id)).collect();
        ledger.erased.extend(doubted);
        no_trace_of(&data, &server, USER, &context).await;
        ledger.verify(&server, &data, &context).await;
        purged(&server.client).await;
        server.kill();
        assert_eq!(places_with(&data, &erased).await, BTreeSet::new(), "{context}");
    }
}
