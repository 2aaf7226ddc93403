//! Removal of erased bytes from the files of the database: the write-ahead log is checkpointed and truncated, and the
//! result of the checkpoint is read.
//!
//! `secure_delete` overwrites deleted cells and freed pages with zeros, at first in the log alone: the pages before are
//! in the database file and in earlier frames of the log. Only a complete checkpoint with a truncation removes them. A
//! reader of an earlier state prevents it, so that erasures become a debt. The debt needs no durable record: a killed
//! process leaves the log itself, and the next opening truncates it before the first reader.
//!
//! After each truncation the unused bytes of the changed pages are overwritten (`scrub`). So that they are known, the
//! checkpoints are made here, and SQLite makes one of its own only if the log grows far beyond what is usual.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::Connection as _;
use tokio::sync::Notify;

use super::scrub::{Scrubber, log_bytes};
use super::{Connection, Db, dialect, unavailable};
use crate::domain::time::Timestamp;
use crate::store::{Purge, PurgeDebt, PurgeWait, StoreError};

/// Length of the log from which on it is checkpointed without an erasure, in bytes.
const FOLD_LOG_AT_BYTES: u64 = 8 << 20;
/// Interval of the look at the length of the log.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Maximum number of steps of one purge: 512 MiB of the database with pages of 8 KiB. The rest of a larger file follows
/// in the background.
const STEPS_PER_PURGE: usize = 16;

/// Debt of the store.
#[derive(Debug)]
pub(super) struct Purging {
    owed: Mutex<Owed>,
    due: Notify,
    scrubber: Arc<Mutex<Scrubber>>,
    log: PathBuf,
}

/// Result of a step of a purge.
enum Step {
    /// A reader of an earlier state prevented it.
    Held,
    /// Pages are left to be scrubbed.
    Behind,
    /// No erased byte is left of what was committed before it.
    Complete,
}

#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    /// Number of erasures since the store was opened.
    all: u64,
    /// Number of those whose bytes are gone.
    purged: u64,
    /// Time of the oldest one since the last complete purge.
    since: Option<Timestamp>,
}

impl Purging {
    /// Debt of a store over this file, which is created if it is missing.
    pub(super) fn open(database: &Path) -> Result<Self, StoreError> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let scrubber = Scrubber::open(database, log.clone()).map_err(unavailable)?;
        Ok(Self { owed: Mutex::default(), due: Notify::new(), scrubber: Arc::new(Mutex::new(scrubber)), log })
    }

    /// Debt at this moment.
    pub(super) fn debt(&self) -> PurgeDebt {
        let owed = *self.owed.lock();
        match owed.all.saturating_sub(owed.purged) {
            0 => PurgeDebt::NONE,
            erasures => PurgeDebt { state: Purge::Pending, erasures, since: owed.since },
        }
    }

    /// Number of erasures since the store was opened.
    pub(super) fn erasures(&self) -> u64 {
        self.owed.lock().all
    }

    /// Completes when there is a debt, or the log is long.
    pub(super) async fn due(&self) {
        loop {
            let notified = self.due.notified();
            if self.debt().state == Purge::Pending {
                return;
            }
            // Not at once after a try: readers may hold a long log without a debt.
            if tokio::time::timeout(LOOK_EVERY, notified).await.is_err() && self.is_log_long() {
                return;
            }
        }
    }

    fn is_log_long(&self) -> bool {
        log_bytes(&self.log) > FOLD_LOG_AT_BYTES
    }

    /// Records erasures that were just committed, and tries to purge them. While earlier ones are owed, a reader is in
    /// the way: this one waits for no reader then, and leaves the rest to the background.
    pub(super) async fn after_erasures(&self, writer: &sqlx::Pool<Db>, times: &[Timestamp]) {
        let Some(first) = times.iter().min() else {
            if self.is_log_long()
                && let Err(error) = self.purge(writer, PurgeWait::None).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be truncated");
            }
            return;
        };
        let wait = match self.debt().state {
            Purge::Pending => PurgeWait::None,
            _ => PurgeWait::Brief,
        };
        self.owe(times.len() as u64, Some(*first));
        if let Err(error) = self.purge(writer, wait).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be truncated");
        }
        self.due.notify_waiters();
    }

    /// Tries to truncate the log and to overwrite unused bytes; returns the debt after that. The writer is free between
    /// the steps.
    pub(super) async fn purge(
        &self,
        writer: &sqlx::Pool<Db>,
        wait: PurgeWait,
    ) -> Result<PurgeDebt, StoreError> {
        for _ in 0..STEPS_PER_PURGE {
            let mut connection = writer.acquire().await.map_err(unavailable)?;
            // The writer is held: every erasure counted by now is in the log or behind it.
            let covered = self.erasures();
            match self.step(&mut connection, wait).await? {
                Step::Held => break,
                Step::Behind if wait == PurgeWait::None => break,
                Step::Behind => {}
                Step::Complete => {
                    let mut owed = self.owed.lock();
                    owed.purged = owed.purged.max(covered);
                    if owed.purged >= owed.all {
                        owed.since = None;
                    }
                    break;
                }
            }
        }
        Ok(self.debt())
    }

    /// Purges what an earlier process left, before the first reader.
    pub(super) async fn purge_at_start(&self, writer: &sqlx::Pool<Db>) -> Result<(), StoreError> {
        delete_samples(&mut *writer.acquire().await.map_err(unavailable)?).await?;
        self.owe(1, None);
        self.purge(writer, PurgeWait::Long).await?;
        Ok(())
    }

    /// Renews the statistics of the planner, and truncates the log, when no write can be delayed.
    pub(super) async fn purge_at_the_end(&self, writer: &sqlx::Pool<Db>) -> Result<(), StoreError> {
        let mut connection = writer.acquire().await.map_err(unavailable)?;
        sqlx::query(dialect::OPTIMIZE).execute(&mut *connection).await.map_err(unavailable)?;
        delete_samples(&mut connection).await?;
        drop(connection);
        self.purge(writer, PurgeWait::Long).await?;
        Ok(())
    }

    /// Truncates the log and overwrites unused bytes of some pages.
    async fn step(&self, connection: &mut Connection, wait: PurgeWait) -> Result<Step, StoreError> {
        self.on_file(|scrubber| scrubber.note_log().map(|()| false)).await?;
        if !truncate_log(connection, wait).await? {
            return Ok(Step::Held);
        }
        // The lock keeps writers of other processes away from the pages.
        let lock = connection.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let scrubbed = self.on_file(|scrubber| scrubber.scrub().map(|()| scrubber.is_behind())).await;
        lock.rollback().await.map_err(unavailable)?;
        // A page in the cache of this connection still has the bytes that were overwritten in the file.
        sqlx::query(dialect::DROP_PAGE_CACHE).execute(&mut *connection).await.map_err(unavailable)?;
        Ok(if scrubbed? { Step::Behind } else { Step::Complete })
    }

    async fn on_file(
        &self,
        work: impl FnOnce(&mut Scrubber) -> io::Result<bool> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let scrubber = Arc::clone(&self.scrubber);
        let worked = tokio::task::spawn_blocking(move || work(&mut scrubber.lock())).await;
        worked.map_err(unavailable)?.map_err(unavailable)
    }

    fn owe(&self, erasures: u64, since: Option<Timestamp>) {
        let mut owed = self.owed.lock();
        let is_first = owed.purged >= owed.all;
        owed.all = owed.all.saturating_add(erasures);
        if is_first {
            owed.since = since;
        }
    }
}

/// Checkpoints and truncates the log. False if a reader prevented it.
async fn truncate_log(connection: &mut Connection, wait: PurgeWait) -> Result<bool, StoreError> {
    // A pragma takes no parameters.
    let patience = match wait {
        PurgeWait::None => "PRAGMA busy_timeout = 0",
        PurgeWait::Brief => "PRAGMA busy_timeout = 20",
        PurgeWait::Long => "PRAGMA busy_timeout = 1000",
    };
    sqlx::query(patience).execute(&mut *connection).await.map_err(unavailable)?;
    let truncated: Result<(i64, i64, i64), sqlx::Error> =
        sqlx::query_as(dialect::TRUNCATE_LOG).fetch_one(&mut *connection).await;
    sqlx::query(dialect::USUAL_PATIENCE).execute(&mut *connection).await.map_err(unavailable)?;
    let (busy, ..) = truncated.map_err(unavailable)?;
    Ok(busy == 0)
}

async fn delete_samples(connection: &mut Connection) -> Result<(), StoreError> {
    let has_samples: bool =
        sqlx::query_scalar(dialect::HAS_SAMPLES).fetch_one(&mut *connection).await.map_err(unavailable)?;
    if has_samples {
        sqlx::query(dialect::DELETE_SAMPLES).execute(&mut *connection).await.map_err(unavailable)?;
    }
    Ok(())
}
