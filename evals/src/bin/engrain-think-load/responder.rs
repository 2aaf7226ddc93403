//! Responder: an OpenAI-compatible `chat/completions` endpoint that answers at once, by a fixed rule ([`replies`]).
//!
//! The contract of a call is the name of its JSON schema, so the server's back end must have the structured output
//! `json_schema` or `auto`. It sends no `usage`, so that the server counts tokens itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::replies;

/// Running responder.
pub(crate) struct Responder {
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    delay: Duration,
    /// Numbers of replies by contract.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Responder {
    /// Numbers of replies so far, by contract.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.script.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    let contract = request["response_format"]["json_schema"]["name"].as_str();
    let contract = contract.unwrap_or(if material.contains("<thoughts>") { "organise" } else { "facts" });
    let content = replies::reply(contract, material);
    *script.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(contract.to_owned()).or_default() +=
        1;
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
