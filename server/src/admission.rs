//! How much at once, and how long: every request that does work passes here first.
//!
//! Invariant: no queue without an end. Beyond the configured number of requests the next one is refused at once
//! (`busy`, with `Retry-After`), and none works longer than its time-out. What is streamed holds its place until the
//! stream ends, by holding on to its [`Admission`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::App;
use crate::problem::{Code, Problem};

/// A place among the requests at work, free again when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// The places there are.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    pub(crate) fn new(requests: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self) -> Result<Admission, Problem> {
        match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => Ok(Admission { _permit: Arc::new(permit) }),
            Err(_) => Err(Problem::new(Code::Busy, "the server is at work on as many requests as it may")),
        }
    }
}

/// The layer of most routes: a place, and the configured time-out.
pub(crate) async fn bound(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let time_out = app.config().limits.request_timeout();
    within(&app, time_out, request, next).await
}

/// The layer of work on the whole store, which may take minutes.
pub(crate) async fn bound_admin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let time_out = app.config().limits.admin_timeout();
    within(&app, time_out, request, next).await
}

async fn within(app: &App, time_out: Duration, mut request: Request, next: Next) -> Response {
    let admission = match app.places().take() {
        Ok(admission) => admission,
        Err(busy) => return busy.into_response(),
    };
    request.extensions_mut().insert(admission.clone());
    match tokio::time::timeout(time_out, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("it was given up after {} ms", time_out.as_millis());
            Problem::new(Code::TimedOut, detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_last_holder_is_gone() {
        let places = Places::new(1);
        let held = places.take().expect("the only place");
        let streaming = held.clone();
        drop(held);
        assert_eq!(places.take().map(|_| ()).map_err(|problem| problem.code), Err(Code::Busy));
        drop(streaming);
        assert!(places.take().is_ok());
    }
}
