//! Activity of connections, and the connection that makes room for a new one.
//!
//! A connection is idle between requests, which includes the time in which the head of a request arrives; it receives while a
//! body arrives; and it works until its response is sent. It is stalled while its client takes no byte of a response. Only a
//! working one is never closed for another.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Time without a byte taken after which a client does not read its response.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// Activities of a connection, in the order in which connections are closed for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Activity {
    /// Between requests.
    Idle,
    /// The body of a request arrives.
    Receiving,
    /// The client has taken no byte of a response for [`STALLED_AFTER`].
    Stalled,
    /// A request is worked on, or its response is sent.
    Working,
}

/// Connection, as its task and the listener share it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Activity, and when it began.
    activity: Mutex<(Activity, Instant)>,
    /// Begin of a wait for the client to take bytes of a response.
    waiting_since: Mutex<Option<Instant>>,
    close: Notify,
}

impl Connection {
    fn new() -> Self {
        Self {
            activity: Mutex::new((Activity::Idle, Instant::now())),
            waiting_since: Mutex::new(None),
            close: Notify::new(),
        }
    }

    /// Activity, and when it began.
    pub(super) fn activity(&self) -> (Activity, Instant) {
        match *self.waiting_since.lock() {
            Some(since) if since.elapsed() >= STALLED_AFTER => (Activity::Stalled, since),
            // Bytes of a response are unsent, even if the next request is waited for already.
            Some(since) => (Activity::Working, since),
            None => *self.activity.lock(),
        }
    }

    /// Notes that bytes of a response wait for the client.
    pub(super) fn waits_for_client(&self) {
        *self.waiting_since.lock() = Some(Instant::now());
    }

    /// Notes that the client takes bytes again.
    pub(super) fn sends(&self) {
        *self.waiting_since.lock() = None;
    }

    pub(super) fn enter(&self, activity: Activity) {
        *self.activity.lock() = (activity, Instant::now());
    }

    /// Ends the arrival of a body. The response may have begun, or even ended, before.
    fn received(&self) {
        let mut activity = self.activity.lock();
        if activity.0 == Activity::Receiving {
            *activity = (Activity::Working, Instant::now());
        }
    }

    /// Completes when the connection is to be closed for another one.
    pub(super) async fn close_requested(&self) {
        self.close.notified().await;
    }
}

/// All open connections.
#[derive(Debug, Default)]
pub(super) struct OpenConnections {
    by_number: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
    closed: Notify,
}

impl OpenConnections {
    pub(super) fn count(&self) -> usize {
        self.by_number.lock().len()
    }

    /// Enters a new connection, until the entry is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new());
        self.by_number.lock().insert(number, Arc::clone(&connection));
        Entry { connection, number, all: Arc::clone(self) }
    }

    /// Asks the connection that has been idle longest to close; without an idle one, the one that has been receiving
    /// longest; without one of these, the one that has been stalled longest. Nothing if all work.
    pub(super) fn close_one(&self) {
        let by_number = self.by_number.lock();
        let waiting = by_number.values().map(|connection| (connection.activity(), connection));
        let waiting = waiting.filter(|((activity, _), _)| *activity != Activity::Working);
        if let Some((_, connection)) = waiting.min_by_key(|(activity, _)| *activity) {
            connection.close.notify_one();
        }
    }

    /// Completes at the next end of a connection.
    pub(super) async fn one_closed(&self) {
        self.closed.notified().await;
    }
}

/// Entry of an open connection.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) connection: Arc<Connection>,
    number: u64,
    all: Arc<OpenConnections>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.by_number.lock().remove(&self.number);
        self.all.closed.notify_one();
    }
}

/// Body whose end is noted at its connection.
pub(super) struct Noted<B> {
    body: B,
    connection: Arc<Connection>,
    is_response: bool,
}

impl<B> Noted<B> {
    pub(super) fn request(body: B, connection: Arc<Connection>) -> Self {
        Self { body, connection, is_response: false }
    }

    pub(super) fn response(body: B, connection: Arc<Connection>) -> Self {
        Self { body, connection, is_response: true }
    }
}

impl<B: Body + Unpin> Body for Noted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let is_over = matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        if is_over && !self.is_response {
            self.connection.received();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Noted<B> {
    fn drop(&mut self) {
        if self.is_response {
            self.connection.enter(Activity::Idle);
        } else {
            self.connection.received();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn is_asked_to_close(entry: &Entry) -> bool {
        futures::FutureExt::now_or_never(entry.connection.close_requested()).is_some()
    }

    #[tokio::test]
    async fn the_longest_idle_connection_is_closed_first_and_a_working_one_never() {
        let all = Arc::new(OpenConnections::default());
        let mut entries = Vec::new();
        for activity in [Activity::Working, Activity::Receiving, Activity::Idle, Activity::Idle] {
            let entry = all.enter();
            entry.connection.enter(activity);
            tokio::time::sleep(Duration::from_millis(2)).await;
            entries.push(entry);
        }
        for expected in [2, 1, 0] {
            all.close_one();
            let asked: Vec<usize> =
                (0..entries.len()).filter(|at| is_asked_to_close(&entries[*at])).collect();
            assert_eq!(asked, [expected], "of {}", entries.len());
            entries.remove(expected);
            if expected == 2 {
                entries.pop();
            }
            if entries.iter().all(|entry| entry.connection.activity().0 == Activity::Working) {
                break;
            }
        }
        all.close_one();
        assert!(entries.iter().all(|entry| !is_asked_to_close(entry)), "all work");
        assert_eq!(all.count(), entries.len());
    }

    #[tokio::test]
    async fn a_connection_whose_client_does_not_read_is_closed_after_idle_ones() {
        let all = Arc::new(OpenConnections::default());
        let (stalled, slow, idle) = (all.enter(), all.enter(), all.enter());
        stalled.connection.enter(Activity::Working);
        *stalled.connection.waiting_since.lock() = Instant::now().checked_sub(STALLED_AFTER);
        slow.connection.waits_for_client();
        all.close_one();
        assert!(is_asked_to_close(&idle) && !is_asked_to_close(&stalled));
        drop(idle);
        all.close_one();
        assert!(is_asked_to_close(&stalled) && !is_asked_to_close(&slow));
        stalled.connection.sends();
        assert_eq!(stalled.connection.activity().0, Activity::Working);
    }

    #[test]
    fn a_body_that_ends_after_the_response_leaves_the_connection_idle() {
        let entry = Arc::new(OpenConnections::default()).enter();
        let connection = &entry.connection;
        connection.enter(Activity::Receiving);
        let request = Noted::request((), Arc::clone(connection));
        connection.enter(Activity::Working);
        drop(Noted::response((), Arc::clone(connection)));
        drop(request);
        assert_eq!(connection.activity().0, Activity::Idle);
    }
}
