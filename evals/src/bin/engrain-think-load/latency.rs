//! Latency of adds, one at a time, with and without thinking behind them.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Args;
use engrain::Client;
use engrain::wire::{AddTurns, NewTurn, Role, Scope, SetThinking, ThinkingProfile};

use crate::{Setting, exchanges, queues};

/// Options of the mode.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Number of adds of each phase in each round.
    #[arg(long, default_value_t = 500)]
    adds: u64,
    /// Number of rounds; the phases alternate.
    #[arg(long, default_value_t = 4)]
    rounds: u64,
    /// Number of users whose exchanges are thought about behind the second phase.
    #[arg(long, default_value_t = 20)]
    users: u64,
    /// Number of exchanges of these users in each round. They are added before the phase begins, and a phase ends when
    /// they are thought about.
    #[arg(long, default_value_t = 4_000)]
    exchanges: u64,
    /// Pause between two adds, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
}

/// Measures both phases in turn and prints their percentiles.
pub(crate) async fn measure(setting: &Setting, options: &Options) -> Result<(), Box<dyn Error>> {
    let (client, prefix) = (&setting.client, setting.user_prefix.as_str());
    let off = Scope::user(format!("{prefix}off"));
    let on = Scope::user(format!("{prefix}on"));
    client.add_turns(&single(&off, 0)).await?;
    client.set_thinking(&SetThinking { scope: off.clone(), profile: Some(ThinkingProfile::Off) }).await?;
    let (mut alone, mut behind) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        queues::wait_until_empty(client).await?;
        alone.extend(adds(client, &off, round, options, false).await?);
        backlog(client, prefix, round, options).await?;
        let times = adds(client, &on, round, options, true).await?;
        println!("round {round}: {} adds before the queues were empty", times.len());
        behind.extend(times);
    }
    println!("thinking off: {}", describe(alone));
    println!("while thinking: {}", describe(behind));
    Ok(())
}

/// Adds the exchanges of a round.
async fn backlog(client: &Client, prefix: &str, round: u64, options: &Options) -> Result<(), engrain::Error> {
    let each = options.exchanges / options.users.max(1);
    for user in 0..options.users {
        let mut request = exchanges::exchange(prefix, user, 0, false);
        request.turns = (0..each)
            .flat_map(|number| exchanges::exchange(prefix, user, round * each + number, false).turns)
            .collect();
        client.add_turns(&request).await?;
    }
    Ok(())
}

/// Adds single turns one after the other; with `while_thinking` only as long as something is thought about.
async fn adds(
    client: &Client,
    scope: &Scope,
    round: u64,
    options: &Options,
    while_thinking: bool,
) -> Result<Vec<Duration>, engrain::Error> {
    /// Number of adds between two looks at the queues.
    const LOOK_EVERY: u64 = 25;
    let mut times = Vec::new();
    for number in 0..options.adds {
        if while_thinking && number % LOOK_EVERY == 0 && queues::are_empty(client).await? {
            break;
        }
        let request = single(scope, 1 + round * options.adds + number);
        let began = Instant::now();
        client.add_turns(&request).await?;
        times.push(began.elapsed());
        if options.pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(options.pause_ms)).await;
        }
    }
    Ok(times)
}

fn single(scope: &Scope, number: u64) -> AddTurns {
    let turns = vec![NewTurn::new(Role::User, exchanges::statement(0, number))];
    AddTurns { scope: scope.clone(), session: None, turns, visibility: None, again: false, wait: false }
}

fn describe(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 - 1.0) * share).round() as usize;
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    format!("p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms over {} adds", at(0.5), at(0.95), at(0.99), times.len())
}
