//! A server process whose log is kept, and that may refuse to start.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use engrain::Client;
use tempfile::NamedTempFile;

use crate::process::announced;

/// Timeout of a start, and of a stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed when it is dropped, and its log is searched for panics.
pub(super) struct Watched {
    child: Child,
    log: NamedTempFile,
    pub(super) client: Client,
}

/// Result of a start.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Started {
    Ready(Watched),
    /// The process ended by itself.
    Refused {
        status: Option<i32>,
        log: String,
    },
}

impl Watched {
    /// Starts `engrain serve` and waits until it answers, healthy or not, or has ended.
    pub(super) async fn try_start(data: &Path, embedder: &str) -> Started {
        let log = NamedTempFile::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_engrain"))
            .args(["serve", "--listen", "127.0.0.1:0", "--embedder", embedder, "--data-dir"])
            .arg(data)
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                let log = text_of(&log);
                assert_no_panic(&log);
                return Started::Refused { status: status.code(), log };
            }
            if let Some(client) = announced(data, child.id())
                && answers(&client).await
            {
                return Started::Ready(Self { child, log, client });
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the server neither answers nor ends:\n{}", text_of(&log));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The same for a store that must be served.
    pub(super) async fn start(data: &Path, embedder: &str) -> Self {
        match Self::try_start(data, embedder).await {
            Started::Ready(server) => server,
            Started::Refused { status, log } => panic!("refused with {status:?}:\n{log}"),
        }
    }

    /// Ends the process as a power cut would.
    pub(super) fn kill(self) {
        drop(self);
    }

    /// Id of the process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Log so far.
    pub(super) fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Asks the process to stop, as a supervisor does; returns its status and how long it took.
    #[cfg(unix)]
    pub(super) async fn stop(mut self) -> (ExitStatus, Duration) {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "the server does not stop:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            assert_no_panic(&self.log());
        }
    }
}

/// True if the server has started: a fault of its store is an answer, too.
async fn answers(client: &Client) -> bool {
    match client.ready().await {
        Ok(_) => true,
        Err(error) => error.code().is_some_and(|code| code != "starting"),
    }
}

fn text_of(log: &NamedTempFile) -> String {
    String::from_utf8_lossy(&std::fs::read(log.path()).unwrap()).into_owned()
}

fn assert_no_panic(log: &str) {
    assert!(!log.contains("panicked"), "{log}");
}
