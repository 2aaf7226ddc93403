//! Background task that pays the purge debt of the store: it tries again with growing pauses until the reads that
//! prevented it have ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::{Purge, PurgeWait, Store};

/// Pause before the first try.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Maximum pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Number of tries that hold up writes briefly. Later ones wait for the reads of their moment: see [`PurgeWait::Long`].
const BRIEF_TRIES: u32 = 4;

/// Guard of the task; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Purger {
    task: AbortHandle,
}

impl Purger {
    /// Starts the task.
    pub(crate) fn start(store: Arc<dyn Store>) -> Self {
        Self { task: tokio::spawn(run(store)).abort_handle() }
    }
}

impl Drop for Purger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(store: Arc<dyn Store>) {
    loop {
        store.purge_due().await;
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tokio::time::sleep(pause).await;
            let wait = if tries < BRIEF_TRIES { PurgeWait::Brief } else { PurgeWait::Long };
            match store.purge(wait).await {
                Ok(debt) if debt.state != Purge::Pending => break,
                Ok(debt) if tries == BRIEF_TRIES => {
                    tracing::warn!(erasures = debt.erasures, "reads keep erased data in the write-ahead log");
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "erased data was not purged");
                }
            }
            tries += 1;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}
