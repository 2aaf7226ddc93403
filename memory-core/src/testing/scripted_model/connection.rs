//! One connection of the scripted server: HTTP/1.1 with keep-alive, as far as the tests need it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::step::{Kind, Step};
use super::{Recorded, Script, State};

/// Maximum length of a request, in bytes.
const REQUEST_BYTES_AT_MOST: usize = 64 << 20;
/// Number of events of a streamed text, at most.
const EVENTS: usize = 16;

/// Answers the requests of a connection until its client closes it.
pub(super) async fn serve(stream: TcpStream, state: Arc<State>, script: Arc<Script>) {
    // Answers are written in several parts.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let mut received = Vec::new();
    while let Ok(Some((path, headers, body))) = request(&mut reader, &mut received).await {
        let recorded = {
            let mut requests = state.requests.lock();
            let recorded = Recorded { number: requests.len(), path, headers, body };
            requests.push(recorded.clone());
            recorded
        };
        let _open = Open::new(&state);
        let step = script(&recorded);
        let mut unasked = [0];
        // A client that has gone ends the answer. Clients do not send a second request before the first answer.
        let answered = tokio::select! {
            answered = answer(&mut writer, step, &recorded) => answered,
            _ = reader.read(&mut unasked) => return,
        };
        if !matches!(answered, Ok(true)) {
            return;
        }
    }
}

/// Count of a request that is being answered.
struct Open<'a>(&'a State);

impl<'a> Open<'a> {
    fn new(state: &'a State) -> Self {
        let mut open = state.open.lock();
        *open += 1;
        let mut most = state.most_open.lock();
        *most = (*most).max(*open);
        Self(state)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        *self.0.open.lock() -= 1;
    }
}

type Head = (String, Vec<(String, String)>, Value);

async fn request(reader: &mut OwnedReadHalf, received: &mut Vec<u8>) -> io::Result<Option<Head>> {
    loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let headers: Vec<(String, String)> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length = length.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0);
            let whole = end + 4 + length;
            while received.len() < whole.min(REQUEST_BYTES_AT_MOST) {
                if reader.read_buf(received).await? == 0 {
                    return Ok(None);
                }
            }
            let body = serde_json::from_slice(&received[end + 4..whole]).unwrap_or(Value::Null);
            received.drain(..whole);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            return Ok(Some((path, headers, body)));
        }
        if received.len() > REQUEST_BYTES_AT_MOST || reader.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

/// Answers by a step; true if the connection stays open.
async fn answer(writer: &mut OwnedWriteHalf, step: Step, request: &Recorded) -> io::Result<bool> {
    tokio::time::sleep(step.after).await;
    match step.kind {
        Kind::Hang => std::future::pending().await,
        Kind::Drop => Ok(false),
        Kind::Bytes { status, headers, body } => whole(writer, status, &headers, &body).await,
        Kind::Reply { text, finish, usage, pause } if request.wants_stream() => {
            begin_stream(writer).await?;
            for event in events(request, &text, finish, &usage) {
                tokio::time::sleep(pause).await;
                chunk(writer, &event).await?;
            }
            writer.write_all(b"0\r\n\r\n").await?;
            Ok(true)
        }
        Kind::Reply { text, finish, usage, .. } => {
            let body = completion(request, &text, finish, &usage);
            let json = [("content-type".to_owned(), "application/json".to_owned())];
            whole(writer, 200, &json, body.to_string().as_bytes()).await
        }
        Kind::DropMidway(text) => half(writer, request, &text).await.map(|()| false),
        Kind::StallMidway(text) => {
            half(writer, request, &text).await?;
            std::future::pending().await
        }
    }
}

async fn half(writer: &mut OwnedWriteHalf, request: &Recorded, text: &str) -> io::Result<()> {
    if request.wants_stream() {
        begin_stream(writer).await?;
        let events = events(request, text, Some("stop"), &Value::Null);
        for event in &events[..events.len() / 2] {
            chunk(writer, event).await?;
        }
        // The client shall have read it before the connection ends.
        tokio::time::sleep(Duration::from_millis(20)).await;
        return Ok(());
    }
    let body = completion(request, text, Some("stop"), &Value::Null).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
        body.len(),
        &body[..body.floor_char_boundary(body.len() / 2)]
    );
    writer.write_all(head.as_bytes()).await
}

async fn whole(
    writer: &mut OwnedWriteHalf,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<bool> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}content-length: {}\r\n\r\n", body.len());
    writer.write_all(&[head.as_bytes(), body].concat()).await?;
    Ok(true)
}

async fn begin_stream(writer: &mut OwnedWriteHalf) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    writer.write_all(head.as_bytes()).await
}

async fn chunk(writer: &mut OwnedWriteHalf, event: &str) -> io::Result<()> {
    let data = format!("data: {event}\n\n");
    writer.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes()).await
}

fn completion(request: &Recorded, text: &str, finish: Option<&str>, usage: &Value) -> Value {
    json!({
        "id": format!("scripted-{}", request.number), "object": "chat.completion", "model": request.body["model"],
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": finish }],
        "usage": usage,
    })
}

/// Events of a streamed completion, the last of them `[DONE]`.
fn events(request: &Recorded, text: &str, finish: Option<&str>, usage: &Value) -> Vec<String> {
    let event = |choices: Value, usage: &Value| {
        let id = format!("scripted-{}", request.number);
        json!({ "id": id, "object": "chat.completion.chunk", "choices": choices, "usage": usage }).to_string()
    };
    let delta = |delta: Value, finish: Option<&str>| {
        event(json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), &Value::Null)
    };
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), None)];
    let mut rest = text;
    let part_bytes = text.len().div_ceil(EVENTS).max(4);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(part_bytes));
        events.push(delta(json!({ "content": part }), None));
        rest = after;
    }
    events.push(delta(json!({}), finish));
    let wants_usage = request.body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    if wants_usage && !usage.is_null() {
        events.push(event(json!([]), usage));
    }
    events.push("[DONE]".to_owned());
    events
}
