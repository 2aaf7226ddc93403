//! Clients that connect and send nothing, half a head, half a body, or a body byte by byte: others are served meanwhile,
//! and a stop does not wait for them.

use std::net::SocketAddr;
use std::time::Duration;

use engrain::wire::{RecallRequest, Scope};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::ledger::{Ledger, by_word, word_of};
use super::watched::Watched;
use crate::process::announced;

/// Connections that hold on: more than the server's bound of 1,024.
const CONNECTIONS: usize = 1_100;
/// Stalled bodies: as many as requests are worked on at the same time.
const STALLED: usize = 128;
/// Open files that this process needs.
const OPEN_FILES: u64 = 4_096;
/// Docker kills after 10 s.
const STOP_WITHIN: Duration = Duration::from_secs(9);
/// Timeout of a request of another client. Generous: it is about being shut out, not about speed.
const SERVED_WITHIN: Duration = Duration::from_secs(20);

const HALF_A_HEAD: &str = "GET /health HTTP/1.1\r\nHost: local";
const HALF_A_BODY: &str = "POST /v1/recall HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                           Content-Length: 100000\r\n\r\n{\"scope\"";

/// A server with memories, and what holds on to it.
struct Held {
    server: Watched,
    ledger: Ledger,
    address: SocketAddr,
    idle: Vec<TcpStream>,
    slow: Vec<JoinHandle<()>>,
    folder: TempDir,
}

impl Held {
    /// None, with a printed line, where this process may not open enough files.
    async fn new() -> Option<Self> {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < OPEN_FILES) {
            limit.current = Some(limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES)));
            let _ = setrlimit(Resource::Nofile, limit);
            if limit.current < Some(OPEN_FILES) {
                println!(
                    "SKIPPED: {CONNECTIONS} connections are not tried, because of the limit on open files"
                );
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let server = Watched::start(folder.path(), "hashing").await;
        let mut ledger = Ledger::default();
        ledger.write(&server.client, "mara", 50).await;
        let announcement = std::fs::read(folder.path().join("server.json")).unwrap();
        let announcement: serde_json::Value = serde_json::from_slice(&announcement).unwrap();
        let address = announcement["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        Some(Self { server, ledger, address, idle: Vec::new(), slow: Vec::new(), folder })
    }

    /// Opens connections that send these bytes and no more.
    async fn hold(&mut self, connections: usize, bytes: &str) {
        for _ in 0..connections {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // The server may have closed it for others by now.
            let _ = stream.write_all(bytes.as_bytes()).await;
            self.idle.push(stream);
        }
    }

    /// Opens connections whose bodies arrive byte by byte.
    async fn drip(&mut self, connections: usize) {
        for _ in 0..connections {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            self.slow.push(tokio::spawn(async move {
                let mut sent = stream.write_all(HALF_A_BODY.as_bytes()).await;
                while sent.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    sent = stream.write_all(b" ").await;
                }
            }));
        }
    }

    /// Asserts that a new client is served.
    async fn assert_served(&self, context: &str) {
        let client = announced(self.folder.path(), self.server.pid()).unwrap();
        let (id, (user, text)) = self.ledger.kept.first_key_value().unwrap();
        let all = async {
            client.health().await.unwrap();
            let found = client.recall(&by_word(user, word_of(text))).await.unwrap();
            assert_eq!(found.memories[0].memory.id, *id, "{context}");
            let nobody =
                RecallRequest { scope: Scope::user("x"), query: "x".to_owned(), ..RecallRequest::default() };
            client.recall(&nobody).await.unwrap();
        };
        let served = tokio::time::timeout(SERVED_WITHIN, all).await;
        assert!(served.is_ok(), "{context}: nobody else is served\n{}", self.server.log());
    }

    /// Asserts that the server stops in time while they hold on.
    async fn assert_stops(self, context: &str) {
        let (status, took) = self.server.stop().await;
        assert!(status.success() && took < STOP_WITHIN, "{context}: {status} after {took:?}");
        for task in self.slow {
            task.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_idle_connections_than_the_bound_shut_nobody_out() {
    let Some(mut held) = Held::new().await else { return };
    held.hold(CONNECTIONS, "").await;
    held.assert_served("idle").await;
    held.assert_stops("idle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_half_sent_heads_than_the_bound_shut_nobody_out() {
    let Some(mut held) = Held::new().await else { return };
    held.hold(CONNECTIONS, HALF_A_HEAD).await;
    held.assert_served("half-sent heads").await;
    held.assert_stops("half-sent heads").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_and_slow_bodies_take_no_place_of_others() {
    let Some(mut held) = Held::new().await else { return };
    held.hold(STALLED, HALF_A_BODY).await;
    held.assert_served("stalled bodies").await;
    held.drip(STALLED).await;
    held.assert_served("slow bodies").await;
    held.hold(CONNECTIONS - 2 * STALLED, "").await;
    held.assert_served("all together").await;
    held.assert_stops("all together").await;
}
