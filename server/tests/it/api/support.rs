//! Test server without a network: requests go straight into the router.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use engrain_server::config::{Config, Overrides, load};
use engrain_server::{App, router};
use memory_core::testing::TestEngine;
use memory_core::think::settings::ThinkingSettings;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// A server over a directory of its own.
pub(crate) struct TestServer {
    router: axum::Router,
    directory: TempDir,
    test_engine: Option<TestEngine>,
}

/// Response of the server.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Status, code and field of a problem, checked for what all problems have in common.
    pub(crate) fn problem(&self) -> (u16, String, String) {
        let problem: engrain::wire::Problem = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: {}", self.status, String::from_utf8_lossy(&self.body)));
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], problem.request_id.as_str());
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.kind, format!("https://engrain.dev/problems/{}", problem.code));
        (problem.status, problem.code, problem.field.unwrap_or_default())
    }
}

/// The defaults, with these settings changed as the environment would.
pub(crate) fn config(directory: &TempDir, settings: &[(&str, &str)]) -> Config {
    let data_dir = directory.path().display().to_string();
    let own = [("ENGRAIN_STORE__DATA_DIR", data_dir.as_str()), ("HOME", "/nowhere")];
    let environment = own.iter().chain(settings);
    let environment: Vec<_> =
        environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(None, &environment, &Overrides::default()).expect("a configuration")
}

impl TestServer {
    /// Server without an engine: a request that passes the layers is answered `starting`.
    pub(crate) fn starting(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let app = App::new(config(&directory, settings));
        Self { router: router(app), directory, test_engine: None }
    }

    /// Server with an engine that needs no model files.
    pub(crate) async fn working() -> Self {
        Self::working_with(&[]).await
    }

    /// The same with settings changed.
    pub(crate) async fn working_with(settings: &[(&str, &str)]) -> Self {
        Self::working_in(tempfile::tempdir().expect("a directory"), settings).await
    }

    /// The same over a directory that may have a store.
    pub(crate) async fn working_in(directory: TempDir, settings: &[(&str, &str)]) -> Self {
        let app = App::new(config(&directory, settings));
        let test_engine = TestEngine::open(directory.path()).await.expect("an engine");
        app.attach(Arc::clone(&test_engine.engine));
        Self { router: router(app), directory, test_engine: Some(test_engine) }
    }

    /// The same with an engine that makes extractive digests.
    pub(crate) async fn digesting() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let app = App::new(config(&directory, &[]));
        let settings = ThinkingSettings { makes_digests: true, ..ThinkingSettings::default() };
        let test_engine = TestEngine::thinking(directory.path(), settings).await.expect("an engine");
        app.attach(Arc::clone(&test_engine.engine));
        Self { router: router(app), directory, test_engine: Some(test_engine) }
    }

    /// From here on, nobody works on its background jobs.
    pub(crate) async fn stop_jobs(&self) {
        self.test_engine().engine.stop().await;
    }

    /// The engine of a working server, and its store.
    pub(crate) fn test_engine(&self) -> &TestEngine {
        self.test_engine.as_ref().expect("a working server")
    }

    /// Data directory of the server.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Response whose body is not read yet.
    pub(crate) async fn begin(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("the router answers")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.begin(request).await;
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(request.body(body.into()).expect("a request")).await
    }

    pub(crate) async fn keyed(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        let request = request.header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body.to_string()).await
    }
}
