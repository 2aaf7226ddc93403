//! Kills of servers while sweeps forget and erase: `erasures.rs` has erasures of callers beside sweeps, `sweeps.rs` sweeps
//! alone, compared with those of a twin that was never killed, and erasures after the grace period.
//!
//! No sweep is as of the future, so that the memories tell of the past.

mod erasures;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use engrain::Client;
use engrain::client::{ForgottenQuery, JobQuery};
use engrain::wire::{
    AddMemories, ForgettingPolicy, ForgottenMemory, InitialStrengths, Job, JobState, NewMemory, PreviewSweep,
    PreviewedSweep, RecallFeedback, Scope, SetForgettingPolicy, SweepMemories, SweptMemory,
};
use memory_core::domain::time::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use super::ledger::{Ledger, PATIENCE, by_word, files, word_of};

/// Bytes of an id, and of an id in words.
const ID: usize = 16;
const ID_TEXT: usize = 36;

/// Policy under which notes hardly fade.
fn policy(effect: &str) -> ForgettingPolicy {
    ForgettingPolicy {
        effect: effect.to_owned(),
        grace_days: 0,
        initial_strengths: InitialStrengths { note: 10_000.0, ..InitialStrengths::default() },
        ..ForgettingPolicy::default()
    }
}

async fn set_policy(client: &Client, user: &str, policy: ForgettingPolicy) {
    let request = SetForgettingPolicy { scope: Scope::user(user), policy: Some(policy) };
    client.set_forgetting_policy(&request).await.unwrap();
}

/// The present.
#[expect(clippy::disallowed_methods, reason = "sweeps judge as of the time of the server process")]
fn present() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn sweep_of(user: &str, now: Option<Timestamp>, wait: bool) -> SweepMemories {
    SweepMemories { scope: Scope::user(user), now: now.map(|now| now.to_string()), wait }
}

/// Sweeps as of a moment, `None` for the present, and waits for the end.
async fn swept(client: &Client, user: &str, now: Option<Timestamp>, context: &str) -> Job {
    let job = client.sweep_memories(&sweep_of(user, now, true)).await.unwrap();
    assert_eq!(job.state, JobState::Done, "{context}: {job:?}");
    job
}

/// Preview of a sweep with its changes, and the memories that it would erase.
async fn previewed(client: &Client, user: &str, now: Timestamp) -> (PreviewedSweep, BTreeSet<Uuid>) {
    let mut all: Vec<SweptMemory> = Vec::new();
    let mut request = PreviewSweep {
        scope: Scope::user(user),
        now: Some(now.to_string()),
        limit: Some(1_000),
        ..PreviewSweep::default()
    };
    loop {
        let page = client.preview_sweep(&request).await.unwrap();
        all.extend(page.changes.iter().cloned());
        request.cursor.clone_from(&page.next_cursor);
        if request.cursor.is_none() {
            let erased = all.iter().filter(|one| one.change == "erase").map(|one| one.id).collect();
            return (PreviewedSweep { changes: all, ..page }, erased);
        }
    }
}

/// Records of forgetting of a user.
async fn forgotten(client: &Client, user: &str) -> BTreeMap<Uuid, ForgottenMemory> {
    let (mut all, mut cursor) = (BTreeMap::new(), None);
    loop {
        let (scope, limit) = (Scope::user(user), Some(1_000));
        let query = ForgottenQuery { scope, limit, cursor, ..Default::default() };
        let page = client.forgotten(&query).await.unwrap();
        all.extend(page.memories.into_iter().map(|one| (one.id, one)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// Waits until no job waits or runs; none may have failed.
async fn jobs_ended(client: &Client, context: &str) {
    let began = Instant::now();
    loop {
        let mut open = Vec::new();
        for state in [JobState::Failed, JobState::Waiting, JobState::Running] {
            let query = JobQuery { state: Some(state), ..JobQuery::default() };
            let jobs = client.jobs(&query).await.unwrap().jobs;
            assert!(state != JobState::Failed || jobs.is_empty(), "{context}: {jobs:?}");
            open.extend(jobs);
        }
        if open.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{context}: {open:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Adds memories with a tag, each made of the source in its place if there are sources.
async fn add(
    (ledger, client): (&mut Ledger, &Client),
    user: &str,
    (tag, count): (&str, usize),
    sources: &[Uuid],
) -> Vec<Uuid> {
    let texts: Vec<String> = (0..count).map(|_| ledger.next_text(user)).collect();
    let happened_at = ledger.happened_at.clone();
    let new = |(at, text): (usize, &String)| NewMemory {
        text: text.clone(),
        tags: vec![tag.to_owned()],
        sources: sources.get(at).copied().into_iter().collect(),
        happened_at: happened_at.clone(),
        ..NewMemory::default()
    };
    let request = AddMemories {
        scope: Scope::user(user),
        memories: texts.iter().enumerate().map(new).collect(),
        ..AddMemories::default()
    };
    let ids = client.add_memories(&request).await.unwrap().memory_ids;
    for (id, text) in ids.iter().zip(texts) {
        ledger.kept.insert(*id, (user.to_owned(), text));
    }
    ids
}

/// Recalls a memory by its word, and says that what was found was of use, at a moment; `None` for the present.
async fn used(client: &Client, user: &str, text: &str, at: Option<Timestamp>) -> Result<(), engrain::Error> {
    let found = client.recall(&by_word(user, word_of(text))).await?;
    let ids = found.memories.iter().map(|one| one.memory.id).collect();
    let now = at.map(|at| at.to_string());
    let feedback = RecallFeedback { scope: Scope::user(user), used: ids, now, ..RecallFeedback::default() };
    match client.recall_feedback(found.recall_id, &feedback).await {
        // The found memories are erased meanwhile.
        Err(error) if error.status().is_none() => Err(error),
        _ => Ok(()),
    }
}

/// Ids, to be searched for as bytes and as words.
struct Ids {
    ids: HashSet<Vec<u8>>,
    /// First bytes of them: a search that looks at all places is slow where nothing is optimised.
    firsts: [bool; 256],
}

impl Ids {
    fn of(ids: &BTreeSet<Uuid>) -> Self {
        let as_bytes = ids.iter().map(|id| id.as_bytes().to_vec());
        let ids: HashSet<Vec<u8>> =
            as_bytes.chain(ids.iter().map(|id| id.to_string().into_bytes())).collect();
        let mut firsts = [false; 256];
        ids.iter().for_each(|id| firsts[usize::from(id[0])] = true);
        Self { ids, firsts }
    }

    /// True if one of them is among these bytes.
    fn is_in(&self, bytes: &[u8]) -> bool {
        let mut starts = bytes.iter().enumerate().filter(|(_, byte)| self.firsts[usize::from(**byte)]);
        let is_one = |at, length| bytes.get(at..at + length).is_some_and(|part| self.ids.contains(part));
        starts.any(|(at, _)| is_one(at, ID) || is_one(at, ID_TEXT))
    }
}

/// Segment files of the index that name one of these memories.
fn segments_with(data: &Path, ids: &BTreeSet<Uuid>) -> Vec<PathBuf> {
    let ids = Ids::of(ids);
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "segment");
    let names = |path: &PathBuf| {
        // One that is gone meanwhile names nothing.
        let Ok(mut bytes) = std::fs::read(path) else { return false };
        // A segment has ids as numbers of the machine, whose bytes mostly come in the other order.
        if cfg!(target_endian = "little") {
            bytes.reverse();
        }
        ids.is_in(&bytes)
    };
    files(data).into_iter().filter(is_segment).filter(names).collect()
}

/// Places of the database of a stopped server that name one of these memories: `table.column`. Left out are the change
/// log, by which an index catches up, and the responses to erasures under their idempotency keys.
async fn places_with(data: &Path, ids: &BTreeSet<Uuid>) -> BTreeSet<String> {
    let ids = Ids::of(ids);
    let is_named = |value: &[u8]| ids.is_in(value);
    let url = format!("sqlite://{}", data.join("engrain.db").display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'",
    )
    .fetch_all(&mut raw)
    .await
    .unwrap();
    assert!(columns.iter().any(|(table, column)| (table.as_str(), column.as_str()) == ("recalls", "hits")));
    let mut places = BTreeSet::new();
    for (table, column) in columns {
        let statement =
            format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE typeof({column}) IN ('blob', 'text')");
        let values: Vec<Vec<u8>> =
            sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut raw).await.unwrap();
        let holds = |value: &&Vec<u8>| match (table.as_str(), column.as_str()) {
            ("changes", "memory_id") => false,
            // The session, the memories and the turns that were made come before those that were erased.
            ("request_records", "made") => {
                let parts: Vec<serde_json::Value> = serde_json::from_slice(value).unwrap();
                parts[..3].iter().any(|part| is_named(part.to_string().as_bytes()))
            }
            _ => is_named(value),
        };
        if values.iter().any(|value| holds(&value)) {
            places.insert(format!("{table}.{column}"));
        }
    }
    raw.close().await.unwrap();
    places
}
