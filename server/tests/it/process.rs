//! A real server process over a data directory, driven through the SDK: what end-to-end and crash tests share.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::client::RetryPolicy;

/// Timeout of the start of a server.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed when it is dropped.
pub(crate) struct ServerProcess {
    _process: Process,
    pub(crate) client: Client,
}

/// A process that does not outlive its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ServerProcess {
    /// Starts `engrain serve` over `directory`, with the embedder that needs no files, and waits until it is ready.
    pub(crate) async fn start(directory: &Path) -> Self {
        Self::start_at(directory, "127.0.0.1:0").await
    }

    /// The same at an address.
    pub(crate) async fn start_at(directory: &Path, listen: &str) -> Self {
        Self::start_with(directory, listen, "hashing").await
    }

    /// The same with an embedder; `auto` is the one that the store was made with.
    pub(crate) async fn start_with(directory: &Path, listen: &str, embedder: &str) -> Self {
        Self::spawn(directory, &["--listen", listen, "--embedder", embedder], &[], Stdio::null()).await
    }

    /// Starts a server with the embedder that needs no files and these variables in its environment.
    pub(crate) async fn start_in(directory: &Path, variables: &[(String, String)]) -> Self {
        Self::spawn(
            directory,
            &["--listen", "127.0.0.1:0", "--embedder", "hashing"],
            variables,
            Stdio::null(),
        )
        .await
    }

    /// Starts a server with the embedder that needs no files and this output of its log.
    #[cfg(unix)]
    pub(crate) async fn start_logging_to(directory: &Path, log: Stdio) -> Self {
        Self::spawn(directory, &["--listen", "127.0.0.1:0", "--embedder", "hashing"], &[], log).await
    }

    async fn spawn(directory: &Path, arguments: &[&str], variables: &[(String, String)], log: Stdio) -> Self {
        let spawned = Command::new(env!("CARGO_BIN_EXE_engrain"))
            .arg("serve")
            .args(arguments)
            .arg("--data-dir")
            .arg(directory)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server's binary starts");
        let process = Process(spawned);
        let pid = process.0.id();
        let began = Instant::now();
        loop {
            if let Some(client) = announced(directory, pid)
                && client.ready().await.is_ok()
            {
                return Self { _process: process, client };
            }
            assert!(began.elapsed() < PATIENCE, "the server was not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the process as a power cut would: without a word.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

/// A client of the server that announced itself in the directory, if it is process `pid`.
pub(crate) fn announced(directory: &Path, pid: u32) -> Option<Client> {
    let text = std::fs::read(directory.join("server.json")).ok()?;
    let announcement: serde_json::Value = serde_json::from_slice(&text).ok()?;
    (announcement["pid"].as_u64() == Some(u64::from(pid))).then_some(())?;
    // A test wants to see what the server does, not how patient the client is.
    let never = RetryPolicy { retries: 0, ..RetryPolicy::default() };
    Client::builder(announcement["url"].as_str()?).retry(never).build().ok()
}
