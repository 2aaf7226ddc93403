//! Removal of erased bytes from the files of the database: the write-ahead log is checkpointed and truncated, and the
//! result of the checkpoint is read.
//!
//! `secure_delete` overwrites deleted cells and freed pages with zeros, at first in the log alone: the pages before are
//! in the database file and in earlier frames of the log. Only a complete checkpoint with a truncation removes them. A
//! reader of an earlier state prevents it, so that erasures become a debt. The debt needs no durable record: a killed
//! process leaves the log itself, and the next opening truncates it before the first reader.
//!
//! Before a debt counts as paid, the unused bytes of the changed pages are overwritten as well (`scrub`). So that those
//! pages are known, all checkpoints are made here, and SQLite makes none of its own. Without a debt, a long log is only
//! copied into the database file and begun anew: neither truncated, which would make its next syncs slower, nor scrubbed.
//! The pages that gather in this way are scrubbed with the next erasure, or when nobody writes.
//!
//! Each step runs to its end on a thread of its own, with the connection that writes: a caller that goes away must not
//! release the write lock under it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::log_file::{Generation, LogFile};
use super::scrub::Scrubber;
use super::{Connection, Db, DirectoryLock, dialect, unavailable};
use crate::domain::time::Timestamp;
use crate::store::{Purge, PurgeDebt, PurgeWait, StoreError};

/// Number of frames of the log after which it is checkpointed without an erasure: 16 MiB with pages of 8 KiB.
const FRAMES_PER_CHECKPOINT: u64 = 2_048;
/// Interval of the look at the log, and shortest time without a commit after which changed pages are scrubbed.
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
    log: LogFile,
    /// Generation of the log that was checkpointed last, and its number of frames then.
    checkpointed: Mutex<Option<(Generation, u64)>>,
    /// Number of commits since the store was opened.
    commits: AtomicU64,
    /// True if unused bytes of pages are left as they are, since the file is too large or of another kind.
    leaves_gaps: AtomicBool,
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
    pub(super) fn open(database: &Path, lock: Arc<DirectoryLock>) -> Result<Self, StoreError> {
        let scrubber = Scrubber::open(database, lock).map_err(unavailable)?;
        Ok(Self {
            owed: Mutex::default(),
            due: Notify::new(),
            scrubber: Arc::new(Mutex::new(scrubber)),
            log: LogFile::of(database),
            checkpointed: Mutex::default(),
            commits: AtomicU64::new(0),
            leaves_gaps: AtomicBool::new(false),
        })
    }

    /// Debt at this moment.
    pub(super) fn debt(&self) -> PurgeDebt {
        let owed = *self.owed.lock();
        match owed.all.saturating_sub(owed.purged) {
            0 if self.leaves_gaps.load(Ordering::Acquire) => PurgeDebt::LEFT_TO_DATABASE,
            0 => PurgeDebt::NONE,
            erasures => PurgeDebt { state: Purge::Pending, erasures, since: owed.since },
        }
    }

    /// Number of erasures since the store was opened.
    pub(super) fn erasures(&self) -> u64 {
        self.owed.lock().all
    }

    /// Completes when there is a debt, or pages are to be scrubbed and nobody writes. Checkpoints a long log meanwhile.
    pub(super) async fn due(&self, writer: &sqlx::Pool<Db>) {
        let mut commits = None;
        loop {
            let notified = self.due.notified();
            if self.debt().state == Purge::Pending {
                return;
            }
            // Not at once after a try: readers may hold a long log without a debt.
            if tokio::time::timeout(LOOK_EVERY, notified).await.is_ok() {
                continue;
            }
            let before = commits.replace(self.commits.load(Ordering::Acquire));
            let is_quiet = before == commits;
            if is_quiet && self.scrubber.try_lock().is_some_and(|scrubber| scrubber.is_behind()) {
                return;
            }
            self.checkpoint_long_log(writer).await;
        }
    }

    /// True if the log has grown by much since its last checkpoint.
    fn is_log_long(&self) -> bool {
        let checkpointed = *self.checkpointed.lock();
        let has = |frames| self.log.generation_of(frames).ok().flatten();
        match (has(FRAMES_PER_CHECKPOINT), checkpointed) {
            (Some(generation), Some((known, frames))) if known == generation => {
                has(frames.saturating_add(FRAMES_PER_CHECKPOINT)).is_some()
            }
            (generation, _) => generation.is_some(),
        }
    }

    /// Copies a long log into the database file, after which the next write begins it anew. Best effort.
    async fn checkpoint_long_log(&self, writer: &sqlx::Pool<Db>) {
        if !self.is_log_long() {
            return;
        }
        let checkpointed = async {
            let worker = self.worker(writer).await?;
            // Another caller may have done it meanwhile.
            let is_long = self.is_log_long();
            let noted = match is_long {
                true => on_thread(move || worker.checkpoint()).await?,
                false => None,
            };
            if noted.is_some() {
                *self.checkpointed.lock() = noted;
            }
            Ok::<(), StoreError>(())
        };
        if let Err(error) = checkpointed.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be checkpointed");
        }
    }

    /// Records a commit with the times of its erasures, which it tries to purge. While earlier ones are owed, a reader is
    /// in the way: this one waits for no reader then, and leaves the rest to the background.
    pub(super) async fn after_commit(&self, writer: &sqlx::Pool<Db>, erasures: &[Timestamp]) {
        self.commits.fetch_add(1, Ordering::AcqRel);
        let Some(first) = erasures.iter().min() else {
            return self.checkpoint_long_log(writer).await;
        };
        let wait = match self.debt().state {
            Purge::Pending => PurgeWait::None,
            _ => PurgeWait::Brief,
        };
        self.owe(erasures.len() as u64, Some(*first));
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
            let worker = self.worker(writer).await?;
            // The writer is held: every erasure counted by now is in the log or behind it.
            let covered = self.erasures();
            match on_thread(move || worker.step(wait)).await? {
                Step::Held => break,
                Step::Behind if wait == PurgeWait::None => break,
                Step::Behind => {}
                Step::Complete => {
                    self.leaves_gaps.store(self.scrubber.lock().leaves_gaps(), Ordering::Release);
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

    async fn worker(&self, writer: &sqlx::Pool<Db>) -> Result<Worker, StoreError> {
        let connection = writer.acquire().await.map_err(unavailable)?;
        Ok(Worker { connection, scrubber: Arc::clone(&self.scrubber), runtime: Handle::current() })
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

/// Step of a purge or a checkpoint, on a thread of its own. No other write runs beside it: it has the connection that
/// writes.
struct Worker {
    connection: PoolConnection<Db>,
    scrubber: Arc<Mutex<Scrubber>>,
    runtime: Handle,
}

impl Worker {
    /// Copies the log into the database file as far as readers allow; returns its generation and its number of frames.
    fn checkpoint(mut self) -> Result<Option<(Generation, u64)>, StoreError> {
        let mut scrubber = self.scrubber.lock();
        let noted = scrubber.note_log().map_err(unavailable)?;
        if self.runtime.block_on(checkpoint(&mut self.connection))? {
            scrubber.note_complete_checkpoint();
        }
        Ok(noted)
    }

    /// Truncates the log and overwrites unused bytes of some pages.
    fn step(mut self, wait: PurgeWait) -> Result<Step, StoreError> {
        let mut scrubber = self.scrubber.lock();
        scrubber.note_log().map_err(unavailable)?;
        if !self.runtime.block_on(truncate_log(&mut self.connection, wait))? {
            return Ok(Step::Held);
        }
        scrubber.note_complete_checkpoint();
        if !scrubber.is_behind() {
            return Ok(Step::Complete);
        }
        // The lock keeps writers of other processes away from the pages.
        let begun = self.connection.begin_with(dialect::BEGIN_WRITE);
        let lock = self.runtime.block_on(begun).map_err(unavailable)?;
        let scrubbed = scrubber.scrub();
        let ended = self.runtime.block_on(lock.rollback());
        // A page in the cache of this connection still has the bytes that were overwritten in the file, and would bring
        // them back with its next change.
        let dropped = sqlx::query(dialect::DROP_PAGE_CACHE).execute(&mut *self.connection);
        let dropped = self.runtime.block_on(dropped);
        if ended.is_err() || dropped.is_err() {
            self.connection.close_on_drop();
        }
        scrubbed.map_err(unavailable)?;
        Ok(if scrubber.is_behind() { Step::Behind } else { Step::Complete })
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(unavailable)?
}

/// Checkpoints the log as far as readers allow. True if all of it is in the database file.
async fn checkpoint(connection: &mut Connection) -> Result<bool, StoreError> {
    let (busy, frames, copied): (i64, i64, i64) =
        sqlx::query_as(dialect::CHECKPOINT).fetch_one(connection).await.map_err(unavailable)?;
    Ok(busy == 0 && frames == copied)
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

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::super::{SqlStore, StoreOptions};
    use super::*;
    use crate::store::Commit;
    use crate::testing::fixtures::{Fixtures, owner};

    #[tokio::test]
    async fn a_purge_whose_caller_goes_away_keeps_the_writer_until_it_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(directory.path(), StoreOptions::default()).await.expect("a store");
        let fixtures = Fixtures::for_store(&store).await.expect("fixtures");
        let add = || async {
            let set = fixtures.adding(&owner("ann"), vec![fixtures.fact("a fact")]);
            store.commit(&[set]).await.expect("committed");
        };
        add().await;
        let scrubber = Arc::clone(&store.purging.scrubber);
        let (held, is_held) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let _guard = scrubber.lock();
            let _ = held.send(());
            let _ = released.recv();
        });
        is_held.recv().expect("held");
        let soon = Duration::from_millis(100);
        let purge = store.purging.purge(&store.writer, PurgeWait::None);
        assert!(tokio::time::timeout(soon, purge).await.is_err(), "it is held, and its caller goes away");
        assert!(tokio::time::timeout(soon, add()).await.is_err(), "no write comes between");
        assert!(store.purging.log.bytes() > 0);
        drop(release);
        holder.join().expect("released");
        add().await;
        let mut scrubber = store.purging.scrubber.lock();
        assert!(!scrubber.is_behind(), "it went on to its end");
        let (_, frames) = scrubber.note_log().expect("read").expect("a log");
        assert!((1..40).contains(&frames), "only the last commit is in the log: {frames}");
    }
}
