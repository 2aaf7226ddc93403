//! Costs of thinking about real conversations: calls and tokens per 1,000 turns and per exchange, as the server counts them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engrain::Client;
use engrain::formats::{Batch, ImportOptions, open};
use engrain::wire::{AddTurns, ModelUsage, Scope};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{Setting, queues};

/// Number of turns of an exchange.
const EXCHANGE_TURNS: usize = 2;

/// Options of the mode.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Conversation file, in any format that `engrain import` reads.
    file: PathBuf,
    /// Unit of arrival.
    #[arg(long, value_enum, default_value_t = Arrival::Session)]
    arrival: Arrival,
    /// Number of users of the file, from its beginning.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    users: usize,
    /// Number of users whose turns are added at the same time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
}

/// Unit of arrival of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arrival {
    /// All turns of a session in one request.
    Session,
    /// Two turns a request, each after the thinking about the ones before.
    Exchange,
}

/// Adds the conversations, waits for the queues and prints the costs.
pub(crate) async fn measure(setting: &Setting, options: &Options) -> Result<(), Box<dyn Error>> {
    let import = ImportOptions { user_prefix: setting.user_prefix.clone(), ..ImportOptions::default() };
    let mut users: BTreeMap<String, Vec<AddTurns>> = BTreeMap::new();
    let mut order = BTreeSet::new();
    for item in open(&options.file, &import)? {
        let Batch::Turns(batch) = item?.batch else { continue };
        let user = batch.scope.user_id.clone().unwrap_or_default();
        if !order.contains(&user) && order.len() == options.users {
            break;
        }
        order.insert(user.clone());
        users.entry(user).or_default().push(batch);
    }
    let batches: usize = users.values().map(Vec::len).sum();
    let turns: usize = users.values().flatten().map(|batch| batch.turns.len()).sum();
    // A last turn without an answer is an exchange, too.
    let exchanges: usize =
        users.values().flatten().map(|batch| batch.turns.len().div_ceil(EXCHANGE_TURNS)).sum();
    let scopes: Vec<Scope> = users.keys().map(Scope::user).collect();
    let tasks = users.into_values().map(|batches| add(setting.client.clone(), batches, options.arrival));
    stream::iter(tasks).buffer_unordered(options.clients).try_collect::<Vec<()>>().await?;
    queues::wait_until_empty(&setting.client).await?;
    println!("{} users, {batches} batches, {exchanges} exchanges, {turns} turns", scopes.len());
    report(&usage(&setting.client, &scopes).await?, turns, exchanges);
    println!("{} failed jobs", queues::failed(&setting.client).await?);
    Ok(())
}

async fn add(client: Client, batches: Vec<AddTurns>, arrival: Arrival) -> Result<(), engrain::Error> {
    for batch in batches {
        if arrival == Arrival::Session {
            client.add_turns(&batch).await?;
            continue;
        }
        for turns in batch.turns.chunks(EXCHANGE_TURNS) {
            let exchange = AddTurns { turns: turns.to_vec(), wait: true, ..batch.clone() };
            client.add_turns(&exchange).await?;
        }
    }
    Ok(())
}

/// Usage of all scopes, by task.
async fn usage(client: &Client, scopes: &[Scope]) -> Result<BTreeMap<String, ModelUsage>, engrain::Error> {
    let mut sums: BTreeMap<String, ModelUsage> = BTreeMap::new();
    for scope in scopes {
        for usage in client.thinking(scope).await?.usage_today {
            match sums.get_mut(&usage.task) {
                Some(sum) => {
                    sum.calls += usage.calls;
                    sum.refused_replies += usage.refused_replies;
                    sum.failures += usage.failures;
                    sum.prompt_tokens += usage.prompt_tokens;
                    sum.reply_tokens += usage.reply_tokens;
                }
                None => drop(sums.insert(usage.task.clone(), usage)),
            }
        }
    }
    Ok(sums)
}

fn report(sums: &BTreeMap<String, ModelUsage>, turns: usize, exchanges: usize) {
    let (thousands, exchanges) = (turns as f64 / 1e3, exchanges as f64);
    println!(
        "task, calls, prompt tokens, reply tokens, each per 1,000 turns; calls per exchange; refused, failed"
    );
    let mut calls = 0;
    for (task, usage) in sums {
        calls += usage.calls;
        println!(
            "{task}: {:.1}, {:.0}, {:.0}; {:.3}; {}, {}",
            usage.calls as f64 / thousands,
            usage.prompt_tokens as f64 / thousands,
            usage.reply_tokens as f64 / thousands,
            usage.calls as f64 / exchanges,
            usage.refused_replies,
            usage.failures,
        );
    }
    println!("all calls per exchange: {:.3}", calls as f64 / exchanges);
}
