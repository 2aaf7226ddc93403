//! Outermost layer of every request: request id, log line, metrics, and recovery from a panic.
//!
//! Invariant: logs and metrics have the route's template, never the path, query string, body or response. No memory
//! text and no user id enters a log or metric here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use crate::problem::{self, Code, Problem};
use crate::{App, metrics};

/// Header of the request id, in requests and responses.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Label of requests without a matching route, because paths are unbounded text of callers.
const NO_ROUTE: &str = "unmatched";

/// The layer as axum middleware.
pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = sane_request_id(request.headers()).unwrap_or_else(|| app.new_id().to_string());
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id, %method, route);
    let _in_flight = metrics::InFlight::enter();

    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let response = answered.unwrap_or_else(|_panic| {
        span.in_scope(|| tracing::error!("a request panicked: this is a defect, please report it"));
        Problem::new(Code::Internal, "see the server's log").into_response()
    });

    if let Some(fault) = response.extensions().get::<Problem>().and_then(|problem| problem.fault) {
        app.condition().note(fault);
    } else if app.condition().fault().is_some() && has_written(&method, response.status()) {
        app.condition().note_written();
    }
    let (mut response, code) = problem::finish(response, &request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    metrics::request(&method, &route, response.status(), took);
    span.in_scope(|| {
        let (status, took_ms) = (response.status().as_u16(), took.as_secs_f64() * 1e3);
        match code {
            Some(code) => tracing::info!(status, took_ms, code = code.as_str(), "refused"),
            None => tracing::debug!(status, took_ms, "answered"),
        }
    });
    response
}

/// True if the answer tells that something new was written. Erasures may succeed on a full disk.
fn has_written(method: &Method, status: StatusCode) -> bool {
    status == StatusCode::CREATED || (*method == Method::PATCH && status == StatusCode::OK)
}

/// Request id given by the caller, if it is safe in a log line.
fn sane_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_sane = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    is_sane.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        let given = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).expect("a header"));
            sane_request_id(&headers)
        };
        assert_eq!(given("trace-1:a_b.c").as_deref(), Some("trace-1:a_b.c"));
        for text in ["", "a b", "{\"x\":1}", "é", &"x".repeat(129)] {
            assert_eq!(given(text), None, "{text}");
        }
    }
}
