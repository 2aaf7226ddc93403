//! Copies of the store, and whether erased memories are still in a file of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::scope::Caller;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_admin, needs_read};
use crate::error::Error;
use crate::store::Purge;

/// Guard of a copy of the store: as long as it lives, erasures are pending, because the copy may hold what they erased.
/// To be dropped when the file is deleted, or has left the server.
#[derive(Clone, Debug)]
pub struct StoreCopy {
    alive: Arc<()>,
}

/// State of the bytes of erased memories in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeStatus {
    /// State of all erasures acknowledged so far.
    pub state: Purge,
    /// Number of erasing transactions since the last complete purge of the store.
    pub erasures: u64,
    /// Time of the oldest of them, if it is known.
    pub since: Option<Timestamp>,
    /// Number of copies of the store that are being made or fetched.
    pub copies: u64,
}

impl Engine {
    /// Writes a consistent copy of the store to a new file, while serving. `guard` comes from [`Engine::begin_copy`].
    pub async fn copy_to(&self, caller: &Caller, file: &Path, guard: &StoreCopy) -> Result<(), Error> {
        needs_admin(caller)?;
        debug_assert!(Arc::ptr_eq(&guard.alive, &self.copies), "a guard of this engine");
        Ok(self.store.copy_to(file).await?)
    }

    /// Guard of a copy that is about to be made.
    ///
    /// Errors: [`Error::Forbidden`].
    pub fn begin_copy(&self, caller: &Caller) -> Result<StoreCopy, Error> {
        needs_admin(caller)?;
        Ok(StoreCopy { alive: Arc::clone(&self.copies) })
    }

    /// Whether the bytes of all memories erased so far are gone from the files of the store and of its copies on the
    /// server. To be asked after an erasure, for its receipt.
    pub fn purge_state(&self) -> Purge {
        self.status().state
    }

    /// The same with numbers, for callers with the right to read.
    ///
    /// Errors: [`Error::Forbidden`].
    pub fn purge_status(&self, caller: &Caller) -> Result<PurgeStatus, Error> {
        needs_read(caller)?;
        Ok(self.status())
    }

    /// Number of erasing transactions that are pending, and the age of the oldest: for metrics.
    pub fn purge_debt(&self) -> (u64, Duration) {
        let status = self.status();
        let age_us = status.since.map_or(0, |since| self.now().as_micros().saturating_sub(since.as_micros()));
        (status.erasures, Duration::from_micros(u64::try_from(age_us).unwrap_or(0)))
    }

    fn status(&self) -> PurgeStatus {
        let debt = self.store.purge_debt();
        let copies = Arc::strong_count(&self.copies).saturating_sub(1) as u64;
        let state = match debt.state {
            Purge::Done if copies > 0 => Purge::Pending,
            state => state,
        };
        PurgeStatus { state, erasures: debt.erasures, since: debt.since, copies }
    }
}
