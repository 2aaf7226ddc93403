//! Forgetting through every layer: a real server process, driven by the SDK, and killed in the middle of a sweep.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::process::ServerProcess;
use engrain::client::ForgottenQuery;
use engrain::wire::{
    AddMemories, CheckRequest, DeleteOwner, ForgettingPolicy, JobState, NewMemory, PreviewSweep,
    PreviewedSweep, RestoreForgotten, Scope, SetForgettingPolicy, SweepCounts, SweepMemories,
};
use engrain::{Client, Error};
use uuid::Uuid;

/// Time of what the memories tell.
const TOLD_OF: &str = "2020-01-01T00:00:00Z";
/// Moment of the sweeps, when all memories have faded.
const YEARS_LATER: &str = "2024-01-01T00:00:00Z";

fn ann() -> Scope {
    Scope::user("ann")
}

async fn add(client: &Client, count: usize) {
    for first in (0..count).step_by(100) {
        let texts = first..count.min(first + 100);
        let memories = texts.map(|at| NewMemory {
            text: format!("Ann counts to {at}"),
            happened_at: Some(TOLD_OF.to_owned()),
            ..NewMemory::default()
        });
        let request = AddMemories { scope: ann(), memories: memories.collect(), ..AddMemories::default() };
        client.add_memories(&request).await.unwrap();
    }
}

async fn set(client: &Client, policy: Option<ForgettingPolicy>) -> Result<bool, Error> {
    let request = SetForgettingPolicy { scope: ann(), policy };
    client.set_forgetting_policy(&request).await.map(|state| state.is_default)
}

fn excluding() -> ForgettingPolicy {
    ForgettingPolicy { effect: "exclude".to_owned(), ..ForgettingPolicy::default() }
}

async fn preview(client: &Client, cursor: Option<String>) -> PreviewedSweep {
    let now = Some(YEARS_LATER.to_owned());
    let request = PreviewSweep { scope: ann(), now, limit: Some(1_000), cursor, ..PreviewSweep::default() };
    client.preview_sweep(&request).await.unwrap()
}

async fn forgotten(client: &Client) -> BTreeSet<Uuid> {
    let (mut all, mut cursor) = (BTreeSet::new(), None);
    loop {
        let query = ForgottenQuery { scope: ann(), limit: Some(1_000), cursor, ..Default::default() };
        let page = client.forgotten(&query).await.unwrap();
        all.extend(page.memories.into_iter().map(|one| one.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_policy_is_previewed_applied_restored_and_erased_with_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    add(client, 30).await;
    let state = client.forgetting_policy(&ann()).await.unwrap();
    assert_eq!((state.policy, state.is_default), (ForgettingPolicy::default(), true));
    let wrong = ForgettingPolicy { importance_gain: 0.0, ..excluding() };
    for (policy, field) in [
        (ForgettingPolicy { curve: "linear".to_owned(), ..excluding() }, "policy.curve"),
        (wrong, "policy.importance_gain"),
    ] {
        match set(client, Some(policy)).await {
            Err(Error::Problem(problem)) => {
                assert_eq!((problem.status, problem.field.as_deref()), (422, Some(field)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!set(client, Some(excluding())).await.unwrap());
    let shown = preview(client, None).await;
    let SweepCounts { memories, faded, live, .. } = shown.counts;
    assert_eq!((memories, faded, live, shown.changes.len()), (30, 30, 0, 30));
    assert_eq!(forgotten(client).await, BTreeSet::new());
    let sweep = SweepMemories { scope: ann(), now: Some(YEARS_LATER.to_owned()), wait: true };
    let ahead = SweepMemories { now: Some("9999-01-01".to_owned()), ..sweep.clone() };
    match client.sweep_memories(&ahead).await {
        Err(Error::Problem(problem)) => {
            assert_eq!((problem.status, problem.field.as_deref()), (422, Some("now")));
        }
        other => panic!("{other:?}"),
    }
    let job = client.sweep_memories(&sweep).await.unwrap();
    assert_eq!((job.kind.as_str(), job.state, job.done), ("forget", JobState::Done, 30));
    assert_eq!(
        SweepCounts::of_job(&job).as_ref(),
        Some(&shown.counts),
        "the sweep does what the preview said"
    );
    let again = SweepCounts::of_job(&client.sweep_memories(&sweep).await.unwrap());
    assert_eq!(
        again,
        Some(SweepCounts { memories: 30, ..SweepCounts::default() }),
        "nothing is left to change"
    );
    let all: BTreeSet<Uuid> = shown.changes.iter().map(|change| change.id).collect();
    assert_eq!(forgotten(client).await, all);
    let first = shown.changes[0].id;
    assert!(client.pin_memory(first, true).await.unwrap().pinned);
    assert_eq!(forgotten(client).await.len(), 29);
    let neither = client.restore_forgotten(&RestoreForgotten { scope: ann(), ..Default::default() }).await;
    assert!(matches!(neither, Err(Error::Problem(problem)) if problem.status == 422));
    let everything = RestoreForgotten { scope: ann(), all: true, ..RestoreForgotten::default() };
    let restored = client.restore_forgotten(&everything).await.unwrap();
    assert_eq!((restored.restored.len(), restored.left), (29, 0));
    let report = client.check(&CheckRequest::default()).await.unwrap();
    assert_eq!(report.findings, []);

    let asked = DeleteOwner { scope: ann(), confirmation: None };
    let confirmation = client.delete_owner(&asked).await.unwrap().confirmation;
    client.delete_owner(&DeleteOwner { confirmation, ..asked }).await.unwrap();
    assert!(client.forgetting_policy(&ann()).await.unwrap().is_default);
    let job = client.sweep_memories(&sweep).await.unwrap();
    assert_eq!((job.state, job.done), (JobState::Done, 0));
}

/// Changes that sweeps of the process made, once its metrics say so many.
async fn changes(client: &Client, wanted: f64) -> BTreeMap<String, f64> {
    let mut metrics = String::new();
    for _ in 0..300 {
        metrics = client.metrics().await.unwrap();
        let lines = metrics.lines().filter_map(|line| {
            let (change, count) =
                line.strip_prefix("engrain_forgetting_changes_total{change=\"")?.split_once("\"} ")?;
            Some((change.to_owned(), count.parse().ok()?))
        });
        let found: BTreeMap<String, f64> = lines.collect();
        if found.values().sum::<f64>() >= wanted {
            assert!(metrics.contains("# HELP engrain_forgetting_changes_total "), "it is described");
            assert!(!metrics.contains("\"ann\""), "no owner in metrics");
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{metrics}");
}

#[tokio::test]
async fn metrics_count_what_sweeps_changed() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    add(client, 30).await;
    let sweep = SweepMemories { scope: ann(), now: Some(YEARS_LATER.to_owned()), wait: true };
    let quota = |effect: &str| ForgettingPolicy {
        effect: effect.to_owned(),
        rule: "quota_alone".to_owned(),
        quota_memories: Some(25),
        grace_days: 0,
        ..excluding()
    };
    for policy in [quota("exclude"), quota("cold"), excluding(), ForgettingPolicy::default()] {
        set(client, Some(policy)).await.unwrap();
        for _ in 0..2 {
            client.sweep_memories(&sweep).await.unwrap();
        }
    }
    // Evicted by the quota, renewed by each other effect; the rest fades, and is remembered by a policy without an effect.
    let found = changes(client, 65.0).await;
    let expected = [
        ("drawn", 0.0),
        ("erased", 0.0),
        ("evicted", 5.0),
        ("faded", 25.0),
        ("remembered", 25.0),
        ("renewed", 10.0),
    ];
    assert_eq!(found, expected.map(|(change, count)| (change.to_owned(), count)).into());
    set(client, Some(quota("delete"))).await.unwrap();
    client.sweep_memories(&SweepMemories { now: None, ..sweep }).await.unwrap();
    let found = changes(client, 75.0).await;
    assert_eq!((found["erased"], found["renewed"], found["evicted"]), (5.0, 15.0, 5.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_killed_is_completed_by_the_next_process() {
    const MEMORIES: usize = 5_000;
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    add(&server.client, MEMORIES).await;
    let quota = ForgettingPolicy { quota_memories: Some(100), rule: "quota_alone".to_owned(), ..excluding() };
    set(&server.client, Some(quota)).await.unwrap();
    let (mut expected, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = preview(&server.client, cursor).await;
        assert_eq!((page.counts.evicted, page.counts.live), (MEMORIES as u64 - 100, 100));
        expected.extend(page.changes.into_iter().map(|change| change.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let sweep = SweepMemories { scope: ann(), now: Some(YEARS_LATER.to_owned()), wait: false };
    let mut id = server.client.sweep_memories(&sweep).await.unwrap().id;
    let mut server = server;
    for pause_ms in [0, 20, 60] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        server.kill();
        server = ServerProcess::start(directory.path()).await;
    }
    for _ in 0..600 {
        let job = server.client.job(id).await.unwrap();
        if job.state.is_over() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.client.job(id).await.unwrap().state, JobState::Done);
    assert_eq!(forgotten(&server.client).await, expected);
    id = server.client.sweep_memories(&SweepMemories { wait: true, ..sweep }).await.unwrap().id;
    assert_eq!(server.client.job(id).await.unwrap().state, JobState::Done);
    assert_eq!(forgotten(&server.client).await, expected, "a second sweep changes nothing");
    let report = server.client.check(&CheckRequest::default()).await.unwrap();
    assert_eq!(report.findings, []);
}
