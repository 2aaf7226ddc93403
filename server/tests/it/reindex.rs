//! A change of embedder survives the death of its server: killed at moments that nobody chose, it goes on by itself after
//! the next start and ends right.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::ServerProcess;
use axum::routing::{get, post};
use axum::{Json, Router};
use engrain::Client;
use engrain::client::JobQuery;
use engrain::wire::{
    AddTurns, CheckRequest, Job, JobState, NewTurn, RecallRequest, ReindexRequest, Role, Scope, Weights,
};
use memory_core::store::Embedders;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use serde_json::{Value, json};
use uuid::Uuid;

/// Memories of the store: enough for a change of embedder to have many steps.
const MEMORIES: usize = 1_000;
/// Timeout of a job.
const PATIENCE: Duration = Duration::from_secs(120);

fn scope() -> Scope {
    Scope::user("ann")
}

async fn fill(client: &Client) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for first in (0..MEMORIES).step_by(500) {
        let text = |count: usize| format!("note{count} is one of many that are remembered here");
        let turns = (first..first + 500).map(|count| NewTurn::new(Role::User, text(count))).collect();
        let session = Some(format!("s{first}"));
        let request =
            AddTurns { scope: scope(), session, turns, visibility: None, again: false, wait: false };
        ids.extend(client.add_turns(&request).await.unwrap().memory_ids);
    }
    ids
}

/// The job's end, which nobody but the server brings about.
async fn ended(client: &Client, id: Uuid) -> Job {
    let began = Instant::now();
    loop {
        let job = client.job(id).await.unwrap();
        if job.state.is_over() {
            return job;
        }
        assert!(began.elapsed() < PATIENCE, "{job:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn verify(client: &Client, embedder: &str, ids: &[Uuid]) {
    assert_eq!(client.version().await.unwrap().embedder, embedder);
    let report = client.check(&CheckRequest { repair: false }).await.unwrap();
    assert!(report.healthy && report.memories == MEMORIES as u64, "{report:?}");
    for at in (0..MEMORIES).step_by(MEMORIES / 20) {
        let request = RecallRequest {
            scope: scope(),
            query: format!("note{at}"),
            // The word decides: among so many texts, the hashing embedder finds some near by chance.
            weights: Some(Weights { lexical: Some(100.0), ..Weights::default() }),
            ..RecallRequest::default()
        };
        let answer = client.recall(&request).await.unwrap();
        assert!(answer.memories.iter().any(|one| one.memory.id == ids[at]), "note{at} is not found");
    }
}

/// Looks into the store of a server that was killed: one embedder has rows, and it is the one in use.
async fn only_rows_of(directory: &Path, embedder: &str) {
    let store = SqlStore::open(directory, StoreOptions::default()).await.unwrap();
    let (id, recipe) = store.embedder_in_use().await.unwrap().unwrap();
    assert_eq!(recipe.embedder.rsplit_once('-').unwrap().0, embedder);
    assert_eq!(store.unembedded(id, None, 1).await.unwrap(), []);
    assert_eq!(store.drop_other_rows(None, 1).await.unwrap().rows, 0, "rows of another embedder are left");
    store.close().await;
}

#[tokio::test]
async fn a_change_of_embedder_survives_kill_9() {
    let rounds = if is_long_form() { 10 } else { 3 };
    let directory = tempfile::tempdir().unwrap();
    let start = async |embedder| ServerProcess::start_with(directory.path(), "127.0.0.1:0", embedder).await;
    let mut server = start("hashing").await;
    let ids = fill(&server.client).await;
    let names = ["hashing-96", "hashing"];

    // Undisturbed first: how long it takes tells when to kill the others.
    let began = Instant::now();
    let undisturbed = server.client.reindex(&ReindexRequest { embedder: names[0].to_owned() }).await.unwrap();
    assert_eq!(ended(&server.client, undisturbed.id).await.state, JobState::Done);
    let takes = began.elapsed();
    verify(&server.client, names[0], &ids).await;

    let mut rng = Rng::new(first_seed().wrapping_add(5));
    let mut interrupted = 0;
    for round in 1..=rounds {
        let target = names[round % 2];
        let request = ReindexRequest { embedder: target.to_owned() };
        let job = server.client.reindex(&request).await.unwrap();
        for _ in 0..=rng.below(2) {
            let share = u32::try_from(rng.below(100)).unwrap();
            tokio::time::sleep(takes * share / 100).await;
            server.kill();
            server = start("auto").await;
        }
        let done = ended(&server.client, job.id).await;
        assert_eq!((done.state, done.failures), (JobState::Done, 0), "round {round}: {done:?}");
        assert_eq!((done.done, done.total), (MEMORIES as u64, MEMORIES as u64));
        interrupted += usize::from(done.attempts > 1);
        verify(&server.client, target, &ids).await;
        server.kill();
        only_rows_of(directory.path(), target).await;
        server = start("auto").await;
    }
    assert!(interrupted > 0, "no job was interrupted");
    let jobs = server
        .client
        .jobs(&JobQuery {
            state: Some(JobState::Done),
            kind: Some("reindex".to_owned()),
            ..JobQuery::default()
        })
        .await;
    assert_eq!(jobs.unwrap().jobs.len(), rounds + 1);
}

/// A server that has one job in a state.
async fn server_of_a_job(state: &str) -> String {
    let job = |state: &str| {
        let now = "2023-05-20T02:21:00Z";
        json!({"id": Uuid::from_u128(7), "kind": "reindex", "state": state, "done": 1, "total": 2,
               "error": "panicked", "created_at": now, "updated_at": now})
    };
    let (asked, later): (Value, Value) = (job("waiting"), job(state));
    let router = Router::new()
        .route("/v1/admin/reindex", post(async move || Json(asked.clone())))
        .route("/v1/jobs/{id}", get(async move || Json(later.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_as_its_job_does() {
    for (state, status, says) in [
        ("done", Some(0), "1 of 2 memories"),
        ("failed", Some(1), "failed: panicked"),
        ("cancelled", Some(1), "was cancelled"),
    ] {
        let url = server_of_a_job(state).await;
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_engrain"));
        command.args(["--server", &url, "reindex", "hashing"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), status, "{state}: {said}");
        assert!(said.contains(says), "{state}: {said}");
    }
}
