//! Lifecycle of a server: listen, start the engine, announce, serve, stop.
//!
//! The same code runs `engrain serve` and, on a free port for the duration of a command, the commands that find no
//! server. Invariants: a data directory has one server at a time (the store's lock); requests that are worked on at a stop
//! signal are finished, within a bound; the store is closed last. With the default bounds a stop takes less than the 10 s
//! that Docker gives it.

mod activity;
pub(crate) mod descriptors;
mod listen;
mod sending;

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use memory_core::Engine;
use memory_core::store::FailureKind;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::listen::Bounds;
use crate::config::{Config, Limits};
use crate::discovery::{Announced, Announcement};
use crate::routes::meta::is_writable_again;
use crate::wiring::{self, StartError};
use crate::{App, router};

/// Interval of folding the samples of histograms into their buckets.
const FOLD_METRICS_EVERY: Duration = Duration::from_secs(5);
/// Interval of deleting expired idempotency records.
const FORGET_REQUESTS_EVERY: Duration = Duration::from_secs(60 * 60);
/// Maximum time to close the store.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Error that prevented the start of a server or ended it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// Address of the listener.
        address: SocketAddr,
        /// Error of the operating system.
        #[source]
        error: std::io::Error,
    },
    /// The engine could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The data directory cannot be written to.
    #[error("cannot write into the data directory")]
    DataDirectory(#[source] std::io::Error),
}

/// Running server.
pub struct Running {
    url: String,
    engine: Arc<Engine>,
    announced: Option<Announced>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    folding: JoinHandle<()>,
    forgetting: JoinHandle<()>,
    drain_timeout: Duration,
}

/// Binds the listener, and returns when the engine is ready. `/health` responds before that.
///
/// With `announce`, the server writes its announcement into its data directory for discovery by other processes. A
/// server that lives only as long as the command that started it does not.
pub async fn start(config: Config, announce: bool) -> Result<Running, ServeError> {
    let address = config.server.listen;
    let in_vain = |error| ServeError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(in_vain)?;
    let address = listener.local_addr().map_err(in_vain)?;
    let url = format!("http://{}", reachable(address));
    tracing::info!(%address, "listening");

    let bounds = bounds(&config.limits);
    let drain_timeout = config.limits.drain_timeout();
    let data_dir = config.store.data_dir.clone();
    let app = App::new(config);
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(listen::listen(listener, router(Arc::clone(&app)), bounds, stopped));
    let folding = tokio::spawn(fold_metrics(Arc::clone(&app)));

    // From here on a failure must also stop the listener.
    let begun = begin(&app, &data_dir, announce.then_some(url.as_str())).await;
    match begun {
        Ok((engine, announced)) => {
            tracing::info!(url, embedder = engine.embedder_name(), "ready");
            let forgetting = tokio::spawn(forget_old_requests(Arc::clone(&engine)));
            Ok(Running { url, engine, announced, stop, serving, folding, forgetting, drain_timeout })
        }
        Err(error) => {
            serving.abort();
            folding.abort();
            Err(error)
        }
    }
}

async fn begin(
    app: &App,
    data_dir: &Path,
    announce: Option<&str>,
) -> Result<(Arc<Engine>, Option<Announced>), ServeError> {
    let engine = wiring::engine(app.config()).await?;
    if !is_writable_again(app, &engine).await {
        tracing::error!("the store can only be read: `/ready` says why");
    }
    match announce.map(|url| Announcement::here(url.to_owned(), app.instance()).write(data_dir)).transpose() {
        Ok(announced) => {
            app.attach(Arc::clone(&engine));
            Ok((engine, announced))
        }
        // A store on a full disk is served for reads; other commands do not find this server then.
        Err(error) if matches!(FailureKind::of_io(&error), FailureKind::Full) => {
            tracing::error!(%error, "the server could not be announced");
            app.attach(Arc::clone(&engine));
            Ok((engine, None))
        }
        Err(error) => {
            engine.stop().await;
            Err(ServeError::DataDirectory(error))
        }
    }
}

impl Running {
    /// URL of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops listening, ends connections without a whole request, waits for the other requests up to the configured time,
    /// and closes the store.
    pub async fn stop(self) {
        let Self { engine, announced, stop, mut serving, folding, forgetting, drain_timeout, .. } = self;
        tracing::info!("stopping");
        drop(announced); // before the lock is free: another server may write its own then
        let _ = stop.send(true);
        if tokio::time::timeout(drain_timeout, &mut serving).await.is_err() {
            tracing::warn!("some requests did not finish in time");
            serving.abort();
        }
        folding.abort();
        forgetting.abort();
        if tokio::time::timeout(CLOSE_WITHIN, engine.stop()).await.is_err() {
            tracing::warn!("the store did not close in time; nothing that was acknowledged is lost");
        }
        tracing::info!("stopped");
    }
}

/// Serves until `until` completes, then stops.
pub async fn serve(config: Config, until: impl Future<Output = ()>) -> Result<(), ServeError> {
    let mut until = std::pin::pin!(until);
    let running = tokio::select! {
        running = start(config, true) => running?,
        () = &mut until => return Ok(()), // told to stop while the models were being loaded
    };
    until.await;
    running.stop().await;
    Ok(())
}

/// Completes when the process receives SIGTERM or SIGINT (Ctrl-C).
pub async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await.unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {},
        () = terminated => {},
    }
}

fn bounds(limits: &Limits) -> Bounds {
    let descriptors = descriptors::raise_limit();
    let connections = descriptors::connections_within(descriptors, limits.connections);
    if connections < limits.connections {
        tracing::warn!(
            connections,
            "fewer connections than limits.connections are taken: the limit on open files (ulimit -n) is low"
        );
    }
    Bounds { connections, idle_timeout: limits.idle_timeout(), send_timeout: limits.send_timeout() }
}

async fn fold_metrics(app: Arc<App>) {
    let mut ticks = tokio::time::interval(FOLD_METRICS_EVERY);
    loop {
        ticks.tick().await;
        if AssertUnwindSafe(publish(&app)).catch_unwind().await.is_err() {
            tracing::error!("publishing metrics panicked: it is tried again");
        }
    }
}

/// Publishes what is measured from time to time, and looks whether a store that could only be read can be written to.
async fn publish(app: &App) {
    if let Ok(engine) = app.engine() {
        if app.condition().fault().is_some() {
            is_writable_again(app, engine).await;
        }
        publish_jobs(engine).await;
        publish_thinking(engine).await;
        crate::metrics::forgetting(&engine.swept());
        publish_embedding(engine).await;
        let (erasures, age) = engine.purge_debt();
        crate::metrics::purge(erasures, age);
    }
    crate::metrics::unreadable_rows();
    app.metrics().fold();
}

/// Publishes the status and the number of jobs as metrics.
async fn publish_jobs(engine: &Engine) {
    let Some(runner) = engine.job_runner() else { return };
    match engine.count_jobs().await {
        Ok(counts) => crate::metrics::jobs(&runner, &counts),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the jobs were not counted"),
    }
}

/// Publishes the vectors that are yet to be made as metrics.
async fn publish_embedding(engine: &Engine) {
    match engine.count_rows_to_embed().await {
        Ok(rows) => crate::metrics::embedding(rows, engine.embedder_fault().is_some()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "rows without vectors were not counted");
        }
    }
}

/// Publishes the queues of thinking and the use of language models as metrics.
async fn publish_thinking(engine: &Engine) {
    match engine.count_waiting_turns().await {
        Ok(waiting) => crate::metrics::thinking(&waiting, &engine.metered_calls()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the waiting turns were not counted");
        }
    }
}

async fn forget_old_requests(engine: Arc<Engine>) {
    let mut ticks = tokio::time::interval(FORGET_REQUESTS_EVERY);
    loop {
        ticks.tick().await;
        match AssertUnwindSafe(engine.forget_old_requests()).catch_unwind().await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "old requests were not forgotten");
            }
            Err(_panic) => tracing::error!("forgetting old requests panicked: it is tried again"),
        }
    }
}

/// Address at which this machine reaches the listener: a wildcard address is replaced, since clients cannot connect to
/// it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback: std::net::IpAddr = match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let ip = if address.ip().is_unspecified() { loopback } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use memory_core::store::StoreError;

    use super::*;
    use crate::config::{Overrides, load};

    #[test]
    fn an_address_for_everyone_is_reached_on_this_machine() {
        let shown = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(shown("0.0.0.0:7070"), "127.0.0.1:7070");
        assert_eq!(shown("[::]:7070"), "[::1]:7070");
        assert_eq!(shown("10.0.0.2:1"), "10.0.0.2:1");
    }

    fn config(data_dir: &Path) -> Config {
        let overrides = Overrides {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: Some(data_dir.to_owned()),
            embedder: Some("hashing".to_owned()),
            ..Overrides::default()
        };
        let environment = [("HOME".to_owned(), "/nowhere".to_owned())];
        load(None, &environment, &overrides).expect("a configuration")
    }

    #[tokio::test]
    async fn a_server_lives_alone_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a directory");
        let running = start(config(folder.path()), true).await.expect("a server");
        let announced = Announcement::read(folder.path()).expect("legible").expect("an announcement");
        assert_eq!((announced.url.as_str(), announced.pid), (running.url(), std::process::id()));

        let client = engrain::Client::new(running.url()).expect("a client");
        assert_eq!(client.health().await.expect("an answer").instance, Some(announced.instance));
        assert_eq!(client.version().await.expect("an answer").embedder, "hashing");
        let text = "Mara lives in Lisbon";
        let turns = vec![engrain::wire::NewTurn::new(engrain::wire::Role::User, text)];
        let scope = engrain::wire::Scope::user("mara");
        let request = engrain::wire::AddTurns { scope: scope.clone(), turns, ..Default::default() };
        let added = client.add_turns(&request).await.expect("added");

        let second = start(config(folder.path()), true).await.err().expect("one server is enough");
        assert!(matches!(second, ServeError::Start(StartError::Store(StoreError::InUse { .. }))), "{second}");
        let kept = Announcement::read(folder.path()).expect("legible");
        assert_eq!(kept, Some(announced), "the second must not touch the first's file");

        running.stop().await;
        assert_eq!(Announcement::read(folder.path()).expect("legible"), None);
        assert!(client.health().await.is_err());

        let again = start(config(folder.path()), false).await.expect("the store is free again");
        let client = engrain::Client::new(again.url()).expect("a client");
        let kept = client.memory(added.memory_ids[0]).await.expect("what was acknowledged is kept");
        assert_eq!(kept.text, text);
        again.stop().await;
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_told() {
        let folder = tempfile::tempdir().expect("a directory");
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = config(folder.path());
        config.server.listen = taken.local_addr().expect("an address");
        let error = start(config, true).await.err().expect("taken");
        assert!(matches!(error, ServeError::Listen { .. }), "{error}");
    }
}
