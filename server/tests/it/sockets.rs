//! The listener over real sockets: idle connections, requests that arrive slowly or never, foreign pages, the stop.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use engrain_server::config::{Config, Overrides, load};
use engrain_server::serve::{Running, start};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Timeout of everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Listening {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

pub(crate) async fn listening(settings: &[(&str, &str)]) -> Listening {
    let directory = tempfile::tempdir().expect("a directory");
    let overrides = Overrides {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        data_dir: Some(directory.path().to_owned()),
        embedder: Some("hashing".to_owned()),
        ..Overrides::default()
    };
    let own = [("HOME", "/nowhere")];
    let environment =
        own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config: Config = load(None, &environment.collect::<Vec<_>>(), &overrides).expect("a configuration");
    let running = start(config, false).await.expect("a server");
    let address = running.url().strip_prefix("http://").expect("a URL").parse().expect("an address");
    Listening { running, address, _directory: directory }
}

impl Listening {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Connection that has sent these bytes.
    pub(crate) async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.expect("sent");
        stream
    }

    /// Status line of the response to a request of its own connection.
    async fn status(&self, head: &str) -> String {
        let mut stream = self.send(&format!("{head}\r\nConnection: close\r\n\r\n")).await;
        let text = rest_of(&mut stream).await;
        text.lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) async fn is_well(&self) -> bool {
        self.status("GET /health HTTP/1.1\r\nHost: localhost").await.contains("200")
    }
}

/// All that a server sends until it closes the connection.
pub(crate) async fn rest_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    // A connection that is reset is closed, too.
    let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

const HALF_A_BODY: &str = "POST /v1/recall HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                           Content-Length: 1000\r\n\r\n{\"scope\"";

#[tokio::test]
async fn connections_without_requests_shut_nobody_out() {
    let server = listening(&[("ENGRAIN_LIMITS__CONNECTIONS", "4")]).await;
    let mut held = Vec::new();
    for number in 0..12 {
        let bytes = ["", "GET /health HTTP/1.1\r\nHost: local", HALF_A_BODY][number % 3];
        held.push(server.send(bytes).await);
        assert!(number % 4 != 3 || server.is_well().await, "after {number} connections");
    }
    assert!(server.is_well().await);
    let first = held.first_mut().expect("a connection");
    assert_eq!(rest_of(first).await, "", "the first connection was closed for others");
    server.running.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_whole_head_is_closed_after_the_idle_timeout() {
    let server = listening(&[("ENGRAIN_LIMITS__IDLE_TIMEOUT_MS", "200")]).await;
    let idle = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for bytes in ["", "GET /health HTTP/1.1\r\nX: ", idle] {
        let began = Instant::now();
        let mut stream = server.send(bytes).await;
        let text = rest_of(&mut stream).await;
        assert_eq!(text.contains(" 200 "), bytes == idle, "{text}");
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    }
    server.running.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_holds_no_slot() {
    let server = listening(&[("ENGRAIN_LIMITS__CONCURRENT_REQUESTS", "1")]).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(server.send(HALF_A_BODY).await);
    }
    for path in ["/v1/owners", "/health", "/ready", "/metrics"] {
        let status = server.status(&format!("GET {path} HTTP/1.1\r\nHost: localhost")).await;
        assert!(status.contains(" 200 "), "{path}: {status}");
    }
    server.running.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_clients_that_send_nothing() {
    let server = listening(&[]).await;
    let mut held = Vec::new();
    for bytes in
        ["", "GET /health HTTP/1.1\r\nX: ", HALF_A_BODY, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        held.push(server.send(bytes).await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "the stop took {:?}", began.elapsed());
    let answered = rest_of(held.last_mut().expect("a connection")).await;
    assert!(answered.contains(" 200 ") && answered.contains("\"status\":\"ok\""), "{answered}");
}

#[tokio::test]
async fn a_request_that_has_arrived_is_answered_before_the_stop() {
    let server = listening(&[]).await;
    let body = r#"{"scope":{"user_id":"u"},"session":"s","turns":[{"role":"user","text":"tea"}]}"#;
    let mut stream = server
        .send(&format!(
            "POST /v1/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let (answered, ()) = tokio::join!(rest_of(&mut stream), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.running.stop().await;
    });
    // Either it was worked on when the stop began, or it had not been read: never half an answer.
    assert!(answered.is_empty() || answered.contains(" 201 ") && answered.ends_with('}'), "{answered}");
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_over_a_socket() {
    let server = listening(&[]).await;
    let port = server.address.port();
    let cases = [
        (format!("GET /v1/owners HTTP/1.1\r\nHost: 127.0.0.1:{port}"), " 200 "),
        (format!("GET /v1/owners HTTP/1.1\r\nHost: evil.example:{port}"), " 421 "),
        ("GET /v1/owners HTTP/1.1\r\nHost: [::1].evil.example".to_owned(), " 421 "),
        ("GET http://evil.example/v1/owners HTTP/1.1\r\nHost: localhost".to_owned(), " 421 "),
        (
            format!("GET /v1/owners HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}"),
            " 200 ",
        ),
        (
            format!("GET /v1/owners HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://evil.example"),
            " 403 ",
        ),
        (format!("GET /v1/owners HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site"), " 403 "),
    ];
    for (head, expected) in cases {
        let status = server.status(&head).await;
        assert!(status.contains(expected), "{head:?}: {status}");
    }
    server.running.stop().await;
}
