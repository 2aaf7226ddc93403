//! `engrain-evals forgetting`: which memories are worth keeping when not all can be kept. Policies of forgetting are compared at
//! equal store size, through the API, on conversations and on synthetic worlds. docs/FORGETTING.md has the results.

pub(crate) mod arms;
mod conversations;
mod plot;
mod random;
mod replay;
mod scenario;
mod statistics;
mod table;
mod worlds;

use std::path::PathBuf;

use clap::Args;
use engrain::Client;
use futures::{StreamExt, TryStreamExt, stream};

use self::arms::Gains;
use self::replay::{ArmResult, Manner, replay};
use self::scenario::Scenario;
use self::table::Group;
use crate::dataset::{Benchmark, Dataset};
use crate::failure::Failure;
use crate::progress::Progress;

/// Options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// World to live through; may be repeated: states, preferences, capacity, needs. Default: all four, unless a file is given.
    #[arg(long, value_name = "WORLD", value_parser = worlds::NAMES)]
    world: Vec<String>,
    /// Benchmark file of LoCoMo; may be gzip.
    #[arg(long, value_name = "FILE")]
    locomo: Option<PathBuf>,
    /// Benchmark file of LongMemEval; may be gzip.
    #[arg(long = "longmemeval", value_name = "FILE")]
    longmemeval: Option<PathBuf>,
    /// Number of questions of LongMemEval, each with a history of its own. Default: all.
    #[arg(long, value_name = "N")]
    questions: Option<usize>,
    /// Number of worlds of each kind, each of another seed.
    #[arg(long, value_name = "N", default_value_t = 3)]
    worlds: u64,
    /// Seed of the first world, and of what is asked on the way.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of the memories that is kept, in percent; may be repeated.
    #[arg(long, value_name = "PERCENT", num_args = 1.., default_values_t = [10.0, 20.0, 50.0])]
    keep: Vec<f64>,
    /// Weakest evidence that counts as a use: returned, in_context, cited or confirmed.
    #[arg(long, value_name = "KIND", default_value = "cited")]
    counts_from: String,
    /// Factor on the initial strength of a memory of importance 1.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    importance_gain: f64,
    /// Factor on the initial strength of a memory that is unlike all that was told before. It is measured when a memory is told, so
    /// that users of an earlier run without it need another prefix.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    surprise_gain: f64,
    /// URL of the server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070", env = "ENGRAIN_SERVER")]
    pub(crate) server: String,
    /// Prefix of the user ids. Users of an earlier run with the same prefix have uses of that run: take another.
    #[arg(long, value_name = "P", default_value = "forgetting-")]
    user_prefix: String,
    /// File for a JSON report.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Folder for a plot of each group (SVG).
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Number of scenarios at a time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    concurrency: usize,
}

/// Runs all scenarios, prints their tables, and writes report and plots.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn measure(client: &Client, options: &Options) -> Result<(), Failure> {
    let manner = Manner {
        keep: options.keep.iter().map(|percent| percent / 100.0).collect(),
        counts_from: options.counts_from.clone(),
        gains: Gains { importance: options.importance_gain, surprise: options.surprise_gain },
    };
    let mut groups = Vec::new();
    for (name, scenarios) in scenarios(options)? {
        let group = group(client, &name, scenarios, &manner, options.concurrency).await?;
        println!("{}\n", group.markdown());
        if let Some(folder) = &options.plots {
            plot::draw(&group, &folder.join(format!("{name}.svg")))?;
        }
        groups.push(group);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&groups)?).map_err(Failure::file(file, "written"))?;
    }
    Ok(())
}

/// Scenarios by group.
fn scenarios(options: &Options) -> Result<Vec<(String, Vec<Scenario>)>, Failure> {
    let has_file = options.locomo.is_some() || options.longmemeval.is_some();
    let names: Vec<&str> = match options.world.is_empty() {
        true if has_file => Vec::new(),
        true => worlds::NAMES.to_vec(),
        false => options.world.iter().map(String::as_str).collect(),
    };
    let mut groups = Vec::new();
    for name in names {
        let seeds = options.seed..options.seed.saturating_add(options.worlds);
        let some = seeds.filter_map(|seed| worlds::world(name, seed, &options.user_prefix));
        groups.push((name.to_owned(), some.collect()));
    }
    let files = [
        ("locomo", Benchmark::Locomo, &options.locomo),
        ("longmemeval", Benchmark::LongMemEval, &options.longmemeval),
    ];
    for (name, benchmark, file) in files {
        let Some(file) = file else { continue };
        let wanted = options.questions.filter(|_| benchmark == Benchmark::LongMemEval);
        let dataset = Dataset::open(benchmark, file, &options.user_prefix, wanted)?;
        let mut some = Vec::new();
        for haystack in dataset.haystacks()? {
            some.extend(conversations::scenario(haystack?, options.seed));
        }
        groups.push((name.to_owned(), some));
    }
    Ok(groups)
}

async fn group(
    client: &Client,
    name: &str,
    scenarios: Vec<Scenario>,
    manner: &Manner,
    concurrency: usize,
) -> Result<Group, Failure> {
    let mut progress = Progress::new(name, scenarios.len());
    let memories = scenarios.iter().map(|scenario| scenario.told.count()).sum();
    let rehearsals = scenarios.iter().map(|scenario| scenario.rehearsals.len()).sum();
    let replays =
        stream::iter(scenarios).map(|scenario| async move { replay(client, &scenario, manner).await });
    let results: Vec<Vec<ArmResult>> =
        replays.buffered(concurrency.max(1)).inspect_ok(|_| progress.step()).try_collect().await?;
    Ok(Group::new(name, (memories, rehearsals), &results))
}
