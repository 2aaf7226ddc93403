//! A server that follows a script: it answers what a test has laid down, in order, and keeps what it was asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server that gives its answers in order, and 500 when there are none left.
#[derive(Clone)]
pub(crate) struct Script {
    answers: Arc<Mutex<VecDeque<Response>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    /// Starts the server; its address comes back beside it.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Response>) -> (Self, String) {
        let script =
            Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(Self::answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (script, format!("http://{address}"))
    }

    #[expect(clippy::unused_async, reason = "a handler is async")]
    async fn answer(
        State(script): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        script.asked.lock().unwrap().push(Asked { method, uri, headers, body });
        let answer = script.answers.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn ok(body: Value) -> Response {
    axum::Json(body).into_response()
}
