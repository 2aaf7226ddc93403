//! Maintenance: background jobs (change of the embedder), checks, backups, and shutdown.

mod check;
pub mod erase_owner;
mod jobs;
mod reindex;

pub use check::CheckReport;

use std::path::Path;

use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin};
use crate::error::Error;

impl Engine {
    /// Writes a consistent copy of the store to a new file, while serving.
    pub async fn copy_to(&self, caller: &Caller, file: &Path) -> Result<(), Error> {
        needs_admin(caller)?;
        Ok(self.store.copy_to(file).await?)
    }

    /// Deletes idempotency records that have expired; returns their number. To be called periodically.
    pub async fn forget_old_requests(&self) -> Result<u64, Error> {
        let oldest = self.now().plus_days(-i64::from(self.limits.requests_kept_days));
        Ok(self.store.forget_requests(oldest).await?)
    }

    /// Stops the running jobs, which resume at the next start, and flushes buffered writes. Requests in progress finish
    /// as usual.
    pub async fn stop(&self) {
        if let Some(runner) = self.jobs.get() {
            runner.stop().await;
        }
        self.access_log.settle().await;
        self.index.settle().await;
    }

    /// Number of access records dropped because the log's queue was full.
    pub fn dropped_notes(&self) -> u64 {
        self.access_log.dropped()
    }
}
