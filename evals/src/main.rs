//! `engrain-evals`: retrieval quality of a running Engrain server on benchmarks, measured through the SDK. The README
//! of this crate defines the measures.
//!
//! This file has the arguments and is the only one that reads the system clock.

mod ask;
mod dataset;
mod facts;
mod failure;
mod forgetting;
mod ingest;
mod metrics;
mod progress;
mod report;
mod run;
mod sample;
mod scores;
mod split_mix;
mod state_order;

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use engrain::Client;
use engrain::wire::Weights;
use jiff::Timestamp;

use crate::ask::{Manner, RECALL_LIMIT_MEMORIES};
use crate::dataset::{Benchmark, Dataset};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::metrics::Percentiles;
use crate::report::{Data, Ingest, Questions, Recall, Report, Settings, Tool};
use crate::run::Outcome;

/// Timeout of one request. Turns are embedded before they are acknowledged, and benchmark texts are long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Measure the retrieval quality of a running Engrain server.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    benchmark: Choice,
}

#[derive(Debug, Subcommand)]
enum Choice {
    /// Recall of evidence sessions; every question has its own haystack and user.
    #[command(name = "longmemeval")]
    LongMemEval(Options),
    /// Recall of evidence turns; every conversation is a user, who is asked all questions about it.
    Locomo(Options),
    /// Policies of forgetting at equal store size, on conversations and on synthetic worlds.
    Forgetting(forgetting::Options),
}

#[derive(Debug, Args)]
struct Options {
    /// Benchmark file, as published; may be gzip.
    file: PathBuf,
    /// Number of questions to ask, stratified by type and evenly spread over the file. Default: all.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    questions: Option<usize>,
    /// Cut-off in sessions or turns; may be repeated. Default: 1 3 5 10 30 50 for LongMemEval, 1 5 10 20 50 for
    /// LoCoMo.
    #[arg(long, value_name = "K", num_args = 1.., value_parser = cutoff)]
    limit: Vec<usize>,
    /// URL of the server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070", env = "ENGRAIN_SERVER")]
    server: String,
    /// Prefix of the user ids. Users of an earlier run with the same prefix are used again.
    #[arg(long, value_name = "P", default_value = "evals-")]
    user_prefix: String,
    /// File for a JSON report.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rerank the best candidates with the cross-encoder.
    #[arg(long)]
    rerank: bool,
    /// Number of candidates to rerank, 1 to 200. Default: the server's setting.
    #[arg(long, value_name = "N", requires = "rerank")]
    rerank_candidates: Option<u32>,
    /// Weight of a signal in every request, such as `time=0.3`; may be repeated. Default: the server's settings.
    #[arg(long, value_name = "NAME=WEIGHT", value_parser = weight)]
    weight: Vec<(String, f32)>,
    /// Place of recalled facts in a ranking. With `rank` and `evidence` the questions wait for the thinking about the turns.
    #[arg(long, value_enum, default_value_t)]
    facts: Facts,
    /// Number of concurrent requests.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    concurrency: usize,
    /// Keep the users that this run has written.
    #[arg(long)]
    keep: bool,
    /// Date of the report (RFC 3339). Default: now.
    #[arg(long, value_name = "MOMENT")]
    date: Option<Timestamp>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a number from 1".to_owned())
}

fn weight(text: &str) -> Result<(String, f32), String> {
    let parsed =
        text.split_once('=').and_then(|(name, weight)| Some((name.to_owned(), weight.parse().ok()?)));
    parsed.ok_or_else(|| "must be a name, an equals sign and a number".to_owned())
}

fn cutoff(text: &str) -> Result<usize, String> {
    let most = RECALL_LIMIT_MEMORIES as usize;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to {most}: no recall brings more"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let date = |options: &Options| options.date.unwrap_or_else(Timestamp::now);
    let measured = match Command::parse().benchmark {
        Choice::LongMemEval(options) => measure(Benchmark::LongMemEval, &options, date(&options)).await,
        Choice::Locomo(options) => measure(Benchmark::Locomo, &options, date(&options)).await,
        Choice::Forgetting(options) => match connected(&options.server) {
            Ok(client) => forgetting::measure(&client, &options).await,
            Err(failure) => Err(failure),
        },
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut cause: Option<&dyn std::error::Error> = Some(&failure);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn connected(server: &str) -> Result<Client, Failure> {
    let client = Client::builder(server).timeout(REQUEST_TIMEOUT).build();
    client.map_err(Failure::server("cannot set up a client"))
}

/// Runs a benchmark, prints its table and writes its report.
#[expect(clippy::print_stdout, reason = "a command line tool")]
async fn measure(benchmark: Benchmark, options: &Options, date: Timestamp) -> Result<(), Failure> {
    let client = connected(&options.server)?;
    let server = client.version().await.map_err(Failure::server("cannot ask the server who it is"))?;
    if let Some(file) = &options.json {
        // An unwritable report file must fail now, not hours later.
        OpenOptions::new().create(true).append(true).open(file).map_err(Failure::file(file, "written"))?;
    }
    let data = Data::of(&options.file)?;
    let dataset = Dataset::open(benchmark, &options.file, &options.user_prefix, options.questions)?;
    let manner = Manner {
        rerank: options.rerank,
        rerank_candidates: options.rerank_candidates,
        weights: weights(&options.weight)?,
        facts: options.facts,
    };
    let outcome = run::run(&client, &dataset, manner, options.concurrency, options.keep).await?;

    let mut cutoffs = options.limit.clone();
    if cutoffs.is_empty() {
        cutoffs.extend(benchmark.cutoffs());
    }
    cutoffs.sort_unstable();
    cutoffs.dedup();
    let asked = || outcome.asked.iter().map(|asked| (&asked.question, asked.ranking.as_slice()));
    let report = Report {
        benchmark,
        date: date.to_string(),
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        server,
        data,
        questions: Questions {
            in_file: dataset.questions_in_file,
            asked: outcome.asked.len(),
            left_out: dataset.left_out,
        },
        ingest: ingest_report(&dataset, &outcome),
        recall: recall_report(&outcome, &cutoffs),
        metrics: scores::averages(asked(), benchmark.measures(), &cutoffs),
        state_order: state_order::shares(asked()),
        settings: Settings {
            unit: benchmark.unit(),
            cutoffs,
            recall_limit_memories: RECALL_LIMIT_MEMORIES,
            manner,
            concurrency: options.concurrency,
            user_prefix: options.user_prefix.clone(),
        },
    };
    print!("{}", report.table());
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()?).map_err(Failure::file(file, "written"))?;
    }
    Ok(())
}

/// The weights of `--weight` as a part of a request. A name that the API does not have is refused.
fn weights(named: &[(String, f32)]) -> Result<Option<Weights>, Failure> {
    if named.is_empty() {
        return Ok(None);
    }
    let object =
        named.iter().map(|(name, weight)| (name.clone(), serde_json::Value::from(*weight))).collect();
    Ok(Some(serde_json::from_value(serde_json::Value::Object(object))?))
}

fn ingest_report(dataset: &Dataset, outcome: &Outcome) -> Ingest {
    let (sent, took_s) = (outcome.turns_sent, outcome.ingest_took.as_secs_f64());
    Ingest {
        haystacks: dataset.haystacks,
        turns_sent: sent,
        turns_present: outcome.turns_present,
        took_s,
        turns_per_second: (sent > 0).then(|| sent as f64 / took_s),
    }
}

fn recall_report(outcome: &Outcome, cutoffs: &[usize]) -> Recall {
    let cut_short = |cutoff: usize| outcome.asked.iter().filter(|asked| asked.cut_short(cutoff)).count();
    Recall {
        latency_ms: Percentiles::of(outcome.asked.iter().map(|asked| asked.took).collect()),
        degraded: outcome.asked.iter().filter(|asked| asked.degraded).count(),
        cut_short: cutoffs.iter().map(|&cutoff| (cutoff, cut_short(cutoff))).collect(),
        fewest_units: outcome.asked.iter().map(|asked| asked.ranking.len()).min().unwrap_or_default(),
    }
}
