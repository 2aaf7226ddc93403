//! Load generator: throughput and latency of a running server, measured through the SDK.
//!
//! Texts and vectors are generated from a seed, so that a run is repeatable: sentences with the word frequencies of
//! real conversations, and vectors around a thousand centres, like embeddings of real texts. With `--embed` the server
//! embeds; otherwise requests have vectors, and the measurement excludes the model.

#![expect(clippy::print_stdout, reason = "a command line tool")]

#[path = "../split_mix.rs"]
mod split_mix;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use engrain::Client;
use engrain::wire::{AddTurns, ForgettingPolicy, NewTurn, RecallRequest, Role, Scope, SetForgettingPolicy};

/// Measure throughput and latency of a running Engrain server.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    server: String,
    /// User id of the memories; with several users, the prefix of their ids.
    #[arg(long, default_value = "load")]
    user: String,
    /// Number of users; each recall is for one of them, chosen at random.
    #[arg(long, default_value_t = 1)]
    users: u64,
    /// Number of memories of each user before the recalls, including existing ones.
    #[arg(long, default_value_t = 10_000)]
    memories: u64,
    /// Number of turns per request while writing.
    #[arg(long, default_value_t = 100)]
    batch: u64,
    /// Number of concurrent clients of the recalls; may be repeated.
    #[arg(long, default_values_t = [1, 4])]
    clients: Vec<u64>,
    /// Number of recalls per client.
    #[arg(long, default_value_t = 200)]
    recalls: u64,
    /// Total number of single-turn adds, from 8 clients.
    #[arg(long, default_value_t = 2_000)]
    single_adds: u64,
    /// Let the server embed texts and queries instead of sending vectors.
    #[arg(long)]
    embed: bool,
    /// Uses that recalls record: those of the policy of the server, none, or one of every memory in the context block, which sets
    /// a policy without a refractory interval for each user.
    #[arg(long, value_enum, default_value_t = Uses::Default)]
    uses: Uses,
    /// Seed of the generated texts and vectors.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Uses that recalls record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Uses {
    Default,
    None,
    Every,
}

impl Args {
    fn user_name(&self, number: u64) -> String {
        if self.users == 1 { self.user.clone() } else { format!("{}-{number}", self.user) }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let client = Client::new(&args.server)?;
    let version = client.version().await?;
    let made = Arc::new(Made { dimension: version.dimension as usize, embed: args.embed });
    println!("server {} {}, embedder {}", version.name, version.version, version.embedder);
    fill_all(&client, &args, &made).await?;
    if args.single_adds > 0 {
        add_one_by_one(&client, &args, &made).await?;
    }
    if args.uses == Uses::Every {
        use_every_memory(&client, &args).await?;
    }
    recall(&client, &args, &made, 1, 20.min(args.recalls)).await?; // reads the scope into memory, warms the model
    for clients in &args.clients {
        let times = recall(&client, &args, &made, *clients, args.recalls).await?;
        println!("recall, {clients} clients: {}", times.describe());
    }
    Ok(())
}

/// Number of users filled concurrently.
const FILLING: u64 = 8;

/// Fills all users.
async fn fill_all(client: &Client, args: &Args, made: &Arc<Made>) -> Result<(), Box<dyn Error>> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..FILLING.min(args.users))
        .map(|_| {
            let (client, made, next, args) = (client.clone(), made.clone(), next.clone(), args.clone());
            tokio::spawn(async move {
                let mut written = 0;
                loop {
                    let user = next.fetch_add(1, Ordering::Relaxed);
                    if user >= args.users {
                        return Ok::<_, engrain::Error>(written);
                    }
                    written += fill(&client, &args, &made, &args.user_name(user)).await?;
                }
            })
        })
        .collect();
    let clients = tasks.len();
    let mut written = 0;
    for task in tasks {
        written += task.await??;
    }
    if written > 0 {
        let per_second = written as f64 / began.elapsed().as_secs_f64();
        let batch = args.batch.min(args.memories);
        println!("adds, {batch} a call, {clients} clients: {per_second:.0} turns/s over {written}");
    }
    Ok(())
}

/// Writes turns until a user has the requested number of memories; returns the number of turns written.
async fn fill(client: &Client, args: &Args, made: &Made, user: &str) -> Result<u64, engrain::Error> {
    let scope = Scope::user(user);
    let list = engrain::wire::ListMemories { scope: scope.clone(), limit: Some(1), ..Default::default() };
    let present = client.list_memories(&list).await?.total;
    let wanted = args.memories.saturating_sub(present);
    let mut written = 0;
    while written < wanted {
        let count = args.batch.min(wanted - written);
        let first = present + written;
        let turns = (first..first + count).map(|number| made.turn(args.seed, number)).collect();
        let session = Some(format!("session-{}", first / 1_000));
        client
            .add_turns(&AddTurns {
                scope: scope.clone(),
                session,
                turns,
                visibility: None,
                again: false,
                wait: false,
            })
            .await?;
        written += count;
    }
    Ok(written)
}

/// Gives each user a policy under which every memory in a context block is used.
async fn use_every_memory(client: &Client, args: &Args) -> Result<(), engrain::Error> {
    for user in 0..args.users {
        let policy = Some(ForgettingPolicy { refractory_seconds: 0, ..ForgettingPolicy::default() });
        let scope = Scope::user(args.user_name(user));
        client.set_forgetting_policy(&SetForgettingPolicy { scope, policy }).await?;
    }
    Ok(())
}

/// Adds single turns from eight clients, each to its own user.
async fn add_one_by_one(client: &Client, args: &Args, made: &Arc<Made>) -> Result<(), Box<dyn Error>> {
    const CLIENTS: u64 = 8;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, made, next, args) = (client.clone(), made.clone(), next.clone(), args.clone());
            tokio::spawn(async move {
                let scope = Scope::user(format!("{}-single-{number}", args.user));
                let mut times = Times::default();
                loop {
                    let count = next.fetch_add(1, Ordering::Relaxed);
                    if count >= args.single_adds {
                        return Ok::<_, engrain::Error>(times);
                    }
                    let turns = vec![made.turn(args.seed + 7, count)];
                    let request = AddTurns {
                        scope: scope.clone(),
                        session: None,
                        turns,
                        visibility: None,
                        again: false,
                        wait: false,
                    };
                    let began = Instant::now();
                    client.add_turns(&request).await?;
                    times.each.push(began.elapsed());
                }
            })
        })
        .collect();
    let mut all = Times::default();
    for task in tasks {
        all.each.extend(task.await??.each);
    }
    let per_second = args.single_adds as f64 / began.elapsed().as_secs_f64();
    println!("adds, one by one, {CLIENTS} clients: {per_second:.0}/s; {}", all.describe());
    Ok(())
}

/// Recalls from concurrent clients, each with its own query.
async fn recall(
    client: &Client,
    args: &Args,
    made: &Arc<Made>,
    clients: u64,
    each: u64,
) -> Result<Times, Box<dyn Error>> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (client, made, args) = (client.clone(), made.clone(), args.clone());
            tokio::spawn(async move {
                let mut times = Times::default();
                for count in 0..each {
                    let request = made.question(&args, (number + 1) * 1_000_003 + count * 31 + clients);
                    let began = Instant::now();
                    let took = client.recall(&request).await?.timings;
                    times.each.push(began.elapsed());
                    times.search_ms.push(took.search_ms);
                    times.assemble_ms.push(took.assemble_ms);
                }
                Ok::<_, engrain::Error>(times)
            })
        })
        .collect();
    let mut all = Times::default();
    for task in tasks {
        let times = task.await??;
        all.each.extend(times.each);
        all.search_ms.extend(times.search_ms);
        all.assemble_ms.extend(times.assemble_ms);
    }
    all.took = began.elapsed();
    Ok(all)
}

/// Latency of each call, and total duration.
#[derive(Debug, Default)]
struct Times {
    each: Vec<Duration>,
    /// Durations of recalls reported by the server: search, and assembly.
    search_ms: Vec<f32>,
    assemble_ms: Vec<f32>,
    took: Duration,
}

fn median(times_ms: &mut [f32]) -> f32 {
    times_ms.sort_unstable_by(f32::total_cmp);
    times_ms.get(times_ms.len() / 2).copied().unwrap_or_default()
}

impl Times {
    fn describe(mut self) -> String {
        self.each.sort_unstable();
        let at = |share: f64| {
            let index = ((self.each.len() as f64 - 1.0) * share).round() as usize;
            self.each.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let rate = if self.took.is_zero() {
            String::new()
        } else {
            format!(", {:.0}/s", self.each.len() as f64 / self.took.as_secs_f64())
        };
        let inside = if self.search_ms.is_empty() {
            String::new()
        } else {
            let (search, assemble) = (median(&mut self.search_ms), median(&mut self.assemble_ms));
            format!(" (search {search:.2}, load and assemble {assemble:.2})")
        };
        format!("p50 {:.2} ms{inside}, p95 {:.2} ms, p99 {:.2} ms{rate}", at(0.5), at(0.95), at(0.99))
    }
}

/// Generator of texts and vectors.
struct Made {
    dimension: usize,
    embed: bool,
}

const CENTRES: u64 = 1_000;
/// Number of content words in the vocabulary.
const VOCABULARY: f64 = 20_000.0;
/// With it, a question has some four words that count, and the shares of memories that have each of them add up to .3:
/// in LoCoMo they are 4.2 and .32, in LongMemEval 7.8 and .29.
const ZIPF_SHIFT: f64 = 1.2;
const FUNCTION_WORDS: [&str; 40] = [
    "the", "to", "i", "and", "a", "of", "you", "in", "that", "it", "for", "is", "my", "with", "on", "was",
    "so", "have", "me", "be", "at", "but", "this", "are", "we", "can", "not", "if", "your", "about", "they",
    "as", "do", "what", "or", "from", "all", "by", "when", "an",
];

impl Made {
    fn turn(&self, seed: u64, number: u64) -> NewTurn {
        let mut random = Random::new(seed, number);
        let mut turn = NewTurn::new(
            if number.is_multiple_of(2) { Role::User } else { Role::Assistant },
            random.text(12, 34),
        );
        turn.vector = self.vector(&mut random);
        turn
    }

    fn question(&self, args: &Args, number: u64) -> RecallRequest {
        let mut random = Random::new(args.seed + 1, number);
        let query = random.text(6, 12);
        let vector = self.vector(&mut random);
        let user = args.user_name(random.below(args.users));
        let reinforce = (args.uses == Uses::None).then_some(false);
        RecallRequest { scope: Scope::user(user), query, vector, reinforce, ..RecallRequest::default() }
    }

    /// Centre with noise: the best cosines of a query are around .7 to .8.
    fn vector(&self, random: &mut Random) -> Option<Vec<f32>> {
        if self.embed {
            return None;
        }
        let mut centre = Random::new(0, random.below(CENTRES));
        Some((0..self.dimension).map(|_| 0.5 + centre.normal() + 0.6 * random.normal()).collect())
    }
}

/// Random numbers of a seed, the same everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Approximately normal number: the sum of four uniform ones, scaled to variance 1.
    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..4).map(|_| self.unit() - 0.5).sum();
        (sum * 3f64.sqrt()) as f32
    }

    /// Words as people use them: half are function words, and of the others the commoner a word, the sooner it comes
    /// again (Zipf's law in Mandelbrot's form). [`ZIPF_SHIFT`] says what this is held against.
    fn text(&mut self, least: u64, most: u64) -> String {
        let count = least + self.below(most - least);
        let words: Vec<String> = (0..count)
            .map(|_| {
                if self.unit() < 0.5 {
                    let rank = self.zipf_rank(1.0, FUNCTION_WORDS.len() as f64);
                    return FUNCTION_WORDS[rank.min(FUNCTION_WORDS.len() - 1)].to_owned();
                }
                word(self.zipf_rank(ZIPF_SHIFT, VOCABULARY) as u64)
            })
            .collect();
        words.join(" ")
    }

    /// Rank below `ranks`, with a probability about proportional to 1 / (rank + `shift`).
    fn zipf_rank(&mut self, shift: f64, ranks: f64) -> usize {
        (shift * (((ranks + shift) / shift).powf(self.unit()) - 1.0)) as usize
    }
}

/// Pronounceable word for a rank.
fn word(rank: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "den", "fi", "gor", "ha", "kel", "lu", "mi", "nor", "pa", "ri", "sol", "ta", "ven", "wa", "xi",
        "yo", "zu", "cha", "tre",
    ];
    let mut rest = rank + 20;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(SYLLABLES[(rest % 20) as usize]);
        rest /= 20;
    }
    word
}
