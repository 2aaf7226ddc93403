//! Digests end to end: a server process, driven by the SDK and the commands, also one that is killed while it makes them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::{
    AddTurns, CheckRequest, Digest, DigestLevel, DigestQuery, NewTurn, RecallRequest, Role, Scope,
};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use uuid::Uuid;

use crate::commands::{engrain, said};
use crate::process::ServerProcess;

/// Timeout of what a server does in the background: more than a lease.
const PATIENCE: Duration = Duration::from_secs(150);

fn variables() -> Vec<(String, String)> {
    vec![("ENGRAIN_THINKING__DIGESTS".to_owned(), "true".to_owned())]
}

fn mara() -> Scope {
    Scope::user("mara")
}

/// Says something on a day of February 2024, under keys by which it may be said again.
async fn say(client: &Client, day: usize, texts: &[String]) -> Result<Vec<Uuid>, engrain::Error> {
    let turn = |(at, text): (usize, &String)| NewTurn {
        key: Some(format!("{day}-{at}")),
        said_at: Some(format!("2024-02-{day:02}T10:{at:02}:00Z")),
        ..NewTurn::new(Role::User, text.as_str())
    };
    let turns = texts.iter().enumerate().map(turn).collect();
    let session = Some(format!("day-{day}"));
    let request = AddTurns { scope: mara(), session, turns, ..AddTurns::default() };
    Ok(client.add_turns(&request).await?.memory_ids)
}

async fn of_days(client: &Client) -> Vec<Digest> {
    let level = Some(DigestLevel::EventsDay);
    client.digests(&DigestQuery { scope: mara(), level, ..DigestQuery::default() }).await.unwrap().digests
}

/// Digests of days as soon as they cover these numbers of memories, the latest days first.
async fn covering(client: &Client, counts: &[u32]) -> Vec<Digest> {
    let began = Instant::now();
    loop {
        let found = of_days(client).await;
        if found.iter().map(|digest| digest.covers_count).collect::<Vec<_>>() == counts {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn walks() -> Vec<String> {
    let walk = |day| {
        format!(
            "On walk {day} with the beagle we went along the river to the old mill, past hut {day}, and back again."
        )
    };
    (0..30).map(walk).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_recalled_with_what_it_covers_and_takes_the_place_of_what_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_in(directory.path(), &variables()).await;
    let client = &server.client;
    let turns = say(client, 5, &walks()).await.unwrap();
    let [day] = &covering(client, &[30]).await[..] else { panic!("one day") };
    let asked = |budget, include_digests| RecallRequest {
        scope: mara(),
        query: "Where did we walk with the beagle?".to_owned(),
        limit: Some(60),
        budget_tokens: Some(budget),
        include_digests,
        ..RecallRequest::default()
    };
    let plain = client.recall(&asked(600, None)).await.unwrap();
    assert!(plain.memories.iter().all(|one| one.memory.id != day.id && one.covers.is_empty()));
    assert!(plain.context.left_out >= 3 && plain.context.replaced_ids.is_empty());
    assert_eq!(client.recall(&asked(600, Some(false))).await.unwrap().context, plain.context);

    let recalled = client.recall(&asked(600, Some(true))).await.unwrap();
    let found = recalled.memories.iter().find(|one| one.memory.id == day.id).expect("the digest");
    let covered: BTreeSet<Uuid> = found.covers.iter().copied().collect();
    assert_eq!((covered, found.covers_count), (turns.iter().copied().collect(), Some(30)));
    let block = &recalled.context;
    assert!(block.memory_ids.contains(&day.id) && block.tokens <= 600, "{block:?}");
    assert!(block.replaced_ids.len() >= 3, "{block:?}");
    assert!(block.replaced_ids.iter().all(|id| turns.contains(id) && !block.memory_ids.contains(id)));
    let roomy = client.recall(&asked(20_000, Some(true))).await.unwrap();
    assert!(turns.iter().all(|turn| roomy.context.memory_ids.contains(turn)), "there is room for all");

    client.delete_memory(turns[0]).await.unwrap();
    assert!(of_days(client).await.iter().all(|digest| !digest.covers.contains(&turns[0])));
    covering(client, &[29]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_print_digests_and_the_working_memory_of_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_in(directory.path(), &variables()).await;
    say(&server.client, 5, &["I adopted a beagle. When does the vet open?".to_owned()]).await.unwrap();
    let [day] = &covering(&server.client, &[1]).await[..] else { panic!("one day") };
    let arguments = ["digests", "--user", "mara", "--level", "events_day", "--from", "2024-02-01"];
    let (status, told) = said(&engrain(directory.path(), &arguments));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains(&day.id.to_string()) && told.contains("2024-02-05  events_day"), "{told}");
    assert!(told.contains("covers 1  extractive\n    ") && told.contains("beagle"), "{told}");
    let (status, told) = said(&engrain(directory.path(), &["working-memory", "day-5", "--user", "mara"]));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("1 turns (0 left out)") && told.contains("I adopted a beagle"), "{told}");
    let (status, told) = said(&engrain(directory.path(), &["working-memory", "day-6", "--user", "mara"]));
    assert_eq!(status, Some(4), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_makes_digests_makes_each_of_them_once() {
    let (seed, rounds) = (first_seed(), if is_long_form() { 12 } else { 3 });
    let mut rng = Rng::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start_in(directory.path(), &variables()).await;
    let mut counts: Vec<u32> = Vec::new();
    for day in 1..=rounds {
        let texts: Vec<String> =
            walks().into_iter().take(8).map(|walk| format!("{walk} It was day {day}.")).collect();
        let delay = Duration::from_millis(rng.below(120) as u64);
        let (client, said) = (server.client.clone(), texts.clone());
        let saying = tokio::spawn(async move { say(&client, day, &said).await });
        tokio::time::sleep(delay).await;
        server.kill();
        // Acknowledged or not, it is said again under the same keys.
        drop(saying.await.unwrap());
        server = ServerProcess::start_in(directory.path(), &variables()).await;
        say(&server.client, day, &texts).await.unwrap();
        counts.push(8);
        let found = covering(&server.client, &counts).await;
        let days: BTreeSet<_> = found.iter().map(|digest| digest.day.clone()).collect();
        assert_eq!(days.len(), found.len(), "seed {seed}, {delay:?}: {found:#?}");
    }
    let all = DigestQuery { scope: mara(), level: Some(DigestLevel::EventsAll), ..DigestQuery::default() };
    let began = Instant::now();
    loop {
        let found = server.client.digests(&all).await.unwrap().digests;
        assert!(found.len() <= 1, "seed {seed}: {found:#?}");
        if found.first().is_some_and(|digest| digest.covers_count as usize == rounds) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "seed {seed}: {found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let report = server.client.check(&CheckRequest { repair: false }).await.unwrap();
    assert!(report.healthy, "{:?}", report.findings);
}
