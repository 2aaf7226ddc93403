//! Looking after the whole: changing the embedder while serving, checks, copies, and an orderly end.

mod check;
mod reindex;

pub use check::CheckReport;

use std::path::Path;

use crate::domain::id::JobId;
use crate::domain::job::Job;
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin, needs_read};
use crate::error::Error;

impl Engine {
    /// A durable job.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        needs_read(caller)?;
        let job = self.store.job(caller.tenant, id).await?;
        job.ok_or_else(|| Error::NotFound { what: "job", id: id.to_string() })
    }

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

    /// Writes what waits to be written. Requests that are still at work finish as usual.
    pub async fn stop(&self) {
        self.access_log.settle().await;
    }

    /// How many notes of recalls were dropped because the log could not keep up.
    pub fn dropped_notes(&self) -> u64 {
        self.access_log.dropped()
    }
}
