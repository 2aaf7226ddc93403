//! Everything that a server can be asked about the story, for the search for traces of a turn.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use engrain::client::{GraphOptions, JobQuery, NeighboursQuery, SessionQuery};
use engrain::wire::{
    AuditFacts, DigestQuery, GraphFormat, ProfileQuery, Purge, RecallNotes, RecallRequest, WorkingMemoryQuery,
};
use engrain::{Client, Error, GrantQuery};
use futures::TryStreamExt;
use serde::Serialize;

use super::super::month::{ask, scope};
use super::super::state::{export, profile};
use super::{SESSION, bob};
use crate::process::ServerProcess;

/// Timeout of a purge.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers of a server with the names of their places.
#[derive(Default)]
struct Answers(Vec<(&'static str, String)>);

impl Answers {
    fn add(&mut self, place: &'static str, answer: &impl Serialize) {
        self.0.push((place, serde_json::to_string(answer).unwrap()));
    }
}

pub(super) async fn working_memory(client: &Client) -> engrain::wire::WorkingMemory {
    let query = WorkingMemoryQuery {
        scope: scope(),
        session: SESSION.to_owned(),
        budget_tokens: Some(2_000),
        ..WorkingMemoryQuery::default()
    };
    client.working_memory(&query).await.unwrap()
}

pub(super) async fn recalled_notes(client: &Client) -> engrain::wire::RecalledNotes {
    let query = "garden".to_owned();
    let all = RecallNotes { scope: scope(), query, limit: Some(100), linked: Some(100), partner: None };
    client.recall_notes(&all).await.unwrap()
}

async fn answers(client: &Client) -> Result<Answers, Error> {
    let mut all = Answers::default();
    let lines = export(client).await;
    all.add("archive", &lines);
    for memory in super::super::state::memories(client).await {
        all.add("memory", &client.memory(memory.id).await?);
        all.add("history", &client.history(memory.id).await?);
        all.add("provenance", &client.provenance(memory.id).await?);
        let options = GraphOptions { texts: true, include_superseded: true, ..GraphOptions::default() };
        let query = NeighboursQuery { hops: Some(2), options, ..NeighboursQuery::default() };
        all.add("neighbours", &client.neighbours(memory.id, &query).await?);
    }
    for format in [GraphFormat::Json, GraphFormat::GraphMl] {
        let options = GraphOptions { texts: true, include_superseded: true, ..GraphOptions::default() };
        let mut file = Vec::new();
        client.export_graph(&scope(), format, &options, &mut file).await?;
        all.0.push(("graph", String::from_utf8(file).unwrap()));
    }
    let digests = client.digests(&DigestQuery { scope: scope(), ..DigestQuery::default() }).await?;
    all.add("digests", &digests);
    all.add("profile", &profile(client, ProfileQuery::default()).await);
    all.add("working memory", &working_memory(client).await);
    all.add("notes", &recalled_notes(client).await);
    let asked = RecallRequest { include_superseded: true, ..ask("What is in the garden?") };
    all.add("recall", &client.recall(&asked).await?);
    all.add("recall of a grantee", &client.recall(&RecallRequest { scope: bob(), ..asked }).await?);
    for session in
        client.sessions(&SessionQuery { scope: scope(), ..SessionQuery::default() }).await?.sessions
    {
        let turns: Vec<_> = client.all_turns(session.id).try_collect().await?;
        all.add("sessions", &turns);
    }
    let grants = client.grants(&GrantQuery { scope: scope(), all: true, ..GrantQuery::default() }).await?;
    for grant in &grants.grants {
        all.add("events of grants", &client.grant_events(grant.id, None, None).await?);
    }
    all.add("grants", &grants);
    all.add("jobs", &client.all_jobs(JobQuery::default()).try_collect::<Vec<_>>().await?);
    all.add("thinking", &client.thinking(&scope()).await?);
    all.add("audit", &client.audit_facts(&AuditFacts { scope: scope(), examples: Some(10) }).await?);
    all.add("metrics", &client.metrics().await?);
    Ok(all)
}

/// Names of the answers with a trace of a turn.
pub(super) async fn traces(client: &Client, mark: &str) -> BTreeSet<&'static str> {
    // A memory may be made anew by a job between two of the questions.
    for _ in 0..20 {
        match answers(client).await {
            Ok(Answers(all)) => {
                return all
                    .into_iter()
                    .filter(|(_, text)| text.contains(mark))
                    .map(|(place, _)| place)
                    .collect();
            }
            Err(Error::Problem(problem)) if problem.status == 404 => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("memories go while they are read")
}

/// Fails if a file of the store holds the mark after the purge.
pub(super) async fn assert_purged(server: &ServerProcess, directory: &Path, mark: &str, context: &str) {
    let began = Instant::now();
    while server.client.purge().await.unwrap().state != Purge::Done {
        assert!(began.elapsed() < PATIENCE, "{context}: no purge");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_no_bytes(directory, mark, context);
}

fn assert_no_bytes(directory: &Path, mark: &str, context: &str) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_bytes(&path, mark, context);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let holds = String::from_utf8_lossy(&bytes).contains(mark);
            assert!(!holds, "{context}: {} holds {mark}", path.display());
        }
    }
}
