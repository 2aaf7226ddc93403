//! The month once more, with a server that is killed at moments of a seed: what was acknowledged is thought about exactly
//! once.

use std::path::Path;
use std::time::Duration;

use engrain::wire::CheckRequest;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::golden::plain_end;
use super::month::{MONTH, forget_dog, send};
use super::script::{Script, start, variables};
use super::state::{assert_same, canonical, settled};
use crate::process::ServerProcess;

/// Longest time between the beginning of a step and a kill, in milliseconds.
const LATEST_KILL_MS: usize = 400;

/// A server that dies and comes back over the same data directory.
struct Mortal<'a> {
    server: Option<ServerProcess>,
    directory: &'a Path,
    variables: Vec<(String, String)>,
}

impl Mortal<'_> {
    fn server(&self) -> &ServerProcess {
        self.server.as_ref().unwrap()
    }

    /// Begins a step, and kills the server in the middle of it or of the thinking behind it.
    async fn dies_within(&mut self, step: usize, delay: Duration) {
        let until = Instant::now() + delay;
        // Acknowledged or not: the step is repeated under its key.
        let _ = timeout_at(until, take(self.server(), step)).await;
        sleep_until(until).await;
        self.server.take().unwrap().kill();
        self.server = Some(ServerProcess::start_in(self.directory, &self.variables).await);
    }
}

/// A step of the story: an exchange, or what comes after the last one.
async fn take(server: &ServerProcess, step: usize) -> Result<(), engrain::Error> {
    match MONTH.get(step) {
        Some(exchange) => send(&server.client, exchange, false).await.map(drop),
        None => forget_dog(&server.client).await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_again_and_again_comes_to_the_same_end() {
    let kills = if is_long_form() { 10 } else { 3 };
    let seed = first_seed();
    let mut rng = Rng::new(seed);
    let mut moments: Vec<(usize, Duration)> = (0..kills)
        .map(|_| {
            let delay = Duration::from_millis(rng.below(LATEST_KILL_MS) as u64);
            (rng.below(MONTH.len() + 1), delay)
        })
        .collect();
    moments.sort_unstable();
    let directory = tempfile::tempdir().unwrap();
    let model =
        start(Script { has_faults: true, delay: Duration::from_millis(20), ..Script::default() }).await;
    let variables = variables(&model, &[]);
    let server = Some(ServerProcess::start_in(directory.path(), &variables).await);
    let mut mortal = Mortal { server, directory: directory.path(), variables };
    for step in 0..=MONTH.len() {
        for (_, delay) in moments.iter().filter(|(at, _)| *at == step) {
            mortal.dies_within(step, *delay).await;
        }
        take(mortal.server(), step).await.unwrap();
    }
    let client = &mortal.server().client;
    settled(client).await;
    // Facts of the dog that were made after its turns had been listed.
    forget_dog(client).await.unwrap();
    let context = format!("seed {seed}, killed at {moments:?}");
    assert_same(&canonical(client).await, &plain_end().await, &context);
    let report = client.check(&CheckRequest { repair: false }).await.unwrap();
    assert!(report.healthy, "{:?}", report.findings);
}
