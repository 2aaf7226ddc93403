//! Tests of the remote embedder against a scripted local server: its requests, and its handling of every answer.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;

/// Answers each request with the result of `script` for its number and body: status line, further headers, body.
/// Records the requests, head and body.
async fn serve(
    script: impl Fn(usize, &Value) -> (&'static str, &'static str, String) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept, script) = (Arc::clone(&seen), Arc::new(script));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
            tokio::spawn(async move {
                let (head, body) = request(&mut stream).await;
                let number = {
                    let mut kept = kept.lock();
                    kept.push((head, body.clone()));
                    kept.len() - 1
                };
                let (status, headers, answer) = script(number, &body);
                if status == "silence" {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                let head = format!(
                    "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
            });
        }
    });
    (address, seen)
}

async fn request(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return (head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null));
        }
    }
}

/// Vectors that identify the texts by length, last text first.
fn embeddings(body: &Value) -> String {
    let inputs = body["input"].as_array().unwrap();
    let rows: Vec<Value> = inputs
        .iter()
        .enumerate()
        .rev()
        .map(|(index, text)| json!({ "index": index, "embedding": [text.as_str().unwrap().len() as f32, 1.0] }))
        .collect();
    json!({ "object": "list", "data": rows }).to_string()
}

fn settings(base_url: String) -> RemoteEmbedderSettings {
    let json = json!({ "base_url": base_url, "api_key": "secret", "model": "m", "dimension": 2,
        "batch_texts": 2, "concurrent_requests": 2, "timeout_ms": 2000, "backoff_ms": 1, "retries": 2,
        "query_prefix": "query: " });
    serde_json::from_value(json).unwrap()
}

fn texts(count: usize) -> Vec<String> {
    (1..=count).map(|n| "x".repeat(n)).collect()
}

#[tokio::test]
async fn texts_go_in_batches_and_vectors_come_back_in_order() {
    let (address, seen) = serve(|_, body| ("200 OK", "", embeddings(body))).await;
    let embedder = RemoteEmbedder::new(settings(address)).unwrap();
    let vectors = embedder.embed_passages(&texts(5)).await.unwrap();
    for (n, vector) in vectors.iter().enumerate() {
        let ratio = vector[0] / vector[1];
        assert!((ratio - (n + 1) as f32).abs() < 1e-4, "text {n} has the vector of another: {vector:?}");
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
    }
    assert!(embedder.embed_passages(&[]).await.unwrap().is_empty());
    embedder.embed_query("hi").await.unwrap();
    let seen = seen.lock();
    assert_eq!(seen.len(), 3 + 1, "five texts are three batches of two; no text is no request");
    assert_eq!(seen[3].1["input"], json!(["query: hi"]));
    let head = seen[0].0.to_lowercase();
    assert!(
        head.starts_with("post /v1/embeddings") && head.contains("authorization: bearer secret"),
        "{head}"
    );
}

#[tokio::test]
async fn transient_failures_are_retried_up_to_the_limit() {
    let (address, seen) = serve(|number, body| match number {
        0 => ("429 Too Many Requests", "retry-after: 0\r\n", "slow down".into()),
        1 => ("502 Bad Gateway", "", "<html>".into()),
        _ => ("200 OK", "", embeddings(body)),
    })
    .await;
    let embedder = RemoteEmbedder::new(settings(address)).unwrap();
    assert_eq!(embedder.embed_passages(&texts(1)).await.unwrap().len(), 1);
    assert_eq!(seen.lock().len(), 3);

    let (address, seen) = serve(|_, _| ("503 Service Unavailable", "", "down for repair".into())).await;
    let error = RemoteEmbedder::new(settings(address)).unwrap().embed_query("hi").await.unwrap_err();
    assert!(matches!(&error, ModelError::Remote { status: 503, message } if message == "down for repair"));
    assert_eq!(seen.lock().len(), 3, "one try and two retries, no secret ones");
}

#[tokio::test]
async fn refusals_are_returned_at_once_with_status_and_reason() {
    for (status, code) in [("401 Unauthorized", 401), ("400 Bad Request", 400), ("302 Found", 302)] {
        let answer = r#"{"error":{"message":"no such model"}}"#;
        let (address, seen) = serve(move |_, _| (status, "location: /elsewhere\r\n", answer.into())).await;
        let error = RemoteEmbedder::new(settings(address)).unwrap().embed_query("hi").await.unwrap_err();
        assert!(
            matches!(&error, ModelError::Remote { status, message } if *status == code && message == "no such model"),
            "{error:?}"
        );
        assert_eq!(seen.lock().len(), 1);
    }
}

#[tokio::test]
async fn malformed_answers_are_errors() {
    let answers: [(&'static str, String); 7] = [
        ("another dimension", json!({"data":[{"index":0,"embedding":[1.0,2.0,3.0]}]}).to_string()),
        ("no length", json!({"data":[{"index":0,"embedding":[0.0,0.0]}]}).to_string()),
        ("too few", json!({"data":[]}).to_string()),
        ("a wrong index", json!({"data":[{"index":1,"embedding":[1.0,2.0]}]}).to_string()),
        ("no number", r#"{"data":[{"index":0,"embedding":[null,1.0]}]}"#.into()),
        ("no JSON", "<html>".into()),
        ("too long", format!(r#"{{"data":[],"rest":"{}"}}"#, "x".repeat(100_000))),
    ];
    for (what, answer) in answers {
        let (address, seen) = serve(move |_, _| ("200 OK", "", answer.clone())).await;
        let error = RemoteEmbedder::new(settings(address)).unwrap().embed_query("hi").await.unwrap_err();
        assert!(matches!(error, ModelError::InvalidOutput { .. }), "{what}: {error:?}");
        assert_eq!(seen.lock().len(), 1, "{what}: asked again in vain");
    }
}

#[tokio::test]
async fn a_silent_or_absent_service_is_a_timely_error() {
    let (address, _) = serve(|_, _| ("silence", "", String::new())).await;
    let impatient = RemoteEmbedderSettings { timeout_ms: 100, retries: 1, ..settings(address) };
    let begun = Instant::now();
    let error = RemoteEmbedder::new(impatient).unwrap().embed_query("hi").await.unwrap_err();
    assert!(matches!(error, ModelError::TimedOut { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));

    // Bound and not listening, so that no other process gets the port during the test.
    let reserved = TcpSocket::new_v4().unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = reserved.local_addr().unwrap();
    let error = RemoteEmbedder::new(settings(format!("http://{nobody}/v1"))).unwrap().embed_query("hi").await;
    assert!(matches!(error, Err(ModelError::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn long_texts_are_refused_as_passages_and_averaged_as_queries() {
    let (address, seen) = serve(|_, body| ("200 OK", "", embeddings(body))).await;
    let embedder =
        RemoteEmbedder::new(RemoteEmbedderSettings { max_tokens: 64, ..settings(address) }).unwrap();
    let long = "It is long. ".repeat(30);
    let refused = embedder.embed_passages(std::slice::from_ref(&long)).await;
    assert!(matches!(refused, Err(ModelError::OverLimit { .. })));
    let spans = embedder.split(&long);
    assert!(spans.len() > 1 && spans.last().unwrap().end == long.len());
    assert!(
        (embedder.embed_query(&long).await.unwrap().iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6
    );
    let parts = seen.lock()[0].1["input"].as_array().unwrap().len();
    assert!(parts > 1, "the query was not sent in parts");
    assert!(matches!(embedder.embed_query(&long.repeat(10)).await, Err(ModelError::OverLimit { .. })));
}

#[test]
fn unusable_settings_are_refused_and_the_key_is_never_shown() {
    let with = |change: fn(&mut RemoteEmbedderSettings)| {
        let mut settings = settings("http://localhost/v1".into());
        change(&mut settings);
        RemoteEmbedder::new(settings)
    };
    assert!(!format!("{:?}", with(|_| ()).unwrap()).contains("secret"));
    for refused in [
        with(|s| s.api_key = "two\nlines".into()),
        with(|s| s.base_url = "ftp://localhost".into()),
        with(|s| s.dimension = 0),
        with(|s| s.query_prefix = "long ".repeat(10_000)),
    ] {
        assert!(matches!(refused, Err(ModelError::Unusable { .. })));
    }
}

#[test]
fn estimates_bound_every_script() {
    assert_eq!(Estimate::tokens("abcde"), 3);
    assert_eq!(Estimate::tokens("日本"), 6);
    assert_eq!(Estimate::tokens(""), 0);
    let inputs = vec!["x".repeat(400_000), "x".repeat(200_000), "y".to_owned(), "z".to_owned()];
    assert_eq!(batches(&inputs, 2), [0..1, 1..3, 3..4]);
}
