//! First recall of a cold process against the warm ones that follow, over a store that the same tool fills:
//! `measure_loads fill DIR MEMORIES`, then, each in a process of its own, `measure_loads recall DIR [segments [rested]]`. `rested` waits after the
//! start for what the engine builds in the background, as a server has done when the first question comes.

#![expect(clippy::print_stdout, reason = "a command line tool")]

mod measured_store;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memory_core::domain::clock::SystemClock;
use memory_core::engine::Engine;
use memory_core::testing::rng::Rng;
use memory_core::testing::{CALLER, fact, memories, question, user};

const MEMORIES_PER_CALL: usize = 200;
const WORDS: usize = 30_000;
const WORDS_PER_MEMORY: usize = 14;
/// Longer than what the engine builds at its start takes.
const REST: Duration = Duration::from_secs(1);
const WARM_RECALLS: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["fill", directory, count] => fill(Path::new(directory), count.parse()?).await,
        ["recall", directory] => recall(Path::new(directory), false, false).await,
        ["recall", directory, "segments"] => recall(Path::new(directory), true, false).await,
        ["recall", directory, "segments", "rested"] => recall(Path::new(directory), true, true).await,
        _ => Err("measure_loads fill DIR MEMORIES | measure_loads recall DIR [segments [rested]]".into()),
    }
}

async fn open(directory: &Path, with_segments: bool) -> Result<Arc<Engine>, Box<dyn Error>> {
    measured_store::open(directory, Arc::new(SystemClock), with_segments).await
}

async fn fill(directory: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let engine = open(directory, false).await?;
    let scope = user("ann")?;
    let mut rng = Rng::new(7);
    let words: Vec<usize> = (0..WORDS).collect();
    let mut left = count;
    while left > 0 {
        let now = left.min(MEMORIES_PER_CALL);
        let facts = (0..now).map(|_| {
            // Skewed: the lower of two.
            let word = |rng: &mut Rng| format!("word{}", rng.pick(&words).min(rng.pick(&words)));
            let text: Vec<String> = (0..WORDS_PER_MEMORY).map(|_| word(&mut rng)).collect();
            fact(&text.join(" "))
        });
        let request = memories(&scope, facts.collect());
        engine.remember_memories(&CALLER, request).await?;
        left -= now;
    }
    engine.stop().await;
    Ok(())
}

async fn recall(directory: &Path, with_segments: bool, is_rested: bool) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let engine = open(directory, with_segments).await?;
    let opened = began.elapsed();
    if is_rested {
        tokio::time::sleep(REST).await;
    }
    let ask = || question_of_ann();
    let began = Instant::now();
    let recalled = engine.recall(&CALLER, ask()?).await?;
    let first = began.elapsed();
    let began = Instant::now();
    for _ in 0..WARM_RECALLS {
        engine.recall(&CALLER, ask()?).await?;
    }
    let warm = began.elapsed() / WARM_RECALLS;
    let memories = recalled.searched_memories;
    println!("{memories} memories: opened in {opened:.1?}, first recall {first:.1?}, warm {warm:.2?}");
    engine.stop().await;
    Ok(())
}

fn question_of_ann() -> Result<memory_core::recall::request::Recall, Box<dyn Error>> {
    Ok(question(&user("ann")?, "word12 word400 word9000"))
}
