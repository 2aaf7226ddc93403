//! Durability of acknowledged writes: a real server is killed in the middle of concurrent writes, at moments that nobody
//! chose, again and again over the same store. After each death every acknowledged memory is there and found, none is
//! half there, what was acknowledged as erased is gone, and the index agrees with the store.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::ServerProcess;
use engrain::Client;
use engrain::wire::{
    AddTurns, CheckRequest, EditMemory, ListMemories, NewTurn, RecallRequest, Role, Scope, Weights,
};
use memory_core::testing::seeds::is_long_form;
use parking_lot::Mutex;
use uuid::Uuid;

/// Clients that write at the same time.
const WRITERS: u64 = 6;

/// State acknowledged by the server: per writer, the text of each memory, or none for an erased one.
type Acknowledged = Arc<Mutex<BTreeMap<Uuid, (u64, Option<String>)>>>;

/// Every text holds a word of its own, by which it must be found.
fn text(writer: u64, count: u64) -> String {
    format!("writer {writer} says word{writer}x{count} and goes on")
}

fn scope(writer: u64) -> Scope {
    Scope::user(format!("writer-{writer}"))
}

async fn write(
    client: Client,
    writer: u64,
    first: u64,
    acknowledged: Acknowledged,
    stopped: Arc<AtomicBool>,
) -> u64 {
    let mut count = first;
    let mut mine: Vec<Uuid> = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        count += 1;
        let texts = [text(writer, count), text(writer, count + 1_000_000)];
        let turns = texts.iter().map(|text| NewTurn::new(Role::User, text.as_str())).collect();
        let request = AddTurns {
            scope: scope(writer),
            session: Some(format!("s{}", count / 50)),
            turns,
            visibility: None,
            again: false,
            wait: false,
        };
        let Ok(added) = client.add_turns(&request).await else { break };
        {
            let mut all = acknowledged.lock();
            for (id, text) in added.memory_ids.iter().zip(texts) {
                all.insert(*id, (writer, Some(text)));
            }
        }
        mine.push(added.memory_ids[0]);
        if count.is_multiple_of(5) {
            let id = mine.swap_remove(usize::try_from(count).unwrap() % mine.len());
            // An edit or erasure without a response may have taken place or not: it is no longer checked.
            let before = acknowledged.lock().remove(&id);
            let after = if count.is_multiple_of(2) {
                client.delete_memory(id).await.is_ok().then_some(None)
            } else {
                let edited = text(writer, count + 2_000_000);
                let edit = EditMemory { text: Some(edited.clone()), ..EditMemory::default() };
                client.edit_memory(id, &edit).await.is_ok().then_some(Some(edited))
            };
            if let (Some((writer, _)), Some(text)) = (before, after) {
                acknowledged.lock().insert(id, (writer, text));
            }
        }
    }
    count
}

async fn verify(client: &Client, acknowledged: &Acknowledged, sample: usize) {
    let report = client.check(&CheckRequest { repair: false }).await.expect("a check");
    assert!(report.healthy, "{:?}", report.findings);
    for writer in 0..WRITERS {
        let mut kept = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = client
                .list_memories(&ListMemories {
                    scope: scope(writer),
                    limit: Some(1_000),
                    cursor,
                    ..ListMemories::default()
                })
                .await
                .expect("a list");
            kept.extend(page.memories.into_iter().map(|memory| (memory.id, memory.text)));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let all = acknowledged.lock().clone();
        for (id, (_, text)) in all.iter().filter(|(_, (of, _))| *of == writer) {
            assert_eq!(kept.get(id), text.as_ref(), "{id} of writer {writer}");
        }
        let found = all.iter().filter(|(_, (of, text))| *of == writer && text.is_some()).rev().take(sample);
        for (id, (_, text)) in found {
            let text = text.as_ref().unwrap();
            let word = text.split(' ').nth(3).unwrap();
            let request = RecallRequest {
                scope: scope(writer),
                query: word.to_owned(),
                limit: Some(3),
                // The word decides: among thousands of texts, the hashing embedder finds some near by chance.
                weights: Some(Weights { lexical: Some(100.0), ..Weights::default() }),
                ..RecallRequest::default()
            };
            let answer = client.recall(&request).await.expect("a recall");
            assert!(answer.memories.iter().any(|one| one.memory.id == *id), "{word} is not found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_kill_9() {
    let kills: u64 = if is_long_form() { 200 } else { 6 };
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = Acknowledged::default();
    let mut counts = vec![0; usize::try_from(WRITERS).unwrap()];
    for round in 0..kills {
        let server = ServerProcess::start(directory.path()).await;
        verify(&server.client, &acknowledged, 3).await;
        let stopped = Arc::new(AtomicBool::new(false));
        let no_retries = server.client.clone();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let first = counts[usize::try_from(writer).unwrap()];
                tokio::spawn(write(no_retries.clone(), writer, first, acknowledged.clone(), stopped.clone()))
            })
            .collect();
        // A spread of moments without a random source: after 1 to 51 acknowledged writes, so that a slow disk does not
        // leave the test empty, and a while.
        let enough = acknowledged.lock().len() + 1 + usize::try_from(round % 6 * 10).unwrap();
        while acknowledged.lock().len() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis((round * 137) % 400)).await;
        server.kill();
        stopped.store(true, Ordering::Relaxed);
        for (writer, task) in writers.into_iter().enumerate() {
            counts[writer] = task.await.unwrap() + 1;
        }
    }
    assert!(acknowledged.lock().len() > 100, "hardly anything was written: {}", acknowledged.lock().len());
    let server = ServerProcess::start(directory.path()).await;
    verify(&server.client, &acknowledged, 20).await;
}
