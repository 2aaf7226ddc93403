//! Memory of responses that are made and not sent yet, bounded for all connections together.
//!
//! A request gives its slot back once its response is made. Clients that read slowly, or not at all, must not pile up
//! responses beyond a bound then: a response over the bound keeps the slot of its request until it is sent, so that
//! admission control counts it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admission::Admission;

/// Bytes of all unsent responses together that hold no slot.
const UNSENT_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of a response that is not counted.
const FREE_BYTES: u64 = 64 * 1024;

/// Budget of unsent responses.
#[derive(Debug)]
pub(crate) struct Unsent(Arc<Semaphore>);

impl Default for Unsent {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNSENT_BYTES)))
    }
}

/// Place of a response, until its last byte is sent.
enum Held {
    Room(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
    Slot(#[expect(dead_code, reason = "held until it is dropped")] Admission),
}

/// Bytes of a response with its place.
struct Kept {
    bytes: Bytes,
    _held: Arc<Held>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Unsent {
    /// The response, which holds its place from now on. A streamed one is unchanged: it is made while it is sent.
    pub(crate) fn hold(&self, response: Response, admission: Admission) -> Response {
        let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > FREE_BYTES) else {
            return response;
        };
        let room = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(&self.0).try_acquire_many_owned(bytes).ok());
        let held = Arc::new(room.map_or(Held::Slot(admission), Held::Room));
        response.map(|body| Body::new(HoldingBody { body, held }))
    }
}

/// Body whose bytes hold the place of their response. It tells its length as the body within does, for `Content-Length`.
struct HoldingBody {
    body: Body,
    held: Arc<Held>,
}

impl HttpBody for HoldingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let hold = |bytes| Bytes::from_owner(Kept { bytes, _held: Arc::clone(&self.held) });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(hold))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::admission::Places;

    #[tokio::test]
    async fn unsent_responses_over_the_bound_keep_the_slots_of_their_requests() {
        let places = Places::new(1, "requests");
        let unsent = Unsent(Arc::new(Semaphore::new(100_000)));
        let response = || Response::new(Body::from(vec![b'x'; 70_000]));
        let first = unsent.hold(response(), places.take().expect("the only slot"));
        assert_eq!(first.body().size_hint().exact(), Some(70_000));
        let second = unsent.hold(response(), places.take().expect("the first one has room"));
        assert!(places.take().is_err(), "the second one has none");
        let sent = second.into_body().collect().await.expect("a body").to_bytes();
        assert!(sent.len() == 70_000 && places.take().is_err(), "the bytes are still there");
        drop(sent);
        assert!(places.take().is_ok());
        drop(first);
        assert_eq!(unsent.0.available_permits(), 100_000);
    }
}
