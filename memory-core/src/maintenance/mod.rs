//! Looking after the whole: background jobs (change of the embedder), checks, copies, and an orderly end.

mod check;
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

    /// Forgets requests that are too old to be repeated; answers how many. To be called now and then.
    pub async fn forget_old_requests(&self) -> Result<u64, Error> {
        let oldest = self.now().plus_days(-i64::from(self.limits.requests_kept_days));
        Ok(self.store.forget_requests(oldest).await?)
    }

    /// Stops the jobs at work, which go on at the next start, and writes what waits to be written. Requests that are still
    /// at work finish as usual.
    pub async fn stop(&self) {
        if let Some(runner) = self.jobs.get() {
            runner.stop().await;
        }
        self.access_log.settle().await;
    }

    /// How many notes of recalls were dropped because the log could not keep up.
    pub fn dropped_notes(&self) -> u64 {
        self.access_log.dropped()
    }
}
