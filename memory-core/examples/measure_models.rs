//! Measures the local models on this machine: speed of one thread and of all, latency of a query, memory.
//!
//! It exists so that the figures of ADR 0006 can be taken again: run it on a quiet machine with
//! `cargo run --release -p memory-core --features fastembed --example measure_models`. With a model's name and a file
//! after it, only the file's lines are embedded, by as many workers as the server has: what adding them can be held
//! against.

use std::error::Error;
use std::time::{Duration, Instant};

use memory_core::model::catalogue::ModelCache;
use memory_core::model::cross_encoder::{LocalReranker, LocalRerankerSettings};
use memory_core::model::local::{LocalEmbedder, LocalEmbedderSettings};
use memory_core::model::session::ModelLocation;
use memory_core::model::{Embedder, Reranker};

const SENTENCE: &str =
    "She moved from Hamburg to Lisbon in May, and keeps the bicycle of her brother there. ";
/// By the tokeniser of both models; a text has two special tokens besides.
const SENTENCE_TOKENS: usize = 18;
const QUERY: &str = "Where did she live before she moved to Lisbon with her brother?";

#[expect(clippy::print_stdout, reason = "its purpose is to print figures")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).unwrap_or_else(|| LocalEmbedderSettings::default().model);
    let cache = ModelCache::from_environment(|name| std::env::var_os(name)).ok_or("set ENGRAIN_CACHE")?;
    let location = ModelLocation { cache, runtime_library: None };
    println!("{model}\nat start: {}", resident());
    if let Some(file) = std::env::args().nth(2) {
        return lines(
            &LocalEmbedder::open(&location, LocalEmbedderSettings { model, ..Default::default() })?,
            &file,
        )
        .await;
    }
    let begun = Instant::now();
    let one = LocalEmbedderSettings {
        model: model.clone(),
        passage_workers: 1,
        idle_release_s: 2,
        ..Default::default()
    };
    let embedder = LocalEmbedder::open(&location, one.clone())?;
    println!("opened in {} ms, with the query session: {}", begun.elapsed().as_millis(), resident());

    embedder.embed_query(QUERY).await?;
    let mut times = Vec::new();
    let cpu = cpu_s();
    for _ in 0..200 {
        let begun = Instant::now();
        embedder.embed_query(QUERY).await?;
        times.push(begun.elapsed());
    }
    let cpu_ms = (cpu_s() - cpu) * 1e3 / 200.0;
    println!("query of {} words: {}, {cpu_ms:.1} ms of CPU", QUERY.split(' ').count(), percentiles(times));

    passages(&embedder, "1 worker").await?;
    println!("query and 1 passage session: {}", resident());
    let text = SENTENCE.repeat(10_000_000 / SENTENCE.len());
    let begun = Instant::now();
    let spans = embedder.split(&text).len();
    println!("10 MB split into {spans} spans in {} ms", begun.elapsed().as_millis());
    drop(embedder);

    let embedder = LocalEmbedder::open(&location, LocalEmbedderSettings { passage_workers: 2, ..one })?;
    passages(&embedder, "2 workers").await?;
    println!("query and 2 passage sessions: {}", resident());

    let reranker = LocalReranker::open(
        &location,
        LocalRerankerSettings { workers: 2, idle_release_s: 2, ..Default::default() },
    )?;
    for words in [20, 60, 120] {
        let passage: String = SENTENCE.split_inclusive(' ').cycle().take(words).collect();
        let pairs = vec![passage; 20];
        reranker.score(QUERY, &pairs, None).await?;
        let (begun, cpu) = (Instant::now(), cpu_s());
        reranker.score(QUERY, &pairs, None).await?;
        println!(
            "rerank 20 passages of {words} words, 2 workers: {} ms, {:.1} ms of CPU each",
            begun.elapsed().as_millis(),
            (cpu_s() - cpu) * 1e3 / 20.0
        );
    }
    println!("with 2 reranking sessions as well: {}", resident());
    tokio::time::sleep(Duration::from_secs(4)).await;
    println!("idle, only the query session kept: {}", resident());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "its purpose is to print figures")]
async fn lines(embedder: &LocalEmbedder, file: &str) -> Result<(), Box<dyn Error>> {
    let texts: Vec<String> = std::fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    embedder.embed_passages(&texts[..texts.len().min(4)]).await?;
    let begun = Instant::now();
    embedder.embed_passages(&texts).await?;
    let per_second = texts.len() as f64 / begun.elapsed().as_secs_f64();
    println!("{} lines of {file}: {per_second:.0} a second", texts.len());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "its purpose is to print figures")]
async fn passages(embedder: &LocalEmbedder, label: &str) -> Result<(), Box<dyn Error>> {
    for (sentences, count) in [(1, 200), (6, 60), (13, 40), (26, 20)] {
        let tokens = sentences * SENTENCE_TOKENS + 2;
        if tokens > embedder.identity().max_tokens {
            continue;
        }
        let texts = vec![SENTENCE.repeat(sentences); count];
        embedder.embed_passages(&texts[..2]).await?;
        let (begun, cpu) = (Instant::now(), cpu_s());
        embedder.embed_passages(&texts).await?;
        let (took_s, cpu_s) = (begun.elapsed().as_secs_f64(), cpu_s() - cpu);
        println!(
            "{label}, passages of {tokens} tokens: {:.0} tokens/s, {:.0} tokens/s of CPU, {:.1} ms of CPU each",
            (tokens * count) as f64 / took_s,
            (tokens * count) as f64 / cpu_s,
            cpu_s * 1e3 / count as f64
        );
    }
    Ok(())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("median {:.1} ms, 95th percentile {:.1} ms", at(0.5), at(0.95))
}

/// Processor time of all threads of this process, in seconds to the hundredth, as Linux counts it: on a machine that
/// others use too, it says more than the clock on the wall.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |at: usize| after_name.split(' ').nth(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or(f64::NAN) + ticks(12).unwrap_or(f64::NAN)) / 100.0
}

/// Resident and highest resident memory of this process, as Linux counts it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
    };
    match (field("VmRSS:"), field("VmHWM:")) {
        (Some(now), Some(peak)) => format!("{now} MiB resident, {peak} at most"),
        _ => "resident memory unknown on this system".into(),
    }
}
