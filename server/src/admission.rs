//! Admission control: the limit on concurrent requests, and request timeouts.
//!
//! The body is read first, within the bounds of [`crate::bodies`]: a request that still arrives holds no slot.
//!
//! Invariant: no unbounded queue. A request over the configured limit is refused at once (`busy`, with `Retry-After`),
//! and no request runs longer than its timeout. A streamed response keeps its slot until the stream ends, by holding
//! its [`Admission`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::App;
use crate::problem::{Code, Problem};

/// Slot of a running request, released when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Slots for concurrent requests of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    slots: Arc<Semaphore>,
    /// The requests, in words.
    what: &'static str,
}

impl Places {
    pub(crate) fn new(requests: usize, what: &'static str) -> Self {
        Self { slots: Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))), what }
    }

    pub(crate) fn take(&self) -> Result<Admission, Problem> {
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => Ok(Admission { _permit: Arc::new(permit) }),
            Err(_) => Err(Problem::new(
                Code::Busy,
                format!("the server is at work on as many {} as it may", self.what),
            )),
        }
    }
}

/// Layer of most routes: a slot, and the request timeout.
pub(crate) async fn bound(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let time_out = app.config().limits.request_timeout();
    within(&app, time_out, request, next).await
}

/// Layer of routes on the whole store, with the longer admin timeout.
pub(crate) async fn bound_admin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let time_out = app.config().limits.admin_timeout();
    within(&app, time_out, request, next).await
}

async fn within(app: &App, time_out: Duration, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let (bytes, _room) = match app.bodies().read(&head.headers, body).await {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let mut request = Request::from_parts(head, Body::from(bytes));
    let admission = match app.places().take() {
        Ok(admission) => admission,
        Err(busy) => return busy.into_response(),
    };
    request.extensions_mut().insert(admission.clone());
    match tokio::time::timeout(time_out, next.run(request)).await {
        Ok(response) => app.unsent().hold(response, admission),
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
    fn a_slot_is_released_when_its_last_holder_is_dropped() {
        let places = Places::new(1, "requests");
        let held = places.take().expect("the only place");
        let streaming = held.clone();
        drop(held);
        assert_eq!(places.take().map(|_| ()).map_err(|problem| problem.code), Err(Code::Busy));
        drop(streaming);
        assert!(places.take().is_ok());
    }
}
