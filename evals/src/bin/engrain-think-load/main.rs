//! Load generator of thinking: throughput of thinking behind a running server, latency of adds in front of it, and calls and
//! tokens per turn, measured through the SDK.
//!
//! The language model is an instant responder in this process, on a real socket ([`responder`]). The server is started with
//! it as the back end of the tasks to measure, so that the measurement has everything but the model.

#![expect(clippy::print_stdout, reason = "a command line tool")]

mod costs;
mod exchanges;
mod latency;
mod queues;
mod replies;
mod responder;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use engrain::Client;

use self::responder::Responder;

/// Timeout of one request: an add with `wait` answers after thinking.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Measure thinking behind a running Engrain server.
#[derive(Debug, Parser)]
struct Args {
    /// URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:7070", global = true)]
    server: String,
    /// Address of the responder. The server's back end has the URL `http://ADDRESS/v1`.
    #[arg(long, default_value = "127.0.0.1:7171", global = true)]
    model_listen: SocketAddr,
    /// Time that the responder takes for a reply, in milliseconds.
    #[arg(long, default_value_t = 0, global = true)]
    model_delay_ms: u64,
    /// Prefix of the user ids.
    #[arg(long, default_value = "think-", global = true)]
    user_prefix: String,
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Exchanges per second, from the first add until all queues of thinking are empty.
    Throughput(exchanges::Options),
    /// Latency of single turns, one at a time: of an owner that is not thought about, and while exchanges of other users
    /// are thought about.
    Latency(latency::Options),
    /// Calls and tokens of thinking about a conversation file.
    Costs(costs::Options),
}

/// Options of every mode.
struct Setting {
    client: Client,
    user_prefix: String,
    responder: Responder,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let responder = responder::start(args.model_listen, Duration::from_millis(args.model_delay_ms)).await?;
    let client = Client::builder(&args.server).timeout(REQUEST_TIMEOUT).build()?;
    let version = client.version().await?;
    println!("server {} {}, embedder {}", version.name, version.version, version.embedder);
    let setting = Setting { client, user_prefix: args.user_prefix, responder };
    match &args.mode {
        Mode::Throughput(options) => exchanges::measure(&setting, options).await?,
        Mode::Latency(options) => latency::measure(&setting, options).await?,
        Mode::Costs(options) => costs::measure(&setting, options).await?,
    }
    let counts = setting.responder.counts();
    let counts: Vec<String> =
        counts.iter().map(|(contract, number)| format!("{number} {contract}")).collect();
    println!("replies of the responder: {}", counts.join(", "));
    Ok(())
}
