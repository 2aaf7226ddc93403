//! Arrival of request bodies, bounded in bytes, in time, and in the memory of all bodies together.
//!
//! A body is read before its request takes a slot, so that clients that send slowly hold none. The memory of all bodies is
//! a budget. The first bytes of each body are outside of it: bodies that do not arrive keep no small request out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::problem::{Code, Problem};

/// Bytes of each body that need no room in the budget. Bounded in total by the number of connections.
const FREE_BYTES: usize = 64 * 1024;

/// Bounds of bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    budget: Arc<Semaphore>,
    body_bytes: usize,
    time_out: Duration,
}

/// Room of a body in the budget, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            budget: Arc::new(Semaphore::new(limits.bodies_bytes.min(Semaphore::MAX_PERMITS))),
            body_bytes: limits.body_bytes,
            time_out: limits.body_timeout(),
        }
    }

    /// Reads a body whole.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<(Bytes, Room), Problem> {
        if body.is_end_stream() {
            return Ok((Bytes::new(), Room::default()));
        }
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > self.body_bytes as u64) {
            return Err(self.too_large()); // nothing of it is read
        }
        match tokio::time::timeout(self.time_out, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => {
                let detail = format!("the body must arrive within {} ms", self.time_out.as_millis());
                Err(Problem::new(Code::BodyTimedOut, detail))
            }
        }
    }

    async fn collect(&self, body: Body) -> Result<(Bytes, Room), Problem> {
        let (mut whole, mut room) = (Vec::new(), Room::default());
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Problem::new(Code::MalformedJson, "the body broke off"))?;
            let length = whole.len().saturating_add(chunk.len());
            if length > self.body_bytes {
                return Err(self.too_large());
            }
            self.enlarge(&mut room, length.saturating_sub(FREE_BYTES))?;
            whole.extend_from_slice(&chunk);
        }
        Ok((whole.into(), room))
    }

    /// Enlarges the room of a body to so many bytes.
    fn enlarge(&self, room: &mut Room, bytes: usize) -> Result<(), Problem> {
        let held = room.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = u32::try_from(bytes.saturating_sub(held)).map_err(|_| self.too_large())?;
        if missing == 0 {
            return Ok(());
        }
        let busy = |_| Problem::new(Code::Busy, "the server reads as many bytes of requests as it may");
        let more = Arc::clone(&self.budget).try_acquire_many_owned(missing).map_err(busy)?;
        match &mut room.0 {
            Some(held) => held.merge(more),
            None => room.0 = Some(more),
        }
        Ok(())
    }

    fn too_large(&self) -> Problem {
        Problem::new(Code::BodyTooLarge, format!("the body must be at most {} bytes long", self.body_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bodies_bytes: usize) -> Bodies {
        Bodies {
            budget: Arc::new(Semaphore::new(bodies_bytes)),
            body_bytes: 4 * FREE_BYTES,
            time_out: Duration::from_secs(1),
        }
    }

    async fn read(bodies: &Bodies, bytes: usize) -> Result<(Bytes, Room), Code> {
        let body = Body::from(vec![b'x'; bytes]);
        bodies.read(&HeaderMap::new(), body).await.map_err(|problem| problem.code)
    }

    #[tokio::test]
    async fn large_bodies_share_a_budget_that_small_ones_do_not_need() {
        let bodies = bodies(3 * FREE_BYTES);
        let first = read(&bodies, 3 * FREE_BYTES).await.expect("two thirds of the budget");
        assert_eq!(read(&bodies, 3 * FREE_BYTES).await.err(), Some(Code::Busy));
        assert_eq!(read(&bodies, FREE_BYTES).await.map(|(bytes, _)| bytes.len()).ok(), Some(FREE_BYTES));
        drop(first);
        assert!(read(&bodies, 3 * FREE_BYTES).await.is_ok());
        assert_eq!(read(&bodies, 4 * FREE_BYTES + 1).await.err(), Some(Code::BodyTooLarge));
        assert_eq!(bodies.budget.available_permits(), 3 * FREE_BYTES, "what was refused keeps nothing");
    }
}
