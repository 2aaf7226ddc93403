//! OpenAI-compatible HTTP server that follows a script, on a real socket: for tests of the adapter, and for end-to-end
//! tests that start a server against [`ScriptedModel::base_url`].
//!
//! Runs on the runtime of the test and stops when dropped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

mod connection;
mod step;

pub use step::Step;

type Script = dyn Fn(&Recorded) -> Step + Send + Sync;

/// Request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Number of the request, from 0.
    pub number: usize,
    /// Path, such as `/v1/chat/completions`.
    pub path: String,
    /// Headers, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body; null if it is not JSON.
    pub body: Value,
}

impl Recorded {
    /// Value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Text of the first message of this role; empty if there is none.
    pub fn first(&self, role: &str) -> &str {
        self.contents(role).next().unwrap_or_default()
    }

    /// Text of the system message; empty if there is none.
    pub fn system(&self) -> &str {
        self.first("system")
    }

    /// Text of the first user message: the material of the prompt.
    pub fn user(&self) -> &str {
        self.first("user")
    }

    /// Text of the last user message: the same, or the violation of a refused reply.
    pub fn last_user(&self) -> &str {
        self.contents("user").last().unwrap_or_default()
    }

    /// True for a retry after a refused reply.
    pub fn is_retry(&self) -> bool {
        self.contents("user").count() > 1
    }

    /// Name of the demanded schema, which is that of the prompt; empty if there is none.
    pub fn schema_name(&self) -> &str {
        self.body.pointer("/response_format/json_schema/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Type of the demanded format: `json_schema`, `json_object`, or empty.
    pub fn format(&self) -> &str {
        self.body.pointer("/response_format/type").and_then(Value::as_str).unwrap_or_default()
    }

    /// True if the reply is to be streamed.
    pub fn wants_stream(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    fn contents(&self, role: &str) -> impl Iterator<Item = &str> {
        let messages = self.body.get("messages").and_then(Value::as_array).into_iter().flatten();
        messages
            .filter(move |message| message.get("role").and_then(Value::as_str) == Some(role))
            .filter_map(|message| message.get("content")?.as_str())
    }
}

/// Requests so far, and connections.
#[derive(Default)]
struct State {
    requests: Mutex<Vec<Recorded>>,
    /// Requests that are being answered.
    open: Mutex<usize>,
    most_open: Mutex<usize>,
}

/// Scripted server.
pub struct ScriptedModel {
    base_url: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl ScriptedModel {
    /// Starts a server on a free port, whose answers the closure computes from the requests.
    pub async fn start(script: impl Fn(&Recorded) -> Step + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (state, script): (Arc<State>, Arc<Script>) = (Arc::default(), Arc::new(script));
        let accepting = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                // Dropped with this task, and all connections with it.
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(connection::serve(stream, Arc::clone(&state), Arc::clone(&script)));
                    while connections.try_join_next().is_some() {}
                }
            }
        });
        Self { base_url, state, accepting }
    }

    /// Starts a server that takes these steps in order, and answers 500 after the last.
    pub async fn start_steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: Vec<Step> = steps.into_iter().collect();
        Self::start(move |request| steps.get(request.number).cloned().unwrap_or_else(|| Step::status(500)))
            .await
    }

    /// Base address, as `base_url` of the settings of a model.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Requests so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().clone()
    }

    /// Number of requests that are being answered; one whose client has gone is no longer.
    pub fn open(&self) -> usize {
        *self.state.open.lock()
    }

    /// Maximum number of requests that were being answered at one time.
    pub fn most_open(&self) -> usize {
        *self.state.most_open.lock()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl std::fmt::Debug for ScriptedModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ScriptedModel").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
