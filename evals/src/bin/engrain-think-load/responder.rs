//! Responder: an OpenAI-compatible `chat/completions` endpoint that answers at once, by a fixed rule.
//!
//! To a prompt of extraction it replies one fact per user turn, the turn's first words. To a prompt of organising it replies no edit.
//! It sends no `usage`, so that the server counts tokens itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Number of words of a turn that its fact has.
const FACT_WORDS: usize = 20;
/// Maximum length of a fact in characters, below what the server accepts in bytes.
const FACT_CHARACTERS: usize = 120;
/// Maximum number of facts in one reply.
const FACTS: usize = 48;

/// Running responder.
pub(crate) struct Responder {
    script: Arc<Script>,
}

/// Numbers of replies.
pub(crate) struct Counts {
    pub(crate) extract: u64,
    pub(crate) organise: u64,
}

#[derive(Default)]
struct Script {
    delay: Duration,
    extract: AtomicU64,
    organise: AtomicU64,
}

impl Responder {
    /// Numbers of replies so far.
    pub(crate) fn counts(&self) -> Counts {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts { extract: count(&self.script.extract), organise: count(&self.script.organise) }
    }
}

/// Starts a responder, which runs until the process ends.
pub(crate) async fn start(address: SocketAddr, delay: Duration) -> std::io::Result<Responder> {
    let script = Arc::new(Script { delay, ..Script::default() });
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&script));
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Responder { script })
}

async fn complete(State(script): State<Arc<Script>>, Json(request): Json<Value>) -> Json<Value> {
    let messages = request["messages"].as_array();
    let user = messages.and_then(|all| all.iter().find(|message| message["role"] == "user"));
    let material = user.and_then(|message| message["content"].as_str()).unwrap_or_default();
    let content = if material.contains("<thoughts>") {
        script.organise.fetch_add(1, Ordering::Relaxed);
        json!({"drop": [], "merges": []})
    } else {
        script.extract.fetch_add(1, Ordering::Relaxed);
        json!({"facts": material.lines().filter_map(fact).take(FACTS).collect::<Vec<_>>()})
    };
    if !script.delay.is_zero() {
        tokio::time::sleep(script.delay).await;
    }
    let message = json!({"role": "assistant", "content": content.to_string()});
    Json(json!({
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }))
}

/// The fact of one line of a prompt; `None` if the line is no user turn to be read.
fn fact(line: &str) -> Option<Value> {
    let turn: Value = serde_json::from_str(line).ok()?;
    let handle = turn["handle"].as_str().filter(|handle| handle.starts_with('t'))?;
    let speaker = turn["speaker"].as_str()?;
    let name = speaker.strip_suffix(" (user)").or((speaker == "user").then_some("user"))?;
    let words: Vec<&str> = turn["text"].as_str()?.split_whitespace().take(FACT_WORDS).collect();
    let text: String = words.join(" ").chars().take(FACT_CHARACTERS).collect();
    Some(json!({
        "text": text, "subject": name, "relation": "said", "object": null, "attribute": null, "holds": true,
        "happened_on": null, "valid_from": null, "valid_until": null, "confidence": 0.9, "evidence": [handle],
        "confidential": false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_user_turns_to_be_read_have_a_fact() {
        let line = |handle: &str, speaker: &str| json!({"handle": handle, "speaker": speaker, "text": "I have a cat."});
        let facts =
            [line("t1", "user"), line("c1", "user"), line("t2", "assistant"), line("t3", "Ann (user)")]
                .map(|line| fact(&line.to_string()));
        let subjects = facts.map(|fact| fact.map(|fact| (fact["subject"].clone(), fact["evidence"].clone())));
        assert_eq!(subjects[0], Some((json!("user"), json!(["t1"]))));
        assert_eq!(subjects[1..3], [None, None]);
        assert_eq!(subjects[3], Some((json!("Ann"), json!(["t3"]))));
        assert_eq!(fact("no JSON"), None);
    }
}
