//! The erasure of one turn of the story, with the server killed at moments of a seed between the request and the end of all
//! jobs that follow: it is not acknowledged and whole, or complete.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use engrain::Client;
use engrain::formats::CanonicalExport;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use tokio::time::sleep;
use uuid::Uuid;

use super::super::state::{export, settled};
use super::told::the_rest_is_remade;
use super::traces::{assert_purged, traces};
use super::{MARK, VICTIM, copy, start, tell, variables};
use crate::process::ServerProcess;

/// Longest time between the request and a kill that may come before the answer, in milliseconds.
const LATEST_BEFORE_MS: usize = 150;
/// Longest time between the answer and a kill in the jobs that follow, in milliseconds.
const LATEST_AFTER_MS: usize = 600;

/// A moment of a kill.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// True for one after the answer.
    is_after: bool,
    wait: Duration,
}

pub(super) async fn canonical(client: &Client) -> String {
    let mut canonical = CanonicalExport::default();
    for line in export(client).await {
        canonical.push(line).unwrap();
    }
    canonical.finish()
}

/// Asks for the erasure and kills the server; returns whether it was acknowledged.
async fn killed(server: ServerProcess, victim: Uuid, moment: Moment) -> bool {
    let client = server.client.clone();
    let erasing = tokio::spawn(async move { client.delete_memory(victim).await.is_ok() });
    if !moment.is_after {
        sleep(moment.wait).await;
        server.kill();
        return erasing.await.unwrap();
    }
    assert!(erasing.await.unwrap());
    sleep(moment.wait).await;
    server.kill();
    true
}

/// One kill over a copy of the told story.
async fn is_whole_or_complete(
    directory: &Path,
    variables: &[(String, String)],
    (turns, before): (&[Uuid], &str),
    moment: Moment,
) {
    let server = ServerProcess::start_in(directory, variables).await;
    let acknowledged = killed(server, turns[VICTIM], moment).await;
    let context = format!("seed {}, {moment:?}, acknowledged: {acknowledged}", first_seed());
    let server = ServerProcess::start_in(directory, variables).await;
    let client = &server.client;
    let is_there = client.memory(turns[VICTIM]).await.is_ok();
    assert!(!(acknowledged && is_there), "{context}: the turn is back");
    if is_there {
        assert_eq!(canonical(client).await, before, "{context}: half an erasure");
        client.delete_memory(turns[VICTIM]).await.unwrap();
    }
    assert_eq!(traces(client, MARK).await, BTreeSet::new(), "{context}");
    settled(client).await;
    assert_eq!(traces(client, MARK).await, BTreeSet::new(), "{context}: a trace has come back");
    the_rest_is_remade(client, turns, &context).await;
    assert_purged(&server, directory, MARK, &context).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_with_kills_in_between_is_not_acknowledged_and_whole_or_complete() {
    let kills = if is_long_form() { 60 } else { 8 };
    let mut rng = Rng::new(first_seed());
    let told = tempfile::tempdir().unwrap();
    let model = start(Duration::from_millis(15)).await;
    let variables = variables(&model);
    let server = ServerProcess::start_in(told.path(), &variables).await;
    let turns = tell(&server.client).await;
    let before = canonical(&server.client).await;
    server.kill();
    for number in 0..kills {
        let is_after = number % 2 == 1;
        let latest = if is_after { LATEST_AFTER_MS } else { LATEST_BEFORE_MS };
        let moment = Moment { is_after, wait: Duration::from_millis(rng.below(latest) as u64) };
        let directory = tempfile::tempdir().unwrap();
        copy(told.path(), directory.path());
        is_whole_or_complete(directory.path(), &variables, (&turns, &before), moment).await;
    }
}
