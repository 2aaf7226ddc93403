//! Fake model hub on this machine, with the part of the protocol that a fetch needs and the faults that a fetch must
//! survive.
//!
//! It has one repository. As on the real hub, large files are listed with their sha256 and served through a redirect to
//! another host (here: another port). Shared with the server's tests.

#![allow(dead_code, reason = "each of the crates that share it uses a part")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest, Sha256};

/// Minimum size of a file that is served by the other host, in bytes.
const LARGE_BYTES: usize = 1024;

/// Running hub; it ends with the test process.
pub(crate) struct FakeHub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

/// Files of the hub, injected faults, and recorded requests.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) repository: String,
    pub(crate) revision: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Status of every answer, if the hub is to refuse.
    pub(crate) refuses: Option<u16>,
    /// Number of next answers of the other host that break off, and the number of bytes after which they do.
    pub(crate) breaks_off: Option<(usize, usize)>,
    /// Sends files from their start, whatever range is requested.
    pub(crate) ignores_ranges: bool,
    /// Lists a sha256 that differs from the file's.
    pub(crate) lists_wrong_digests: bool,
    /// Sends more bytes than listed.
    pub(crate) sends_too_much: bool,
    /// Request lines and `authorization` headers; those of the other host have the prefix `cdn `.
    pub(crate) seen: Vec<(String, Option<String>)>,
}

impl FakeHub {
    /// Hub with this repository and its files.
    pub(crate) fn start(repository: &str, files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        let state = State {
            repository: repository.to_owned(),
            revision: "5f0c1e0a3b7e5d3c9a1b2c3d4e5f60718293a4b5".to_owned(),
            files: files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let (hub, cdn) = (bind(), bind());
        let (url, elsewhere) = (url(&hub), url(&cdn));
        let (of_hub, of_cdn) = (Arc::clone(&state), Arc::clone(&state));
        serve(hub, move |request| answer(&mut of_hub.lock().unwrap(), &elsewhere, request));
        serve(cdn, move |request| answer_elsewhere(&mut of_cdn.lock().unwrap(), request));
        Self { url, state }
    }

    /// Hub with the files of a model in the cache of `make setup`, named as in a repository of Xenova's.
    pub(crate) fn with_cached(repository: &str, cached: &str) -> Self {
        let file = |name: &str| {
            let path = cache().join("models").join(cached).join(name);
            std::fs::read(&path).unwrap_or_else(|error| {
                panic!(
                    "these tests need the models, python3 scripts/fetch_models.py: {}: {error}",
                    path.display()
                )
            })
        };
        let files = [
            ("onnx/model.onnx", file("model.onnx")),
            ("tokenizer.json", file("tokenizer.json")),
            ("config.json", br#"{"max_position_embeddings": 512}"#.to_vec()),
            ("tokenizer_config.json", br#"{"model_max_length": 512, "pad_token": "[PAD]"}"#.to_vec()),
            ("README.md", b"not needed".to_vec()),
        ];
        Self::start(repository, files)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Cache of `make setup`.
pub(crate) fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let xdg = || variable("XDG_CACHE_HOME").map(|base| base.join("engrain"));
    let home = || variable("HOME").map(|home| home.join(".cache/engrain"));
    variable("ENGRAIN_CACHE").or_else(xdg).or_else(home).expect("ENGRAIN_CACHE, XDG_CACHE_HOME or HOME")
}

struct Request {
    path: String,
    from: Option<usize>,
    authorization: Option<String>,
}

/// Head, body, and the number of bytes of the body after which the connection breaks.
type Answer = (String, Vec<u8>, Option<usize>);

fn answer(state: &mut State, elsewhere: &str, request: &Request) -> Answer {
    state.seen.push((request.path.clone(), request.authorization.clone()));
    if let Some(status) = state.refuses {
        return (format!("{status} Refused"), br#"{"error": "refused"}"#.to_vec(), None);
    }
    let listing = format!("/api/models/{}/revision/", state.repository);
    if let Some(revision) = request.path.strip_prefix(&listing) {
        let revision = revision.strip_suffix("?blobs=true").unwrap_or("");
        if revision != "main" && revision != state.revision {
            return not_found();
        }
        let siblings: Vec<_> = state.files.iter().map(|(name, bytes)| listed(state, name, bytes)).collect();
        let text = serde_json::json!({"id": state.repository, "sha": state.revision, "siblings": siblings});
        return ("200 OK".to_owned(), text.to_string().into_bytes(), None);
    }
    let files = format!("/{}/resolve/{}/", state.repository, state.revision);
    let Some((name, bytes)) =
        request.path.strip_prefix(&files).and_then(|name| state.files.get_key_value(name))
    else {
        return not_found();
    };
    if bytes.len() < LARGE_BYTES {
        return ("200 OK".to_owned(), bytes.clone(), None);
    }
    let head = format!(
        "302 Found\r\nlocation: {elsewhere}/{name}?signature=secret\r\nx-repo-commit: {}",
        state.revision
    );
    (head, Vec::new(), None)
}

fn listed(state: &State, name: &str, bytes: &[u8]) -> serde_json::Value {
    if bytes.len() < LARGE_BYTES {
        return serde_json::json!({"rfilename": name, "size": bytes.len(), "blobId": "0"});
    }
    let sha256 = if state.lists_wrong_digests { "0".repeat(64) } else { sha256(bytes) };
    let lfs = serde_json::json!({"sha256": sha256, "size": bytes.len(), "pointerSize": 134});
    serde_json::json!({"rfilename": name, "size": bytes.len(), "blobId": "0", "lfs": lfs})
}

fn answer_elsewhere(state: &mut State, request: &Request) -> Answer {
    state.seen.push((format!("cdn {}", request.path), request.authorization.clone()));
    let name = request.path.trim_start_matches('/').split('?').next().unwrap_or_default();
    let Some(bytes) = state.files.get(name) else { return not_found() };
    let from = if state.ignores_ranges { 0 } else { request.from.unwrap_or(0) };
    let mut body = bytes[from.min(bytes.len())..].to_vec();
    if state.sends_too_much {
        body.extend_from_slice(b"and more");
    }
    let breaks = match &mut state.breaks_off {
        Some((times, after)) if *times > 0 => {
            *times -= 1;
            Some(*after)
        }
        _ => None,
    };
    if from > 0 {
        let head =
            format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        return (head, body, breaks);
    }
    ("200 OK".to_owned(), body, breaks)
}

fn not_found() -> Answer {
    ("404 Not Found".to_owned(), b"Entry not found".to_vec(), None)
}

/// Sha256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn url(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(listener: TcpListener, mut answer: impl FnMut(&Request) -> Answer + Send + 'static) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(request) = read(&mut stream) else { continue };
            let (head, body, breaks) = answer(&request);
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..breaks.unwrap_or(body.len()).min(body.len())]);
        }
    });
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    Some(Request {
        path: head.split(' ').nth(1)?.to_owned(),
        from: header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok()),
        authorization: header("authorization"),
    })
}
