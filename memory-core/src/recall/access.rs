//! STEP 7 of recalling: noting what came back, without making the caller wait. Notes are written in groups; when more
//! come than can be written, they are dropped and counted: the log helps forgetting, it does not hinder recall.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::store::{RecallRecord, Store};

/// Records that wait to be written.
const WAITING: usize = 4_096;
/// Records in one transaction.
const PER_WRITE: usize = 256;
/// How long a record may wait for others: a transaction and a sync to disk for each recall would take the disk and a
/// core from those who ask. A crash loses no more than this.
const GATHER_FOR: Duration = Duration::from_millis(250);

/// The way into the access log.
#[derive(Clone, Debug)]
pub(crate) struct AccessNotes {
    records: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Note {
    Record(RecallRecord),
    Settle(oneshot::Sender<()>),
}

impl AccessNotes {
    /// Starts the task that writes. It ends when the last way in is dropped.
    pub(crate) fn start(store: Arc<dyn Store>, keep_per_partition: u32) -> Self {
        let (records, queue) = mpsc::channel(WAITING);
        tokio::spawn(write(store, queue, keep_per_partition));
        Self { records, dropped: Arc::default() }
    }

    /// Notes a recall.
    pub(crate) fn note(&self, record: RecallRecord) {
        if self.records.try_send(Note::Record(record)).is_err() {
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
        if self.records.send(Note::Settle(settled)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn write(store: Arc<dyn Store>, mut queue: mpsc::Receiver<Note>, keep_per_partition: u32) {
    while let Some(first) = queue.recv().await {
        let (records, settled) = gather(first, &mut queue).await;
        if !records.is_empty()
            && let Err(error) = store.note_recalls(&records, keep_per_partition).await
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
async fn gather(
    first: Note,
    queue: &mut mpsc::Receiver<Note>,
) -> (Vec<RecallRecord>, Vec<oneshot::Sender<()>>) {
    let (mut records, mut settled) = (Vec::new(), Vec::new());
    let mut over = std::pin::pin!(tokio::time::sleep(GATHER_FOR));
    let mut next = Some(first);
    while let Some(note) = next {
        match note {
            Note::Record(record) => records.push(record),
            Note::Settle(wait) => settled.push(wait),
        }
        if !settled.is_empty() || records.len() >= PER_WRITE {
            break;
        }
        next = tokio::select! {
            note = queue.recv() => note,
            () = &mut over => None,
        };
    }
    (records, settled)
}
