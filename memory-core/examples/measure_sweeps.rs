//! Sweep of a large store while recalls go on: time, peak memory, latency of the recalls before and during it, and whether
//! preview, sweep and restore agree. Over a store that `measure_loads fill DIR MEMORIES` has filled:
//! `measure_sweeps DIR [HOURS [EFFECT]]`.
//!
//! The clock stands HOURS (8.57 for three memories in ten) after the last memory was learned. EFFECT is that of the policy.

#![expect(clippy::print_stdout, reason = "a command line tool")]

mod measured_store;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memory_core::domain::clock::{Clock, SystemClock};
use memory_core::domain::forgotten::Effect;
use memory_core::domain::job::JobState;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::engine::Engine;
use memory_core::forgetting::request::{PreviewSweep, RestoreForgotten, SweepCounts};
use memory_core::jobs::settings::JobSettings;
use memory_core::recall::request::Recall;
use memory_core::retention::Policy;
use memory_core::testing::{CALLER, HashingEmbedders, question, user};

/// Hours after which e^-t is .7.
const HOURS: f64 = 8.57;
const MICROS_PER_HOUR: f64 = 3.6e9;
/// Time for which recalls are measured alone.
const ALONE: Duration = Duration::from_secs(20);
/// Time within which the sweep is over.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pause of the client between two recalls.
const THINK_TIME: Duration = Duration::from_millis(50);

/// The machine's clock, so many microseconds ahead.
#[derive(Clone, Copy)]
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_micros(self.0)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (directory, hours, effect) = match args.as_slice() {
        [directory] => (directory, HOURS, "exclude"),
        [directory, hours] => (directory, hours.parse()?, "exclude"),
        [directory, hours, effect] => (directory, hours.parse()?, *effect),
        _ => return Err("measure_sweeps DIR [HOURS [EFFECT]]".into()),
    };
    let effect = Effect::parse(effect).ok_or("EFFECT is demote, exclude, cold or delete")?;
    #[expect(clippy::cast_possible_truncation, reason = "hours of a command line")]
    let clock = Ahead((hours * MICROS_PER_HOUR) as i64);
    let engine = open(Path::new(directory), clock).await?;
    measure(&engine, clock.now(), effect).await?;
    engine.stop().await;
    Ok(())
}

async fn open(directory: &Path, clock: Ahead) -> Result<Arc<Engine>, Box<dyn Error>> {
    let engine = measured_store::open(directory, Arc::new(clock), true).await?;
    engine.start_jobs(Arc::new(HashingEmbedders), JobSettings::default()).await?;
    Ok(engine)
}

async fn measure(engine: &Arc<Engine>, now: Timestamp, effect: Effect) -> Result<(), Box<dyn Error>> {
    let ann = user("ann")?;
    recall(engine, &ann).await?;
    let alone = Instant::now();
    let mut idle = Vec::new();
    while alone.elapsed() < ALONE {
        idle.push(recall(engine, &ann).await?);
    }
    report("recalls alone", &mut idle);

    let policy = Policy { effect: Some(effect), ..Policy::default() };
    engine.set_forgetting_policy(&CALLER, &ann, Some(policy)).await?;
    let began = Instant::now();
    let before = preview(engine, &ann, now).await?;
    println!("preview: {:.1?}, {} of {} fade", began.elapsed(), before.faded, before.memories);

    recall(engine, &ann).await?;
    println!("before the sweep: {}", Resident::of_this_process());
    let (began, mut most) = (Instant::now(), Resident::default());
    let job = engine.request_sweep(&CALLER, &ann, Some(now), false).await?;
    let mut meanwhile = Vec::new();
    let took = loop {
        meanwhile.push(recall(engine, &ann).await?);
        most = most.max(Resident::of_this_process());
        let state = engine.job(&CALLER, job.id).await?.state;
        if state.is_over() {
            assert_eq!(state, JobState::Done, "the sweep failed");
            break began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "the sweep does not end");
    };
    println!("sweep: {took:.1?}, meanwhile at most {most}");
    report("recalls during the sweep", &mut meanwhile);
    let after = preview(engine, &ann, now).await?;
    assert_eq!((after.faded, after.live), (0, before.live), "the sweep and its preview differ");

    let began = Instant::now();
    let restored = restore_all(engine, &ann).await?;
    println!("restore: {:.1?} for {restored}", began.elapsed());
    assert_eq!(
        (restored, preview(engine, &ann, now).await?),
        (before.faded, before),
        "the restore is not exact"
    );
    println!("preview, sweep and restore agree; now {}", Resident::of_this_process());
    Ok(())
}

async fn preview(engine: &Engine, scope: &Scope, now: Timestamp) -> Result<SweepCounts, Box<dyn Error>> {
    let request = PreviewSweep { scope: scope.clone(), policy: None, now: Some(now), limit: 1, after: None };
    Ok(engine.preview_sweep(&CALLER, request).await?.counts)
}

/// Restores without a use, so that everything is as it was.
async fn restore_all(engine: &Engine, scope: &Scope) -> Result<u64, Box<dyn Error>> {
    let mut restored = 0;
    loop {
        let request = RestoreForgotten { scope: scope.clone(), memories: None, now: None, reinforce: false };
        let answer = engine.restore_forgotten(&CALLER, request).await?;
        restored += answer.restored.len() as u64;
        if answer.left == 0 {
            return Ok(restored);
        }
    }
}

async fn recall(engine: &Engine, scope: &Scope) -> Result<Duration, Box<dyn Error>> {
    // A use would change which memories fade.
    let asked = Recall { reinforce: Some(false), ..question(scope, "word12 word400 word9000") };
    let began = Instant::now();
    engine.recall(&CALLER, asked).await?;
    let took = began.elapsed();
    tokio::time::sleep(THINK_TIME).await;
    Ok(took)
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| {
        times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or_default()
    };
    println!("{what}: {} recalls, p50 {:.1?}, p99 {:.1?}", times.len(), at(50), at(99));
}

/// Resident memory of this process in MiB; 0 where the system does not tell.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Resident {
    /// What the process has allocated.
    anonymous: u64,
    /// Pages of mapped files, which the system takes back when it needs memory.
    of_files: u64,
}

impl Resident {
    fn of_this_process() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
        };
        Self { anonymous: of("RssAnon:"), of_files: of("RssFile:") }
    }
}

impl std::fmt::Display for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MiB allocated and {} MiB of files", self.anonymous, self.of_files)
    }
}
