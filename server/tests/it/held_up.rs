//! Nobody is held up by one: by searches through costly filters, and by clients that do not read what they asked for.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::sockets::{Listening, listening, rest_of};

/// Timeout of a request that nothing may hold up. Generous: it is about being shut out, not about speed.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// Status and text of the response to a request of its own connection.
async fn request(server: &Listening, line: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let mut stream = server
        .send(&format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let text = rest_of(&mut stream).await;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), text)
}

/// Adds so many memories with 20 texts in the metadata of each.
async fn fill(server: &Listening, memories: usize) {
    for from in (0..memories).step_by(500) {
        let added: Vec<Value> = (from..memories.min(from + 500))
            .map(|number| {
                let texts: Vec<String> = (0..20).map(|at| format!("Value {at} of {number}")).collect();
                json!({"text": format!("tea {number}"), "metadata": {"l": texts}})
            })
            .collect();
        let body = json!({"scope": {"user_id": "ann"}, "memories": added});
        assert_eq!(request(server, "POST /v1/memories", &body).await.0, 201);
    }
}

/// A filter within all bounds that takes long on every memory.
fn costly_list() -> Value {
    let tests: Vec<Value> =
        (0..255).map(|number| json!({"field": "metadata.l", "contains": format!("zzz{number}")})).collect();
    json!({"scope": {"user_id": "ann"}, "filter": {"or": tests}})
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_through_costly_filters_leave_connections_to_everybody_else() {
    let server = listening(&[("ENGRAIN_STORE__READ_CONNECTIONS", "2")]).await;
    fill(&server, 2_000).await;
    let (list, delete) = (costly_list(), costly_list());
    let lists = futures::future::join_all((0..6).map(|number| match number % 2 {
        0 => request(&server, "POST /v1/memories/list", &list),
        _ => request(&server, "POST /v1/memories/delete", &delete),
    }));
    let others = async {
        let recall = json!({"scope": {"user_id": "ben"}, "query": "tea"});
        for _ in 0..5 {
            for (line, body) in [
                ("POST /v1/recall", &recall),
                ("GET /v1/owners", &Value::Null),
                ("GET /v1/sessions?user_id=ann", &Value::Null),
                ("GET /ready", &Value::Null),
            ] {
                let served = tokio::time::timeout(SERVED_WITHIN, request(&server, line, body)).await;
                let (status, text) = served.unwrap_or_else(|_| panic!("{line} is held up"));
                assert_eq!(status, 200, "{line}: {text}");
            }
        }
    };
    let (lists, ()) = tokio::join!(lists, others);
    for (status, text) in &lists {
        let is_refused = *status == 429 && text.contains("\"busy\"") && text.contains("retry-after");
        assert!(*status == 200 || is_refused, "{text}");
    }
    assert!(lists.iter().any(|(status, _)| *status == 200));
    server.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_lists_through_costly_filters() {
    let server = listening(&[("ENGRAIN_LIMITS__DRAIN_TIMEOUT_MS", "100")]).await;
    fill(&server, 3_000).await;
    let mut held = Vec::new();
    let body = costly_list().to_string();
    for _ in 0..4 {
        let head = format!(
            "POST /v1/memories/list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        held.push(server.send(&head).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    server.running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "the stop took {:?}", began.elapsed());
}

/// Adds 12 MB, more than what the operating system keeps of a connection, as metadata: long texts would be cut into chunks, which
/// takes many seconds on a busy machine.
async fn fill_beyond_socket_buffers(server: &Listening) {
    let data = "x".repeat(15_000);
    for number in 0..4 {
        let added: Vec<Value> = (0..200)
            .map(|at| json!({"text": format!("{number} {at}"), "metadata": {"data": data}}))
            .collect();
        let body = json!({"scope": {"user_id": "ann"}, "memories": added});
        let (status, text) = request(server, "POST /v1/memories", &body).await;
        assert_eq!(status, 201, "{text}");
    }
}

/// Connection that asks for an export, and never reads it.
async fn unread_export(server: &Listening) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(2_048).expect("a small buffer");
    let mut stream = socket.connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /v1/export HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_that_nobody_reads_end_and_leave_requests_to_everybody_else() {
    let server = listening(&[
        ("ENGRAIN_LIMITS__SEND_TIMEOUT_MS", "3000"),
        ("ENGRAIN_LIMITS__CONCURRENT_EXPORTS", "2"),
        ("ENGRAIN_LIMITS__CONCURRENT_REQUESTS", "3"),
    ])
    .await;
    fill_beyond_socket_buffers(&server).await;
    let held = [unread_export(&server).await, unread_export(&server).await];
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (status, text) = request(&server, "GET /v1/export", &Value::Null).await;
    assert!(status == 429 && text.contains("as many exports as it may"), "{text}");
    for line in ["GET /v1/owners", "GET /ready", "GET /health"] {
        assert_eq!(request(&server, line, &Value::Null).await.0, 200, "{line}");
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (status, text) = request(&server, "GET /v1/export", &Value::Null).await;
    assert!(status == 200 && text.contains("\"record\":\"end\""), "the unread exports hold their slots");
    drop(held);
    server.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_not_read_make_room_for_others() {
    let server = listening(&[("ENGRAIN_LIMITS__CONNECTIONS", "4")]).await;
    fill_beyond_socket_buffers(&server).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(unread_export(&server).await);
    }
    for _ in 0..3 {
        let well = tokio::time::timeout(SERVED_WITHIN, server.is_well()).await;
        assert!(well.expect("connections that do not read shut others out"));
    }
    let began = Instant::now();
    server.running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "the stop took {:?}", began.elapsed());
}
