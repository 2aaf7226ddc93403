//! Throughput of thinking: exchanges of many users, from the first add until all queues are empty.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use engrain::Client;
use engrain::wire::{AddTurns, NewTurn, Role, Scope};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{Setting, queues};

/// Number of turns of an exchange, and of its notes.
const TURNS: u64 = 2;
/// Number of exchanges in one request of those that are there before the measurement.
const EXCHANGES_BEFORE: u64 = 50;

const COLOURS: [&str; 16] = [
    "red",
    "green",
    "blue",
    "white",
    "black",
    "yellow",
    "purple",
    "orange",
    "brown",
    "grey",
    "pink",
    "golden",
    "silver",
    "violet",
    "beige",
    "turquoise",
];
const THINGS: [&str; 16] = [
    "lamp", "chair", "bicycle", "kettle", "guitar", "jacket", "carpet", "camera", "teapot", "suitcase",
    "watch", "table", "mirror", "blanket", "radio", "clock",
];
const PLACES: [&str; 16] = [
    "Lisbon", "Porto", "Madrid", "Paris", "Vienna", "Prague", "Rome", "Oslo", "Dublin", "Athens", "Berlin",
    "Zurich", "Krakow", "Riga", "Ghent", "Turin",
];

/// Options of the mode.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Number of users.
    #[arg(long, default_value_t = 50)]
    users: u64,
    /// Total number of exchanges, of two turns each.
    #[arg(long, default_value_t = 2_000)]
    exchanges: u64,
    /// Number of concurrent clients that add them.
    #[arg(long, default_value_t = 8)]
    clients: u64,
    /// Add the exchanges of a user one by one, each after the thinking about the one before it.
    #[arg(long)]
    wait: bool,
    /// Expect notes: fail if the server asked for none (`thinking.notes`, or the profile `amem.paper`).
    #[arg(long)]
    notes: bool,
    /// Expect digests: fail if the server asked for none (`thinking.digests`). A user's day has one from 32 turns on.
    #[arg(long)]
    digests: bool,
    /// Number of notes, of all users together, that are made before the measurement.
    #[arg(long, default_value_t = 0)]
    notes_before: u64,
}

impl Options {
    fn users(&self) -> u64 {
        self.users.max(1)
    }

    /// Number of exchanges of each user that are there before the measurement.
    fn before(&self) -> u64 {
        self.notes_before.div_ceil(self.users().saturating_mul(TURNS))
    }
}

/// Adds all exchanges, waits for the queues and prints the rates.
pub(crate) async fn measure(setting: &Setting, options: &Options) -> Result<(), Box<dyn Error>> {
    fill(setting, options).await?;
    queues::wait_until_empty(&setting.client).await?;
    let counts_before = setting.responder.counts();
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..options.clients)
        .map(|_| {
            let (client, options, next) = (setting.client.clone(), options.clone(), Arc::clone(&next));
            let prefix = setting.user_prefix.clone();
            tokio::spawn(async move { add_users(&client, &prefix, &options, &next).await })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let added = began.elapsed();
    queues::wait_until_empty(&setting.client).await?;
    let took = began.elapsed();
    let count = options.exchanges as f64;
    println!(
        "{} exchanges of {} users: added in {:.2} s ({:.0}/s), thought about in {:.2} s ({:.1} exchanges/s), {} failed jobs",
        options.exchanges,
        options.users,
        added.as_secs_f64(),
        count / added.as_secs_f64(),
        took.as_secs_f64(),
        count / took.as_secs_f64(),
        queues::failed(&setting.client).await?,
    );
    for (is_expected, contracts) in
        [(options.notes, ["evolve", "amem_paper"]), (options.digests, ["digest_day", "digest_global"])]
    {
        let calls = |contract: &&str| {
            let count = |counts: &BTreeMap<String, u64>| counts.get(*contract).copied().unwrap_or_default();
            count(&setting.responder.counts()).saturating_sub(count(&counts_before))
        };
        let calls: u64 = contracts.iter().map(calls).sum();
        if is_expected && calls == 0 {
            return Err(format!("the server made no call of {}", contracts.join(" or ")).into());
        }
    }
    Ok(())
}

/// Adds the exchanges that are there before the measurement, several users at the same time, and says how fast they were
/// thought about.
async fn fill(setting: &Setting, options: &Options) -> Result<(), Box<dyn Error>> {
    let before = options.before();
    if before == 0 {
        return Ok(());
    }
    let began = Instant::now();
    let users = stream::iter(0..options.users()).map(|user| async move {
        for first in (0..before).step_by(EXCHANGES_BEFORE as usize) {
            let mut request = exchange(&setting.user_prefix, user, first, false);
            let more = (first + 1..before.min(first + EXCHANGES_BEFORE))
                .flat_map(|number| exchange(&setting.user_prefix, user, number, false).turns);
            request.turns.extend(more);
            setting.client.add_turns(&request).await?;
        }
        Ok::<(), engrain::Error>(())
    });
    users.buffer_unordered(options.clients.max(1) as usize).try_collect::<Vec<()>>().await?;
    queues::wait_until_empty(&setting.client).await?;
    let (count, took) = ((before * options.users()) as f64, began.elapsed().as_secs_f64());
    println!("before: {count} exchanges in {took:.2} s ({:.1} exchanges/s)", count / took);
    Ok(())
}

/// Adds the next exchanges until there is none. With `wait` a client takes a whole user, otherwise users take turns.
async fn add_users(
    client: &Client,
    prefix: &str,
    options: &Options,
    next: &AtomicU64,
) -> Result<(), engrain::Error> {
    let (users, before) = (options.users(), options.before());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if options.wait {
            if number >= users {
                return Ok(());
            }
            for place in 0..options.exchanges / users {
                client.add_turns(&exchange(prefix, number, before + place, true)).await?;
            }
        } else {
            if number >= options.exchanges {
                return Ok(());
            }
            client.add_turns(&exchange(prefix, number % users, before + number / users, false)).await?;
        }
    }
}

/// Exchange of a user: a statement and a short answer.
pub(crate) fn exchange(prefix: &str, user: u64, number: u64, wait: bool) -> AddTurns {
    let turns = vec![
        NewTurn::new(Role::User, statement(user, number)),
        NewTurn::new(Role::Assistant, "That sounds lovely, I hope you enjoy it for a long time."),
    ];
    let scope = Scope::user(format!("{prefix}{user}"));
    AddTurns { scope, session: None, turns, visibility: None, again: false, wait }
}

/// Statement of a user, another one for each of the first 4,096 numbers.
pub(crate) fn statement(user: u64, number: u64) -> String {
    let of = |words: &[&'static str; 16], number: u64| words[(number % 16) as usize];
    let (colour, thing) = (of(&COLOURS, number), of(&THINGS, number / 16 + user));
    let place = of(&PLACES, number / 256 + number);
    format!(
        "Last weekend I bought a {colour} {thing} at the old flea market in {place}, and I still like it."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_user_differ() {
        let all: std::collections::HashSet<String> = (0..4_096).map(|number| statement(3, number)).collect();
        assert_eq!(all.len(), 4_096);
    }
}
