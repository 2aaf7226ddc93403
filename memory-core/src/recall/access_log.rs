//! STEP 7 of recalling: noting what came back, without making the caller wait. Notes are written in groups; when more
//! come than can be written, they are dropped and counted: the log helps forgetting, it does not hinder recall.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::store::{RecallRecord, Store};

/// Records that wait to be written.
const MAX_PENDING: usize = 4_096;
/// Records in one transaction.
const MAX_PER_WRITE: usize = 256;
/// How long a record may wait for others: a transaction and a sync to disk for each recall would take the disk and a
/// core from those who ask. A crash loses no more than this.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// The way into the access log.
#[derive(Clone, Debug)]
pub(crate) struct AccessLogWriter {
    records: mpsc::Sender<LogEntry>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum LogEntry {
    Record(RecallRecord),
    Settle(oneshot::Sender<()>),
}

impl AccessLogWriter {
    /// Starts the task that writes. It ends when the last way in is dropped.
    pub(crate) fn start(store: Arc<dyn Store>, keep_per_partition: u32) -> Self {
        let (records, queue) = mpsc::channel(MAX_PENDING);
        tokio::spawn(write(store, queue, keep_per_partition));
        Self { records, dropped: Arc::default() }
    }

    /// Notes a recall.
    pub(crate) fn record(&self, record: RecallRecord) {
        if self.records.try_send(LogEntry::Record(record)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many notes were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything noted so far is written.
    pub(crate) async fn settle(&self) {
        let (settled, wait) = oneshot::channel();
        if self.records.send(LogEntry::Settle(settled)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn write(store: Arc<dyn Store>, mut queue: mpsc::Receiver<LogEntry>, keep_per_partition: u32) {
    while let Some(first) = queue.recv().await {
        let (records, settled) = next_group(first, &mut queue).await;
        if !records.is_empty()
            && let Err(error) = store.record_recalls(&records, keep_per_partition).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                records = records.len(),
                "recalls not noted"
            );
        }
        for wait in settled {
            let _ = wait.send(());
        }
    }
}

/// What comes within a moment of `first`; at once what somebody waits for.
async fn next_group(
    first: LogEntry,
    queue: &mut mpsc::Receiver<LogEntry>,
) -> (Vec<RecallRecord>, Vec<oneshot::Sender<()>>) {
    let (mut records, mut settled) = (Vec::new(), Vec::new());
    let mut over = std::pin::pin!(tokio::time::sleep(FLUSH_INTERVAL));
    let mut next = Some(first);
    while let Some(entry) = next {
        match entry {
            LogEntry::Record(record) => records.push(record),
            LogEntry::Settle(wait) => settled.push(wait),
        }
        if !settled.is_empty() || records.len() >= MAX_PER_WRITE {
            break;
        }
        next = tokio::select! {
            entry = queue.recv() => entry,
            () = &mut over => None,
        };
    }
    (records, settled)
}
