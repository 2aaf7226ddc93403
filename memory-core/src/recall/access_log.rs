//! Writer of the access log and of the uses of recalled memories (step 7 of recall). Recalls do not wait for it. Records are written in groups. Under
//! overload they are dropped and counted, because they only inform forgetting and must not slow recall down.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::reinforce::{self, Reinforcement};
use crate::indexing::commit_queue::CommitQueue;
use crate::store::{GrantUse, RecallRecord, Store};

/// Maximum number of records waiting to be written.
const MAX_PENDING: usize = 4_096;
/// Maximum number of records in one transaction.
const MAX_PER_WRITE: usize = 256;
/// Longest wait of a record for others. One transaction and one sync to disk per recall would compete with the queries
/// for disk and CPU. A crash loses at most the records of this interval.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// Sender of records to the writer task.
#[derive(Clone, Debug)]
pub(crate) struct AccessLogWriter {
    records: mpsc::Sender<LogEntry>,
    dropped: Arc<AtomicU64>,
}

/// Numbers of records that are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Recalls of one partition.
    pub(crate) per_partition: u32,
    /// Reads through one grant.
    pub(crate) per_grant: u32,
}

#[derive(Debug)]
enum LogEntry {
    Record(RecallRecord),
    Use(GrantUse),
    Reinforce(Reinforcement),
    Settle(oneshot::Sender<()>),
}

impl AccessLogWriter {
    /// Starts the writer task. It ends when the last sender is dropped.
    pub(crate) fn start(store: Arc<dyn Store>, commits: CommitQueue, keep: Keep) -> Self {
        let (records, queue) = mpsc::channel(MAX_PENDING);
        let dropped = Arc::<AtomicU64>::default();
        let ports = Ports { store, commits, dropped: Arc::clone(&dropped) };
        tokio::spawn(supervise(ports, queue, keep));
        Self { records, dropped }
    }

    /// Enqueues the record of a recall; drops it if the queue is full.
    pub(crate) fn record(&self, record: RecallRecord) {
        self.enqueue(LogEntry::Record(record));
    }

    /// Enqueues the record of a read through a grant; drops it if the queue is full.
    pub(crate) fn record_use(&self, used: GrantUse) {
        self.enqueue(LogEntry::Use(used));
    }

    /// Enqueues the uses of memories by a recall; drops them if the queue is full.
    pub(crate) fn reinforce(&self, uses: Reinforcement) {
        self.enqueue(LogEntry::Reinforce(uses));
    }

    fn enqueue(&self, entry: LogEntry) {
        if self.records.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Number of records dropped, and of change sets of uses that could not be committed.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all records enqueued so far are written.
    pub(crate) async fn settle(&self) {
        let (settled, wait) = oneshot::channel();
        if self.records.send(LogEntry::Settle(settled)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

/// Receivers of what is written.
struct Ports {
    store: Arc<dyn Store>,
    commits: CommitQueue,
    dropped: Arc<AtomicU64>,
}

/// Runs the writer, and goes on with the next group after a panic. The records of the group are lost.
async fn supervise(ports: Ports, mut queue: mpsc::Receiver<LogEntry>, keep: Keep) {
    while AssertUnwindSafe(write(&ports, &mut queue, keep)).catch_unwind().await.is_err() {
        tracing::error!("the writer of the access log panicked: some recalls are not noted, and it goes on");
    }
}

async fn write(ports: &Ports, queue: &mut mpsc::Receiver<LogEntry>, keep: Keep) {
    let store = &*ports.store;
    while let Some(first) = queue.recv().await {
        let Group { records, uses, reinforcements, settled } = next_group(first, queue).await;
        if !uses.is_empty()
            && let Err(error) = store.record_grant_uses(&uses, keep.per_grant).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, uses = uses.len(), "reads through grants not noted");
        }
        if !records.is_empty()
            && let Err(error) = store.record_recalls(&records, keep.per_partition).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                records = records.len(),
                "recalls not noted"
            );
        }
        if !reinforcements.is_empty() {
            let failed = reinforce::commit(store, &ports.commits, reinforcements).await;
            ports.dropped.fetch_add(failed, Ordering::Relaxed);
        }
        for wait in settled {
            let _ = wait.send(());
        }
    }
}

/// Records that are written together, and the callers that wait for them.
#[derive(Default)]
struct Group {
    records: Vec<RecallRecord>,
    uses: Vec<GrantUse>,
    reinforcements: Vec<Reinforcement>,
    settled: Vec<oneshot::Sender<()>>,
}

/// Records that arrive within [`FLUSH_INTERVAL`] of `first`; fewer if a caller waits in [`AccessLogWriter::settle`].
async fn next_group(first: LogEntry, queue: &mut mpsc::Receiver<LogEntry>) -> Group {
    let mut group = Group::default();
    let mut over = std::pin::pin!(tokio::time::sleep(FLUSH_INTERVAL));
    let mut next = Some(first);
    while let Some(entry) = next {
        match entry {
            LogEntry::Record(record) => group.records.push(record),
            LogEntry::Use(used) => group.uses.push(used),
            LogEntry::Reinforce(uses) => group.reinforcements.push(uses),
            LogEntry::Settle(wait) => group.settled.push(wait),
        }
        let entries = group.records.len() + group.uses.len() + group.reinforcements.len();
        if !group.settled.is_empty() || entries >= MAX_PER_WRITE {
            break;
        }
        next = tokio::select! {
            entry = queue.recv() => entry,
            () = &mut over => None,
        };
    }
    group
}
