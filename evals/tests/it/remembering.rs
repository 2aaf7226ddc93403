//! A server with just enough of Engrain's API to be measured: it remembers turns, finds them by the number of words
//! that they share with the question, and keeps every request it got, as it came.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use engrain::wire::{AddTurns, DeleteMatching, ListMemories, RecallRequest};
use serde_json::{Value, json};
use uuid::Uuid;

/// Requests received and memories stored by the server.
#[derive(Default)]
struct StoredMemory {
    asked: Vec<(String, String)>,
    memories: BTreeMap<String, Vec<Value>>,
}

/// The server.
#[derive(Clone, Default)]
pub(crate) struct Remembering(Arc<Mutex<StoredMemory>>);

impl Remembering {
    /// Starts it; its address comes back beside it.
    pub(crate) async fn start() -> (Self, String) {
        let server = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (server, format!("http://{address}"))
    }

    /// The requests since the last look: paths, and everything else of them as text.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// The memories of each user.
    pub(crate) fn memories(&self) -> BTreeMap<String, Vec<Value>> {
        self.0.lock().unwrap().memories.clone()
    }

    /// Loses the last memory of every user.
    pub(crate) fn lose_the_last(&self) {
        self.0.lock().unwrap().memories.values_mut().for_each(|memories| {
            memories.pop();
        });
    }
}

async fn answer(State(server): State<Remembering>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut kept = server.0.lock().unwrap();
    let text = format!("{uri} {headers:?} {}", String::from_utf8_lossy(&body));
    kept.asked.push((uri.path().to_owned(), text));
    match uri.path() {
        "/version" => {
            Json(json!({"name": "engrain", "version": "9.9.9", "embedder": "words", "dimension": 1}))
                .into_response()
        }
        "/v1/turns" => add(&mut kept, serde_json::from_slice(&body).unwrap()),
        "/v1/memories/list" => list(&mut kept, &serde_json::from_slice(&body).unwrap()),
        "/v1/memories/delete" => delete(&mut kept, &serde_json::from_slice(&body).unwrap()),
        "/v1/recall" => recall(&mut kept, &serde_json::from_slice(&body).unwrap()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn add(kept: &mut StoredMemory, request: AddTurns) -> Response {
    let memories = kept.memories.entry(request.scope.user_id.unwrap()).or_default();
    let first = memories.len();
    for turn in request.turns {
        memories.push(json!({
            "id": Uuid::from_u128(memories.len() as u128), "version": 1, "kind": "turn", "text": turn.text, "tokens": 1,
            "visibility": "owner", "happened_at": turn.said_at, "recorded_at": turn.said_at,
            "created_at": turn.said_at, "importance": 0.5,
            "origin": {
                "turn_id": Uuid::nil(), "turn_key": turn.key, "session_id": Uuid::nil(), "session": request.session,
                "seq": 0, "role": turn.role, "author": turn.author,
            },
        }));
    }
    let ids: Vec<&Value> = memories[first..].iter().map(|memory| &memory["id"]).collect();
    Json(json!({"session_id": Uuid::nil(), "turn_ids": ids, "memory_ids": ids, "repeated": false}))
        .into_response()
}

fn list(kept: &mut StoredMemory, request: &ListMemories) -> Response {
    let memories = kept.memories.entry(request.scope.user_id.clone().unwrap()).or_default();
    let page: Vec<&Value> = memories.iter().take(request.limit.unwrap() as usize).collect();
    Json(json!({"memories": page, "total": memories.len()})).into_response()
}

fn delete(kept: &mut StoredMemory, request: &DeleteMatching) -> Response {
    assert_eq!(serde_json::to_value(&request.filter).unwrap(), json!({"and": []}));
    let memories = kept.memories.entry(request.scope.user_id.clone().unwrap()).or_default();
    let (matched, done) = (memories.len(), request.confirmation.as_deref() == Some("yes"));
    if done {
        memories.clear();
    }
    let (erased, confirmation) = if done { (matched, None) } else { (0, Some("yes")) };
    Json(json!({"done": done, "matched": matched, "sample": [], "confirmation": confirmation, "erased": erased}))
        .into_response()
}

fn recall(kept: &mut StoredMemory, request: &RecallRequest) -> Response {
    let memories = kept.memories.entry(request.scope.user_id.clone().unwrap()).or_default();
    let asked = words(&request.query);
    let shared = |memory: &Value| words(memory["text"].as_str().unwrap()).intersection(&asked).count();
    let mut found: Vec<(usize, Value)> = memories.iter().map(|one| (shared(one), one.clone())).collect();
    found.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    found.truncate(request.limit.unwrap() as usize);
    let memories = found.into_iter().map(|(shared, mut memory)| {
        memory["score"] = json!(shared);
        memory["explain"] = json!({"signals": []});
        memory
    });
    let timings = json!({"embed_ms": 0, "search_ms": 0, "rerank_ms": 0, "assemble_ms": 0, "total_ms": 0});
    Json(json!({
        "recall_id": Uuid::nil(), "memories": Vec::from_iter(memories), "exactness": "exact", "timings": timings,
        "context": {"text": "", "tokens": 0, "memory_ids": [], "left_out": 0},
        "degraded": if request.rerank == Some(true) { vec!["rerank_unavailable"] } else { vec![] },
        "searched": {"partitions": 1, "partitions_left_out": 0, "memories": 1},
    }))
    .into_response()
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
