//! State of a story for comparisons: facts and profile without ids and times of recording.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::client::JobQuery;
use engrain::wire::{ExportLine, Job, Kind, Memory, ProfileQuery, SlotValue, StateProfile};
use futures::TryStreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::month::scope;

/// Timeout of the end of all jobs: more than a lease.
const PATIENCE: Duration = Duration::from_secs(150);

/// Waits until no turn waits and no job waits or runs; returns the jobs.
pub(super) async fn settled(client: &Client) -> Vec<Job> {
    let began = Instant::now();
    loop {
        let jobs: Vec<Job> = client.all_jobs(JobQuery::default()).try_collect().await.unwrap();
        let pending = client.thinking(&scope()).await.unwrap().pending_turns;
        if pending == 0 && jobs.iter().all(|job| job.state.is_over()) {
            return jobs;
        }
        assert!(began.elapsed() < PATIENCE, "{pending} turns wait; {jobs:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Texts of an export, one line per record.
pub(super) async fn export(client: &Client) -> Vec<ExportLine> {
    client.export(&scope()).try_collect().await.unwrap()
}

/// Memories of an export.
pub(super) async fn memories(client: &Client) -> Vec<Memory> {
    let memories = export(client).await.into_iter().filter_map(|line| match line {
        ExportLine::Turn { memory, .. } | ExportLine::Memory { memory, .. } => Some(memory),
        _ => None,
    });
    memories.collect()
}

/// Facts of an export, in the order of their texts.
pub(super) async fn facts(client: &Client) -> Vec<Memory> {
    let mut facts = memories(client).await;
    facts.retain(|memory| memory.kind != Kind::Turn);
    facts.sort_by(|one, other| (&one.text, &one.valid_from).cmp(&(&other.text, &other.valid_from)));
    facts
}

/// Profile of the user.
pub(super) async fn profile(client: &Client, query: ProfileQuery) -> StateProfile {
    client.profile(&ProfileQuery { scope: scope(), ..query }).await.unwrap()
}

/// Compared state of a story: facts with their links, and the profile.
pub(super) async fn canonical(client: &Client) -> Vec<String> {
    let texts: BTreeMap<Uuid, String> =
        memories(client).await.into_iter().map(|memory| (memory.id, memory.text)).collect();
    let mut lines: Vec<String> =
        facts(client).await.iter().map(|fact| of_fact(fact, &texts).to_string()).collect();
    lines.sort_unstable();
    let profile = profile(client, ProfileQuery::default()).await;
    let slots = profile.slots.iter().map(|slot| {
        let values = |values: &[SlotValue]| values.iter().map(of_value).collect::<Vec<_>>();
        let parts = json!([slot.attribute, values(&slot.values), values(&slot.history), slot.is_contested]);
        parts.to_string()
    });
    lines.extend(slots);
    let mut others: Vec<String> = profile.facts.iter().map(|value| of_value(value).to_string()).collect();
    others.sort_unstable();
    lines.extend(others);
    lines
}

/// Fails with the lines that only one of two states has.
pub(super) fn assert_same(found: &[String], expected: &[String], context: &str) {
    let only_in = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let (more, missing) = (only_in(found, expected), only_in(expected, found));
    assert!(found == expected, "{context}\nmore: {more:#?}\nmissing: {missing:#?}");
}

fn of_fact(fact: &Memory, texts: &BTreeMap<Uuid, String>) -> Value {
    let mut links: Vec<Value> =
        fact.links.iter().map(|link| json!([link.relation, texts.get(&link.to), link.weight])).collect();
    links.sort_by_key(Value::to_string);
    let mut statement = serde_json::to_value(&fact.statement).unwrap();
    statement["confidence"] = rounded(fact.statement.as_ref().unwrap().confidence);
    json!({
        "text": fact.text, "kind": fact.kind, "statement": statement, "subjects": fact.subjects,
        "audience": fact.audience, "tags": fact.tags, "links": links,
        "happened": [fact.happened_at, fact.happened_until], "valid": [fact.valid_from, fact.valid_to],
        "is_retired": fact.expires_at.is_some(),
    })
}

fn of_value(value: &SlotValue) -> Value {
    json!([value.text, value.object, value.since, value.until, rounded(value.confidence), value.said_by])
}

/// Sums in another order differ in the last digits.
fn rounded(number: f64) -> Value {
    json!((number * 1e9).round() / 1e9)
}
