//! The listener: accepts connections within a bound, gives each its time-outs, and ends them at a stop.
//!
//! HTTP/1.1 by hyper, one task per connection. Beyond the bound the longest idle connection makes room, so that idle ones
//! shut nobody out, nor those whose clients do not read. At a stop, idle connections, those that still send a request, and
//! those that do not read end at once; the others end after their response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::activity::{Activity, Connection, Entry, Noted, OpenConnections};
use super::sending::Sending;

/// Time after a response in which its last bytes may still be on their way to the operating system.
const FLUSHED_WITHIN: Duration = Duration::from_millis(200);
/// Pause after a failed accept.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Bounds of the listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Maximum number of open connections.
    pub(super) connections: usize,
    /// Timeout for the head of the next request, from the accept or the last response on.
    pub(super) idle_timeout: Duration,
    /// Timeout for the client to take the next byte of a response.
    pub(super) send_timeout: Duration,
}

/// Serves until `stopped` is true and all connections have ended.
pub(super) async fn listen(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    mut stopped: watch::Receiver<bool>,
) {
    let open = Arc::new(OpenConnections::default());
    let mut tasks = JoinSet::new();
    let stop = stopped.clone();
    let accepting = async {
        loop {
            let stream = accept(&listener).await;
            while open.count() >= bounds.connections {
                open.close_one();
                // The last one may have ended just before.
                let _ = tokio::time::timeout(ACCEPT_AGAIN_AFTER, open.one_closed()).await;
            }
            while tasks.try_join_next().is_some() {}
            tasks.spawn(converse(stream, router.clone(), open.enter(), bounds, stop.clone()));
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// The next connection. A failure such as a lack of file descriptors passes when connections end.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {
                tracing::debug!(%error, "a connection was not accepted")
            }
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    let kinds = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    kinds.contains(&error.kind())
}

/// Serves one connection until it ends, idles too long, does not read, makes room for another, or the server stops.
async fn converse(
    stream: TcpStream,
    router: Router,
    entry: Entry,
    bounds: Bounds,
    mut stopped: watch::Receiver<bool>,
) {
    let connection = Arc::clone(&entry.connection);
    let _ = stream.set_nodelay(true);
    let answering = Arc::clone(&connection);
    let service = service_fn(move |request| answer(request, router.clone(), Arc::clone(&answering)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.idle_timeout);
    let stream = Sending::new(stream, Arc::clone(&connection), bounds.send_timeout);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = serving.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
            return;
        }
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = connection.close_requested() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = not_working(&connection) => {}
    }
}

/// Completes when the connection has not been working for [`FLUSHED_WITHIN`].
async fn not_working(connection: &Connection) {
    loop {
        let (activity, since) = connection.activity();
        if activity != Activity::Working && since.elapsed() >= FLUSHED_WITHIN {
            return;
        }
        tokio::time::sleep(FLUSHED_WITHIN.saturating_sub(since.elapsed()).max(FLUSHED_WITHIN / 10)).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    router: Router,
    connection: Arc<Connection>,
) -> Result<axum::http::Response<Noted<Body>>, Infallible> {
    let is_whole = request.body().is_end_stream();
    connection.enter(if is_whole { Activity::Working } else { Activity::Receiving });
    let request = request.map(|body| Body::new(Noted::request(body, Arc::clone(&connection))));
    let response = router.oneshot(request).await?;
    connection.enter(Activity::Working);
    Ok(response.map(|body| Noted::response(body, connection)))
}
