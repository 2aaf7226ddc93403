//! Run of a benchmark in three stages: ingest every haystack, ask every question, erase the users that this run has
//! written. Stages do not overlap, so that no recall is timed while the machine is embedding.
//!
//! Each stage runs with the configured concurrency. Results keep the order of the file, so that two runs sum the same
//! numbers in the same order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::Scope;
use futures::{Stream, StreamExt, stream};

use crate::ask::{Asked, Manner, ask};
use crate::dataset::{Dataset, Question};
use crate::facts::{self, Facts, Sources};
use crate::failure::Failure;
use crate::ingest::{Ready, erase, ingest};
use crate::progress::Progress;

/// Result of a run.
pub(crate) struct Outcome {
    pub(crate) asked: Vec<Asked>,
    /// Number of turns sent.
    pub(crate) turns_sent: u64,
    /// Number of turns stored by an earlier run.
    pub(crate) turns_present: u64,
    /// Duration of the first stage, including the reading of the file.
    pub(crate) ingest_took: Duration,
}

/// Runs all stages. Users that had their whole haystack before are never erased.
pub(crate) async fn run(
    client: &Client,
    dataset: &Dataset,
    manner: Manner,
    concurrency: usize,
    keep: bool,
) -> Result<Outcome, Failure> {
    let began = Instant::now();
    let ready = remember(client, dataset, concurrency).await?;
    let ingest_took = began.elapsed();
    let (turns_sent, turns_present) =
        (ready.iter().map(|user| user.sent).sum(), ready.iter().map(|user| user.present).sum());
    let written: Vec<Scope> =
        ready.iter().filter(|user| user.sent > 0).map(|user| user.scope.clone()).collect();
    let questions = ready
        .into_iter()
        .flat_map(|user| user.questions.into_iter().map(move |question| (user.scope.clone(), question)));
    let questions: Vec<(Scope, Question)> = questions.collect();
    let sources = facts_of(client, &questions, manner.facts).await?;
    let asked = ask_all(client, questions, manner, concurrency, &sources).await?;
    if !keep {
        forget(client, written, concurrency).await?;
    }
    Ok(Outcome { asked, turns_sent, turns_present, ingest_took })
}

async fn remember(client: &Client, dataset: &Dataset, concurrency: usize) -> Result<Vec<Ready>, Failure> {
    // The file is read between two polls: on the thread of `main`, while the tasks are on others.
    let tasks = stream::iter(dataset.haystacks()?).map(|haystack| {
        let client = client.clone();
        async move { tokio::spawn(ingest(client, haystack?)).await? }
    });
    gather(tasks.buffered(concurrency), Progress::new("remembering", dataset.haystacks)).await
}

/// Waits for the facts of every user that is asked, and looks up what they were made of, where it counts.
async fn facts_of(
    client: &Client,
    questions: &[(Scope, Question)],
    facts: Facts,
) -> Result<HashMap<String, Arc<Sources>>, Failure> {
    let mut sources = HashMap::new();
    if !matches!(facts, Facts::Rank | Facts::Evidence) {
        return Ok(sources);
    }
    for (scope, _) in questions {
        let user = scope.user_id.clone().unwrap_or_default();
        if let Entry::Vacant(place) = sources.entry(user) {
            facts::wait(client, scope).await?;
            place.insert(Arc::new(facts::sources(client, scope).await?));
        }
    }
    Ok(sources)
}

async fn ask_all(
    client: &Client,
    questions: Vec<(Scope, Question)>,
    manner: Manner,
    concurrency: usize,
    sources: &HashMap<String, Arc<Sources>>,
) -> Result<Vec<Asked>, Failure> {
    let progress = Progress::new("asking", questions.len());
    let tasks = stream::iter(questions).map(|(scope, question)| {
        let client = client.clone();
        let of_user = scope.user_id.as_ref().and_then(|user| sources.get(user));
        let sources = of_user.map(Arc::clone).unwrap_or_default();
        async move { tokio::spawn(ask(client, scope, question, manner, sources)).await? }
    });
    gather(tasks.buffered(concurrency), progress).await
}

async fn forget(client: &Client, scopes: Vec<Scope>, concurrency: usize) -> Result<(), Failure> {
    let progress = Progress::new("erasing", scopes.len());
    let tasks = stream::iter(scopes).map(|scope| {
        let client = client.clone();
        async move { tokio::spawn(erase(client, scope)).await? }
    });
    gather(tasks.buffered(concurrency), progress).await.map(|_| ())
}

/// All results, or the first failure.
async fn gather<T>(
    tasks: impl Stream<Item = Result<T, Failure>>,
    mut progress: Progress,
) -> Result<Vec<T>, Failure> {
    let mut tasks = std::pin::pin!(tasks);
    let mut results = Vec::new();
    while let Some(result) = tasks.next().await {
        results.push(result?);
        progress.step();
    }
    Ok(results)
}
